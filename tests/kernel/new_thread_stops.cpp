// With PTRACE_O_TRACECLONE and SEIZE a new thread is traced from birth. It begins with PTRACE_EVENT_STOP (SIGTRAP, not
// SIGSTOP as under PTRACE_ATTACH), before its first instruction, and waitpid may tell that before or after the parent's
// PTRACE_EVENT_CLONE: they are waited for by tid, in any order. Relied on by: os::Waiter, run/.
#include <thread>

#include "tests/kernel/fact.hpp"

int main() {
  int gate[2];
  expect(::pipe(gate) == 0, "pipe");
  const pid_t pid = child([&] {
    char go_on;
    if (::read(gate[0], &go_on, 1) != 1) std::_Exit(1);
    std::thread([] { ::usleep(1); }).join();
  });
  seize(pid, PTRACE_O_TRACECLONE);
  expect(::write(gate[1], "g", 1) == 1, "write");
  expect(is_event(wait_of(pid), PTRACE_EVENT_CLONE), "the parent stops with PTRACE_EVENT_CLONE");
  const auto thread = static_cast<pid_t>(message(pid));
  const int first = wait_of(thread);
  expect(is_event(first, PTRACE_EVENT_STOP, SIGTRAP), "the new thread's first stop is PTRACE_EVENT_STOP with SIGTRAP");
  const auto regs = registers(thread);
  expect(regs.rax == 0, "the new thread stands behind its clone, which returns 0 to it");
  expect(regs.gs_base == 0, "gs is free in a glibc thread");
  go(thread);
  go(pid);
  expect(WIFEXITED(wait_of(thread)), "a thread's end is told by its tid");
  expect(WIFEXITED(wait_of(pid)), "the process ends");
}
