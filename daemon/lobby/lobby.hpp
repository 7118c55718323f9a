#pragma once
// The daemon's first process: listens, checks who comes, answers what needs no debuggee, hands connections to session
// processes, and guards their debuggees. It parses no DWARF and holds no debuggee.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/lobby/visitor.hpp"
#include "proto/rpc/codec.hpp"
#include "proto/words/result.hpp"

namespace trapline::lobby {

struct Options {
  std::vector<std::string> listen;  // empty: what was inherited, else the default address
  std::optional<std::chrono::milliseconds> idle_exit;
  std::string token_file;  // empty: `token` in the house
  std::string wire_log;
  std::vector<std::string> session_arguments;  // for session processes
  // What only the DAP room knows.
  std::function<Result<Greeting>(const rpc::Json& request, std::int64_t last_seq)> greet;
  rpc::Json launch_schema;
  rpc::Json attach_schema;
};

// Runs until SIGTERM, SIGINT or the idle limit; the sessions have ended then. Errors: what kept it from starting.
Result<void> run(const Options& options);

}  // namespace trapline::lobby
