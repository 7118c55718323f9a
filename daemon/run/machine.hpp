#pragma once
// The machine behind run::Inferior. Private to the room; its members are spread over files by subject:
//   collect.cpp  waiting, the thread table, all-stop            events.cpp   clone, fork, exec, exit
//   hits.cpp     SIGTRAP, signals, what the user gets to see    crossing.cpp going over a site, software steps
//   resume.cpp   letting threads go on, the verbs of running    sites.cpp    patches, memory, slots
//   start.cpp    launch, attach                                 leave.cpp    detach, kill
//   guests.cpp   forked children                             calls.cpp    functions called for the user
//
// Vocabulary. An event is *taken* when waitpid gave it (the thread is then stopped), and *settled* when it was decided
// what it means. Signal stops that come while an all-stop is collected are taken but not settled: they wait in
// Thread::unhandled for the next resume, so that every signal is seen and delivered exactly once. A trap hit that comes
// then is not kept at all: its thread is put back to the site and will meet the trap again.
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/guard/journal.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/run/affinity.hpp"
#include "daemon/run/call.hpp"
#include "daemon/run/inferior.hpp"
#include "daemon/run/live_memory.hpp"
#include "daemon/run/safe_call.hpp"
#include "daemon/run/shield.hpp"
#include "daemon/run/slots.hpp"
#include "daemon/run/stepper.hpp"
#include "daemon/run/thread.hpp"
#include "daemon/trap/displaced.hpp"
#include "daemon/trap/site_table.hpp"

namespace trapline::run {

inline constexpr unsigned trace_options =
    os::trace_clone | os::trace_fork | os::trace_vfork | os::trace_vfork_done | os::trace_exec | os::trace_exit;

struct Inferior::Impl final : StepHost {
  Impl(const os::OnTracer& on_tracer, Pid process, image::Modules& image, Observer& watcher,
       std::unique_ptr<guard::Journal> patches, os::ProcessMemory process_memory);

  // ---- start.cpp
  static Result<std::unique_ptr<Impl>> make(const os::OnTracer& tracer, Pid pid, image::Modules& modules,
                                            const std::filesystem::path& journal_dir, Observer& observer);
  void hold_at_exec();
  Result<void> seize_all();

  // ---- collect.cpp
  void pump();
  bool sweep();   // takes whatever any tracee reports; true: something came
  bool linger();  // after an internal stop: waits a moment for the same thread
  void settle_arrivals();
  void take(const os::WaitEvent& event);
  void take_end(const os::WaitEvent& event);
  bool trap_goes_first(Thread& thread, const os::WaitEvent& event);
  void take_unknown(const os::WaitEvent& event);
  Thread& add_thread(Tid tid);
  Thread* find(Tid tid);
  void vanish(Thread& thread);
  bool stop_all();  // false: the process ended meanwhile
  std::vector<Tid> to_collect();
  bool collect_round(std::vector<Tid>& waiting);
  bool collect_ends();
  bool collect_one(Tid tid, std::chrono::milliseconds bound);  // waits for a stop of this thread, takes it
  void process_ended(int code, int signal, bool core_dumped);

  // ---- events.cpp
  void settle(Thread& thread);
  void on_event(Thread& thread, os::TraceEvent event);
  void on_clone(Thread& thread);
  void on_exec(Thread& thread);
  void on_thread_exit(Thread& thread);
  void first_stop(Thread& thread);
  void gone(Tid tid);  // thread_exited, once
  std::size_t living() const;

  // ---- hits.cpp
  void on_signal_stop(Thread& thread, int signal);
  bool on_sigtrap(Thread& thread, const siginfo_t& info);
  bool was_taken_back(LoadAddr site) const;
  void on_hit(Thread& thread, LoadAddr site);
  void on_program_signal(Thread& thread, siginfo_t info);
  bool returned_to(Thread& thread, LoadAddr site);
  void stop_for_user(StopReport report);
  void report_exec_stop();
  bool held_back() const { return !running_ || stopping_; }

  // ---- crossing.cpp
  enum class Crossed : std::uint8_t { ready, running, lost };
  Crossed cross(Thread& thread);
  bool passed_by_hand(Thread& thread);
  struct Crossing {
    enum class How : std::uint8_t { slot, emulate, kernel, own_trap } how = How::kernel;
    LoadAddr slot;
  };
  Crossing crossing_of(LoadAddr site, Thread* borrow);
  void forget_crossing(LoadAddr site);
  std::optional<LoadAddr> take_slot(LoadAddr near, Thread* borrow);
  Result<void> map_slots(LoadAddr near, Thread& borrow);
  bool emulate_at(Tid tid, arch::GeneralRegisters& registers);
  Crossed step_lifted(Thread& thread);
  bool step_off(Thread& thread);
  bool collect_step(Thread& thread, LoadAddr from);
  void step_instruction(Thread& thread);
  void step_by_kernel(Thread& thread);
  bool finish_instruction(Thread& thread, const siginfo_t& info);
  void leave_slot(Thread& thread, bool also_restarting = false);
  void reclaim_slots();
  bool can_borrow(const Thread& thread) const;

  // ---- resume.cpp
  Result<void> resume(std::optional<Tid> only);
  void release_all();
  void go(Thread& thread);
  void go_if_wanted(Thread& thread);
  void go_on(Thread& thread);  // after an internal stop
  void repair_syscall(Thread& thread, int signal);
  bool wanted(const Thread& thread) const;
  Result<void> step(const StepOrder& order);
  Result<void> run_to(Tid thread, std::span<const LoadAddr> targets);
  Result<void> start_step(Thread& thread, const StepVerdict& verdict, bool single_thread);
  void follow(Thread& thread, const StepVerdict& verdict);
  Result<void> interrupt();
  Result<Thread*> stopped_thread(Tid tid);
  const arch::GeneralRegisters* load(Thread& thread);
  bool set_pc(Thread& thread, LoadAddr pc);
  bool set_general(Thread& thread, const arch::GeneralRegisters& registers);
  arch::GeneralRegisters shown(const arch::GeneralRegisters& registers) const;  // out of the slot
  Result<arch::RegisterFile> registers(Tid tid, bool with_xstate);
  Result<void> set_registers(Tid tid, const arch::RegisterFile& file);
  Result<siginfo_t> stop_signal(Tid tid);
  Result<void> set_pending_signal(Tid tid, int signal);

  // ---- sites.cpp
  Result<void> add_site(LoadAddr at, trap::Owner owner);
  Result<void> drop_site(LoadAddr at, trap::Owner owner);
  void restore_sites();
  const util::Memory& code() const override { return memory_; }
  bool plant(LoadAddr at) override;
  void uproot(LoadAddr at) override;

  // ---- protect.cpp: for the case that we die
  bool program_handles(Tid tid, int signal);
  void raise_shield(Thread& borrow);
  void lower_shield();
  void guard_sites();
  std::optional<LoadAddr> trap_action(Thread& borrow);
  Result<std::int64_t> borrowed_call(Thread& thread, long number, std::array<std::uint64_t, 6> arguments);
  Thread* lender();
  Thread* lender_at_the_end();
  void before_trap_is_taken(Tid tid);

  // ---- leave.cpp
  Result<void> detach();
  Result<void> kill();
  bool let_thread_go(Thread& thread);
  void unmap_slots();
  void wait_for_stragglers();
  bool let_straggler_go(Tid tid, const os::WaitEvent& event);
  void see_it_end();

  // ---- calls.cpp
  struct BeforeCall;
  Result<CallReport> call(const CallOrder& order);
  Result<void> before_call(Thread& thread, const CallOrder& order, BeforeCall& before);
  Result<void> stand_on_way_back(Tid tid, const BeforeCall& before);
  Result<void> return_to_way_back(Tid tid, const BeforeCall& before);
  Result<void> give_thread_back(Tid tid, const BeforeCall& before);
  Result<void> enter_call(Thread& thread, const CallOrder& order, const BeforeCall& before);
  std::optional<LoadAddr> quiet_return(std::span<const os::Mapping> maps);
  std::optional<LoadAddr> leave_and_return(std::span<const os::Mapping> maps);
  void run_call(const CallOrder& order);
  CallReport leave_call(const BeforeCall& before, bool entered);
  Result<void> after_call(Thread& thread, const BeforeCall& before, CallReport& report);
  bool bring_to_a_stop(Tid tid);
  bool walk_to_trap(Thread& thread, const BeforeCall& before);
  void give_signals_back(Thread& thread, const BeforeCall& before, std::vector<siginfo_t> kept);
  void put_stack_back(const BeforeCall& before);
  void await_end_of_dying();
  void end_of_call(CallEnd end);
  bool waits_for_call(const Thread& thread) const;
  bool back_from_call(Thread& thread, const siginfo_t& info);
  void hit_in_call(Thread& thread, LoadAddr site);
  bool site_concerns_user(LoadAddr site) const;
  void signal_in_call(Thread& thread, const siginfo_t& info);

  // ---- guests.cpp: children that share our address space (vfork), kept only until they leave it
  void adopt_child(Tid maker, Pid child, bool vfork);
  bool await_first_stop(Pid child);
  void free_child(Pid child);
  void settle_guest(const os::WaitEvent& event);
  void guest_trap(Tid tid);
  void guest_leave_slot(Tid tid);
  struct StoppedGuest {
    Tid tid;
    int deliver = 0;
  };
  std::vector<StoppedGuest> stop_guests();
  void free_guests(std::span<const StoppedGuest> guests);
  void release_early();

  const os::OnTracer& tracer_;
  os::Waiter waiter_;
  Pid pid_;
  image::Modules& modules_;
  Observer* observer_;  // while attach() is at work: one that does nothing
  std::unique_ptr<guard::Journal> journal_;
  trap::SiteTable sites_;
  LiveMemory memory_;
  SlotPool slots_;
  Shield shield_;
  bool shield_tried_ = false;
  int by_hand_ = 0;  // crossings of sites of our own before there was a slot
  std::unordered_map<LoadAddr, Crossing> crossings_;
  std::optional<LoadAddr> syscall_instruction_;
  std::optional<WayBack> way_back_;
  bool way_back_looked_for_ = false;
  std::optional<std::optional<LoadAddr>> quiet_return_, leave_;  // looked for; found
  bool slots_refused_ = false;
  Pins pins_;
  Stepper stepper_;

  std::map<Tid, Thread> threads_;
  std::deque<Tid> arrivals_;
  std::set<Tid> guests_;
  std::map<Tid, os::WaitEvent> early_;  // children whose maker's event did not come yet
  std::set<Tid> announced_gone_;        // of the leader: it stays in the table until the process ends

  bool alive_ = true;
  bool attached_ = true;
  bool running_ = false;   // let go by the user; false: all stopped
  bool stopping_ = false;  // an all-stop, or a lifted step, is under way
  bool pumping_ = false;
  bool exec_unreported_ = false;
  bool group_stop_told_ = false;
  bool stop_failed_told_ = false;
  bool untraced_leader_ = false;
  std::optional<Tid> only_;  // resume_only
  struct Hit {
    Tid tid;
    LoadAddr site;
    arch::GeneralRegisters registers;
  };
  struct Calling {
    Tid tid;
    LoadAddr trap;         // where the function returns to
    LoadAddr stack_after;  // its stack pointer then
    std::size_t objects = 0;
    bool over = false;
    CallReport report;
    std::vector<siginfo_t> signals_kept;
    std::vector<CallOrder::Throw> throws;
    const CallOrder* order = nullptr;
  };
  std::optional<Calling> calling_;
  std::optional<Hit> moved_;  // by before_trap_is_taken(), for the stop that is taken next
  std::optional<Tid> hot_;    // had an internal stop just now
  std::optional<Tid> last_stop_thread_;
  Counters counters_;
};

inline constexpr std::size_t rip_offset = offsetof(arch::GeneralRegisters, rip);
inline LoadAddr pc_of(const arch::GeneralRegisters& registers) { return {registers.rip}; }
bool is_thread_of(Pid pid, Tid tid);

}  // namespace trapline::run
