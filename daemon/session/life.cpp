// From nothing to a debuggee, and back: launch, attach, start, restart, detach, kill.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "daemon/os/proc.hpp"
#include "daemon/session/launcher.hpp"
#include "daemon/session/session_impl.hpp"
#include "daemon/util/log.hpp"

namespace trapline::session {
namespace {

constexpr trap::Owner main_owner{trap::OwnerKind::internal, 2};
constexpr auto name_poll = std::chrono::milliseconds(20);
constexpr auto visualizer_look = std::chrono::milliseconds(300);  // a few stat(2) calls, while the program stands

std::string list_of(const std::vector<Pid>& pids) {
  std::string text;
  for (const auto pid : pids) text += fmt::format("{}{}", text.empty() ? "" : ", ", pid.value);
  return text;
}

}  // namespace

std::unique_ptr<proto::Control> make_session(Environment environment) {
  return std::make_unique<Session>(std::move(environment));
}

Session::Session(Environment environment)
    : environment_(std::move(environment)),
      children_(environment_.loop, SIGCHLD),
      retry_(environment_.loop),
      index_timer_(environment_.loop),
      eager_timer_(environment_.loop),
      visualizer_timer_(environment_.loop),
      indexer_([&loop = environment_.loop](std::function<void()> work) { asio::post(loop, std::move(work)); }),
      fetch_timer_(environment_.loop),
      fetcher_(environment_.loop, environment_.exec_helper) {
  watch_children();
}

Session::~Session() {
  *alive_ = false;
  if (const auto gate = gate_)  // a holder of its own: the answer drops gate_
    gate->cancel(Error{.code = Errc::cancelled, .message = "the session ended", .hint = {}});
  inferior_.reset();
}

Result<void> Session::require_idle() const {
  if (state_ == proto::RunState::none || state_ == proto::RunState::exited) return {};
  return fail_hint(Errc::wrong_state,
                   fmt::format("this session debugs process {} already", process_ ? process_->pid.value : 0),
                   "detach or end it first, or open another session");
}

Result<void> Session::require_debuggee() const {
  if (inferior_ && state_ != proto::RunState::exited && state_ != proto::RunState::none) return {};
  if (state_ == proto::RunState::exited) return fail(Errc::no_debuggee, "the program has ended");
  return fail_hint(Errc::no_debuggee, "no program is being debugged", "launch one, or attach to one");
}

Result<void> Session::require_stopped() const {
  TL_TRY_VOID(require_debuggee());
  if (state_ == proto::RunState::running)
    return fail_hint(Errc::not_stopped, "the program is running", "pause it first");
  return {};
}

void Session::apply_options(const proto::SourceOptions& options, const proto::EvaluationOptions& evaluation,
                            const std::map<std::string, proto::SignalPolicy>& signals) {
  options_ = options;
  evaluation_ = evaluation;
  sources_ = SourceMap(options);
  signals_ = SignalPolicies(signals);
  // Relative paths are the workspace's where there is one, else of the folder that the program was launched from.
  std::vector<std::string> files;
  std::filesystem::path base = options.relative_path_base;
  if (base.empty() && launched_) base = launched_->cwd;
  for (const std::string& file : options.visualizers) files.push_back((base / file).string());
  visualizers_.set_files(std::move(files));
  tell_complaints();
}

// What is wrong with the user's visualisers. A broken file stops nothing.
void Session::tell_complaints() {
  for (const std::string& each : visualizers_.take_complaints())
    console("Visualizers: " + each + "\n", proto::OutputCategory::important);
}

// Who writes a visualiser looks at the stop that he has: what a changed file shows differently is told.
void Session::watch_visualizers() {
  if (options_.visualizers.empty()) return;
  visualizer_timer_.expires_after(visualizer_look);
  visualizer_timer_.async_wait([this, alive = alive_](std::error_code problem) {
    if (problem || !*alive || state_ != proto::RunState::stopped) return;
    if (visualizers_.refresh()) {
      tell_complaints();
      emit(proto::InvalidatedEvent{.threads = false});
    }
    watch_visualizers();
  });
}

void Session::launch(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) {
  if (auto idle = require_idle(); !idle) return reply(std::unexpected(idle.error()));
  end_debuggee();
  launched_ = spec;
  const bool in_terminal = spec.console != proto::Console::internal && spec.open_terminal;
  if (in_terminal && !spec.user.empty())
    console("A program of another user cannot be started in the editor's terminal: its output comes here.\n",
            proto::OutputCategory::important);
  if (in_terminal && spec.user.empty())
    launch_in_terminal(std::move(spec), std::move(reply));
  else
    launch_here(std::move(spec), std::move(reply));
}

void Session::launch_here(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) {
  auto resolved = resolve_launch(spec);
  if (!resolved) return reply(std::unexpected(resolved.error()));
  os::SpawnPlan plan{.argv = resolved->argv,
                     .cwd = resolved->cwd,
                     .env = resolved->env,
                     .stdin_path = spec.stdio.in,
                     .stdout_path = spec.stdio.out,
                     .stderr_path = spec.stdio.err,
                     .pty_slave = std::nullopt,
                     .stderr_pipe = {},
                     .disable_aslr = spec.disable_aslr,
                     .user = spec.user};
  auto pty = os::open_pty();
  if (!pty) return reply(std::unexpected(pty.error()));
  plan.pty_slave = pty->slave_path;
  util::Fd error_reader;
  if (spec.stdio.err.empty()) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return reply(fail(Errc::os, "pipe for the program's stderr", errno));
    error_reader = util::Fd(ends[0]);
    plan.stderr_pipe = util::Fd(ends[1]);
  }
  apply_options(spec.sources, spec.evaluation, spec.signals);
  modules_ = std::make_unique<image::Modules>(search_options(spec.sources));
  auto inferior = run::Inferior::launch(
      environment_.tracer.token(), {.plan = std::move(plan), .program = resolved->program, .timeout = spec.timeout},
      *modules_, environment_.journal_dir, *this);
  if (!inferior) return reply(std::unexpected(inferior.error()));
  const auto sink = [this](proto::OutputCategory category, std::string text) { console(std::move(text), category); };
  readers_.push_back(std::make_shared<OutputReader>(environment_.loop, std::move(pty->master),
                                                    proto::OutputCategory::out, environment_.output_held, sink));
  if (error_reader)
    readers_.push_back(std::make_shared<OutputReader>(environment_.loop, std::move(error_reader),
                                                      proto::OutputCategory::err, environment_.output_held, sink));
  for (const auto& reader : readers_) reader->start();
  const auto pid = (*inferior)->pid();
  no_debug_ = spec.no_debug;
  begin_debuggee(*std::move(inferior),
                 {.name = resolved->program, .pid = pid, .start_method = proto::StartMethod::launch});
  hold_at(proto::StopReason::entry, Tid{pid.value});
  stop_on_start_ = spec.stop_at == proto::StopAt::entry;
  if (spec.stop_at == proto::StopAt::main) stop_at_main();
  reply(*process_);
}

// What a terminal is asked to run: our helper, which becomes the program once it is traced.
Result<proto::TerminalRequest> Session::terminal_request(const proto::LaunchSpec& spec,
                                                         const ResolvedLaunch& resolved) {
  TL_TRY(const auto changes, environment_changes(spec));
  proto::TerminalRequest request{.kind = spec.console,
                                 .title = std::filesystem::path(resolved.program).filename().string(),
                                 .cwd = resolved.cwd.empty() ? std::filesystem::current_path().string() : resolved.cwd,
                                 .args = {environment_.exec_helper, "--wait-for-tracer", gate_->path().string()},
                                 .env = {}};
  if (spec.disable_aslr) request.args.emplace_back("--no-aslr");
  for (const auto& [option, file] :
       {std::pair("--stdin", &spec.stdio.in), {"--stdout", &spec.stdio.out}, {"--stderr", &spec.stdio.err}})
    if (!file->empty()) request.args.insert(request.args.end(), {option, *file});
  request.args.emplace_back("--");
  // A terminal can only add to the environment that it has.
  if (spec.inherit_env) {
    for (const auto& [name, value] : changes) request.env[name] = value;
  } else {
    request.args.insert(request.args.end(), {"/usr/bin/env", "-i"});
    request.args.insert(request.args.end(), resolved.env.begin(), resolved.env.end());
  }
  request.args.insert(request.args.end(), resolved.argv.begin(), resolved.argv.end());
  return request;
}

void Session::launch_in_terminal(proto::LaunchSpec spec, Reply<proto::ProcessInfo> reply) {
  auto resolved = resolve_launch(spec);
  if (!resolved) return reply(std::unexpected(resolved.error()));
  auto gate = TerminalGate::open(environment_.loop, environment_.journal_dir);
  if (!gate) return reply(std::unexpected(gate.error()));
  gate_ = *gate;
  auto request = terminal_request(spec, *resolved);
  if (!request) return reply(std::unexpected(request.error()));
  apply_options(spec.sources, spec.evaluation, spec.signals);
  no_debug_ = spec.no_debug;
  give_up_ = [gate = std::weak_ptr(gate_)](const Error& why) {
    if (const auto waiting = gate.lock()) waiting->cancel(why);
  };
  const auto open_terminal = spec.open_terminal;
  gate_->wait(spec.timeout, [this, spec = std::move(spec), program = resolved->program,
                             reply](Result<TerminalGate::Waiting> waiting) {
    give_up_ = nullptr;
    // The helper of a start that failed must not wait in its terminal: it goes with its socket.
    gate_.reset();
    if (!waiting) return reply(std::unexpected(waiting.error()));
    adopt(*std::move(waiting), spec, program, reply);
  });
  open_terminal(*std::move(request), [gate = std::weak_ptr(gate_)](Result<void> opened) {
    if (const auto still_waiting = gate.lock(); still_waiting && !opened) still_waiting->cancel(opened.error());
  });
}

void Session::adopt(TerminalGate::Waiting waiting, const proto::LaunchSpec& spec, const std::string& program,
                    const Reply<proto::ProcessInfo>& reply) {
  modules_ = std::make_unique<image::Modules>(search_options(spec.sources));
  auto inferior = run::Inferior::adopt_waiting(environment_.tracer.token(), waiting.pid, program, waiting.release,
                                               *modules_, environment_.journal_dir, *this);
  if (!inferior) return reply(std::unexpected(inferior.error()));
  const auto pid = (*inferior)->pid();
  if (spec.disable_aslr && os::has_random_addresses(pid))
    warned("Address space randomisation could not be switched off: addresses will differ between runs.");
  begin_debuggee(*std::move(inferior), {.name = program, .pid = pid, .start_method = proto::StartMethod::launch});
  hold_at(proto::StopReason::entry, Tid{pid.value});
  stop_on_start_ = spec.stop_at == proto::StopAt::entry;
  if (spec.stop_at == proto::StopAt::main) stop_at_main();
  reply(*process_);
}

void Session::attach(proto::AttachSpec spec, Reply<proto::ProcessInfo> reply) {
  if (auto idle = require_idle(); !idle) return reply(std::unexpected(idle.error()));
  end_debuggee();
  launched_.reset();
  if (spec.pid) return attach_pid(spec, *spec.pid, std::move(reply));
  if (spec.name.empty())
    return reply(fail_hint(Errc::bad_request, "attach to which process?",
                           "give `pid`, or `name` (a glob on the program's name)"));
  auto kept = std::make_shared<proto::AttachSpec>(std::move(spec));
  const auto until = std::chrono::steady_clock::now() + kept->timeout;
  try_attach_by_name(std::move(kept), until, std::move(reply));
}

void Session::try_attach_by_name(std::shared_ptr<proto::AttachSpec> spec, std::chrono::steady_clock::time_point until,
                                 Reply<proto::ProcessInfo> reply) {
  auto found = os::processes_named(spec->name);
  std::erase(found, Pid{::getpid()});
  if (found.size() == 1) return attach_pid(*spec, found.front(), std::move(reply));
  if (found.size() > 1)
    return reply(fail_hint(Errc::not_found,
                           fmt::format("`{}` names {} processes: {}", spec->name, found.size(), list_of(found)),
                           "give the pid of the one you mean"));
  if (!spec->wait_for)
    return reply(fail_hint(Errc::no_process, fmt::format("no process is named `{}`", spec->name),
                           "check the name, or wait for it: `waitFor`, `trapline attach --wait`"));
  retry_.expires_after(name_poll);
  give_up_ = [this, reply](const Error& why) {
    retry_.cancel();
    reply(std::unexpected(why));
  };
  retry_.async_wait([this, alive = alive_, spec, until, reply](std::error_code problem) {
    if (problem || !*alive || !std::exchange(give_up_, nullptr)) return;
    if (std::chrono::steady_clock::now() >= until)
      return reply(fail(Errc::timeout,
                        fmt::format("no process named `{}` appeared within {} s", spec->name, spec->timeout.count())));
    try_attach_by_name(spec, until, reply);
  });
}

void Session::attach_pid(const proto::AttachSpec& spec, Pid pid, Reply<proto::ProcessInfo> reply) {
  if (auto allowed = os::check_attachable(pid); !allowed) return reply(std::unexpected(allowed.error()));
  apply_options(spec.sources, spec.evaluation, spec.signals);
  modules_ = std::make_unique<image::Modules>(search_options(spec.sources));
  auto inferior = run::Inferior::attach(environment_.tracer.token(), pid, *modules_, environment_.journal_dir, *this);
  if (!inferior) return reply(std::unexpected(inferior.error()));
  no_debug_ = false;
  const auto name =
      spec.program.empty() ? os::executable_of(pid).value_or(fmt::format("process {}", pid.value)) : spec.program;
  inferior_ = *std::move(inferior);
  views_ = std::make_unique<Views>(*inferior_, *modules_, &visualizers_);
  process_ = proto::ProcessInfo{.name = name, .pid = pid, .start_method = proto::StartMethod::attach};
  state_ = proto::RunState::running;
  if (!spec.stop_on_attach) {
    // It runs on before a symbol is read: the time that a production process stands still is the seizing only.
    if (auto resumed = inferior_->resume_all(); !resumed)
      log::warn("session", "resume after attach: {}", resumed.error().message);
  }
  begin_debuggee(std::move(inferior_), {.name = name, .pid = pid, .start_method = proto::StartMethod::attach});
  if (spec.stop_on_attach) {
    hold_at(proto::StopReason::attach, Tid{pid.value});
    stop_on_start_ = true;
  }
  reply(*process_);
}

void Session::begin_debuggee(std::unique_ptr<run::Inferior> inferior, proto::ProcessInfo info) {
  inferior_ = std::move(inferior);
  views_ = std::make_unique<Views>(*inferior_, *modules_, &visualizers_);
  process_ = std::move(info);
  exit_.reset();
  stop_.reset();
  stop_on_start_ = false;
  state_ = proto::RunState::running;
  emit(proto::ProcessEvent{*process_});
  for (const auto tid : inferior_->threads()) emit(proto::ThreadEvent{.thread = tid, .started = true});
  load_modules();
}

void Session::hold_at(proto::StopReason reason, Tid thread) {
  state_ = proto::RunState::held;
  proto::Stop stop;
  stop.reason = reason;
  stop.thread = thread;
  stop.description = reason == proto::StopReason::entry ? "Paused on entry" : "Paused on attach";
  stop_ = std::move(stop);  // its place is looked up where it is announced: most starts never are
}

void Session::stop_at_main() {
  const auto resolution = modules_->resolve_function("main");
  if (resolution.locations.empty()) {
    console("There is no symbol `main` to stop at; stopping at the first instruction instead.\n",
            proto::OutputCategory::important);
    stop_on_start_ = true;
    return;
  }
  main_site_ = resolution.locations.front().address;
  place({{.at = *main_site_, .owner = main_owner, .add = true}});
}

Result<void> Session::start() {
  if (state_ != proto::RunState::held) return {};
  if (std::exchange(stop_on_start_, false)) {
    state_ = proto::RunState::stopped;
    fill_place(*stop_);
    emit(proto::StoppedEvent{.stop = *stop_, .all_threads = true});
    return {};
  }
  return resume({});
}

void Session::went_on(std::optional<Tid> only) {
  views_->drop();
  returned_.reset();
  pinned_.clear();
  stop_.reset();
  stop_on_start_ = false;
  const bool was_held = state_ == proto::RunState::held;
  state_ = proto::RunState::running;
  if (!was_held) emit(proto::ContinuedEvent{.thread = only.value_or(Tid{process_->pid.value}), .all_threads = !only});
}

void Session::restart(std::optional<proto::LaunchSpec> changed, Reply<proto::ProcessInfo> reply) {
  if (changed && launched_) {
    changed->open_terminal = changed->open_terminal ? changed->open_terminal : launched_->open_terminal;
    launched_ = std::move(changed);
  }
  if (!launched_)
    return reply(fail_hint(Errc::wrong_state,
                           "an attached process cannot be restarted: we do not know how it was started",
                           "launch the program instead"));
  if (!inferior_ || state_ == proto::RunState::exited || state_ == proto::RunState::none)
    return relaunch(std::move(reply));
  after_exit_ = [this, reply = std::move(reply)] { relaunch(reply); };
  if (auto killed = kill(); !killed) {
    // It is gone already: its exit is on its way through pump().
    log::debug("session", "kill before restart: {}", killed.error().message);
  }
}

void Session::relaunch(Reply<proto::ProcessInfo> reply) {
  state_ = proto::RunState::none;
  auto spec = *launched_;
  launch(std::move(spec), std::move(reply));
}

// True: a launch or attach was still waiting, and its Reply says now that it was cancelled.
bool Session::give_up_waiting() {
  const auto give_up = std::exchange(give_up_, nullptr);
  if (!give_up) return false;
  give_up(Error{.code = Errc::cancelled, .message = "cancelled before the program was there", .hint = {}});
  return true;
}

Result<void> Session::detach() {
  if (give_up_waiting()) return {};
  TL_TRY_VOID(require_debuggee());
  auto done = inferior_->detach();
  if (exit_) return done;  // it ended while we were leaving: exited() tells of it
  // Each keeps itself alive with what it waits for.
  for (const auto& reader : readers_) reader->discard();
  readers_.clear();
  end_debuggee();
  fetcher_.cancel();
  for (const auto& one : std::vector(source_fetchers_)) one->cancel();
  state_ = proto::RunState::none;
  process_.reset();
  emit(proto::DetachedEvent{});
  return done;
}

Result<void> Session::kill() {
  if (give_up_waiting()) return {};
  TL_TRY_VOID(require_debuggee());
  TL_TRY_VOID(inferior_->kill());
  // It stands nowhere any more: who waits, waits for its end.
  views_->drop();
  stop_.reset();
  state_ = proto::RunState::running;
  return {};
}

Result<void> Session::terminate() {
  TL_TRY_VOID(require_debuggee());
  const auto name = launched_ ? launched_->graceful_signal : std::string("SIGTERM");
  const auto number = signal_number(name);
  if (!number)
    return fail_hint(Errc::bad_request, fmt::format("gracefulShutdown: `{}` is no signal", name),
                     "write SIGTERM, SIGINT ...");
  graceful_signal_ = *number;
  TL_TRY_VOID(inferior_->send_signal(*number));
  if (state_ != proto::RunState::running) return resume({});
  return {};
}

// Never from within the inferior's own callbacks: exited() posts it.
void Session::end_debuggee() {
  for (const auto& reader : readers_) reader->drain_and_stop();
  readers_.clear();
  gate_.reset();
  visualizers_.forget_memory();
  returned_.reset();
  leaving_.reset();
  index_tried_.clear();
  fetch_tried_.clear();
  shown_modules_.clear();
  fetch_given_up_ = false;
  views_.reset();
  inferior_.reset();
  pinned_.clear();
  modules_.reset();
  loader_site_.reset();
  main_site_.reset();
  stop_.reset();
  temporary_hit_.clear();
  graceful_signal_ = 0;
  breakpoints_.unbind_all();
}

}  // namespace trapline::session
