#pragma once
// ptrace(2), each request wrapped once. Errors: thread_gone (ESRCH: news, not a bug), no_permission, os.
// Thread: the tracer's, proved by OnTracer.
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/os/tracer_thread.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

struct UserOffset {
  std::size_t value{};
};

enum TraceOption : unsigned {
  trace_clone = 1,
  trace_fork = 2,
  trace_vfork = 4,
  trace_exec = 8,
  trace_exit = 16,
  exit_kill = 32,
  trace_vfork_done = 64,
  trace_sysgood = 128
};

// PTRACE_SEIZE: the thread is not stopped.
Result<void> seize(const OnTracer&, Tid tid, unsigned options);
Result<void> set_options(const OnTracer&, Tid tid, unsigned options);
Result<void> interrupt(const OnTracer&, Tid tid);
Result<void> resume(const OnTracer&, Tid tid, int deliver_signal);       // PTRACE_CONT
Result<void> single_step(const OnTracer&, Tid tid, int deliver_signal);  // slow on VMs: see limits; for gaps only
Result<void> resume_to_syscall(const OnTracer&, Tid tid, int deliver_signal);
Result<void> listen(const OnTracer&, Tid tid);  // leave a group stop in place
Result<void> detach(const OnTracer&, Tid tid, int deliver_signal);
Result<arch::GeneralRegisters> general_registers(const OnTracer&, Tid tid);
Result<void> set_general_registers(const OnTracer&, Tid tid, const arch::GeneralRegisters& regs);
Result<std::vector<std::byte>> xstate(const OnTracer&, Tid tid);  // PTRACE_GETREGSET NT_X86_XSTATE
Result<void> set_xstate(const OnTracer&, Tid tid, std::span<const std::byte> area);
Result<std::uint64_t> peek_user(const OnTracer&, Tid tid, UserOffset at);
Result<void> poke_user(const OnTracer&, Tid tid, UserOffset at, std::uint64_t word);
Result<siginfo_t> signal_info(const OnTracer&, Tid tid);
Result<void> set_signal_info(const OnTracer&, Tid tid, const siginfo_t& info);
Result<std::uint64_t> event_message(const OnTracer&, Tid tid);
// Whether a SIGTRAP of the thread's own making (int3, single step) is queued and not reported yet: an EVENT_STOP that
// was asked for goes before it (kernel/signal.c, get_signal()). PTRACE_PEEKSIGINFO.
Result<bool> trap_pending(const OnTracer&, Tid tid);
Result<std::uint64_t> signal_mask(const OnTracer&, Tid tid);
Result<void> set_signal_mask(const OnTracer&, Tid tid, std::uint64_t mask);
// Where the thread's struct rseq (linux/rseq.h) lies; 0: it has none. unsupported before Linux 5.13.
Result<std::uint64_t> rseq_area(const OnTracer&, Tid tid);

}  // namespace trapline::os
