// The scanner over real debug information with bytes changed, and indexes with wrong numbers under right checksums: no
// crash, no hang, no more than bounded memory.
#include <doctest/doctest.h>

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "daemon/index/build.hpp"
#include "tests/fuzz/mutate.hpp"

namespace trapline::fuzz {
namespace {

std::vector<std::byte> bytes_of(const char* name) {
  std::ifstream file(std::string(TL_FIXTURES "/") + name, std::ios::binary);
  REQUIRE(file.good());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

// Offset and size of the sections that are worth changing.
std::vector<std::pair<std::size_t, std::size_t>> debug_sections(const std::vector<std::byte>& file) {
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), file.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  const auto* names = reinterpret_cast<const char*>(file.data()) + sections[header.e_shstrndx].sh_offset;
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (const auto& section : sections)
    if (std::string_view(names + section.sh_name).starts_with(".debug_") && section.sh_size > 0)
      found.emplace_back(section.sh_offset, section.sh_size);
  return found;
}

std::size_t ask(const index::Index& index) {
  std::size_t answers = 0;
  index.each_name([&](std::string_view name, std::span<const index::Index::Entry> entries) {
    answers += index.with_base(index::base_of(name)).size();
    for (const auto& entry : entries) {
      if (const auto path = index.path_of(entry.scope)) answers += path->size();
      answers += index.instances_of(entry.die, false).size();
    }
    return answers < 100000;
  });
  index.each_file([&](std::string_view path) { answers += path.size(); });
  for (std::uint32_t i = 0; i < index.unit_count() && i < 1000; ++i)
    if (const auto unit = index.unit(i)) answers += unit->name.size();
  for (std::uint64_t at = 0; at < 8192; at += 64) answers += index.unit_at(at) ? 1 : 0;
  return answers;
}

const index::Key key = index::Key::of("fuzz");

TEST_CASE("changed debug information is read as far as it makes sense") {
  Random random(20260117);
  std::size_t answers = 0;
  for (const char* name : {"code_shapes.O2", "code_shapes.dwarf4", "code_shapes.clang", "code_shapes.compressed"}) {
    const auto file = bytes_of(name);
    const auto sections = debug_sections(file);
    REQUIRE(sections.size() > 3);
    for (int round = 0; round < 120; ++round) {
      auto changed = file;
      const auto changes = 1 + below(random, 24);
      for (std::size_t i = 0; i < changes; ++i) {
        const auto& [offset, size] = sections[below(random, sections.size())];
        changed[offset + below(random, size)] = static_cast<std::byte>(below(random, 3) == 0 ? 0xff : random());
      }
      const auto opened = index::DebugFile::from_bytes(changed, name);
      if (!opened) continue;
      auto bytes = index::build(*opened, nullptr, key, {.threads = 1});
      REQUIRE(bytes);
      CHECK(bytes->size() < std::size_t{64} << 20);
      const auto index = index::Index::from_bytes(*std::move(bytes), key);
      REQUIRE(index);
      answers += ask(**index);
      CHECK_FALSE((*index)->damaged());
      index::survey(*opened, nullptr);
    }
  }
  CHECK(answers > 0);
}

TEST_CASE("an index with wrong numbers is not followed out of its tables") {
  Random random(20260118);
  const auto file = bytes_of("code_shapes.O2");
  const auto opened = index::DebugFile::from_bytes(file, "code_shapes.O2");
  REQUIRE(opened);
  const auto made = index::build(*opened, nullptr, key, {.threads = 1});
  REQUIRE(made);
  for (int round = 0; round < 400; ++round) {
    auto changed = *made;
    const auto changes = 1 + below(random, 60);
    for (std::size_t i = 0; i < changes; ++i)
      changed[index::block_size + below(random, changed.size() - index::block_size)] =
          static_cast<std::byte>(below(random, 3) == 0 ? 0xff : random());
    index::seal(changed);
    const auto index = index::Index::from_bytes(std::move(changed), key);
    REQUIRE(index);
    ask(**index);
  }
}

}  // namespace
}  // namespace trapline::fuzz
