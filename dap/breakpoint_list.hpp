#pragma once
// One client's breakpoints. Each set...Breakpoints request says what a group (a file, the functions, the addresses) is
// to hold from now on; what stays keeps its id and its hit count, and only the difference reaches the debuggee, as one
// edit.
//
// Other clients' breakpoints are not in here and are never touched. Cost of a request: the group's size; of an event:
// O(1).
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dap/shapes/breakpoints.hpp"
#include "proto/control.hpp"

namespace trapline::dap {

class BreakpointList {
 public:
  BreakpointList(proto::Control& control, Sources& sources, const Coordinates& coordinates)
      : control_(control), sources_(sources), coordinates_(coordinates) {}

  // Answers stand in the order of `wanted`; an element that is an error becomes a failed breakpoint.
  Result<std::vector<proto::dap::Breakpoint>> set(const std::string& group,
                                                  const std::vector<Result<proto::BreakpointSpec>>& wanted);
  // What the client is to be told about this news; nullopt: nothing (not its own, or nothing that it can see).
  std::optional<proto::dap::Breakpoint> changed(const proto::BreakpointInfo& info);
  std::optional<proto::dap::Breakpoint> removed(BreakpointId id);
  // Takes all of them away: the client has left while others stay.
  void clear();
  // "breakpoint", "function breakpoint" or "instruction breakpoint": the DAP reason of a stop at `hit`.
  std::string stop_reason(std::span<const BreakpointId> hit) const;

 private:
  struct Own {
    proto::BreakpointSpec spec;
    proto::dap::Breakpoint last_told;
  };

  proto::Control& control_;
  Sources& sources_;
  const Coordinates& coordinates_;
  std::unordered_map<BreakpointId, Own> own_;
  std::unordered_map<std::string, std::vector<BreakpointId>> groups_;
};

}  // namespace trapline::dap
