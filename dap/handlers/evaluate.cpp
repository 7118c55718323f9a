// DAP `evaluate`. A hover never has side effects: the Control knows the context and refuses them.
#include <array>
#include <utility>

#include "dap/handlers/handlers.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

// The specification's list is open; an unknown context is treated as a watch.
proto::EvaluateContext context_of(std::string_view text) {
  using enum proto::EvaluateContext;
  constexpr std::array<std::pair<std::string_view, proto::EvaluateContext>, 4> names{
      {{"hover", hover}, {"repl", repl}, {"clipboard", clipboard}, {"variables", variables}}};
  for (const auto& [name, context] : names)
    if (name == text) return context;
  return watch;
}

// CodeLLDB's prefixes for the kind of expression: ours are native ones.
std::string_view without_kind(std::string_view expression) {
  for (const std::string_view prefix : {"/nat ", "/se "})
    if (expression.starts_with(prefix)) return expression.substr(prefix.size());
  return expression;
}

bool is_command(std::string_view text, const std::string& prefix) {
  if (!prefix.empty() && text.starts_with(prefix)) return true;
  return text.starts_with("-exec ") || text.starts_with("dlv ");
}

}  // namespace

Result<spec::EvaluateResponse> handle(spec::Evaluate, Session& session, const spec::EvaluateArguments& args) {
  proto::EvaluateSpec wanted{.expression = std::string(without_kind(args.expression)),
                             .frame = std::nullopt,
                             .context = context_of(args.context),
                             .format = format_of(args.format, session)};
  if (wanted.context == proto::EvaluateContext::repl && is_command(args.expression, session.settings().command_prefix))
    return fail_hint(Errc::unsupported, "commands in the debug console are not available in this version",
                     "type an expression, or use the prompt: trapline join");
  if (args.frame_id) {
    TL_TRY(wanted.frame, session.handles().frames.find(*args.frame_id));
  }
  TL_TRY(const auto value, session.control().evaluate(wanted));
  return spec::EvaluateResponse{shape_value(value, session.handles()), shape_hint(value)};
}

}  // namespace trapline::dap
