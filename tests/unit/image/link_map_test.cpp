// The link map out of hand-built memory, sane and not.
#include <doctest/doctest.h>
#include <elf.h>

#include <cstring>
#include <map>

#include "daemon/image/link_map.hpp"

using namespace trapline;
using namespace trapline::image;

namespace {

class FakeMemory final : public util::Memory {
 public:
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    if (read_some(at, out) != out.size()) return fail(Errc::bad_address, "not mapped");
    return {};
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    std::size_t done = 0;
    for (; done < out.size(); ++done) {
      const auto byte = bytes_.find(at.value + done);
      if (byte == bytes_.end()) break;
      out[done] = byte->second;
    }
    return done;
  }
  template <class T>
  void put(std::uint64_t at, const T& value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_[at + i] = raw[i];
  }
  void put_text(std::uint64_t at, std::string_view text) {
    for (const char c : text) bytes_[at++] = static_cast<std::byte>(c);
    bytes_[at] = std::byte{0};
  }
  // r_debug at `at`: version, list, hook, state; and what follows it in version 2.
  void put_debug(std::uint64_t at, std::uint64_t version, std::uint64_t map, std::uint64_t state,
                 std::uint64_t next = 0) {
    const std::uint64_t words[] = {version, map, 0x7000, state, 0x5000, next};
    put(at, words);
  }
  void put_link(std::uint64_t at, std::uint64_t bias, std::uint64_t name, std::uint64_t next) {
    const std::uint64_t words[] = {bias, name, bias + 0x100, next, 0};
    put(at, words);
  }

 private:
  std::map<std::uint64_t, std::byte> bytes_;
};

}  // namespace

TEST_CASE("the list is read in its order") {
  FakeMemory memory;
  memory.put_debug(0x1000, 1, 0x2000, 0);
  memory.put_link(0x2000, 0x10000, 0x3000, 0x2100);
  memory.put_link(0x2100, 0x20000, 0x3010, 0);
  memory.put_text(0x3000, "");
  memory.put_text(0x3010, "/lib/a.so");
  const auto map = read_link_map({0x1000}, memory);
  REQUIRE(map);
  CHECK(map->consistent);
  CHECK(map->change_hook.value == 0x7000);
  REQUIRE(map->entries.size() == 2);
  CHECK(map->entries[0].name == "");
  CHECK(map->entries[1].name == "/lib/a.so");
  CHECK(map->entries[1].bias == 0x20000);
  CHECK(map->entries[1].dynamic.value == 0x20100);
}

TEST_CASE("every name space of r_debug_extended is read, and only where its version says so") {
  FakeMemory memory;
  memory.put_debug(0x1000, 2, 0x2000, 0, 0x1100);
  memory.put_debug(0x1100, 2, 0x2100, 0, 0);
  memory.put_link(0x2000, 0x10000, 0, 0);
  memory.put_link(0x2100, 0x20000, 0, 0);
  const auto both = read_link_map({0x1000}, memory);
  REQUIRE(both);
  REQUIRE(both->entries.size() == 2);
  CHECK(both->entries[0].name_space == 0);
  CHECK(both->entries[1].name_space == 1);
  memory.put_debug(0x1000, 1, 0x2000, 0, 0x1100);
  CHECK(read_link_map({0x1000}, memory)->entries.size() == 1);
}

TEST_CASE("a change in progress is told from a finished one, in any name space") {
  FakeMemory memory;
  memory.put_debug(0x1000, 2, 0x2000, 0, 0x1100);
  memory.put_debug(0x1100, 2, 0, 1, 0);  // RT_ADD
  memory.put_link(0x2000, 0x10000, 0, 0);
  CHECK_FALSE(read_link_map({0x1000}, memory)->consistent);
}

TEST_CASE("nonsense is refused and ends") {
  FakeMemory memory;
  CHECK_FALSE(read_link_map({0x1000}, memory));  // not mapped
  memory.put_debug(0x1000, 0, 0x2000, 0);
  CHECK_FALSE(read_link_map({0x1000}, memory));  // not set up yet
  memory.put_debug(0x1000, 1, 0x2000, 0);
  CHECK_FALSE(read_link_map({0x1000}, memory));  // the list is not mapped
  memory.put_link(0x2000, 0, 0, 0x2000);
  CHECK_FALSE(read_link_map({0x1000}, memory));  // its own successor
  memory.put_link(0x2000, 0, 0, 0x2100);
  memory.put_link(0x2100, 0, 0, 0x2000);
  CHECK_FALSE(read_link_map({0x1000}, memory));  // a ring
  memory.put_link(0x2000, 0, 0, 0);
  memory.put_debug(0x1000, 2, 0x2000, 0, 0x1000);  // the name spaces form a ring: the first is good
  const auto map = read_link_map({0x1000}, memory);
  REQUIRE(map);
  CHECK(map->entries.size() == 1);
  memory.put_link(0x2000, 0, 0x9000, 0);  // its name is not mapped
  CHECK(read_link_map({0x1000}, memory)->entries[0].name == "");
}

TEST_CASE("DT_DEBUG is found in the dynamic section, which may lack its end") {
  FakeMemory memory;
  memory.put(0x1000, Elf64_Dyn{.d_tag = DT_NEEDED, .d_un = {.d_val = 1}});
  CHECK_FALSE(find_r_debug({0x1000}, memory));  // unreadable behind the first
  memory.put(0x1010, Elf64_Dyn{.d_tag = DT_DEBUG, .d_un = {.d_ptr = 0}});
  memory.put(0x1020, Elf64_Dyn{.d_tag = DT_NULL, .d_un = {.d_val = 0}});
  CHECK_FALSE(find_r_debug({0x1000}, memory));  // the loader has not filled it in
  memory.put(0x1010, Elf64_Dyn{.d_tag = DT_DEBUG, .d_un = {.d_ptr = 0x4000}});
  CHECK(find_r_debug({0x1000}, memory) == LoadAddr{0x4000});
  CHECK_FALSE(find_r_debug({0}, memory));
}

TEST_CASE("the program's headers give bias and dynamic section") {
  FakeMemory memory;
  const std::uint64_t base = 0x555500000000;
  Elf64_Phdr headers[2]{};
  headers[0].p_type = PT_PHDR;
  headers[0].p_vaddr = 0x40;
  headers[1].p_type = PT_DYNAMIC;
  headers[1].p_vaddr = 0x2000;
  memory.put(base + 0x40, headers);
  os::AuxVector auxv{.phdr = base + 0x40, .phent = sizeof(Elf64_Phdr), .phnum = 2};
  const auto found = read_program_headers(auxv, memory);
  CHECK(found.bias == base);
  CHECK(found.dynamic.value == base + 0x2000);
  auxv.phnum = 1U << 30;  // garbage
  CHECK_FALSE(read_program_headers(auxv, memory).bias);
}
