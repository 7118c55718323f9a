#include "daemon/session/signals.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace trapline::session {
namespace {

// The kernel's number of the first real-time signal; glibc keeps 32 and 33 for itself (cancellation, setxid).
constexpr int kernel_rtmin = 32;

std::string address_meaning(const siginfo_t& info, std::string_view unmapped, std::string_view refused) {
  const auto at = reinterpret_cast<std::uintptr_t>(info.si_addr);
  switch (info.si_code) {
    case SEGV_MAPERR: return fmt::format("address {:#x} {}", at, unmapped);
    case SEGV_ACCERR: return fmt::format("address {:#x} {}", at, refused);
    // A non-canonical address raises #GP, which tells the kernel no address.
    case SI_KERNEL: return "an address that no mapping can have (non-canonical)";
    default: return fmt::format("address {:#x}", at);
  }
}

std::string sender(const siginfo_t& info) {
  switch (info.si_code) {
    case SI_USER: return fmt::format("sent by process {} (kill)", info.si_pid);
    case SI_TKILL: return fmt::format("sent by process {} (tgkill, raise or abort)", info.si_pid);
    case SI_QUEUE: return fmt::format("sent by process {} (sigqueue)", info.si_pid);
    case SI_TIMER: return "sent by a timer";
    default: return {};
  }
}

std::string detail(const siginfo_t& info) {
  if (auto by = sender(info); !by.empty()) return by;
  switch (info.si_signo) {
    case SIGSEGV: return address_meaning(info, "is not mapped", "may not be accessed that way");
    case SIGBUS: return fmt::format("address {:#x}", reinterpret_cast<std::uintptr_t>(info.si_addr));
    case SIGILL: return fmt::format("illegal instruction at {:#x}", reinterpret_cast<std::uintptr_t>(info.si_addr));
    case SIGFPE:
      switch (info.si_code) {
        case FPE_INTDIV: return "integer division by zero";
        case FPE_INTOVF: return "integer overflow";
        case FPE_FLTDIV: return "floating-point division by zero";
        default: return "arithmetic fault";
      }
    case SIGTRAP: return "a trap instruction of the program itself";
    default: return {};
  }
}

}  // namespace

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal)) return fmt::format("SIG{}", name);
  if (signal >= SIGRTMIN && signal <= SIGRTMAX)
    return signal == SIGRTMIN ? "SIGRTMIN" : fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  return fmt::format("signal {}", signal);
}

std::optional<int> signal_number(std::string_view name) {
  int number = 0;
  if (const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
      problem == std::errc{} && end == name.data() + name.size())
    return number > 0 && number <= SIGRTMAX ? std::optional(number) : std::nullopt;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    const auto full = signal_name(signal);
    if (name == full || (full.starts_with("SIG") && name == std::string_view(full).substr(3))) return signal;
  }
  return std::nullopt;
}

std::string signal_meaning(const siginfo_t& info) {
  const char* meaning = ::sigdescr_np(info.si_signo);
  const auto base = meaning ? std::string(meaning) : signal_name(info.si_signo);
  const auto more = detail(info);
  return more.empty() ? base : fmt::format("{}: {}", base, more);
}

SignalPolicies::SignalPolicies(const std::map<std::string, proto::SignalPolicy>& said) {
  for (const auto& [name, policy] : said)
    if (const auto number = signal_number(name)) said_[*number] = policy;
}

proto::SignalPolicy SignalPolicies::of(int signal) const {
  if (const auto found = said_.find(signal); found != said_.end()) return found->second;
  switch (signal) {
    case SIGCHLD:
    case SIGALRM:
    case SIGVTALRM:
    case SIGPROF:
    case SIGURG:
    case SIGIO:
    case SIGWINCH:
    case SIGCONT:
    case kernel_rtmin:
    case kernel_rtmin + 1: return {.stop = false, .pass = true, .print = false};
    default: return {};
  }
}

}  // namespace trapline::session
