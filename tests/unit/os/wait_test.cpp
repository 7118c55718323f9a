// Wait statuses as ptrace(2) and wait(2) document them.
#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <csignal>

#include "daemon/os/wait.hpp"

namespace trapline::os {
namespace {

constexpr Tid tid{4711};

int stop_with(int signal, int event = 0) { return (event << 16) | (signal << 8) | 0x7f; }

template <class T>
T decoded(int status) {
  const auto event = decode_wait_status(tid, status);
  CHECK(event.tid == tid);
  REQUIRE(std::holds_alternative<T>(event.what));
  return std::get<T>(event.what);
}

TEST_CASE("ends: exit codes of eight bits, signals with and without a core") {
  CHECK(decoded<Exited>(0).code == 0);
  CHECK(decoded<Exited>(255 << 8).code == 255);
  CHECK(decoded<Killed>(SIGKILL).signal == SIGKILL);
  CHECK_FALSE(decoded<Killed>(SIGKILL).core_dumped);
  CHECK(decoded<Killed>(SIGSEGV | 0x80).signal == SIGSEGV);
  CHECK(decoded<Killed>(SIGSEGV | 0x80).core_dumped);
  CHECK(decoded<Killed>(64).signal == 64);
}

TEST_CASE("signal stops, also of int3 and of stopping signals before they are delivered") {
  CHECK(decoded<SignalStop>(stop_with(SIGTRAP)).signal == SIGTRAP);
  CHECK(decoded<SignalStop>(stop_with(SIGSTOP)).signal == SIGSTOP);
  CHECK(decoded<SignalStop>(stop_with(64)).signal == 64);
}

TEST_CASE("system call stops carry the mark of TRACESYSGOOD") { decoded<SyscallStop>(stop_with(SIGTRAP | 0x80)); }

TEST_CASE(
    "PTRACE_EVENT_STOP is a group stop where it names a stopping signal, and an interrupt where it names SIGTRAP") {
  for (const int signal : {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU})
    CHECK(decoded<GroupStop>(stop_with(signal, PTRACE_EVENT_STOP)).signal == signal);
  decoded<InterruptStop>(stop_with(SIGTRAP, PTRACE_EVENT_STOP));
}

TEST_CASE("ptrace events") {
  const auto event = [](int number) { return decoded<EventStop>(stop_with(SIGTRAP, number)).event; };
  CHECK(event(PTRACE_EVENT_CLONE) == TraceEvent::clone);
  CHECK(event(PTRACE_EVENT_FORK) == TraceEvent::fork);
  CHECK(event(PTRACE_EVENT_VFORK) == TraceEvent::vfork);
  CHECK(event(PTRACE_EVENT_VFORK_DONE) == TraceEvent::vfork_done);
  CHECK(event(PTRACE_EVENT_EXEC) == TraceEvent::exec);
  CHECK(event(PTRACE_EVENT_EXIT) == TraceEvent::exit);
  // Never asked for; resumed like an interrupt.
  decoded<InterruptStop>(stop_with(SIGTRAP, PTRACE_EVENT_SECCOMP));
}

TEST_CASE("every status that wait can give decodes to one of them, and wait's own macros agree") {
  for (int status = 0; status < 0x10000; ++status) {
    if (WIFCONTINUED(status)) continue;
    const auto event = decode_wait_status(tid, status);
    REQUIRE(std::holds_alternative<Exited>(event.what) == WIFEXITED(status));
    REQUIRE(std::holds_alternative<Killed>(event.what) == WIFSIGNALED(status));
  }
}

}  // namespace
}  // namespace trapline::os
