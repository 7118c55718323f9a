// Waiting: which thread reported what, and how all of them are brought to a stop.
//
// waitpid(-1) costs 44 ns per tracee, so an all-stop sends every PTRACE_INTERRUPT first and then collects thread by
// thread; -1 is asked once per SIGCHLD, when nobody knows who it was. Every wait has a bound: a thread in an
// uninterruptible sleep is left running, with its interrupt pending, and counts as stopped when it comes back.
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "daemon/os/proc.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::chrono::seconds stop_bound{3};
constexpr std::chrono::milliseconds sleeper_bound{60};  // then threads in state D are not waited for
constexpr std::chrono::microseconds linger_bound{150};
constexpr unsigned sweep_every = 16;  // polls of the hot thread between two sweeps
// A thread that keeps the tracer busy must not keep the loop's sockets waiting.
constexpr std::chrono::milliseconds longest_pump{5};

bool asleep_for_good(Tid tid) {
  const auto status = os::process_status(tid);
  return status && status->state == 'D';
}

}  // namespace

// tgkill(2) with signal 0 tells whether `tid` is a thread of `pid`, for 100 ns.
bool is_thread_of(Pid pid, Tid tid) { return ::syscall(SYS_tgkill, pid.value, tid.value, 0) == 0; }

Thread* Inferior::Impl::find(Tid tid) {
  const auto found = threads_.find(tid);
  return found == threads_.end() ? nullptr : &found->second;
}

Thread& Inferior::Impl::add_thread(Tid tid) {
  auto& thread = threads_[tid];
  thread.tid = tid;
  return thread;
}

// ESRCH on a thread that we held: it was killed, or taken by an exec. Its end is reported by waitpid.
void Inferior::Impl::vanish(Thread& thread) {
  thread.standing = Standing::vanishing;
  thread.registers.reset();
  thread.unhandled.reset();
}

void Inferior::Impl::pump() {
  if (pumping_ || !attached_) return;
  pumping_ = true;
  counters_.wakeups++;
  const auto end = now_ns() + std::chrono::nanoseconds(longest_pump).count();
  while (alive_) {
    if (!sweep() && arrivals_.empty() && !linger()) break;
    settle_arrivals();
    if (now_ns() > end && hot_) {
      // Others want the loop too; what is pending raises no new SIGCHLD, so ask to be called again.
      ::kill(::getpid(), SIGCHLD);
      break;
    }
  }
  hot_.reset();
  pins_.release_all();
  pumping_ = false;
}

bool Inferior::Impl::sweep() {
  bool any = false;
  while (alive_) {
    const auto event = waiter_.any();
    if (!event || !*event) break;
    any = true;
    take(**event);
  }
  return any;
}

bool Inferior::Impl::linger() {
  if (!hot_ || !running_ || stopping_) return false;
  Patience patience(linger_bound);
  for (unsigned polls = 1;; ++polls) {
    const auto event = waiter_.of(*hot_, os::Waiter::Mode::poll);
    if (!event) return false;
    if (*event) {
      take(**event);
      return true;
    }
    if (polls % sweep_every == 0 && sweep()) return true;
    if (!patience.pause()) return false;
  }
}

void Inferior::Impl::settle_arrivals() {
  while (alive_ && !arrivals_.empty()) {
    const auto tid = arrivals_.front();
    arrivals_.pop_front();
    if (auto* thread = find(tid); thread != nullptr && thread->stopped() && thread->unhandled) settle(*thread);
  }
}

void Inferior::Impl::take(const os::WaitEvent& event) {
  if (std::holds_alternative<os::Exited>(event.what) || std::holds_alternative<os::Killed>(event.what))
    return take_end(event);
  if (guests_.contains(event.tid)) return settle_guest(event);
  auto* thread = find(event.tid);
  if (thread == nullptr) return take_unknown(event);
  counters_.stops++;
  thread->standing = Standing::stopped;
  thread->sent_interrupt = false;
  thread->registers.reset();
  thread->hit.reset();
  if (const auto moved = std::exchange(moved_, std::nullopt); moved && moved->tid == event.tid) {
    thread->hit = moved->site;
    thread->registers = moved->registers;
  }
  if (trap_goes_first(*thread, event)) return;
  thread->unhandled = event;
  arrivals_.push_back(event.tid);
}

void Inferior::Impl::take_end(const os::WaitEvent& event) {
  guests_.erase(event.tid);
  early_.erase(event.tid);
  const auto ended_so = [&] {
    if (const auto* exited = std::get_if<os::Exited>(&event.what)) return process_ended(exited->code, 0, false);
    const auto& killed = std::get<os::Killed>(event.what);
    process_ended(0, killed.signal, killed.core_dumped);
  };
  // The leader's status comes last, when every other thread was collected: it is the process's.
  if (event.tid.value == pid_.value) return ended_so();
  if (threads_.contains(event.tid)) {
    gone(event.tid);
    threads_.erase(event.tid);
    announced_gone_.erase(event.tid);
    pins_.forget(event.tid);
  }
  // Without a leader that reports to us, the last thread's end is the end; of a group that was ended as one
  // (exit_group, a fatal signal) every thread has the group's status (kernel/exit.c, wait_task_zombie()).
  if (untraced_leader_ && threads_.size() <= 1) ended_so();
}

// An interrupt overtakes the SIGTRAP of an int3 that was executed already: rip is behind the trap, and nobody was told
// why. The thread is let go without running: what it reports next is that SIGTRAP. (Were it left pending, a detach
// would hand it to the program.)
bool Inferior::Impl::trap_goes_first(Thread& thread, const os::WaitEvent& event) {
  const bool group = std::holds_alternative<os::GroupStop>(event.what);
  if (!group && !std::holds_alternative<os::InterruptStop>(event.what)) return false;
  const auto pending = os::trap_pending(tracer_, thread.tid);
  if (!pending || !*pending || !os::resume(tracer_, thread.tid, 0)) return false;
  thread.standing = Standing::running;
  thread.rejoin_group = group;
  return true;
}

// A stop of a tid that we do not know: a thread or child whose maker's event is still on its way.
void Inferior::Impl::take_unknown(const os::WaitEvent& event) {
  if (is_thread_of(pid_, event.tid)) {
    add_thread(event.tid);
    take(event);
    return;
  }
  early_.insert_or_assign(event.tid, event);
}

void Inferior::Impl::process_ended(int code, int signal, bool core_dumped) {
  if (!alive_) return;
  release_early();
  alive_ = false;
  running_ = false;
  stepper_.forget();
  sites_.clear();
  crossings_.clear();
  slots_.clear();
  for (const auto& [tid, thread] : threads_) pins_.forget(tid);
  const auto ended = std::exchange(threads_, {});
  arrivals_.clear();
  journal_->close();
  observer_->exited(code, signal, core_dumped);
}

// ---- all-stop ------------------------------------------------------------------------------------------------------

std::vector<Tid> Inferior::Impl::to_collect() {
  std::vector<Tid> waiting;
  for (auto& [tid, thread] : threads_) {
    if (thread.standing != Standing::running || thread.exiting || thread.in_vfork) continue;
    if (!thread.fresh && !thread.sent_interrupt) {
      if (auto sent = os::interrupt(tracer_, tid); !sent) {
        vanish(thread);
        continue;
      }
      thread.sent_interrupt = true;
    }
    waiting.push_back(tid);
  }
  return waiting;
}

// One poll of everyone; true: somebody reported.
bool Inferior::Impl::collect_round(std::vector<Tid>& waiting) {
  bool progress = false;
  for (auto& tid : waiting) {
    if (!alive_) return true;
    auto* thread = find(tid);
    if (thread == nullptr || thread->standing != Standing::running || thread->exiting || thread->in_vfork) {
      tid = Tid{};
      progress = true;
      continue;
    }
    const auto event = waiter_.of(tid, os::Waiter::Mode::poll);
    if (!event) {
      vanish(*thread);
      tid = Tid{};
      progress = true;
    } else if (*event) {
      take(**event);
      settle_arrivals();
      progress = true;
    }
  }
  std::erase(waiting, Tid{});
  return progress;
}

// A thread that was killed stops once more on its way out, and who waits for its end (an exec) stops only behind that.
bool Inferior::Impl::collect_ends() {
  const auto vanishes = [](const auto& entry) { return entry.second.standing == Standing::vanishing; };
  if (!alive_ || std::ranges::none_of(threads_, vanishes) || !sweep()) return false;
  settle_arrivals();
  return true;
}

bool Inferior::Impl::stop_all() {
  const bool nested = std::exchange(stopping_, true);
  settle_arrivals();
  Patience patience(stop_bound);
  auto waiting = to_collect();
  bool looked_at_sleepers = false;
  while (alive_) {
    if (collect_round(waiting) || collect_ends()) {
      patience = Patience(stop_bound);
      looked_at_sleepers = false;
    }
    if (waiting.empty()) {
      waiting = to_collect();  // threads that were born meanwhile, or resumed from an event
      if (waiting.empty()) break;
      continue;
    }
    if (!looked_at_sleepers && patience.elapsed() > sleeper_bound) {
      looked_at_sleepers = true;
      std::erase_if(waiting, asleep_for_good);
      if (waiting.empty()) break;
    }
    if (!patience.pause()) break;
  }
  if (alive_ && !waiting.empty() && !std::exchange(stop_failed_told_, true)) {
    observer_->warned(
        fmt::format("Thread {} does not stop: it sleeps in the kernel where nothing can interrupt it "
                    "(/proc/{}/task/{}/stack says where). It is shown as running.",
                    waiting.front().value, pid_.value, waiting.front().value));
  }
  stopping_ = nested;
  return alive_;
}

bool Inferior::Impl::collect_one(Tid tid, std::chrono::milliseconds bound) {
  Patience patience(bound);
  for (;;) {
    const auto event = waiter_.of(tid, os::Waiter::Mode::poll);
    if (!event) {
      if (auto* thread = find(tid)) vanish(*thread);
      return false;
    }
    if (*event) {
      take(**event);
      const auto* thread = find(tid);
      if (thread == nullptr) return false;
      if (thread->stopped()) return true;
    }
    if (!patience.pause()) return false;
  }
}

}  // namespace trapline::run
