#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {

Result<spec::SetVariableResponse> handle(spec::SetVariable, Session& session, const spec::SetVariableArguments& args) {
  TL_TRY(const auto container, session.handles().containers.find(args.variables_reference));
  TL_TRY(const auto now,
         session.control().set_value(container.ref, args.name, args.value, format_of(args.format, session)));
  return spec::SetVariableResponse{shape_value(now, session.handles())};
}

}  // namespace trapline::dap
