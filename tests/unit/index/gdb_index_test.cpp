// .gdb_index as gdb and two linkers write it.
#include "daemon/index/gdb_index.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "tests/unit/index/sections.hpp"

using namespace trapline;
using namespace trapline::test;
using index::GdbIndex;

namespace {

Section by_gdb() {
  const Folder folder;
  std::filesystem::copy(fixture("code_shapes"), folder / "program");
  run(fmt::format("gdb-add-index {}", folder / "program"));
  return section_of(folder / "program", ".gdb_index");
}

Section by_linker(const std::string& command) {
  const Folder folder;
  run(fmt::format("{} -g -ggnu-pubnames {}/code_shapes.cpp -Wl,--gdb-index -o {}", command, TL_FIXTURE_SOURCES,
                  folder / "program"));
  return section_of(folder / "program", ".gdb_index");
}

void check_code_shapes(const GdbIndex& index) {
  CHECK(index.version() >= 7);
  REQUIRE(index.unit_count() >= 1);
  CHECK(index.unit(0).length > 100);
  const auto mains = index.find("main");
  REQUIRE(mains.size() == 1);
  CHECK(mains[0].kind == GdbIndex::Kind::function);
  CHECK(mains[0].unit < index.unit_count());
  CHECK(index.find("no_such_name").empty());
  CHECK(index.find("").empty());
  const auto ranges = index.ranges();
  REQUIRE_FALSE(ranges.empty());
  CHECK(std::ranges::is_sorted(ranges, {}, &GdbIndex::AddressRange::begin));
  // What each() tells is what find() finds.
  std::set<std::string> names;
  index.each([&](std::string_view name, std::span<const GdbIndex::Place> places) {
    names.emplace(name);
    CHECK(index.find(name).size() == places.size());
  });
  CHECK(names.contains("main"));
  CHECK(names.contains("shapes"));
}

}  // namespace

TEST_CASE("an index written by gdb-add-index") {
  if (!has_tool("gdb-add-index")) {
    MESSAGE("skipped: gdb-add-index is not installed");
    return;
  }
  const auto section = by_gdb();
  const auto index = GdbIndex::read(section);
  REQUIRE(index);
  check_code_shapes(*index);
  CHECK(index->find("shapes::run").size() >= 1);
}

TEST_CASE("an index written by gold") {
  if (!has_tool("ld.gold")) {
    MESSAGE("skipped: ld.gold is not installed");
    return;
  }
  const auto section = by_linker("g++ -fuse-ld=gold");
  const auto index = GdbIndex::read(section);
  REQUIRE(index);
  check_code_shapes(*index);
}

TEST_CASE("an index written by lld") {
  if (!has_tool("ld.lld")) {
    MESSAGE("skipped: ld.lld is not installed");
    return;
  }
  const auto section = by_linker("clang++ -fuse-ld=lld");
  const auto index = GdbIndex::read(section);
  REQUIRE(index);
  check_code_shapes(*index);
}

TEST_CASE("what is no index of a known version is refused, and the reason told") {
  const auto why = [](Section bytes) {
    const auto index = GdbIndex::read(bytes);
    REQUIRE_FALSE(index);
    CHECK(index.error().code == Errc::bad_debug_info);
    return index.error().message;
  };
  CHECK(why({}).find("0 bytes") != std::string::npos);
  Section header(24);
  header[0] = std::byte{6};
  CHECK(why(header).find("version 6") != std::string::npos);
  header[0] = std::byte{8};
  CHECK(why(header).find("out of order") != std::string::npos);  // tables within the header
  for (const std::size_t field : {4U, 8U, 12U, 16U, 20U}) header[field] = std::byte{24};
  CHECK(GdbIndex::read(header));  // an empty one
  header[20] = std::byte{25};
  CHECK(why(header).find("out of the section") != std::string::npos);
  header.resize(48);
  header[20] = std::byte{48};
  CHECK(why(header).find("3 slots") != std::string::npos);
}

TEST_CASE("a hash table without a free slot ends a search all the same") {
  // One slot that is taken: "a", with no places.
  Section bytes(24 + 8 + 8);
  bytes[0] = std::byte{7};
  for (const std::size_t field : {4U, 8U, 12U, 16U}) bytes[field] = std::byte{24};
  bytes[20] = std::byte{32};
  bytes[24] = std::byte{4};  // the name's place in the pool; its vector is at 0
  bytes[36] = std::byte{'a'};
  const auto index = GdbIndex::read(bytes);
  REQUIRE(index);
  CHECK(index->find("a").empty());
  CHECK(index->find("b").empty());
  int names = 0;
  index->each([&](std::string_view name, std::span<const GdbIndex::Place>) { names += name == "a"; });
  CHECK(names == 1);
}

TEST_CASE("damaged bytes do no harm") {
  if (!has_tool("gdb-add-index")) {
    MESSAGE("skipped: gdb-add-index is not installed");
    return;
  }
  const auto whole = by_gdb();
  REQUIRE_FALSE(whole.empty());
  each_damaged(whole, 400, [](const Section& damaged) {
    const auto index = GdbIndex::read(damaged);
    if (!index) return;
    std::size_t handed_out = 0;
    index->each([&](std::string_view, std::span<const GdbIndex::Place> places) {
      handed_out += places.size();
      for (const auto& place : places) CHECK(place.unit < index->unit_count() + index->type_unit_count());
    });
    CHECK(handed_out <= damaged.size() * 16 + 4096);
    static_cast<void>(index->find("main"));
    static_cast<void>(index->ranges());
    for (std::size_t i = 0; i < index->type_unit_count(); ++i) static_cast<void>(index->type_unit(i));
  });
}
