// index: builds symbol indexes ahead of time. The work is traplined's, run as a program of its own: no daemon is
// needed, and what it prints, a JSON object a line, is shown here as people read it.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "client/commands/commands.hpp"
#include "client/text.hpp"

extern char** environ;

namespace trapline::client {
namespace {

using Json = nlohmann::json;
constexpr auto worth_a_bar = std::chrono::milliseconds(500);
constexpr std::uint64_t bar_width = 40;

class Shown {
 public:
  explicit Shown(bool json) : json_(json), bars_(!json && ::isatty(STDOUT_FILENO) == 1) {}

  void line(const std::string& text) {
    const auto said = Json::parse(text, nullptr, false);
    if (!said.is_object()) return;
    if (said.contains("done")) return progress(said);
    if (bar_) fmt::print("\r\033[K");
    bar_ = false;
    begun_ = std::chrono::steady_clock::now();
    if (json_)
      fmt::print("{}\n", text);
    else if (said.contains("error"))
      fmt::print(stderr, "trapline: {}{}{}\n", said.value("error", ""), said.value("hint", "").empty() ? "" : "\n  ",
                 said.value("hint", ""));
    else
      fmt::print("{}: {} ({:.1f} MB)\n", said.value("file", ""),
                 said.value("built", false) ? "indexed" : "was indexed already",
                 static_cast<double>(said.value("bytes", std::uint64_t{0})) / 1e6);
    std::fflush(stdout);
  }

 private:
  void progress(const Json& said) {
    if (!bars_ || std::chrono::steady_clock::now() - begun_ < worth_a_bar) return;
    bar_ = true;
    const auto all = said.value("of", std::uint64_t{0}), done = std::min(said.value("done", std::uint64_t{0}), all);
    const auto filled = all == 0 ? 0 : done * bar_width / all;
    fmt::print("\r\033[K{} [{:=<{}}{: <{}}] {:3} %", base_name(said.value("file", "")), "", filled, "",
               bar_width - filled, all == 0 ? 0 : done * 100 / all);
    std::fflush(stdout);
  }

  bool json_, bars_;
  bool bar_ = false;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

Result<int> run_lines(std::vector<std::string> words, Shown& shown) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Errc::os, "pipe", errno);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int problem = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (problem != 0) {
    ::close(ends[0]);
    return fail(Errc::os, fmt::format("{}: {}", words[0], std::strerror(problem)), problem);
  }
  std::FILE* from = ::fdopen(ends[0], "r");
  char* line = nullptr;
  std::size_t room = 0;
  for (ssize_t size = 0; from != nullptr && (size = ::getline(&line, &room, from)) > 0;)
    shown.line(std::string(line, static_cast<std::size_t>(line[size - 1] == '\n' ? size - 1 : size)));
  std::free(line);
  if (from != nullptr) std::fclose(from);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return fail(Errc::os, fmt::format("indexing was killed by signal {}", WTERMSIG(status)));
  return WEXITSTATUS(status);
}

}  // namespace

int index_verb(const Common& common, const std::vector<std::string>& files, const std::string& folder) {
  const auto daemon = find_daemon();
  if (daemon.empty())
    return failed(common, Error{.code = Errc::not_found,
                                .message = "traplined is neither beside this program nor in PATH",
                                .hint = "install it: it is what reads debug information"});
  std::vector<std::string> words{daemon, "--build-index"};
  words.insert(words.end(), files.begin(), files.end());
  if (!folder.empty()) words.insert(words.end(), {"--index-cache", folder});
  Shown shown(common.json);
  const auto ran = run_lines(std::move(words), shown);
  return ran ? *ran : failed(common, ran.error());
}

}  // namespace trapline::client
