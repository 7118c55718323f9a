// A stopped tracee can be moved to another processor by its tracer; the new mask stays when the tracer goes (so it must
// be given back, hence it is in the journal), and the program can see it meanwhile. Relied on by: run/, guard/.
#include <sched.h>

#include "tests/kernel/fact.hpp"

namespace {

int allowed(pid_t pid) {
  cpu_set_t mask;
  expect(::sched_getaffinity(pid, sizeof mask, &mask) == 0, "sched_getaffinity of a child");
  return CPU_COUNT(&mask);
}

}  // namespace

int main() {
  const pid_t pid = child([] {
    for (;;) ::pause();
  });
  seize(pid);
  interrupt(pid);
  wait_of(pid);
  const int before = allowed(pid);
  cpu_set_t all, here;
  ::sched_getaffinity(pid, sizeof all, &all);
  CPU_ZERO(&here);
  CPU_SET(::sched_getcpu(), &here);
  expect(::sched_setaffinity(pid, sizeof here, &here) == 0, "a stopped tracee can be moved");
  expect(allowed(pid) == 1, "its mask says so");
  expect(::ptrace(PTRACE_DETACH, pid, 0L, 0L) == 0, "detach");
  expect(allowed(pid) == 1, "the mask stays after the detach");
  expect(::sched_setaffinity(pid, sizeof all, &all) == 0 && allowed(pid) == before, "and can be given back");
  ::kill(pid, SIGKILL);
  wait_of(pid);
}
