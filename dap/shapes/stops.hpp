#pragma once
// Stops, output and the other news of a debuggee: model -> DAP event bodies.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dap/shapes/sources.hpp"
#include "proto/control.hpp"
#include "proto/dap/events.hpp"

namespace trapline::dap {

proto::dap::StoppedBody shape_stop(const proto::StoppedEvent& event);
proto::dap::ExitedBody shape_exit(const proto::ExitStatus& status);
// "killed by SIGSEGV (core dumped)"; an exit code cannot tell that apart from an exit with 139.
std::optional<std::string> death_note(const proto::ExitStatus& status);
proto::dap::ProcessBody shape_process(const proto::ProcessInfo& process);
std::string_view shape_change(proto::Change change);  // "new", "changed", "removed"
std::string_view shape_category(proto::OutputCategory category);

// Program output comes in pieces of any length, and a character may be cut in two. Holds back the first bytes of a
// character until the rest is here.
class Utf8Joiner {
 public:
  std::string join(std::string_view piece);
  std::string rest() { return std::exchange(held_, {}); }

 private:
  std::string held_;  // at most 3 bytes
};

}  // namespace trapline::dap
