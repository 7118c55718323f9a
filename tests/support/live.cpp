#include "tests/support/live.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/session/session.hpp"

namespace trapline::test {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::filesystem::path journal_folder() {
  static const auto folder = [] {
    auto path = std::filesystem::temp_directory_path() / fmt::format("trapline-test-{}", ::getpid());
    std::filesystem::create_directories(path);
    return path;
  }();
  return folder;
}

}  // namespace

std::string fixture(std::string_view name) {
  return name.starts_with('/') ? std::string(name) : fmt::format("{}/{}", TL_FIXTURES, name);
}

std::string fixture_source(std::string_view file) { return fmt::format("{}/{}", TL_FIXTURE_SOURCES, file); }

Line mark(std::string_view file, std::string_view name) {
  std::ifstream source(fixture_source(file));
  REQUIRE_MESSAGE(source.good(), "no fixture source " << fixture_source(file));
  const auto wanted = fmt::format("MARK: {}", name);
  Line found;
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    const auto at = line.find(wanted);
    if (at == std::string::npos) continue;
    const auto rest = std::string_view(line).substr(at + wanted.size());
    if (!rest.empty() &&
        (std::isalnum(static_cast<unsigned char>(rest.front())) || rest.front() == '_' || rest.front() == '-'))
      continue;
    REQUIRE_MESSAGE(found.value == 0, "two marks " << wanted << " in " << file);
    found = Line{number};
  }
  REQUIRE_MESSAGE(found.value != 0, "no mark " << wanted << " in " << file);
  return found;
}

Live::Live() : Live(LiveSettings{}) {}

Live::Live(const LiveSettings& settings) {
  const auto indexes = settings.index_folder.empty() ? (journal_folder() / "index").string() : settings.index_folder;
  control_ = session::make_session({.loop = loop_,
                                    .tracer = tracer_,
                                    .journal_dir = journal_folder(),
                                    .exec_helper = {},
                                    .index_folder = indexes,
                                    .index_worth = settings.index_worth,
                                    .tell_after = settings.tell_after});
  subscription_ = control_->subscribe([this](const proto::Event& event) {
    events_.push_back(event);
    if (const auto* stopped = std::get_if<proto::StoppedEvent>(&event)) stops_.push_back(stopped->stop);
    if (const auto* exited = std::get_if<proto::ExitedEvent>(&event)) exit_ = exited->status;
    if (const auto* output = std::get_if<proto::OutputEvent>(&event)) {
      const bool own =
          output->category == proto::OutputCategory::console || output->category == proto::OutputCategory::important;
      (own ? console_ : output_) += output->text;
    }
  });
}

Live::~Live() {
  if (launched_ && control_->process() && !control_->exit_status()) {
    if (const auto killed = control_->kill(); !killed) MESSAGE(killed.error().message);
    run_until([this] { return exit_.has_value(); }, std::chrono::seconds(5));
  }
  subscription_.reset();
  control_.reset();
}

proto::ProcessInfo Live::wait_for_process(const std::function<void(Reply<proto::ProcessInfo>)>& begin) {
  std::optional<Result<proto::ProcessInfo>> answer;
  begin([&](Result<proto::ProcessInfo> result) { answer = std::move(result); });
  if (!run_until([&] { return answer.has_value(); })) give_up("the program to start");
  REQUIRE_MESSAGE(answer->has_value(), answer->error().message);
  return **answer;
}

std::unique_ptr<Live> Live::start(proto::LaunchSpec spec, const LiveSettings& settings) {
  auto live = std::make_unique<Live>(settings);
  live->wait_for_process(
      [&](Reply<proto::ProcessInfo> reply) { live->control_->launch(std::move(spec), std::move(reply)); });
  live->launched_ = true;
  return live;
}

std::unique_ptr<Live> Live::start(std::string_view name, std::vector<std::string> args) {
  proto::LaunchSpec spec;
  spec.program = fixture(name);
  spec.args = std::move(args);
  return start(std::move(spec));
}

std::unique_ptr<Live> Live::attach(pid_t pid, bool stop) {
  auto live = std::make_unique<Live>();
  proto::AttachSpec spec;
  spec.pid = Pid{pid};
  spec.stop_on_attach = stop;
  live->wait_for_process(
      [&](Reply<proto::ProcessInfo> reply) { live->control_->attach(std::move(spec), std::move(reply)); });
  return live;
}

pid_t Live::pid() const { return control_->process() ? control_->process()->pid.value : 0; }

bool Live::run_until(const std::function<bool()>& done, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return false;
    if (loop_.stopped()) loop_.restart();
    loop_.run_one_for(end - now);
  }
  return true;
}

void Live::give_up(const std::string& waiting_for) {
  std::string report =
      fmt::format("waited in vain for {}; program output so far: {}\nours: {}\n", waiting_for, output_, console_);
  std::error_code ignored;
  if (pid() != 0)
    for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid()), ignored))
      report += fmt::format("--- {}\n{}{}\n", task.path().string(), read_file(task.path() / "status").substr(0, 400),
                            read_file(task.path() / "syscall"));
  if (launched_ && pid() != 0) ::kill(pid(), SIGKILL);
  FAIL(report);
  throw std::logic_error(report);
}

BreakpointId Live::break_at(std::string_view source, std::string_view mark_name, proto::BreakpointSpec more) {
  more.place = proto::LinePlace{.file = fixture_source(source), .line = mark(source, mark_name), .column = 0};
  const auto set = control_->edit_breakpoints({}, std::span(&more, 1));
  REQUIRE_MESSAGE(set.has_value(), set.error().message);
  return set->front().id;
}

BreakpointId Live::break_on(std::string_view function) {
  proto::BreakpointSpec spec{.place = proto::FunctionPlace{std::string(function)},
                             .condition = {},
                             .hit_condition = {},
                             .log_message = {},
                             .thread = {}};
  const auto set = control_->edit_breakpoints({}, std::span(&spec, 1));
  REQUIRE_MESSAGE(set.has_value(), set.error().message);
  return set->front().id;
}

proto::Stop Live::next_stop() {
  if (!run_until([this] { return !stops_.empty() || exit_; })) give_up("a stop");
  if (stops_.empty()) {
    FAIL(fmt::format("the program ended (code {}, signal {}) where a stop was expected; its output: {}", exit_->code,
                     exit_->signal, output_));
  }
  auto stop = std::move(stops_.front());
  stops_.pop_front();
  return stop;
}

proto::Stop Live::go_to_stop() {
  const auto resumed = control_->resume({});
  REQUIRE_MESSAGE(resumed.has_value(), resumed.error().message);
  return next_stop();
}

proto::Stop Live::step(proto::StepKind kind, proto::StepUnit unit) {
  REQUIRE(control_->current_stop().has_value());
  const auto begun =
      control_->step({.thread = control_->current_stop()->thread, .kind = kind, .unit = unit, .single_thread = false});
  REQUIRE_MESSAGE(begun.has_value(), begun.error().message);
  return next_stop();
}

proto::ExitStatus Live::wait_exit() {
  if (!run_until([this] { return exit_ || !stops_.empty(); })) give_up("the program's end");
  if (!exit_) {
    FAIL(fmt::format("stopped ({}) at {}:{} where the end was expected", stops_.front().description,
                     stops_.front().file, stops_.front().line.value));
  }
  return *exit_;
}

proto::ExitStatus Live::go_to_exit() {
  const auto resumed = control_->resume({});
  REQUIRE_MESSAGE(resumed.has_value(), resumed.error().message);
  return wait_exit();
}

std::vector<proto::FrameInfo> Live::frames(std::uint32_t count) {
  REQUIRE(control_->current_stop().has_value());
  const auto page = control_->stack(control_->current_stop()->thread, 0, count);
  REQUIRE_MESSAGE(page.has_value(), page.error().message);
  return page->frames;
}

std::vector<std::string> Live::functions(std::uint32_t count) {
  std::vector<std::string> names;
  for (const auto& frame : frames(count)) names.push_back(frame.function);
  return names;
}

proto::ValueInfo Live::value(std::string_view expression, std::uint32_t level) {
  const auto stack = frames(level + 1);
  REQUIRE(stack.size() > level);
  const auto answer = control_->evaluate({.expression = std::string(expression),
                                          .frame = stack[level].id,
                                          .context = proto::EvaluateContext::repl,
                                          .format = {}});
  REQUIRE_MESSAGE(answer.has_value(), expression << ": " << answer.error().message);
  return *answer;
}

std::string Live::evaluate(std::string_view expression, std::uint32_t level) { return value(expression, level).value; }

std::byte Live::byte_in_proc_mem(LoadAddr at) const {
  const int fd = ::open(fmt::format("/proc/{}/mem", pid()).c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  std::byte byte{};
  const auto size = ::pread(fd, &byte, 1, static_cast<off_t>(at.value));
  ::close(fd);
  REQUIRE(size == 1);
  return byte;
}

}  // namespace trapline::test
