#pragma once
// From what a user said (LaunchSpec) to what os/ spawns: the program's path, argv, environment.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/os/spawn.hpp"
#include "proto/control.hpp"

namespace trapline::session {

// `base`: the environment to start from. Errors: not_found (envFile), bad_request (a line without =, with its number).
Result<std::vector<std::string>> environment_of(const proto::LaunchSpec& spec, const std::vector<std::string>& base);
std::vector<std::string> own_environment();
// What the user changes about the environment, in order; nullopt takes a variable away. Without `inherit_env` it is all
// there is. Errors: as above.
using EnvironmentChanges = std::vector<std::pair<std::string, std::optional<std::string>>>;
Result<EnvironmentChanges> environment_changes(const proto::LaunchSpec& spec);

struct ResolvedLaunch {
  std::string program;            // absolute where it could be found
  std::vector<std::string> argv;  // wrapper, program, args
  std::vector<std::string> env;
  std::string cwd;
};
// Errors: not_executable and its reasons, not_found (cwd).
Result<ResolvedLaunch> resolve_launch(const proto::LaunchSpec& spec);

}  // namespace trapline::session
