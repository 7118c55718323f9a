#pragma once
// Starting a debuggee: fork, wait at a gate in the child until we have seized it, exec. No PTRACE_TRACEME, no SIGSTOP.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/os/tracer_thread.hpp"
#include "daemon/util/fd.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

struct Pty {
  util::Fd master;
  std::string slave_path;
};
Result<Pty> open_pty();  // raw enough that output is not doubled: ECHO off, ONLCR off

struct SpawnPlan {
  std::vector<std::string> argv;  // argv[0] is found through PATH of `env` when it has no slash
  std::string cwd;                // empty: ours
  std::vector<std::string> env;   // "A=B", complete
  std::string stdin_path, stdout_path,
      stderr_path;  // empty: the pty where one is given, else /dev/null for stdin and ours for the rest
  std::optional<std::string> pty_slave;  // becomes the controlling terminal, with a session of its own
  util::Fd stderr_pipe;                  // optional: stderr apart from the pty, so that output can be categorised
  bool disable_aslr = true;
  std::string user;  // empty: ours
};
struct Spawned {
  Pid pid;
  bool aslr_disabled = true;  // false: personality(2) was refused; say so to the user
};
// The child is seized (clone, fork, vfork, exec, exit events) and stopped at PTRACE_EVENT_EXEC of argv[0].
// Errors: not_executable with the reason (missing, a folder, no permission, no ELF, 32 bit, other machine), from
// check_program or from execve's errno which the child sends back through the gate.
Result<Spawned> spawn_seized(const OnTracer&, SpawnPlan plan, unsigned trace_options);
// The same refusals without starting anything. Scripts (#!) are accepted and followed to the interpreter's ELF class.
Result<void> check_program(const std::string& path);
Result<std::string> find_in_path(const std::string& program, const std::vector<std::string>& env,
                                 const std::string& cwd);

}  // namespace trapline::os
