// A thread that is not the main one calls execve: the PTRACE_EVENT_EXEC is told by the main thread's tid, its message
// is the tid that the caller had, and that tid is never heard of again (no exit status). Relied on by: os::spawn, run/.
#include <thread>

#include "tests/kernel/fact.hpp"

int main() {
  int gate[2];
  expect(::pipe(gate) == 0, "pipe");
  const pid_t pid = child([&] {
    char go_on;
    if (::read(gate[0], &go_on, 1) != 1) std::_Exit(1);
    std::thread([] { ::execl("/bin/true", "true", nullptr); }).join();
  });
  seize(pid, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
  expect(::write(gate[1], "g", 1) == 1, "write");
  expect(is_event(wait_of(pid), PTRACE_EVENT_CLONE), "clone");
  const auto thread = static_cast<pid_t>(message(pid));
  expect(is_event(wait_of(thread), PTRACE_EVENT_STOP), "the thread begins");
  go(pid);
  wait_asleep(pid);  // in its join
  go(thread);
  // The main thread is made to exit: with TRACEEXIT it stops on the way, and the exec waits until it is let go.
  expect(is_event(wait_of(pid), PTRACE_EVENT_EXIT), "the main thread's exit stop comes first");
  go(pid);
  expect(is_event(wait_of(pid), PTRACE_EVENT_EXEC), "the exec is told by the main thread's tid");
  expect(static_cast<pid_t>(message(pid)) == thread, "its message is the former tid");
  int status = 0;
  expect(::waitpid(thread, &status, __WALL | WNOHANG) == -1 && errno == ECHILD,
         "the former tid is gone without a word");
  go(pid);
  expect(is_event(wait_of(pid), PTRACE_EVENT_EXIT), "the new program's exit stop");
  go(pid);
  expect(WIFEXITED(wait_of(pid)), "and its end");
}
