// What we do for the debuggee in case we are killed: the shield is raised and lowered, and a thread that hit a trap is
// moved off it before the kernel forgets its SIGTRAP.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "daemon/os/dispositions.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/run/remote_call.hpp"
#include "daemon/run/safe_call.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::uint64_t red_zone = 128;
constexpr std::uint64_t mask_bytes = 8;  // of the kernel's sigset_t

// The safe way ends in a syscall stop, where the kernel neither restarts an interrupted call nor takes a signal to
// deliver: it is for threads that were stopped in the program's own code, by an interrupt or a trap of ours.
bool lends_safely(const os::OnTracer& tracer, const Thread& thread, const arch::GeneralRegisters& registers) {
  if (static_cast<std::int64_t>(registers.orig_rax) >= 0 || thread.unhandled) return false;
  if (thread.kind == StopKind::interrupt) return true;
  if (thread.kind != StopKind::signal || thread.deliver != 0) return false;
  const auto info = os::signal_info(tracer, thread.tid);
  return info && info->si_signo == SIGTRAP && info->si_code > 0;
}

}  // namespace

Result<std::int64_t> Inferior::Impl::borrowed_call(Thread& thread, long number,
                                                   std::array<std::uint64_t, 6> arguments) {
  if (const auto now = os::dispositions(thread.tid); !now || now->filters_calls)
    return fail(Errc::unsupported, fmt::format("thread {} filters its system calls (seccomp): none is made in its name",
                                               thread.tid.value));
  if (!way_back_looked_for_ || !syscall_instruction_) {
    TL_TRY(const auto maps, os::mappings(Pid{thread.tid.value}));
    if (!std::exchange(way_back_looked_for_, true)) way_back_ = find_way_back(maps, memory_);
    TL_TRY(syscall_instruction_, find_syscall(maps, memory_));
  }
  const auto* regs = load(thread);
  if (regs == nullptr) return fail(Errc::thread_gone, fmt::format("thread {} was killed", thread.tid.value));
  const bool safely = way_back_ && !sites_.has(way_back_->call) && lends_safely(tracer_, thread, *regs);
  auto registers = std::exchange(thread.registers, std::nullopt);
  if (safely) {
    if (const auto out = set_out(tracer_, thread.tid, memory_, *way_back_, number, arguments)) {
      auto answer = come_back(tracer_, waiter_, thread.tid, memory_, *way_back_, *out);
      if (answer || answer.error().code != Errc::thread_gone) {
        thread.kind = StopKind::interrupt;
        thread.registers = registers;
      } else {
        vanish(thread);
      }
      return answer;
    }
  }
  const auto before = thread.kind == StopKind::signal ? Before::in_signal_stop : Before::no_signal;
  auto answer = make_call(tracer_, waiter_, thread.tid, before,
                          {.syscall_instruction = *syscall_instruction_, .number = number, .arguments = arguments});
  if (!answer) {
    if (answer.error().code == Errc::thread_gone) vanish(thread);
    return answer;
  }
  thread.registers = registers;
  if (thread.kind != StopKind::signal) thread.kind = StopKind::signal, thread.deliver = 0;
  return answer;
}

// A thread to borrow: one that lends itself safely where there is one.
Thread* Inferior::Impl::lender() {
  constexpr int most_looked_at = 16;
  Thread* any = nullptr;
  int looked_at = 0;
  for (auto& [tid, thread] : threads_) {
    if (!can_borrow(thread) || thread.unhandled) continue;
    if (any == nullptr) any = &thread;
    if (++looked_at > most_looked_at) break;
    if (const auto* regs = load(thread); regs != nullptr && lends_safely(tracer_, thread, *regs)) return &thread;
  }
  return any;
}

// At a detach a group-stopped thread will do: it goes back to its stop as soon as it is let go (__ptrace_unlink()).
Thread* Inferior::Impl::lender_at_the_end() {
  if (auto* thread = lender()) return thread;
  const auto found = std::ranges::find_if(threads_, [](const auto& entry) {
    return entry.second.stopped() && entry.second.kind == StopKind::group && !entry.second.exiting;
  });
  return found == threads_.end() ? nullptr : &found->second;
}

// The program's handler of SIGTRAP (0: the default, 1: ignored); nullopt: not to be known. The kernel needs a place to
// write to: below the red zone of the thread's stack, put back afterwards.
std::optional<LoadAddr> Inferior::Impl::trap_action(Thread& borrow) {
  const auto* regs = load(borrow);
  if (regs == nullptr) return std::nullopt;
  KernelAction action{};
  const LoadAddr room{((regs->rsp - red_zone) & ~std::uint64_t{15}) - sizeof action};
  static_assert(sizeof action + 15 <= scratch_size);
  KernelAction before{};
  if (!memory_.read_raw(room, std::as_writable_bytes(std::span(before)))) return std::nullopt;
  const auto asked = borrowed_call(borrow, SYS_rt_sigaction, {SIGTRAP, 0, room.value, mask_bytes, 0, 0});
  const bool answered = asked && *asked == 0 && memory_.read_raw(room, std::as_writable_bytes(std::span(action)));
  static_cast<void>(memory_.write_raw(room, std::as_bytes(std::span(before))));
  return answered ? std::optional(LoadAddr{action[0]}) : std::nullopt;
}

// Not by a handler that is ours.
bool Inferior::Impl::program_handles(Tid tid, int signal) {
  auto* thread = find(tid);
  const auto now = os::dispositions(tid);
  if (thread == nullptr || !now || !now->catches(signal)) return false;
  if (signal != SIGTRAP || !shield_.up() || !can_borrow(*thread)) return true;
  const auto action = trap_action(*thread);
  return !action || *action != shield_.region().begin;
}

void Inferior::Impl::raise_shield(Thread& borrow) {
  if (shield_tried_ || !can_borrow(borrow)) return;
  shield_tried_ = true;
  const auto now = os::dispositions(borrow.tid);
  if (!now) return;
  if (now->catches(SIGTRAP)) {
    const auto handler = trap_action(borrow);
    if (const auto earlier = handler ? shield_.earlier(*handler) : std::nullopt) {
      shield_.raised(*earlier);
      return guard_sites();
    }
  }
  if (now->catches(SIGTRAP) || now->ignores(SIGTRAP))
    return log::info("run", "process {} handles SIGTRAP itself: if this session is killed, a site may end it",
                     pid_.value);
  if (!borrow.stopped()) return;
  const auto mapped =
      borrowed_call(borrow, SYS_mmap,
                    {0, Shield::region_size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~std::uint64_t{0}, 0});
  if (!mapped || *mapped < 0)
    return log::info("run", "process {} has no shield: {}", pid_.value, mapped ? "no memory" : mapped.error().message);
  const LoadAddr base{static_cast<std::uint64_t>(*mapped)};
  const auto filled = shield_.fill(base);
  const auto set =
      filled ? borrowed_call(borrow, SYS_rt_sigaction, {SIGTRAP, shield_.our_action(base).value, 0, mask_bytes, 0, 0})
             : Result<std::int64_t>(std::unexpected(filled.error()));
  if (!set || *set != 0) {
    log::warn("run", "process {} has no shield: {}", pid_.value, set ? "rt_sigaction fails" : set.error().message);
    if (borrow.stopped()) static_cast<void>(borrowed_call(borrow, SYS_munmap, {base.value, Shield::region_size}));
    return;
  }
  shield_.raised(base);
  guard_sites();
}

void Inferior::Impl::guard_sites() {
  for (const auto& region : slots_.regions()) shield_.add_slots(region);
  for (const auto& patch : sites_.restore_all()) {
    const auto crossing = crossings_.find(patch.at);
    const bool slotted = crossing != crossings_.end() && crossing->second.how == Crossing::How::slot;
    shield_.guard(patch.at, slotted ? crossing->second.slot : patch.at);
  }
}

// Every thread stands, no trap is left: the program gets back what it had.
void Inferior::Impl::lower_shield() {
  if (!shield_.up()) return;
  for (auto& [tid, thread] : threads_) {
    if (thread.exiting) continue;
    if (!thread.stopped()) return;  // it may yet be in the handler
    if (const auto* regs = load(thread); regs != nullptr && shield_.holds(pc_of(*regs))) return;
  }
  auto* borrow = lender_at_the_end();
  if (borrow == nullptr) return;
  const auto region = shield_.region();
  const auto now = os::dispositions(borrow->tid);
  const auto action = now && now->catches(SIGTRAP) ? trap_action(*borrow) : std::nullopt;
  if (!now || (now->catches(SIGTRAP) && !action)) return;
  if (action && *action != region.begin) return shield_.gone();  // who set another may have kept ours, to chain to it
  if (action == region.begin) {
    const auto reset = borrowed_call(*borrow, SYS_rt_sigaction,
                                     {SIGTRAP, shield_.default_action(region.begin).value, 0, mask_bytes, 0, 0});
    if (!reset || *reset != 0) return;
  }
  if (borrow->stopped())
    static_cast<void>(borrowed_call(*borrow, SYS_munmap, {region.begin.value, region.size().value, 0, 0, 0, 0}));
  shield_.gone();
}

// The thread stands behind an int3, and its SIGTRAP was not taken yet. Off it first: to the slot, where it may go on
// whatever becomes of us. To the site itself only where that cannot be mistaken for standing behind another one.
void Inferior::Impl::before_trap_is_taken(Tid tid) {
  moved_.reset();
  if (!threads_.contains(tid) || guests_.contains(tid)) return;
  auto regs = os::general_registers(tracer_, tid);
  if (!regs) return;
  const LoadAddr site{regs->rip - 1};
  if (!sites_.has(site)) return;
  const auto info = os::signal_info(tracer_, tid);
  if (!info || info->si_code != SI_KERNEL) return;
  const auto crossing = crossings_.find(site);
  const bool slotted = crossing != crossings_.end() && crossing->second.how == Crossing::How::slot;
  if (!slotted && sites_.has(site - ByteCount{1})) return;
  regs->rip = slotted ? crossing->second.slot.value : site.value;
  if (!os::poke_user(tracer_, tid, os::UserOffset{rip_offset}, regs->rip)) return;
  moved_ = {.tid = tid, .site = site, .registers = *regs};
}

}  // namespace trapline::run
