#pragma once
// One debuggee process under ptrace: its threads, how they stop and go on, stepping, signals.
//
// All-stop: a stop that concerns the user stops every thread before it is reported. A stop that the debugger resolves
// by itself (a false condition, going over a site) is handled in a tight wait-decide-resume path and touches that one
// thread only. Thread: the tracer's. The Observer is called from within pump() or a verb; it may call back into the
// const members, registers(), memory() and sites' edit, but not resume, step, detach or kill.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/guard/journal.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/os/spawn.hpp"
#include "daemon/os/tracer_thread.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/run/call.hpp"
#include "daemon/trap/site_table.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

enum class StopCause : std::uint8_t { entry, site, step_done, interrupted, signal, exec, attach };

struct StopReport {
  StopCause cause{};
  Tid thread;
  LoadAddr pc;
  std::vector<trap::Owner> owners;  // of `site`: those whose verdict was to stop
  siginfo_t signal{};               // of `signal`
  // Inlined levels at pc that the thread stands at the very first instruction of: not entered yet. A front end shows
  // the frame outside of them, and steps with StepOrder::inline_depth set to the same number.
  std::uint32_t inline_depth = 0;
};

enum class StepGoal : std::uint8_t { over, into, out };
enum class StepUnit : std::uint8_t { line, instruction };
struct StepOrder {
  Tid thread;
  StepGoal goal{};
  StepUnit unit = StepUnit::line;
  bool single_thread = false;
  std::uint32_t inline_depth = 0;  // of the frame the user looks at (0: innermost; image::inline_chain's index)
  // Code that stepping in goes through without stopping (no line information is always such); may be empty.
  std::function<bool(LoadAddr pc)> skip;
};

struct SignalVerdict {
  bool stop = true;
  bool pass = true;
};

// What a site's owners want. Called with the one thread stopped and the others running.
struct SiteVerdict {
  std::vector<trap::Owner> stop_for;  // empty: go on, nobody sees anything
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual SiteVerdict at_site(Tid thread, LoadAddr pc, std::span<const trap::Owner> owners) = 0;
  virtual SignalVerdict on_signal(Tid thread, const siginfo_t& info) = 0;
  virtual void stopped(const StopReport& report) = 0;  // every thread stands still
  virtual void thread_started(Tid thread) = 0;
  virtual void thread_exited(Tid thread) = 0;
  // execve: all threads but one are gone, sites and modules too. Sites may be added; stopped(exec) follows.
  virtual void executed(const std::string& program) = 0;
  virtual void forked(Pid child) = 0;  // the child was freed of our patches and detached
  virtual void exited(int code, int signal, bool core_dumped) = 0;
  virtual void warned(const std::string& text) = 0;  // for the user's console
};

struct LaunchOrder {
  os::SpawnPlan plan;
  std::string program;  // resolved path of the program to debug; plan.argv may start with a wrapper
  std::chrono::seconds timeout{30};
};

class Inferior {
 public:
  // Held at the first instruction of `program` (after the execs of wrappers).
  static Result<std::unique_ptr<Inferior>> launch(const os::OnTracer& tracer, LaunchOrder order,
                                                  image::Modules& modules, const std::filesystem::path& journal_dir,
                                                  Observer& observer);
  // A process of ours that waits to be seized (runInTerminal): seized, and held at its exec of `program` once release()
  // let it go on.
  static Result<std::unique_ptr<Inferior>> adopt_waiting(const os::OnTracer& tracer, Pid pid, std::string program,
                                                         std::function<void()> release, image::Modules& modules,
                                                         const std::filesystem::path& journal_dir, Observer& observer);
  // All threads seized and stopped. Threads that appear meanwhile are found: relist until a pass adds none.
  static Result<std::unique_ptr<Inferior>> attach(const os::OnTracer& tracer, Pid pid, image::Modules& modules,
                                                  const std::filesystem::path& journal_dir, Observer& observer);
  ~Inferior();  // detaches as detach() where the process still lives

  Pid pid() const;
  bool alive() const;
  bool all_stopped() const;
  std::vector<Tid> threads() const;  // ascending
  bool is_stopped(Tid thread) const;

  // Collects what happened (after SIGCHLD) and acts on it; returns when nothing more is due.
  void pump();

  Result<void> resume_all();
  Result<void> resume_only(Tid thread);
  Result<void> interrupt();  // answered by stopped(interrupted); at once where all stand still
  Result<void> step(const StepOrder& order);
  Result<void> run_to(
      Tid thread,
      std::span<const LoadAddr> targets);  // temporary sites; ends as a step does (also when its frame returns)
  // Calls a function of the debuggee; returns when it is over, within its time limit and a few seconds for a thread
  // that sleeps in the kernel. Errors: the call did not begin. Nothing is stopped() but what the report says.
  Result<CallReport> call(const CallOrder& order);
  Result<void> detach();  // every patch taken back, every thread off its slot, group stops kept; then gone
  Result<void> kill();
  Result<void> send_signal(int signal);

  // Sites, in one batch: journalled, written, in any state (int3 is one byte: no stop needed).
  struct SiteEdit {
    LoadAddr at;
    trap::Owner owner;
    bool add = true;
  };
  std::vector<Result<void>> edit_sites(std::span<const SiteEdit> edits);
  const trap::SiteTable& sites() const;

  // not_stopped, thread_gone. A thread inside a displaced slot reads as at its original pc.
  Result<arch::RegisterFile> registers(Tid thread, bool with_xstate = false);
  Result<void> set_registers(Tid thread,
                             const arch::RegisterFile& file);  // the rip of a thread at a site too (goto, calls)
  util::WritableMemory& memory();                              // patches hidden
  Result<siginfo_t> stop_signal(Tid thread);                   // of a thread stopped by a signal
  // Whether a handler of the program's own runs when the thread, stopped by that signal, takes it.
  bool program_handles(Tid thread, int signal);
  // The signal that will be delivered on resume; 0 drops it.
  Result<void> set_pending_signal(Tid thread, int signal);

  struct Counters {
    std::uint64_t stops = 0, internal_stops = 0, steps_over = 0, emulated = 0, displaced = 0, in_place = 0, wakeups = 0;
  };
  Counters counters() const;

 private:
  struct Impl;
  explicit Inferior(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trapline::run
