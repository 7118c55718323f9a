#include "dap/handlers/handlers.hpp"

namespace trapline::dap {
namespace {

Result<proto::BreakpointSpec> spec_for(const spec::FunctionBreakpoint& wanted) {
  if (wanted.name.empty()) return fail(Errc::bad_request, "a function breakpoint needs a name");
  return breakpoint_spec(proto::FunctionPlace{wanted.name}, wanted.condition, wanted.hit_condition, "");
}

}  // namespace

Result<spec::BreakpointsResponse> handle(spec::SetFunctionBreakpoints, Session& session,
                                         const spec::SetFunctionBreakpointsArguments& args) {
  std::vector<Result<proto::BreakpointSpec>> wanted;
  wanted.reserve(args.breakpoints.size());
  for (const auto& one : args.breakpoints) wanted.push_back(spec_for(one));
  TL_TRY(auto breakpoints, session.breakpoints().set("functions", wanted));
  return spec::BreakpointsResponse{std::move(breakpoints)};
}

}  // namespace trapline::dap
