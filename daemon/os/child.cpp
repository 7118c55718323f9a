#include "daemon/os/child.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

namespace trapline::os {
namespace {

constexpr int child_failed = 127;  // nobody sees it: the report says why
constexpr int last_signal = 64;
constexpr unsigned long query_personality = 0xffffffff;

void report(const ChildOrders& orders, ChildStep step, int os_errno) {
  const ChildReport message{step, os_errno};
  ssize_t n = 0;
  do n = ::write(orders.report, &message, sizeof message);
  while (n == -1 && errno == EINTR);
}

[[noreturn]] void give_up(const ChildOrders& orders, ChildStep step) {
  report(orders, step, errno);
  ::_exit(child_failed);
}

void wait_at_gate(const ChildOrders& orders) {
  char go = 0;
  ssize_t n = 0;
  do n = ::read(orders.gate, &go, 1);
  while (n == -1 && errno == EINTR);
  if (n != 1) ::_exit(child_failed);
}

// Opened without O_CLOEXEC on purpose where it lands on 0..2 by dup2; the descriptor itself goes with the exec.
int open_above_stdio(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC, 0666);
  if (fd < 0 || fd > 2) return fd;
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const int err = errno;
  ::close(fd);
  errno = err;
  return higher;
}

int open_terminal(const ChildOrders& orders) {
  if (orders.pty == nullptr) {
    // No session of its own, so that a plain launch from a shell stays in the shell's; but a group, so that a signal to
    // the program's group never reaches the debugger.
    ::setpgid(0, 0);
    return -1;
  }
  if (::setsid() == -1) give_up(orders, ChildStep::new_session);
  const int fd = open_above_stdio(orders.pty, O_RDWR);
  if (fd < 0) give_up(orders, ChildStep::open_pty);
  if (::ioctl(fd, TIOCSCTTY, 0) == -1) give_up(orders, ChildStep::take_terminal);
  return fd;
}

// Bare system calls: glibc's wrappers broadcast to the process's other threads, which a fork does not have.
void change_user(const ChildOrders& orders) {
  if (orders.identity == nullptr) return;
  const Identity& id = *orders.identity;
  if (::syscall(SYS_setgroups, id.groups.size(), id.groups.data()) == -1) give_up(orders, ChildStep::set_groups);
  if (::syscall(SYS_setresgid, id.gid, id.gid, id.gid) == -1) give_up(orders, ChildStep::set_group);
  if (::syscall(SYS_setresuid, id.uid, id.uid, id.uid) == -1) give_up(orders, ChildStep::set_user);
}

void put_at(const ChildOrders& orders, int from, int at) {
  if (from >= 0) {
    if (::dup2(from, at) == -1) give_up(orders, ChildStep::arrange_files);
    return;
  }
  if (::fcntl(at, F_GETFD) != -1) return;  // ours is passed on
  // We have none ourselves: a program must not get its first opened file as its stdout.
  const int null = ::open("/dev/null", O_RDWR);
  if (null == -1 || (null != at && ::dup2(null, at) == -1)) give_up(orders, ChildStep::arrange_files);
}

void arrange_stdio(const ChildOrders& orders, int terminal) {
  int in = terminal;
  int out = terminal;
  int err = orders.err_pipe >= 0 ? orders.err_pipe : terminal;
  constexpr int create = O_WRONLY | O_CREAT | O_TRUNC;
  if (orders.in != nullptr || terminal < 0) {
    in = open_above_stdio(orders.in != nullptr ? orders.in : "/dev/null", O_RDONLY);
    if (in < 0) give_up(orders, ChildStep::open_stdin);
  }
  if (orders.out != nullptr) {
    out = open_above_stdio(orders.out, create);
    if (out < 0) give_up(orders, ChildStep::open_stdout);
  }
  if (orders.err != nullptr) {
    err = orders.err_is_out ? out : open_above_stdio(orders.err, create);
    if (err < 0) give_up(orders, ChildStep::open_stderr);
  }
  put_at(orders, in, 0);
  put_at(orders, out, 1);
  put_at(orders, err, 2);
  // Everything else of ours closes with the exec. close_range(2) is Linux 5.9, its flag 5.11.
  if (::syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (int fd = 3; fd < end; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void set_aslr(const ChildOrders& orders) {
  const int now = ::personality(query_personality);
  const unsigned long persona = now == -1 ? 0 : static_cast<unsigned long>(now);
  const unsigned long wanted = orders.disable_aslr ? persona | ADDR_NO_RANDOMIZE : persona & ~ADDR_NO_RANDOMIZE;
  if (wanted == persona && now != -1) return;
  // Container runtimes refuse this call by seccomp. It may also pretend to work, so ask.
  const bool set = ::personality(wanted) != -1;
  const int err = set ? EPERM : errno;
  if (!set || ::personality(query_personality) != static_cast<int>(wanted))
    report(orders, ChildStep::aslr_refused, err);
}

// Ignored signals and the mask go through an exec (execve(2)): the daemon ignores SIGPIPE and blocks SIGCHLD, the
// program must not. Handlers go first, or a pending signal would run one of ours here.
void default_signals() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= last_signal; ++signal) ::sigaction(signal, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void become(const ChildOrders& orders) {
  wait_at_gate(orders);
  const int terminal = open_terminal(orders);
  change_user(orders);
  if (orders.cwd != nullptr && ::chdir(orders.cwd) == -1) give_up(orders, ChildStep::change_directory);
  arrange_stdio(orders, terminal);
  set_aslr(orders);
  default_signals();
  ::execve(orders.program, orders.argv, orders.envp);
  give_up(orders, ChildStep::exec);
}

}  // namespace trapline::os
