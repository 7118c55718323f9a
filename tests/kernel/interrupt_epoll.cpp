// A stop is not transparent: epoll_wait returns EINTR to the program after PTRACE_INTERRUPT and PTRACE_CONT without any
// signal, while poll, read and nanosleep restart. The repair: rip back over the system call, rax the number again and
// orig_rax -1; the call then starts over. Relied on by: run/ (repair of interrupted calls).
#include <poll.h>
#include <sys/epoll.h>

#include "tests/kernel/fact.hpp"

namespace {

constexpr int eintr = 1, answered = 2;

int outcome(bool use_epoll, bool repair) {
  int gate[2];
  expect(::pipe(gate) == 0, "pipe");
  const pid_t pid = child([&] {
    int n = 0;
    if (use_epoll) {
      const int epoll = ::epoll_create1(0);
      epoll_event event{.events = EPOLLIN, .data = {}};
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, gate[0], &event);
      n = ::epoll_wait(epoll, &event, 1, -1);
    } else {
      pollfd ask{.fd = gate[0], .events = POLLIN, .revents = 0};
      n = ::poll(&ask, 1, -1);
    }
    std::_Exit(n == 1 ? answered : errno == EINTR ? eintr : 3);
  });
  wait_asleep(pid);
  seize(pid);
  interrupt(pid);
  expect(is_event(wait_of(pid), PTRACE_EVENT_STOP), "an interrupt stop");
  auto regs = registers(pid);
  if (use_epoll) expect(static_cast<long>(regs.rax) == -EINTR, "epoll_wait: rax is -EINTR in the stop already");
  if (repair) {
    regs.rip -= 2;
    regs.rax = regs.orig_rax;
    regs.orig_rax = ~0ULL;
    set_registers(pid, regs);
  }
  go(pid);
  // With the byte there before it could have slept on, both would end alike: let an EINTR come first.
  if (use_epoll && !repair) return WEXITSTATUS(wait_of(pid));
  wait_asleep(pid);
  expect(::write(gate[1], "x", 1) == 1, "write");
  return WEXITSTATUS(wait_of(pid));
}

}  // namespace

int main() {
  expect(outcome(false, false) == answered, "poll goes on after a stop");
  expect(outcome(true, false) == eintr, "epoll_wait gives EINTR after a stop");
  expect(outcome(true, true) == answered, "a repaired epoll_wait goes on");
}
