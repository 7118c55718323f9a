#pragma once
// What main() runs of this room.
#include <span>
#include <string>
#include <vector>

#include "daemon/util/fd.hpp"
#include "proto/rpc/codec.hpp"
#include "proto/words/result.hpp"

namespace trapline::serve {

struct SessionSetup {
  int channel = -1;  // to the lobby
  std::string wire_log;
  std::string executable;    // path of traplined, for terminals
  std::string index_folder;  // empty: the user's cache folder
};
// `traplined --session FD`. The calling thread becomes the tracer.
Result<void> run_session(const SessionSetup& setup);

// `traplined --build-index FILE...`: builds the indexes of these programs' debug information ahead of time. Prints what
// happens as JSON objects, one a line: {file, done, of} while it works, then {file, debugFile, index, bytes, built} or
// {file, error}. The exit code: 1 where one failed.
int index_ahead(const std::vector<std::string>& files, const std::string& folder);

// `traplined --wait-for-tracer SOCKET [--no-aslr] [--stdin FILE]... -- ARGV`: what a terminal is asked to run. Says who
// it is, waits until it is traced, and becomes ARGV. Returns only where it cannot; the message is for the terminal.
struct Waiting {
  std::string socket;
  bool no_aslr = false;
  std::string in, out, err;  // files for its standard streams; empty: the terminal's
  std::vector<std::string> argv;
};
Error wait_for_tracer(const Waiting& waiting);

// DAP's answer to `initialize`, for the lobby: messages with `seq`, and whether the client was accepted.
struct Answered {
  std::vector<rpc::Json> messages;
  bool accepted = false;
};
Result<Answered> answer_initialize(const rpc::Json& request, std::int64_t last_seq);
rpc::Json launch_schema();
rpc::Json attach_schema();

}  // namespace trapline::serve
