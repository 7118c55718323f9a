#include "daemon/stack/page_cache.hpp"

#include <doctest/doctest.h>

#include "tests/unit/stack/fake_memory.hpp"

using namespace trapline;

namespace {

std::vector<std::uint8_t> counted(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

}  // namespace

TEST_CASE("every byte reads as at its source, over page borders and up to the end of what is mapped") {
  test::FakeMemory source;
  const auto bytes = counted(0x5000);
  source.put(0x10000, bytes);
  const stack::PageCache cache(source);
  for (const std::uint64_t at : {0x0, 0xffc, 0x1ff9, 0x3fff, 0x4ff8}) {
    std::array<std::byte, 8> got;
    REQUIRE(cache.read(LoadAddr{0x10000 + at}, got));
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(static_cast<std::uint8_t>(got[i]) == bytes[at + i]);
  }
  std::array<std::byte, 16> tail;
  CHECK(cache.read_some(LoadAddr{0x14ffc}, tail) == 4);
  CHECK_FALSE(cache.read(LoadAddr{0x14ffc}, tail));
  std::uint64_t word = 0;
  CHECK_FALSE(cache.word(0xfffc, word));
  CHECK_FALSE(cache.word(~std::uint64_t{0} - 3, word));
}

TEST_CASE("a walk upwards costs one read for many pages, and a second look none") {
  test::FakeMemory source;
  source.put(0x100000, counted(1 << 20));
  const stack::PageCache cache(source);
  std::uint64_t word = 0;
  for (std::uint64_t at = 0x100000; at < 0x200000; at += 48) REQUIRE(cache.word(at, word));
  CHECK(source.reads <= 3 + (1 << 20) / (16 * 4096) + 1);
  const int before = source.reads;
  for (std::uint64_t at = 0x100000; at < 0x200000; at += 4096) REQUIRE(cache.word(at, word));
  CHECK(source.reads == before);
}
