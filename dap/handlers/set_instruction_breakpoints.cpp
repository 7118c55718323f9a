#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

Result<proto::BreakpointSpec> spec_for(const spec::InstructionBreakpoint& wanted) {
  TL_TRY(const auto address, parse_address(wanted.instruction_reference, wanted.offset));
  return breakpoint_spec(proto::AddressPlace{address}, wanted.condition, wanted.hit_condition, wanted.mode);
}

}  // namespace

Result<spec::BreakpointsResponse> handle(spec::SetInstructionBreakpoints, Session& session,
                                         const spec::SetInstructionBreakpointsArguments& args) {
  std::vector<Result<proto::BreakpointSpec>> wanted;
  wanted.reserve(args.breakpoints.size());
  for (const auto& one : args.breakpoints) wanted.push_back(spec_for(one));
  TL_TRY(auto breakpoints, session.breakpoints().set("instructions", wanted));
  return spec::BreakpointsResponse{std::move(breakpoints)};
}

}  // namespace trapline::dap
