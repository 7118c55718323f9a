#pragma once
// The requests that we answer. Each is a struct with its command, what it needs, the capabilities that its handler
// makes true, its Arguments and its Response; the dispatcher is made of these alone.
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/dap/base.hpp"
#include "proto/dap/types.hpp"

namespace trapline::proto::dap {

struct NoArguments {};
struct NoBody {};

// ---- life cycle

enum class PathFormat : std::uint8_t { path, uri };
std::span<const wire::EnumName<PathFormat>> enum_names(PathFormat);

struct InitializeArguments {
  std::string client_id{};
  std::string client_name{};
  bool lines_start_at1 = true;
  bool columns_start_at1 = true;
  PathFormat path_format = PathFormat::path;
  bool supports_run_in_terminal_request = false;
  bool supports_invalidated_event = false;
  bool supports_progress_reporting = false;
};
// What the adapter can do: the keys that are true, and what else `initialize` tells.
struct BreakpointMode {
  std::string mode{};
  std::string label{};
  std::string description{};
  std::vector<std::string> applies_to{};
};
struct Capabilities {
  std::vector<std::string_view> supported{};
  std::vector<BreakpointMode> breakpoint_modes{};
  std::vector<std::string_view> completion_trigger_characters{};
};

// launch and attach: the arguments are the adapter's own; dap/launch_arguments.hpp reads them.
struct StartArguments {
  nlohmann::json raw = nlohmann::json::object();
};
struct RestartArguments {
  std::optional<nlohmann::json> arguments{};  // the newest launch or attach arguments
};
struct DisconnectArguments {
  bool restart = false;
  std::optional<bool> terminate_debuggee{};
};
struct TerminateArguments {
  bool restart = false;
};
struct CancelArguments {
  std::optional<Seq> request_id{};
  std::optional<std::string> progress_id{};
};

// ---- breakpoints

struct SetBreakpointsArguments {
  Source source{};
  std::vector<SourceBreakpoint> breakpoints{};
};
struct SetFunctionBreakpointsArguments {
  std::vector<FunctionBreakpoint> breakpoints{};
};
struct SetInstructionBreakpointsArguments {
  std::vector<InstructionBreakpoint> breakpoints{};
};
struct SetExceptionBreakpointsArguments {
  std::vector<std::string> filters{};
};
struct BreakpointsResponse {
  std::vector<Breakpoint> breakpoints{};
};

// ---- running

struct ContinueArguments {
  std::int32_t thread_id = 0;
  bool single_thread = false;
};
struct ContinueResponse {
  bool all_threads_continued = true;
};
struct StepArguments {
  std::int32_t thread_id = 0;
  bool single_thread = false;
  SteppingGranularity granularity = SteppingGranularity::statement;
};
struct PauseArguments {
  std::int32_t thread_id = 0;
};

// ---- looking

struct ThreadsResponse {
  std::vector<Thread> threads{};
};
struct StackTraceArguments {
  std::int32_t thread_id = 0;
  std::uint32_t start_frame = 0;
  std::uint32_t levels = 0;  // 0: all
  StackFrameFormat format{};
};
struct StackTraceResponse {
  std::vector<StackFrame> stack_frames{};
  std::optional<std::uint32_t> total_frames{};
};
struct ScopesArguments {
  std::int32_t frame_id = 0;
};
struct ScopesResponse {
  std::vector<Scope> scopes{};
};
enum class VariablesFilter : std::uint8_t { indexed, named };
std::span<const wire::EnumName<VariablesFilter>> enum_names(VariablesFilter);
struct VariablesArguments {
  std::int32_t variables_reference = 0;
  std::optional<VariablesFilter> filter{};
  std::uint64_t start = 0;
  std::uint64_t count = 0;  // 0: all
  ValueFormat format{};
};
struct VariablesResponse {
  std::vector<Variable> variables{};
};
struct SetVariableArguments {
  std::int32_t variables_reference = 0;
  std::string name{};
  std::string value{};
  ValueFormat format{};
};
struct SetVariableResponse {
  Value value{};
};
struct EvaluateArguments {
  std::string expression{};
  std::optional<std::int32_t> frame_id{};
  std::string context{};
  ValueFormat format{};
};
struct EvaluateResponse {
  Value value{};
  VariablePresentationHint presentation_hint{};
};
struct SetExpressionArguments {
  std::string expression{};
  std::string value{};
  std::optional<std::int32_t> frame_id{};
  ValueFormat format{};
};
struct CompletionsArguments {
  std::string text{};
  std::int64_t column = 0;
  std::optional<std::int64_t> line{};
  std::optional<std::int32_t> frame_id{};
};
struct CompletionTarget {
  std::string label{};
  std::string type{};
  std::string detail{};
  std::int64_t start = 0;   // UTF-16 units in the text, as the client counts columns
  std::int64_t length = 0;  // UTF-16 units
};
struct CompletionsResponse {
  std::vector<CompletionTarget> targets{};
};
struct ExceptionInfoArguments {
  std::int32_t thread_id = 0;
};
struct ExceptionInfoResponse {
  std::string exception_id{};
  std::string description{};
  std::string break_mode{};
  ExceptionDetails details{};
};
struct SourceArguments {
  std::optional<Source> source{};
  std::int32_t source_reference = 0;
};
struct SourceResponse {
  std::string content{};
  std::string mime_type{};
};
struct ModulesArguments {
  std::uint64_t start_module = 0;
  std::uint64_t module_count = 0;  // 0: all
};
struct ModulesResponse {
  std::vector<Module> modules{};
  std::uint64_t total_modules = 0;
};
struct LoadedSourcesResponse {
  std::vector<Source> sources{};
};
struct ReadMemoryArguments {
  std::string memory_reference{};
  std::int64_t offset = 0;
  std::uint64_t count = 0;
};
struct ReadMemoryResponse {
  std::string address{};
  std::uint64_t unreadable_bytes = 0;
  std::string data{};  // base64
};
struct WriteMemoryArguments {
  std::string memory_reference{};
  std::int64_t offset = 0;
  bool allow_partial = false;
  std::string data{};  // base64
};
struct WriteMemoryResponse {
  std::uint64_t bytes_written = 0;
};
struct DisassembleArguments {
  std::string memory_reference{};
  std::int64_t offset = 0;              // bytes
  std::int64_t instruction_offset = 0;  // instructions
  std::uint32_t instruction_count = 0;
  bool resolve_symbols = false;
};
struct DisassembleResponse {
  std::vector<DisassembledInstruction> instructions{};
};

// ---- the client's side: what we ask it

struct RunInTerminalArguments {
  std::string kind{};  // "integrated" | "external"
  std::string title{};
  std::string cwd{};
  std::vector<std::string> args{};
  std::vector<std::pair<std::string, std::optional<std::string>>> env{};
};

// ---- one struct a request

template <class... Text>
constexpr std::array<std::string_view, sizeof...(Text)> names(Text... text) {
  return {std::string_view(text)...};
}

#define TL_DAP_REQUEST(Type, text, need, ArgumentsType, ResponseType, ...) \
  struct Type {                                                            \
    static constexpr std::string_view command = text;                      \
    static constexpr Needs needs = Needs::need;                            \
    static constexpr auto capabilities = names(__VA_ARGS__);               \
    using Arguments = ArgumentsType;                                       \
    using Response = ResponseType;                                         \
  }

TL_DAP_REQUEST(Initialize, "initialize", nothing, InitializeArguments, Capabilities);
TL_DAP_REQUEST(Launch, "launch", nothing, StartArguments, NoBody);
TL_DAP_REQUEST(Attach, "attach", nothing, StartArguments, NoBody);
TL_DAP_REQUEST(ConfigurationDone, "configurationDone", nothing, NoArguments, NoBody,
               "supportsConfigurationDoneRequest");
TL_DAP_REQUEST(Restart, "restart", nothing, RestartArguments, NoBody, "supportsRestartRequest");
TL_DAP_REQUEST(Disconnect, "disconnect", nothing, DisconnectArguments, NoBody, "supportTerminateDebuggee");
TL_DAP_REQUEST(Terminate, "terminate", nothing, TerminateArguments, NoBody, "supportsTerminateRequest");
TL_DAP_REQUEST(Cancel, "cancel", nothing, CancelArguments, NoBody, "supportsCancelRequest");
TL_DAP_REQUEST(SetBreakpoints, "setBreakpoints", nothing, SetBreakpointsArguments, BreakpointsResponse,
               "supportsConditionalBreakpoints", "supportsHitConditionalBreakpoints", "supportsLogPoints");
TL_DAP_REQUEST(SetFunctionBreakpoints, "setFunctionBreakpoints", nothing, SetFunctionBreakpointsArguments,
               BreakpointsResponse, "supportsFunctionBreakpoints");
TL_DAP_REQUEST(SetInstructionBreakpoints, "setInstructionBreakpoints", nothing, SetInstructionBreakpointsArguments,
               BreakpointsResponse, "supportsInstructionBreakpoints");
TL_DAP_REQUEST(SetExceptionBreakpoints, "setExceptionBreakpoints", nothing, SetExceptionBreakpointsArguments,
               BreakpointsResponse);
TL_DAP_REQUEST(Continue, "continue", stopped, ContinueArguments, ContinueResponse,
               "supportsSingleThreadExecutionRequests");
TL_DAP_REQUEST(Next, "next", stopped, StepArguments, NoBody, "supportsSteppingGranularity");
TL_DAP_REQUEST(StepIn, "stepIn", stopped, StepArguments, NoBody);
TL_DAP_REQUEST(StepOut, "stepOut", stopped, StepArguments, NoBody);
TL_DAP_REQUEST(Pause, "pause", debuggee, PauseArguments, NoBody);
TL_DAP_REQUEST(Threads, "threads", start, NoArguments, ThreadsResponse);
TL_DAP_REQUEST(StackTrace, "stackTrace", stopped, StackTraceArguments, StackTraceResponse,
               "supportsDelayedStackTraceLoading");
TL_DAP_REQUEST(Scopes, "scopes", stopped, ScopesArguments, ScopesResponse);
TL_DAP_REQUEST(Variables, "variables", stopped, VariablesArguments, VariablesResponse,
               "supportsValueFormattingOptions");
TL_DAP_REQUEST(SetVariable, "setVariable", stopped, SetVariableArguments, SetVariableResponse, "supportsSetVariable");
TL_DAP_REQUEST(Evaluate, "evaluate", stopped, EvaluateArguments, EvaluateResponse, "supportsEvaluateForHovers",
               "supportsClipboardContext");
TL_DAP_REQUEST(SetExpression, "setExpression", stopped, SetExpressionArguments, SetVariableResponse,
               "supportsSetExpression");
TL_DAP_REQUEST(Completions, "completions", stopped, CompletionsArguments, CompletionsResponse,
               "supportsCompletionsRequest");
TL_DAP_REQUEST(ExceptionInfo, "exceptionInfo", stopped, ExceptionInfoArguments, ExceptionInfoResponse,
               "supportsExceptionInfoRequest");
TL_DAP_REQUEST(SourceText, "source", nothing, SourceArguments, SourceResponse);
TL_DAP_REQUEST(Modules, "modules", debuggee, ModulesArguments, ModulesResponse, "supportsModulesRequest");
TL_DAP_REQUEST(LoadedSources, "loadedSources", debuggee, NoArguments, LoadedSourcesResponse,
               "supportsLoadedSourcesRequest");
TL_DAP_REQUEST(ReadMemory, "readMemory", debuggee, ReadMemoryArguments, ReadMemoryResponse,
               "supportsReadMemoryRequest");
TL_DAP_REQUEST(WriteMemory, "writeMemory", debuggee, WriteMemoryArguments, WriteMemoryResponse,
               "supportsWriteMemoryRequest");
TL_DAP_REQUEST(Disassemble, "disassemble", debuggee, DisassembleArguments, DisassembleResponse,
               "supportsDisassembleRequest");
#undef TL_DAP_REQUEST

void from_json(const wire::In& in, NoArguments& out);
void from_json(const wire::In& in, InitializeArguments& out);
void from_json(const wire::In& in, StartArguments& out);
void from_json(const wire::In& in, RestartArguments& out);
void from_json(const wire::In& in, DisconnectArguments& out);
void from_json(const wire::In& in, TerminateArguments& out);
void from_json(const wire::In& in, CancelArguments& out);
void from_json(const wire::In& in, SetBreakpointsArguments& out);
void from_json(const wire::In& in, SetFunctionBreakpointsArguments& out);
void from_json(const wire::In& in, SetInstructionBreakpointsArguments& out);
void from_json(const wire::In& in, SetExceptionBreakpointsArguments& out);
void from_json(const wire::In& in, ContinueArguments& out);
void from_json(const wire::In& in, StepArguments& out);
void from_json(const wire::In& in, PauseArguments& out);
void from_json(const wire::In& in, StackTraceArguments& out);
void from_json(const wire::In& in, ScopesArguments& out);
void from_json(const wire::In& in, VariablesArguments& out);
void from_json(const wire::In& in, SetVariableArguments& out);
void from_json(const wire::In& in, EvaluateArguments& out);
void from_json(const wire::In& in, SetExpressionArguments& out);
void from_json(const wire::In& in, CompletionsArguments& out);
void from_json(const wire::In& in, ExceptionInfoArguments& out);
void from_json(const wire::In& in, SourceArguments& out);
void from_json(const wire::In& in, ModulesArguments& out);
void from_json(const wire::In& in, ReadMemoryArguments& out);
void from_json(const wire::In& in, WriteMemoryArguments& out);
void from_json(const wire::In& in, DisassembleArguments& out);

void to_json(nlohmann::json& j, const NoBody& v);  // null: no body at all
void to_json(nlohmann::json& j, const Capabilities& v);
void to_json(nlohmann::json& j, const BreakpointsResponse& v);
void to_json(nlohmann::json& j, const ContinueResponse& v);
void to_json(nlohmann::json& j, const ThreadsResponse& v);
void to_json(nlohmann::json& j, const StackTraceResponse& v);
void to_json(nlohmann::json& j, const ScopesResponse& v);
void to_json(nlohmann::json& j, const VariablesResponse& v);
void to_json(nlohmann::json& j, const SetVariableResponse& v);
void to_json(nlohmann::json& j, const EvaluateResponse& v);
void to_json(nlohmann::json& j, const CompletionsResponse& v);
void to_json(nlohmann::json& j, const ExceptionInfoResponse& v);
void to_json(nlohmann::json& j, const SourceResponse& v);
void to_json(nlohmann::json& j, const ModulesResponse& v);
void to_json(nlohmann::json& j, const LoadedSourcesResponse& v);
void to_json(nlohmann::json& j, const ReadMemoryResponse& v);
void to_json(nlohmann::json& j, const WriteMemoryResponse& v);
void to_json(nlohmann::json& j, const DisassembleResponse& v);
void to_json(nlohmann::json& j, const RunInTerminalArguments& v);

}  // namespace trapline::proto::dap
