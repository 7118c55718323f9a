#pragma once
// The verbs of `trapline`, a file each. Each returns the program's exit code: 0 done, 1 the target or request failed.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/daemon_process.hpp"
#include "proto/words/result.hpp"

namespace trapline::client {

struct Common {
  Where where;
  bool json = false;
};

struct RunOptions {
  std::string program;
  std::vector<std::string> args;
  std::string cwd;
  std::vector<std::string> env;      // NAME=VALUE
  std::vector<std::string> execute;  // prompt commands to run first
  bool stop_at_main = false;
  bool keep_aslr = false;
  std::vector<std::string> wrapper;
};

int run_verb(const Common& common, const RunOptions& options);
int attach_verb(const Common& common, const std::string& pid_or_name, bool wait,
                const std::vector<std::string>& execute);
int join_verb(const Common& common, const std::string& session, const std::vector<std::string>& execute);
int stack_verb(const Common& common, const std::string& pid_or_name);
int sessions_verb(const Common& common);
int stats_verb(const Common& common, bool watch);
int rpc_verb(const Common& common, const std::string& method, const std::string& params);
int rpc_script_verb(const Common& common, const std::string& file);
int dap_verb(const Common& common);
int index_verb(const Common& common, const std::vector<std::string>& files, const std::string& folder);
int doctor_verb(const Common& common);

// Prints an error the way all verbs do, and returns 1.
int failed(const Common& common, const Error& error);

}  // namespace trapline::client
