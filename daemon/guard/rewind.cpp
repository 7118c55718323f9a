#include "daemon/guard/rewind.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <variant>

#include "daemon/os/proc.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/util/log.hpp"

namespace trapline::guard {
namespace {

// Intel SDM vol. 2, appendix A.2: the one-byte opcode map, 64-bit mode. Everything else has a ModRM byte, an
// immediate, or is a prefix.
bool one_byte_instruction(unsigned char opcode) {
  return (opcode >= 0x50 && opcode <= 0x5f) || (opcode >= 0x6c && opcode <= 0x6f) ||
         (opcode >= 0x90 && opcode <= 0x99) || (opcode >= 0x9b && opcode <= 0x9f) ||
         (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf) || opcode == 0xc3 || opcode == 0xc9 ||
         opcode == 0xcb || opcode == 0xcc || opcode == 0xcf || (opcode >= 0xec && opcode <= 0xef) || opcode == 0xf1 ||
         opcode == 0xf4 || opcode == 0xf5 || (opcode >= 0xf8 && opcode <= 0xfd);
}

// The signal a thread's stop must hand back when we let it go: what it was about to get, or the group stop's.
int signal_to_return(const os::WaitEvent& event) {
  if (const auto* stop = std::get_if<os::SignalStop>(&event.what)) return stop->signal;
  return 0;
}

// The thread stopped, whatever for, or nothing (it is gone, or does not come to a stop: asleep in the kernel).
std::optional<os::WaitEvent> stop_of(const os::OnTracer& tracer, Tid tid) {
  os::Waiter waiter(tracer);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (std::chrono::steady_clock::now() < limit) {
    auto event = waiter.of(tid, os::Waiter::Mode::poll);
    if (!event) return std::nullopt;
    if (*event) return **event;
    std::this_thread::yield();
  }
  return std::nullopt;
}

bool move_back(const os::OnTracer& tracer, Tid tid, const std::vector<Entry>& patches) {
  auto regs = os::general_registers(tracer, tid);
  if (!regs) return false;
  const auto hit = std::ranges::find_if(patches, [&](const Entry& p) { return stands_behind(regs->rip, p); });
  if (hit == patches.end()) return false;
  regs->rip = hit->at;
  return os::set_general_registers(tracer, tid, *regs).has_value();
}

}  // namespace

bool stands_behind(std::uint64_t rip, const Entry& patch) {
  return rip == patch.at + 1 && !patch.bytes.empty() &&
         !one_byte_instruction(std::to_integer<unsigned char>(patch.bytes.front()));
}

std::size_t rewind_threads(Pid pid, const std::vector<Entry>& patches) {
  const auto tids = os::threads_of(pid);
  if (!tids) return 0;
  std::size_t moved = 0;
  // A thread of its own: the caller may be a tracer of others, or have children it waits for.
  std::thread([&] {
    const os::TracerThread thread;
    const auto& tracer = thread.token();
    std::vector<Tid> seized;
    for (const Tid tid : *tids) {
      const auto status = os::process_status(tid);
      if (!status || status->state != 'R' || status->tracer.value != 0) continue;
      if (os::seize(tracer, tid, 0) && os::interrupt(tracer, tid)) seized.push_back(tid);
    }
    for (const Tid tid : seized) {
      const auto event = stop_of(tracer, tid);
      // Not stopped in time: the end of this thread lets it go, the kernel detaches a dead tracer's threads.
      if (!event) continue;
      if (move_back(tracer, tid, patches)) ++moved;
      (void)os::detach(tracer, tid, signal_to_return(*event));
    }
  }).join();
  return moved;
}

}  // namespace trapline::guard
