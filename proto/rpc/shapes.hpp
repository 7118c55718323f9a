#pragma once
// JSON-RPC shapes of the words in proto/control.hpp. Keys are camelCase; what is empty or unknown is left out.
#include <string>
#include <string_view>
#include <variant>

#include "proto/control.hpp"
#include "proto/rpc/codec.hpp"

namespace trapline::rpc {

#define TL_RPC_NAMES(type, count, ...)                                                          \
  template <>                                                                                   \
  struct Names<type> {                                                                          \
    using enum type;                                                                            \
    static constexpr std::array<std::pair<type, std::string_view>, count> table{{__VA_ARGS__}}; \
  }
TL_RPC_NAMES(proto::StopReason, 8, {entry, "entry"}, {breakpoint, "breakpoint"}, {step, "step"}, {pause, "pause"},
             {signal, "signal"}, {exec, "exec"}, {attach, "attach"}, {error, "error"});
TL_RPC_NAMES(proto::BreakpointMode, 4, {automatic, "auto"}, {inline_pad, "inline"}, {trap, "trap"},
             {hardware, "hardware"});
TL_RPC_NAMES(proto::RunState, 5, {none, "none"}, {held, "held"}, {running, "running"}, {stopped, "stopped"},
             {exited, "exited"});
TL_RPC_NAMES(proto::StepUnit, 3, {line, "line"}, {statement, "statement"}, {instruction, "instruction"});
TL_RPC_NAMES(proto::FrameKind, 5, {normal, "normal"}, {inlined, "inlined"}, {signal_handler, "signalHandler"},
             {no_symbols, "noSymbols"}, {broken, "broken"});
TL_RPC_NAMES(proto::ScopeKind, 4, {arguments, "arguments"}, {locals, "locals"}, {globals, "globals"},
             {registers, "registers"});
TL_RPC_NAMES(proto::ValueKind, 7, {data, "data"}, {base_class, "baseClass"}, {virtual_base, "virtualBase"},
             {static_member, "staticMember"}, {register_, "register"}, {error, "error"}, {return_value, "returnValue"});
TL_RPC_NAMES(proto::EvaluateContext, 5, {watch, "watch"}, {hover, "hover"}, {repl, "repl"}, {clipboard, "clipboard"},
             {variables, "variables"});
TL_RPC_NAMES(proto::OutputCategory, 4, {console, "console"}, {important, "important"}, {out, "stdout"},
             {err, "stderr"});
TL_RPC_NAMES(proto::Change, 3, {added, "added"}, {changed, "changed"}, {removed, "removed"});
TL_RPC_NAMES(proto::ProgressPhase, 3, {begin, "begin"}, {update, "update"}, {end, "end"});
TL_RPC_NAMES(proto::StartMethod, 2, {launch, "launch"}, {attach, "attach"});
#undef TL_RPC_NAMES

template <>
struct Shape<LoadRange> {
  static constexpr std::string_view name = "Range";
  static constexpr auto fields = std::tuple{must("begin", &LoadRange::begin), must("end", &LoadRange::end)};
};
template <>
struct Shape<proto::ValueFormat> {
  using V = proto::ValueFormat;
  static constexpr std::string_view name = "Format";
  static constexpr auto fields = std::tuple{
      field("hex", &V::hex), maybe("specifiers", &V::specifiers,
                                   "natvis' letters after the comma, and those of gdb's print: x, [10]s, na, t")};
};
template <>
struct Shape<proto::CompletionItem> {
  using C = proto::CompletionItem;
  static constexpr std::string_view name = "Completion";
  static constexpr auto fields =
      std::tuple{must("text", &C::text), field("kind", &C::kind, "name, member, type, enumerator, register"),
                 maybe("type", &C::type)};
};
template <>
struct Shape<proto::CompletionInfo> {
  using C = proto::CompletionInfo;
  static constexpr std::string_view name = "Completions";
  static constexpr auto fields =
      std::tuple{must("start", &C::start, "byte of the text where an item goes"),
                 must("length", &C::length, "bytes that it replaces"), must("items", &C::items)};
};
template <>
struct Shape<proto::ProcessInfo> {
  using P = proto::ProcessInfo;
  static constexpr std::string_view name = "Process";
  static constexpr auto fields =
      std::tuple{must("name", &P::name), must("pid", &P::pid), field("startMethod", &P::start_method),
                 field("pointerBits", &P::pointer_bits)};
};
template <>
struct Shape<proto::BreakpointLocation> {
  using L = proto::BreakpointLocation;
  static constexpr std::string_view name = "BreakpointLocation";
  static constexpr auto fields = std::tuple{must("address", &L::address),
                                            maybe("file", &L::file),
                                            maybe("line", &L::line),
                                            maybe("column", &L::column),
                                            maybe("function", &L::function),
                                            maybe("module", &L::module),
                                            field("mode", &L::mode, "the way of stopping that it got")};
};
template <>
struct Shape<proto::ThreadInfo> {
  using T = proto::ThreadInfo;
  static constexpr std::string_view name = "Thread";
  static constexpr auto fields = std::tuple{must("id", &T::id), field("name", &T::name), field("stopped", &T::stopped)};
};
template <>
struct Shape<proto::FrameInfo> {
  using F = proto::FrameInfo;
  static constexpr std::string_view name = "Frame";
  static constexpr auto fields = std::tuple{must("id", &F::id, "void after a resume"),
                                            must("level", &F::level, "0 is the innermost"),
                                            field("function", &F::function),
                                            maybe("file", &F::file),
                                            maybe("line", &F::line),
                                            maybe("column", &F::column),
                                            field("address", &F::pc),
                                            maybe("cfa", &F::cfa),
                                            maybe("moduleId", &F::module),
                                            maybe("module", &F::module_name),
                                            field("kind", &F::kind),
                                            field("userCode", &F::user_code)};
};
template <>
struct Shape<proto::StackPage> {
  using S = proto::StackPage;
  static constexpr std::string_view name = "Stack";
  static constexpr auto fields =
      std::tuple{must("frames", &S::frames), maybe("total", &S::total, "known once the end of the stack was reached")};
};
template <>
struct Shape<proto::ScopeInfo> {
  using S = proto::ScopeInfo;
  static constexpr std::string_view name = "Scope";
  static constexpr auto fields =
      std::tuple{must("name", &S::name),    field("kind", &S::kind),       must("ref", &S::ref, "for value.children"),
                 maybe("named", &S::named), maybe("indexed", &S::indexed), field("expensive", &S::expensive)};
};
template <>
struct Shape<proto::ValueInfo> {
  using V = proto::ValueInfo;
  static constexpr std::string_view name = "Value";
  static constexpr auto fields =
      std::tuple{field("name", &V::name),
                 field("value", &V::value),
                 field("type", &V::type),
                 maybe("evaluateName", &V::evaluate_name, "an expression that gives this value again"),
                 field("ref", &V::ref, "for value.children; 0: no children"),
                 maybe("named", &V::named),
                 maybe("indexed", &V::indexed),
                 maybe("address", &V::memory),
                 field("kind", &V::kind),
                 maybe("readOnly", &V::read_only)};
};
template <>
struct Shape<proto::ModuleInfo> {
  using M = proto::ModuleInfo;
  static constexpr std::string_view name = "Module";
  static constexpr auto fields = std::tuple{must("id", &M::id),
                                            field("name", &M::name),
                                            field("path", &M::path),
                                            maybe("buildId", &M::build_id),
                                            field("range", &M::range),
                                            field("hasSymbols", &M::has_symbols),
                                            field("hasDebugInfo", &M::has_debug_info),
                                            maybe("debugFile", &M::debug_file),
                                            field("optimized", &M::optimized)};
};
template <>
struct Shape<proto::ExceptionInfo> {
  using E = proto::ExceptionInfo;
  static constexpr std::string_view name = "Exception";
  static constexpr auto fields = std::tuple{must("id", &E::id), field("description", &E::description),
                                            maybe("typeName", &E::type_name), field("unhandled", &E::unhandled)};
};
template <>
struct Shape<proto::Instruction> {
  using I = proto::Instruction;
  static constexpr std::string_view name = "Instruction";
  static constexpr auto fields =
      std::tuple{must("address", &I::address), field("bytes", &I::bytes), field("text", &I::text),
                 maybe("symbol", &I::symbol),  maybe("file", &I::file),   maybe("line", &I::line)};
};
template <>
struct Shape<proto::SymbolInfo> {
  using S = proto::SymbolInfo;
  static constexpr std::string_view name = "Symbol";
  static constexpr auto fields =
      std::tuple{must("name", &S::name),  field("kind", &S::kind), field("address", &S::address),
                 maybe("file", &S::file), maybe("line", &S::line), maybe("module", &S::module)};
};
template <>
struct Shape<proto::RegisterInfo> {
  using R = proto::RegisterInfo;
  static constexpr std::string_view name = "Register";
  static constexpr auto fields = std::tuple{must("name", &R::name), field("group", &R::group),
                                            field("value", &R::value), field("bytes", &R::bytes, "little endian")};
};

// A Stop, or an exit, as execution.wait and event.stopped give it. `reason` is a StopReason, or "exited".
struct StopAnswer {
  std::string reason;
  std::optional<Tid> thread;
  std::vector<BreakpointId> breakpoints;
  std::string file;
  Line line;
  std::string function;
  std::optional<LoadAddr> address;
  std::string description;
  std::string text;
  std::string signal;  // "SIGSEGV"
  std::optional<int> exit_code;
  bool core_dumped = false;
  std::optional<bool> all_threads;
  std::string returned, returned_function;
};
template <>
struct Shape<StopAnswer> {
  using S = StopAnswer;
  static constexpr std::string_view name = "Stop";
  static constexpr auto fields = std::tuple{
      must("reason", &S::reason, "entry, breakpoint, step, pause, signal, exec, attach, error; exited for an exit"),
      maybe("thread", &S::thread),
      field("breakpoints", &S::breakpoints, "all that were hit here"),
      maybe("file", &S::file),
      maybe("line", &S::line),
      maybe("function", &S::function),
      maybe("address", &S::address),
      maybe("description", &S::description),
      maybe("text", &S::text),
      maybe("signal", &S::signal, "of a stop by a signal, or what the debuggee died of"),
      maybe("exitCode", &S::exit_code),
      maybe("coreDumped", &S::core_dumped),
      maybe("allThreads", &S::all_threads),
      maybe("returned", &S::returned, "what the function returned that this step came out of, as one line"),
      maybe("returnedFunction", &S::returned_function)};
};
StopAnswer stop_answer(const proto::Stop& stop);
StopAnswer stop_answer(const proto::ExitStatus& status);
// Errors: bad_request (an unknown reason).
Result<std::variant<proto::Stop, proto::ExitStatus>> read_stop(const StopAnswer& answer);

// Where a breakpoint or a run goes to: file and line, or a function, or an address.
struct PlaceFields {
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::string function;
  std::optional<LoadAddr> address;
};
PlaceFields place_fields(const proto::BreakpointPlace& place);
// Errors: bad_request where it is none or more than one of the three.
Result<proto::BreakpointPlace> place_of(const PlaceFields& fields);

// What is asked of breakpoint.set; a flat form of BreakpointSpec.
struct BreakpointParams {
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::string function;
  std::optional<LoadAddr> address;
  std::string condition;
  std::string hit_condition;
  std::string log_message;
  proto::BreakpointMode mode = proto::BreakpointMode::automatic;
  std::optional<Tid> thread;
  bool temporary = false;
};
template <>
struct Shape<BreakpointParams> {
  using B = BreakpointParams;
  static constexpr std::string_view name = "";
  static constexpr auto fields =
      std::tuple{maybe("file", &B::file, "with line: a path, or the end of one"),
                 maybe("line", &B::line),
                 maybe("column", &B::column),
                 maybe("function", &B::function, "instead of file and line"),
                 maybe("address", &B::address, "instead of file and line"),
                 maybe("condition", &B::condition, "stop only where this expression is true"),
                 maybe("hitCondition", &B::hit_condition, "a count, or < <= == >= > % and a count"),
                 maybe("logMessage", &B::log_message, "print this text with {expressions} filled in, and go on"),
                 field("mode", &B::mode),
                 maybe("thread", &B::thread, "only this thread"),
                 maybe("temporary", &B::temporary, "gone after its first stop")};
};
BreakpointParams breakpoint_params(const proto::BreakpointSpec& spec);
Result<proto::BreakpointSpec> breakpoint_spec(const BreakpointParams& params);

// A BreakpointInfo on the wire: what was asked and what came of it, flat.
struct BreakpointAnswer {
  BreakpointId id;
  bool verified = false;
  bool pending = false;
  std::string message;
  std::vector<proto::BreakpointLocation> locations;
  std::uint64_t hits = 0;
  std::uint64_t evaluations = 0;
  double nanoseconds_per_evaluation = 0;
  BreakpointParams asked;
};
template <>
struct Shape<BreakpointAnswer> {
  using B = BreakpointAnswer;
  static constexpr std::string_view name = "Breakpoint";
  static constexpr auto fields =
      std::tuple{must("id", &B::id),
                 field("verified", &B::verified),
                 field("pending", &B::pending, "not bound yet; may bind when code is loaded"),
                 maybe("message", &B::message, "why it is not verified, why it got another mode"),
                 field("locations", &B::locations),
                 field("hits", &B::hits, "passes with a true condition"),
                 field("evaluations", &B::evaluations, "passes"),
                 field("nanosecondsPerEvaluation", &B::nanoseconds_per_evaluation),
                 field("asked", &B::asked)};
};
BreakpointAnswer breakpoint_answer(const proto::BreakpointInfo& info);
Result<proto::BreakpointInfo> breakpoint_info(const BreakpointAnswer& answer);

// Events are notifications `event.NAME`. Names: process, stopped, continued, exited, detached, thread, module,
// breakpoint, output.
std::string_view event_name(const proto::Event& event);  // without "event."
Json event_params(const proto::Event& event);
Result<proto::Event> read_event(std::string_view name, const Json& params);
// Every event of a session: its name and the schema of its params.
std::vector<std::pair<std::string, Json>> event_schemas(Components& components);

std::string signal_name(int signal);  // "SIGSEGV"; "SIG41" for a realtime one
std::optional<int> signal_number(std::string_view name);

}  // namespace trapline::rpc
