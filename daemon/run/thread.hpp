#pragma once
// One thread of the debuggee as the tracer knows it. Data only; the rules live in the machine (machine.hpp).
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/os/wait.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"

namespace trapline::run {

enum class Standing : std::uint8_t {
  running,    // or listening in a group stop: it may report at any moment
  stopped,    // in a ptrace stop that we collected
  vanishing,  // a request said ESRCH: SIGKILL or an exec took it out of its stop; only its end will be reported
};

// Which ptrace stop it is decides how it may be left (ptrace(2), "Stopped states").
enum class StopKind : std::uint8_t {
  interrupt,  // PTRACE_EVENT_STOP with SIGTRAP: ours, or a new thread's first
  group,      // PTRACE_EVENT_STOP with a stopping signal: left with PTRACE_LISTEN
  signal,     // signal-delivery-stop: left with a signal or with 0
  event,      // clone, fork, exec ...: inside the system call, registers are not to be touched
};

enum class Doing : std::uint8_t {
  running,
  slot_step,    // one instruction in its slot, an int3 behind it
  kernel_step,  // PTRACE_SINGLESTEP
};

// A pass over a site that was reported but not executed yet, because a signal handler (or a call of the user's) came in
// between. The thread meets the trap again when that is over, with the very same registers: this second meeting is no
// hit.
struct Pass {
  arch::GeneralRegisters registers;  // rip is the site
  bool restarted_syscall = false;  // the site is a system call that restarts: rax changes, only rsp and rip must agree
};

// The last system call that was restarted behind the program's back, to keep its timeout honest (syscall_restart.hpp).
struct RestartMark {
  std::uint32_t cookie = 0;  // in the unused upper half of r10; 0: none
  std::int64_t began_ns = 0;
};

struct Thread {
  Tid tid;
  Standing standing = Standing::running;
  StopKind kind = StopKind::interrupt;
  Doing doing = Doing::running;
  bool sent_interrupt = false;  // and no stop came since: any stop swallows it, or leaves it pending (ptrace_stop())
  bool fresh = true;            // its first stop was not seen yet
  bool exiting = false;         // past PTRACE_EVENT_EXIT: it runs no program code any more
  bool in_vfork = false;        // asleep in the kernel until its child execs or exits: cannot be stopped
  bool ignore_trace = false;    // a lifted step's SIGTRAP is to come
  bool rejoin_group = false;    // taken out of its group stop to report a trap: it goes back there
  int deliver = 0;              // of a signal stop: what goes on with the thread
  std::optional<os::WaitEvent> unhandled;           // collected, not yet decided (raced with an all-stop)
  std::optional<arch::GeneralRegisters> registers;  // as the kernel has them; valid while stopped
  std::optional<LoadAddr> hit;                      // this stop is a hit of this site; rip was moved off it already
  std::optional<LoadAddr> passed;                   // the hit of this site was handled: go over it, do not hit it
  std::vector<Pass> passes;
  std::optional<LoadAddr> step_slot;  // for software steps
  RestartMark restart;
  // A restart that we arranged and the thread may not have begun yet: what it had, and what we set. A handler that
  // comes before it does must find the EINTR.
  struct Repaired {
    arch::GeneralRegisters before, after;
  };
  std::optional<Repaired> repaired;
  std::uint32_t burst = 0;  // internal stops in quick succession
  std::int64_t last_internal_ns = 0;

  bool stopped() const { return standing == Standing::stopped; }
};

}  // namespace trapline::run
