#pragma once
// Names, meanings and default policies of signals. Source: signal(7), sigaction(2) (si_code).
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proto/control.hpp"

namespace trapline::session {

std::string signal_name(int signal);                      // "SIGSEGV", "SIGRTMIN+3"
std::optional<int> signal_number(std::string_view name);  // "SIGSEGV", "SEGV", "11"
std::string signal_meaning(const siginfo_t& info);        // "Segmentation fault: address 0x0 is not mapped"

// What the user said, over defaults: everyday signals (SIGCHLD, SIGALRM, SIGWINCH, glibc's own ...) pass unseen, the
// rest stop and pass.
class SignalPolicies {
 public:
  SignalPolicies() = default;
  explicit SignalPolicies(const std::map<std::string, proto::SignalPolicy>& said);
  proto::SignalPolicy of(int signal) const;

 private:
  std::map<int, proto::SignalPolicy> said_;
};

}  // namespace trapline::session
