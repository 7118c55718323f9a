// What the debuggee does, as the session sees it: sites reached, signals, stops, threads, exec, exit; and the events
// that follow.
#include <fmt/format.h>

#include <asio/post.hpp>
#include <csignal>
#include <utility>

#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

constexpr std::uint32_t loader_id = 1;
constexpr std::uint32_t main_id = 2;

proto::StopReason reason_of(run::StopCause cause) {
  switch (cause) {
    case run::StopCause::entry: return proto::StopReason::entry;
    case run::StopCause::site: return proto::StopReason::breakpoint;
    case run::StopCause::step_done: return proto::StopReason::step;
    case run::StopCause::interrupted: return proto::StopReason::pause;
    case run::StopCause::signal: return proto::StopReason::signal;
    case run::StopCause::exec: return proto::StopReason::exec;
    case run::StopCause::attach: return proto::StopReason::attach;
  }
  return proto::StopReason::pause;
}

}  // namespace

proto::Subscription Session::subscribe(proto::Listener listener) {
  const auto id = next_listener_++;
  listeners_[id] = std::move(listener);
  return proto::Subscription([this, id, alive = alive_] {
    if (*alive) listeners_.erase(id);
  });
}

// Queued, so that a listener never runs inside the verb (or the ptrace callback) that caused the event.
void Session::emit(proto::Event event) {
  queue_.push_back(std::move(event));
  if (std::exchange(delivery_posted_, true)) return;
  asio::post(environment_.loop, [this, alive = alive_] {
    if (*alive) deliver_events();
  });
}

void Session::deliver_events() {
  delivery_posted_ = false;
  const auto alive = alive_;
  while (*alive && !queue_.empty()) {
    const auto event = std::move(queue_.front());
    queue_.pop_front();
    // A listener may subscribe, unsubscribe, or end the session: walk a copy of the ids.
    std::vector<std::uint64_t> ids;
    for (const auto& [id, listener] : listeners_) ids.push_back(id);
    for (const auto id : ids) {
      if (!*alive) return;
      if (const auto found = listeners_.find(id); found != listeners_.end()) {
        const auto listener = found->second;
        listener(event);
      }
    }
  }
}

void Session::console(std::string text, proto::OutputCategory category) {
  emit(proto::OutputEvent{.category = category, .text = std::move(text), .file = {}, .line = {}});
}

void Session::watch_children() {
  children_.async_wait([this, alive = alive_](std::error_code problem, int) {
    if (problem || !*alive) return;
    watch_children();
    pump();
    fetcher_.reap();
    for (const auto& one : source_fetchers_) one->reap();
  });
}

void Session::pump() {
  if (inferior_) inferior_->pump();
}

// ---- run::Observer
// ---------------------------------------------------------------------------------------------------

run::SiteVerdict Session::at_site(Tid thread, LoadAddr pc, std::span<const trap::Owner> owners) {
  run::SiteVerdict verdict;
  bool loader = false;
  for (const auto& owner : owners) {
    if (owner.kind == trap::OwnerKind::internal && owner.id == loader_id) {
      loader = true;
    } else if (owner.kind == trap::OwnerKind::internal && owner.id == main_id) {
      verdict.stop_for.push_back(owner);
    } else if (owner.kind == trap::OwnerKind::breakpoint) {
      auto* breakpoint = breakpoints_.find(BreakpointId{static_cast<std::int32_t>(owner.id)});
      if (breakpoint != nullptr && breakpoint_says_stop(*breakpoint, thread, pc)) verdict.stop_for.push_back(owner);
    }
  }
  if (loader) {
    if (const auto changes = modules_->refresh(inferior_->pid(), inferior_->memory()))
      modules_changed(*changes);
    else
      log::debug("session", "link map: {}", changes.error().message);
  }
  return verdict;
}

run::SignalVerdict Session::on_signal(Tid thread, const siginfo_t& info) {
  // Once: a program that handles it and gets another of somebody else stops as ever.
  if (info.si_signo == graceful_signal_) {
    graceful_signal_ = 0;
    return {.stop = false, .pass = true};
  }
  const auto policy = signals_.of(info.si_signo);
  bool pass = policy.pass;
  // A trap instruction of the program's own with nobody to handle it is a breakpoint written in the source: `continue`
  // continues.
  if (info.si_signo == SIGTRAP && info.si_code > 0 && !inferior_->program_handles(thread, SIGTRAP)) pass = false;
  if (policy.print && !policy.stop)
    console(
        fmt::format("Thread {} received {} ({}).\n", thread.value, signal_name(info.si_signo), signal_meaning(info)));
  return {.stop = policy.stop, .pass = pass};
}

void Session::stopped(const run::StopReport& report) {
  if (report.cause == run::StopCause::exec) {
    // Nobody asked for this stop; sites of the new program are in already (executed()). A verb is not allowed in here.
    asio::post(environment_.loop, [this, alive = alive_] {
      if (!*alive || !inferior_ || state_ != proto::RunState::running) return;
      if (const auto resumed = inferior_->resume_all(); !resumed)
        log::warn("session", "resume after exec: {}", resumed.error().message);
    });
    return;
  }
  state_ = proto::RunState::stopped;
  views_->drop();
  visualizers_.refresh();
  tell_complaints();
  watch_visualizers();
  if (report.inline_depth > 0) views_->hide_innermost(report.thread, report.inline_depth);
  stop_ = describe_stop(report);
  if (report.cause == run::StopCause::step_done || report.cause == run::StopCause::site) take_return(*stop_);
  leaving_.reset();
  std::vector<run::Inferior::SiteEdit> edits;
  for (const auto& owner : report.owners) {
    if (owner.kind == trap::OwnerKind::internal && owner.id == main_id && main_site_) {
      edits.push_back({.at = *std::exchange(main_site_, std::nullopt), .owner = owner, .add = false});
      if (stop_->breakpoints.empty()) {
        stop_->reason = proto::StopReason::entry;
        stop_->description = "Paused on entry to main";
      }
    }
    if (owner.kind != trap::OwnerKind::breakpoint) continue;
    const BreakpointId id{static_cast<std::int32_t>(owner.id)};
    const auto* breakpoint = breakpoints_.find(id);
    if (breakpoint == nullptr || !breakpoint->info.spec.temporary) continue;
    emit(proto::BreakpointEvent{.change = proto::Change::removed, .breakpoint = breakpoint->info});
    std::ranges::move(breakpoints_.drop(id), std::back_inserter(edits));
  }
  if (!edits.empty()) place(std::move(edits));
  emit(proto::StoppedEvent{.stop = *stop_, .all_threads = true});
}

proto::Stop Session::describe_stop(const run::StopReport& report) {
  proto::Stop stop;
  stop.reason = reason_of(report.cause);
  stop.thread = report.thread;
  stop.pc = report.pc;
  for (const auto& owner : report.owners)
    if (owner.kind == trap::OwnerKind::breakpoint)
      stop.breakpoints.push_back(BreakpointId{static_cast<std::int32_t>(owner.id)});
  switch (stop.reason) {
    case proto::StopReason::breakpoint: stop.description = "Paused on breakpoint"; break;
    case proto::StopReason::step: stop.description = "Paused after step"; break;
    case proto::StopReason::pause: stop.description = "Paused"; break;
    case proto::StopReason::exec: stop.description = "Paused after exec"; break;
    case proto::StopReason::entry: stop.description = "Paused on entry"; break;
    case proto::StopReason::attach: stop.description = "Paused on attach"; break;
    case proto::StopReason::signal:
      stop.signal = report.signal.si_signo;
      stop.description = fmt::format("Paused on {}", signal_name(stop.signal));
      stop.text = signal_meaning(report.signal);
      break;
    case proto::StopReason::error: stop.description = "Paused on an error"; break;
  }
  fill_place(stop);
  return stop;
}

void Session::fill_place(proto::Stop& stop) {
  const auto frame = views_->frame({.thread = stop.thread, .level = 0});
  if (!frame) return;
  stop.pc = (*frame)->pc;
  stop.function = (*frame)->function;
  stop.line = (*frame)->line;
  stop.file = sources_.to_local((*frame)->file);
}

void Session::thread_started(Tid thread) { emit(proto::ThreadEvent{.thread = thread, .started = true}); }
void Session::thread_exited(Tid thread) { emit(proto::ThreadEvent{.thread = thread, .started = false}); }

void Session::executed(const std::string& program) {
  if (!inferior_) return;  // the execs of a launch
  log::info("session", "process {} now runs {}", process_ ? process_->pid.value : 0, program);
  if (views_) views_->drop();
  for (const auto* module : modules_->all())
    emit(proto::ModuleEvent{.change = proto::Change::removed, .module = describe(*module)});
  modules_->clear();
  loader_site_.reset();
  main_site_.reset();
  breakpoints_.unbind_all();
  if (process_) {
    process_->name = program;
    emit(proto::ProcessEvent{*process_});
  }
  load_modules();
}

void Session::forked(Pid child) { log::debug("session", "forked {}: not followed, free of our patches", child.value); }

void Session::exited(int code, int signal, bool core_dumped) {
  state_ = proto::RunState::exited;
  stop_.reset();
  exit_ = proto::ExitStatus{.code = code, .signal = signal, .core_dumped = core_dumped};
  if (views_) views_->drop();
  asio::post(environment_.loop, [this, alive = alive_, status = *exit_] {
    if (!*alive) return;
    end_debuggee();
    if (auto next = std::exchange(after_exit_, nullptr)) return next();
    emit(proto::ExitedEvent{status});
  });
}

void Session::warned(const std::string& text) {
  console(text.ends_with('\n') ? text : text + "\n", proto::OutputCategory::important);
}

}  // namespace trapline::session
