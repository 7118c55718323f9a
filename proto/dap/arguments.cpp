// Reading the arguments of requests.
#include <array>

#include "proto/dap/requests.hpp"
#include "proto/wire/fields.hpp"

namespace trapline::proto::dap {

std::span<const wire::EnumName<PathFormat>> enum_names(PathFormat) {
  static constexpr std::array<wire::EnumName<PathFormat>, 2> names{
      {{PathFormat::path, "path"}, {PathFormat::uri, "uri"}}};
  return names;
}

std::span<const wire::EnumName<VariablesFilter>> enum_names(VariablesFilter) {
  static constexpr std::array<wire::EnumName<VariablesFilter>, 2> names{
      {{VariablesFilter::indexed, "indexed"}, {VariablesFilter::named, "named"}}};
  return names;
}

void from_json(const wire::In&, NoArguments&) {}

void from_json(const wire::In& in, InitializeArguments& out) {
  in.optional("clientID", out.client_id);
  in.optional("clientName", out.client_name);
  in.optional("linesStartAt1", out.lines_start_at1);
  in.optional("columnsStartAt1", out.columns_start_at1);
  in.optional("pathFormat", out.path_format);
  in.optional("supportsRunInTerminalRequest", out.supports_run_in_terminal_request);
  in.optional("supportsInvalidatedEvent", out.supports_invalidated_event);
  in.optional("supportsProgressReporting", out.supports_progress_reporting);
}

void from_json(const wire::In& in, StartArguments& out) {
  if (!in.value().is_object()) return in.expected("object");
  out.raw = in.value();
}

void from_json(const wire::In& in, RestartArguments& out) { in.optional("arguments", out.arguments); }

void from_json(const wire::In& in, DisconnectArguments& out) {
  in.optional("restart", out.restart);
  in.optional("terminateDebuggee", out.terminate_debuggee);
}

void from_json(const wire::In& in, TerminateArguments& out) { in.optional("restart", out.restart); }

void from_json(const wire::In& in, CancelArguments& out) {
  in.optional("requestId", out.request_id);
  in.optional("progressId", out.progress_id);
}

void from_json(const wire::In& in, SetBreakpointsArguments& out) {
  in.required("source", out.source);
  std::optional<std::vector<SourceBreakpoint>> breakpoints;
  in.optional("breakpoints", breakpoints);
  std::vector<std::int64_t> lines;  // deprecated, still sent by old clients
  in.optional("lines", lines);
  if (breakpoints) {
    out.breakpoints = std::move(*breakpoints);
    return;
  }
  for (const auto line : lines) {
    out.breakpoints.emplace_back();
    out.breakpoints.back().line = line;
  }
}

void from_json(const wire::In& in, SetFunctionBreakpointsArguments& out) {
  in.required("breakpoints", out.breakpoints);
}

void from_json(const wire::In& in, SetInstructionBreakpointsArguments& out) {
  in.required("breakpoints", out.breakpoints);
}

// filterOptions come only to an adapter that advertised them, beside `filters`.
void from_json(const wire::In& in, SetExceptionBreakpointsArguments& out) { in.required("filters", out.filters); }

void from_json(const wire::In& in, ContinueArguments& out) {
  in.required("threadId", out.thread_id);
  in.optional("singleThread", out.single_thread);
}

void from_json(const wire::In& in, StepArguments& out) {
  in.required("threadId", out.thread_id);
  in.optional("singleThread", out.single_thread);
  in.optional("granularity", out.granularity);
}

void from_json(const wire::In& in, PauseArguments& out) { in.optional("threadId", out.thread_id); }

void from_json(const wire::In& in, StackTraceArguments& out) {
  in.required("threadId", out.thread_id);
  in.optional("startFrame", out.start_frame);
  in.optional("levels", out.levels);
  in.optional("format", out.format);
}

void from_json(const wire::In& in, ScopesArguments& out) { in.required("frameId", out.frame_id); }

void from_json(const wire::In& in, VariablesArguments& out) {
  in.required("variablesReference", out.variables_reference);
  in.optional("filter", out.filter);
  in.optional("start", out.start);
  in.optional("count", out.count);
  in.optional("format", out.format);
}

void from_json(const wire::In& in, SetVariableArguments& out) {
  in.required("variablesReference", out.variables_reference);
  in.required("name", out.name);
  in.required("value", out.value);
  in.optional("format", out.format);
}

void from_json(const wire::In& in, EvaluateArguments& out) {
  in.required("expression", out.expression);
  in.optional("frameId", out.frame_id);
  in.optional("context", out.context);
  in.optional("format", out.format);
}

void from_json(const wire::In& in, SetExpressionArguments& out) {
  in.required("expression", out.expression);
  in.required("value", out.value);
  in.optional("frameId", out.frame_id);
  in.optional("format", out.format);
}

void from_json(const wire::In& in, CompletionsArguments& out) {
  in.required("text", out.text);
  in.required("column", out.column);
  in.optional("line", out.line);
  in.optional("frameId", out.frame_id);
}

void from_json(const wire::In& in, ExceptionInfoArguments& out) { in.required("threadId", out.thread_id); }

void from_json(const wire::In& in, SourceArguments& out) {
  in.optional("source", out.source);
  in.optional("sourceReference", out.source_reference);
}

void from_json(const wire::In& in, ModulesArguments& out) {
  in.optional("startModule", out.start_module);
  in.optional("moduleCount", out.module_count);
}

void from_json(const wire::In& in, ReadMemoryArguments& out) {
  in.required("memoryReference", out.memory_reference);
  in.optional("offset", out.offset);
  in.required("count", out.count);
}

void from_json(const wire::In& in, WriteMemoryArguments& out) {
  in.required("memoryReference", out.memory_reference);
  in.optional("offset", out.offset);
  in.optional("allowPartial", out.allow_partial);
  in.required("data", out.data);
}

void from_json(const wire::In& in, DisassembleArguments& out) {
  in.required("memoryReference", out.memory_reference);
  in.optional("offset", out.offset);
  in.optional("instructionOffset", out.instruction_offset);
  in.required("instructionCount", out.instruction_count);
  in.optional("resolveSymbols", out.resolve_symbols);
}

}  // namespace trapline::proto::dap
