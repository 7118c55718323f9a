#pragma once
// A function of the debuggee, called by one of its stopped threads because the user asked for it.
//
// The thread calls on its own stack, below its red zone. It comes back to a place behind which no unwinder finds a
// frame, so that an exception which nobody in the called function catches ends there (std::terminate, where the call is
// given up) and never in the program's own frames. Source: Itanium C++ ABI, "Level I: Base ABI", 1.3. Mostly that is a
// `ret` in the program's .fini, with a trap of ours on it: if we die before the function returns, that `ret` leads to
// rt_sigreturn, and the thread goes on where it was. With arguments on the stack a `leave; ret` of the C library comes
// before it (call_stack.hpp). Where there is no such (a static program's library is not told from the rest), it is an
// address on the stack itself: nothing there can be executed (a stack that is executable has an int3 there), and the
// thread is lost with us.
//
// Afterwards everything of the thread is as it was: registers with orig_rax (an interrupted system call restarts as it
// would have), vector state, signal mask, the critical section of restartable sequences, the signal that it had to
// take, and its stack below the stack pointer. Memory that the function changed stays changed: that is its effect.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/arch/call_frame.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

struct CallOrder {
  Tid thread;
  arch::CallFrame frame;
  std::chrono::milliseconds timeout{1000};
  // The others stand still at first; if the function has not returned by then (it may wait for one of them), all run.
  std::chrono::milliseconds alone{100};
  bool only_this_thread = false;  // never let the others run
  // Where the C++ runtime gives up an exception (std::terminate), and where one is thrown (__cxa_throw, whose first two
  // arguments are the object and its type).
  std::vector<LoadAddr> terminate, throwing;
  // At std::terminate, while the thread stands there with its stack as it is: of the exceptions that were thrown in the
  // call, oldest first, those whose throw may not be over.
  struct Throw {
    LoadAddr stack_pointer;  // at the first instruction of __cxa_throw
    LoadAddr object, type_info;
  };
  std::function<void(std::span<const Throw>)> gives_up{};
};

enum class CallEnd : std::uint8_t {
  returned,
  signal,      // `signal`, at `pc`
  terminated,  // by std::terminate, be it for an exception or not
  timeout,
  group_stop,   // the process was stopped by a stop signal of its own
  thread_gone,  // the thread ended
  exited,       // the process did
  executed,     // and it is another program now
  lost,         // the thread could not be brought back: `problem`
};

struct CallReport {
  CallEnd end = CallEnd::returned;
  arch::CallReturn answer;  // of `returned`
  LoadAddr pc;              // where the function was, of the others
  siginfo_t signal{};
  bool others_ran = false;        // then all threads may stand elsewhere
  bool jumped_out = false;        // of `timeout`: its stack pointer is above the call's (longjmp)
  std::uint32_t passed = 0;       // breakpoints of the thread that were gone over
  std::vector<Tid> held;          // other threads that met a breakpoint or a signal and wait there
  std::vector<int> signals_kept;  // came for the program during the call: it gets them when it goes on
  std::vector<Pid> children;      // processes that the function made
  std::string problem;
};

}  // namespace trapline::run
