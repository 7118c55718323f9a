#pragma once
// Starting a debuggee: fork, wait at a gate in the child until we have seized it, exec. No PTRACE_TRACEME, no SIGSTOP.
#include <chrono>
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
  // From fork to exec. What can last is the opening of a standard file: a FIFO without its other end, a dead mount.
  std::chrono::milliseconds limit{10000};
};
struct Spawned {
  Pid pid;
  bool aslr_disabled = true;  // false: it was asked for, and personality(2) was refused; say so to the user
};
// The child is seized with `trace_options` and exec, and stopped at PTRACE_EVENT_EXEC of argv[0]; its waits so far are
// consumed. It has default signals, an empty mask, no file of ours but the three, and a process group of its own (a
// session where it gets a pty). A relative argv[0] with a slash counts from `cwd`.
// Errors: not_executable with the reason (missing, a folder, no permission, no ELF, 32 bit, other machine), from
// check_program or from the errno that the child sends back of execve, chdir and open; no_permission (other user),
// not_found (no such user), timeout. Nothing of the child is left then.
Result<Spawned> spawn_seized(const OnTracer&, SpawnPlan plan, unsigned trace_options);
// The same refusals without starting anything. Scripts (#!) are accepted and followed to the interpreter's ELF class.
Result<void> check_program(const std::string& path);
Result<std::string> find_in_path(const std::string& program, const std::vector<std::string>& env,
                                 const std::string& cwd);

}  // namespace trapline::os
