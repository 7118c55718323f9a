#include "daemon/run/follow.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <set>
#include <string_view>
#include <vector>

#include "daemon/os/proc.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"
#include "daemon/run/patience.hpp"
#include "daemon/util/fd.hpp"

namespace trapline::run {
namespace {

constexpr std::chrono::seconds release_bound{2};

// "#!interpreter arg" of a script; execve(2) reads 256 bytes of it.
std::optional<std::string> interpreter_of(const std::string& path) {
  const util::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::array<char, 256> head;
  const auto size = ::read(file.get(), head.data(), head.size());
  if (size < 3 || head[0] != '#' || head[1] != '!') return std::nullopt;
  std::string_view line(head.data() + 2, static_cast<std::size_t>(size) - 2);
  line = line.substr(0, line.find('\n'));
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  line = line.substr(begin);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

// Tracees on the way to the program.
struct Convoy {
  const os::OnTracer& tracer;
  os::Waiter waiter{tracer};
  std::set<Tid> members;
  std::string last_end;

  void go_on(Tid tid, int signal) { static_cast<void>(os::resume(tracer, tid, signal)); }

  // What one report leads to. True: `tid` has just exec'd.
  bool handle(const os::WaitEvent& event) {
    const Tid tid = event.tid;
    if (const auto* exited = std::get_if<os::Exited>(&event.what)) {
      members.erase(tid);
      last_end = fmt::format("exited with code {}", exited->code);
      return false;
    }
    if (const auto* killed = std::get_if<os::Killed>(&event.what)) {
      members.erase(tid);
      last_end = fmt::format("was killed by signal {} ({})", killed->signal, strsignal(killed->signal));
      return false;
    }
    members.insert(tid);
    if (const auto* stop = std::get_if<os::EventStop>(&event.what); stop && stop->event == os::TraceEvent::exec)
      return true;
    if (std::holds_alternative<os::GroupStop>(event.what)) {
      if (!os::listen(tracer, tid)) go_on(tid, 0);
      return false;
    }
    const auto* signal = std::get_if<os::SignalStop>(&event.what);
    go_on(tid, signal == nullptr ? 0 : signal->signal);
    return false;
  }

  // Everybody but `chosen` is let go.
  void dissolve(Tid chosen) {
    members.erase(chosen);
    for (const auto tid : members) static_cast<void>(os::interrupt(tracer, tid));
    Patience patience(release_bound);
    while (!members.empty()) {
      std::erase_if(members, [&](Tid tid) {
        const auto event = waiter.of(tid, os::Waiter::Mode::poll);
        if (!event) return true;
        if (!*event) return false;
        const auto* signal = std::get_if<os::SignalStop>(&(*event)->what);
        static_cast<void>(os::detach(tracer, tid, signal == nullptr ? 0 : signal->signal));
        return true;
      });
      if (!members.empty() && !patience.pause()) return;
    }
  }
};

}  // namespace

std::optional<ProgramFile::Identity> ProgramFile::identity(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == -1) return std::nullopt;
  return Identity{.device = status.st_dev, .inode = status.st_ino};
}

Result<ProgramFile> ProgramFile::of(const std::string& path) {
  ProgramFile file;
  file.path_ = path;
  const auto itself = identity(path);
  if (!itself) return fail(Errc::not_executable, fmt::format("{}: {}", path, strerror(errno)), errno);
  file.executable_ = *itself;
  auto interpreter = interpreter_of(path);
  if (!interpreter) return file;
  file.script_ = itself;
  // An interpreter may be a script itself; the kernel follows a few levels (execve(2)).
  for (int level = 0; level < 4; ++level) {
    const auto next = interpreter_of(*interpreter);
    if (!next) break;
    interpreter = next;
  }
  const auto real = identity(*interpreter);
  if (!real)
    return fail(Errc::not_executable, fmt::format("{}: its interpreter {} is missing", path, *interpreter), ENOENT);
  file.executable_ = *real;
  return file;
}

bool ProgramFile::runs_in(Pid pid) const {
  // stat through the link, so that mount namespaces and renamed paths do not matter.
  const auto now = identity(fmt::format("/proc/{}/exe", pid.value));
  if (!now || *now != executable_) return false;
  if (!script_) return true;
  const auto arguments = os::command_line(pid);
  if (!arguments) return false;
  for (std::size_t i = 1; i < arguments->size(); ++i) {
    const auto& word = (*arguments)[i];
    const auto path = word.starts_with('/') ? word : fmt::format("/proc/{}/cwd/{}", pid.value, word);
    if (identity(path) == script_) return true;
  }
  return false;
}

Result<Pid> follow_to_program(const os::OnTracer& tracer, Pid first, bool stopped_at_exec, const ProgramFile& program,
                              std::chrono::seconds timeout) {
  Convoy convoy{.tracer = tracer, .members = {Tid{first.value}}, .last_end = {}};
  if (stopped_at_exec) {
    if (program.runs_in(first)) return first;
    convoy.go_on(Tid{first.value}, 0);
  }
  Patience patience(timeout);
  for (;;) {
    TL_TRY(const auto event, convoy.waiter.any());
    if (event) {
      if (!convoy.handle(*event)) continue;
      if (program.runs_in(Pid{event->tid.value})) {
        convoy.dissolve(event->tid);
        return Pid{event->tid.value};
      }
      convoy.go_on(event->tid, 0);
      continue;
    }
    if (convoy.members.empty())
      return fail_hint(Errc::not_executable,
                       fmt::format("the wrapper {} before it started {}", convoy.last_end, program.path()),
                       "run the wrapper with the program in a terminal to see why");
    if (!patience.pause()) {
      convoy.dissolve(Tid{});
      return fail_hint(Errc::timeout, fmt::format("{} was not started within {} s", program.path(), timeout.count()),
                       "name the program that the wrapper really starts, or raise the timeout");
    }
  }
}

}  // namespace trapline::run
