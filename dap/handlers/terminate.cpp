// DAP `terminate`: asks the program to end by a signal; it may take its time, or refuse.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::NoBody> handle(spec::Terminate, Session& session, const spec::TerminateArguments&) {
  if (session.starter().waiting()) {  // it has not run yet: there is nobody to ask
    session.cancel_starts();
    return spec::NoBody{};
  }
  const auto state = session.control().state();
  if (state == proto::RunState::none || state == proto::RunState::exited)
    return fail(Errc::no_debuggee, "terminate: no program is running");
  TL_TRY_VOID(session.control().terminate());
  return spec::NoBody{};
}

}  // namespace trapline::dap
