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
  // Its second is named [1], and its last one is too.
  const auto apart = set("mm_alike", "[1]", "5");
  REQUIRE_FALSE(apart);
  CHECK(apart.error().message.find("more than one child") != std::string::npos);
  CHECK(live->evaluate("mm_alike") == "{size=4, [0]=1, [1]=2, [5]=3, [1]=4}");
  const auto none = set("m_text", "[\"z\"]", "1");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::not_found);
}

TEST_CASE("elements of maps are found by their key, and nothing of the program runs for that") {
  // With and without code of the maps' own functions at hand; hovers may call nothing.
  for (const char* variant : {"views_containers", "views_containers.O2", "views_containers.clang"}) {
    CAPTURE(variant);
    const auto live = at_part(variant, "ordered");
    const auto says = [&](const std::string& expression) {
      const auto page = live->frames();
      for (const auto& frame : page)
        if (frame.function == "ordered" || frame.function == "hashed") {
          const auto value = live->control().evaluate(
              {.expression = expression, .frame = frame.id, .context = proto::EvaluateContext::hover, .format = {}});
          return value ? value->value : value.error().message;
        }
      return std::string("no such frame");
    };
    CHECK(says("m_text[\"b\"]") == "2");
    CHECK(says("m_text[(\"b\")]") == "2");
    CHECK(says("m_many[30]") == "10");
    CHECK(says("m_many[m_many[90]]") == "10");
    CHECK(says("m_one[1]") == "\"one\"");
    CHECK(says("m_nested[\"in\"][\"deep\"] + 1") == "2");
    CHECK(says("m_colours[box::Colour::green]") == "true");
    CHECK(says("m_text.at(\"c\")") == "3");
    CHECK(says("(&m_text)->at(\"c\")") == "3");
    CHECK(says("m_reference[\"a\"]") == "1");
    CHECK(says("m_text.count(\"z\")") == "0");
    CHECK(says("m_text.contains(\"a\")") == "true");
    CHECK(says("mm_many.count(1)") == "2");
    CHECK(says("m_text[\"z\"]") == "`m_text` has no element with this key");
    CHECK(says("m_text.size()") == "3");
    CHECK(says("m_text[nothing]").find("no symbol `nothing`") != std::string::npos);
    const auto written = live->control().evaluate({.expression = "m_text[\"a\"] = 7",
                                                   .frame = live->frames(1).at(0).id,
                                                   .context = proto::EvaluateContext::repl,
                                                   .format = {}});
    REQUIRE_MESSAGE(written, (written ? "" : written.error().message));
    CHECK(says("m_text[\"a\"]") == "7");
  }
  const auto live = at_part("views_containers", "hashed");
  CHECK(live->evaluate("um_one[\"key\"]") == "5");
  CHECK(live->evaluate("um_many[40]") == "\"d\"");
  CHECK(live->evaluate("um_rehashed[299]") == "598");
  CHECK(live->evaluate("umm_one.count(7)") == "1");
}

}  // namespace trapline::test
