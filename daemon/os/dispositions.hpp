#pragma once
// What a process does with its signals, from /proc/PID/status.
#include <cstdint>

#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

struct Dispositions {
  std::uint64_t ignored = 0;  // bit N-1 is signal N
  std::uint64_t caught = 0;
  std::uint64_t pending = 0;  // of the thread and of its process
  std::uint64_t blocked = 0;
  // The thread watches its own system calls (seccomp(2)): in strict mode, or with filters that we do not have, too. One
  // that we made in its name may be its death.
  bool filters_calls = false;
  // The processor checks its returns against a second stack (CET): a return done on its registers would end it.
  bool shadow_stack = false;
  bool ignores(int signal) const { return (ignored >> (signal - 1) & 1) != 0; }
  bool catches(int signal) const { return (caught >> (signal - 1) & 1) != 0; }
};
// Of any live thread's process. Errors: no_process, no_permission, os. Thread: any.
Result<Dispositions> dispositions(Tid tid);

}  // namespace trapline::os
