// .debug_names as clang, lld and gdb write it.
#include "daemon/index/debug_names.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/index/sections.hpp"

using namespace trapline;
using namespace trapline::test;
using index::DebugNames;

namespace {

constexpr std::uint16_t subprogram = 0x2e;  // DW_TAG_subprogram
constexpr std::uint16_t structure = 0x13;   // DW_TAG_structure_type

struct Sections {
  Section names, strings;
};

Sections by_clang(const std::string& flags) {
  const Folder folder;
  run(fmt::format("clang++ -g -gdwarf-5 -gpubnames {} {}/code_shapes.cpp -o {}", flags, TL_FIXTURE_SOURCES,
                  folder / "program"));
  return {section_of(folder / "program", ".debug_names"), section_of(folder / "program", ".debug_str")};
}

void check_consistent(const DebugNames& names) {
  std::set<std::string> seen;
  names.each([&](std::string_view name, std::span<const DebugNames::Place> places) {
    CHECK_MESSAGE(names.find(name).size() >= places.size(), name);
    for (const auto& place : places) {
      CHECK(place.die.has_value() == !names.qualified());  // gdb writes no DIE offsets
      CHECK((place.unit || place.type_unit || place.type_foreign));
    }
    seen.emplace(name);
  });
  CHECK(seen.contains("main"));
  CHECK(names.find("no_such_name").empty());
  CHECK(names.find("").empty());
}

}  // namespace

TEST_CASE("names written by clang") {
  const auto sections = by_clang("");
  const auto names = DebugNames::read(sections.names, sections.strings);
  REQUIRE(names);
  CHECK_FALSE(names->damaged());
  CHECK_FALSE(names->qualified());
  CHECK(names->units() == std::vector<std::uint64_t>{0});
  const auto mains = names->find("main");
  REQUIRE(mains.size() == 1);
  CHECK(mains[0].tag == subprogram);
  CHECK(mains[0].unit == 0);
  CHECK_FALSE(mains[0].die_in_section);
  CHECK(mains[0].die.value_or(0) > 11);  // behind the unit's header
  CHECK(names->find("run").size() >= 2);
  CHECK(std::ranges::all_of(names->find("run"), [](const auto& place) { return place.tag == subprogram; }));
  CHECK(names->find("Shape").size() + names->find("Box<int>").size() >= 1);
  CHECK(std::ranges::any_of(names->find("Box<int>"), [](const auto& place) { return place.tag >= structure - 0x11; }));
  check_consistent(*names);
}

TEST_CASE("one index for each unit: all are asked") {
  const Folder folder;
  std::ofstream(folder / "other.cpp") << "namespace other { int twice_here(int x) { return x + x; } }\n";
  run(fmt::format("clang++ -g -gdwarf-5 -gpubnames {}/code_shapes.cpp {} -o {}", TL_FIXTURE_SOURCES,
                  folder / "other.cpp", folder / "program"));
  const auto section = section_of(folder / "program", ".debug_names");
  const auto strings = section_of(folder / "program", ".debug_str");
  const auto names = DebugNames::read(section, strings);
  REQUIRE(names);
  CHECK(names->units().size() == 2);
  const auto found = names->find("twice_here");
  REQUIRE(found.size() == 1);
  CHECK(found[0].unit == names->units()[1]);
  CHECK(names->find("main").at(0).unit == names->units()[0]);
  check_consistent(*names);

  SUBCASE("one that is cut off is not read, which is said") {
    const Section cut(section.begin(), section.end() - 8);
    const auto part = DebugNames::read(cut, strings);
    REQUIRE(part);
    CHECK(part->damaged());
    CHECK(part->find("main").size() == 1);
    CHECK(part->find("twice_here").empty());
  }
}

TEST_CASE("names written by gdb-add-index") {
  if (!has_tool("gdb-add-index")) {
    MESSAGE("skipped: gdb-add-index is not installed");
    return;
  }
  const Folder folder;
  std::filesystem::copy(fixture("code_shapes"), folder / "program");
  run(fmt::format("gdb-add-index -dwarf-5 {}", folder / "program"));
  const auto section = section_of(folder / "program", ".debug_names");
  const auto strings = section_of(folder / "program", ".debug_str");
  const auto names = DebugNames::read(section, strings);
  REQUIRE(names);
  CHECK(names->qualified());
  const auto mains = names->find("main");
  REQUIRE(mains.size() == 1);
  CHECK(mains[0].tag == subprogram);
  CHECK(mains[0].unit == 0);
  check_consistent(*names);
}

TEST_CASE("what is no index is refused") {
  CHECK(DebugNames::read({}, {}));  // none at all is none damaged
  const Section zeros(64);
  CHECK_FALSE(DebugNames::read(zeros, {}));
  const Section ones(64, std::byte{0xff});
  CHECK_FALSE(DebugNames::read(ones, {}));
}

TEST_CASE("damaged bytes do no harm") {
  const auto sections = by_clang("");
  REQUIRE_FALSE(sections.names.empty());
  each_damaged(sections.names, 400, [&](const Section& damaged) {
    const auto names = DebugNames::read(damaged, sections.strings);
    if (!names) return;
    std::size_t handed_out = 0;
    names->each([&](std::string_view, std::span<const DebugNames::Place> places) { handed_out += places.size(); });
    CHECK(handed_out <= damaged.size() * 4 + 4096);
    static_cast<void>(names->find("main"));
    static_cast<void>(
        names->find("gr\xc3\xb6\xc3\x9f"
                    "e"));
    static_cast<void>(names->units());
  });
}
