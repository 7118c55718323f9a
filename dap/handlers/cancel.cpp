// DAP `cancel`: a hint. What is not waiting any more, or never was, is no error.
#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::NoBody> handle(spec::Cancel, Session& session, const spec::CancelArguments& args) {
  if (args.request_id) session.cancel(*args.request_id);
  return spec::NoBody{};
}

}  // namespace trapline::dap
