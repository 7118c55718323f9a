#include "daemon/util/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

namespace trapline::log {
namespace {

constexpr std::array<std::pair<std::string_view, Level>, 8> names{{{"trace", Level::trace},
                                                                   {"debug", Level::debug},
                                                                   {"info", Level::info},
                                                                   {"warn", Level::warn},
                                                                   {"warning", Level::warn},
                                                                   {"error", Level::error},
                                                                   {"off", Level::off},
                                                                   {"none", Level::off}}};

std::optional<Level> level_named(std::string_view word) {
  for (const auto& [name, level] : names)
    if (name == word) return level;
  return std::nullopt;
}

std::string_view name_of(Level level) {
  constexpr std::array<std::string_view, 6> text{"trace", "debug", "info", "warn", "error", "off"};
  return text.at(static_cast<std::size_t>(level));
}

spdlog::level::level_enum spd_level(Level level) {
  constexpr std::array<spdlog::level::level_enum, 6> map{spdlog::level::trace, spdlog::level::debug,
                                                         spdlog::level::info,  spdlog::level::warn,
                                                         spdlog::level::err,   spdlog::level::off};
  return map.at(static_cast<std::size_t>(level));
}

// Any thread writes (the index pool too); configure() is called by main before there is a second one, and by tests.
struct State {
  std::atomic<Level> lowest{Level::info};  // of all rooms: what is below it costs this one comparison
  std::shared_mutex lock;                  // guards the rest
  Level general = Level::info;
  std::map<std::string, Level, std::less<>> rooms;
  Format format = Format::plain;
  std::shared_ptr<spdlog::logger> out;
};

State& state() {
  static State instance;
  return instance;
}

thread_local std::string current_trace;  // NOLINT: one loop thread a process, and tests

// JSON string, by hand: log lines must not depend on a library that throws on bytes that are no UTF-8.
void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        // Bytes above ASCII are passed on where they are UTF-8; a reader must get valid JSON in any case.
        if (byte < 0x20 || byte == 0x7f)
          out += fmt::format("\\u{:04x}", byte);
        else
          out += c;
    }
  }
  out += '"';
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80                    ? 1
                               : lead >= 0xc2 && lead <= 0xdf ? 2
                               : lead >= 0xe0 && lead <= 0xef ? 3
                               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                              : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

std::string ascii_only(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  return out;
}

}  // namespace

void configure(std::string_view spec, Format format) {
  auto& s = state();
  std::string complaint;
  {
    const std::unique_lock guard(s.lock);
    s.general = Level::info;
    s.rooms.clear();
    s.format = format;
    while (!spec.empty()) {
      const auto comma = spec.find(',');
      const auto word = spec.substr(0, comma);
      spec = comma == std::string_view::npos ? std::string_view{} : spec.substr(comma + 1);
      if (word.empty()) continue;
      const auto colon = word.find(':');
      const auto level = level_named(colon == std::string_view::npos ? word : word.substr(colon + 1));
      if (!level)
        complaint += fmt::format("{}\"{}\"", complaint.empty() ? "" : ", ", word);
      else if (colon == std::string_view::npos)
        s.general = *level;
      else
        s.rooms.insert_or_assign(std::string(word.substr(0, colon)), *level);
    }
    Level lowest = s.general;
    for (const auto& [room, level] : s.rooms) lowest = std::min(lowest, level);
    s.lowest.store(lowest, std::memory_order_relaxed);

    s.out = std::make_shared<spdlog::logger>("trapline", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    s.out->set_level(spdlog::level::trace);
    // Local time for people, UTC for machines.
    if (format == Format::json)
      s.out->set_formatter(std::make_unique<spdlog::pattern_formatter>("{\"ts\":\"%Y-%m-%dT%H:%M:%S.%fZ\",%v}",
                                                                       spdlog::pattern_time_type::utc));
    else
      s.out->set_pattern("%H:%M:%S.%e %v");
    s.out->flush_on(spdlog::level::trace);
  }
  if (!complaint.empty())
    warn("log",
         "not understood in the log levels: {}; write LEVEL or ROOM:LEVEL,..., levels are trace, debug, info, "
         "warn, error, off",
         complaint);
}

bool enabled(std::string_view room, Level level) {
  auto& s = state();
  if (level < s.lowest.load(std::memory_order_relaxed)) return false;
  const std::shared_lock guard(s.lock);
  const auto found = s.rooms.find(room);
  return level >= (found == s.rooms.end() ? s.general : found->second);
}

void write(std::string_view room, Level level, std::string text) {
  auto& s = state();
  std::shared_ptr<spdlog::logger> out;
  Format format{};
  {
    const std::shared_lock guard(s.lock);
    out = s.out;
    format = s.format;
  }
  if (out == nullptr) {  // before main() read the command line
    configure("", Format::plain);
    return write(room, level, std::move(text));
  }
  std::string line;
  if (format == Format::json) {
    line = fmt::format("\"level\":\"{}\",\"room\":", name_of(level));
    append_json(line, room);
    line += ",\"msg\":";
    append_json(line, valid_utf8(text) ? text : ascii_only(text));
    line += ",\"trace\":";
    append_json(line, current_trace);
  } else {
    line = fmt::format("{:5} {:7} {}{}{}{}", name_of(level), room, text, current_trace.empty() ? "" : " [",
                       current_trace, current_trace.empty() ? "" : "]");
  }
  out->log(spd_level(level), line);
}

TraceScope::TraceScope(std::string id) : previous_(std::exchange(current_trace, std::move(id))) {}
TraceScope::~TraceScope() { current_trace = std::move(previous_); }

}  // namespace trapline::log
