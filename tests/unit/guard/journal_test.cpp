// The journal's file: what is written is read again, whatever state it was left in; what is no journal is said to be
// none.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "daemon/guard/journal.hpp"
#include "daemon/guard/journal_file.hpp"
#include "daemon/guard/rewind.hpp"
#include "daemon/os/proc.hpp"
#include "tests/support/folder.hpp"

using namespace trapline;
using namespace trapline::guard;

namespace {

class Folder : public trapline::test::Folder {
 public:
  std::filesystem::path only() const {
    std::vector<std::filesystem::path> files;
    for (const auto& file : std::filesystem::directory_iterator(path())) files.push_back(file.path());
    REQUIRE(files.size() == 1);
    return files[0];
  }
  bool empty() const { return std::filesystem::is_empty(path()); }
};

const Pid self{::getpid()};

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}
void write(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::array<std::byte, 1> byte(unsigned value) { return {static_cast<std::byte>(value)}; }

std::vector<Entry> entries_of(const std::filesystem::path& file, RecordKind kind) {
  const auto journal = read_journal(file);
  REQUIRE(journal);
  std::vector<Entry> found;
  std::ranges::copy_if(journal->entries, std::back_inserter(found), [&](const Entry& e) { return e.kind == kind; });
  return found;
}

}  // namespace

TEST_CASE("a journal names its process and its owner, and tells what stands there now") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  const auto file = folder.only();
  CHECK(file.filename() == journal_name(self, os::start_time(self).value()));
  REQUIRE(journal->will_patch(LoadAddr{0x1000}, byte(0x55)));
  REQUIRE(journal->will_patch(LoadAddr{0x2000}, byte(0x48)));
  REQUIRE(journal->will_patch(LoadAddr{0x1000}, byte(0xcc)));  // the first original stays
  const auto read = read_journal(file).value();
  CHECK(read.pid == self);
  CHECK(read.owner == self);
  CHECK(read.start_time == os::start_time(self).value());
  const auto patches = entries_of(file, RecordKind::text_patch);
  REQUIRE(patches.size() == 2);
  CHECK(patches[0].at == 0x1000);
  CHECK(patches[0].bytes == std::vector{std::byte{0x55}});
  CHECK(patches[1].at == 0x2000);
  journal->did_restore(LoadAddr{0x1000});
  journal->did_restore(LoadAddr{0x1000});
  CHECK(entries_of(file, RecordKind::text_patch).size() == 1);
  journal->did_exec();
  CHECK(entries_of(file, RecordKind::text_patch).empty());
  journal->close();
  CHECK(folder.empty());
}

TEST_CASE("long originals and masks go over several records and come back whole") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  std::vector<std::byte> original(200);
  for (std::size_t i = 0; i < original.size(); ++i) original[i] = static_cast<std::byte>(i + 1);
  REQUIRE(journal->will_patch(LoadAddr{0x1000}, original));
  std::vector<std::byte> mask(1024);
  mask[0] = std::byte{3};
  mask[500] = std::byte{0x80};
  journal->pinned(Tid{77}, mask);
  CHECK(entries_of(folder.only(), RecordKind::text_patch).at(0).bytes == original);
  const auto pins = entries_of(folder.only(), RecordKind::thread_pinned);
  REQUIRE(pins.size() == 1);
  CHECK(pins[0].at == 77);
  CHECK(pins[0].bytes.size() == 501);  // zeros at the end say nothing
  CHECK(std::equal(pins[0].bytes.begin(), pins[0].bytes.end(), mask.begin()));
  journal->unpinned(Tid{77});
  CHECK(entries_of(folder.only(), RecordKind::thread_pinned).empty());
  journal->close();
}

TEST_CASE("the file grows with what stands at one time, not with what came and went") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  const auto small = std::filesystem::file_size(folder.only());
  for (std::uint64_t i = 0; i < 20000; ++i) {
    REQUIRE(journal->will_patch(LoadAddr{0x1000 + i}, byte(0x55)));
    journal->did_restore(LoadAddr{0x1000 + i});
  }
  CHECK(std::filesystem::file_size(folder.only()) == small);
  for (std::uint64_t i = 0; i < 3000; ++i) REQUIRE(journal->will_patch(LoadAddr{0x1000 + i}, byte(0x55)));
  CHECK(std::filesystem::file_size(folder.only()) > small);
  CHECK(entries_of(folder.only(), RecordKind::text_patch).size() == 3000);
  journal->close();
}

TEST_CASE("a journal that goes without patches takes its file along; one with patches leaves it") {
  Folder folder;
  { auto journal = create_journal(folder.path(), self).value(); }
  CHECK(folder.empty());
  {
    auto journal = create_journal(folder.path(), self).value();
    journal->slots_mapped({LoadAddr{0x5000}, LoadAddr{0x6000}});
  }
  CHECK(folder.empty());
  {
    auto journal = create_journal(folder.path(), self).value();
    REQUIRE(journal->will_patch(LoadAddr{0x1000}, byte(0x55)));
  }
  CHECK(entries_of(folder.only(), RecordKind::text_patch).size() == 1);
}

TEST_CASE("a second session on the same process is refused while the first one's journal is open") {
  Folder folder;
  auto first = create_journal(folder.path(), self).value();
  REQUIRE(first->will_patch(LoadAddr{0x10}, byte(0x55)));  // unmapped: there is nothing of ours there
  // The file of an owner that lives is nobody else's to recover.
  CHECK(recover_all(folder.path()).empty());
  CHECK(recover_all(folder.path(), self).empty());
  CHECK(entries_of(folder.only(), RecordKind::text_patch).size() == 1);
  first->close();
}

TEST_CASE("a cut-off journal gives the records that are there, never half a one") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  std::vector<std::byte> original(100, std::byte{7});
  for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(journal->will_patch(LoadAddr{0x1000 + i}, original));
  const auto whole = bytes_of(folder.only());
  const auto copy = folder / "copy";
  std::size_t before = 0;
  for (std::size_t size = 0; size < 64 + 70 * 64; size += 13) {
    write(copy, std::string_view(whole).substr(0, size));
    const auto read = read_journal(copy);
    if (size < 64) {
      REQUIRE_FALSE(read);
      CHECK(read.error().code == Errc::bad_request);
      continue;
    }
    REQUIRE(read);
    for (const auto& entry : read->entries) CHECK(entry.bytes == original);
    CHECK(read->entries.size() >= before);
    before = read->entries.size();
  }
  CHECK(before == 20);
  journal->close();
}

TEST_CASE("another version, another file, no file") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  auto bytes = bytes_of(folder.only());
  journal->close();
  const auto file = folder / "x";
  bytes[0] = '9';
  write(file, bytes);
  REQUIRE_FALSE(read_journal(file));
  CHECK(read_journal(file).error().code == Errc::bad_request);
  CHECK(read_journal(file).error().message.find("version") != std::string::npos);
  write(file, "");
  CHECK(read_journal(file).error().code == Errc::bad_request);
  std::filesystem::remove(file);
  CHECK(read_journal(file).error().code == Errc::os);
  std::filesystem::create_symlink("/etc/passwd", file);
  CHECK(read_journal(file).error().code == Errc::os);
  CHECK(recover(file).restored == 0);
  CHECK(std::filesystem::is_symlink(file));
}

TEST_CASE("whatever bytes a journal holds: no entry is bigger than what was written, and reading ends") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  for (std::uint64_t i = 0; i < 50; ++i) REQUIRE(journal->will_patch(LoadAddr{0x1000 + i * 16}, byte(0x55)));
  const auto whole = bytes_of(folder.only());
  journal->close();
  std::mt19937_64 random(42);
  const auto file = folder / "x";
  for (int round = 0; round < 300; ++round) {
    auto bytes = whole;
    for (int k = 0; k < 40; ++k) bytes[64 + random() % (bytes.size() - 64)] = static_cast<char>(random());
    write(file, bytes);
    const auto read = read_journal(file);
    REQUIRE(read);
    for (const auto& entry : read->entries) {
      CHECK(entry.kind != RecordKind::free);
      CHECK(entry.bytes.size() <= 65536);
    }
  }
}

TEST_CASE("recover: a byte that is ours goes back, twice does no harm, what is not ours stays") {
  // Data of this very process stands for a program's text; the journal is of an owner that died.
  static unsigned char code[3] = {0xcc, 0x90, 0xcc};
  const auto at = [&](int i) { return LoadAddr{reinterpret_cast<std::uint64_t>(&code[i])}; };
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  REQUIRE(journal->will_patch(at(0), byte(0x55)));
  REQUIRE(journal->will_patch(at(1), byte(0x56)));  // restored by somebody before: no trap there
  REQUIRE(journal->will_patch(at(2), byte(0x57)));
  REQUIRE(journal->will_patch(LoadAddr{0x10}, byte(0x58)));  // unmapped
  auto bytes = bytes_of(folder.only());
  journal->close();
  const std::uint64_t long_ago = 1;
  std::memcpy(bytes.data() + offsetof(Header, owner_start_time), &long_ago, sizeof long_ago);
  const auto file = folder / "1-1.journal";
  write(file, bytes);
  const auto all = recover_all(folder.path());
  REQUIRE(all.size() == 1);
  CHECK(all[0].alive);
  CHECK(all[0].pid == self);
  CHECK(all[0].restored == 2);
  CHECK(all[0].failed == 0);
  CHECK(code[0] == 0x55);
  CHECK(code[1] == 0x90);
  CHECK(code[2] == 0x57);
  CHECK_FALSE(std::filesystem::exists(file));
  code[2] = 0x58;
  write(file, bytes);
  CHECK(recover(file).restored == 0);
  CHECK(code[0] == 0x55);
  CHECK(code[2] == 0x58);
}

TEST_CASE("recover: a pid that is another process by now is left alone") {
  static unsigned char code[1] = {0xcc};
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  REQUIRE(journal->will_patch(LoadAddr{reinterpret_cast<std::uint64_t>(code)}, byte(0x55)));
  auto bytes = bytes_of(folder.only());
  journal->close();
  const std::uint64_t other = 1;
  std::memcpy(bytes.data() + offsetof(Header, start_time), &other, sizeof other);
  std::memcpy(bytes.data() + offsetof(Header, owner_start_time), &other, sizeof other);
  const auto file = folder / "1-1.journal";
  write(file, bytes);
  const auto done = recover(file);
  CHECK_FALSE(done.alive);
  CHECK(done.restored == 0);
  CHECK(code[0] == 0xcc);
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("recover_all asks for the journals of one owner only, and leaves other files") {
  Folder folder;
  auto journal = create_journal(folder.path(), self).value();
  auto bytes = bytes_of(folder.only());
  journal->close();
  const std::uint64_t long_ago = 1;
  std::memcpy(bytes.data() + offsetof(Header, owner_start_time), &long_ago, sizeof long_ago);
  write(folder / "1-1.journal", bytes);
  write(folder / "readme", "x");
  CHECK(recover_all(folder.path(), Pid{1}).empty());
  CHECK(recover_all(folder.path(), self).size() == 1);
  CHECK(folder.only().filename() == "readme");
  CHECK(recover_all(folder / "nowhere").empty());
}

TEST_CASE("only behind the first byte of a longer instruction can nobody stand but by a trap") {
  const auto patch = [](unsigned opcode) {
    return Entry{.kind = RecordKind::text_patch, .at = 0x1000, .bytes = {static_cast<std::byte>(opcode)}};
  };
  CHECK(stands_behind(0x1001, patch(0x48)));
  CHECK(stands_behind(0x1001, patch(0xe8)));
  CHECK_FALSE(stands_behind(0x1000, patch(0x48)));
  CHECK_FALSE(stands_behind(0x1002, patch(0x48)));
  for (const unsigned one : {0x55U, 0x90U, 0xc3U, 0xc9U, 0xccU}) CHECK_FALSE(stands_behind(0x1001, patch(one)));
  CHECK_FALSE(stands_behind(0x1001, Entry{.kind = RecordKind::text_patch, .at = 0x1000, .bytes = {}}));
}
