// A main thread that ends with pthread_exit while others run becomes a zombie that nobody may collect: waitpid for it
// tells nothing (though /proc says Z) until the last thread is gone, and then gives the process's status. Relied on by:
// os::Waiter (never block on a main thread that has exited), run/.
#include <pthread.h>

#include <thread>

#include "tests/kernel/fact.hpp"

int main() {
  int start[2], finish[2];
  expect(::pipe(start) == 0 && ::pipe(finish) == 0, "pipe");
  const pid_t pid = child([&] {
    char go_on;
    std::thread([&] { std::_Exit(::read(finish[0], &go_on, 1) == 1 ? 5 : 1); }).detach();
    if (::read(start[0], &go_on, 1) == 1) ::pthread_exit(nullptr);
  });
  seize(pid, PTRACE_O_TRACEEXIT);
  expect(::write(start[1], "g", 1) == 1, "write");
  expect(is_event(wait_of(pid), PTRACE_EVENT_EXIT), "the main thread's exit stop");
  go(pid);
  char path[64], state = '?';
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  while (state != 'Z') {  // bounded by the alarm
    std::FILE* file = std::fopen(path, "r");
    expect(file != nullptr && std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1, "/proc/PID/stat is there");
    std::fclose(file);
    ::usleep(500);
  }
  int status = 0;
  expect(::waitpid(pid, &status, __WALL | WNOHANG) == 0, "the zombie main thread cannot be collected");
  expect(::write(finish[1], "g", 1) == 1, "write");
  status = wait_of(pid);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 5, "the last thread's end gives the process's status by its pid");
}
