// DAP `cancel`: a hint. What is not waiting any more, or never was, is no error.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::NoBody> handle(spec::Cancel, Session& session, const spec::CancelArguments& args) {
  if (args.request_id) session.cancel(*args.request_id);
  if (args.progress_id) static_cast<void>(session.control().cancel_progress(*args.progress_id));
  return spec::NoBody{};
}

}  // namespace trapline::dap
