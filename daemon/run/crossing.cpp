// Going over a site without lifting it, and software steps.
//
// What a site's instruction needs is found out once and kept (`Crossing`): most run from a slot (the relocated
// instruction and a jump back, so that a plain CONT is all), branches, calls and returns are emulated on the registers.
// Only what neither can do (int3 of the program itself, instructions that cannot be moved) is stepped in place with
// every other thread stopped. A thread whose rip is in a slot is always shown at the equivalent place of the program's
// code, and moved there before a signal is delivered, before it is let go for good, and when the user sees it.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "daemon/os/dispositions.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/run/remote_call.hpp"
#include "daemon/run/syscall_restart.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::size_t longest_instruction = 15;
constexpr std::chrono::milliseconds lifted_bound{1000};
constexpr std::byte int3{0xCC};

Result<std::uint64_t> read_word(void* memory, LoadAddr at) {
  return static_cast<const LiveMemory*>(memory)->get<std::uint64_t>(at);
}

}  // namespace

bool Inferior::Impl::can_borrow(const Thread& thread) const {
  return thread.stopped() && !thread.exiting && thread.kind != StopKind::event && thread.kind != StopKind::group;
}

// A free slot near `near`; maps a new region through `borrow` where there is none. nullopt: no memory within reach.
std::optional<LoadAddr> Inferior::Impl::take_slot(LoadAddr near, Thread* borrow) {
  if (const auto slot = slots_.take(near)) return slot;
  if (slots_refused_ || borrow == nullptr || !can_borrow(*borrow)) return std::nullopt;
  if (auto mapped = map_slots(near, *borrow); !mapped) {
    slots_refused_ = true;
    log::warn("run", "no slots near {:#x}: {}; going over sites there stops all threads", near.value,
              mapped.error().message);
    return std::nullopt;
  }
  return slots_.take(near);
}

Result<void> Inferior::Impl::map_slots(LoadAddr near, Thread& borrow) {
  raise_shield(borrow);  // maps memory too, so it goes before the look at the map
  if (!borrow.stopped()) return fail(Errc::thread_gone, fmt::format("thread {} was killed", borrow.tid.value));
  // Of the thread, not of the process: the map of a leader that has ended is empty.
  TL_TRY(const auto maps, os::mappings(Pid{borrow.tid.value}));
  if (!syscall_instruction_) {
    TL_TRY(syscall_instruction_, find_syscall(maps, memory_));
  }
  const auto hole = find_hole(maps, near, slot_region_size);
  if (!hole) return fail(Errc::unsupported, "no hole in the address space within 2 GB");
  TL_TRY(const auto answer, borrowed_call(borrow, SYS_mmap,
                                          {hole->value, slot_region_size, PROT_READ | PROT_EXEC,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~std::uint64_t{0}, 0}));
  if (answer != static_cast<std::int64_t>(hole->value))
    return fail(Errc::os, fmt::format("mmap at {:#x} in the debuggee answered {}", hole->value, answer));
  const LoadRange region{*hole, *hole + ByteCount{slot_region_size}};
  journal_->slots_mapped(region);
  slots_.add_region(region);
  shield_.add_slots(region);
  return {};
}

Inferior::Impl::Crossing Inferior::Impl::crossing_of(LoadAddr site, Thread* borrow) {
  if (const auto found = crossings_.find(site); found != crossings_.end()) return found->second;
  Crossing crossing;
  std::array<std::byte, longest_instruction> buffer{};
  const auto bytes = std::span(buffer).first(memory_.read_some(site, buffer));
  const auto decoded = trap::decode(bytes, site);
  if (!bytes.empty() && bytes[0] == int3) {
    crossing.how = Crossing::How::own_trap;
  } else if (decoded && (decoded->flow == trap::Flow::call || decoded->flow == trap::Flow::conditional ||
                         (decoded->flow == trap::Flow::jump && decoded->target))) {
    crossing.how = Crossing::How::emulate;
  } else if (const auto slot = take_slot(site, borrow)) {
    const auto code = trap::displace(bytes, site, *slot, trap::Finish::jump_back);
    if (code && memory_.write_raw(*slot, code->code)) {
      slots_.fill(*slot, site, *code);
      shield_.guard(site, *slot);
      crossing = {.how = Crossing::How::slot, .slot = *slot};
    } else {
      slots_.retire(*slot);
    }
  } else if (!slots_refused_ && (borrow == nullptr || !can_borrow(*borrow))) {
    return crossing;  // not for good: the next one may have a thread to borrow
  }
  crossings_.emplace(site, crossing);
  return crossing;
}

void Inferior::Impl::forget_crossing(LoadAddr site) {
  const auto found = crossings_.find(site);
  if (found == crossings_.end()) return;
  if (found->second.how == Crossing::How::slot) {
    shield_.guard(site, site);
    slots_.retire(found->second.slot);
  }
  crossings_.erase(found);
}

// The instruction at registers.rip, done on the registers (and one store). False: it has to be executed.
bool Inferior::Impl::emulate_at(Tid tid, arch::GeneralRegisters& registers) {
  std::array<std::byte, longest_instruction> buffer{};
  const auto bytes = std::span(buffer).first(memory_.read_some(pc_of(registers), buffer));
  auto emulated = trap::emulate(bytes, registers, read_word, &memory_);
  if (!emulated || !*emulated) return false;
  auto& plan = **emulated;
  if (plan.store) {
    const auto value = plan.store->value;
    if (!memory_.store_as_program(plan.store->at, std::as_bytes(std::span(&value, 1)))) return false;
  }
  plan.after.orig_rax = ~std::uint64_t{0};
  if (!os::set_general_registers(tracer_, tid, plan.after)) return false;
  registers = plan.after;
  return true;
}

// A site of our own alone (the loader's `ret`, say) is met a few times before a user's is: what emulate() can do there
// spares a launch the system calls in the program's name that the first slots take.
bool Inferior::Impl::passed_by_hand(Thread& thread) {
  constexpr int most = 8;
  const auto* site = sites_.find(*thread.passed);
  if (!slots_.regions().empty() || by_hand_ >= most || site == nullptr || crossings_.contains(site->at)) return false;
  if (!std::ranges::all_of(site->owners, [](auto& owner) { return owner.kind == trap::OwnerKind::internal; }))
    return false;
  const auto now = os::dispositions(thread.tid);
  if (!now || now->shadow_stack) return false;
  const auto* registers = load(thread);
  if (registers == nullptr) return false;
  auto changed = *registers;
  if (!emulate_at(thread.tid, changed)) return false;
  ++by_hand_;
  counters_.steps_over++;
  counters_.emulated++;
  thread.registers = changed;
  thread.passed.reset();
  return true;
}

// The thread stands at a site whose hit was handled. `ready`: a CONT is due; `running`: it is under way already.
Inferior::Impl::Crossed Inferior::Impl::cross(Thread& thread) {
  raise_shield(thread);
  if (!thread.stopped() || load(thread) == nullptr) return Crossed::lost;
  if (passed_by_hand(thread)) return Crossed::ready;
  if (!thread.stopped()) return Crossed::lost;
  const auto site = *thread.passed;
  const auto crossing = crossing_of(site, &thread);
  if (!thread.stopped() || load(thread) == nullptr) return Crossed::lost;
  thread.passed.reset();
  counters_.steps_over++;
  switch (crossing.how) {
    case Crossing::How::slot:
      counters_.displaced++;
      if (!set_pc(thread, crossing.slot)) return Crossed::lost;
      thread.passed = site;  // until it was executed; leave_slot() looks
      return Crossed::ready;
    case Crossing::How::emulate: {
      auto registers = *thread.registers;
      if (emulate_at(thread.tid, registers)) {
        counters_.emulated++;
        thread.registers = registers;
        return Crossed::ready;
      }
      break;
    }
    case Crossing::How::own_trap:
      // The program's own int3 under our trap: it gets its SIGTRAP, as a signal of the program's.
      if (!set_pc(thread, site + ByteCount{1})) return Crossed::lost;
      if (thread.kind == StopKind::signal) {
        if (const auto info = os::signal_info(tracer_, thread.tid); info && info->si_signo == SIGTRAP) {
          on_program_signal(thread, *info);
          return Crossed::running;
        }
      }
      ::syscall(SYS_tgkill, pid_.value, thread.tid.value, SIGTRAP);
      return Crossed::ready;
    case Crossing::How::kernel: break;
  }
  counters_.in_place++;
  return step_lifted(thread);
}

// In place: nobody else may run while the trap is off.
Inferior::Impl::Crossed Inferior::Impl::step_lifted(Thread& thread) {
  const auto tid = thread.tid;
  const bool was_stopping = std::exchange(stopping_, true);
  // Who stands now stays. Who was taken and is about to be decided by stop_all(), or is born meanwhile, goes on.
  std::set<Tid> stays;
  for (const auto& [other, state] : threads_)
    if (state.standing != Standing::running && std::ranges::find(arrivals_, other) == arrivals_.end())
      stays.insert(other);
  const bool stepped = stop_all() && find(tid) != nullptr && thread.stopped() && step_off(thread);
  settle_arrivals();
  stopping_ = was_stopping;
  if (!alive_) return Crossed::lost;
  std::vector<Tid> others;
  for (const auto& [other, state] : threads_)
    if (other != tid && !stays.contains(other)) others.push_back(other);
  for (const auto other : others)
    if (auto* state = find(other); state != nullptr && state->stopped() && wanted(*state)) {
      if (state->unhandled)
        arrivals_.push_back(other);  // settled by the one who pumps
      else
        go(*state);
    }
  if (find(tid) == nullptr || !stepped) return Crossed::lost;
  if (thread.unhandled) {
    arrivals_.push_back(tid);
    return Crossed::running;  // a signal of the program's came: it is settled before the thread goes on
  }
  return Crossed::ready;
}

// One instruction without the trap; everybody else stands, and whatever is taken meanwhile waits.
bool Inferior::Impl::step_off(Thread& thread) {
  const auto site = pc_of(*thread.registers);
  const auto* found = sites_.find(site);
  if (found != nullptr && !memory_.write_raw(site, std::span(&found->original, 1))) return false;
  bool stepped = false;
  if (os::single_step(tracer_, thread.tid, thread.kind == StopKind::signal ? thread.deliver : 0)) {
    thread.standing = Standing::running;
    thread.registers.reset();
    thread.ignore_trace = true;
    stepped = collect_step(thread, site);
  } else {
    vanish(thread);
  }
  if (found != nullptr && alive_ && sites_.has(site)) {
    const auto trap = int3;
    if (auto back = memory_.write_raw(site, std::span(&trap, 1)); !back)
      log::warn("run", "the trap at {:#x} could not be put back: {}", site.value, back.error().message);
  }
  return stepped;
}

// An interrupt of ours may come before the instruction was done: it is asked for again.
bool Inferior::Impl::collect_step(Thread& thread, LoadAddr from) {
  const auto tid = thread.tid;
  while (collect_one(tid, lifted_bound)) {
    const auto* regs = load(thread);
    if (regs == nullptr) return false;
    if (!thread.unhandled || !std::holds_alternative<os::InterruptStop>(thread.unhandled->what)) return true;
    thread.unhandled.reset();
    if (pc_of(*regs) != from) return true;
    if (!os::single_step(tracer_, tid, 0)) {
      vanish(thread);
      return false;
    }
    thread.standing = Standing::running;
    thread.registers.reset();
  }
  return false;
}

// ---- software steps ------------------------------------------------------------------------------------------------

// One instruction of one thread. It may be done at once (emulated): then the plan is followed from here.
void Inferior::Impl::step_instruction(Thread& thread) {
  const auto* regs = load(thread);
  if (regs == nullptr) return;
  if (returned_eintr(*regs)) {
    repair_syscall(thread, 0);
    if ((regs = load(thread)) == nullptr) return;
  }
  if (kernel_will_restart(*regs)) return step_by_kernel(thread);  // it goes back to the `syscall` by itself
  auto now = *regs;
  now.rip = pc_of(shown(now)).value;
  const LoadAddr pc{now.rip};
  if (slots_.holds(pc_of(*regs)) && !set_pc(thread, pc)) return;
  std::array<std::byte, longest_instruction> buffer{};
  const auto bytes = std::span(buffer).first(memory_.read_some(pc, buffer));
  const auto decoded = trap::decode(bytes, pc);
  thread.passed.reset();
  const bool signal_due_here = thread.kind == StopKind::signal && thread.deliver != 0;
  if (decoded && !signal_due_here && decoded->flow != trap::Flow::straight && decoded->flow != trap::Flow::syscall) {
    if (emulate_at(thread.tid, now)) {
      counters_.emulated++;
      thread.registers = now;
      return follow(thread, stepper_.after_instruction(now));
    }
  } else if (decoded && !signal_due_here) {
    if (thread.step_slot && !slots_.holds(*thread.step_slot)) thread.step_slot.reset();
    auto code = thread.step_slot ? trap::displace(bytes, pc, *thread.step_slot, trap::Finish::trap_back)
                                 : Result<trap::Displaced>(fail(Errc::unsupported, ""));
    if (!code) {
      if (const auto slot = take_slot(pc, &thread)) {
        if (thread.step_slot) slots_.retire(*thread.step_slot);
        thread.step_slot = slot;
        code = trap::displace(bytes, pc, *slot, trap::Finish::trap_back);
      }
    }
    if (!thread.stopped()) return;
    if (code && memory_.write_raw(*thread.step_slot, code->code)) {
      slots_.fill(*thread.step_slot, pc, *code);
      if (!set_pc(thread, *thread.step_slot)) return;
      thread.doing = Doing::slot_step;
      counters_.displaced++;
      return go(thread);
    }
  }
  if (sites_.has(pc)) {
    thread.registers = now;
    const auto crossed = step_lifted(thread);
    if (crossed == Crossed::ready && load(thread) != nullptr)
      follow(thread, stepper_.after_instruction(*thread.registers));
    return;
  }
  step_by_kernel(thread);
}

void Inferior::Impl::step_by_kernel(Thread& thread) {
  thread.doing = Doing::kernel_step;
  const int signal = thread.kind == StopKind::signal ? std::exchange(thread.deliver, 0) : 0;
  if (!os::single_step(tracer_, thread.tid, signal)) return vanish(thread);
  thread.standing = Standing::running;
  thread.registers.reset();
}

// A SIGTRAP: was it the end of an instruction that was asked for?
bool Inferior::Impl::finish_instruction(Thread& thread, const siginfo_t& info) {
  if (thread.doing == Doing::running) return false;
  const auto rip = pc_of(*thread.registers);
  if (thread.doing == Doing::slot_step) {
    const auto inside = slots_.inside(rip);
    if (!inside || !thread.step_slot || inside->slot != *thread.step_slot) {
      // Out of the slot by a fault's handler or a signal: the step is over wherever it is.
      thread.doing = Doing::running;
      return false;
    }
    // `syscall` leaves the address behind it in rcx: of the program's, not of the slot's.
    auto registers = *thread.registers;
    if (slots_.holds(LoadAddr{registers.rcx})) registers.rcx = inside->equivalent.value;
    registers.rip = inside->equivalent.value;
    if (registers.rcx == thread.registers->rcx ? !set_pc(thread, inside->equivalent) : !set_general(thread, registers))
      return true;
  } else if (info.si_code != TRAP_TRACE && info.si_code != TRAP_BRKPT) {
    return false;
  }
  thread.doing = Doing::running;
  if (held_back() || !stepper_.active() || stepper_.thread() != thread.tid) {
    go_if_wanted(thread);
    return true;
  }
  follow(thread, stepper_.after_instruction(*thread.registers));
  return true;
}

// ---- slots ---------------------------------------------------------------------------------------------------------

// Moves a thread out of its slot to the equivalent place in the program's code. A system call that the kernel is about
// to restart stays (`syscall` at rip-2 must be the slot's), unless `also_restarting`: then its second meeting with the
// site is remembered as none.
void Inferior::Impl::leave_slot(Thread& thread, bool also_restarting) {
  const auto* regs = load(thread);
  if (regs == nullptr) return;
  const auto inside = slots_.inside(pc_of(*regs));
  if (!inside) {
    // Executed and back in the program's code: what was passed is past.
    if (thread.passed && pc_of(*regs) != *thread.passed) thread.passed.reset();
    return;
  }
  const bool restarts = inside->executed && kernel_will_restart(*regs);
  if (restarts && !also_restarting) return;
  if (thread.doing == Doing::slot_step) thread.doing = Doing::running;
  if (restarts) {
    auto again = *regs;
    again.rip = inside->origin.value;
    thread.passes.push_back({.registers = again, .restarted_syscall = true});
  }
  if (!set_pc(thread, inside->equivalent)) return;
  if (inside->executed)
    thread.passed.reset();
  else
    thread.passed = inside->origin;
}

// Called with every thread collected: slots without a site are free again where nobody is in them.
void Inferior::Impl::reclaim_slots() {
  std::vector<LoadAddr> pcs;
  for (auto& [tid, thread] : threads_) {
    if (thread.exiting) continue;
    if (!thread.stopped()) return;  // one that could not be stopped may be anywhere
    if (thread.registers) pcs.push_back(pc_of(*thread.registers));
  }
  if (guests_.empty()) slots_.reclaim(pcs);
  if (shield_.crowded()) {
    shield_.forget_all();
    guard_sites();
  }
}

}  // namespace trapline::run
