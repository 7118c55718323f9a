#pragma once
// What the live and fault tests of the daemon share: debuggees that stand beside it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"

namespace trapline::test {

inline std::string fixture(std::string_view name) { return fmt::format("{}/{}", FIXTURES, name); }
inline std::string fixture_source(std::string_view name) { return fmt::format("{}/{}", FIXTURE_SOURCES, name); }

// The line of the comment `MARK: name` in a fixture's source.
inline int mark(std::string_view file, std::string_view name) {
  std::ifstream source(fixture_source(file));
  const auto wanted = fmt::format("MARK: {}", name);
  std::string line;
  for (int number = 1; std::getline(source, line); ++number)
    if (line.find(wanted) != std::string::npos) return number;
  FAIL("no mark " << name << " in " << file);
  return 0;
}

// A program started by the test itself, its output in a pipe. Killed with its group at the end.
class Outsider {
 public:
  explicit Outsider(std::vector<std::string> words) {
    int out[2];
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::dup2(out[1], STDOUT_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(out[1]);
    out_ = util::Fd(out[0]);
  }
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  ~Outsider() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }
  std::string line() {
    std::string text;
    for (char c = 0; ::read(out_.get(), &c, 1) == 1 && c != '\n';) text += c;
    return text;
  }
  int wait() {  // the wait status
    int status = 0;
    eventually(fmt::format("the end of process {}", pid_), [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  util::Fd out_;
};

// run_checksum, working: any byte or mask that we leave behind in it is its own last word.
class Checked : public Outsider {
 public:
  explicit Checked(int threads = 2) : Outsider({fixture("run_checksum"), std::to_string(threads)}) {
    REQUIRE(line() == "ready");
  }
  // Ends it: true where it found itself as it had been.
  bool intact() {
    signal(SIGUSR1);
    const auto word = line();
    const int status = wait();
    INFO("it said: ", word, ", wait status ", status);
    CHECK(word == "intact");
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return word == "intact";
  }
};

inline pid_t pid_of_session(const json& list, const std::string& session) {
  for (const auto& one : list)
    if (one["session"] == session) return one["host"].get<pid_t>();
  FAIL("no session " << session << " in " << list.dump());
  return 0;
}

}  // namespace trapline::test
