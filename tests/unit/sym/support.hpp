#pragma once
// Fixtures and the tools whose answers are compared with ours.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "daemon/sym/module.hpp"

namespace trapline::test {

inline std::string fixture(std::string_view name) { return fmt::format("{}/{}", TL_FIXTURES, name); }

inline std::shared_ptr<const sym::Module> open(const std::string& path, const sym::SearchOptions& options = {}) {
  auto module = sym::Module::open(path, ModuleId{1}, options);
  REQUIRE_MESSAGE(module, path << ": " << (module ? "" : module.error().message));
  return *module;
}
inline std::shared_ptr<const sym::Module> open_fixture(std::string_view name) { return open(fixture(name)); }

inline Line mark(std::string_view file, std::string_view name) {
  std::ifstream source(fmt::format("{}/{}", TL_FIXTURE_SOURCES, file));
  REQUIRE(source.good());
  const auto wanted = fmt::format("MARK: {}", name);
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    const auto at = line.find(wanted);
    if (at != std::string::npos && at + wanted.size() == line.size()) return {number};
  }
  FAIL("no mark " << name);
  return {};
}

// Standard output of a command, line by line; the test fails where the command does.
inline std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> lines;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  REQUIRE_MESSAGE(::pclose(pipe) == 0, command);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return lines;
}

// A folder that goes when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "trapline-sym-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace trapline::test
