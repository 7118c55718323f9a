// DAP `setExceptionBreakpoints`: editors send it always, with no filters where none were offered, as here.
#include <fmt/format.h>

#include "dap/handlers/handlers.hpp"

namespace trapline::dap {

Result<spec::BreakpointsResponse> handle(spec::SetExceptionBreakpoints, Session&,
                                         const spec::SetExceptionBreakpointsArguments& args) {
  spec::BreakpointsResponse response;
  for (const auto& filter : args.filters)
    response.breakpoints.push_back(
        failed_breakpoint(fail(Errc::not_found, fmt::format("there is no exception filter '{}'", filter)).error()));
  return response;
}

}  // namespace trapline::dap
