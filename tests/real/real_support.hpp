#pragma once
// Programs that were built from Debian's sources (tests/real/build.sh), and what the cases over them share.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/live/daemon_support.hpp"

namespace trapline::test {

inline std::filesystem::path real_folder() {
  if (const char* own = std::getenv("TRAPLINE_REAL_DIR")) return own;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::filesystem::path(cache) / "trapline-tests/real";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : "/root") / ".cache/trapline-tests/real";
}
inline std::string real(std::string_view level, std::string_view program) {
  return (real_folder() / level / program).string();
}

// A folder of the case's own.
class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/trapline-real-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name) << text;
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

inline json wait_stop(RpcClient& client) { return client.call("execution.wait", {{"timeoutMs", patience.count()}}); }
inline json go(RpcClient& client) {
  client.call("execution.continue");
  return wait_stop(client);
}
inline json step(RpcClient& client, std::string_view how) {
  client.call(fmt::format("execution.{}", how));
  return wait_stop(client);
}
// A breakpoint that has a place; its id.
inline json break_at(RpcClient& client, json where) {
  const auto answer = client.call("breakpoint.set", std::move(where));
  REQUIRE_MESSAGE(answer["verified"] == true, answer.dump());
  REQUIRE(!answer["locations"].empty());
  return answer["id"];
}
inline std::vector<std::string> functions(RpcClient& client, json which = json::object()) {
  std::vector<std::string> names;
  const auto stack = client.call("thread.stack", std::move(which));
  for (const auto& frame : stack["frames"]) names.push_back(frame["function"]);
  return names;
}
inline bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}
inline std::string value_of(RpcClient& client, std::string_view expression, json frame = {}) {
  json params{{"expression", expression}};
  if (!frame.is_null()) params["frame"] = std::move(frame);
  return client.call("evaluate", std::move(params))["value"];
}
// Arguments and locals of a frame by name.
inline std::map<std::string, json> variables(RpcClient& client, std::uint32_t level) {
  std::map<std::string, json> found;
  const auto frames = client.call("thread.stack", {{"start", level}, {"count", 1}})["frames"];
  REQUIRE(frames.size() == 1);
  for (const auto& scope : client.call("frame.scopes", {{"frame", frames[0]["id"]}}))
    if (scope["kind"] == "arguments" || scope["kind"] == "locals")
      for (const auto& value : client.call("value.children", {{"ref", scope["ref"]}})) found[value["name"]] = value;
  return found;
}

// Whether nothing of ours is left in a process: its code is the file's, nobody traces it, no thread of it stands still.
inline void check_untouched(pid_t pid) {
  const auto exe = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid)).string();
  const auto file = read_file(exe);
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  std::ifstream memory(fmt::format("/proc/{}/mem", pid), std::ios::binary);
  std::size_t compared = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("r-xp") == std::string::npos || !line.ends_with(exe)) continue;
    unsigned long begin = 0, end = 0, offset = 0;
    REQUIRE(std::sscanf(line.c_str(), "%lx-%lx r-xp %lx", &begin, &end, &offset) == 3);
    std::string code(std::min<std::size_t>(end - begin, file.size() - offset), '\0');
    memory.seekg(static_cast<std::streamoff>(begin));
    REQUIRE(memory.read(code.data(), static_cast<std::streamsize>(code.size())).good());
    CHECK_MESSAGE(file.compare(offset, code.size(), code) == 0, "the code of " << exe << " is not the file's");
    compared += code.size();
  }
  CHECK(compared > 0);
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    const auto status = read_file((task.path() / "status").string());
    CHECK_MESSAGE(status.find("TracerPid:\t0\n") != std::string::npos, status);
    CHECK_MESSAGE(status.find("State:\tT") == std::string::npos, status);
    CHECK_MESSAGE(status.find("State:\tt") == std::string::npos, status);
  }
}

}  // namespace trapline::test
