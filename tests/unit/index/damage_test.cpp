// Damage whose cost is what matters: what little bytes of a file claim is bounded by what its sections can hold; and
// files that lose their bytes while they are read.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "daemon/index/build.hpp"
#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/store.hpp"
#include "daemon/util/fd.hpp"
#include "tests/unit/index/elf_maker.hpp"
#include "tests/unit/index/sections.hpp"

namespace trapline::index {
namespace {

using test::abbreviation;
using test::ByteMaker;

const Key key = Key::of("test");

std::shared_ptr<const DebugFile> file_of(const std::map<std::string, std::string>& sections) {
  const auto file = DebugFile::from_bytes(test::elf_with(sections), "made");
  REQUIRE(file);
  return *file;
}

std::shared_ptr<const Index> indexed(const std::map<std::string, std::string>& sections) {
  auto bytes = build(file_of(sections), nullptr, key, {.threads = 1});
  REQUIRE(bytes);
  const auto index = Index::from_bytes(*std::move(bytes), key);
  REQUIRE(index);
  return *index;
}

std::string times(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST_CASE("a thousand units that lead to one long list of addresses") {
  const auto root = abbreviation(1, dw::tag_compile_unit, false, {{dw::at_ranges, dw::form_sec_offset}});
  const ByteMaker unit = ByteMaker().u16(4).u32(0).u8(8).uleb(1).u32(0);
  ByteMaker list;
  for (unsigned i = 0; i < 20000; ++i)
    list.u64(test::code_begin + i % 256 * 16).u64(test::code_begin + i % 256 * 16 + 8);
  const auto index = indexed({{".debug_info", times(unit.with_length(), 1000)},
                              {".debug_abbrev", root + std::string(1, '\0')},
                              {".debug_ranges", list.u64(0).u64(0).bytes()}});
  CHECK(index->unit_count() == 1000);
  CHECK(index->bytes().size() < 64 << 20);
  CHECK(index->problem().find("say more than their sections can hold") != std::string_view::npos);
  CHECK(index->unit_at(test::code_begin + 4));
}

TEST_CASE("functions that lead to one long list of addresses outside of all code") {
  const auto root = abbreviation(1, dw::tag_compile_unit, true, {});
  const auto function = abbreviation(2, dw::tag_subprogram, false,
                                     {{dw::at_name, dw::form_string}, {dw::at_ranges, dw::form_sec_offset}});
  ByteMaker dies;
  dies.u16(4).u32(0).u8(8).uleb(1);
  for (int i = 0; i < 20000; ++i) dies.uleb(2).text("f").u32(0);
  ByteMaker list;
  for (unsigned i = 0; i < 50000; ++i) list.u64(16).u64(8);
  const auto index = indexed({{".debug_info", dies.u8(0).with_length()},
                              {".debug_abbrev", root + function + std::string(1, '\0')},
                              {".debug_ranges", list.u64(0).u64(0).bytes()}});
  CHECK(index->with_base("f").empty());
  CHECK(index->has_damaged_units());
}

// A DWARF 4 table: one folder, `files` files in it.
std::string line_table(const std::string& folder, int files) {
  ByteMaker header;
  header.u16(4).u32(0).u8(1).u8(1).u8(1).u8(0).u8(1).u8(1);
  header.text(folder).u8(0);
  for (int i = 0; i < files; ++i) header.text("file" + std::to_string(i) + ".h").uleb(1).uleb(0).uleb(0);
  return header.u8(0).with_length();
}

std::map<std::string, std::string> units_with_lines(const std::string& table, int units) {
  const auto root = abbreviation(1, dw::tag_compile_unit, false,
                                 {{dw::at_comp_dir, dw::form_string}, {dw::at_stmt_list, dw::form_sec_offset}});
  const ByteMaker unit = ByteMaker().u16(4).u32(0).u8(8).uleb(1).text("/build").u32(0);
  return {{".debug_info", times(unit.with_length(), units)},
          {".debug_abbrev", root + std::string(1, '\0')},
          {".debug_line", table}};
}

TEST_CASE("a line table that many units share is read for the first") {
  const auto index = indexed(units_with_lines(line_table("/include", 300), 500));
  const auto files = index->files_named("file7.h");
  REQUIRE(files.size() == 1);
  CHECK(files[0].path == "/include/file7.h");
  CHECK(files[0].units == std::vector<std::uint32_t>{0});
}

TEST_CASE("paths longer than any path are none") {
  const auto index = indexed(units_with_lines(line_table("/" + std::string(100000, 'd'), 3000), 1));
  std::size_t longest = 0;
  index->each_file([&](std::string_view path) { longest = std::max(longest, path.size()); });
  CHECK(longest <= 4096);
  CHECK(index->bytes().size() < 16 << 20);
}

TEST_CASE("names that begin everywhere within one long text") {
  const auto root = abbreviation(1, dw::tag_compile_unit, true, {});
  const auto type = abbreviation(2, dw::tag_base_type, false, {{dw::at_name, dw::form_strp}});
  ByteMaker dies;
  dies.u16(4).u32(0).u8(8).uleb(1);
  constexpr unsigned size = 1 << 20;
  for (unsigned i = 0; i < 50000; ++i) dies.uleb(2).u32(i);
  const auto index = indexed({{".debug_info", dies.u8(0).with_length()},
                              {".debug_abbrev", root + type + std::string(1, '\0')},
                              {".debug_str", std::string(size, 'n') + std::string(1, '\0')}});
  CHECK(index->has_damaged_units());
  CHECK(index->bytes().size() < 256 << 20);
}

TEST_CASE("an order to stop is heard within a unit") {
  const auto root = abbreviation(1, dw::tag_compile_unit, true, {});
  const auto type = abbreviation(2, dw::tag_base_type, false, {{dw::at_name, dw::form_string}});
  ByteMaker dies;
  dies.u16(4).u32(0).u8(8).uleb(1);
  for (unsigned i = 0; i < 50000; ++i) dies.uleb(2).text("t" + std::to_string(i));
  const auto units = UnitTable::of(
      file_of({{".debug_info", dies.u8(0).with_length()}, {".debug_abbrev", root + type + std::string(1, '\0')}}),
      nullptr);
  const std::atomic<bool> stop = true;
  Harvest some, all;
  const auto stopped = Scanner(units, some, &stop).scan(0, true);
  CHECK(stopped.problem.empty());
  CHECK(some.entries.size() < 5000);
  Scanner(units, all).scan(0, true);
  CHECK(all.entries.size() == 50000);
}

// ---- files that lose their bytes

class Copy {
 public:
  explicit Copy(const std::string& name) { std::filesystem::copy_file(test::fixture(name), path()); }
  std::string path() const { return folder_ / "copy"; }
  void truncate(std::uintmax_t size) const { std::filesystem::resize_file(path(), size); }

 private:
  test::Folder folder_;
};

TEST_CASE("a file that is truncated before it is scanned has no index, and ends nobody") {
  const Copy copy("code_shapes");
  const auto file = DebugFile::open(copy.path());
  REQUIRE(file);
  CHECK_FALSE((*file)->lost());
  copy.truncate(4096);
  const auto built = build(*file, nullptr, key, {.threads = 4});
  REQUIRE_FALSE(built);
  CHECK(built.error().message.find("was truncated while it was indexed") != std::string::npos);
  CHECK((*file)->lost());
  CHECK_FALSE(DebugFile::open(copy.path() + ".missing"));
}

TEST_CASE("an index whose file is truncated while it is mapped answers nothing, and its file goes") {
  const test::Folder folder;
  const Store store(folder / "cache");
  const auto path = test::fixture("code_shapes");
  const auto file = DebugFile::open(path);
  REQUIRE(file);
  const auto name = key_of(path);
  REQUIRE(name);
  const auto bytes = build(*file, nullptr, *name, {.threads = 1});
  REQUIRE(bytes);
  REQUIRE(store.save(*name, *bytes));
  const auto index = store.load(*name);
  REQUIRE(index);
  std::filesystem::resize_file(store.path_of(*name), 4096);
  CHECK(index->with_base("main").empty());
  CHECK(index->damaged());
  CHECK_FALSE(std::filesystem::exists(store.path_of(*name)));
}

// Two pages of a file, mapped; then there is one.
struct Shrunk {
  test::Folder folder;
  volatile const char* at = nullptr;
  static constexpr std::size_t page = 4096;

  Shrunk() {
    const util::Fd file(::open((folder / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(file);
    REQUIRE(::ftruncate(file.get(), 2 * page) == 0);
    REQUIRE(::pwrite(file.get(), "x", 1, 0) == 1);
    void* mapped = ::mmap(nullptr, 2 * page, PROT_READ, MAP_PRIVATE, file.get(), 0);
    REQUIRE(mapped != MAP_FAILED);
    at = static_cast<volatile const char*>(mapped);
    REQUIRE(::ftruncate(file.get(), page) == 0);
  }
  ~Shrunk() { ::munmap(const_cast<char*>(at), 2 * page); }
  util::LostPages cover() const { return {const_cast<char*>(at), 2 * page}; }
};

TEST_CASE("lost pages read as zeros and are told of, each map for itself") {
  const Shrunk one, two;
  auto moved = one.cover();
  const util::LostPages first(std::move(moved)), second = two.cover();
  CHECK(one.at[0] == 'x');
  CHECK_FALSE(first.lost());
  CHECK(one.at[Shrunk::page + 5] == 0);
  CHECK(first.lost());
  CHECK_FALSE(second.lost());
  CHECK(one.at[0] == 'x');
}

TEST_CASE("a bus error of what nobody covers ends the process as ever") {
  const Shrunk covered, open;
  { const auto gone = open.cover(); }
  const auto held = covered.cover();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(20);
    if (covered.at[Shrunk::page] != 0) ::_exit(101);
    ::_exit(open.at[Shrunk::page] == 0 ? 102 : 103);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // Sanitizers handle the signal themselves: what was there before us hears of it, and ends the process its own way.
  CHECK((WIFSIGNALED(status) || (WEXITSTATUS(status) > 0 && WEXITSTATUS(status) < 101)));
#else
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGBUS);
#endif
}

TEST_CASE("slots are used again, and there are enough") {
  const Shrunk shrunk;
  std::vector<util::LostPages> many;
  for (int i = 0; i < 3000; ++i) many.push_back(shrunk.cover());
  many.clear();
  const auto last = shrunk.cover();
  CHECK_FALSE(last.lost());
  CHECK(shrunk.at[Shrunk::page] == 0);
  CHECK(last.lost());
}

}  // namespace
}  // namespace trapline::index
