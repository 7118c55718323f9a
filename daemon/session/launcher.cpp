#include "daemon/session/launcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace trapline::session {
namespace {

void set_variable(std::vector<std::string>& env, std::string_view name, std::optional<std::string_view> value) {
  std::erase_if(env, [&](const std::string& entry) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
  });
  if (value) env.push_back(fmt::format("{}={}", name, *value));
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// A line as VS Code's users write it: NAME=value, quotes around the value taken off, `export` allowed, # begins a
// comment line.
Result<void> read_env_file(EnvironmentChanges& changes, const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return fail_hint(Errc::not_found, fmt::format("envFile {} cannot be read", path), "check the path in launch.json");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    auto text = trimmed(line);
    if (text.empty() || text.starts_with('#')) continue;
    if (text.starts_with("export ")) text = trimmed(text.substr(7));
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail_hint(Errc::bad_request, fmt::format("envFile {}:{}: no NAME=value: {}", path, number, text),
                       "one NAME=value a line");
    auto value = trimmed(text.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    changes.emplace_back(trimmed(text.substr(0, equals)), value);
  }
  return {};
}

}  // namespace

std::vector<std::string> own_environment() {
  std::vector<std::string> env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) env.emplace_back(*entry);
  return env;
}

Result<std::vector<std::string>> environment_of(const proto::LaunchSpec& spec, const std::vector<std::string>& base) {
  auto env = spec.inherit_env ? base : std::vector<std::string>{};
  TL_TRY(const auto changes, environment_changes(spec));
  for (const auto& [name, value] : changes) set_variable(env, name, value);
  return env;
}

Result<EnvironmentChanges> environment_changes(const proto::LaunchSpec& spec) {
  EnvironmentChanges changes;
  if (!spec.env_file.empty()) TL_TRY_VOID(read_env_file(changes, spec.env_file));
  changes.insert(changes.end(), spec.env.begin(), spec.env.end());
  return changes;
}

Result<ResolvedLaunch> resolve_launch(const proto::LaunchSpec& spec) {
  namespace fs = std::filesystem;
  if (spec.program.empty())
    return fail_hint(Errc::bad_request, "no program to launch", "set `program` to the path of an executable");
  ResolvedLaunch launch;
  std::error_code ignored;
  launch.cwd = spec.cwd;
  if (!spec.cwd.empty() && !fs::is_directory(spec.cwd, ignored))
    return fail_hint(Errc::not_found, fmt::format("cwd {} is not a folder", spec.cwd),
                     "set `cwd` to a folder that exists");
  TL_TRY(launch.env, environment_of(spec, own_environment()));
  TL_TRY(launch.program, os::find_in_path(spec.program, launch.env, launch.cwd));
  TL_TRY_VOID(os::check_program(launch.program));
  launch.argv = spec.wrapper;
  launch.argv.push_back(launch.program);
  std::ranges::copy(spec.args, std::back_inserter(launch.argv));
  return launch;
}

}  // namespace trapline::session
