// Functions called for the user; call.hpp says how. The machine goes on as ever meanwhile (calling_ is set), but for
// this: the calling thread meets no user's breakpoint and its signals are the call's, and another thread that meets
// anything which concerns the user waits where it is, as if an all-stop had come first.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "daemon/os/proc.hpp"
#include "daemon/run/call_stack.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr trap::Owner terminate_owner{trap::OwnerKind::internal, 0xca110001};
constexpr trap::Owner throw_owner{trap::OwnerKind::internal, 0xca110002};
constexpr trap::Owner return_owner{trap::OwnerKind::internal, 0xca110003};
constexpr std::chrono::seconds way_out{2};
constexpr std::chrono::milliseconds dying{200};
constexpr std::size_t page = 4096;

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

bool ended(const os::WaitEvent& event) {
  return std::holds_alternative<os::Exited>(event.what) || std::holds_alternative<os::Killed>(event.what);
}

// Raised by what the thread itself did: a fault, or a signal that it sent to its own process (abort, raise).
bool of_its_own(const siginfo_t& info, Pid pid) {
  const bool fault =
      info.si_code > 0 && (info.si_signo == SIGSEGV || info.si_signo == SIGBUS || info.si_signo == SIGFPE ||
                           info.si_signo == SIGILL || info.si_signo == SIGTRAP || info.si_signo == SIGSYS);
  return fault || ((info.si_code == SI_TKILL || info.si_code == SI_USER) && info.si_pid == pid.value);
}

}  // namespace

// What a call takes from its thread, to be given back.
struct Inferior::Impl::BeforeCall {
  Thread thread;
  arch::GeneralRegisters registers;
  std::vector<std::byte> xstate;
  std::uint64_t mask = 0;
  std::optional<siginfo_t> info;  // in a signal stop
  std::optional<LoadAddr> sequence_at;
  std::uint64_t sequence = 0;  // struct rseq's rseq_cs: the kernel clears it when the thread is found elsewhere
  CallPlaces places;
  std::vector<std::byte> stack;  // at places.saved

  bool signal_due() const { return thread.kind == StopKind::signal && (thread.deliver != 0 || thread.unhandled); }
};

// ---- hooks of the machine ------------------------------------------------------------------------------------------

void Inferior::Impl::end_of_call(CallEnd end) {
  if (std::exchange(calling_->over, true)) return;
  calling_->report.end = end;
}

bool Inferior::Impl::waits_for_call(const Thread& thread) const { return calling_ && calling_->tid != thread.tid; }

// The calling thread's signal stop is its return. Code that cannot be executed faults at its very address.
bool Inferior::Impl::back_from_call(Thread& thread, const siginfo_t& info) {
  if (!calling_ || calling_->tid != thread.tid || (info.si_signo != SIGSEGV && info.si_signo != SIGTRAP)) return false;
  const auto* regs = load(thread);
  if (regs == nullptr) return true;
  const auto trap = calling_->trap.value;
  if (regs->rip != trap && !(info.si_signo == SIGTRAP && regs->rip == trap + 1)) return false;
  if (regs->rsp != calling_->stack_after.value) return false;
  end_of_call(CallEnd::returned);
  return true;
}

// A site that a thread met during a call.
void Inferior::Impl::hit_in_call(Thread& thread, LoadAddr site) {
  const auto tid = thread.tid;
  const bool mine = tid == calling_->tid;
  if (mine && site == calling_->trap && thread.registers->rsp == calling_->stack_after.value)
    return end_of_call(CallEnd::returned);
  std::vector<trap::Owner> internal;
  bool terminates = false, concerns_user = false;
  for (const auto& owner : sites_.find(site)->owners) {
    if (owner == terminate_owner) {
      terminates = mine;
    } else if (owner == throw_owner) {
      if (!mine) continue;
      // A throw at or below this one's stack pointer is over: its frame is gone.
      std::erase_if(calling_->throws,
                    [&](const auto& each) { return each.stack_pointer.value <= thread.registers->rsp; });
      calling_->throws.push_back({.stack_pointer = LoadAddr{thread.registers->rsp},
                                  .object = LoadAddr{thread.registers->rdi},
                                  .type_info = LoadAddr{thread.registers->rsi}});
    } else if (owner == return_owner) {
      continue;
    } else if (owner.kind == trap::OwnerKind::internal) {
      internal.push_back(owner);
    } else {
      concerns_user = true;
    }
  }
  if (!internal.empty()) static_cast<void>(observer_->at_site(tid, site, internal));
  if (find(tid) == nullptr || !thread.stopped() || !calling_) return;
  if (terminates) {
    if (calling_->order->gives_up && !calling_->over) calling_->order->gives_up(calling_->throws);
    return end_of_call(CallEnd::terminated);
  }
  if (concerns_user && mine) calling_->report.passed++;
  go_on(thread);
}

bool Inferior::Impl::site_concerns_user(LoadAddr site) const {
  const auto* found = sites_.find(site);
  return found != nullptr && std::ranges::any_of(found->owners, [](const trap::Owner& owner) {
           return owner.kind != trap::OwnerKind::internal;
         });
}

void Inferior::Impl::signal_in_call(Thread& thread, const siginfo_t& info) {
  thread.deliver = info.si_signo;
  const auto verdict = observer_->on_signal(thread.tid, info);
  thread.deliver = verdict.pass ? info.si_signo : 0;
  if (!verdict.stop) return go_on(thread);
  thread.deliver = 0;
  if (of_its_own(info, pid_)) {
    calling_->report.signal = info;
    return end_of_call(CallEnd::signal);
  }
  calling_->signals_kept.push_back(info);  // the program's, not the call's: it gets it when it goes on
  go_on(thread);
}

// ---- the way there -------------------------------------------------------------------------------------------------

Result<void> Inferior::Impl::before_call(Thread& thread, const CallOrder& order, BeforeCall& before) {
  if (thread.kind == StopKind::event || thread.in_vfork)
    return fail_hint(Errc::wrong_state,
                     fmt::format("thread {} stands inside a system call of its own (exec, clone): nothing can be "
                                 "called there",
                                 thread.tid.value),
                     "step it first");
  if (thread.kind == StopKind::group)
    return fail_hint(Errc::wrong_state, "the program is in a stop of its own (SIGSTOP, SIGTSTP or a terminal's)",
                     "send it SIGCONT first");
  const auto* regs = load(thread);
  if (regs == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", thread.tid.value));
  before.registers = *regs;
  before.thread = thread;
  TL_TRY(before.xstate, os::xstate(tracer_, thread.tid));
  TL_TRY(before.mask, os::signal_mask(tracer_, thread.tid));
  if (thread.kind == StopKind::signal) {
    TL_TRY(before.info, os::signal_info(tracer_, thread.tid));
  }
  if (const auto area = os::rseq_area(tracer_, thread.tid); area && *area != 0) {
    constexpr std::uint64_t critical_section = 8;  // struct rseq: cpu_id_start, cpu_id, rseq_cs
    before.sequence_at = LoadAddr{*area + critical_section};
    if (!memory_.read_raw(*before.sequence_at, std::as_writable_bytes(std::span(&before.sequence, 1))))
      before.sequence = 0;
  }
  TL_TRY(const auto maps, os::mappings(Pid{thread.tid.value}));
  std::optional<QuietReturn> quiet;
  if (const auto at = quiet_return(maps)) {
    quiet = {.instruction = *at, .leave = {}, .way = *way_back_, .mask = before.mask, .xstate = before.xstate};
    if (!order.frame.stack.empty()) quiet->leave = leave_and_return(maps);
  }
  TL_TRY(before.places, call_places(order.frame, before.registers, maps, memory_.kept(), quiet));
  before.stack.resize(before.places.saved.size().value);
  return memory_.read_raw(before.places.saved.begin, before.stack);
}

// Vector state and mask are not set in one step with the registers. If we die between, a thread that stands here gets
// all of its own again.
Result<void> Inferior::Impl::stand_on_way_back(Tid tid, const BeforeCall& before) {
  if (before.places.way_back.empty()) return {};
  return os::set_general_registers(tracer_, tid, way_back_registers(before.places, before.registers));
}

// The way back is written once more: who left the call by a longjmp may have run over it.
Result<void> Inferior::Impl::return_to_way_back(Tid tid, const BeforeCall& before) {
  if (!before.places.way_back.empty()) TL_TRY_VOID(memory_.write_raw(before.places.after, before.places.way_back));
  return stand_on_way_back(tid, before);
}

// Registers are the last of a thread's own that it gets back: from then on it needs the stack below no more.
Result<void> Inferior::Impl::give_thread_back(Tid tid, const BeforeCall& before) {
  TL_TRY_VOID(return_to_way_back(tid, before));
  TL_TRY_VOID(os::set_xstate(tracer_, tid, before.xstate));
  TL_TRY_VOID(os::set_signal_mask(tracer_, tid, before.mask));
  return os::set_general_registers(tracer_, tid, before.registers);
}

Result<void> Inferior::Impl::enter_call(Thread& thread, const CallOrder& order, const BeforeCall& before) {
  const auto& places = before.places;
  const auto bytes = call_bytes(order.frame, places);
  TL_TRY(const auto xstate, call_xstate(order.frame, before.xstate));
  for (const auto& kept : memory_.kept())
    if (places.saved.begin < kept.at && kept.at < places.saved.end) TL_TRY_VOID(memory_.write_raw(kept.at, kept.bytes));
  TL_TRY_VOID(memory_.write_raw(places.objects, bytes.objects));
  TL_TRY_VOID(memory_.write_raw(places.entry_stack, bytes.below));
  TL_TRY_VOID(stand_on_way_back(thread.tid, before));
  // A fault in a thread that blocks it would take the program's handler away (force_sig_info_to_task()).
  TL_TRY_VOID(os::set_signal_mask(tracer_, thread.tid, before.mask & ~(bit(SIGSEGV) | bit(SIGTRAP))));
  TL_TRY_VOID(os::set_xstate(tracer_, thread.tid, xstate));
  TL_TRY_VOID(
      os::set_general_registers(tracer_, thread.tid, call_registers(order.frame, places, bytes, before.registers)));
  Thread inside;
  inside.tid = thread.tid;
  inside.fresh = false;
  inside.step_slot = thread.step_slot;
  inside.restart = thread.restart;
  thread = std::move(inside);
  TL_TRY_VOID(os::resume(tracer_, thread.tid, 0));  // standing: running
  return {};
}

// ---- meanwhile -----------------------------------------------------------------------------------------------------

void Inferior::Impl::run_call(const CallOrder& order) {
  Patience all(order.timeout);
  const auto alone = order.only_this_thread ? order.timeout : std::min(order.alone, order.timeout);
  while (alive_ && !calling_->over) {
    if (sweep() || !arrivals_.empty()) {
      settle_arrivals();
      continue;
    }
    if (only_ && !order.only_this_thread && all.elapsed() >= alone) {
      only_.reset();
      calling_->report.others_ran = threads_.size() > 1;
      release_all();
      continue;
    }
    if (!all.pause()) end_of_call(CallEnd::timeout);
  }
}

// ---- the way back --------------------------------------------------------------------------------------------------

// To a stop in which registers can be set. False: there is none.
bool Inferior::Impl::bring_to_a_stop(Tid tid) {
  Patience patience(way_out);
  for (;;) {
    auto* thread = find(tid);
    if (!alive_ || thread == nullptr || thread->exiting || thread->standing == Standing::vanishing) return false;
    if (thread->stopped() && thread->kind != StopKind::event) return true;
    if (thread->stopped()) {
      // Inside a system call that made a thread or a process: to the end of it.
      static_cast<void>(os::interrupt(tracer_, tid));
      if (!os::resume(tracer_, tid, 0)) return false;
      thread->standing = Standing::running;
      thread->registers.reset();
    }
    if (!sweep() && !patience.pause()) return false;
    settle_arrivals();
  }
}

// In a signal stop any signal can be delivered; in another one none. The trap that the call returns to makes one.
bool Inferior::Impl::walk_to_trap(Thread& thread, const BeforeCall& before) {
  const auto tid = thread.tid;
  auto regs = before.registers;
  regs.rip = before.places.trap.value;
  regs.rsp = before.places.after.value;
  regs.orig_rax = ~std::uint64_t{0};
  if (!return_to_way_back(tid, before) || !os::set_signal_mask(tracer_, tid, ~(bit(SIGSEGV) | bit(SIGTRAP))) ||
      !os::set_general_registers(tracer_, tid, regs) || !os::resume(tracer_, tid, 0))
    return false;
  Patience patience(way_out);
  for (;;) {
    const auto event = waiter_.of(tid, os::Waiter::Mode::poll);
    if (!event) return false;
    if (*event && ended(**event)) {
      waiter_.put_back(**event);
      return false;
    }
    moved_.reset();
    if (*event && std::holds_alternative<os::SignalStop>((*event)->what)) return true;
    if (*event && !os::resume(tracer_, tid, 0)) return false;
    if (!*event && !patience.pause()) return false;
  }
}

// Signals of the program's that came during the call: the first in the stop that the thread is in, as it was sent; the
// others are sent again.
void Inferior::Impl::give_signals_back(Thread& thread, const BeforeCall& before, std::vector<siginfo_t> kept) {
  if (before.signal_due()) {
    if (before.info && !os::set_signal_info(tracer_, thread.tid, *before.info)) return vanish(thread);
    thread.deliver = before.thread.deliver;
    thread.unhandled = before.thread.unhandled;
  } else if (!kept.empty()) {
    if (!os::set_signal_info(tracer_, thread.tid, kept.front())) return vanish(thread);
    thread.unhandled = os::WaitEvent{thread.tid, os::SignalStop{kept.front().si_signo}};
    kept.erase(kept.begin());
  } else if (thread.kind == StopKind::signal) {
    // The stop's own signal was the call's, and is no news to anybody.
    siginfo_t neutral{};
    neutral.si_signo = SIGTRAP;
    neutral.si_code = TRAP_TRACE;
    if (before.info) neutral = *before.info;
    if (!os::set_signal_info(tracer_, thread.tid, neutral)) return vanish(thread);
  }
  for (const auto& info : kept) ::syscall(SYS_tgkill, pid_.value, thread.tid.value, info.si_signo);
}

// The stack as it was. Only pages that differ are written: none is made that was not there.
void Inferior::Impl::put_stack_back(const BeforeCall& before) {
  std::vector<std::byte> now(before.stack.size());
  const auto begin = before.places.saved.begin;
  if (!memory_.read_raw(begin, now)) return static_cast<void>(memory_.write_raw(begin, before.stack));
  for (std::size_t at = 0; at < now.size(); at += page) {
    const auto size = std::min(page, now.size() - at);
    if (std::memcmp(now.data() + at, before.stack.data() + at, size) == 0) continue;
    const auto written = memory_.write_raw(begin + ByteCount{at}, std::span(before.stack).subspan(at, size));
    if (!written) log::warn("run", "after a call: {}", written.error().message);
  }
}

Result<void> Inferior::Impl::after_call(Thread& thread, const BeforeCall& before, CallReport& report) {
  const auto tid = thread.tid;
  if (const auto* regs = load(thread); regs != nullptr) {
    report.pc = pc_of(shown(*regs));
    report.jumped_out = regs->rsp > before.places.after.value;
    report.answer.registers.general = *regs;
  }
  if (report.end == CallEnd::returned) {
    TL_TRY(report.answer.registers.xstate, os::xstate(tracer_, tid));
    report.answer.objects = before.places.objects;
    for (auto& kept : memory_.kept())
      if (before.places.saved.begin < kept.at && kept.at < before.places.saved.end)
        TL_TRY_VOID(memory_.read_raw(kept.at, kept.bytes));
    LiveMemory::Kept objects{.at = before.places.objects, .bytes = std::vector<std::byte>(calling_->objects)};
    TL_TRY_VOID(memory_.read_raw(objects.at, objects.bytes));
    if (!objects.bytes.empty()) memory_.keep(std::move(objects));
  }
  auto kept = calling_->signals_kept;
  if (const auto event = std::exchange(thread.unhandled, std::nullopt);
      event && std::holds_alternative<os::SignalStop>(event->what))
    if (const auto info = os::signal_info(tracer_, tid); info && !of_its_own(*info, pid_)) kept.push_back(*info);
  for (const auto& info : kept) report.signals_kept.push_back(info.si_signo);
  auto kind = thread.kind;
  if (kind != StopKind::signal && (before.signal_due() || !kept.empty())) {
    if (!walk_to_trap(thread, before)) return fail(Errc::thread_gone, "its signal could not be given back");
    kind = StopKind::signal;
  }
  TL_TRY_VOID(give_thread_back(tid, before));
  if (before.sequence_at && before.sequence != 0)
    static_cast<void>(memory_.write_raw(*before.sequence_at, std::as_bytes(std::span(&before.sequence, 1))));
  put_stack_back(before);
  const auto step_slot = thread.step_slot;
  const auto rejoin = before.thread.rejoin_group;
  thread = before.thread;
  thread.standing = Standing::stopped;
  thread.kind = kind;
  thread.deliver = 0;
  thread.unhandled.reset();
  thread.sent_interrupt = false;
  thread.rejoin_group = rejoin;
  thread.step_slot = step_slot;
  thread.registers = before.registers;
  give_signals_back(thread, before, std::move(kept));
  return {};
}

Result<CallReport> Inferior::Impl::call(const CallOrder& order) {
  if (!attached_) return fail(Errc::wrong_state, fmt::format("process {} was detached", pid_.value));
  if (running_ || calling_) return fail_hint(Errc::wrong_state, "the program is running", "interrupt it first");
  TL_TRY(auto* thread, stopped_thread(order.thread));
  const auto tid = order.thread;
  BeforeCall before;
  TL_TRY_VOID(before_call(*thread, order, before));
  const bool quiet = !before.places.way_back.empty();
  if (quiet) TL_TRY_VOID(add_site(before.places.trap, return_owner));
  for (const auto at : order.terminate) static_cast<void>(add_site(at, terminate_owner));
  for (const auto at : order.throwing) static_cast<void>(add_site(at, throw_owner));
  calling_ = Calling{.tid = tid,
                     .trap = before.places.trap,
                     .stack_after = before.places.after,
                     .objects = order.frame.objects.size(),
                     .report = {},
                     .signals_kept = {},
                     .throws = {},
                     .order = &order};
  const bool pumping = std::exchange(pumping_, true);
  running_ = true;
  only_ = tid;
  auto entered = enter_call(*thread, order, before);
  if (entered) run_call(order);
  auto report = leave_call(before, entered.has_value());
  for (const auto at : order.terminate) static_cast<void>(drop_site(at, terminate_owner));
  for (const auto at : order.throwing) static_cast<void>(drop_site(at, throw_owner));
  if (quiet) static_cast<void>(drop_site(before.places.trap, return_owner));
  pumping_ = pumping;
  if (!entered) return std::unexpected(entered.error());
  return report;
}

CallReport Inferior::Impl::leave_call(const BeforeCall& before, bool entered) {
  const auto tid = calling_->tid;
  if (alive_ && entered) stop_all();
  const bool was_stopping = std::exchange(stopping_, true);
  auto& report = calling_->report;
  if (!entered) {
    // What was changed before the failure is put back.
    if (auto* thread = find(tid); thread != nullptr) {
      *thread = before.thread;
      static_cast<void>(give_thread_back(tid, before));
      put_stack_back(before);
      thread->registers = before.registers;
    }
  } else if (alive_ && report.end != CallEnd::executed) {
    if (bring_to_a_stop(tid)) {
      if (auto done = after_call(*find(tid), before, report); !done) {
        report.end = CallEnd::lost;
        report.problem = done.error().message;
        if (auto* thread = find(tid); done.error().code == Errc::thread_gone && thread != nullptr) vanish(*thread);
      }
    } else if (const auto* thread = find(tid);
               alive_ && thread != nullptr && !thread->exiting && thread->standing == Standing::running) {
      report.end = CallEnd::lost;
      report.problem = "it sleeps in the kernel where nothing can interrupt it";
    } else if (alive_ && report.end != CallEnd::thread_gone) {
      report.end = CallEnd::thread_gone;
    }
    await_end_of_dying();
  }
  if (!alive_) report.end = CallEnd::exited;
  stopping_ = was_stopping;
  running_ = false;
  only_.reset();
  hot_.reset();
  for (auto& [other, thread] : threads_)
    if (other != tid && thread.stopped() && alive_) leave_slot(thread);
  pins_.release_all();
  if (alive_ && report.end == CallEnd::executed) exec_unreported_ = false;
  const auto done = std::move(report);
  calling_.reset();
  return done;
}

// The calling thread ended: by itself, or with the process, whose other threads then come to their ends one by one.
void Inferior::Impl::await_end_of_dying() {
  Patience patience(calling_->report.end == CallEnd::thread_gone ? dying : std::chrono::milliseconds(0));
  Patience longer(way_out);
  while (alive_ && (living() == 0 || find(calling_->tid) == nullptr || find(calling_->tid)->exiting)) {
    if (sweep()) {
      settle_arrivals();
      continue;
    }
    if (living() == 0 ? !longer.pause() : !patience.pause()) return;
  }
}

}  // namespace trapline::run
