#pragma once
// The child's side of a spawn: what runs between fork and exec. The daemon may have threads, so everything here is a
// bare system call on memory that the parent prepared (signal-safety(7)).
#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace trapline::os {

enum class ChildStep : std::int32_t {
  aslr_refused = 1,  // a note: the child goes on
  new_session,
  open_pty,
  take_terminal,
  set_groups,
  set_group,
  set_user,
  change_directory,
  open_stdin,
  open_stdout,
  open_stderr,
  arrange_files,
  exec,
};

// One message of the child through the report pipe (smaller than PIPE_BUF: never torn).
struct ChildReport {
  ChildStep step{};
  std::int32_t os_errno = 0;
};

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Pointers into the plan and into vectors of the parent; null is "none". Descriptors are all above 2.
struct ChildOrders {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* cwd = nullptr;
  const char* pty = nullptr;
  const char* in = nullptr;
  const char* out = nullptr;
  const char* err = nullptr;
  bool err_is_out = false;  // the same file: opened once, so that neither truncates the other
  int err_pipe = -1;
  int gate = -1;    // read end: one byte is "go", end of file is "the parent is gone"
  int report = -1;  // write end, close-on-exec: its closing is the sign of a successful exec
  const Identity* identity = nullptr;
  bool disable_aslr = true;
};

// Signals are blocked when it begins.
[[noreturn]] void become(const ChildOrders& orders);

}  // namespace trapline::os
