#pragma once
// A stop of ours must not be seen by the program. Most blocking system calls restart by themselves (the kernel's
// ERESTART codes); a few return EINTR after any stop, handler or not: signal(7), "Interruption of system calls and
// library functions by stop signals". For those the restart is done here, on the registers, where no signal is due.
#include <cstdint>

#include "daemon/arch/registers.hpp"
#include "daemon/run/thread.hpp"
#include "proto/words/ids.hpp"

namespace trapline::run {

// True where the thread stands at the exit of a system call that the kernel itself is going to restart (rax is one of
// -ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK).
bool kernel_will_restart(const arch::GeneralRegisters& regs);

// True where the call returned EINTR and restarting it is right (nothing was done yet, and the kernel does not do it).
bool returned_eintr(const arch::GeneralRegisters& regs);

// Sets the registers so that the call is made again: rip back over `syscall`, rax the number, orig_rax -1. The timeout
// of epoll_wait counts on over several stops: `mark` remembers when the first restart was, and a mark in the unused
// upper half of r10 (the kernel takes an int) tells whether it still is that same call.
void restart(arch::GeneralRegisters& regs, RestartMark& mark, std::int64_t now_ns);

// Which signals make EINTR the program's to see: those with a handler. An ignored one, or one whose default is to be
// ignored (SIGCHLD), never wakes an untraced thread; under ptrace it does, and the call must go on.
struct SignalState {
  std::uint64_t due = 0;     // pending and not blocked
  std::uint64_t caught = 0;  // have a handler
  bool handler_runs(int signal) const { return signal > 0 && (caught >> (signal - 1) & 1U) != 0; }
  bool handler_due() const { return (due & caught) != 0; }
};
// Source: proc(5), SigPnd, ShdPnd, SigBlk, SigCgt. Empty where it cannot be read (the thread is going).
SignalState signal_state(Tid tid);

}  // namespace trapline::run
