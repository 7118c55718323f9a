#pragma once
// The journal of patches: what stands in a debuggee because of us, written down before it is done.
//
// A file in the runtime folder (JOURNAL_DIR/PID-STARTTIME.journal), mapped shared by the session process; the lobby
// maps the same file, and after both died the next lobby reads it. One fixed-size record a patch, made valid by its
// last store (release), so that a session killed in the middle of append() leaves either no record or a whole one.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::guard {

enum class RecordKind : std::uint32_t { text_patch = 1, thread_pinned = 2, displaced_thread = 3 };

class Journal {
 public:
  virtual ~Journal() = default;
  // Before the byte is written. Errors: os (no space ...): the patch must then not be made.
  virtual Result<void> will_patch(LoadAddr at, std::span<const std::byte> original) = 0;
  virtual void did_restore(LoadAddr at) = 0;  // after the original is back
  virtual void did_exec() = 0;                // a new address space: all patches are gone
  virtual void pinned(Tid tid, std::span<const std::byte> affinity_before) = 0;  // to be given back if we die
  virtual void unpinned(Tid tid) = 0;
  // A code slot of ours is mapped at `slots` (never unmapped while we live); kept so that a later session can use it
  // again.
  virtual void slots_mapped(LoadRange slots) = 0;
};

// A journal in a file. `pid` and its start time name the process for good.
Result<std::unique_ptr<Journal>> create_journal(const std::filesystem::path& dir, Pid pid);
std::unique_ptr<Journal> no_journal();  // for unit tests

struct Recovery {
  std::string report;  // for the log: what was put right
  std::size_t restored = 0;
  std::size_t failed = 0;
  bool alive = false;  // the debuggee still ran
};
// Puts a debuggee right after its session died: every patched byte back through /proc/PID/mem, affinity restored.
// Thread: any, no ptrace.
Recovery recover(const std::filesystem::path& journal_file);
// All journal files in `dir` whose session is gone.
std::vector<Recovery> recover_all(const std::filesystem::path& dir);

}  // namespace trapline::guard
