#include "daemon/guard/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <unordered_map>

#include "daemon/guard/journal_file.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/util/fd.hpp"
#include "daemon/util/log.hpp"

namespace trapline::guard {
namespace {

constexpr std::size_t first_capacity = 255;  // records; with the header 16 KiB

std::size_t file_size(std::size_t capacity) { return sizeof(Header) + capacity * sizeof(Record); }

// Thread: the session's one. Nobody else writes the file; readers look at it only after this process died.
class FileJournal final : public Journal {
 public:
  FileJournal(std::filesystem::path path, util::Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;
  ~FileJournal() override {
    if (patches_.empty() && pins_.empty()) close();
    if (base_ != nullptr) ::munmap(base_, file_size(capacity_));
  }

  Result<void> open(const Header& header) {
    TL_TRY_VOID(grow(first_capacity));
    Header first = header;
    first.magic = 0;
    std::memcpy(base_, &first, sizeof first);
    std::atomic_ref<std::uint64_t>(reinterpret_cast<Header*>(base_)->magic)
        .store(journal_magic, std::memory_order_release);
    return {};
  }

  Result<void> will_patch(LoadAddr at, std::span<const std::byte> original) override {
    if (patches_.contains(at.value)) return {};
    TL_TRY(auto records, append(RecordKind::text_patch, at.value, original));
    patches_.emplace(at.value, std::move(records));
    return {};
  }
  void did_restore(LoadAddr at) override { release(patches_, at.value); }
  void did_exec() override {
    for (auto* table : {&patches_, &slots_})
      while (!table->empty()) release(*table, table->begin()->first);
  }
  void pinned(Tid tid, std::span<const std::byte> affinity_before) override {
    const auto key = static_cast<std::uint64_t>(tid.value);
    if (pins_.contains(key)) return;  // the first mask is the program's own
    // Trailing zero bytes say nothing: a mask of a machine with 8192 possible CPUs is 1 KiB of them.
    const auto used =
        std::find_if(affinity_before.rbegin(), affinity_before.rend(), [](std::byte b) { return b != std::byte{0}; });
    auto records = append(RecordKind::thread_pinned, key, affinity_before.first(used.base() - affinity_before.begin()));
    if (!records) {
      log::warn("guard", "thread {}: its affinity is not journalled: {}", tid.value, records.error().message);
      return;
    }
    pins_.emplace(key, *std::move(records));
  }
  void unpinned(Tid tid) override { release(pins_, static_cast<std::uint64_t>(tid.value)); }
  void slots_mapped(LoadRange slots) override {
    if (slots_.contains(slots.begin.value)) return;
    const std::uint64_t end = slots.end.value;
    auto records = append(RecordKind::code_slots, slots.begin.value, std::as_bytes(std::span(&end, 1)));
    if (records) slots_.emplace(slots.begin.value, *std::move(records));
  }
  void close() override {
    if (std::exchange(closed_, true)) return;
    // Only our own file: after a recover() by somebody else a newer one may carry the name.
    struct stat mine {};
    struct stat named {};
    if (::fstat(fd_.get(), &mine) == 0 && ::stat(path_.c_str(), &named) == 0 && mine.st_ino == named.st_ino)
      ::unlink(path_.c_str());
  }

 private:
  using Table = std::unordered_map<std::uint64_t, std::vector<std::uint32_t>>;  // key -> its records

  Record& record(std::uint32_t index) {
    return *std::launder(reinterpret_cast<Record*>(base_ + sizeof(Header) + index * sizeof(Record)));
  }

  // posix_fallocate first: a store into a hole of a full file system is SIGBUS, and we hold somebody's program.
  Result<void> grow(std::size_t capacity) {
    if (const int err = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(file_size(capacity))); err != 0)
      return fail(Errc::os, fmt::format("cannot grow the journal {}: {}", path_.string(), strerror(err)), err);
    void* mapped = base_ == nullptr
                       ? ::mmap(nullptr, file_size(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0)
                       : ::mremap(base_, file_size(capacity_), file_size(capacity), MREMAP_MAYMOVE);
    if (mapped == MAP_FAILED)
      return fail(Errc::os, fmt::format("cannot map the journal {}: {}", path_.string(), strerror(errno)), errno);
    base_ = static_cast<std::byte*>(mapped);
    for (std::size_t i = capacity; i-- > capacity_;) free_.push_back(static_cast<std::uint32_t>(i));
    capacity_ = capacity;
    return {};
  }

  Result<std::vector<std::uint32_t>> append(RecordKind kind, std::uint64_t at, std::span<const std::byte> bytes) {
    const std::size_t pieces = std::max<std::size_t>(1, (bytes.size() + record_bytes - 1) / record_bytes);
    while (free_.size() < pieces) TL_TRY_VOID(grow(capacity_ * 2));
    std::vector<std::uint32_t> used;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      used.push_back(free_.back());
      free_.pop_back();
      const std::size_t offset = piece * record_bytes;
      const auto part = bytes.subspan(offset, std::min(record_bytes, bytes.size() - offset));
      Record& r = record(used.back());
      r.size = static_cast<std::uint16_t>(part.size());
      r.offset = static_cast<std::uint16_t>(offset);
      r.at = at;
      r.total = bytes.size();
      std::copy(part.begin(), part.end(), r.bytes);
      r.kind.store(static_cast<std::uint32_t>(kind), std::memory_order_release);
    }
    return used;
  }

  void release(Table& table, std::uint64_t key) {
    const auto found = table.find(key);
    if (found == table.end()) return;
    for (const auto index : found->second) {
      record(index).kind.store(0, std::memory_order_release);
      free_.push_back(index);
    }
    table.erase(found);
  }

  std::filesystem::path path_;
  util::Fd fd_;
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::vector<std::uint32_t> free_;  // a stack: the record freed last is used next
  Table patches_;
  Table pins_;
  Table slots_;
  bool closed_ = false;
};

class NoJournal final : public Journal {
 public:
  Result<void> will_patch(LoadAddr, std::span<const std::byte>) override { return {}; }
  void did_restore(LoadAddr) override {}
  void did_exec() override {}
  void pinned(Tid, std::span<const std::byte>) override {}
  void unpinned(Tid) override {}
  void slots_mapped(LoadRange) override {}
  void close() override {}
};

}  // namespace

Result<std::unique_ptr<Journal>> create_journal(const std::filesystem::path& dir, Pid pid) {
  TL_TRY(const auto started, os::start_time(pid));
  TL_TRY(const auto own_start, os::start_time(Pid{::getpid()}));
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  const auto path = dir / journal_name(pid, started);
  if (std::filesystem::exists(path, error)) {
    const auto recovery = recover(path);
    log::info("guard", "an earlier journal of process {}: {}", pid.value, recovery.report);
    if (recovery.failed != 0)
      return fail(Errc::os, fmt::format("process {} still carries patches of an earlier session: {}", pid.value,
                                        recovery.report));
  }
  // O_EXCL: two sessions never share a file; the second one is refused (the process is traced already, anyway).
  util::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    return fail(Errc::os, fmt::format("cannot create the journal {}: {}", path.string(), strerror(errno)), errno);
  auto journal = std::make_unique<FileJournal>(path, std::move(fd));
  TL_TRY_VOID(journal->open(Header{.magic = journal_magic,
                                   .pid = pid.value,
                                   .owner_pid = ::getpid(),
                                   .start_time = started,
                                   .owner_start_time = own_start}));
  return journal;
}

std::unique_ptr<Journal> no_journal() { return std::make_unique<NoJournal>(); }

}  // namespace trapline::guard
