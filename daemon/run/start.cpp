// Getting hold of a debuggee: launched through a gate and the execs of its wrappers, or attached to as it runs.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <set>

#include "daemon/os/proc.hpp"
#include "daemon/os/spawn.hpp"
#include "daemon/run/follow.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

// Not the program's fault, and nobody else will end it: a launch that failed half way leaves nothing behind.
void end_launched(Pid pid) { ::kill(pid.value, SIGKILL); }

class NobodyWatches final : public Observer {
 public:
  SiteVerdict at_site(Tid, LoadAddr, std::span<const trap::Owner>) override { return {}; }
  SignalVerdict on_signal(Tid, const siginfo_t&) override { return {.stop = false, .pass = true}; }
  void stopped(const StopReport&) override {}
  void thread_started(Tid) override {}
  void thread_exited(Tid) override {}
  void executed(const std::string&) override {}
  void forked(Pid) override {}
  void exited(int, int, bool) override {}
  void warned(const std::string&) override {}
};

// /proc/PID/mem of a leader that has ended while its threads go on has no address space: any thread's will do.
Result<os::ProcessMemory> open_memory(Pid pid) {
  auto memory = os::ProcessMemory::open(pid);
  const auto status = os::process_status(Tid{pid.value});
  if (!status || status->state != 'Z') return memory;
  const auto threads = os::threads_of(pid);
  if (!threads) return memory;
  for (const auto tid : *threads)
    if (tid.value != pid.value)
      if (auto other = os::ProcessMemory::open(Pid{tid.value})) return other;
  return memory;
}

bool traced_by_us(Tid tid) {
  const auto status = os::process_status(tid);
  return status && status->tracer.value == ::getpid();
}

}  // namespace

Inferior::Impl::Impl(const os::OnTracer& on_tracer, Pid process, image::Modules& image, Observer& watcher,
                     std::unique_ptr<guard::Journal> patches, os::ProcessMemory process_memory)
    : tracer_(on_tracer),
      waiter_(on_tracer),
      pid_(process),
      modules_(image),
      observer_(&watcher),
      journal_(std::move(patches)),
      memory_(std::move(process_memory), sites_,
              [this](LoadAddr site, std::byte now) {
                // The journal keeps the first original of an address: make it forget that one.
                journal_->did_restore(site);
                if (auto noted = journal_->will_patch(site, std::span(&now, 1)); !noted)
                  log::warn("run", "{}", noted.error().message);
                forget_crossing(site);
              }),
      shield_(memory_),
      pins_(*journal_),
      stepper_(*this, image) {
  waiter_.before_trap([this](Tid tid) { before_trap_is_taken(tid); });
}

Result<std::unique_ptr<Inferior::Impl>> Inferior::Impl::make(const os::OnTracer& tracer, Pid pid,
                                                             image::Modules& modules,
                                                             const std::filesystem::path& journal_dir,
                                                             Observer& observer) {
  TL_TRY(auto memory, open_memory(pid));
  TL_TRY(auto journal, guard::create_journal(journal_dir, pid));
  return std::make_unique<Impl>(tracer, pid, modules, observer, std::move(journal), std::move(memory));
}

// The debuggee is its one thread, in PTRACE_EVENT_EXEC.
void Inferior::Impl::hold_at_exec() {
  auto& thread = add_thread(Tid{pid_.value});
  thread.fresh = false;
  thread.standing = Standing::stopped;
  thread.kind = StopKind::event;
  last_stop_thread_ = thread.tid;
}

// SEIZE with TRACECLONE, and list again until a pass adds nobody: a thread made meanwhile is either in the list or was
// seized with its maker.
Result<void> Inferior::Impl::seize_all() {
  std::set<Tid> seen;
  bool added = true;
  while (added) {
    added = false;
    auto listed = os::threads_of(pid_);
    if (!listed) return std::unexpected(listed.error());
    for (const auto tid : *listed) {
      if (!seen.insert(tid).second) continue;
      auto seized = os::seize(tracer_, tid, trace_options);
      if (!seized) {
        // ESRCH: it ended. EPERM: ours already through its maker; or it is ending.
        if (seized.error().os_errno == ESRCH) continue;
        if (threads_.empty() && tid.value == pid_.value) {
          const auto status = os::process_status(tid);
          if (status && (status->state == 'Z' || status->state == 'X') && listed->size() > 1) {
            untraced_leader_ = true;  // ended while its threads go on: its status is its parent's
            continue;
          }
          return std::unexpected(os::explain_refusal(pid_, seized.error().os_errno));
        }
        if (!traced_by_us(tid)) continue;
      }
      added = true;
      auto& thread = add_thread(tid);
      thread.fresh = false;
    }
  }
  if (threads_.empty()) return fail(Errc::no_process, fmt::format("process {} has ended", pid_.value));
  if (untraced_leader_) {
    auto& leader = add_thread(Tid{pid_.value});
    leader.fresh = false;
    leader.exiting = true;
  }
  return {};
}

// ---- the public ways in --------------------------------------------------------------------------------------------

Result<std::unique_ptr<Inferior>> Inferior::launch(const os::OnTracer& tracer, LaunchOrder order,
                                                   image::Modules& modules, const std::filesystem::path& journal_dir,
                                                   Observer& observer) {
  TL_TRY(const auto program, ProgramFile::of(order.program));
  TL_TRY(const auto spawned, os::spawn_seized(tracer, std::move(order.plan), trace_options));
  if (!spawned.aslr_disabled)
    observer.warned("Address space randomisation could not be switched off: addresses will differ between runs.");
  auto pid = follow_to_program(tracer, spawned.pid, true, program, order.timeout);
  if (!pid) {
    end_launched(spawned.pid);
    return std::unexpected(pid.error());
  }
  auto impl = Impl::make(tracer, *pid, modules, journal_dir, observer);
  if (!impl) {
    end_launched(*pid);
    return std::unexpected(impl.error());
  }
  (*impl)->hold_at_exec();
  return std::unique_ptr<Inferior>(new Inferior(*std::move(impl)));
}

Result<std::unique_ptr<Inferior>> Inferior::adopt_waiting(const os::OnTracer& tracer, Pid pid, std::string program,
                                                          std::function<void()> release, image::Modules& modules,
                                                          const std::filesystem::path& journal_dir,
                                                          Observer& observer) {
  constexpr std::chrono::seconds adopt_timeout{30};
  TL_TRY(const auto file, ProgramFile::of(program));
  if (auto seized = os::seize(tracer, Tid{pid.value}, trace_options); !seized)
    return std::unexpected(os::explain_refusal(pid, seized.error().os_errno));
  if (release) release();
  const auto found = follow_to_program(tracer, pid, false, file, adopt_timeout);
  if (!found) {
    end_launched(pid);
    return std::unexpected(found.error());
  }
  auto impl = Impl::make(tracer, *found, modules, journal_dir, observer);
  if (!impl) {
    end_launched(*found);
    return std::unexpected(impl.error());
  }
  (*impl)->hold_at_exec();
  return std::unique_ptr<Inferior>(new Inferior(*std::move(impl)));
}

Result<std::unique_ptr<Inferior>> Inferior::attach(const os::OnTracer& tracer, Pid pid, image::Modules& modules,
                                                   const std::filesystem::path& journal_dir, Observer& observer) {
  TL_TRY_VOID(os::check_attachable(pid));
  TL_TRY(auto impl, Impl::make(tracer, pid, modules, journal_dir, observer));
  TL_TRY_VOID(impl->seize_all());
  NobodyWatches nobody;  // the caller has no Inferior yet to ask back
  impl->observer_ = &nobody;
  const bool lives = impl->stop_all();
  impl->observer_ = &observer;
  if (auto* thread = lives ? impl->lender() : nullptr; thread != nullptr) impl->raise_shield(*thread);
  impl->exec_unreported_ = false;  // an exec that was under way: the caller finds the program as it is now
  if (!lives) return fail(Errc::no_process, fmt::format("process {} ended while it was attached to", pid.value));
  return std::unique_ptr<Inferior>(new Inferior(std::move(impl)));
}

}  // namespace trapline::run
