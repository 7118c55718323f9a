#pragma once
// Errors are values with an owner: who has to act is part of what went wrong.
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

namespace trapline {

// The numbers go over the wire (JSON-RPC `code`, DAP `error.id`): one table, never renumbered.
enum class Errc : std::int32_t {
  bad_request = 1000,  // wrong type, missing argument, malformed text
  unknown_request = 1001,
  wrong_state = 1002,  // the request exists, but not now (not stopped, no debuggee)
  not_stopped = 1003,
  no_debuggee = 1004,
  cancelled = 1005,
  too_large = 1006,
  unsupported = 1007,
  not_found = 1100,        // a file, function, module, thread or frame that was named
  stale_reference = 1101,  // a frame or value of an earlier stop
  bad_expression = 1102,
  bad_address = 1103,
  not_available = 1104,   // optimised out, or unknown to the debug information
  not_executable = 1200,  // the program to launch: missing, no ELF, wrong machine
  no_process = 1201,
  already_traced = 1202,
  kernel_thread = 1203,
  no_permission = 1204,
  thread_gone = 1300,  // news, not a bug: SIGKILL or exec took it
  process_gone = 1301,
  hw_slots_full = 1302,
  os = 1400,  // any other errno; see os_errno
  bad_debug_info = 1401,
  connection = 1402,
  timeout = 1403,
  internal = 1500,  // ours
};

enum class Blame : std::uint8_t { user, environment, nobody, us };  // who has to act

struct Error {
  Errc code = Errc::internal;
  std::string message;
  int os_errno = 0;
  std::string hint;  // what to do about it; may be empty
  std::source_location where = std::source_location::current();
};

Blame blame_for(Errc code);
std::string_view name_of(Errc code);    // "bad_request"
std::string_view name_of(Blame blame);  // "user"

}  // namespace trapline
