#pragma once
// One log channel per room: log::debug("os", "seized {}", tid). TRAPLINE_LOG picks levels, "info" or
// "os:trace,dap:debug". Lines of one request carry the same trace id (TraceScope). A disabled level costs one
// comparison.
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace trapline::log {

enum class Level : unsigned char { trace, debug, info, warn, error, off };
enum class Format : unsigned char { plain, json };

// `spec` as TRAPLINE_LOG; unknown words are reported through the log itself. Lines go to stderr.
void configure(std::string_view spec, Format format);
bool enabled(std::string_view room, Level level);
void write(std::string_view room, Level level, std::string text);

// The id that log lines carry while it lives. Loop thread only.
class TraceScope {
 public:
  explicit TraceScope(std::string id);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  std::string previous_;
};

#define TL_LOG_LEVEL(name)                                                                                    \
  template <class... Args>                                                                                    \
  void name(std::string_view room, fmt::format_string<Args...> text, Args&&... args) {                        \
    if (enabled(room, Level::name)) write(room, Level::name, fmt::format(text, std::forward<Args>(args)...)); \
  }
TL_LOG_LEVEL(trace)
TL_LOG_LEVEL(debug)
TL_LOG_LEVEL(info)
TL_LOG_LEVEL(warn)
TL_LOG_LEVEL(error)
#undef TL_LOG_LEVEL

}  // namespace trapline::log
