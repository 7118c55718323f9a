// Functions of the debuggee that an expression calls: when it may, what becomes of what was known of the stop, and what
// to say when a call did not come back.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <asio/post.hpp>
#include <utility>

#include "daemon/eval/exceptions.hpp"
#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

constexpr std::string_view unchanged = "the thread stands as before the call; what the function changed stays changed";

}  // namespace

bool Session::calls_allowed(proto::EvaluateContext context) const {
  using enum proto::EvaluateContext;
  switch (evaluation_.allow_calls) {
    case proto::CallsAllowed::never: return false;
    case proto::CallsAllowed::explicitly: return context == repl || context == watch;
    case proto::CallsAllowed::always: return context != hover;
  }
  return false;
}

void Session::allow_calls(eval::FrameView& view, FramePlace place, proto::EvaluateContext context) {
  if (!calls_allowed(context)) {
    view.no_call = evaluation_.allow_calls == proto::CallsAllowed::never
                       ? "the launch argument evaluation.allowCalls is \"never\""
                       : "evaluate it in the console or as a watch";
    return;
  }
  // A watch is evaluated at every stop: it moves no thread but its own.
  const bool alone = context != proto::EvaluateContext::repl;
  view.call = [this, thread = place.thread, alone](const arch::CallFrame& frame) { return call(thread, frame, alone); };
}

Result<arch::CallReturn> Session::call(Tid thread, const arch::CallFrame& frame, bool alone) {
  run::CallOrder order{.thread = thread,
                       .frame = frame,
                       .timeout = evaluation_.timeout,
                       .only_this_thread = alone,
                       .terminate = {},
                       .throwing = {}};
  std::optional<eval::Thrown> thrown;
  order.gives_up = [&](std::span<const run::CallOrder::Throw> throws) { thrown = uncaught_in_call(thread, throws); };
  for (const char* name : {"_ZSt9terminatev", "_ZN9__gnu_cxx27__verbose_terminate_handlerEv"})
    if (const auto at = modules_->symbol_address(name)) order.terminate.push_back(*at);
  if (const auto at = modules_->symbol_address("__cxa_throw")) order.throwing.push_back(*at);
  pin_modules();
  const auto unloaded_before = unloaded();
  TL_TRY(auto report, inferior_->call(order));
  called_ = true;
  lost_module_ = lost_module_ || unloaded() != unloaded_before;
  others_ran_ = others_ran_ || report.others_ran;
  std::vector<std::string> notes;
  if (report.passed > 0)
    notes.push_back(fmt::format("{} breakpoint hit{} inside the call {} passed by", report.passed,
                                report.passed == 1 ? "" : "s", report.passed == 1 ? "was" : "were"));
  if (report.others_ran) notes.push_back("it did not return while its thread ran alone, so all threads ran for it");
  for (const int signal : report.signals_kept)
    notes.push_back(fmt::format("{} came for the program, which gets it when it goes on", signal_name(signal)));
  for (const auto child : report.children) notes.push_back(fmt::format("it made process {}", child.value));
  if (!notes.empty()) console(fmt::format("The called function: {}.\n", fmt::join(notes, "; ")));
  if (report.end == run::CallEnd::returned) return std::move(report.answer);
  auto error = call_error(report, thread, thrown);
  if (report.end == run::CallEnd::executed) run_on_after_exec();
  if (report.end == run::CallEnd::thread_gone) show_another_thread();
  return std::unexpected(std::move(error));
}

std::string Session::code_place(LoadAddr pc) const {
  const auto place = modules_->place(pc);
  if (!place) return fmt::format("at {:#x}", pc.value);
  std::string text = place->function.empty() ? fmt::format("at {:#x}", pc.value) : "in " + place->function;
  if (place->has_line_info) text += fmt::format(" ({}:{})", sources_.to_local(place->file), place->line.value);
  return text;
}

// The thread stands in std::terminate: its stack tells whether that is for an exception, and for which.
std::optional<eval::Thrown> Session::uncaught_in_call(Tid thread, std::span<const run::CallOrder::Throw> throws) {
  const auto registers = inferior_->registers(thread, true);
  if (!registers) return std::nullopt;
  std::vector<eval::SeenThrow> seen;
  for (const auto& each : throws) seen.push_back({each.stack_pointer, each.object, each.type_info});
  stack::Stack frames(*registers, inferior_->memory(), *modules_);
  return eval::uncaught(frames, inferior_->memory(), *modules_, seen);
}

Error Session::call_error(const run::CallReport& report, Tid thread, const std::optional<eval::Thrown>& thrown) {
  const auto failed = [](Errc code, std::string text, std::string hint = std::string(unchanged)) {
    return Error{.code = code, .message = std::move(text), .os_errno = 0, .hint = std::move(hint)};
  };
  switch (report.end) {
    case run::CallEnd::signal:
      return failed(Errc::bad_expression,
                    fmt::format("the called function got {} {}: {}", signal_name(report.signal.si_signo),
                                code_place(report.pc), signal_meaning(report.signal)));
    case run::CallEnd::terminated:
      return failed(Errc::bad_expression, thrown ? fmt::format("the called function threw {}", thrown->text())
                                                 : "the called function ended in std::terminate");
    case run::CallEnd::timeout: {
      std::string text = fmt::format("the called function did not return within {} ms: it was {}",
                                     evaluation_.timeout.count(), code_place(report.pc));
      if (report.jumped_out)
        return failed(Errc::timeout, text + ", having left the call by a longjmp",
                      "code of the program's own ran in its frames: their variables may be damaged");
      return failed(Errc::timeout, text, fmt::format("evaluation.timeoutMs sets the limit; {}", unchanged));
    }
    case run::CallEnd::group_stop:
      return failed(Errc::wrong_state, "the program was stopped by a stop signal during the call");
    case run::CallEnd::thread_gone:
      return failed(Errc::thread_gone, fmt::format("thread {} ended in the called function", thread.value), "");
    case run::CallEnd::exited: return failed(Errc::process_gone, "the called function ended the program", "");
    case run::CallEnd::executed:
      return failed(Errc::wrong_state, "the called function made the program another one (exec); it runs on", "");
    case run::CallEnd::lost:
      return failed(Errc::os,
                    fmt::format("thread {} could not be brought back from the call: {}", thread.value, report.problem),
                    "it goes on inside the called function");
    case run::CallEnd::returned: break;
  }
  return failed(Errc::internal, "a call that returned is no error");
}

// As after any other exec: nobody asked for a stop. Before start() it waits for that, as the program before it did.
void Session::run_on_after_exec() {
  if (state_ == proto::RunState::held) return hold_at(stop_->reason, Tid{process_->pid.value});
  went_on(std::nullopt);
  if (const auto resumed = inferior_->resume_all(); !resumed)
    log::warn("session", "resume after exec: {}", resumed.error().message);
}

// The stop's own thread is gone: another one is shown.
void Session::show_another_thread() {
  for (const auto tid : inferior_->threads()) {
    if (!inferior_->is_stopped(tid)) continue;
    if (state_ == proto::RunState::held) {
      views_->drop();
      return hold_at(stop_->reason, tid);
    }
    state_ = proto::RunState::running;
    stopped({.cause = run::StopCause::interrupted, .thread = tid, .pc = {}, .owners = {}});
    return;
  }
}

void Session::pin_modules() {
  for (const auto* module : modules_->all())
    if (std::ranges::find(pinned_, module->symbols) == pinned_.end()) pinned_.push_back(module->symbols);
}

std::size_t Session::unloaded() const {
  const auto all = modules_->all();
  return static_cast<std::size_t>(std::ranges::count_if(pinned_, [&](const auto& pinned) {
    return std::ranges::none_of(all, [&](const auto* module) { return module->symbols == pinned; });
  }));
}

// Memory is not what it was; where other threads ran, neither are they. A client that evaluates its watches again when
// it hears so is told of calls from the console only: it would never come to an end.
void Session::settle_calls(proto::EvaluateContext context) {
  if (!std::exchange(called_, false)) return;
  const bool others = std::exchange(others_ran_, false), lost = std::exchange(lost_module_, false);
  if (state_ != proto::RunState::stopped && state_ != proto::RunState::held) return;
  if (lost) returned_.reset();
  if (others || lost)
    views_->drop();
  else
    views_->forget_stacks();
  if (context == proto::EvaluateContext::repl || lost) emit(proto::InvalidatedEvent{.threads = others});
}

}  // namespace trapline::session
