#pragma once
// Threads that a dead session left right behind one of its int3.
//
// When a tracer dies, a thread that it had stopped at an int3 runs on at int3+1 (the pending SIGTRAP is dropped with
// the tracer): the patched instruction is skipped, and the program goes wrong. Nothing outside can undo that for a
// thread that was scheduled already; one that still waits for a CPU can be moved back, since its instruction is
// whole again by now. Only running threads (state R) are looked at, so that no sleeping one is disturbed.
#include <cstddef>
#include <vector>

#include "daemon/guard/journal_file.hpp"
#include "proto/words/ids.hpp"

namespace trapline::guard {

// Moves back the threads of `pid` that stand right behind a patch of `patches`; the number of them. The patched bytes
// must have been restored. Thread: one that traces nobody; it becomes a tracer for a moment.
std::size_t rewind_threads(Pid pid, const std::vector<Entry>& patches);

// True where `rip` right behind `patch` can only mean that the int3 was executed: the original instruction is longer
// than one byte, so no flow of the program's own gets to its second byte. Of one-byte instructions (push, ret, nop)
// nobody can tell whether they were executed.
bool stands_behind(std::uint64_t rip, const Entry& patch);

}  // namespace trapline::guard
