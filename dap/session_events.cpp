// What the debuggee does, told to this client.
#include <variant>

#include "dap/session.hpp"
#include "dap/shapes/values.hpp"

namespace trapline::dap {

namespace spec = proto::dap;

void Session::on_event(const proto::Event& event) {
  if (ended_ || !initialized_ || !starter_.following()) return;
  std::visit([this](const auto& one) { on(one); }, event);
}

void Session::on(const proto::ProcessEvent& event) {
  terminated_ = false;  // a restart
  send_event(shape_process(event.process));
}

void Session::on(const proto::StoppedEvent& event) {
  handles_.drop();
  own_resumes_ = 0;
  auto body = shape_stop(event);
  if (event.stop.reason == proto::StopReason::breakpoint)
    body.reason = breakpoints_.stop_reason(event.stop.breakpoints);
  send_event(body);
}

// The specification asks not to tell a client what follows from its own request.
void Session::on(const proto::ContinuedEvent& event) {
  handles_.drop();
  if (own_resumes_ > 0) {
    --own_resumes_;
    return;
  }
  send_event(spec::ContinuedBody{event.thread.value, event.all_threads});
}

void Session::on(const proto::ExitedEvent& event) {
  // The end of the old process is part of a restart, whenever its news gets here.
  const auto state = control_.state();
  const bool gone = state == proto::RunState::exited || state == proto::RunState::none;
  if (starter_.restarting() || !gone) return;
  handles_.drop();
  for (auto* stream : {&out_, &err_})
    if (auto rest = stream->rest(); !rest.empty())
      send_event(spec::OutputBody{.category = stream == &out_ ? "stdout" : "stderr", .output = std::move(rest)});
  if (const auto note = death_note(event.status)) {
    const auto process = control_.process();
    say(proto::OutputCategory::console, (process ? process->name : std::string("the program")) + " was " + *note);
  }
  send_event(shape_exit(event.status));
  send_terminated();
  for (auto& work : std::exchange(when_gone_, {})) work();
}

void Session::on(const proto::DetachedEvent&) {
  handles_.drop();
  send_terminated();
  for (auto& work : std::exchange(when_gone_, {})) work();
}

void Session::send_terminated() {
  if (!std::exchange(terminated_, true)) send_event(spec::TerminatedBody{});
}

void Session::on(const proto::ThreadEvent& event) {
  send_event(spec::ThreadBody{event.started ? "started" : "exited", event.thread.value});
}

void Session::on(const proto::ModuleEvent& event) {
  send_event(spec::ModuleBody{std::string(shape_change(event.change)), shape_module(event.module)});
}

// Only this client's breakpoints: a `new` one would be taken into the editor's own list and be set a second time.
void Session::on(const proto::BreakpointEvent& event) {
  const bool removed = event.change == proto::Change::removed;
  auto shape = removed ? breakpoints_.removed(event.breakpoint.id) : breakpoints_.changed(event.breakpoint);
  if (shape) send_event(spec::BreakpointBody{removed ? "removed" : "changed", std::move(*shape)});
}

void Session::on(const proto::OutputEvent& event) {
  std::string text = event.text;
  if (event.category == proto::OutputCategory::out) text = out_.join(event.text);
  if (event.category == proto::OutputCategory::err) text = err_.join(event.text);
  if (text.empty()) return;
  spec::OutputBody body{.category = std::string(shape_category(event.category)), .output = std::move(text)};
  if (!event.file.empty()) {
    body.source = sources_.shape(event.file, coordinates_);
    body.line = coordinates_.line(event.line);
  }
  send_event(body);
}

void Session::on(const proto::InvalidatedEvent& event) {
  if (!client().supports_invalidated_event) return;
  send_event(spec::InvalidatedBody{.areas = {event.threads ? "all" : "variables"}});
}

void Session::on(const proto::ProgressEvent& event) {
  if (!client_.supports_progress_reporting) return;
  switch (event.phase) {
    case proto::ProgressPhase::begin:
      send_event(spec::ProgressStartBody{.progress_id = event.id,
                                         .title = event.title,
                                         .message = event.message,
                                         .percentage = event.percentage,
                                         .cancellable = event.cancellable});
      break;
    case proto::ProgressPhase::update:
      send_event(
          spec::ProgressUpdateBody{.progress_id = event.id, .message = event.message, .percentage = event.percentage});
      break;
    case proto::ProgressPhase::end:
      send_event(spec::ProgressEndBody{.progress_id = event.id, .message = event.message});
      break;
  }
}

}  // namespace trapline::dap
