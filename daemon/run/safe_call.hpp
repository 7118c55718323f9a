#pragma once
// A system call made by a thread of the debuggee on our behalf, after which the thread finds its way back by itself if
// we die at any moment of it.
//
// The thread is not sent to a bare `syscall`, behind which it would be lost, but into a chain of the program's own
// code: `syscall; ret` with a stack on which stands the address of the C library's `mov $15, %rax; syscall`
// (rt_sigreturn) and behind it a signal frame with all that the thread was: registers, vector state, mask. What the
// kernel would have done with an interrupted system call at its resumption is done in the frame beforehand. Normally
// the frame is never used: we stop the thread at the call's exit and put its registers back ourselves. Source:
// arch/x86/kernel/signal_64.c (rt_sigreturn), arch/x86/kernel/fpu/signal.c, asm/sigframe.h. Thread: the tracer's.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/tracer_thread.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/run/live_memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

// Where the chain's two links lie in the program.
struct WayBack {
  LoadAddr call;       // syscall; ret
  LoadAddr sigreturn;  // mov $15, %rax; syscall
};
// nullopt: a program that has no such code (no C library).
std::optional<WayBack> find_way_back(std::span<const os::Mapping> maps, const LiveMemory& memory);

// A stack at whose lowest word (16 byte aligned) a `ret` makes the thread what it is described to be.
struct WayBackFrame {
  LoadAddr at;
  std::vector<std::byte> bytes;
};
// The highest such below `top`. `xstate`: as the regset has it.
WayBackFrame way_back_below(LoadAddr top, const arch::GeneralRegisters& registers, std::uint64_t mask,
                            std::vector<std::byte> xstate, const WayBack& way);

// Bytes right below the red zone of a borrowed thread's stack that the chain leaves alone: for what a call is to write.
inline constexpr std::uint64_t scratch_size = 64;

// What the thread was.
struct Borrowed {
  arch::GeneralRegisters registers;
  std::uint64_t mask = 0;
  LoadAddr frame;
  std::vector<std::byte> under_frame;  // what the stack had there
};

// From its success on, the thread makes the call and goes back by itself, whenever it is let go. `tid` must be
// stopped, with no signal to be delivered. Errors: thread_gone, bad_address (no room below its stack pointer): it is as
// it was.
Result<Borrowed> set_out(const os::OnTracer& tracer, Tid tid, LiveMemory& memory, const WayBack& way,
                         std::int64_t number, std::span<const std::uint64_t, 6> arguments);
// Runs it to the exit of the call, where it stays (a syscall stop), and puts everything back. The call's own answer
// (-errno as it is). Errors: thread_gone, timeout, os.
Result<std::int64_t> come_back(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, LiveMemory& memory,
                               const WayBack& way, const Borrowed& borrowed);

}  // namespace trapline::run
