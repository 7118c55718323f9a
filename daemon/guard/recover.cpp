// What is put right after a session's death, in the order of urgency: the patched bytes (a thread that meets an int3
// without a tracer dies of SIGTRAP), then threads right behind one, children that inherited patches, affinity.
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "daemon/guard/journal.hpp"
#include "daemon/guard/journal_file.hpp"
#include "daemon/guard/rewind.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/util/log.hpp"

namespace trapline::guard {
namespace {

constexpr std::byte int3{0xCC};

enum class Put : std::uint8_t { back, not_ours, failed };

// Only a byte that is still our trap is touched: the code may have been unmapped, replaced or restored meanwhile.
Put put_back(os::ProcessMemory& memory, const Entry& patch) {
  std::byte now{};
  if (!memory.read(LoadAddr{patch.at}, std::span(&now, 1))) return Put::not_ours;  // unmapped: nothing of ours there
  if (now != int3) return Put::not_ours;
  return memory.write(LoadAddr{patch.at}, patch.bytes) ? Put::back : Put::failed;
}

bool still(Pid pid, std::uint64_t start_time) {
  const auto started = os::start_time(pid);
  if (!started || *started != start_time) return false;
  const auto status = os::process_status(Tid{pid.value});
  return status && status->state != 'Z' && status->state != 'X';
}

const os::Mapping* mapping_at(const std::vector<os::Mapping>& maps, std::uint64_t at) {
  const auto found = std::ranges::find_if(maps, [&](const os::Mapping& m) { return m.range.contains(LoadAddr{at}); });
  return found == maps.end() ? nullptr : &*found;
}

// A child that was forked between a patch and our death carries a copy of it. Its int3 is ours where the same page of
// the same file is mapped in both: the file itself has the original there.
void free_children(Pid parent, const std::vector<Entry>& patches, Recovery& recovery) {
  const auto parent_maps = os::mappings(parent);
  if (!parent_maps) return;
  for (const Pid child : os::all_processes()) {
    const auto status = os::process_status(Tid{child.value});
    if (!status || status->parent != parent) continue;
    const auto maps = os::mappings(child);
    auto memory = os::ProcessMemory::open(child);
    if (!maps || !memory) continue;
    for (const auto& patch : patches) {
      const auto* here = mapping_at(*maps, patch.at);
      const auto* there = mapping_at(*parent_maps, patch.at);
      if (here == nullptr || there == nullptr || here->inode != there->inode || here->range != there->range) continue;
      if (put_back(*memory, patch) == Put::back) ++recovery.restored;
    }
  }
}

// True where the thread got its mask back. Ours pins to exactly one CPU: any other mask is the program's newer wish.
bool give_affinity_back(Tid tid, const Entry& pin) {
  std::byte now[8192 / 8];
  const long size = ::sched_getaffinity(tid.value, sizeof now, reinterpret_cast<cpu_set_t*>(now));
  int cpus = 0;
  for (const std::byte b : now) cpus += size < 0 ? 0 : std::popcount(std::to_integer<unsigned char>(b));
  if (size < 0 || cpus != 1) return false;
  std::vector<std::byte> mask = pin.bytes;
  mask.resize(std::max<std::size_t>((mask.size() + 7) / 8 * 8, 8));
  return ::sched_setaffinity(tid.value, mask.size(), reinterpret_cast<const cpu_set_t*>(mask.data())) == 0;
}

void restore_text(const JournalContents& journal, const std::vector<Entry>& patches, Recovery& recovery) {
  auto memory = os::ProcessMemory::open(journal.pid);
  if (!memory) {
    recovery.failed += patches.size();
    log::error("guard", "process {}: {}", journal.pid.value, memory.error().message);
    return;
  }
  for (const auto& patch : patches) {
    const auto put = put_back(*memory, patch);
    if (put == Put::back) ++recovery.restored;
    // A write that fails because the process is going away harms nobody.
    if (put == Put::failed && still(journal.pid, journal.start_time)) ++recovery.failed;
  }
}

bool owner_lives(const JournalContents& journal) { return still(journal.owner, journal.owner_start_time); }

}  // namespace

Recovery recover(const std::filesystem::path& journal_file) {
  Recovery recovery;
  const auto journal = read_journal(journal_file);
  if (!journal) {
    recovery.report = journal.error().message;
    // What cannot be read as a journal holds no patch: the header is complete before the first record is.
    if (journal.error().code == Errc::bad_request) ::unlink(journal_file.c_str());
    return recovery;
  }
  recovery.pid = journal->pid;
  recovery.alive = still(journal->pid, journal->start_time);
  if (!recovery.alive) {
    recovery.report = fmt::format("process {} is gone, nothing to restore", journal->pid.value);
    ::unlink(journal_file.c_str());
    return recovery;
  }

  std::vector<Entry> patches;
  std::ranges::copy_if(journal->entries, std::back_inserter(patches),
                       [](const Entry& e) { return e.kind == RecordKind::text_patch; });
  std::size_t masks = 0;
  if (!patches.empty()) {
    restore_text(*journal, patches, recovery);
    recovery.rewound = rewind_threads(journal->pid, patches);
    free_children(journal->pid, patches, recovery);
  }
  for (const auto& entry : journal->entries) {
    const Tid tid{static_cast<pid_t>(entry.at)};
    if (entry.kind != RecordKind::thread_pinned) continue;
    const auto status = os::process_status(tid);
    if (status && status->tgid == journal->pid && give_affinity_back(tid, entry)) ++masks;
  }
  recovery.report = fmt::format(
      "process {}: {} of {} patched places restored, {} failed, {} threads moved back, {} "
      "affinity masks given back",
      journal->pid.value, recovery.restored, patches.size(), recovery.failed, recovery.rewound, masks);
  if (recovery.failed == 0) ::unlink(journal_file.c_str());
  return recovery;
}

std::vector<Recovery> recover_all(const std::filesystem::path& dir, std::optional<Pid> owner) {
  std::vector<Recovery> all;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(dir, error)) {
    if (file.path().extension() != ".journal") continue;
    const auto journal = read_journal(file.path());
    if (journal && (owner_lives(*journal) || (owner && journal->owner != *owner))) continue;
    if (!journal && (owner || journal.error().code != Errc::bad_request)) continue;
    all.push_back(recover(file.path()));
  }
  return all;
}

}  // namespace trapline::guard
