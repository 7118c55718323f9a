#include "dap/shapes/stops.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace trapline::dap {
namespace {

std::string signal_name(int number) {
  if (const char* name = ::sigabbrev_np(number)) return fmt::format("SIG{}", name);
  return fmt::format("signal {}", number);
}

}  // namespace

proto::dap::StoppedBody shape_stop(const proto::StoppedEvent& event) {
  const auto& stop = event.stop;
  proto::dap::StoppedBody body{.description = stop.description, .text = stop.text};
  std::string fallback;
  switch (stop.reason) {
    case proto::StopReason::entry: body.reason = "entry", fallback = "Paused on entry"; break;
    case proto::StopReason::breakpoint: body.reason = "breakpoint", fallback = "Paused on breakpoint"; break;
    case proto::StopReason::step: body.reason = "step", fallback = "Paused after step"; break;
    case proto::StopReason::pause: body.reason = "pause", fallback = "Paused"; break;
    case proto::StopReason::signal:
      body.reason = "exception", fallback = fmt::format("Paused on {}", signal_name(stop.signal));
      break;
    case proto::StopReason::exec: body.reason = "exec", fallback = "Paused on exec"; break;
    case proto::StopReason::attach: body.reason = "pause", fallback = "Paused after attach"; break;
    case proto::StopReason::error: body.reason = "error", fallback = "Paused on an error"; break;
  }
  if (body.description.empty()) body.description = std::move(fallback);
  if (stop.thread.value > 0) body.thread_id = stop.thread.value;
  body.all_threads_stopped = event.all_threads;
  for (const auto id : stop.breakpoints) body.hit_breakpoint_ids.push_back(id.value);
  return body;
}

// What a shell reports for a death by signal.
proto::dap::ExitedBody shape_exit(const proto::ExitStatus& status) {
  return {.exit_code = status.signal != 0 ? 128 + status.signal : status.code};
}

std::optional<std::string> death_note(const proto::ExitStatus& status) {
  if (status.signal == 0) return std::nullopt;
  return fmt::format("killed by {}{}", signal_name(status.signal), status.core_dumped ? " (core dumped)" : "");
}

proto::dap::ProcessBody shape_process(const proto::ProcessInfo& process) {
  return {.name = process.name,
          .system_process_id = process.pid.value,
          .start_method = process.start_method == proto::StartMethod::launch ? "launch" : "attach",
          .pointer_size = process.pointer_bits};
}

std::string_view shape_change(proto::Change change) {
  switch (change) {
    case proto::Change::added: return "new";
    case proto::Change::changed: return "changed";
    case proto::Change::removed: return "removed";
  }
  return "changed";
}

std::string_view shape_category(proto::OutputCategory category) {
  switch (category) {
    case proto::OutputCategory::console: return "console";
    case proto::OutputCategory::important: return "important";
    case proto::OutputCategory::out: return "stdout";
    case proto::OutputCategory::err: return "stderr";
  }
  return "console";
}

std::string Utf8Joiner::join(std::string_view piece) {
  std::string text = std::exchange(held_, {});
  text += piece;
  // Looks back over at most three bytes for a lead byte whose character is not complete.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t wants = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    if (byte < 0xf8 && wants > back) {
      held_ = text.substr(text.size() - back);
      text.resize(text.size() - back);
    }
    break;
  }
  return text;
}

}  // namespace trapline::dap
