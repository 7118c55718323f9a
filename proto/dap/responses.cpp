// Writing the bodies of responses, and the arguments of the one request that goes the other way.
#include "proto/dap/requests.hpp"
#include "proto/wire/fields.hpp"

namespace trapline::proto::dap {

using wire::put;
using wire::put_text;

void to_json(nlohmann::json& j, const NoBody&) { j = nullptr; }

void to_json(nlohmann::json& j, const Capabilities& v) {
  j = nlohmann::json::object();
  for (const auto name : v.supported) j[std::string(name)] = true;
  for (const auto text : v.completion_trigger_characters) j["completionTriggerCharacters"].push_back(std::string(text));
  for (const auto& mode : v.breakpoint_modes)
    j["breakpointModes"].push_back({{"mode", mode.mode},
                                    {"label", mode.label},
                                    {"description", mode.description},
                                    {"appliesTo", mode.applies_to}});
}

void to_json(nlohmann::json& j, const BreakpointsResponse& v) { j = {{"breakpoints", v.breakpoints}}; }

void to_json(nlohmann::json& j, const ContinueResponse& v) { j = {{"allThreadsContinued", v.all_threads_continued}}; }

void to_json(nlohmann::json& j, const ThreadsResponse& v) { j = {{"threads", v.threads}}; }

void to_json(nlohmann::json& j, const StackTraceResponse& v) {
  j = {{"stackFrames", v.stack_frames}};
  put(j, "totalFrames", v.total_frames);
}

void to_json(nlohmann::json& j, const ScopesResponse& v) { j = {{"scopes", v.scopes}}; }

void to_json(nlohmann::json& j, const VariablesResponse& v) { j = {{"variables", v.variables}}; }

void to_json(nlohmann::json& j, const SetVariableResponse& v) {
  j = nlohmann::json::object();
  put_value(j, "value", v.value);
}

void to_json(nlohmann::json& j, const EvaluateResponse& v) {
  j = nlohmann::json::object();
  put_value(j, "result", v.value);
  if (!v.presentation_hint.empty()) j["presentationHint"] = v.presentation_hint;
}

void to_json(nlohmann::json& j, const CompletionsResponse& v) {
  j = {{"targets", nlohmann::json::array()}};
  for (const auto& target : v.targets) {
    nlohmann::json one{{"label", target.label}, {"start", target.start}, {"length", target.length}};
    put_text(one, "type", target.type);
    put_text(one, "detail", target.detail);
    j["targets"].push_back(std::move(one));
  }
}

void to_json(nlohmann::json& j, const ExceptionInfoResponse& v) {
  j = {{"exceptionId", v.exception_id}, {"breakMode", v.break_mode}, {"details", v.details}};
  put_text(j, "description", v.description);
}

void to_json(nlohmann::json& j, const SourceResponse& v) {
  j = {{"content", v.content}};
  put_text(j, "mimeType", v.mime_type);
}

void to_json(nlohmann::json& j, const ModulesResponse& v) {
  j = {{"modules", v.modules}, {"totalModules", v.total_modules}};
}

void to_json(nlohmann::json& j, const LoadedSourcesResponse& v) { j = {{"sources", v.sources}}; }

void to_json(nlohmann::json& j, const ReadMemoryResponse& v) {
  j = {{"address", v.address}};
  if (v.unreadable_bytes > 0) j["unreadableBytes"] = v.unreadable_bytes;
  put_text(j, "data", v.data);
}

void to_json(nlohmann::json& j, const WriteMemoryResponse& v) { j = {{"bytesWritten", v.bytes_written}}; }

void to_json(nlohmann::json& j, const DisassembleResponse& v) { j = {{"instructions", v.instructions}}; }

void to_json(nlohmann::json& j, const RunInTerminalArguments& v) {
  j = {{"kind", v.kind}, {"cwd", v.cwd}, {"args", v.args}};
  put_text(j, "title", v.title);
  for (const auto& [name, value] : v.env) j["env"][name] = value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

}  // namespace trapline::proto::dap
