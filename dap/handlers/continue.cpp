// DAP `continue`. The answer goes out first, the stop comes later as an event.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::ContinueResponse> handle(spec::Continue, Session& session, const spec::ContinueArguments& args) {
  TL_TRY(const auto thread, thread_of(args.thread_id));
  const proto::ResumeScope scope{args.single_thread ? std::optional{thread} : std::nullopt};
  TL_TRY_VOID(session.control().resume(scope));
  session.resumed_by_us();
  return spec::ContinueResponse{.all_threads_continued = !args.single_thread};
}

}  // namespace trapline::dap
