// Where a name may be, asked before there is an index, on DWARF made by hand.
#include "daemon/index/name_search.hpp"

#include <doctest/doctest.h>

#include "daemon/index/dwarf_codes.hpp"
#include "tests/unit/index/elf_maker.hpp"

namespace trapline::index {
namespace {

using test::abbreviation;
using test::ByteMaker;

constexpr unsigned at_type = 0x49;  // DW_AT_: what the scanner has no name for

// One DWARF 4 unit of C++ with these DIEs.
NameSearch search_of(std::vector<std::byte>& elf, const std::string& abbreviations, const std::string& dies,
                     const std::string& strings) {
  const auto root = abbreviation(1, dw::tag_compile_unit, true, {{dw::at_language, dw::form_data1}});
  ByteMaker unit;
  unit.u16(4).u32(0).u8(8).uleb(1).u8(0x04);
  elf = test::elf_with(
      {{".debug_info", ByteMaker().u32(unit.size() + dies.size() + 1).bytes() + unit.bytes() + dies + '\0'},
       {".debug_abbrev", root + abbreviations + '\0'},
       {".debug_str", strings}});
  const auto file = DebugFile::from_bytes(elf, "made");
  REQUIRE(file);
  return NameSearch(*file, nullptr, {}, {});
}

}  // namespace

TEST_CASE("a unit that refers into another one is not read alone") {
  for (const unsigned form : {dw::form_ref4, dw::form_ref_addr, dw::form_gnu_ref_alt}) {
    CAPTURE(form);
    std::vector<std::byte> elf;
    const auto search =
        search_of(elf, abbreviation(2, dw::tag_variable, false, {{dw::at_name, dw::form_string}, {at_type, form}}),
                  ByteMaker().uleb(2).text("here").u32(0).bytes(), std::string(1, '\0'));
    const auto units = search.by_bytes("here", {});
    REQUIRE(units);
    CHECK(*units == std::vector<std::uint32_t>{0});
    CHECK((search.index_of(*units) != nullptr) == (form == dw::form_ref4));
  }
}

TEST_CASE("a name in more places than are looked at may be in any unit") {
  std::vector<std::byte> elf;
  const std::string zeros(std::size_t{5} << 20, '\0');
  const auto search = search_of(
      elf,
      abbreviation(2, dw::tag_variable, false, {{dw::at_name, dw::form_strp}, {dw::at_const_value, dw::form_block4}}),
      ByteMaker().uleb(2).u32(0).u32(zeros.size()).bytes() + zeros + ByteMaker().uleb(2).u32(6).u32(0).bytes(),
      ByteMaker().text("first").text("second").bytes());
  CHECK_FALSE(search.by_bytes("first", {}));  // its offset is zero, and so is most of the unit
  const auto second = search.by_bytes("second", {});
  REQUIRE(second);
  CHECK(*second == std::vector<std::uint32_t>{0});
  CHECK(search.by_bytes("third", {})->empty());
}

}  // namespace trapline::index
