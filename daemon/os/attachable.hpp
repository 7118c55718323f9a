#pragma once
// Why a process cannot be attached to, as a pure function of facts: the machine at hand has one user, one yama setting
// and one kernel, the rules have to be right on all of them.
#include <optional>
#include <string>

#include "daemon/os/proc.hpp"
#include "proto/words/error.hpp"

namespace trapline::os {

struct AttachFacts {
  Pid pid;
  bool exists = true;
  ProcessStatus status;
  std::string user;         // name of status.real_uid
  std::string tracer_comm;  // of status.tracer
  bool is_self = false;     // our own process
  bool is_ancestor = false;
  bool elf32 = false;
  bool dumpable = true;  // false: /proc/PID belongs to root although the process does not (prctl(2), PR_SET_DUMPABLE)
  std::optional<int> yama_scope;  // /proc/sys/kernel/yama/ptrace_scope; nullopt: no yama
  uid_t our_uid = 0;
  bool can_trace_all = false;  // CAP_SYS_PTRACE
};

AttachFacts gather_attach_facts(Pid pid);

// What is known to refuse before a try. nullopt: try it.
std::optional<Error> refusal(const AttachFacts& facts);

// The most likely reason for `os_errno` of a try; what refusal() cannot know (yama scope 1 allows descendants).
Error explanation(const AttachFacts& facts, int os_errno);

}  // namespace trapline::os
