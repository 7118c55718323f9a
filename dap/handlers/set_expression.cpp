// DAP `setExpression`: an assignment to whatever the expression names, with the conversions of an edited variable.
#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {

Result<spec::SetVariableResponse> handle(spec::SetExpression, Session& session,
                                         const spec::SetExpressionArguments& args) {
  proto::EvaluateSpec target{.expression = args.expression,
                             .frame = std::nullopt,
                             .context = proto::EvaluateContext::repl,
                             .format = format_of(args.format, session)};
  if (args.frame_id) {
    TL_TRY(target.frame, session.handles().frames.find(*args.frame_id));
  }
  TL_TRY(const auto now, session.control().set_expression(target, args.value));
  return spec::SetVariableResponse{shape_value(now, session.handles())};
}

}  // namespace trapline::dap
