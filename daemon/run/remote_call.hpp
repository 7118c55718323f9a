#pragma once
// A system call made by a stopped thread of the debuggee on our behalf: mmap and munmap for slots, nothing else.
//
// The thread is put on a `syscall` instruction of its vdso and stepped over it (the kernel reports that at the exit of
// the call, without a debug exception), all signals but SIGTRAP blocked so that none is taken half way; then every
// register comes back, orig_rax and restart codes included, so that an interrupted call restarts as if nothing had been
// (never a restarting call: it would overwrite the thread's restart block). The thread ends in a signal-delivery-stop
// of SIGTRAP, in which any signal can be delivered; a siginfo that was there before is put back.
// Source: ptrace(2) "Signal injection and suppression", kernel/signal.c ptrace_signal().
#include <array>
#include <cstdint>
#include <span>

#include "daemon/os/proc.hpp"
#include "daemon/os/tracer_thread.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

enum class Before : std::uint8_t {
  no_signal,
  in_signal_stop
};  // The next stop of a thread that makes a system call in our name. Its end, which may be the process's, is put back
    // for
// those who wait for it. Errors: timeout, thread_gone.
Result<os::WaitEvent> next_stop_in_call(os::Waiter& waiter, Tid tid, Patience& patience);

// of the thread, when it is borrowed

struct RemoteCall {
  LoadAddr syscall_instruction;
  std::int64_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

// The system call's own answer (-errno as it is). Errors: thread_gone, timeout, os. `tid` must be in a signal- or
// EVENT_STOP (never in an event inside a system call).
Result<std::int64_t> make_call(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, Before before,
                               const RemoteCall& call);

// `syscall` in the vdso, else in any executable mapping.
Result<LoadAddr> find_syscall(std::span<const os::Mapping> maps, const util::Memory& memory);

}  // namespace trapline::run
