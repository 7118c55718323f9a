#pragma once
// --wire-log: every message in both directions, one JSON object a line: {"ts","dir","conn","msg"}.
// The lobby and all session processes append to the same file: one write(2) a line with O_APPEND keeps lines whole.
#include <string>
#include <string_view>

#include "daemon/util/fd.hpp"
#include "proto/words/result.hpp"

namespace trapline::util {

class WireLog {
 public:
  WireLog() = default;  // off
  // Made 0600: it holds what is read from debuggees. Errors: os.
  static Result<WireLog> open(const std::string& path);
  bool on() const { return file_.valid(); }
  enum class Direction : unsigned char { in, out };
  // `json`: one message as JSON text, without a line end inside. `ts` is seconds since 1970, UTC.
  void write(Direction direction, std::string_view connection, std::string_view json) const;
  // What was no JSON is logged as a string.
  void write_raw(Direction direction, std::string_view connection, std::string_view bytes) const;

 private:
  Fd file_;
};

}  // namespace trapline::util
