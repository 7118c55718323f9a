#include "daemon/lobby/guardian.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "daemon/util/log.hpp"

namespace trapline::lobby {
namespace {

constexpr std::uint64_t stop_key = 0;  // no process has pid 0

void raise_priority() {
  sched_param priority{.sched_priority = 1};
  if (::pthread_setschedparam(::pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) == 0) return;
  // Without CAP_SYS_NICE: what the user's limit allows.
  if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -10) != 0)
    log::debug("lobby", "the guardian runs at normal priority: {}", strerror(errno));
}

void no_signals_here() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // the loop's thread takes them
}

}  // namespace

Guardian::Guardian(asio::io_context& loop, std::filesystem::path journals, Ended ended)
    : loop_(loop),
      journals_(std::move(journals)),
      ended_(std::move(ended)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = stop_key}};
  TL_ASSERT(epoll_ && stop_ && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) == 0);
  thread_ = std::thread([this] { run(); });
}

Guardian::~Guardian() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

Result<void> Guardian::watch(Pid session) {
  util::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, session.value, 0)));
  if (!pidfd && errno == ESRCH) return fail(Errc::no_process, fmt::format("process {} is gone", session.value));
  if (!pidfd) return fail(Errc::os, fmt::format("pidfd_open {}: {}", session.value, strerror(errno)), errno);
  const std::scoped_lock guard(lock_);
  // One shot: this thread runs at real-time priority, and an event that came again and again would take the machine.
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = static_cast<std::uint64_t>(session.value)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) != 0)
    return fail(Errc::os, fmt::format("epoll_ctl: {}", strerror(errno)), errno);
  watched_.insert_or_assign(session.value, std::move(pidfd));
  return {};
}

void Guardian::run() {
  no_signals_here();
  raise_priority();
  while (true) {
    epoll_event event{};
    const int got = ::epoll_wait(epoll_.get(), &event, 1, -1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || event.data.u64 == stop_key) return;
    const Pid session{static_cast<pid_t>(event.data.u64)};
    auto recoveries = guard::recover_all(journals_, session);
    {
      const std::scoped_lock guard(lock_);
      if (const auto watched = watched_.find(session.value); watched != watched_.end()) {
        // Closing alone would not do: a process that is being spawned right now may hold a copy until its exec.
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->second.get(), nullptr);
        watched_.erase(watched);
      }
    }
    asio::post(loop_, [this, session, done = std::move(recoveries)]() mutable { ended_(session, std::move(done)); });
  }
}

}  // namespace trapline::lobby
