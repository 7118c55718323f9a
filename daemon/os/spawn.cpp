// The parent's side of a spawn.
//
//   parent                       child
//   fork, all signals blocked -> waits at the gate
//   PTRACE_SEIZE
//   opens the gate            -> session, terminal, user, directory, files, signals; execve
//   waits for PTRACE_EVENT_EXEC    (a failure: one ChildReport, then _exit)
//
// The report pipe is close-on-exec: end of file without a message is the sign of success, and it can be polled with a
// bound, which waiting for a tracee cannot. SEIZE comes first so that the exec itself is already ours to see.
#include "daemon/os/spawn.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "daemon/os/child.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"

namespace trapline::os {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_again{20};

struct Pipe {
  util::Fd read;
  util::Fd write;
};

std::unexpected<Error> fail_os(std::string_view what, int err,
                               std::source_location where = std::source_location::current()) {
  return fail(Errc::os, fmt::format("cannot start a program: {}: {}", what, std::strerror(err)), err, where);
}

// A descriptor above the three of stdio, which the child is about to replace.
Result<util::Fd> above_stdio(util::Fd fd) {
  if (!fd.valid() || fd.get() > 2) return fd;
  util::Fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!higher) return fail_os("fcntl(F_DUPFD)", errno);
  return higher;
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_os("pipe", errno);
  util::Fd first(ends[0]);
  util::Fd second(ends[1]);
  TL_TRY(util::Fd reader, above_stdio(std::move(first)));
  TL_TRY(util::Fd writer, above_stdio(std::move(second)));
  return Pipe{std::move(reader), std::move(writer)};
}

Result<std::optional<Identity>> identity_of(const std::string& user) {
  if (user.empty()) return std::nullopt;
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr)
    return fail_hint(Errc::not_found, fmt::format("there is no user '{}' on this machine", user),
                     "Check \"user\" of the launch arguments; `getent passwd` lists the users.");
  Identity id{.uid = entry.pw_uid, .gid = entry.pw_gid, .groups = {}};
  int count = 64;
  for (;;) {
    id.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(user.c_str(), entry.pw_gid, id.groups.data(), &count) != -1) break;
  }
  id.groups.resize(static_cast<std::size_t>(count));
  // Our own user, and no rights to change the groups: nothing to do then.
  if (::geteuid() != 0 && id.uid == ::geteuid()) return std::nullopt;
  return id;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

// Holds all signals of this thread while it lives: no handler of ours may run in the child.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_{};
};

// Kills and collects the child unless it was handed on.
class Child {
 public:
  Child(const OnTracer& tracer, pid_t pid) : tracer_(tracer), pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    Waiter waiter(tracer_);
    for (;;) {
      const auto event = waiter.of(tid(), Waiter::Mode::block);
      if (!event || !*event) return;
      if (std::holds_alternative<Exited>((*event)->what) || std::holds_alternative<Killed>((*event)->what)) return;
      // The exit stop, where it was asked for. A further SIGKILL would not end it: the kernel drops signals to a
      // process that is dying already (prepare_signal in kernel/signal.c).
      static_cast<void>(resume(tracer_, tid(), 0));
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Tid tid() const { return Tid{pid_}; }
  void collected() { pid_ = 0; }
  Pid hand_on() { return Pid{std::exchange(pid_, 0)}; }

 private:
  const OnTracer& tracer_;
  pid_t pid_;
};

std::string exec_reason(int err) {
  switch (err) {
    case ENOENT: return "the file, its loader or its interpreter does not exist";
    case EACCES: return "no permission to execute it, or its file system is mounted noexec";
    case ENOEXEC: return "the kernel does not know its format";
    case E2BIG: return "arguments and environment together are too large";
    case ETXTBSY: return "the file is open for writing (a link still running?)";
    case ENOMEM: return "out of memory";
    default: return std::strerror(err);
  }
}

Error explain(const ChildReport& report, const SpawnPlan& plan, const std::string& program) {
  const int err = report.os_errno;
  const std::string system = std::strerror(err);
  Error error{.code = Errc::not_executable, .message = {}, .os_errno = err, .hint = {}};
  const auto because = [&](const std::string& what) {
    error.message = fmt::format("cannot run '{}': {}", program, what);
  };
  switch (report.step) {
    case ChildStep::exec: because(exec_reason(err)); break;
    case ChildStep::change_directory:
      because(fmt::format("cannot change to its working directory '{}': {}", plan.cwd, system));
      error.hint = "Check \"cwd\" of the launch arguments.";
      break;
    case ChildStep::open_stdin:
      because(fmt::format("cannot open '{}' as its standard input: {}",
                          plan.stdin_path.empty() ? "/dev/null" : plan.stdin_path, system));
      break;
    case ChildStep::open_stdout:
      because(fmt::format("cannot open '{}' as its standard output: {}", plan.stdout_path, system));
      break;
    case ChildStep::open_stderr:
      because(fmt::format("cannot open '{}' as its standard error: {}", plan.stderr_path, system));
      break;
    case ChildStep::set_groups:
    case ChildStep::set_group:
    case ChildStep::set_user:
      because(fmt::format("cannot become user '{}': {}", plan.user, system));
      error.code = Errc::no_permission;
      error.hint = "Only root (CAP_SETUID, CAP_SETGID) may start a program as another user.";
      break;
    case ChildStep::open_pty:
    case ChildStep::take_terminal:
      because(fmt::format("cannot use the terminal '{}': {}", plan.pty_slave.value_or(""), system));
      error.hint = "Is it the controlling terminal of another session?";
      break;
    case ChildStep::new_session: because(fmt::format("setsid: {}", system)); break;
    case ChildStep::arrange_files: because(fmt::format("cannot place its standard files: {}", system)); break;
    case ChildStep::aslr_refused: because(system); break;
  }
  return error;
}

// The last message counts: a note may come before a failure. nullopt: none.
struct Reports {
  bool aslr_refused = false;
  std::optional<ChildReport> failure;
};
Reports read_reports(int fd) {
  Reports reports;
  ChildReport message;
  for (;;) {
    const ssize_t n = ::read(fd, &message, sizeof message);
    if (n == -1 && errno == EINTR) continue;
    if (n != static_cast<ssize_t>(sizeof message)) return reports;
    if (message.step == ChildStep::aslr_refused)
      reports.aslr_refused = true;
    else
      reports.failure = message;
  }
}

// True once the child's end is closed: it has exec'd, or is dead. Returns early for a message: a failing child may next
// be found in its exit stop, where its files are still open.
bool report_closed(int fd, std::chrono::milliseconds limit) {
  pollfd ask{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&ask, 1, static_cast<int>(limit.count())) == 1 && (ask.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

enum class Progress : std::uint8_t { waiting, exec_stop, dead };
struct Death {
  int signal = 0;
  int code = 0;
};

// One event of the child before its exec. Signals that reach it in this window are the user's: passed on.
Result<Progress> take(const OnTracer& tracer, const WaitEvent& event, Death& death) {
  if (const auto* exited = std::get_if<Exited>(&event.what)) {
    death.code = exited->code;
    return Progress::dead;
  }
  if (const auto* killed = std::get_if<Killed>(&event.what)) {
    death.signal = killed->signal;
    return Progress::dead;
  }
  if (const auto* stop = std::get_if<EventStop>(&event.what); stop != nullptr && stop->event == TraceEvent::exec)
    return Progress::exec_stop;
  const auto* signal = std::get_if<SignalStop>(&event.what);
  const auto resumed = resume(tracer, event.tid, signal != nullptr ? signal->signal : 0);
  if (!resumed && resumed.error().code != Errc::thread_gone) return std::unexpected(resumed.error());
  return Progress::waiting;  // gone: the next wait tells how
}

// Runs the child to its exec stop. Errors: no_process with the child's death; timeout.
Result<void> run_to_exec(const OnTracer& tracer, Child& child, int report, const std::string& program,
                         std::chrono::milliseconds limit) {
  Waiter waiter(tracer);
  const auto deadline = Clock::now() + limit;
  bool closed = false;
  Death death;
  for (;;) {
    if (!closed) closed = report_closed(report, look_again);
    if (!closed && Clock::now() > deadline)
      return fail_hint(Errc::timeout,
                       fmt::format("cannot run '{}': its set-up did not finish within {} ms", program, limit.count()),
                       "Is one of its standard files a FIFO without another end, or its folder on a dead mount?");
    // Closed: the exec stop or the death is certain to come, and only they are left.
    TL_TRY(const auto event, waiter.of(child.tid(), closed ? Waiter::Mode::block : Waiter::Mode::poll));
    if (!event) continue;
    TL_TRY(const Progress progress, take(tracer, *event, death));
    if (progress == Progress::exec_stop) return {};
    if (progress != Progress::dead) continue;
    child.collected();
    return fail(
        Errc::not_executable,
        death.signal != 0
            ? fmt::format("cannot run '{}': the kernel ended it with SIG{} while loading it (a damaged file?)", program,
                          sigabbrev_np(death.signal))
            : fmt::format("cannot run '{}': it ended with code {} before its first instruction", program, death.code));
  }
}

Result<pid_t> fork_into(const ChildOrders& orders) {
  const SignalsHeld held;
  const pid_t pid = ::fork();
  if (pid == 0) become(orders);
  if (pid == -1) return fail_os("fork", errno);
  return pid;
}

Result<void> open_gate(int fd) {
  const char go = 1;
  ssize_t n = 0;
  do n = ::write(fd, &go, 1);
  while (n == -1 && errno == EINTR);
  if (n != 1) return fail_os("the gate", errno);
  return {};
}

bool same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
}

}  // namespace

Result<Spawned> spawn_seized(const OnTracer& tracer, SpawnPlan plan, unsigned trace_options) {
  if (plan.argv.empty()) return fail(Errc::not_executable, "no program was named");
  TL_TRY(const std::string program, find_in_path(plan.argv.front(), plan.env, plan.cwd));
  TL_TRY_VOID(check_program(program));
  TL_TRY(const auto identity, identity_of(plan.user));
  TL_TRY(util::Fd err_pipe, above_stdio(std::move(plan.stderr_pipe)));
  TL_TRY(Pipe gate, make_pipe());
  TL_TRY(Pipe report, make_pipe());
  ::fcntl(report.read.get(), F_SETFL, O_NONBLOCK);

  auto argv = pointers_to(plan.argv);
  auto envp = pointers_to(plan.env);
  const ChildOrders orders{.program = program.c_str(),
                           .argv = argv.data(),
                           .envp = envp.data(),
                           .cwd = or_null(plan.cwd),
                           .pty = plan.pty_slave ? plan.pty_slave->c_str() : nullptr,
                           .in = or_null(plan.stdin_path),
                           .out = or_null(plan.stdout_path),
                           .err = or_null(plan.stderr_path),
                           .err_is_out = same_file(plan.stdout_path, plan.stderr_path),
                           .err_pipe = err_pipe.get(),
                           .gate = gate.read.get(),
                           .report = report.write.get(),
                           .identity = identity ? &*identity : nullptr,
                           .disable_aslr = plan.disable_aslr};
  TL_TRY(const pid_t pid, fork_into(orders));
  Child child(tracer, pid);
  report.write.close();
  gate.read.close();
  if (auto seized = seize(tracer, child.tid(), trace_options | trace_exec); !seized) {
    Error error = explain_refusal(Pid{pid}, seized.error().os_errno);
    error.message = fmt::format("cannot run '{}' under a debugger: {}", program, error.message);
    return std::unexpected(std::move(error));
  }
  TL_TRY_VOID(open_gate(gate.write.get()));
  const auto ran = run_to_exec(tracer, child, report.read.get(), program, plan.limit);
  const Reports reports = read_reports(report.read.get());
  if (reports.failure) return std::unexpected(explain(*reports.failure, plan, program));
  if (!ran) return std::unexpected(ran.error());
  return Spawned{.pid = child.hand_on(), .aslr_disabled = !(plan.disable_aslr && reports.aslr_refused)};
}

}  // namespace trapline::os
