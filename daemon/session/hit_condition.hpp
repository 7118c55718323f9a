#pragma once
// How often a breakpoint must be hit: "5" and "== 5" the fifth time, "> 5", ">= 5", "< 5", "<= 5", "% 5" every fifth.
#include <cstdint>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::session {

class HitCondition {
 public:
  // Empty text: always true. Errors: bad_request, naming what was read.
  static Result<HitCondition> parse(std::string_view text);
  // `hit` counts from 1.
  bool due(std::uint64_t hit) const;

 private:
  enum class Test : std::uint8_t { always, equal, less, less_equal, greater, greater_equal, every };
  Test test_ = Test::always;
  std::uint64_t count_ = 0;
};

}  // namespace trapline::session
