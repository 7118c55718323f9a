#pragma once
// The journal's format on disk, and a read-only look at it. Host byte order: writer and reader share a machine.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/guard/journal.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::guard {

inline constexpr std::uint64_t journal_magic = 0x31304a4c50415254;  // "TRAPLJ01"
inline constexpr std::size_t record_bytes = 40;

struct Header {
  std::uint64_t magic = 0;  // stored last when the file is made
  std::int32_t pid = 0;
  std::int32_t owner_pid = 0;
  std::uint64_t start_time = 0;
  std::uint64_t owner_start_time = 0;
  std::uint8_t spare[32] = {};
};
static_assert(sizeof(Header) == 64);

// Longer originals and masks take several records: `offset` is where this one's bytes lie in the whole of `total`.
struct Record {
  std::atomic<std::uint32_t> kind{0};  // RecordKind; the last store makes the record valid, 0 frees it
  std::uint16_t size = 0;              // bytes used here
  std::uint16_t offset = 0;
  std::uint64_t at = 0;  // address, or tid
  std::uint64_t total = 0;
  std::byte bytes[record_bytes] = {};
};
static_assert(sizeof(Record) == 64);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

struct Entry {
  RecordKind kind{};
  std::uint64_t at = 0;
  std::vector<std::byte> bytes;
};
struct JournalContents {
  Pid pid;
  Pid owner;
  std::uint64_t start_time = 0;
  std::uint64_t owner_start_time = 0;
  std::vector<Entry> entries;  // whole ones only: a half written one was never acted on
};
// Errors: os, bad_request (not a journal: the reason in the message). A cut-off file gives the records that are there.
Result<JournalContents> read_journal(const std::filesystem::path& file);

std::string journal_name(Pid pid, std::uint64_t start_time);

}  // namespace trapline::guard
