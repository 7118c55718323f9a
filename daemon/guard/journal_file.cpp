#include "daemon/guard/journal_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "daemon/util/fd.hpp"

namespace trapline::guard {
namespace {

// The same bytes as Record, without the atomic: the writer is dead, or its half written records are to be skipped.
struct PlainRecord {
  std::uint32_t kind;
  std::uint16_t size;
  std::uint16_t offset;
  std::uint64_t at;
  std::uint64_t total;
  std::byte bytes[record_bytes];
};
static_assert(sizeof(PlainRecord) == sizeof(Record));

Result<std::vector<char>> read_all(const std::filesystem::path& file) {
  // O_NOFOLLOW: the folder is ours alone (0700), a link in it is not.
  const util::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail(Errc::os, fmt::format("cannot open journal {}: {}", file.string(), strerror(errno)), errno);
  std::vector<char> bytes;
  char chunk[65536];
  while (true) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(Errc::os, fmt::format("cannot read journal {}: {}", file.string(), strerror(errno)), errno);
    if (got == 0) return bytes;
    bytes.insert(bytes.end(), chunk, chunk + got);
  }
}

struct Pieces {
  std::vector<std::byte> bytes;
  std::size_t have = 0;
};

}  // namespace

Result<JournalContents> read_journal(const std::filesystem::path& file) {
  TL_TRY(const auto raw, read_all(file));
  Header header;
  if (raw.size() < sizeof header)
    return fail(Errc::bad_request, fmt::format("{} is no journal: {} bytes", file.string(), raw.size()));
  std::memcpy(&header, raw.data(), sizeof header);
  if (header.magic != journal_magic)
    return fail(Errc::bad_request, fmt::format("{} is no journal of this version", file.string()));

  JournalContents contents{.pid = Pid{header.pid},
                           .owner = Pid{header.owner_pid},
                           .start_time = header.start_time,
                           .owner_start_time = header.owner_start_time,
                           .entries = {}};
  std::map<std::pair<std::uint32_t, std::uint64_t>, Pieces> open;
  for (std::size_t at = sizeof header; at + sizeof(PlainRecord) <= raw.size(); at += sizeof(PlainRecord)) {
    PlainRecord record;
    std::memcpy(&record, raw.data() + at, sizeof record);
    const bool known = record.kind >= 1 && record.kind <= static_cast<std::uint32_t>(RecordKind::code_slots);
    const bool sane =
        record.size <= record_bytes && record.total <= 65536 && record.offset + record.size <= record.total;
    if (!known || !sane) continue;
    auto& pieces = open[{record.kind, record.at}];
    pieces.bytes.resize(std::max<std::size_t>(pieces.bytes.size(), record.total));
    std::copy_n(record.bytes, record.size, pieces.bytes.begin() + record.offset);
    pieces.have += record.size;
  }
  for (auto& [key, pieces] : open)
    if (pieces.have == pieces.bytes.size())
      contents.entries.push_back({static_cast<RecordKind>(key.first), key.second, std::move(pieces.bytes)});
  return contents;
}

std::string journal_name(Pid pid, std::uint64_t start_time) {
  return fmt::format("{}-{}.journal", pid.value, start_time);
}

}  // namespace trapline::guard
