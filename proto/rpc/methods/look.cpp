// thread.*, frame.*, value.*, evaluate
#include "proto/rpc/method_rooms.hpp"

namespace trapline::rpc {
namespace {

struct StackParams {
  std::optional<Tid> thread;
  std::uint32_t start = 0;
  std::uint32_t count = 0;
};
struct FrameParams {
  std::optional<FrameId> frame;
  std::optional<Tid> thread;
};
struct ChildrenParams {
  ValueRef ref;
  std::uint64_t start = 0;
  std::uint64_t count = 0;
  proto::ValueFormat format;
};
struct SetParams {
  ValueRef ref;
  std::string name;
  std::string value;
  proto::ValueFormat format;
};
struct EvaluateParams {
  std::string expression;
  std::optional<FrameId> frame;
  std::optional<Tid> thread;
  proto::EvaluateContext context = proto::EvaluateContext::watch;
  proto::ValueFormat format;
};
struct CompleteParams {
  std::string text;
  std::optional<std::uint64_t> cursor;
  std::optional<FrameId> frame;
};
struct SetExpressionParams {
  std::string expression;
  std::string value;
  std::optional<FrameId> frame;
  proto::ValueFormat format;
};
struct ExceptionParams {
  std::optional<Tid> thread;
};

}  // namespace

template <>
struct Shape<StackParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("thread", &StackParams::thread, "else the one of the present stop"),
                 field("start", &StackParams::start), field("count", &StackParams::count, "0: all frames")};
};
template <>
struct Shape<FrameParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("frame", &FrameParams::frame, "else the innermost"), maybe("thread", &FrameParams::thread)};
};
template <>
struct Shape<ChildrenParams> {
  using C = ChildrenParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{must("ref", &C::ref), field("start", &C::start),
                                            field("count", &C::count, "0: all"), field("format", &C::format)};
};
template <>
struct Shape<SetParams> {
  using S = SetParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("ref", &S::ref, "the value or scope that contains it"), must("name", &S::name),
                 must("value", &S::value, "an expression"), field("format", &S::format)};
};
template <>
struct Shape<EvaluateParams> {
  using E = EvaluateParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("expression", &E::expression), maybe("frame", &E::frame, "else the innermost"),
                 maybe("thread", &E::thread), field("context", &E::context), field("format", &E::format)};
};
template <>
struct Shape<CompleteParams> {
  using C = CompleteParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("text", &C::text), maybe("cursor", &C::cursor, "bytes before it; else the end of the text"),
                 maybe("frame", &C::frame, "else the innermost")};
};
template <>
struct Shape<SetExpressionParams> {
  using S = SetExpressionParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{must("expression", &S::expression, "what is set"), must("value", &S::value, "an expression"),
                 maybe("frame", &S::frame, "else the innermost"), field("format", &S::format)};
};
template <>
struct Shape<ExceptionParams> {
  static constexpr std::string_view name = "";
  static constexpr auto fields = std::tuple{maybe("thread", &ExceptionParams::thread)};
};

namespace {

Result<std::vector<proto::ThreadInfo>> threads(Desk& desk, const Nothing&) { return desk.control().threads(); }

Result<proto::StackPage> stack(Desk& desk, const StackParams& params) {
  TL_TRY(const auto thread, thread_or_current(desk.control(), params.thread));
  return desk.control().stack(thread, params.start, params.count);
}

Result<proto::ExceptionInfo> exception(Desk& desk, const ExceptionParams& params) {
  TL_TRY(const auto thread, thread_or_current(desk.control(), params.thread));
  return desk.control().exception_info(thread);
}

Result<std::vector<proto::ScopeInfo>> scopes(Desk& desk, const FrameParams& params) {
  TL_TRY(const auto frame, frame_or_current(desk.control(), params.frame, params.thread));
  return desk.control().scopes(frame);
}

Result<std::vector<proto::ValueInfo>> children(Desk& desk, const ChildrenParams& params) {
  return desk.control().children(params.ref, params.start, params.count, params.format);
}

Result<proto::ValueInfo> set(Desk& desk, const SetParams& params) {
  return desk.control().set_value(params.ref, params.name, params.value, params.format);
}

Result<proto::ValueInfo> evaluate(Desk& desk, const EvaluateParams& params) {
  proto::EvaluateSpec spec{
      .expression = params.expression, .frame = params.frame, .context = params.context, .format = params.format};
  // Without a stop there is no frame; globals can be evaluated all the same.
  if (!spec.frame && (params.thread || desk.control().current_stop()))
    if (const auto frame = frame_or_current(desk.control(), params.frame, params.thread)) spec.frame = *frame;
  return desk.control().evaluate(spec);
}

Result<proto::CompletionInfo> complete(Desk& desk, const CompleteParams& params) {
  return desk.control().completions(
      {.text = params.text, .cursor = params.cursor.value_or(params.text.size()), .frame = params.frame});
}

Result<proto::ValueInfo> set_expression(Desk& desk, const SetExpressionParams& params) {
  return desk.control().set_expression({.expression = params.expression,
                                        .frame = params.frame,
                                        .context = proto::EvaluateContext::repl,
                                        .format = params.format},
                                       params.value);
}

}  // namespace

void add_look_methods(Registry& registry) {
  registry.add("thread.list", "The threads of the debuggee.", threads);
  registry.add("thread.stack", "A page of a thread's stack, innermost first.", stack);
  registry.add("thread.exception", "What a signal or exception stop is about.", exception);
  registry.add("frame.scopes", "Arguments, locals, globals and registers of a frame.", scopes);
  registry.add("value.children", "A page of the children of a value or scope.", children);
  registry.add("value.set", "Set a child of a value or scope.", set);
  registry.add("expression.complete", "What could stand at the cursor of an expression.", complete);
  registry.add("expression.set", "Set what an expression names.", set_expression);
  registry.add("evaluate", "The value of an expression in a frame.", evaluate);
}

}  // namespace trapline::rpc
