// DAP `pause`: stops every thread, whichever was named. A stop that came first is what the client wanted.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::NoBody> handle(spec::Pause, Session& session, const spec::PauseArguments&) {
  if (session.control().state() == proto::RunState::running) TL_TRY_VOID(session.control().pause());
  return spec::NoBody{};
}

}  // namespace trapline::dap
