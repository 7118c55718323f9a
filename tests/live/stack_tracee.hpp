#pragma once
// A program under ptrace for tests of the unwinder: run to its next int3, step, look. The stack room is called as run/
// calls it; nothing of run/ is used, so that a fault there cannot hide one here.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sched.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "daemon/image/modules.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/spawn.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/stack/stack.hpp"

namespace trapline::test {

class TraceeMemory final : public util::Memory {
 public:
  explicit TraceeMemory(os::ProcessMemory memory) : memory_(std::move(memory)) {}
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override { return memory_.read(at, out); }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override { return memory_.read_some(at, out); }
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes) { return memory_.write(at, bytes); }

 private:
  os::ProcessMemory memory_;
};

class Tracee {
 public:
  explicit Tracee(std::vector<std::string> argv) {
    os::SpawnPlan plan;
    plan.argv = std::move(argv);
    plan.env = {"PATH=/usr/bin:/bin"};
    plan.stdout_path = "/dev/null";
    auto spawned = os::spawn_seized(tracer(), std::move(plan), os::exit_kill | os::trace_clone);
    REQUIRE_MESSAGE(spawned, (spawned ? "" : spawned.error().message));
    pid_ = spawned->pid;
    tid_ = Tid{pid_.value};
    auto opened = os::ProcessMemory::open(pid_);
    REQUIRE(opened);
    memory_.emplace(*std::move(opened));
  }
  // Waits for the end, so that no test leaves a process behind. The leader's end is reported after its threads' only,
  // and those are ours to collect.
  ~Tracee() {
    ::kill(pid_.value, SIGKILL);
    os::Waiter waiter(tracer());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      auto event = waiter.any();
      if (!event || !*event) {
        ::sched_yield();
        continue;
      }
      const auto& what = (*event)->what;
      const bool ended = std::holds_alternative<os::Killed>(what) || std::holds_alternative<os::Exited>(what);
      if (ended && (*event)->tid.value == pid_.value) return;
      if (!ended) static_cast<void>(os::resume(tracer(), (*event)->tid, 0));
    }
  }
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  // Until some thread (the stopped one from then on) gets `signal`; others are delivered.
  void run_to_signal(int signal) {
    REQUIRE(os::resume(tracer(), tid_, 0));
    for (;;) {
      const os::WaitEvent event = next_event();
      const auto* stop = std::get_if<os::SignalStop>(&event.what);
      if (stop != nullptr && stop->signal == signal) {
        tid_ = event.tid;
        reload();
        return;
      }
      REQUIRE(os::resume(tracer(), event.tid, stop != nullptr ? stop->signal : 0));
    }
  }
  void run_to_stop() { run_to_signal(SIGTRAP); }  // its int3; pc is behind it

  // One instruction of the stopped thread. False: a signal other than the step's own came (it was not delivered).
  bool step() {
    REQUIRE(os::single_step(tracer(), tid_, 0));
    const os::WaitEvent event = next_event();
    const auto* stop = std::get_if<os::SignalStop>(&event.what);
    return stop != nullptr && stop->signal == SIGTRAP;
  }

  arch::RegisterFile registers() const {
    auto got = os::general_registers(tracer(), tid_);
    REQUIRE(got);
    return {.general = *got, .xstate = {}};
  }
  // After code was mapped.
  void reload() { REQUIRE(modules_.load_process(pid_, *memory_)); }
  stack::Stack stack() const { return {registers(), *memory_, modules_}; }
  TraceeMemory& memory() { return *memory_; }
  const image::Modules& modules() const { return modules_; }
  Pid pid() const { return pid_; }

  std::uint64_t word(std::uint64_t at) const {
    const auto value = memory_->get<std::uint64_t>(LoadAddr{at});
    REQUIRE(value);
    return *value;
  }
  std::uint64_t symbol(std::string_view name) const {
    const auto at = modules_.symbol_address(name);
    REQUIRE_MESSAGE(at, name);
    return at->value;
  }

  static const os::OnTracer& tracer() {
    static const os::TracerThread thread;
    return thread.token();
  }

 private:
  // Bounded: a debuggee that hangs is killed, and the test fails.
  os::WaitEvent next_event() const {
    os::Waiter waiter(tracer());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      auto event = waiter.any();
      REQUIRE(event);
      if (!*event) {
        ::sched_yield();
        continue;
      }
      const auto& what = (*event)->what;
      if (std::holds_alternative<os::Exited>(what) && (*event)->tid.value != pid_.value) continue;
      REQUIRE_FALSE(std::holds_alternative<os::Exited>(what));
      REQUIRE_FALSE(std::holds_alternative<os::Killed>(what));
      return **event;
    }
    ::kill(pid_.value, SIGKILL);
    FAIL("the debuggee did not stop within a minute");
    std::abort();
  }

  Pid pid_;
  Tid tid_;
  std::optional<TraceeMemory> memory_;
  image::Modules modules_{sym::SearchOptions{}};
};

// Every frame, by value; bounded, so that an endless stack fails a test instead of hanging it.
inline std::vector<stack::Frame> all_frames(stack::Stack& stack, std::size_t limit = 2'000'000) {
  std::vector<stack::Frame> frames;
  while (const auto* frame = stack.frame(frames.size())) {
    REQUIRE(frames.size() < limit);
    frames.push_back(*frame);
  }
  CHECK(stack.depth_if_known() == frames.size());
  return frames;
}

inline std::vector<std::uint64_t> physical_pcs(const std::vector<stack::Frame>& frames) {
  std::vector<std::uint64_t> pcs;
  for (const auto& frame : frames)
    if (frame.inline_depth == 0 && frame.kind != stack::FrameKind::broken) pcs.push_back(frame.pc.value);
  return pcs;
}

// The line of "// MARK: name" in the fixture's source.
inline Line mark(std::string_view name) {
  std::ifstream source(STACK_SHAPES_SOURCE);
  std::string text;
  for (std::uint32_t line = 1; std::getline(source, text); ++line)
    if (text.ends_with(fmt::format("// MARK: {}", name))) return Line{line};
  FAIL("no such mark: " << name);
  return {};
}

inline std::string text_of(const std::vector<stack::Frame>& frames) {
  std::string text;
  for (const auto& frame : frames)
    text += fmt::format("\n{:#x} cfa {:#x} {} {}:{} {}", frame.pc.value, frame.cfa.value, frame.function, frame.file,
                        frame.line.value, frame.reason);
  return text;
}

}  // namespace trapline::test
