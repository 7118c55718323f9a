#include "daemon/util/wire_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace trapline::util {

Result<WireLog> WireLog::open(const std::string& path) {
  WireLog log;
  log.file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.file_) return fail(Errc::os, fmt::format("cannot open the wire log {}: {}", path, strerror(errno)), errno);
  return log;
}

void WireLog::write(Direction direction, std::string_view connection, std::string_view json) const {
  if (!on()) return;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const std::string line =
      fmt::format("{{\"ts\":{}.{:06},\"dir\":\"{}\",\"conn\":\"{}\",\"msg\":{}}}\n", now / 1'000'000, now % 1'000'000,
                  direction == Direction::in ? "in" : "out", connection, json);
  // A full disk must not stop a debugger; the log then has a hole.
  ssize_t put = 0;
  do put = ::write(file_.get(), line.data(), line.size());
  while (put < 0 && errno == EINTR);
}

void WireLog::write_raw(Direction direction, std::string_view connection, std::string_view bytes) const {
  if (!on()) return;
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      text += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte >= 0x7f)
      text += fmt::format("\\u{:04x}", byte);  // bytes as Latin-1: the reader gets each one back
    else
      text += c;
  }
  write(direction, connection, text + '"');
}

}  // namespace trapline::util
