// The index as a file: what is damaged, foreign or old is never believed, writers do not disturb each other.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "daemon/index/build.hpp"
#include "daemon/index/store.hpp"
#include "tests/unit/index/sections.hpp"

namespace trapline::index {
namespace {

struct Made {
  Key key;
  std::vector<std::byte> bytes;
};

Made index_of(const std::string& name) {
  const auto path = test::fixture(name);
  const auto file = DebugFile::open(path);
  REQUIRE(file);
  auto key = key_of(path);
  REQUIRE(key);
  auto bytes = build(*file, nullptr, *key, {.threads = 1});
  REQUIRE(bytes);
  return {*std::move(key), *std::move(bytes)};
}

// Everything that can be asked of an index; how many answers came.
std::size_t ask_all(const Index& index) {
  std::size_t answers = 0;
  for (std::size_t i = 0; i < index.unit_count(); ++i)
    if (const auto unit = index.unit(i)) {
      ++answers;
      if (index.unit_with_offset(unit->row.offset, unit->is(UnitRow::alternate))) ++answers;
    }
  index.each_name([&](std::string_view name, std::span<const Index::Entry> entries) {
    for (const auto& entry : entries) {
      ++answers;
      if (const auto path = index.path_of(entry.scope)) answers += path->size();
      answers += index.instances_of(entry.die, false).size();
      if (const auto unit = index.unit(entry.unit); unit && unit->row.offset > entry.die) break;
    }
    answers += index.with_base(base_of(name)).size();
    return true;
  });
  index.each_file([&](std::string_view path) {
    for (const auto& file : index.files_named(path.substr(path.rfind('/') + 1))) answers += file.units.size();
  });
  for (std::uint64_t at = 0; at < 0x10000; at += 0x101)
    if (index.unit_at(at)) answers += index.units_in(at, at + 64).size();
  answers += index.problem().size();
  return answers;
}

TEST_CASE("an index is the same from memory and from its file") {
  const test::Folder folder;
  const auto made = index_of("code_shapes.O2");
  const Store store(folder / "deep/er");
  CHECK(store.load(made.key) == nullptr);
  REQUIRE(store.save(made.key, made.bytes));
  CHECK(store.has(made.key));
  const auto kept = store.load(made.key);
  REQUIRE(kept);
  const auto fresh = Index::from_bytes(made.bytes, made.key);
  REQUIRE(fresh);
  CHECK(ask_all(*kept) == ask_all(**fresh));
  CHECK(ask_all(*kept) > 100);
  CHECK_FALSE(kept->damaged());
  struct stat about {};
  REQUIRE(::stat((folder / "deep/er").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
}

TEST_CASE("a file that was cut off anywhere is refused") {
  const auto made = index_of("code_shapes");
  REQUIRE(made.bytes.size() > block_size);
  // Every length in the tables at the beginning, and a sample of the rest.
  for (std::size_t size = 0; size < made.bytes.size(); size += size < 2048 || made.bytes.size() - size < 64 ? 1 : 509) {
    const std::vector<std::byte> cut(made.bytes.begin(), made.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE_FALSE(Index::from_bytes(cut, made.key));
  }
  auto longer = made.bytes;
  longer.push_back(std::byte{0});
  CHECK_FALSE(Index::from_bytes(longer, made.key));
}

TEST_CASE("a flipped byte is noticed before anything of its block is told") {
  const auto made = index_of("code_shapes.O2");
  const auto whole = Index::from_bytes(made.bytes, made.key);
  REQUIRE(whole);
  const std::size_t answers = ask_all(**whole);
  std::size_t refused = 0, noticed = 0;
  for (std::size_t at = 0; at < made.bytes.size(); at += 131) {
    auto bytes = made.bytes;
    bytes[at] ^= std::byte{0x10};
    const auto index = Index::from_bytes(std::move(bytes), made.key);
    if (!index) {
      ++refused;
      continue;
    }
    REQUIRE(ask_all(**index) <= answers);
    REQUIRE((*index)->damaged());
    CHECK((*index)->with_base("run").empty());
    ++noticed;
  }
  CHECK(refused > 0);
  CHECK(noticed > 0);
}

TEST_CASE("a file that proves damaged while it is read goes") {
  const test::Folder folder;
  const auto made = index_of("code_shapes.O2");
  const Store store(folder / "cache");
  auto bytes = made.bytes;
  for (std::size_t at = block_size; at < bytes.size(); at += 64) bytes[at] ^= std::byte{1};
  REQUIRE(store.save(made.key, bytes));
  const auto index = store.load(made.key);
  REQUIRE(index);
  CHECK(index->with_base("run").empty());
  CHECK(index->damaged());
  CHECK_FALSE(std::filesystem::exists(store.path_of(made.key)));
}

// What a checksum cannot tell: numbers that were wrong when they were written.
TEST_CASE("numbers that lead out of the tables are not followed, right checksums or not") {
  const auto made = index_of("code_shapes.O2");
  std::uint64_t random = 88172645463325252ULL;
  const auto next = [&] { return random ^= random << 13, random ^= random >> 7, random ^= random << 17; };
  for (int round = 0; round < 300; ++round) {
    auto bytes = made.bytes;
    for (int n = 0; n < 200; ++n)
      bytes[block_size + next() % (bytes.size() - block_size)] = static_cast<std::byte>(next());
    seal(bytes);
    const auto index = Index::from_bytes(std::move(bytes), made.key);
    REQUIRE(index);
    ask_all(**index);
  }
}

TEST_CASE("foreign files, other versions and other programs' indexes are no index") {
  const auto made = index_of("code_shapes");
  const auto with = [&](std::size_t at, std::uint8_t value) {
    auto bytes = made.bytes;
    bytes[at] = static_cast<std::byte>(value);
    seal(bytes);
    return Index::from_bytes(std::move(bytes), made.key);
  };
  CHECK(with(0, 'X').error().message.find("no index file") != std::string::npos);
  CHECK(with(offsetof(Header, version), 77).error().message.find("of format 77") != std::string::npos);
  const auto other = Index::from_bytes(made.bytes, Key::of("another"));
  REQUIRE_FALSE(other);
  CHECK(other.error().message.find("of another file") != std::string::npos);
}

TEST_CASE("a damaged file of the folder is removed, so that it is built again") {
  const test::Folder folder;
  const auto made = index_of("code_shapes");
  const Store store(folder / "cache");
  REQUIRE(store.save(made.key, made.bytes));
  const auto path = store.path_of(made.key);
  std::filesystem::resize_file(path, made.bytes.size() / 2);
  CHECK(store.load(made.key) == nullptr);
  CHECK_FALSE(std::filesystem::exists(path));
  // A folder, a fifo or a link in its place is nobody's index, and opening it does not hang.
  REQUIRE(::symlink("/dev/zero", path.c_str()) == 0);
  CHECK(store.load(made.key) == nullptr);
}

TEST_CASE("a file without build-id is known by what it is on disk") {
  const test::Folder folder;
  const auto copy = folder / "copy";
  std::filesystem::copy_file(test::fixture("code_shapes"), copy);
  REQUIRE(std::system(("objcopy --remove-section .note.gnu.build-id " + copy).c_str()) == 0);
  const auto first = key_of(copy);
  REQUIRE(first);
  CHECK(first->name.starts_with("file-"));
  CHECK(key_of(copy)->name == first->name);
  std::filesystem::last_write_time(copy, std::filesystem::last_write_time(copy) - std::chrono::hours(1));
  CHECK(key_of(copy)->name != first->name);
  CHECK_FALSE(key_of(folder / "missing"));
  CHECK(key_of(test::fixture("code_shapes"))->name != key_of(test::fixture("code_shapes.O2"))->name);
}

TEST_CASE("writers at the same time leave one whole file") {
  const test::Folder folder;
  const auto made = index_of("code_shapes");
  const Store store(folder / "cache");
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 4; ++i)
      writers.emplace_back([&] {
        for (int n = 0; n < 25; ++n)
          if (!store.save(made.key, made.bytes)) return;
      });
    for (int n = 0; n < 100; ++n)
      if (const auto index = store.load(made.key)) REQUIRE_FALSE(index->with_base("main").empty());
  }
  REQUIRE(store.load(made.key));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder / "cache")) ++files;
  CHECK(files == 1);
}

TEST_CASE("the folder stays bounded; what was used least recently goes first") {
  const test::Folder folder;
  const auto file = DebugFile::open(test::fixture("code_shapes"));
  REQUIRE(file);
  const auto image = [&](const Key& key) { return *build(*file, nullptr, key, {.threads = 1}); };
  const auto size = image(Key::of("any")).size();
  const Store store(folder / "cache", size * 3 + size / 2);
  const auto key = [](int i) { return Key::of("program-" + std::to_string(i)); };
  const auto aged = [&](int i, int hours) {
    std::filesystem::last_write_time(store.path_of(key(i)),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (int i = 0; i < 3; ++i) {
    REQUIRE(store.save(key(i), image(key(i))));
    aged(i, 10 - i);
  }
  std::ofstream(folder / "cache/old.part-x1y2z3") << "interrupted";
  std::filesystem::last_write_time(folder / "cache/old.part-x1y2z3",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  REQUIRE(store.load(key(0)));  // the oldest, and in use again
  REQUIRE(store.save(key(3), image(key(3))));
  CHECK_FALSE(std::filesystem::exists(store.path_of(key(1))));
  CHECK(std::filesystem::exists(store.path_of(key(2))));
  CHECK(std::filesystem::exists(store.path_of(key(3))));
  CHECK_FALSE(std::filesystem::exists(folder / "cache/old.part-x1y2z3"));
}

TEST_CASE("what can be read of a real file's debug information is the same compressed or not") {
  const auto plain = index_of("code_shapes"), packed = index_of("code_shapes.compressed");
  const auto names = [](const Made& made) {
    std::size_t count = 0;
    const auto index = Index::from_bytes(made.bytes, made.key);
    REQUIRE(index);
    (*index)->each_name([&](auto, auto entries) { return count += entries.size(), true; });
    return count;
  };
  CHECK(names(plain) > 20);
  CHECK(names(plain) == names(packed));
  CHECK(names(index_of("find_shapes.gcc.5")) > 20);
  CHECK(names(index_of("find_shapes.gcc.5")) == names(index_of("find_shapes.gcc.5.zstd")));
}

TEST_CASE("a section compressed with zstd that is damaged, or claims too much, is no file to index") {
  const test::Folder folder;
  const auto path = folder / "program";
  std::filesystem::copy_file(test::fixture("find_shapes.gcc.5.zstd"), path);
  const auto whole = test::section_of(path, ".debug_info");  // objcopy inflates it
  REQUIRE(whole.size() > 100);
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  // zstd's magic; in front of it the section's header: type 2, the size, the alignment.
  const auto frame = bytes.find("\x28\xb5\x2f\xfd");
  REQUIRE(frame != std::string::npos);
  const auto at = frame - 24;
  REQUIRE(bytes[at] == 2);
  REQUIRE(DebugFile::open(path));
  for (const auto& [offset, value] :
       {std::pair(frame + 40, '\x7e'), std::pair(frame, '\0'), std::pair(at + 14, '\x7f')}) {
    auto damaged = bytes;
    for (std::size_t i = 0; i < 4; ++i) damaged[offset + (i % 2)] = value;
    std::ofstream(folder / "damaged", std::ios::binary) << damaged;
    const auto opened = DebugFile::open(folder / "damaged");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::bad_debug_info);
  }
}

}  // namespace
}  // namespace trapline::index
