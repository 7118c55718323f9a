#include "daemon/run/remote_call.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <span>

#include "daemon/os/ptrace.hpp"
#include "daemon/run/patience.hpp"

namespace trapline::run {
namespace {

constexpr std::uint64_t all_but_sigtrap = ~(std::uint64_t{1} << (SIGTRAP - 1));
constexpr std::uint64_t syscall_size = 2;
constexpr std::chrono::seconds bound{2};
constexpr std::uint64_t largest_search = std::uint64_t{1} << 20;

// Steps until the instruction was left. An EVENT_STOP of an earlier PTRACE_INTERRUPT may come first; SIGTRAP is the
// only signal that is not blocked, and a SIGTRAP that somebody sends at this moment looks like our own step.
Result<std::int64_t> step_over_call(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, LoadAddr instruction) {
  StopsInCall stops(waiter, tid);
  TL_TRY_VOID(os::single_step(tracer, tid, 0));
  for (;;) {
    TL_TRY_VOID(stops.next());
    TL_TRY(const auto regs, os::general_registers(tracer, tid));
    if (regs.rip == instruction.value + syscall_size) {
      // The step's SIGTRAP, left pending behind an EVENT_STOP, would be the program's death.
      TL_TRY(const auto pending, os::trap_pending(tracer, tid));
      if (!pending) {
        stops.over();
        return static_cast<std::int64_t>(regs.rax);
      }
      TL_TRY_VOID(os::resume(tracer, tid, 0));
    } else {
      TL_TRY_VOID(os::single_step(tracer, tid, 0));
    }
  }
}

}  // namespace

StopsInCall::StopsInCall(os::Waiter& waiter, Tid tid) : waiter_(waiter), tid_(tid), patience_(bound) {}

Result<os::WaitEvent> StopsInCall::next() {
  for (;;) {
    TL_TRY(const auto event, waiter_.of(tid_, os::Waiter::Mode::poll));
    if (!event) {
      if (!patience_.pause())
        return fail(Errc::timeout,
                    fmt::format("thread {} does not finish a system call made on our behalf", tid_.value));
      continue;
    }
    if (std::holds_alternative<os::Exited>(event->what) || std::holds_alternative<os::Killed>(event->what)) {
      waiter_.put_back(*event);
      return fail(Errc::thread_gone,
                  fmt::format("thread {} ended during a system call made on our behalf", tid_.value));
    }
    if (const auto* stop = std::get_if<os::SignalStop>(&event->what)) was_stopped_ |= stop->signal == SIGSTOP;
    return *event;
  }
}

void StopsInCall::over() const {
  if (was_stopped_) ::syscall(SYS_tkill, tid_.value, SIGSTOP);
}

Result<std::int64_t> make_call(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, Before before,
                               const RemoteCall& call) {
  TL_TRY(const auto saved, os::general_registers(tracer, tid));
  std::optional<siginfo_t> info;
  if (before == Before::in_signal_stop)
    if (auto got = os::signal_info(tracer, tid)) info = *got;
  TL_TRY(const auto mask, os::signal_mask(tracer, tid));

  auto regs = saved;
  regs.rip = call.syscall_instruction.value;
  regs.rax = static_cast<std::uint64_t>(call.number);
  regs.orig_rax = ~std::uint64_t{0};  // no restart logic of the call that the thread may stand in
  regs.rdi = call.arguments[0];
  regs.rsi = call.arguments[1];
  regs.rdx = call.arguments[2];
  regs.r10 = call.arguments[3];
  regs.r8 = call.arguments[4];
  regs.r9 = call.arguments[5];
  TL_TRY_VOID(os::set_signal_mask(tracer, tid, all_but_sigtrap));
  auto answer = os::set_general_registers(tracer, tid, regs)
                    ? step_over_call(tracer, waiter, tid, call.syscall_instruction)
                    : Result<std::int64_t>(fail(Errc::thread_gone, fmt::format("thread {} is gone", tid.value)));
  // Also after a failure: what can be put back is put back.
  const auto back = os::set_general_registers(tracer, tid, saved);
  const auto unmasked = os::set_signal_mask(tracer, tid, mask);
  if (info && answer) {
    if (auto set = os::set_signal_info(tracer, tid, *info); !set) return std::unexpected(set.error());
  }
  if (answer && !back) return std::unexpected(back.error());
  if (answer && !unmasked) return std::unexpected(unmasked.error());
  return answer;
}

Result<LoadAddr> find_syscall(std::span<const os::Mapping> maps, const util::Memory& memory) {
  const auto search = [&](const os::Mapping& map) -> std::optional<LoadAddr> {
    std::array<std::byte, 4096> code;
    const auto end = map.range.begin + ByteCount{std::min(map.range.size().value, largest_search)};
    constexpr std::array instruction{std::byte{0x0f}, std::byte{0x05}};
    // Windows overlap by a byte: the instruction may lie over the end of one.
    for (auto at = map.range.begin; at + ByteCount{instruction.size()} <= end; at = at + ByteCount{code.size() - 1}) {
      const auto wanted = std::min<std::uint64_t>(code.size(), (end - at).value);
      const auto there = std::span(code).first(memory.read_some(at, std::span(code).first(wanted)));
      const auto found = std::ranges::search(there, instruction);
      if (!found.empty()) return at + ByteCount{static_cast<std::uint64_t>(found.begin() - there.begin())};
      if (there.size() < wanted) break;
    }
    return std::nullopt;
  };
  for (const auto& map : maps)
    if (map.path == "[vdso]")
      if (const auto at = search(map)) return *at;
  for (const auto& map : maps)
    if (map.executable && map.path != "[vsyscall]")
      if (const auto at = search(map)) return *at;
  return fail(Errc::unsupported, "the process has no `syscall` instruction that could be borrowed");
}

}  // namespace trapline::run
