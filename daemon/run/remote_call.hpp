#pragma once
// A system call made by a stopped thread of the debuggee on our behalf: mmap, munmap and rt_sigaction, for slots and
// the shield; nothing else.
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

enum class Before : std::uint8_t { no_signal, in_signal_stop };  // of the thread, when it is borrowed

// The stops of a thread that makes a system call in our name. Its end, which may be the process's, is put back for
// those who wait for it; a SIGSTOP, which nobody can block, is sent again when the call is over.
class StopsInCall {
 public:
  StopsInCall(os::Waiter& waiter, Tid tid);
  Result<os::WaitEvent> next();  // Errors: timeout, thread_gone
  void over() const;

 private:
  os::Waiter& waiter_;
  Tid tid_;
  Patience patience_;
  bool was_stopped_ = false;
};

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
