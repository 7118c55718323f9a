// Letting threads go on: over sites, out of group stops, with their signals, and without the program noticing.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>

#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/run/syscall_restart.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::size_t most_passes = 16;
constexpr std::uint32_t burst_begins = 4;

}  // namespace

// ---- registers -----------------------------------------------------------------------------------------------------

const arch::GeneralRegisters* Inferior::Impl::load(Thread& thread) {
  if (!thread.stopped()) return nullptr;
  if (!thread.registers) {
    auto got = os::general_registers(tracer_, thread.tid);
    if (!got) {
      vanish(thread);
      return nullptr;
    }
    thread.registers = *got;
  }
  return &*thread.registers;
}

bool Inferior::Impl::set_pc(Thread& thread, LoadAddr pc) {
  if (thread.registers && thread.registers->rip == pc.value) return true;
  if (!os::poke_user(tracer_, thread.tid, os::UserOffset{rip_offset}, pc.value)) {
    vanish(thread);
    return false;
  }
  if (thread.registers) thread.registers->rip = pc.value;
  return true;
}

bool Inferior::Impl::set_general(Thread& thread, const arch::GeneralRegisters& registers) {
  if (!os::set_general_registers(tracer_, thread.tid, registers)) {
    vanish(thread);
    return false;
  }
  thread.registers = registers;
  return true;
}

arch::GeneralRegisters Inferior::Impl::shown(const arch::GeneralRegisters& registers) const {
  auto at = registers;
  if (const auto inside = slots_.inside(pc_of(registers))) at.rip = inside->equivalent.value;
  return at;
}

Result<Thread*> Inferior::Impl::stopped_thread(Tid tid) {
  auto* thread = find(tid);
  if (!alive_ || thread == nullptr || thread->standing == Standing::vanishing || thread->exiting)
    return fail(Errc::thread_gone, fmt::format("there is no thread {} (any more)", tid.value));
  if (!thread->stopped()) return fail(Errc::not_stopped, fmt::format("thread {} is running", tid.value));
  return thread;
}

Result<arch::RegisterFile> Inferior::Impl::registers(Tid tid, bool with_xstate) {
  TL_TRY(auto* thread, stopped_thread(tid));
  const auto* regs = load(*thread);
  if (regs == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", tid.value));
  arch::RegisterFile file{.general = shown(*regs), .xstate = {}};
  if (with_xstate) {
    auto vector = os::xstate(tracer_, tid);
    if (!vector) {
      if (vector.error().code == Errc::thread_gone) vanish(*thread);
      return std::unexpected(vector.error());
    }
    file.xstate = *std::move(vector);
  }
  return file;
}

Result<void> Inferior::Impl::set_registers(Tid tid, const arch::RegisterFile& file) {
  TL_TRY(auto* thread, stopped_thread(tid));
  const auto* current = load(*thread);
  if (current == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", tid.value));
  if (thread->kind == StopKind::event)
    return fail_hint(Errc::wrong_state,
                     fmt::format("thread {} stands inside a system call of its own (exec, clone), its registers are "
                                 "not to be changed here",
                                 tid.value),
                     "step it first");
  const auto seen = shown(*current);
  auto now = file.general;
  if (now.rip == seen.rip) {
    now.rip = current->rip;  // not moved: it stays in its slot
  } else {
    if (thread->passed) {
      // Away from a site that was reported and not executed (a call, say): if it comes back just so, that is no hit.
      auto pass = seen;
      pass.rip = thread->passed->value;
      if (thread->passes.size() < most_passes) thread->passes.push_back({.registers = pass});
      thread->passed.reset();
    }
    // Else the kernel would take the old call's restart to the new place: rip - 2.
    if (now.orig_rax == current->orig_rax) now.orig_rax = ~std::uint64_t{0};
  }
  if (now != *current) {
    TL_TRY_VOID(os::set_general_registers(tracer_, tid, now));
    thread->registers = now;
  }
  if (!file.xstate.empty()) TL_TRY_VOID(os::set_xstate(tracer_, tid, file.xstate));
  return {};
}

Result<siginfo_t> Inferior::Impl::stop_signal(Tid tid) {
  TL_TRY(auto* thread, stopped_thread(tid));
  if (thread->kind != StopKind::signal)
    return fail(Errc::not_available, fmt::format("thread {} was not stopped by a signal", tid.value));
  return os::signal_info(tracer_, tid);
}

Result<void> Inferior::Impl::set_pending_signal(Tid tid, int signal) {
  TL_TRY(auto* thread, stopped_thread(tid));
  if (thread->kind == StopKind::signal) {
    thread->unhandled.reset();
    thread->deliver = signal;
    return {};
  }
  if (signal == 0) return {};
  if (::syscall(SYS_tgkill, pid_.value, tid.value, signal) == -1)
    return fail(Errc::os, fmt::format("signal {} cannot be sent to thread {}: {}", signal, tid.value, strerror(errno)),
                errno);
  return {};
}

// ---- going on ------------------------------------------------------------------------------------------------------

bool Inferior::Impl::wanted(const Thread& thread) const {
  return running_ && !stopping_ && alive_ && (!only_ || *only_ == thread.tid);
}

void Inferior::Impl::go_if_wanted(Thread& thread) {
  if (wanted(thread)) go(thread);
}

void Inferior::Impl::go_on(Thread& thread) {
  counters_.internal_stops++;
  hot_ = thread.tid;
  if (!wanted(thread)) return;
  if (thread.burst >= burst_begins) pins_.pin(thread.tid);
  go(thread);
}

// Before the thread goes on with `signal`: an EINTR of ours becomes a restart, and a restart that has not begun becomes
// EINTR again where a handler runs first. Every signal of a tracee makes a stop, so none slips in between.
void Inferior::Impl::repair_syscall(Thread& thread, int signal) {
  const auto* now = load(thread);
  if (now == nullptr) return;
  const auto repaired = std::exchange(thread.repaired, std::nullopt);
  const bool not_begun = repaired && repaired->after == *now;
  const bool eintr = returned_eintr(*now);
  if (!not_begun && !eintr) return;
  const auto signals = signal_state(thread.tid);
  const bool handler = signals.handler_runs(signal) || signals.handler_due();
  if (not_begun) {
    thread.repaired = repaired;
    if (handler && set_general(thread, repaired->before)) thread.repaired.reset();
    return;
  }
  if (handler) return;
  const auto before = *now;
  auto after = before;
  const auto inside = slots_.inside(pc_of(before));
  restart(after, thread.restart, now_ns());
  if (inside && inside->executed) after.rip = inside->slot.value;  // a `syscall` in a slot starts it
  if (!set_general(thread, after)) return;
  thread.repaired = {.before = before, .after = after};
  if (sites_.has(pc_of(after))) thread.passes.push_back({.registers = after, .restarted_syscall = true});
}

void Inferior::Impl::go(Thread& thread) {
  if (!thread.stopped()) return;
  const auto resume_with = [&](int signal) {
    // Pending when the thread leaves this stop, it brings the group stop back (kernel/signal.c, do_jobctl_trap()).
    if (std::exchange(thread.rejoin_group, false)) static_cast<void>(os::interrupt(tracer_, thread.tid));
    const auto done = os::resume(tracer_, thread.tid, signal);
    if (!done) return vanish(thread);
    thread.standing = Standing::running;
    thread.registers.reset();
  };
  if (thread.exiting || thread.kind == StopKind::event) return resume_with(0);
  if (thread.kind == StopKind::group) {
    if (!std::exchange(group_stop_told_, true))
      observer_->warned(
          "The program is in a stop of its own (SIGSTOP, SIGTSTP or a terminal's): it goes on with SIGCONT.");
    if (!os::listen(tracer_, thread.tid)) return resume_with(0);  // SIGCONT came first
    thread.standing = Standing::running;
    thread.registers.reset();
    return;
  }
  if (load(thread) == nullptr) return;
  int signal = thread.kind == StopKind::signal ? thread.deliver : 0;
  if (signal != 0) {
    // The handler's frame must hold the program's own pc. If that is a site whose hit was handled, the trap will be met
    // again after the handler: not a second hit.
    repair_syscall(thread, signal);
    leave_slot(thread, true);
    if (!thread.stopped()) return;
    if (thread.passed && pc_of(*thread.registers) == *thread.passed && thread.passes.size() < most_passes)
      thread.passes.push_back({.registers = *thread.registers});
    thread.passed.reset();
    thread.deliver = 0;
    return resume_with(signal);
  }
  if (thread.passed && pc_of(*thread.registers) == *thread.passed && sites_.has(*thread.passed)) {
    if (cross(thread) != Crossed::ready) return;
    signal = thread.kind == StopKind::signal ? std::exchange(thread.deliver, 0) : 0;
  } else {
    if (thread.passed && !slots_.holds(pc_of(*thread.registers))) thread.passed.reset();
    repair_syscall(thread, 0);
    if (!thread.stopped()) return;
  }
  resume_with(signal);
}

// Every thread that may run does; those with a signal that came during the last all-stop are settled first, while
// everybody still stands, so that a stop it leads to moves nobody.
void Inferior::Impl::release_all() {
  std::vector<Tid> order;
  for (auto& [tid, thread] : threads_) {
    if (!thread.stopped() || (only_ && *only_ != tid)) continue;
    if (thread.unhandled)
      arrivals_.push_back(tid);
    else
      order.push_back(tid);
  }
  settle_arrivals();
  for (const auto tid : order) {
    if (!running_ || !alive_) return;
    if (auto* thread = find(tid); thread != nullptr && thread->stopped() && !thread->unhandled) go_if_wanted(*thread);
  }
}

Result<void> Inferior::Impl::resume(std::optional<Tid> only) {
  if (!alive_) return fail(Errc::process_gone, fmt::format("process {} has ended", pid_.value));
  if (!attached_) return fail(Errc::wrong_state, fmt::format("process {} was detached", pid_.value));
  if (running_) return fail_hint(Errc::wrong_state, "the program is running already", "interrupt it first");
  if (only) {
    TL_TRY_VOID(stopped_thread(*only));
  }
  only_ = only;
  running_ = true;
  memory_.kept().clear();
  release_all();
  return {};
}

Result<void> Inferior::Impl::interrupt() {
  if (!alive_) return fail(Errc::process_gone, fmt::format("process {} has ended", pid_.value));
  if (!attached_) return fail(Errc::wrong_state, fmt::format("process {} was detached", pid_.value));
  Tid shown_thread = last_stop_thread_.value_or(Tid{pid_.value});
  if (stepper_.active()) shown_thread = stepper_.thread();
  if (const auto* thread = find(shown_thread); thread == nullptr || thread->exiting) shown_thread = Tid{pid_.value};
  stop_for_user({.cause = StopCause::interrupted, .thread = shown_thread, .pc = {}, .owners = {}});
  return {};
}

// ---- steps ---------------------------------------------------------------------------------------------------------

Result<void> Inferior::Impl::step(const StepOrder& order) {
  if (running_) return fail_hint(Errc::wrong_state, "the program is running", "interrupt it first");
  TL_TRY(auto* thread, stopped_thread(order.thread));
  if (load(*thread) == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", order.thread.value));
  TL_TRY(const auto verdict, stepper_.begin(order, shown(*thread->registers)));
  return start_step(*thread, verdict, order.single_thread);
}

Result<void> Inferior::Impl::run_to(Tid tid, std::span<const LoadAddr> targets) {
  if (running_) return fail_hint(Errc::wrong_state, "the program is running", "interrupt it first");
  TL_TRY(auto* thread, stopped_thread(tid));
  if (load(*thread) == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", tid.value));
  TL_TRY(const auto verdict, stepper_.begin_run_to(tid, targets, shown(*thread->registers)));
  return start_step(*thread, verdict, false);
}

Result<void> Inferior::Impl::start_step(Thread& thread, const StepVerdict& verdict, bool single_thread) {
  const auto tid = thread.tid;
  running_ = true;
  memory_.kept().clear();
  only_ = tid;  // single instructions before the first run move this thread alone
  pumping_ = true;
  // From where the user looks, a trap at this very place is not news. (Where a system call is to be made again first,
  // the trap behind it is met only then.)
  if (const auto* regs = load(thread); regs != nullptr && sites_.has(pc_of(*regs)) && !thread.unhandled &&
                                       !kernel_will_restart(*regs) && !returned_eintr(*regs))
    thread.passed = pc_of(*regs);
  if (thread.unhandled) {
    // A signal that came with the last stop is first; the step goes on behind it if nobody stops for it.
    arrivals_.push_back(tid);
    if (!single_thread) only_.reset();
    settle_arrivals();
    if (running_ && !single_thread) release_all();
  } else {
    follow(thread, verdict);
  }
  pumping_ = false;
  if (running_) pump();  // most steps end within microseconds
  return {};
}

void Inferior::Impl::follow(Thread& thread, const StepVerdict& verdict) {
  const auto tid = thread.tid;
  switch (verdict.next) {
    case StepNext::instruction: return step_instruction(thread);
    case StepNext::run: {
      const bool alone = only_ == tid && !stepper_.single_thread();
      go_on(thread);
      if (alone && running_) {
        only_.reset();
        release_all();
      }
      return;
    }
    case StepNext::done: break;
  }
  const auto* regs = load(thread);
  if (regs == nullptr) return;
  const auto pc = pc_of(shown(*regs));
  StopReport report{.cause = StopCause::step_done, .thread = tid, .pc = pc, .owners = {}};
  report.inline_depth = verdict.inline_depth;
  // Stepped onto a breakpoint without having met its trap: it counts as hit here, and not again when going on.
  if (const auto* site = sites_.find(pc); site != nullptr && thread.passed != pc) {
    std::vector<trap::Owner> asked;
    for (const auto& owner : site->owners)
      if (owner.kind != trap::OwnerKind::step) asked.push_back(owner);
    thread.passed = pc;
    if (!asked.empty()) {
      report.owners = observer_->at_site(tid, pc, asked).stop_for;
      if (!report.owners.empty()) report.cause = StopCause::site;
    }
  }
  stop_for_user(std::move(report));
}

}  // namespace trapline::run
