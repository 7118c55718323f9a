// Leaving a debuggee as it was found, or ending it.
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/run/remote_call.hpp"
#include "daemon/run/syscall_restart.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::chrono::seconds straggler_bound{2};

}  // namespace

// Order matters: everybody stands; nobody is behind a trap or in a slot; then the traps go, then the slots, then the
// threads, each with the signal that is its due.
Result<void> Inferior::Impl::detach() {
  if (!attached_ || !alive_) return {};
  running_ = false;
  only_.reset();
  if (!stop_all()) {
    see_it_end();
    return {};
  }
  if (stepper_.active()) stepper_.end();
  release_early();
  const auto guests = stop_guests();
  for (auto& [tid, thread] : threads_)
    if (thread.stopped() && thread.kind != StopKind::event) leave_slot(thread, true);
  restore_sites();
  free_guests(guests);
  unmap_slots();
  lower_shield();
  if (shield_.up())
    observer_->warned(fmt::format(
        "Our handler of SIGTRAP and {} KiB of memory stay in process {}: no thread of it could take them away. They do "
        "nothing by themselves; the next attach and detach removes them.",
        Shield::region_size >> 10, pid_.value));
  pins_.release_all();
  for (auto thread = threads_.begin(); thread != threads_.end();)
    thread = let_thread_go(thread->second) ? threads_.erase(thread) : std::next(thread);
  wait_for_stragglers();
  std::vector<Tid> left;
  for (const auto& [tid, thread] : threads_) left.push_back(tid);
  threads_.clear();
  arrivals_.clear();
  attached_ = false;
  if (!alive_) return {};
  journal_->close();
  if (!left.empty()) {
    return fail_hint(Errc::timeout,
                     fmt::format("{} thread(s) of process {} could not be stopped to be let go (the first is {}): they "
                                 "sleep in the kernel",
                                 left.size(), pid_.value, left.front().value),
                     "they are free as soon as this session's process ends");
  }
  return {};
}

// False: it is still ours.
bool Inferior::Impl::let_thread_go(Thread& thread) {
  if (!thread.stopped()) return false;
  int signal = 0;
  if (thread.kind == StopKind::signal) {
    signal = thread.deliver;
    if (thread.unhandled)
      if (const auto* stop = std::get_if<os::SignalStop>(&thread.unhandled->what)) signal = stop->signal;
  }
  if (thread.kind != StopKind::event) {
    repair_syscall(thread, signal);
    const auto mark = thread.restart.cookie;
    if (thread.repaired && thread.registers && mark != 0 && thread.registers->r10 >> 32 == mark) {
      auto registers = *thread.registers;
      registers.r10 &= 0xffffffffU;  // without our mark on the timeout
      static_cast<void>(set_general(thread, registers));
    }
  }
  if (!thread.stopped()) return false;
  const auto left = os::detach(tracer_, thread.tid, signal);
  // Killed in this very moment: it stops once more on its way out, and wait_for_stragglers() sees to that.
  if (!left && left.error().code == Errc::thread_gone) return false;
  if (!left) log::warn("run", "{}", left.error().message);
  return true;
}

// A process that is dying cannot be left: nobody but its tracer lets it through its exit stops.
void Inferior::Impl::see_it_end() {
  Patience patience(straggler_bound);
  do {
    pump();
  } while (alive_ && patience.pause());
}

// Threads that were not stopped: asleep in the kernel, exiting, or vfork parents whose guests were just let go.
void Inferior::Impl::wait_for_stragglers() {
  std::erase_if(threads_, [&](const auto& entry) {
    const auto& thread = entry.second;
    return thread.exiting && entry.first.value != pid_.value;
  });
  for (auto& [tid, thread] : threads_) static_cast<void>(os::interrupt(tracer_, tid));
  Patience patience(straggler_bound);
  while (!threads_.empty()) {
    std::erase_if(threads_, [&](auto& entry) {
      const auto event = waiter_.of(entry.first, os::Waiter::Mode::poll);
      if (!event) return true;
      if (!*event) return entry.second.exiting && threads_.size() == 1;  // a leader that ended: nothing to let go
      if (std::holds_alternative<os::Exited>((*event)->what) || std::holds_alternative<os::Killed>((*event)->what))
        return true;
      return let_straggler_go(entry.first, **event);
    });
    if (!threads_.empty() && !patience.pause()) break;
  }
}

// It may have woken and met a trap just before that was taken back. False: its SIGTRAP is still to come.
bool Inferior::Impl::let_straggler_go(Tid tid, const os::WaitEvent& event) {
  const auto* stop = std::get_if<os::SignalStop>(&event.what);
  int signal = stop == nullptr ? 0 : stop->signal;
  if (stop == nullptr) {
    const auto pending = os::trap_pending(tracer_, tid);
    if (pending && *pending && os::resume(tracer_, tid, 0)) return false;
  } else if (signal == SIGTRAP) {
    const auto info = os::signal_info(tracer_, tid);
    const auto regs = os::general_registers(tracer_, tid);
    const auto* thread = find(tid);
    const bool steps = thread != nullptr && (thread->ignore_trace || thread->doing != Doing::running);
    if (info && steps && (info->si_code == TRAP_TRACE || info->si_code == TRAP_BRKPT)) signal = 0;
    if (info && regs && info->si_code == SI_KERNEL && was_taken_back(LoadAddr{regs->rip - 1}) &&
        os::poke_user(tracer_, tid, os::UserOffset{rip_offset}, regs->rip - 1))
      signal = 0;
  }
  static_cast<void>(os::detach(tracer_, tid, signal));
  return true;
}

// The debuggee's map is left as it was found. Every thread is out of the slots, and no signal frame points there: a
// signal is never delivered in one.
void Inferior::Impl::unmap_slots() {
  const auto regions = slots_.regions();
  if (regions.empty() || !syscall_instruction_) return;
  for (const auto& [tid, thread] : threads_)
    if (!thread.stopped() && !thread.exiting) return;  // it may be in a slot: they stay, and are harmless
  for (const auto& [tid, thread] : threads_)
    if (thread.registers && slots_.holds(pc_of(*thread.registers))) return;
  auto* thread = lender_at_the_end();
  if (thread == nullptr) return;
  for (const auto& region : regions) {
    const auto answer = borrowed_call(*thread, SYS_munmap, {region.begin.value, region.size().value, 0, 0, 0, 0});
    if (!answer) return log::warn("run", "slots at {:#x} stay mapped: {}", region.begin.value, answer.error().message);
  }
  slots_.clear();
}

Result<void> Inferior::Impl::kill() {
  if (!alive_) return fail(Errc::process_gone, fmt::format("process {} has ended", pid_.value));
  if (!attached_) return fail(Errc::wrong_state, fmt::format("process {} was detached", pid_.value));
  if (::kill(pid_.value, SIGKILL) == -1)
    return fail(errno == ESRCH ? Errc::process_gone : Errc::os,
                fmt::format("process {} cannot be killed: {}", pid_.value, std::strerror(errno)), errno);
  return {};
}

}  // namespace trapline::run
