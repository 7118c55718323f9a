#include "proto/words/error.hpp"

namespace trapline {

Blame blame_for(Errc code) {
  switch (code) {
    case Errc::bad_request:
    case Errc::unknown_request:
    case Errc::wrong_state:
    case Errc::not_stopped:
    case Errc::no_debuggee:
    case Errc::cancelled:
    case Errc::too_large:
    case Errc::unsupported:
    case Errc::not_found:
    case Errc::stale_reference:
    case Errc::bad_expression:
    case Errc::bad_address:
    case Errc::not_available:
    case Errc::not_executable:
    case Errc::no_process:
    case Errc::already_traced:
    case Errc::kernel_thread:
    case Errc::hw_slots_full: return Blame::user;
    case Errc::no_permission:
    case Errc::os:
    case Errc::bad_debug_info:
    case Errc::connection:
    case Errc::timeout: return Blame::environment;
    case Errc::thread_gone:
    case Errc::process_gone: return Blame::nobody;
    case Errc::internal: return Blame::us;
  }
  return Blame::us;
}

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::bad_request: return "bad_request";
    case Errc::unknown_request: return "unknown_request";
    case Errc::wrong_state: return "wrong_state";
    case Errc::not_stopped: return "not_stopped";
    case Errc::no_debuggee: return "no_debuggee";
    case Errc::cancelled: return "cancelled";
    case Errc::too_large: return "too_large";
    case Errc::unsupported: return "unsupported";
    case Errc::not_found: return "not_found";
    case Errc::stale_reference: return "stale_reference";
    case Errc::bad_expression: return "bad_expression";
    case Errc::bad_address: return "bad_address";
    case Errc::not_available: return "not_available";
    case Errc::not_executable: return "not_executable";
    case Errc::no_process: return "no_process";
    case Errc::already_traced: return "already_traced";
    case Errc::kernel_thread: return "kernel_thread";
    case Errc::no_permission: return "no_permission";
    case Errc::thread_gone: return "thread_gone";
    case Errc::process_gone: return "process_gone";
    case Errc::hw_slots_full: return "hw_slots_full";
    case Errc::os: return "os";
    case Errc::bad_debug_info: return "bad_debug_info";
    case Errc::connection: return "connection";
    case Errc::timeout: return "timeout";
    case Errc::internal: return "internal";
  }
  return "internal";
}

std::string_view name_of(Blame blame) {
  switch (blame) {
    case Blame::user: return "user";
    case Blame::environment: return "environment";
    case Blame::nobody: return "nobody";
    case Blame::us: return "us";
  }
  return "us";
}

}  // namespace trapline
