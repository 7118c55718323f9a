#include "daemon/session/hit_condition.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace trapline::session {
namespace {

std::vector<std::uint64_t> due_among_six(std::string_view text) {
  const auto condition = HitCondition::parse(text);
  REQUIRE_MESSAGE(condition.has_value(), text);
  std::vector<std::uint64_t> due;
  for (std::uint64_t hit = 1; hit <= 6; ++hit)
    if (condition->due(hit)) due.push_back(hit);
  return due;
}

using Hits = std::vector<std::uint64_t>;

TEST_CASE("each operator of a hit condition picks its hits") {
  CHECK(due_among_six("") == Hits{1, 2, 3, 4, 5, 6});
  CHECK(due_among_six("3") == Hits{3});
  CHECK(due_among_six("== 3") == Hits{3});
  CHECK(due_among_six("=3") == Hits{3});
  CHECK(due_among_six("< 3") == Hits{1, 2});
  CHECK(due_among_six("<=3") == Hits{1, 2, 3});
  CHECK(due_among_six(" > 4 ") == Hits{5, 6});
  CHECK(due_among_six(">= 4") == Hits{4, 5, 6});
  CHECK(due_among_six("% 2") == Hits{2, 4, 6});
}

TEST_CASE("a hit condition that means nothing is refused with what to write instead") {
  for (const auto* text : {"abc", ">", "% 0", "3 times", "!= 3", "-1", "99999999999999999999999"}) {
    const auto condition = HitCondition::parse(text);
    REQUIRE_MESSAGE(!condition.has_value(), text);
    CHECK(condition.error().code == Errc::bad_request);
    CHECK(!condition.error().hint.empty());
  }
}

}  // namespace
}  // namespace trapline::session
