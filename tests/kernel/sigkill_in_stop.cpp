// SIGKILL pulls a tracee out of any stop: requests then fail with ESRCH and the next wait tells what came. With
// PTRACE_O_TRACEEXIT that is an exit stop, which a further SIGKILL does not end: it takes a resume. Relied on by:
// thread_gone as news, os::spawn_seized's cleaning up, run/ kill.
#include <initializer_list>

#include "tests/kernel/fact.hpp"

int main() {
  for (const bool exit_stop : {false, true}) {
    const pid_t pid = child([] {
      for (;;) ::pause();
    });
    seize(pid, exit_stop ? PTRACE_O_TRACEEXIT : 0);
    interrupt(pid);
    expect(is_event(wait_of(pid), PTRACE_EVENT_STOP), "an interrupt stop");
    ::kill(pid, SIGKILL);
    int status = 0;
    if (exit_stop) {
      expect(is_event(wait_of(pid), PTRACE_EVENT_EXIT), "a killed tracee has its exit stop");
      expect(message(pid) == SIGKILL, "whose message is the coming status");
      ::kill(pid, SIGKILL);
      ::usleep(50000);  // nothing is awaited here: time for what must not happen
      expect(::waitpid(pid, &status, __WALL | WNOHANG) == 0, "another SIGKILL does not end the exit stop");
      go(pid);
    }
    status = wait_of(pid);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "death by SIGKILL");
    expect(::ptrace(PTRACE_CONT, pid, 0L, 0L) == -1 && errno == ESRCH, "requests for a dead tracee give ESRCH");
  }
}
