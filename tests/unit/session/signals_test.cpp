#include "daemon/session/signals.hpp"

#include <doctest/doctest.h>

namespace trapline::session {
namespace {

TEST_CASE("signals go by name and number") {
  CHECK(signal_name(SIGSEGV) == "SIGSEGV");
  CHECK(signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
  CHECK(signal_number("SIGTERM") == SIGTERM);
  CHECK(signal_number("TERM") == SIGTERM);
  CHECK(signal_number("15") == SIGTERM);
  CHECK_FALSE(signal_number("SIGNONE").has_value());
  CHECK_FALSE(signal_number("0").has_value());
}

TEST_CASE("a fault names its address and why it was refused") {
  siginfo_t info{};
  info.si_signo = SIGSEGV;
  info.si_code = SEGV_MAPERR;
  info.si_addr = reinterpret_cast<void*>(0x10);
  CHECK(signal_meaning(info) == "Segmentation fault: address 0x10 is not mapped");
  info.si_signo = SIGFPE;
  info.si_code = FPE_INTDIV;
  CHECK(signal_meaning(info) == "Floating point exception: integer division by zero");
}

TEST_CASE("everyday signals pass unseen, the others stop, and the user has the last word") {
  const SignalPolicies defaults;
  CHECK_FALSE(defaults.of(SIGCHLD).stop);
  CHECK(defaults.of(SIGCHLD).pass);
  CHECK(defaults.of(SIGSEGV).stop);
  CHECK(defaults.of(SIGSEGV).pass);
  const SignalPolicies said({{"SIGUSR1", {.stop = false, .pass = false, .print = false}}});
  CHECK_FALSE(said.of(SIGUSR1).stop);
  CHECK_FALSE(said.of(SIGUSR1).pass);
  CHECK(said.of(SIGUSR2).stop);
}

}  // namespace
}  // namespace trapline::session
