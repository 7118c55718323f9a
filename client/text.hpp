#pragma once
// How things look on a terminal: colours where there is one, source lines around a stop, values as trees.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/control.hpp"

namespace trapline::client {

class Paint {
 public:
  explicit Paint(bool colours) : colours_(colours) {}
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string red(std::string_view text) const { return wrap("31", text); }
  std::string green(std::string_view text) const { return wrap("32", text); }
  std::string yellow(std::string_view text) const { return wrap("33", text); }
  std::string blue(std::string_view text) const { return wrap("34", text); }
  std::string cyan(std::string_view text) const { return wrap("36", text); }
  // One line of C, C++ or Rust: keywords, literals, strings, comments. `in_comment` carries a /* over lines.
  std::string code(std::string_view line, bool& in_comment) const;
  bool colours() const { return colours_; }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;
  bool colours_;
};

std::vector<std::string> split_lines(std::string_view text);
// Lines [first, last], numbered; `current` gets an arrow.
std::string source_lines(const Paint& paint, const std::vector<std::string>& lines, std::uint32_t first,
                         std::uint32_t last, std::uint32_t current);
// "#1  main (argc=1) at orders.cpp:12"
std::string frame_line(const Paint& paint, const proto::FrameInfo& frame, std::string_view arguments);
std::string base_name(std::string_view path);
std::vector<std::string> split_words(std::string_view text);  // as a shell does: quotes and backslashes

}  // namespace trapline::client
