// The scanner on DWARF made by hand: each test names the shape that it is about.
#include <doctest/doctest.h>

#include <algorithm>

#include "daemon/index/build.hpp"
#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/name_search.hpp"
#include "tests/unit/index/elf_maker.hpp"

namespace trapline::index {
namespace {

using test::abbreviation;
using test::ByteMaker;
using Kinds = std::vector<Kind>;

const Key key = Key::of("test");

// One DWARF 4 unit of C++ around the given DIEs, whose codes begin at 2.
struct OneUnit {
  std::string abbreviations, dies;
  std::map<std::string, std::string> others{};
  unsigned language = 0x04;
  // Offset of the first DIE of `dies` in .debug_info.
  static constexpr unsigned first = 4 + 7 + 1 + 1 + 5 + 8 + 4;

  std::map<std::string, std::string> sections() const {
    const auto root = abbreviation(1, dw::tag_compile_unit, true,
                                   {{dw::at_language, dw::form_data1},
                                    {dw::at_name, dw::form_string},
                                    {dw::at_low_pc, dw::form_addr},
                                    {dw::at_high_pc, dw::form_data4}});
    ByteMaker unit;
    unit.u16(4).u32(0).u8(8).uleb(1).u8(language).text("a.cc").u64(test::code_begin).u32(0x100);
    auto made = others;
    made[".debug_info"] = ByteMaker().u32(unit.size() + dies.size()).bytes() + unit.bytes() + dies;
    made[".debug_abbrev"] = root + abbreviations + std::string(1, '\0');
    return made;
  }
};

std::shared_ptr<const Index> indexed(const std::map<std::string, std::string>& sections, unsigned threads = 1) {
  const auto elf = test::elf_with(sections);
  const auto file = DebugFile::from_bytes(elf, "made");
  REQUIRE(file);
  auto bytes = build(*file, nullptr, key, {.threads = threads});
  REQUIRE(bytes);
  const auto index = Index::from_bytes(*std::move(bytes), key);
  REQUIRE(index);
  return *index;
}

Kinds kinds(const Index& index, std::string_view base) {
  Kinds found;
  for (const auto& entry : index.with_base(base)) found.push_back(entry.kind);
  return found;
}

std::string path(const Index& index, std::string_view base) {
  const auto entries = index.with_base(base);
  REQUIRE(entries.size() == 1);
  const auto path = index.path_of(entries[0].scope);
  if (!path) return "?";
  std::string text;
  for (const auto part : *path) text += std::string(part) + "::";
  return text + std::string(entries[0].name);
}

const std::string named_space = abbreviation(2, dw::tag_namespace, true, {{dw::at_name, dw::form_string}});
const std::string coded =
    abbreviation(3, dw::tag_subprogram, false,
                 {{dw::at_name, dw::form_string}, {dw::at_low_pc, dw::form_addr}, {dw::at_high_pc, dw::form_data4}});

TEST_CASE("functions of a namespace are found by their plain names, with the namespace") {
  OneUnit unit{.abbreviations = named_space + coded, .dies = {}};
  unit.dies = ByteMaker().uleb(2).text("ns").uleb(3).text("max<int>").u64(test::code_begin).u32(16).u8(0).u8(0).bytes();
  const auto index = indexed(unit.sections());
  CHECK(kinds(*index, "max") == Kinds{Kind::function});
  CHECK(kinds(*index, "max<int>").empty());
  CHECK(path(*index, "max") == "ns::max<int>");
  CHECK(index->with_base("max")[0].die == OneUnit::first + 4);
  CHECK(kinds(*index, "ns") == Kinds{Kind::scope});
  CHECK(index->unit_at(test::code_begin + 5) == std::optional<std::uint32_t>(0));
  CHECK_FALSE(index->unit_at(test::code_begin + 0x100));
  CHECK(index->problem().empty());
}

TEST_CASE("a function of a discarded section is none") {
  OneUnit unit{.abbreviations = named_space + coded, .dies = {}};
  unit.dies = ByteMaker().uleb(3).text("gone").u64(0).u32(16).uleb(3).text("gone").u64(~0ULL).u32(16).u8(0).bytes();
  CHECK(kinds(*indexed(unit.sections()), "gone").empty());
}

TEST_CASE("a member that is defined outside of its class is a member of it") {
  const auto in_class = abbreviation(4, dw::tag_class_type, true, {{dw::at_name, dw::form_string}});
  const auto declared = abbreviation(5, dw::tag_subprogram, false,
                                     {{dw::at_name, dw::form_string}, {dw::at_declaration, dw::form_flag_present}});
  const auto outside = abbreviation(6, dw::tag_subprogram, false,
                                    {{dw::at_specification, dw::form_ref4}, {dw::at_low_pc, dw::form_addr}});
  OneUnit unit{.abbreviations = in_class + declared + outside, .dies = {}};
  const unsigned member = OneUnit::first + 3;
  unit.dies =
      ByteMaker().uleb(4).text("C").uleb(5).text("run").u8(0).uleb(6).u32(member).u64(test::code_begin).u8(0).bytes();
  const auto index = indexed(unit.sections());
  CHECK(path(*index, "run") == "C::run");
  CHECK(kinds(*index, "run") == Kinds{Kind::function});  // the declaration says nothing beside it
  CHECK(kinds(*index, "C") == Kinds{Kind::type});
}

TEST_CASE("a member that is defined before its class, and a type that completes a declaration, are in their scopes") {
  const auto in_class = abbreviation(4, dw::tag_class_type, true, {{dw::at_name, dw::form_string}});
  const auto declared = abbreviation(5, dw::tag_member, false,
                                     {{dw::at_name, dw::form_string}, {dw::at_declaration, dw::form_flag_present}});
  const auto outside = abbreviation(6, dw::tag_variable, false,
                                    {{dw::at_specification, dw::form_ref4}, {dw::at_location, dw::form_exprloc}});
  const auto forward = abbreviation(7, dw::tag_class_type, false,
                                    {{dw::at_name, dw::form_string}, {dw::at_declaration, dw::form_flag_present}});
  const auto completing = abbreviation(8, dw::tag_class_type, true,
                                       {{dw::at_name, dw::form_string}, {dw::at_specification, dw::form_ref4}});
  OneUnit unit{.abbreviations = named_space + in_class + declared + outside + forward + completing, .dies = {}};
  // ns { made; class C { made }; class D; } class D completes ns::D { other }
  const unsigned made = OneUnit::first + 4 + 8 + 3, inner = made + 6 + 1;
  unit.dies = ByteMaker()
                  .uleb(2)
                  .text("ns")
                  .uleb(6)
                  .u32(made)
                  .uleb(2)
                  .u8(0x9c)
                  .u8(0x9c)
                  .uleb(4)
                  .text("C")
                  .uleb(5)
                  .text("made")
                  .u8(0)
                  .uleb(7)
                  .text("D")
                  .u8(0)
                  .uleb(8)
                  .text("D")
                  .u32(inner)
                  .uleb(5)
                  .text("other")
                  .u8(0)
                  .u8(0)
                  .bytes();
  const auto index = indexed(unit.sections());
  CHECK(index->problem().empty());
  CHECK(path(*index, "made") == "ns::C::made");
  CHECK(kinds(*index, "made") == Kinds{Kind::variable});
  CHECK(path(*index, "D") == "ns::D");
  CHECK(kinds(*index, "D") == Kinds{Kind::type});
  CHECK(path(*index, "other") == "ns::D::other");
}

TEST_CASE("inlined calls are found from their abstract function, however deep they stand") {
  const auto abstract =
      abbreviation(4, dw::tag_subprogram, false, {{dw::at_name, dw::form_string}, {dw::at_inline, dw::form_data1}});
  const auto body =
      abbreviation(5, dw::tag_subprogram, true, {{dw::at_name, dw::form_string}, {dw::at_low_pc, dw::form_addr}});
  const auto block = abbreviation(6, dw::tag_lexical_block, true, {});
  const auto call = abbreviation(7, dw::tag_inlined_subroutine, true, {{dw::at_abstract_origin, dw::form_ref4}});
  OneUnit unit{.abbreviations = abstract + body + block + call, .dies = {}};
  const unsigned origin = OneUnit::first;
  ByteMaker dies;
  dies.uleb(4).text("fast").u8(1).uleb(5).text("slow").u64(test::code_begin);
  dies.uleb(6);
  const unsigned outer = OneUnit::first + static_cast<unsigned>(dies.size());
  dies.uleb(7).u32(origin);
  const unsigned inner = OneUnit::first + static_cast<unsigned>(dies.size());
  dies.uleb(7).u32(origin).u8(0).u8(0).u8(0).u8(0).u8(0);
  unit.dies = dies.bytes();
  const auto index = indexed(unit.sections());
  CHECK(kinds(*index, "fast") == Kinds{Kind::inlined});
  CHECK(index->instances_of(origin, false) == std::vector<std::uint64_t>{outer, inner});
  CHECK(index->instances_of(origin, true).empty());
  CHECK(index->instances_of(origin + 1, false).empty());
}

TEST_CASE("types, enumerators and variables; a function's locals are not names of the program") {
  const auto enumeration = abbreviation(4, dw::tag_enumeration_type, true, {{dw::at_name, dw::form_string}});
  const auto enumerator = abbreviation(5, dw::tag_enumerator, false, {{dw::at_name, dw::form_string}});
  const auto variable =
      abbreviation(6, dw::tag_variable, false, {{dw::at_name, dw::form_string}, {dw::at_location, dw::form_exprloc}});
  const auto body =
      abbreviation(7, dw::tag_subprogram, true, {{dw::at_name, dw::form_string}, {dw::at_low_pc, dw::form_addr}});
  OneUnit unit{.abbreviations = enumeration + enumerator + variable + body, .dies = {}};
  unit.dies = ByteMaker()
                  .uleb(4)
                  .text("Color")
                  .uleb(5)
                  .text("red")
                  .u8(0)
                  .uleb(6)
                  .text("counter")
                  .uleb(1)
                  .u8(0x9c)
                  .uleb(7)
                  .text("f")
                  .u64(test::code_begin)
                  .uleb(6)
                  .text("local")
                  .uleb(1)
                  .u8(0x9c)
                  .u8(0)
                  .u8(0)
                  .bytes();
  const auto index = indexed(unit.sections());
  CHECK(kinds(*index, "Color") == Kinds{Kind::type});
  CHECK(path(*index, "red") == "Color::red");
  CHECK(kinds(*index, "counter") == Kinds{Kind::variable});
  CHECK(kinds(*index, "local").empty());
}

TEST_CASE("a type that every unit has is kept once, a function of every unit in each") {
  const auto type = abbreviation(4, dw::tag_structure_type, false, {{dw::at_name, dw::form_string}});
  OneUnit unit{.abbreviations = named_space + coded + type, .dies = {}};
  unit.dies = ByteMaker().uleb(4).text("S").uleb(3).text("f").u64(test::code_begin).u32(16).u8(0).bytes();
  auto sections = unit.sections();
  const auto one = sections[".debug_info"];
  for (int i = 1; i < 50; ++i) sections[".debug_info"] += one;
  const auto index = indexed(sections);
  CHECK(index->unit_count() == 50);
  REQUIRE(index->with_base("S").size() == 1);
  CHECK(index->with_base("S")[0].unit == 0);
  const auto functions = index->with_base("f");
  REQUIRE(functions.size() == 50);
  CHECK(functions[49].unit == 49);
  CHECK(functions[49].die == one.size() * 49 + OneUnit::first + 3);
}

TEST_CASE("damage ends its unit, and the units behind it are read") {
  OneUnit unit{.abbreviations = named_space + coded, .dies = {}};
  unit.dies = ByteMaker().uleb(3).text("good").u64(test::code_begin).u32(16).uleb(99).u8(0).bytes();
  auto sections = unit.sections();
  unit.dies = ByteMaker().uleb(3).text("other").u64(test::code_begin).u32(16).u8(0).bytes();
  sections[".debug_info"] += unit.sections()[".debug_info"];
  const auto index = indexed(sections);
  CHECK(kinds(*index, "good") == Kinds{Kind::function});
  CHECK(kinds(*index, "other") == Kinds{Kind::function});
  CHECK(index->problem().find("a.cc") != std::string_view::npos);
  CHECK(index->has_damaged_units());
  CHECK(index->unit(0)->is(UnitRow::damaged));
  CHECK_FALSE(index->unit(1)->is(UnitRow::damaged));
}

TEST_CASE("siblings that lead back, references in circles and endless depth do not hang it") {
  const auto type =
      abbreviation(4, dw::tag_structure_type, true, {{dw::at_sibling, dw::form_ref4}, {dw::at_name, dw::form_string}});
  const auto circle = abbreviation(5, dw::tag_subprogram, false,
                                   {{dw::at_specification, dw::form_ref4}, {dw::at_low_pc, dw::form_addr}});
  OneUnit unit{.abbreviations = type + circle, .dies = {}};
  ByteMaker dies;
  dies.uleb(4).u32(0).text("S").u8(0).uleb(4).u32(1).text("S").u8(0);
  const unsigned self = OneUnit::first + static_cast<unsigned>(dies.size());
  dies.uleb(5).u32(self).u64(test::code_begin).u8(0);
  unit.dies = dies.bytes();
  CHECK(kinds(*indexed(unit.sections()), "S") == Kinds{Kind::type});
  ByteMaker deep;
  for (int i = 0; i < 100000; ++i) deep.uleb(4).u32(0).text("D");
  unit.dies = deep.bytes();
  CHECK(indexed(unit.sections())->has_damaged_units());
}

TEST_CASE("addresses of a unit that names none come from .debug_aranges") {
  const auto root = abbreviation(1, dw::tag_compile_unit, false, {{dw::at_name, dw::form_string}});
  const ByteMaker unit = ByteMaker().u16(4).u32(0).u8(8).uleb(1).text("asm.S");
  const ByteMaker ranges =
      ByteMaker().u16(2).u32(0).u8(8).u8(0).u32(0).u64(test::code_begin + 64).u64(32).u64(0).u64(0);
  const auto index = indexed({{".debug_info", unit.with_length()},
                              {".debug_abbrev", root + std::string(1, '\0')},
                              {".debug_aranges", ranges.with_length()}});
  CHECK(index->unit_at(test::code_begin + 64) == std::optional<std::uint32_t>(0));
  CHECK_FALSE(index->unit_at(test::code_begin));
}

TEST_CASE("a build can be cancelled, and tells how far it is") {
  OneUnit unit{.abbreviations = named_space + coded, .dies = ByteMaker().u8(0).bytes()};
  const auto elf = test::elf_with(unit.sections());
  const auto file = DebugFile::from_bytes(elf, "made");
  REQUIRE(file);
  const std::atomic<bool> cancel = true;
  const auto cancelled = build(*file, nullptr, key, {.threads = 1, .cancel = &cancel});
  REQUIRE_FALSE(cancelled);
  CHECK(cancelled.error().code == Errc::cancelled);
  std::uint64_t told = 0, all = 0;
  REQUIRE(build(*file, nullptr, key, {.threads = 1, .progress = [&](std::uint64_t done, std::uint64_t of) {
                                        told = done;
                                        all = of;
                                      }}));
  CHECK(told == all);
  CHECK(all > 0);
}

TEST_CASE("one thread and several find the same") {
  const auto type = abbreviation(4, dw::tag_structure_type, false, {{dw::at_name, dw::form_string}});
  OneUnit unit{.abbreviations = named_space + coded + type, .dies = {}};
  std::string info;
  for (int i = 0; i < 400; ++i) {
    ByteMaker dies;
    for (int n = 0; n < 120; ++n) dies.uleb(4).text("Type" + std::to_string((i * 7 + n) % 300));
    dies.uleb(2)
        .text("ns" + std::to_string(i % 3))
        .uleb(3)
        .text("f" + std::to_string(i))
        .u64(test::code_begin)
        .u32(8)
        .u8(0);
    unit.dies = dies.u8(0).bytes();
    info += unit.sections()[".debug_info"];
  }
  // So large that several threads are worth it.
  unit.dies = ByteMaker().uleb(4).text(std::string(4 << 20, 'x')).u8(0).bytes();
  auto sections = unit.sections();
  sections[".debug_info"] = info + sections[".debug_info"];
  const auto elf = test::elf_with(sections);
  const auto file = DebugFile::from_bytes(elf, "made");
  REQUIRE(file);
  const auto describe = [&](unsigned threads) {
    auto bytes = build(*file, nullptr, key, {.threads = threads});
    REQUIRE(bytes);
    const auto index = Index::from_bytes(*std::move(bytes), key);
    REQUIRE(index);
    std::vector<std::string> lines;
    (*index)->each_name([&](std::string_view name, std::span<const Index::Entry> entries) {
      for (const auto& entry : entries) {
        std::string line = std::string(name) + " " + std::to_string(entry.unit) + " " + std::to_string(entry.die);
        const auto path = (*index)->path_of(entry.scope);
        REQUIRE(path);
        for (const auto scope : *path) line += " " + std::string(scope);
        lines.push_back(line);
      }
      return true;
    });
    std::ranges::sort(lines);
    return lines;
  };
  const auto alone = describe(1);
  CHECK(alone.size() == 300 + 400 + 3 + 1);
  for (int round = 0; round < 5; ++round) CHECK(describe(4) == alone);
}

TEST_CASE("bytes are found wherever they lie") {
  for (const std::size_t size : {0U, 1U, 3U, 15U, 16U, 17U, 40U, 100U})
    for (const std::string wanted : {"x", "xy", "xyz", "xyzxyzxyzxyzxyzxyzxyz"})
      for (std::size_t at = 0; at + wanted.size() <= size; ++at) {
        std::string text(size, 'x');
        text.replace(at, wanted.size(), wanted);
        std::vector<std::uint64_t> expected;
        for (auto next = text.find(wanted); next != std::string::npos; next = text.find(wanted, next + 1))
          expected.push_back(next);
        CHECK(places_of(std::as_bytes(std::span(text)), wanted, 1000) == expected);
      }
  CHECK(places_of({}, "x", 10).empty());
  const std::string many(1000, 'x');
  CHECK(places_of(std::as_bytes(std::span(many)), "x", 10).size() < 30);
}

TEST_CASE("base names") {
  CHECK(base_of("max<int>") == "max");
  CHECK(base_of("operator<< <char>") == "operator<<");
  CHECK(base_of("operator<") == "operator<");
  CHECK(base_of("operator<=>") == "operator<=>");
  CHECK(base_of("operator Box<int>") == "operator Box<int>");
  CHECK(base_of("<lambda(int)>") == "<lambda(int)>");
  CHECK(base_of("operators<int>") == "operators");
  CHECK(base_of("").empty());
}

}  // namespace
}  // namespace trapline::index
