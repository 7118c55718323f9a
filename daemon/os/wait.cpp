#include "daemon/os/wait.hpp"

#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace trapline::os {
namespace {

constexpr int syscall_mark = 0x80;  // PTRACE_O_TRACESYSGOOD

std::optional<TraceEvent> trace_event(int event) {
  switch (event) {
    case PTRACE_EVENT_CLONE: return TraceEvent::clone;
    case PTRACE_EVENT_FORK: return TraceEvent::fork;
    case PTRACE_EVENT_VFORK: return TraceEvent::vfork;
    case PTRACE_EVENT_VFORK_DONE: return TraceEvent::vfork_done;
    case PTRACE_EVENT_EXEC: return TraceEvent::exec;
    case PTRACE_EVENT_EXIT: return TraceEvent::exit;
    default: return std::nullopt;
  }
}

}  // namespace

WaitEvent decode_wait_status(Tid tid, int status) {
  if (WIFEXITED(status)) return {tid, Exited{WEXITSTATUS(status)}};
  if (WIFSIGNALED(status)) return {tid, Killed{WTERMSIG(status), WCOREDUMP(status)}};
  // WIFCONTINUED cannot come: it has to be asked for (WCONTINUED).
  const int signal = WSTOPSIG(status);
  const int event = static_cast<int>(static_cast<unsigned>(status) >> 16);
  if (event == 0) {
    if (signal == (SIGTRAP | syscall_mark)) return {tid, SyscallStop{}};
    return {tid, SignalStop{signal}};
  }
  if (const auto known = trace_event(event)) return {tid, EventStop{*known, 0}};
  // PTRACE_EVENT_STOP carries the stopping signal in a group stop, and SIGTRAP otherwise (ptrace(2)). Events that we
  // never ask for (seccomp) end here too: like an interrupt stop they are resumed without a signal.
  if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) return {tid, GroupStop{signal}};
  return {tid, InterruptStop{}};
}

Result<std::optional<WaitEvent>> Waiter::wait_for(pid_t who, int flags) {
  static_cast<void>(tracer_);
  if (put_back_ && (who == -1 || put_back_->tid.value == who)) return std::exchange(put_back_, std::nullopt);
  if (before_trap_) {
    siginfo_t news{};
    int looked = 0;
    do
      looked = ::waitid(who == -1 ? P_ALL : P_PID, static_cast<id_t>(who == -1 ? 0 : who), &news,
                        WEXITED | WSTOPPED | WNOWAIT | flags);
    while (looked == -1 && errno == EINTR);
    if (looked == 0 && news.si_pid == 0) return std::nullopt;
    if (looked == 0) {
      if (news.si_code == CLD_TRAPPED && news.si_status == SIGTRAP) before_trap_(Tid{news.si_pid});
      who = news.si_pid;
    }
  }
  int status = 0;
  pid_t got = 0;
  do got = ::waitpid(who, &status, flags);
  while (got == -1 && errno == EINTR);
  if (got == 0) return std::nullopt;
  if (got > 0) return decode_wait_status(Tid{got}, status);
  if (errno != ECHILD) return fail(Errc::os, fmt::format("waitpid({}): {}", who, std::strerror(errno)), errno);
  if (who == -1) return std::nullopt;  // no tracees and no children: nothing can happen
  return fail(Errc::thread_gone, fmt::format("thread {} is not, or no longer, traced by us", who), ECHILD);
}

Result<std::optional<WaitEvent>> Waiter::of(Tid tid, Mode mode) {
  return wait_for(tid.value, __WALL | (mode == Mode::poll ? WNOHANG : 0));
}

Result<std::optional<WaitEvent>> Waiter::any() { return wait_for(-1, __WALL | WNOHANG); }

}  // namespace trapline::os
