#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "daemon/trap/site_table.hpp"

namespace trapline::trap {
namespace {

constexpr std::byte int3{0xcc};
constexpr std::byte nop{0x90};
constexpr LoadAddr at{0x401000};

Owner breakpoint(std::uint32_t id) { return {OwnerKind::breakpoint, id}; }

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> made;
  for (const unsigned value : values) made.push_back(static_cast<std::byte>(value));
  return made;
}

TEST_CASE("the first owner writes the trap, the last one takes it away") {
  SiteTable table;
  const auto in = table.add(at, breakpoint(1), nop);
  REQUIRE(in);
  CHECK(in->at == at);
  CHECK(in->bytes == bytes({0xcc}));
  CHECK(in->original == bytes({0x90}));
  CHECK(!table.add(at, {OwnerKind::step, 1}, int3));  // `original` was read through the trap: the first one counts
  CHECK(table.find(at)->original == nop);
  CHECK(table.find(at)->owners.size() == 2);
  CHECK(!table.drop(at, breakpoint(1)));
  CHECK(table.has(at));
  const auto out = table.drop(at, {OwnerKind::step, 1});
  REQUIRE(out);
  CHECK(out->bytes == bytes({0x90}));
  CHECK(!table.has(at));
  CHECK(table.find(at) == nullptr);
  CHECK(table.size() == 0);
}

TEST_CASE("an owner counts once, kinds are apart, strangers change nothing") {
  SiteTable table;
  table.add(at, breakpoint(1), nop);
  CHECK(!table.add(at, breakpoint(1), nop));
  CHECK(!table.drop(at, breakpoint(2)));
  CHECK(!table.drop(at, {OwnerKind::internal, 1}));
  CHECK(!table.drop(at + ByteCount{1}, breakpoint(1)));
  CHECK(table.has(at));
  CHECK(table.drop(at, breakpoint(1)));
}

TEST_CASE("drop_all ends a site whoever owns it") {
  SiteTable table;
  table.add(at, breakpoint(1), nop);
  table.add(at, breakpoint(2), nop);
  CHECK(table.drop_all(at)->bytes == bytes({0x90}));
  CHECK(!table.drop_all(at));
  CHECK(!table.has(at));
}

TEST_CASE("restore_all names every original, ascending, and changes nothing") {
  SiteTable table;
  for (unsigned i = 0; i < 100; ++i)
    table.add(at + ByteCount{(i * 37) % 100}, breakpoint(i), static_cast<std::byte>((i * 37) % 100));
  const auto patches = table.restore_all();
  REQUIRE(patches.size() == 100);
  for (unsigned i = 0; i < 100; ++i) {
    CHECK(patches[i].at == at + ByteCount{i});
    CHECK(patches[i].bytes == bytes({i}));
  }
  CHECK(table.size() == 100);
  table.clear();
  CHECK(table.size() == 0);
}

TEST_CASE("ranges are half open and reach the last address") {
  SiteTable table;
  for (const std::uint64_t where : {0x1000ULL, 0x1fffULL, 0x2000ULL, ~0ULL})
    table.add(LoadAddr{where}, breakpoint(1), nop);
  CHECK(table.in({LoadAddr{0x1000}, LoadAddr{0x2000}}) == std::vector{LoadAddr{0x1000}, LoadAddr{0x1fff}});
  CHECK(table.in({LoadAddr{0x1001}, LoadAddr{0x1fff}}).empty());
  CHECK(table.in({LoadAddr{0x2000}, LoadAddr{0x1000}}).empty());
  auto last = bytes({0, 0});
  table.hide(LoadAddr{~0ULL - 1}, last);
  CHECK(last == bytes({0, 0x90}));
}

TEST_CASE("reading hides the traps, writing goes under them") {
  SiteTable table;
  table.add(at + ByteCount{2}, breakpoint(1), std::byte{0x22});
  auto seen = bytes({0x10, 0x11, 0xcc, 0x13});
  table.hide(at, seen);
  CHECK(seen == bytes({0x10, 0x11, 0x22, 0x13}));
  auto written = bytes({0xa0, 0xa1, 0xa2, 0xa3});
  table.merge_write(at, written);
  CHECK(written == bytes({0xa0, 0xa1, 0xcc, 0xa3}));
  CHECK(table.drop(at + ByteCount{2}, breakpoint(1))->bytes == bytes({0xa2}));
  // Beside the range: nothing.
  table.add(at + ByteCount{4}, breakpoint(1), std::byte{0x44});
  auto beside = bytes({1, 2, 3, 4});
  table.hide(at, beside);
  CHECK(beside == bytes({1, 2, 3, 4}));
}

// A model that is obviously right, against the table, over many random edits of a small address space.
TEST_CASE("memory under a random history of sites, writes and reads is always the program's") {
  std::mt19937 random(4711);
  SiteTable table;
  std::vector<std::byte> program(64), memory;  // what the program has; what stands in memory
  for (auto& byte : program) byte = static_cast<std::byte>(random());
  memory = program;
  std::map<LoadAddr, std::set<std::uint32_t>> owners;
  const auto apply = [&](const Patch& patch) {
    std::copy(patch.bytes.begin(), patch.bytes.end(),
              memory.begin() + static_cast<std::ptrdiff_t>((patch.at - at).value));
  };
  for (int round = 0; round < 20000; ++round) {
    const std::size_t offset = random() % program.size();
    const LoadAddr where = at + ByteCount{offset};
    const std::uint32_t id = random() % 3;
    switch (random() % 5) {
      case 0:
      case 1:
        if (const auto patch = table.add(where, breakpoint(id), memory[offset])) apply(*patch);
        owners[where].insert(id);
        break;
      case 2:
      case 3:
        if (const auto patch = table.drop(where, breakpoint(id))) apply(*patch);
        owners[where].erase(id);
        break;
      default: {
        const std::size_t size = random() % (program.size() - offset) + 1;
        std::vector<std::byte> news(size);
        for (auto& byte : news) byte = static_cast<std::byte>(random());
        std::copy(news.begin(), news.end(), program.begin() + static_cast<std::ptrdiff_t>(offset));
        table.merge_write(where, news);
        std::copy(news.begin(), news.end(), memory.begin() + static_cast<std::ptrdiff_t>(offset));
      }
    }
    std::size_t expected_sites = 0;
    for (const auto& [address, ids] : owners) {
      if (ids.empty()) continue;
      ++expected_sites;
      REQUIRE(memory[(address - at).value] == int3);
    }
    REQUIRE(table.size() == expected_sites);
    auto seen = memory;
    table.hide(at, seen);
    REQUIRE(seen == program);
  }
}

TEST_CASE("hiding in a small read looks up its bytes, in a large one the sites") {
  SiteTable table;
  for (std::uint64_t i = 0; i < 100000; ++i) table.add(LoadAddr{0x10000000 + i * 64}, breakpoint(1), nop);
  // Quadratic work (a scan of the table for each read) would take minutes here.
  std::vector<std::byte> word(16, int3);
  for (std::uint64_t i = 0; i < 100000; ++i) {
    table.hide(LoadAddr{0x10000000 + i * 64}, word);
    REQUIRE(word[0] == nop);
    word[0] = int3;
  }
  std::vector<std::byte> large(8U << 20, int3);
  table.hide(LoadAddr{0x10000000}, large);
  CHECK(std::ranges::count(large, nop) == 100000);
}

}  // namespace
}  // namespace trapline::trap
