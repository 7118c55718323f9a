// Signal stops: our traps, the program's own ones, and everybody else's signals.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/run/syscall_restart.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::byte int3{0xCC};
constexpr std::int64_t burst_gap_ns = 300'000;

// Sent by somebody (kill, tgkill, sigqueue), not raised by the CPU.
bool sent_by_somebody(const siginfo_t& info) { return info.si_code <= 0; }

// Two thirds of all faults carry the address of the instruction: in a slot that is not the program's.
bool address_is_code(int signal) { return signal == SIGILL || signal == SIGFPE; }

}  // namespace

void Inferior::Impl::on_signal_stop(Thread& thread, int signal) {
  auto info = os::signal_info(tracer_, thread.tid);
  if (!info) return vanish(thread);
  if (back_from_call(thread, *info)) return;
  if (signal == SIGTRAP && !sent_by_somebody(*info) && on_sigtrap(thread, *info)) return;
  if (signal == SIGTRAP && !held_back() && load(thread) != nullptr && shield_.holds(pc_of(*thread.registers))) {
    // A SIGTRAP of the program's own, reported and passed before: the shield hands it on to the default action.
    thread.deliver = SIGTRAP;
    return go_on(thread);
  }
  if (held_back() || waits_for_call(thread)) {
    // Raced with an all-stop: kept for the next resume, in the same signal-delivery-stop.
    thread.unhandled = os::WaitEvent{thread.tid, os::SignalStop{signal}};
    return;
  }
  if (calling_) return signal_in_call(thread, *info);
  on_program_signal(thread, *info);
}

// True: the SIGTRAP was ours and is dealt with.
bool Inferior::Impl::on_sigtrap(Thread& thread, const siginfo_t& info) {
  const auto* regs = load(thread);
  if (regs == nullptr) return true;
  if (const auto hit = std::exchange(thread.hit, std::nullopt)) {
    if (thread.doing == Doing::slot_step) thread.doing = Doing::running;
    const bool waits = waits_for_call(thread) && site_concerns_user(*hit);
    if (sites_.has(*hit) && !held_back() && !waits) {
      on_hit(thread, *hit);
    } else if (waits) {
      if (set_pc(thread, *hit)) thread.passed.reset();
    } else if (set_pc(thread, *hit)) {  // it will meet the trap again, if there still is one
      thread.passed.reset();
      go_if_wanted(thread);
    }
    return true;
  }
  if (finish_instruction(thread, info)) return true;
  // TRAP_BRKPT: a step over a system call (user_single_step_report()).
  if ((info.si_code == TRAP_TRACE || info.si_code == TRAP_BRKPT) && std::exchange(thread.ignore_trace, false)) {
    go_if_wanted(thread);
    return true;
  }
  // int3 is the only one-byte trap: rip is behind it, and si_code is SI_KERNEL (arch/x86/kernel/traps.c do_int3).
  if (info.si_code != SI_KERNEL) return false;
  const LoadAddr site{regs->rip - 1};
  if (sites_.has(site)) {
    if (held_back() || (waits_for_call(thread) && site_concerns_user(site))) {
      // Not lost: put back to the site, it will meet the trap again with the next resume.
      if (set_pc(thread, site)) thread.passed.reset();
      return true;
    }
    on_hit(thread, site);
    return true;
  }
  if (!was_taken_back(site)) return false;
  if (set_pc(thread, site)) {
    thread.passed.reset();
    go_if_wanted(thread);
  }
  return true;
}

// A thread trapped at `site`, where there is no site (any more). True: ours was taken back between the hit and now.
bool Inferior::Impl::was_taken_back(LoadAddr site) const {
  std::byte now{};
  if (!memory_.read_raw(site, std::span(&now, 1)) || now == int3) return false;
  std::array<std::byte, 2> two{};
  const bool own = memory_.read_raw(site - ByteCount{1}, two) && two[0] == std::byte{0xCD} && two[1] == std::byte{0x03};
  return !own;  // the two-byte form of the program's own
}

void Inferior::Impl::on_hit(Thread& thread, LoadAddr site) {
  const auto tid = thread.tid;
  const auto found = crossings_.find(site);
  // First of all off the byte behind the trap: if we died now, the thread would go on there and skip an instruction.
  const bool slotted = found != crossings_.end() && found->second.how == Crossing::How::slot;
  auto at_site = *thread.registers;
  at_site.rip = site.value;
  if (!set_pc(thread, slotted ? found->second.slot : site)) return;
  thread.passed = site;

  const auto now = now_ns();
  thread.burst = now - thread.last_internal_ns < burst_gap_ns ? thread.burst + 1 : 1;
  thread.last_internal_ns = now;

  if (returned_to(thread, site)) return go_on(thread);
  if (calling_) return hit_in_call(thread, site);

  std::vector<trap::Owner> asked;
  bool step_trap = false;
  for (const auto& owner : sites_.find(site)->owners) {
    if (owner.kind == trap::OwnerKind::step)
      step_trap = true;
    else
      asked.push_back(owner);
  }
  if (!asked.empty()) {
    auto verdict = observer_->at_site(tid, site, asked);
    // Killed meanwhile (by an exec of another thread's, SIGKILL): what the observer saw of it says nothing.
    if (find(tid) == nullptr || !thread.stopped()) return;
    if (!verdict.stop_for.empty())
      return stop_for_user(
          {.cause = StopCause::site, .thread = tid, .pc = site, .owners = std::move(verdict.stop_for)});
  }
  if (step_trap && stepper_.active() && stepper_.thread() == tid) return follow(thread, stepper_.at_trap(at_site));
  go_on(thread);
}

// The second meeting of a pass that a signal handler (or a call) interrupted; see Pass.
bool Inferior::Impl::returned_to(Thread& thread, LoadAddr site) {
  if (thread.passes.empty()) return false;
  auto now = *thread.registers;
  now.rip = site.value;
  // Frames that were left for good take their passes with them.
  std::erase_if(thread.passes, [&](const Pass& pass) { return pass.registers.rsp < now.rsp; });
  const auto found = std::ranges::find_if(thread.passes, [&](const Pass& pass) {
    auto then = pass.registers;
    if (pass.restarted_syscall) return then.rip == now.rip && then.rsp == now.rsp;
    then.orig_rax = now.orig_rax;
    return then == now;
  });
  if (found == thread.passes.end()) return false;
  thread.passes.erase(found);
  return true;
}

void Inferior::Impl::on_program_signal(Thread& thread, siginfo_t info) {
  const auto tid = thread.tid;
  // The program sees its own addresses only, in its handler and in ours.
  if (const auto* regs = load(thread); regs != nullptr) {
    if (const auto inside = slots_.inside(pc_of(*regs))) {
      if (address_is_code(info.si_signo) && !sent_by_somebody(info) &&
          slots_.holds(LoadAddr{reinterpret_cast<std::uint64_t>(info.si_addr)})) {
        info.si_addr = reinterpret_cast<void*>(inside->origin.value);
        if (auto set = os::set_signal_info(tracer_, tid, info); !set) return vanish(thread);
      }
      leave_slot(thread, true);
    }
  }
  if (!thread.stopped()) return;
  thread.deliver = info.si_signo;  // undecided: nobody borrows the thread as if this stop were ours
  const auto verdict = observer_->on_signal(tid, info);
  thread.deliver = verdict.pass ? info.si_signo : 0;
  if (!verdict.stop) return go_on(thread);
  const auto* regs = load(thread);
  stop_for_user({.cause = StopCause::signal,
                 .thread = tid,
                 .pc = regs == nullptr ? LoadAddr{} : pc_of(*regs),
                 .owners = {},
                 .signal = info});
}

void Inferior::Impl::stop_for_user(StopReport report) {
  stopping_ = true;
  const bool lives = stop_all();
  if (stepper_.active()) stepper_.end();
  stopping_ = false;
  if (!lives) return;
  running_ = false;
  only_.reset();
  hot_.reset();
  for (auto& [tid, thread] : threads_)
    if (thread.stopped()) leave_slot(thread);
  reclaim_slots();
  pins_.release_all();
  if (living() == 0) {  // all are dying: the exit will be the news
    running_ = true;
    return;
  }
  if (std::exchange(exec_unreported_, false)) {
    report.cause = StopCause::exec;
    report.owners.clear();
    report.thread = Tid{pid_.value};
  }
  auto* thread = find(report.thread);
  if (thread == nullptr || !thread->stopped()) {
    for (auto& [tid, other] : threads_)
      if (other.stopped() && !other.exiting && (thread == nullptr || !thread->stopped())) thread = &other;
    if (thread != nullptr) report.thread = thread->tid;
  }
  if (thread != nullptr && thread->stopped())
    if (const auto* regs = load(*thread)) report.pc = pc_of(shown(*regs));
  last_stop_thread_ = report.thread;
  observer_->stopped(report);
}

void Inferior::Impl::report_exec_stop() {
  stop_for_user({.cause = StopCause::exec, .thread = Tid{pid_.value}, .pc = {}, .owners = {}});
}

}  // namespace trapline::run
