#include "dap/starter.hpp"

#include <fmt/format.h>

#include <utility>

#include "dap/session.hpp"

namespace trapline::dap {
namespace {

using proto::RunState;

// Nobody waits for this debuggee any more. Errors change nothing: it is gone, then.
void let_go(proto::Control& control, StartKind kind) {
  if (kind == StartKind::launch)
    static_cast<void>(control.kill());
  else
    static_cast<void>(control.detach());
}

// The Control may answer after the session has died; what it started for nobody must not stay.
template <class F>
Reply<proto::ProcessInfo> reply_for(Session& session, StartKind kind, F then) {
  return [alive = session.alive(), control = &session.control(), kind,
          then = std::move(then)](Result<proto::ProcessInfo> process) {
    if (!alive.expired())
      then(process);
    else if (process)
      let_go(*control, kind);
  };
}

}  // namespace

void Starter::start(StartRequest request, Answer answer) {
  if (stage_ == Stage::cancelled)
    return answer(fail(Errc::wrong_state, "the cancelled start is not over yet; try again"));
  if (stage_ != Stage::idle) return answer(fail(Errc::wrong_state, "this session has its program already"));
  const bool join = !request.session.empty();
  const auto state = session_.control().state();
  if (!join && state != RunState::none && state != RunState::exited)
    return answer(fail_hint(Errc::wrong_state, "this session has a program already",
                            "set \"session\" to join it, or open another connection"));
  if (join && state == RunState::none)
    return answer(fail(Errc::not_found, fmt::format("there is no session '{}' to join", request.session)));
  request_ = std::move(request);
  answer_ = std::move(answer);
  joined_ = join;
  for (const auto& notice : request_.notices) session_.say(notice.category, notice.text);
  stage_ = join ? Stage::ready : Stage::starting;
  if (join)
    settle();
  else
    begin();
}

void Starter::begin() {
  auto reply = reply_for(session_, request_.kind, [this](const auto& process) { started(process); });
  if (request_.kind == StartKind::launch) {
    offer_terminal(request_.launch);
    session_.control().launch(request_.launch, std::move(reply));
  } else {
    session_.control().attach(request_.attach, std::move(reply));
  }
}

// The client's terminal unless the user said otherwise; a pty of ours where the client has none.
void Starter::offer_terminal(proto::LaunchSpec& spec) {
  const bool has_terminal = session_.client().supports_run_in_terminal_request;
  if (request_.console && *request_.console != proto::Console::internal && !has_terminal)
    session_.say(proto::OutputCategory::console,
                 "this editor cannot open a terminal (runInTerminal); the program's output comes here");
  spec.console = !has_terminal ? proto::Console::internal : request_.console.value_or(proto::Console::integrated);
  if (spec.console == proto::Console::internal) return;
  spec.open_terminal = [this, alive = session_.alive()](const proto::TerminalRequest& terminal, Reply<void> reply) {
    if (alive.expired()) return reply(fail(Errc::connection, "the editor that had the terminal is gone"));
    open_terminal(terminal, std::move(reply));
  };
}

void Starter::open_terminal(const proto::TerminalRequest& terminal, Reply<void> reply) {
  proto::dap::RunInTerminalArguments arguments{
      .kind = terminal.kind == proto::Console::external ? "external" : "integrated",
      .title = terminal.title,
      .cwd = terminal.cwd,
      .args = terminal.args,
      .env = {terminal.env.begin(), terminal.env.end()}};
  session_.ask("runInTerminal", nlohmann::json(arguments), [reply](const Result<nlohmann::json>& body) {
    if (body) return reply({});
    reply(fail(body.error().code, fmt::format("the editor opened no terminal: {}", body.error().message)));
  });
}

void Starter::started(const Result<proto::ProcessInfo>& process) {
  if (stage_ == Stage::cancelled) {
    stage_ = Stage::idle;
    if (process) let_go(session_.control(), request_.kind);
    return;
  }
  if (!process) {
    stage_ = Stage::idle;
    return finish(std::unexpected(process.error()));
  }
  stage_ = Stage::ready;
  settle();
}

Result<void> Starter::configuration_done() {
  if (configured_) return fail(Errc::wrong_state, "configurationDone was sent already");
  configured_ = true;
  session_.after_reply([this] { settle(); });
  return {};
}

void Starter::settle() {
  if (stage_ != Stage::ready || !configured_) return;
  stage_ = Stage::live;
  if (joined_) {
    finish(proto::dap::NoBody{});
    return tell_where_it_stands();
  }
  auto running = session_.control().start();
  if (running) {
    finish(proto::dap::NoBody{});
    return tell_what_cannot_be();
  }
  stage_ = Stage::idle;
  let_go(session_.control(), request_.kind);
  finish(std::unexpected(std::move(running).error()));
}

// Without `restart` an editor restarts an attached session by disconnecting and attaching again, which is right.
void Starter::tell_what_cannot_be() {
  const auto process = session_.control().process();
  if (process && process->start_method == proto::StartMethod::attach)
    session_.send_event(proto::dap::CapabilitiesBody{.withdrawn = {proto::dap::Restart::capabilities[0]}});
}

// A client that joins has missed the events that led here.
void Starter::tell_where_it_stands() {
  auto& control = session_.control();
  tell_what_cannot_be();
  if (const auto process = control.process()) session_.send_event(shape_process(*process));
  if (const auto stop = control.current_stop(); stop && control.state() == RunState::stopped)
    session_.send_event(shape_stop({*stop, true}));
  if (control.state() == RunState::exited) {
    if (const auto status = control.exit_status()) session_.send_event(shape_exit(*status));
    session_.send_event(proto::dap::TerminatedBody{});
  }
}

void Starter::restart(std::optional<StartRequest> changed, Answer answer) {
  if (stage_ != Stage::live) return answer(fail(Errc::no_debuggee, "restart: nothing was started yet"));
  const auto process = session_.control().process();
  if (process && process->start_method == proto::StartMethod::attach)
    return answer(fail_hint(Errc::wrong_state, "restart: only a program that was launched here can be restarted",
                            "disconnect and launch it"));
  if (restarting_) return answer(fail(Errc::wrong_state, "restart: a restart is under way"));
  std::optional<proto::LaunchSpec> spec;
  if (changed) {
    for (const auto& notice : changed->notices) session_.say(notice.category, notice.text);
    request_ = std::move(*changed);
    offer_terminal(request_.launch);
    spec = request_.launch;
  }
  restarting_ = true;
  session_.handles().drop();
  auto reply = [this, answer = std::move(answer)](const Result<proto::ProcessInfo>& now) {
    restarting_ = false;
    if (!now) return answer(std::unexpected(now.error()));
    if (session_.control().state() == RunState::held)
      if (auto running = session_.control().start(); !running)
        return answer(std::unexpected(std::move(running).error()));
    answer(proto::dap::NoBody{});
  };
  session_.control().restart(std::move(spec), reply_for(session_, StartKind::launch, std::move(reply)));
}

void Starter::cancel() {
  if (!waiting()) return;
  const bool held = stage_ == Stage::ready;
  answer_ = nullptr;
  if (joined_) {
    stage_ = Stage::idle;
    return;
  }
  // Held: the debuggee is ours to let go. Starting: the Control is told to give up and answers its launch or attach
  // with an error, or with a debuggee that started() lets go.
  stage_ = held ? Stage::idle : Stage::cancelled;
  session_.fail_asked(Error{.code = Errc::cancelled, .message = "cancelled", .os_errno = 0, .hint = {}});
  if (held || stage_ == Stage::cancelled) let_go(session_.control(), request_.kind);
}

void Starter::finish(Result<proto::dap::NoBody> outcome) {
  if (auto answer = std::exchange(answer_, nullptr)) answer(std::move(outcome));
}

}  // namespace trapline::dap
