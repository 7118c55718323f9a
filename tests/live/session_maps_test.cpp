// Library maps in a session: their values set and found by their keys, without code of the program.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/live.hpp"

namespace trapline::test {
namespace {

std::unique_ptr<Live> at_part(std::string_view variant, const char* part) {
  auto live = Live::start(variant, {part});
  CHECK(live->go_to_stop().reason == proto::StopReason::signal);
  return live;
}

}  // namespace

TEST_CASE("values of maps are set by the name that their key gave them, or not at all") {
  const auto live = at_part("views_containers", "ordered");
  const auto set = [&](const char* container, const char* child, const char* text) {
    return live->control().set_value(live->value(container).ref, child, text, {});
  };
  const auto written = set("m_text", "[\"b\"]", "22");
  REQUIRE_MESSAGE(written, (written ? "" : written.error().message));
  CHECK(written->value == "22");
  CHECK(live->evaluate("m_text") == "{size=3, [\"a\"]=1, [\"b\"]=22, [\"c\"]=3}");
  // Its 30 is no position: the map's thirty-first key is 90.
  REQUIRE(set("m_many", "[30]", "-1"));
  const auto children = live->control().children(live->value("m_many").ref, 0, 0, {});
  REQUIRE(children);
  const auto changed = std::ranges::find(*children, "[30]", &proto::ValueInfo::name);
  REQUIRE(changed != children->end());
  CHECK(changed->value == "-1");
  CHECK(std::ranges::count(*children, "-1", &proto::ValueInfo::value) == 1);
  const auto twice = set("mm_many", "[1]", "5");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message.find("more than one child") != std::string::npos);
  CHECK(live->evaluate("mm_many") == "{size=3, [1]=10, [1]=11, [2]=20}");
  CHECK(set("mm_many", "[2]", "21"));
  CHECK(live->evaluate("mm_many") == "{size=3, [1]=10, [1]=11, [2]=21}");
  const auto none = set("m_text", "[\"z\"]", "1");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::not_found);
}

}  // namespace trapline::test
