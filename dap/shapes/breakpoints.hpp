#pragma once
// Breakpoints: what the client asks -> model, and what became of it -> DAP.
#include <optional>
#include <string>

#include "dap/shapes/sources.hpp"
#include "proto/control.hpp"
#include "proto/dap/types.hpp"

namespace trapline::dap {

// What can be asked of every kind. Errors: bad_request (a mode that does not exist).
Result<proto::BreakpointSpec> breakpoint_spec(proto::BreakpointPlace place, const std::string& condition,
                                              const std::string& hit_condition, const std::string& mode);

proto::dap::Breakpoint shape_breakpoint(const proto::BreakpointInfo& info, Sources& sources,
                                        const Coordinates& coordinates);
// One that cannot be set at all, with the reason.
proto::dap::Breakpoint failed_breakpoint(const Error& error);

}  // namespace trapline::dap
