// A SIGSTOP of a seized process is two stops: the signal's delivery, then PTRACE_EVENT_STOP with SIGSTOP (the group
// stop). PTRACE_LISTEN leaves it stopped for everybody, and a SIGCONT is then told by PTRACE_EVENT_STOP with SIGTRAP;
// PTRACE_CONT would let it run although it is stopped. A detach keeps the group stop. Relied on by: run/ (group stops).
#include "tests/kernel/fact.hpp"

int main() {
  const pid_t pid = child([] {
    for (;;) ::pause();
  });
  seize(pid);
  ::kill(pid, SIGSTOP);
  expect(wait_of(pid) >> 8 == SIGSTOP, "first the delivery of the signal");
  go(pid, SIGSTOP);
  expect(is_event(wait_of(pid), PTRACE_EVENT_STOP, SIGSTOP), "then the group stop, with the signal's number");
  expect(::ptrace(PTRACE_LISTEN, pid, 0L, 0L) == 0, "PTRACE_LISTEN");
  user_regs_struct regs{};
  expect(::ptrace(PTRACE_GETREGS, pid, 0L, &regs) == -1 && errno == ESRCH, "a listening tracee takes no requests");
  interrupt(pid);
  expect(is_event(wait_of(pid), PTRACE_EVENT_STOP, SIGSTOP), "interrupted, it is still in its group stop");
  expect(::ptrace(PTRACE_LISTEN, pid, 0L, 0L) == 0, "PTRACE_LISTEN again");
  ::kill(pid, SIGCONT);
  expect(is_event(wait_of(pid), PTRACE_EVENT_STOP, SIGTRAP), "SIGCONT is told by an event stop with SIGTRAP");
  go(pid);
  expect(wait_of(pid) >> 8 == SIGCONT, "and then delivered as a signal");
  go(pid, SIGCONT);
  ::kill(pid, SIGSTOP);
  expect(wait_of(pid) >> 8 == SIGSTOP, "stopped again");
  go(pid, SIGSTOP);
  expect(is_event(wait_of(pid), PTRACE_EVENT_STOP, SIGSTOP), "in its group stop");
  expect(::ptrace(PTRACE_DETACH, pid, 0L, 0L) == 0, "detach");
  int status = 0;
  expect(::waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "detached, it is stopped for its parent");
  ::kill(pid, SIGKILL);
  wait_of(pid);
}
