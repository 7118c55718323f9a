#pragma once
// What the fault tests share: the debuggee that checks itself, looks at it from outside, and the seed of random
// moments.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/live/daemon_support.hpp"

namespace trapline::test {

// TRAPLINE_FAULTS_SEED=N repeats a run's moments (as far as the machine does), TRAPLINE_FAULTS_ROUNDS=N makes it
// longer.
inline std::uint64_t seed() {
  static const std::uint64_t chosen = [] {
    const char* given = std::getenv("TRAPLINE_FAULTS_SEED");
    const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    fmt::print("seed {}\n", value);
    return value;
  }();
  return chosen;
}
inline int rounds(int usual) {
  const char* given = std::getenv("TRAPLINE_FAULTS_ROUNDS");
  return given != nullptr ? std::atoi(given) : usual;
}

inline std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::istringstream list(read_file(task.path() / "children"));
    for (pid_t child = 0; list >> child;) children.push_back(child);
  }
  return children;
}

// faults_subject, working.
class Subject : public Outsider {
 public:
  explicit Subject(int threads = 8) : Outsider({fixture("faults_subject"), std::to_string(threads)}) {
    REQUIRE(line() == "ready");
  }

  bool lives() const { return process_lives(pid()); }

  // Nobody traces a thread of it, none stands in a stop.
  bool runs_free() const {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid()), error)) {
      const auto status = read_file(task.path() / "status");
      if (status.find("TracerPid:\t0\n") == std::string::npos) return false;
      const auto state = status.find("State:\t");
      if (state == std::string::npos || status[state + 7] == 't' || status[state + 7] == 'T') return false;
    }
    return !error;
  }

  // Every executable byte that was mapped from a file is the file's.
  bool text_is_the_files() const {
    std::istringstream maps(read_file(fmt::format("/proc/{}/maps", pid())));
    const util::Fd memory(::open(fmt::format("/proc/{}/mem", pid()).c_str(), O_RDONLY | O_CLOEXEC));
    std::size_t compared = 0;
    for (std::string text; std::getline(maps, text);) {
      std::istringstream words(text);
      std::string range, rights, offset, device, inode, path;
      words >> range >> rights >> offset >> device >> inode >> path;
      if (rights.size() < 3 || rights[2] != 'x' || !path.starts_with('/')) continue;
      const auto begin = std::stoull(range, nullptr, 16);
      const auto size = std::stoull(range.substr(range.find('-') + 1), nullptr, 16) - begin;
      std::string ours(size, '\0');
      if (::pread(memory.get(), ours.data(), size, static_cast<off_t>(begin)) != static_cast<ssize_t>(size))
        return false;
      const util::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      std::string theirs(size, '\0');
      if (::pread(file.get(), theirs.data(), size, static_cast<off_t>(std::stoull(offset, nullptr, 16))) <= 0)
        return false;
      if (ours != theirs) return false;
      ++compared;
    }
    return compared > 0;
  }

  bool catches_sigtrap() const {
    const auto status = read_file(fmt::format("/proc/{}/status", pid()));
    const auto at = status.find("SigCgt:\t");
    return at != std::string::npos && (std::stoull(status.substr(at + 8), nullptr, 16) >> (SIGTRAP - 1) & 1) != 0;
  }

  enum class End { right, wrong, dead };
  // Asks for its own verdict, which ends it. `said` is told.
  End verdict(std::string& said) {
    if (!lives()) {
      const int status = wait();
      said = WIFSIGNALED(status) ? fmt::format("killed by signal {}", WTERMSIG(status))
                                 : fmt::format("exited with {}", WEXITSTATUS(status));
      return End::dead;
    }
    signal(SIGUSR1);
    eventually("the subject's verdict (its threads get no further?)", [&] { return !lives(); });
    said = line();
    const int status = wait();
    if (WIFSIGNALED(status)) said = fmt::format("killed by signal {}", WTERMSIG(status));
    if (said == "right" && WIFEXITED(status) && WEXITSTATUS(status) == 0) return End::right;
    return WIFSIGNALED(status) ? End::dead : End::wrong;
  }

  // After a detach that went well: as if nobody had been there. After a session's death the handler that saved the
  // program stays in it.
  enum class Left { in_order, by_a_dead_session };
  void check_untouched(Left left = Left::in_order) {
    CHECK(lives());
    CHECK(runs_free());
    CHECK(text_is_the_files());
    if (left == Left::in_order) CHECK_FALSE(catches_sigtrap());
    std::string said;
    const auto end = verdict(said);
    CHECK_MESSAGE(end == End::right, said);
  }
};

}  // namespace trapline::test
