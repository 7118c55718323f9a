// Children. A forked child has a copy of our traps: it is freed of them and let go. A child that shares our address
// space (vfork, posix_spawn) would die of them without us, and cannot lose them while our own threads need them: it
// stays a guest, carried over the traps that it meets, until it execs or exits.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "daemon/os/dispositions.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/run/remote_call.hpp"
#include "daemon/run/syscall_restart.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::chrono::seconds child_bound{2};
constexpr std::byte int3{0xCC};
constexpr std::uint64_t red_zone = 128;

// kcmp(2): 0 means that both use one address space. Where the kernel has no kcmp, the kind of the event decides.
bool shares_memory(Pid a, Pid b, bool vfork) {
  const long order = ::syscall(SYS_kcmp, a.value, b.value, KCMP_VM, 0, 0);
  return order == -1 ? vfork : order == 0;
}

}  // namespace

// Waits for the stop that every auto-attached child begins with. False: it is gone already.
bool Inferior::Impl::await_first_stop(Pid child) {
  const Tid tid{child.value};
  if (early_.erase(tid) != 0) return true;
  Patience patience(child_bound);
  for (;;) {
    const auto event = waiter_.of(tid, os::Waiter::Mode::poll);
    if (!event) return false;
    if (*event)
      return !std::holds_alternative<os::Exited>((*event)->what) && !std::holds_alternative<os::Killed>((*event)->what);
    if (!patience.pause()) {
      log::warn("run", "child {} does not come to its first stop", child.value);
      return false;
    }
  }
}

void Inferior::Impl::adopt_child(Tid maker, Pid child, bool vfork) {
  if (!await_first_stop(child)) return;
  const Tid tid{child.value};
  pins_.inherit(maker, tid);
  if (shares_memory(pid_, child, vfork)) {
    guests_.insert(tid);
    guest_leave_slot(tid);
    if (!os::resume(tracer_, tid, 0)) guests_.erase(tid);
    return;
  }
  free_child(child);
}

// A stopped child with an address space of its own, which is a copy of ours: made whole, and let go.
void Inferior::Impl::free_child(Pid child) {
  const Tid tid{child.value};
  guest_leave_slot(tid);
  auto memory = os::ProcessMemory::open(child);
  if (memory) {
    for (const auto& patch : sites_.restore_all()) {
      // A page that the child did not get (MADV_DONTFORK), or was unmapped: nothing of ours is there.
      std::byte now{};
      if (!memory->read(patch.at, std::span(&now, 1)) || now != int3) continue;
      if (auto written = memory->write(patch.at, patch.original); !written)
        log::warn("run", "trap at {:#x} left in child {}: {}", patch.at.value, child.value, written.error().message);
    }
  } else {
    log::warn("run", "child {} could not be freed of our traps: {}", child.value, memory.error().message);
  }
  const auto child_call = [&](long number, std::array<std::uint64_t, 6> arguments) {
    return make_call(tracer_, waiter_, tid, Before::no_signal,
                     {.syscall_instruction = *syscall_instruction_, .number = number, .arguments = arguments});
  };
  if (const auto now = os::dispositions(tid); syscall_instruction_ && now && !now->filters_calls) {
    for (const auto& region : slots_.regions())
      static_cast<void>(child_call(SYS_munmap, {region.begin.value, region.size().value, 0, 0, 0, 0}));
    // As in lower_shield(): only where the handler is still ours.
    const auto regs = os::general_registers(tracer_, tid);
    if (shield_.up() && memory && regs && now->catches(SIGTRAP)) {
      const auto region = shield_.region();
      KernelAction action{}, before{};
      const LoadAddr room{((regs->rsp - red_zone) & ~std::uint64_t{15}) - sizeof action};
      const bool saved = memory->read(room, std::as_writable_bytes(std::span(before))).has_value();
      const auto asked = saved ? child_call(SYS_rt_sigaction, {SIGTRAP, 0, room.value, sizeof(std::uint64_t), 0, 0})
                               : Result<std::int64_t>(-1);
      const bool ours = asked && *asked == 0 && memory->read(room, std::as_writable_bytes(std::span(action))) &&
                        LoadAddr{action[0]} == region.begin;
      if (saved) static_cast<void>(memory->write(room, std::as_bytes(std::span(before))));
      const auto reset = ours ? child_call(SYS_rt_sigaction, {SIGTRAP, shield_.default_action(region.begin).value, 0,
                                                              sizeof(std::uint64_t), 0, 0})
                              : Result<std::int64_t>(-1);
      if (reset && *reset == 0)
        static_cast<void>(child_call(SYS_munmap, {region.begin.value, region.size().value, 0, 0, 0, 0}));
    }
  }
  if (auto gone = os::detach(tracer_, tid, 0); !gone) log::debug("run", "{}", gone.error().message);
  observer_->forked(child);
}

void Inferior::Impl::guest_leave_slot(Tid tid) {
  const auto regs = os::general_registers(tracer_, tid);
  if (!regs) return;
  if (const auto inside = slots_.inside(pc_of(*regs)))
    static_cast<void>(os::poke_user(tracer_, tid, os::UserOffset{rip_offset}, inside->equivalent.value));
}

void Inferior::Impl::settle_guest(const os::WaitEvent& event) {
  const Tid tid = event.tid;
  int deliver = 0;
  if (const auto* stop = std::get_if<os::EventStop>(&event.what)) {
    if (stop->event == os::TraceEvent::exec) {
      // An address space of its own, without traps.
      guests_.erase(tid);
      static_cast<void>(os::detach(tracer_, tid, 0));
      observer_->forked(Pid{tid.value});
      return;
    }
    if (stop->event == os::TraceEvent::fork || stop->event == os::TraceEvent::vfork ||
        stop->event == os::TraceEvent::clone) {
      if (const auto made = os::event_message(tracer_, tid))
        adopt_child(tid, Pid{static_cast<pid_t>(*made)}, stop->event == os::TraceEvent::vfork);
    }
  } else if (std::holds_alternative<os::GroupStop>(event.what)) {
    if (os::listen(tracer_, tid)) return;
  } else if (const auto* signal = std::get_if<os::SignalStop>(&event.what)) {
    if (signal->signal == SIGTRAP) {
      const auto info = os::signal_info(tracer_, tid);
      if (!info) return;
      if (info->si_code > 0) return guest_trap(tid);
    }
    guest_leave_slot(tid);
    deliver = signal->signal;
  }
  static_cast<void>(os::resume(tracer_, tid, deliver));
}

// A guest met a trap: over it, seen by nobody. Where only a lifted step would do, the trap is off for a moment; the
// guest's maker sleeps (vfork), other threads may miss it then.
void Inferior::Impl::guest_trap(Tid tid) {
  auto regs = os::general_registers(tracer_, tid);
  if (!regs) return;
  const LoadAddr site{regs->rip - 1};
  const auto* found = sites_.find(site);
  std::byte now{};
  if (found == nullptr && memory_.read_raw(site, std::span(&now, 1)) && now == int3) {
    static_cast<void>(os::resume(tracer_, tid, SIGTRAP));  // its own
    return;
  }
  regs->rip = site.value;
  if (found != nullptr) {
    const auto crossing = crossing_of(site, nullptr);
    if (crossing.how == Crossing::How::slot) {
      regs->rip = crossing.slot.value;
    } else if (crossing.how != Crossing::How::emulate || !emulate_at(tid, *regs)) {
      const auto original = found->original;
      if (os::set_general_registers(tracer_, tid, *regs) && memory_.write_raw(site, std::span(&original, 1)) &&
          os::single_step(tracer_, tid, 0)) {
        static_cast<void>(await_first_stop(Pid{tid.value}));
        static_cast<void>(memory_.write_raw(site, std::span(&int3, 1)));
      }
      static_cast<void>(os::resume(tracer_, tid, 0));
      return;
    }
  }
  if (os::set_general_registers(tracer_, tid, *regs)) static_cast<void>(os::resume(tracer_, tid, 0));
}

// Before our traps go: guests are stopped and taken out of slots. They are let go (free_guests) only when the traps are
// off, or they would run into one that nobody handles.
std::vector<Inferior::Impl::StoppedGuest> Inferior::Impl::stop_guests() {
  std::vector<StoppedGuest> stopped;
  const auto guests = std::exchange(guests_, {});
  for (const auto tid : guests) static_cast<void>(os::interrupt(tracer_, tid));
  for (const auto tid : guests) {
    Patience patience(child_bound);
    for (;;) {
      const auto event = waiter_.of(tid, os::Waiter::Mode::poll);
      if (!event) break;
      if (*event) {
        int deliver = 0;
        if (const auto* signal = std::get_if<os::SignalStop>(&(*event)->what)) {
          deliver = signal->signal;
          const auto regs = os::general_registers(tracer_, tid);
          if (deliver == SIGTRAP && regs && sites_.has(LoadAddr{regs->rip - 1})) {
            deliver = 0;
            static_cast<void>(os::poke_user(tracer_, tid, os::UserOffset{rip_offset}, regs->rip - 1));
          }
        } else if (const auto pending = os::trap_pending(tracer_, tid);
                   pending && *pending && os::resume(tracer_, tid, 0)) {
          continue;  // behind a trap: its SIGTRAP comes next
        }
        guest_leave_slot(tid);
        stopped.push_back({.tid = tid, .deliver = deliver});
        break;
      }
      if (!patience.pause()) {
        log::warn("run", "child {} of process {} does not stop to be let go", tid.value, pid_.value);
        break;
      }
    }
  }
  return stopped;
}

void Inferior::Impl::free_guests(std::span<const StoppedGuest> guests) {
  for (const auto& guest : guests) static_cast<void>(os::detach(tracer_, guest.tid, guest.deliver));
}

// Children whose maker was killed before it could say so.
void Inferior::Impl::release_early() {
  for (const auto& [tid, event] : std::exchange(early_, {})) {
    free_child(Pid{tid.value});
  }
}

}  // namespace trapline::run
