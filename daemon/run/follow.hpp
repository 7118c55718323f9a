#pragma once
// From a program that was started to the program that is to be debugged: through the execs, and the forks, of wrappers
// (env, numactl, sudo, xvfb-run). Everything on the way runs undisturbed, and is let go when the program was found.
#include <sys/types.h>
#include <chrono>
#include <optional>
#include <string>

#include "daemon/os/tracer_thread.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

// Which file a process must have exec'd. A script is known by its interpreter and by being among the arguments.
class ProgramFile {
 public:
  static Result<ProgramFile> of(const std::string& path);
  bool runs_in(Pid pid) const;
  const std::string& path() const { return path_; }

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  static std::optional<Identity> identity(const std::string& path);
  std::string path_;
  Identity executable_;
  std::optional<Identity> script_;
};

// `first` is seized with trace_options; `stopped_at_exec`: in its PTRACE_EVENT_EXEC, else running. The process that
// runs `program`, stopped in its PTRACE_EVENT_EXEC, alone in our hands. Errors: not_executable (the wrapper ended
// without it), timeout.
Result<Pid> follow_to_program(const os::OnTracer& tracer, Pid first, bool stopped_at_exec, const ProgramFile& program,
                              std::chrono::seconds timeout);

}  // namespace trapline::run
