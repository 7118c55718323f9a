#pragma once
// The journal of patches: what stands in a debuggee because of us, written down before it is done.
//
// A file in the runtime folder (JOURNAL_DIR/PID-STARTTIME.journal), mapped shared by the session process; the lobby
// reads the same file, and after both died the next lobby does. One fixed-size record a patch, made valid by its last
// store (release), so that a session killed in the middle of an append leaves either no record or a whole one. A freed
// record is used again: the file grows with the patches that stand at one time, not with how often they come and go.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::guard {

enum class RecordKind : std::uint32_t { free = 0, text_patch = 1, thread_pinned = 2, code_slots = 3 };

class Journal {
 public:
  virtual ~Journal() = default;
  // Before the patch is written. Twice for one address is one record (the first original stays).
  // Errors: os (no space ...): the patch must then not be made.
  virtual Result<void> will_patch(LoadAddr at, std::span<const std::byte> original) = 0;
  virtual void did_restore(LoadAddr at) = 0;  // after the original is back
  virtual void did_exec() = 0;                // a new address space: all patches and slots are gone
  // `affinity_before`: the bytes that sched_getaffinity gave; handed back to the thread if we die. Where there is no
  // room to note it the thread must not be pinned; the journal then says so in the log and forgets the thread.
  virtual void pinned(Tid tid, std::span<const std::byte> affinity_before) = 0;
  virtual void unpinned(Tid tid) = 0;
  // A code slot of ours is mapped at `slots` (never unmapped while we live); kept so that a later session can use it
  // again.
  virtual void slots_mapped(LoadRange slots) = 0;
  // The debuggee is gone, or was detached with every patch taken back: the file is removed. Without this call (and
  // with patches standing) the file stays for recover(). Slots alone do not keep it.
  virtual void close() = 0;
};

// A journal in a file. `pid` and its start time name the process for good. A file left by an earlier session on the
// same process is recovered first (a journal is never lost by being written over).
// Errors: no_process, os. The caller is the session process: its own pid is noted as the owner.
Result<std::unique_ptr<Journal>> create_journal(const std::filesystem::path& dir, Pid pid);
std::unique_ptr<Journal> no_journal();  // for unit tests

struct Recovery {
  std::string report;  // for the log: what was put right
  std::size_t restored = 0;
  std::size_t failed = 0;
  std::size_t rewound = 0;  // threads that stood right behind one of our traps
  bool alive = false;       // the debuggee still ran
  Pid pid;                  // the debuggee
};
// Puts a debuggee right after its session died: every patched byte back through /proc/PID/mem where it is still ours,
// affinity restored, the same for children that a fork had just made. The file is removed unless something failed.
// Thread: any one that traces nobody: running threads are seized for a moment (see rewind.hpp), then let go.
Recovery recover(const std::filesystem::path& journal_file);
// All journal files in `dir` whose session is gone. `owner`: only those of this dead session.
std::vector<Recovery> recover_all(const std::filesystem::path& dir, std::optional<Pid> owner = std::nullopt);

}  // namespace trapline::guard
