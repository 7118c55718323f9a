#pragma once
// /proc as the other rooms need it. Source: proc(5). Thread: any. A process may go at any moment: no_process then.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

struct ProcessStatus {
  std::string comm;
  char state = '?';  // R S D T t Z X
  Pid tgid;
  Pid parent;
  Pid tracer;  // 0: none
  uid_t real_uid = 0;
  uid_t effective_uid = 0;
  bool kernel_thread = false;
};
Result<ProcessStatus> process_status(Tid tid);  // of a process (its main thread) or of any thread
Result<std::vector<Tid>> threads_of(Pid pid);
Result<std::string> thread_name(Pid pid, Tid tid);
Result<std::string> executable_of(Pid pid);  // readlink exe, " (deleted)" kept off
Result<std::vector<std::string>> command_line(Pid pid);
bool has_random_addresses(Pid pid);  // personality(2) lacks ADDR_NO_RANDOMIZE; false where it cannot be read
std::vector<Pid> all_processes();
// Glob on the base name of exe, or on comm. Ascending.
std::vector<Pid> processes_named(std::string_view glob);

struct Mapping {
  LoadRange range;
  bool readable = false, writable = false, executable = false, shared = false;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;  // major << 32 | minor
  std::uint64_t inode = 0;
  std::string path;      // "" anonymous, "[vdso]", "[stack]"; " (deleted)" kept off
  bool deleted = false;  // the file has no such name any more (rebuilt while it runs)
};
Result<std::vector<Mapping>> mappings(Pid pid);

struct AuxVector {
  std::uint64_t phdr = 0, phent = 0, phnum = 0, base = 0, entry = 0, vdso = 0, execfn = 0;
};
Result<AuxVector> auxiliary_vector(Pid pid);
// Field 22 of /proc/PID/stat: with the pid it names a process for good (pids are used again).
Result<std::uint64_t> start_time(Pid pid);

// Checks before an attach, each refusal with its reason and the fix: gone, zombie, ours, kernel thread, another user's,
// traced already (by whom), yama, 32-bit. Ok: may be tried.
Result<void> check_attachable(Pid pid);
// Explains a refused PTRACE_SEIZE (EPERM) the same way.
Error explain_refusal(Pid pid, int os_errno);

}  // namespace trapline::os
