#pragma once
// The events that we send. Each struct is the event's body and carries its name.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/dap/types.hpp"

namespace trapline::proto::dap {

struct InitializedBody {
  static constexpr std::string_view event = "initialized";
};
struct StoppedBody {
  static constexpr std::string_view event = "stopped";
  std::string reason{};
  std::string description{};
  std::string text{};
  std::optional<std::int64_t> thread_id{};
  bool all_threads_stopped = true;
  std::vector<std::int32_t> hit_breakpoint_ids{};
};
struct ContinuedBody {
  static constexpr std::string_view event = "continued";
  std::int64_t thread_id = 0;
  bool all_threads_continued = true;
};
struct ExitedBody {
  static constexpr std::string_view event = "exited";
  int exit_code = 0;
};
struct TerminatedBody {
  static constexpr std::string_view event = "terminated";
};
struct ThreadBody {
  static constexpr std::string_view event = "thread";
  std::string reason{};
  std::int64_t thread_id = 0;
};
struct OutputBody {
  static constexpr std::string_view event = "output";
  std::string category{};
  std::string output{};
  std::string group{};  // "start" | "startCollapsed" | "end"
  std::optional<Source> source{};
  std::optional<std::int64_t> line{};
};
struct BreakpointBody {
  static constexpr std::string_view event = "breakpoint";
  std::string reason{};
  Breakpoint breakpoint{};
};
struct ModuleBody {
  static constexpr std::string_view event = "module";
  std::string reason{};
  Module module{};
};
struct InvalidatedBody {
  static constexpr std::string_view event = "invalidated";
  std::vector<std::string> areas{};  // "all", "stacks", "threads", "variables"
};
struct ProcessBody {
  static constexpr std::string_view event = "process";
  std::string name{};
  std::int64_t system_process_id = 0;
  std::string start_method{};  // "launch" | "attach"
  int pointer_size = 64;
};

// What `initialize` promised and this session does not have.
struct CapabilitiesBody {
  static constexpr std::string_view event = "capabilities";
  std::vector<std::string_view> withdrawn{};
};
struct ProgressStartBody {
  static constexpr std::string_view event = "progressStart";
  std::string progress_id{};
  std::string title{};
  std::string message{};
  std::uint32_t percentage = 0;
  bool cancellable = false;
};
struct ProgressUpdateBody {
  static constexpr std::string_view event = "progressUpdate";
  std::string progress_id{};
  std::string message{};
  std::uint32_t percentage = 0;
};
struct ProgressEndBody {
  static constexpr std::string_view event = "progressEnd";
  std::string progress_id{};
  std::string message{};
};

void to_json(nlohmann::json& j, const ProgressStartBody& v);
void to_json(nlohmann::json& j, const ProgressUpdateBody& v);
void to_json(nlohmann::json& j, const ProgressEndBody& v);
void to_json(nlohmann::json& j, const InitializedBody& v);
void to_json(nlohmann::json& j, const InvalidatedBody& v);
void to_json(nlohmann::json& j, const StoppedBody& v);
void to_json(nlohmann::json& j, const ContinuedBody& v);
void to_json(nlohmann::json& j, const ExitedBody& v);
void to_json(nlohmann::json& j, const TerminatedBody& v);
void to_json(nlohmann::json& j, const ThreadBody& v);
void to_json(nlohmann::json& j, const OutputBody& v);
void to_json(nlohmann::json& j, const BreakpointBody& v);
void to_json(nlohmann::json& j, const ModuleBody& v);
void to_json(nlohmann::json& j, const ProcessBody& v);
void to_json(nlohmann::json& j, const CapabilitiesBody& v);

}  // namespace trapline::proto::dap
