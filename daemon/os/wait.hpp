#pragma once
// All waiting goes through here; nobody else sees a raw wait status. Source: wait(2), ptrace(2).
// waitpid(-1) scans every tracee (44 ns each): wait for known tids, and sweep with any() only after a SIGCHLD that no
// known tid explains.
#include <cstdint>
#include <functional>
#include <optional>
#include <variant>

#include "daemon/os/tracer_thread.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

struct Exited {
  int code = 0;
};
struct Killed {
  int signal = 0;
  bool core_dumped = false;
};
struct SignalStop {
  int signal = 0;
};  // signal-delivery-stop; SIGTRAP of an int3 too
struct GroupStop {
  int signal = 0;
};                        // PTRACE_EVENT_STOP with a stopping signal
struct InterruptStop {};  // PTRACE_EVENT_STOP with SIGTRAP: PTRACE_INTERRUPT, or a new auto-seized thread
struct SyscallStop {};
enum class TraceEvent : std::uint8_t { clone, fork, vfork, vfork_done, exec, exit };
struct EventStop {
  TraceEvent event{};
  std::uint64_t message = 0;
};

struct WaitEvent {
  Tid tid;
  std::variant<Exited, Killed, SignalStop, GroupStop, InterruptStop, SyscallStop, EventStop> what;
};

// Decodes one status. Pure; `message` of an EventStop is left 0 (it costs a ptrace call: event_message()).
WaitEvent decode_wait_status(Tid tid, int status);

class Waiter {
 public:
  enum class Mode : std::uint8_t { block, poll };
  explicit Waiter(const OnTracer& tracer) : tracer_(tracer) {}
  // nullopt: nothing yet (poll). Errors: thread_gone (ECHILD: not, or no longer, a tracee of ours). EINTR is retried.
  Result<std::optional<WaitEvent>> of(Tid tid, Mode mode);
  Result<std::optional<WaitEvent>> any();  // waitpid(-1, WNOHANG|__WALL)
  // `look` is called with a thread that stopped for a SIGTRAP, before the stop is taken. Until it is, the kernel has
  // the signal: if we died now, the thread would get it. Afterwards it would be lost with us (wait_task_stopped()
  // clears exit_code), and the thread go on behind its int3.
  void before_trap(std::function<void(Tid)> look) { before_trap_ = std::move(look); }

  // An event that was taken by somebody whom it does not concern: it is given out again, first of all.
  void put_back(WaitEvent event) { put_back_ = event; }

 private:
  std::optional<WaitEvent> put_back_;
  Result<std::optional<WaitEvent>> wait_for(pid_t who, int flags);
  const OnTracer& tracer_;
  std::function<void(Tid)> before_trap_;
};

}  // namespace trapline::os
