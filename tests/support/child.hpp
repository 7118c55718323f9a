#pragma once
// A process that a test starts itself: what it prints can be read, it is killed with the test, and no wait is without
// a bound.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::test {

class Child {
 public:
  explicit Child(std::vector<std::string> command) {
    int out[2];
    if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own: killed as a whole
    const int problem = ::posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(out[1]);
    out_ = out[0];
    if (problem != 0) throw std::runtime_error("cannot start " + command.front());
  }
  ~Child() {
    if (!status_) {
      ::kill(-pid_, SIGKILL);
      while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    ::close(out_);
  }
  Child(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  const std::string& output() const { return output_; }

  // Reads on until the output holds `text`; false at its end, or after `limit`.
  bool wait_for(std::string_view text, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (output_.find(text) == std::string::npos)
      if (!read_some(end)) return false;
    return true;
  }

  // Never waits: true once the process has ended. Its output is read up, so that a full pipe does not hold it.
  bool ended() {
    while (read_some(std::chrono::steady_clock::now())) {
    }
    if (int status = 0; !status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = status;
      while (read_some(std::chrono::steady_clock::now())) {
      }
    }
    return status_.has_value();
  }

  // The wait status, as waitpid gives it; nothing when the process lives on for `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (read_some(end)) {
    }
    // Its end of the pipe is closed: it is about to end, if it has not.
    while (!ended() && std::chrono::steady_clock::now() < end) ::poll(nullptr, 0, 1);
    return status_;
  }

 private:
  bool read_some(std::chrono::steady_clock::time_point end) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready{.fd = out_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0) <= 0) return false;
    char bytes[4096];
    const auto size = ::read(out_, bytes, sizeof bytes);
    if (size <= 0) return false;
    output_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }

  pid_t pid_ = 0;
  int out_ = -1;
  std::optional<int> status_;
  std::string output_;
};

}  // namespace trapline::test
