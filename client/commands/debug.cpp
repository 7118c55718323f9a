// run, attach, join: a prompt on a session.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <limits>

#include "client/commands/commands.hpp"
#include "client/prompt/prompt.hpp"
#include "client/remote_control.hpp"

extern char** environ;

namespace trapline::client {
namespace {

// A number is a pid, everything else a name.
Result<proto::AttachSpec> target_of(const std::string& text) {
  proto::AttachSpec spec;
  long long number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc::invalid_argument || end != text.data() + text.size()) {
    spec.name = text;
    return spec;
  }
  if (problem != std::errc{} || number < 1 || number > std::numeric_limits<pid_t>::max())
    return fail_hint(Errc::bad_request, fmt::format("{} is no process number", text), "`ps -e` lists the processes");
  spec.pid = Pid{static_cast<pid_t>(number)};
  return spec;
}

bool interactive() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

// The environment is this shell's, not the daemon's: what a person types `run` in is what the program gets.
std::vector<std::pair<std::string, std::optional<std::string>>> own_environment() {
  std::vector<std::pair<std::string, std::optional<std::string>>> env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (const auto equals = text.find('='); equals != std::string::npos && equals > 0)
      env.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const Common& common) {
    TL_TRY(auto connection, connect_or_start(common.where));
    return std::make_unique<Session>(std::move(connection));
  }
  explicit Session(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)),
        control(*connection_),
        prompt(control, [this](std::chrono::milliseconds limit) { return connection_->poll(limit); },
               {.colours = ::isatty(STDOUT_FILENO) == 1, .interactive = interactive()}) {}

  int talk(const std::vector<std::string>& first) {
    for (const auto& line : first) {
      prompt.print(fmt::format("{}{}\n", prompt.paint().bold("(trapline) "), line));
      if (auto done = prompt.execute(line); !done) prompt.print(prompt.paint().red(done.error().message) + "\n");
    }
    return prompt.loop();
  }

 private:
  std::unique_ptr<Connection> connection_;

 public:
  RemoteControl control;
  Prompt prompt;
};

proto::LaunchSpec launch_spec(const RunOptions& options) {
  proto::LaunchSpec spec;
  spec.program = options.program;
  // The daemon stands in another folder: what is relative to this one is made absolute here.
  if (options.program.find('/') != std::string::npos)
    spec.program = std::filesystem::absolute(options.program).lexically_normal().string();
  spec.args = options.args;
  spec.cwd = std::filesystem::absolute(options.cwd.empty() ? "." : options.cwd).lexically_normal().string();
  spec.inherit_env = false;
  spec.env = own_environment();
  for (const auto& entry : options.env) {
    const auto equals = entry.find('=');
    spec.env.emplace_back(entry.substr(0, equals),
                          equals == std::string::npos ? std::nullopt : std::optional(entry.substr(equals + 1)));
  }
  spec.disable_aslr = !options.keep_aslr;
  spec.wrapper = options.wrapper;
  if (options.stop_at_main) spec.stop_at = proto::StopAt::main;
  // On a terminal the program gets that terminal: what it prints and reads is between it and the person.
  if (interactive())
    if (const char* terminal = ::ttyname(STDIN_FILENO)) spec.stdio = {.in = terminal, .out = terminal, .err = terminal};
  return spec;
}

}  // namespace

int run_verb(const Common& common, const RunOptions& options) {
  auto session = Session::open(common);
  if (!session) return failed(common, session.error());
  auto& control = (*session)->control;
  auto& prompt = (*session)->prompt;
  std::optional<Result<proto::ProcessInfo>> launched;
  control.launch(launch_spec(options), [&](Result<proto::ProcessInfo> info) { launched = std::move(info); });
  if (!*launched) return failed(common, launched->error());
  prompt.kill_on_quit = true;
  prompt.print(
      fmt::format("{} is process {}, held at its first instruction. `b PLACE` sets breakpoints, `run` starts it.\n",
                  (*launched)->name, (*launched)->pid.value));
  return (*session)->talk(options.execute);
}

int attach_verb(const Common& common, const std::string& pid_or_name, bool wait,
                const std::vector<std::string>& execute) {
  auto spec = target_of(pid_or_name);
  if (!spec) return failed(common, spec.error());
  auto session = Session::open(common);
  if (!session) return failed(common, session.error());
  auto& prompt = (*session)->prompt;
  spec->wait_for = wait;
  std::optional<Result<proto::ProcessInfo>> attached;
  (*session)->control.attach(*std::move(spec), [&](Result<proto::ProcessInfo> info) { attached = std::move(info); });
  if (!*attached) return failed(common, attached->error());
  prompt.print(
      fmt::format("Attached to {} (process {}), which runs on. `interrupt` pauses it, `quit` leaves it running.\n",
                  (*attached)->name, (*attached)->pid.value));
  return (*session)->talk(execute);
}

int join_verb(const Common& common, const std::string& id, const std::vector<std::string>& execute) {
  auto session = Session::open(common);
  if (!session) return failed(common, session.error());
  auto& prompt = (*session)->prompt;
  const auto joined = (*session)->control.join(id);
  if (!joined) {
    auto error = joined.error();
    if (error.code == Errc::not_found) error.hint = "`trapline sessions` lists them";
    return failed(common, error);
  }
  prompt.print(fmt::format("Joined session {}: {} (process {}).\n", id, joined->name, joined->pid.value));
  prompt.show_stop();
  return (*session)->talk(execute);
}

// Stacks of all threads, and away again. How long the target stood still is measured around the stop, so it is an upper
// bound.
int stack_verb(const Common& common, const std::string& pid_or_name) {
  auto spec = target_of(pid_or_name);
  if (!spec) return failed(common, spec.error());
  auto connection = connect_or_start(common.where);
  if (!connection) return failed(common, connection.error());
  RemoteControl control(**connection);
  std::optional<Result<proto::ProcessInfo>> attached;
  control.attach(*std::move(spec), [&](Result<proto::ProcessInfo> info) { attached = std::move(info); });
  if (!*attached) return failed(common, attached->error());
  // It runs while its modules are opened; the clock is on from the pause only.
  const auto begin = std::chrono::steady_clock::now();
  if (const auto paused = control.pause(); !paused) return failed(common, paused.error());
  while (!control.current_stop() && !control.exit_status())
    if (!(*connection)->poll(std::chrono::milliseconds(100)))
      return failed(common, Error{.code = Errc::connection, .message = "the session has ended", .hint = {}});
  struct One {
    proto::ThreadInfo thread;
    Result<proto::StackPage> stack;
  };
  std::vector<One> stacks;
  if (const auto threads = control.threads())
    for (const auto& thread : *threads) stacks.push_back({thread, control.stack(thread.id, 0, 0)});
  const auto detached = control.detach();
  const auto still = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (!detached) return failed(common, detached.error());
  const Paint paint(::isatty(STDOUT_FILENO) == 1 && !common.json);
  Json all = Json::array();
  for (const auto& [thread, stack] : stacks) {
    Json frames = Json::array();
    if (!common.json) fmt::print("{}\n", paint.bold(fmt::format("Thread {} \"{}\"", thread.id.value, thread.name)));
    if (!stack && !common.json) fmt::print("  {}\n", stack.error().message);
    if (stack)
      for (const auto& frame : stack->frames) {
        if (!common.json) fmt::print("{}\n", frame_line(paint, frame, ""));
        frames.push_back({{"level", frame.level},
                          {"function", frame.function},
                          {"file", frame.file},
                          {"line", frame.line.value},
                          {"address", fmt::format("{:#x}", frame.pc.value)},
                          {"module", frame.module_name}});
      }
    if (!common.json) fmt::print("\n");
    all.push_back({{"thread", thread.id.value}, {"name", thread.name}, {"frames", std::move(frames)}});
  }
  if (common.json)
    fmt::print(
        "{}\n",
        Json{{"pid", (*attached)->pid.value}, {"stoodStillMsAtMost", still}, {"threads", std::move(all)}}.dump());
  else
    fmt::print("{} thread{} of process {}; it stood still for {:.1f} ms at most, and runs on.\n", stacks.size(),
               stacks.size() == 1 ? "" : "s", (*attached)->pid.value, still);
  return 0;
}

}  // namespace trapline::client
