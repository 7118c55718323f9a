// What a stop means: the events of ptrace(2) that are about threads and processes, not about code.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/os/proc.hpp"
#include "daemon/run/machine.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {

void Inferior::Impl::settle(Thread& thread) {
  const auto event = std::exchange(thread.unhandled, std::nullopt);
  if (!event || !thread.stopped()) return;
  thread.deliver = 0;
  const bool fresh = thread.fresh;
  if (fresh) first_stop(thread);
  if (std::holds_alternative<os::InterruptStop>(event->what)) {
    thread.kind = StopKind::interrupt;
    if (fresh) leave_slot(thread, true);  // made by a clone in its maker's slot
    if (thread.doing == Doing::slot_step || thread.doing == Doing::kernel_step) {
      // An interrupt of ours came between: the instruction is still to be done.
      if (!held_back()) return thread.doing == Doing::kernel_step ? step_by_kernel(thread) : go(thread);
      thread.doing = Doing::running;
    }
    return go_if_wanted(thread);
  }
  if (std::holds_alternative<os::GroupStop>(event->what)) {
    thread.kind = StopKind::group;
    if (calling_ && calling_->tid == thread.tid) return end_of_call(CallEnd::group_stop);
    return go_if_wanted(thread);
  }
  if (const auto* signal = std::get_if<os::SignalStop>(&event->what)) {
    thread.kind = StopKind::signal;
    return on_signal_stop(thread, signal->signal);
  }
  thread.kind = StopKind::event;
  if (const auto* stop = std::get_if<os::EventStop>(&event->what)) return on_event(thread, stop->event);
  go_if_wanted(thread);  // a syscall stop that nobody asked for
}

void Inferior::Impl::first_stop(Thread& thread) {
  thread.fresh = false;
  observer_->thread_started(thread.tid);
}

void Inferior::Impl::on_event(Thread& thread, os::TraceEvent event) {
  switch (event) {
    case os::TraceEvent::clone:
    case os::TraceEvent::fork:
    case os::TraceEvent::vfork: {
      const auto message = os::event_message(tracer_, thread.tid);
      if (!message) return vanish(thread);
      const Tid made{static_cast<pid_t>(*message)};
      if (is_thread_of(pid_, made)) {
        if (find(made) == nullptr) add_thread(made);
        pins_.inherit(thread.tid, made);
      } else if (!threads_.contains(made)) {
        const bool vfork = event == os::TraceEvent::vfork;
        if (calling_ && calling_->tid == thread.tid) calling_->report.children.push_back(Pid{made.value});
        thread.in_vfork = vfork;
        adopt_child(thread.tid, Pid{made.value}, vfork);
        // A vfork parent has nothing to show until its child is off: it goes on to sleep in the kernel even in an
        // all-stop, since its child may need it to be reaped.
        if (vfork) {
          thread.standing = Standing::running;
          if (!os::resume(tracer_, thread.tid, 0)) vanish(thread);
          return;
        }
      }
      return go_if_wanted(thread);
    }
    case os::TraceEvent::vfork_done: thread.in_vfork = false; return go_if_wanted(thread);
    case os::TraceEvent::exec: return on_exec(thread);
    case os::TraceEvent::exit: return on_thread_exit(thread);
  }
}

// After the exec of any thread, the process goes on under the leader's tid alone. The others are gone without another
// word, or with an exit status that finds no entry any more. The message is the tid that the thread had.
void Inferior::Impl::on_exec(Thread& thread) {
  const auto former = os::event_message(tracer_, thread.tid);
  if (former && static_cast<pid_t>(*former) != thread.tid.value)
    pins_.renamed(Tid{static_cast<pid_t>(*former)}, thread.tid);
  std::vector<Tid> ended;
  for (const auto& [tid, other] : threads_)
    if (tid != thread.tid) ended.push_back(tid);
  for (const auto tid : ended) {
    gone(tid);
    pins_.forget(tid);
    threads_.erase(tid);
  }
  announced_gone_.clear();
  Thread now;
  now.tid = thread.tid;
  now.standing = Standing::stopped;
  now.kind = StopKind::event;
  now.fresh = false;
  thread = std::move(now);
  only_.reset();
  untraced_leader_ = false;

  // The patched text went with the old address space, unless a vfork child of another thread still lives in it: our
  // descriptor of its memory is still the old one's.
  if (!guests_.empty()) {
    const auto guests = stop_guests();
    restore_sites();
    free_guests(guests);
  }
  stepper_.forget();
  sites_.clear();
  crossings_.clear();
  slots_.clear();
  shield_.gone();
  shield_tried_ = false;
  by_hand_ = 0;
  way_back_.reset();
  quiet_return_.reset();
  leave_.reset();
  way_back_looked_for_ = false;
  slots_refused_ = false;
  syscall_instruction_.reset();
  journal_->did_exec();
  if (auto opened = memory_.reopen(); !opened) log::warn("run", "after exec: {}", opened.error().message);
  const auto program = os::executable_of(pid_);
  exec_unreported_ = true;
  observer_->executed(program ? *program : std::string());
  memory_.kept().clear();
  if (calling_) return end_of_call(CallEnd::executed);
  if (!held_back()) report_exec_stop();
}

// PTRACE_EVENT_EXIT: still there, but it runs no code of the program any more. It is let go in every state: others may
// wait for its end (join, exec).
void Inferior::Impl::on_thread_exit(Thread& thread) {
  thread.exiting = true;
  const auto tid = thread.tid;
  const bool stepped = stepper_.active() && stepper_.thread() == tid;
  // A step (or the only thread that was let go) has no end any more: somebody else has to be shown, who stands where
  // this thread's end was not yet to be seen (a join). In an exit_group the others are dying too, and the exit is the
  // news.
  if (calling_ && calling_->tid == tid) end_of_call(CallEnd::thread_gone);
  const bool ends_the_run = !held_back() && !calling_ && (stepped || only_ == tid) && living() > 0;
  if (ends_the_run && !stop_all()) return;
  thread.standing = Standing::running;
  if (!os::resume(tracer_, tid, 0)) vanish(thread);
  if (tid.value != pid_.value || living() > 0) gone(tid);
  if (!ends_the_run) return;
  const auto next =
      std::ranges::find_if(threads_, [](const auto& t) { return t.second.stopped() && !t.second.exiting; });
  if (next != threads_.end())
    stop_for_user({.cause = StopCause::interrupted, .thread = next->first, .pc = {}, .owners = {}});
  else if (stepper_.active())
    stepper_.end();
}

void Inferior::Impl::gone(Tid tid) {
  if (announced_gone_.insert(tid).second) {
    const auto* thread = find(tid);
    if (thread == nullptr || !thread->fresh) observer_->thread_exited(tid);
  }
}

std::size_t Inferior::Impl::living() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      threads_, [](const auto& t) { return !t.second.exiting && t.second.standing != Standing::vanishing; }));
}

}  // namespace trapline::run
