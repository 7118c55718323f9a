#include "proto/dap/events.hpp"

#include <nlohmann/json.hpp>

#include "proto/wire/fields.hpp"

namespace trapline::proto::dap {

using wire::put;
using wire::put_text;

void to_json(nlohmann::json& j, const InitializedBody&) { j = nullptr; }
void to_json(nlohmann::json& j, const TerminatedBody&) { j = nullptr; }

void to_json(nlohmann::json& j, const StoppedBody& v) {
  j = {{"reason", v.reason}, {"allThreadsStopped", v.all_threads_stopped}};
  put_text(j, "description", v.description);
  put_text(j, "text", v.text);
  put(j, "threadId", v.thread_id);
  if (!v.hit_breakpoint_ids.empty()) j["hitBreakpointIds"] = v.hit_breakpoint_ids;
}

void to_json(nlohmann::json& j, const InvalidatedBody& v) { j = {{"areas", v.areas}}; }

void to_json(nlohmann::json& j, const ContinuedBody& v) {
  j = {{"threadId", v.thread_id}, {"allThreadsContinued", v.all_threads_continued}};
}

void to_json(nlohmann::json& j, const ExitedBody& v) { j = {{"exitCode", v.exit_code}}; }

void to_json(nlohmann::json& j, const ThreadBody& v) { j = {{"reason", v.reason}, {"threadId", v.thread_id}}; }

void to_json(nlohmann::json& j, const OutputBody& v) {
  j = {{"category", v.category}, {"output", v.output}};
  put_text(j, "group", v.group);
  put(j, "source", v.source);
  put(j, "line", v.line);
}

void to_json(nlohmann::json& j, const BreakpointBody& v) { j = {{"reason", v.reason}, {"breakpoint", v.breakpoint}}; }

void to_json(nlohmann::json& j, const ProgressStartBody& v) {
  j = {{"progressId", v.progress_id}, {"title", v.title}, {"percentage", v.percentage}, {"cancellable", v.cancellable}};
  if (!v.message.empty()) j["message"] = v.message;
}

void to_json(nlohmann::json& j, const ProgressUpdateBody& v) {
  j = {{"progressId", v.progress_id}, {"percentage", v.percentage}};
  if (!v.message.empty()) j["message"] = v.message;
}

void to_json(nlohmann::json& j, const ProgressEndBody& v) {
  j = {{"progressId", v.progress_id}};
  if (!v.message.empty()) j["message"] = v.message;
}

void to_json(nlohmann::json& j, const ModuleBody& v) { j = {{"reason", v.reason}, {"module", v.module}}; }

void to_json(nlohmann::json& j, const ProcessBody& v) {
  j = {{"name", v.name}, {"isLocalProcess", true}, {"startMethod", v.start_method}, {"pointerSize", v.pointer_size}};
  if (v.system_process_id > 0) j["systemProcessId"] = v.system_process_id;
}

void to_json(nlohmann::json& j, const CapabilitiesBody& v) {
  j = {{"capabilities", nlohmann::json::object()}};
  for (const auto name : v.withdrawn) j["capabilities"][std::string(name)] = false;
}

}  // namespace trapline::proto::dap
