#include "client/daemon_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

extern char** environ;

namespace trapline::client {
namespace {

namespace fs = std::filesystem;
constexpr int start_limit_ms = 10000;
constexpr const char* idle_seconds = "300";

bool runnable(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

// Waits for the line `listening on` that a daemon prints once it can be connected to.
Result<void> wait_until_listening(int from) {
  std::string text;
  for (;;) {
    pollfd one{.fd = from, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&one, 1, start_limit_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(Errc::timeout, "traplined was started and does not listen after 10 s");
    std::array<char, 512> buffer{};
    const auto size = ::read(from, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0)
      return fail_hint(Errc::connection, "traplined ended at once", "run `traplined` by hand and read what it says");
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.find("listening on") != std::string::npos) return {};
  }
}

Result<void> start_daemon() {
  const auto program = find_daemon();
  if (program.empty())
    return fail_hint(Errc::not_found, "traplined is neither beside this program nor in PATH",
                     "install it, or name a running one with --socket");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Errc::os, "pipe", errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // A session of its own: the terminal's ^C and hang-up are not the daemon's.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::array<char*, 4> argv{const_cast<char*>(program.c_str()), const_cast<char*>("--idle-exit"),
                            const_cast<char*>(idle_seconds), nullptr};
  pid_t child = 0;
  const int problem = ::posix_spawn(&child, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (problem != 0) {
    ::close(ends[0]);
    return fail(Errc::os, fmt::format("{}: {}", program, std::strerror(problem)), problem);
  }
  auto listening = wait_until_listening(ends[0]);
  ::close(ends[0]);
  return listening;
}

}  // namespace

std::string default_address() {
  if (const char* said = std::getenv("TRAPLINE_SOCKET"); said != nullptr && *said != '\0') {
    const std::string_view text(said);
    return text.starts_with("/") ? fmt::format("unix:{}", text) : std::string(text);
  }
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime != '\0')
    return fmt::format("unix:{}/trapline/trapline.sock", runtime);
  return fmt::format("unix:/tmp/trapline-{}/trapline.sock", ::getuid());
}

std::string find_daemon() {
  std::error_code problem;
  const auto own = fs::read_symlink("/proc/self/exe", problem).parent_path();
  for (const auto& candidate :
       {own / "traplined", own.parent_path() / "daemon" / "traplined", own.parent_path() / "libexec" / "traplined"})
    if (!problem && runnable(candidate)) return candidate.string();
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (runnable(fs::path(folder) / "traplined")) return (fs::path(folder) / "traplined").string();
  return {};
}

Result<int> connect_raw_or_start(const Where& where) {
  const auto address = where.address.empty() ? default_address() : where.address;
  auto connected = connect_to(address);
  if (connected || !where.address.empty() || connected.error().code != Errc::connection ||
      std::getenv("TRAPLINE_SOCKET") != nullptr)
    return connected;
  TL_TRY_VOID(start_daemon());
  return connect_to(address);
}

Result<std::unique_ptr<Connection>> connect_or_start(const Where& where) {
  const auto address = where.address.empty() ? default_address() : where.address;
  auto connected = Connection::open(address, where.token);
  if (connected || !where.address.empty() || connected.error().code != Errc::connection ||
      std::getenv("TRAPLINE_SOCKET") != nullptr)
    return connected;
  TL_TRY_VOID(start_daemon());
  return Connection::open(address, where.token);
}

}  // namespace trapline::client
