#pragma once
// Frames: model -> DAP, and the name that a StackFrameFormat asks for.
#include "dap/handles.hpp"
#include "dap/shapes/sources.hpp"
#include "proto/control.hpp"
#include "proto/dap/types.hpp"

namespace trapline::dap {

proto::dap::StackFrame shape_frame(const proto::FrameInfo& frame, StopHandles& handles, Sources& sources,
                                   const Coordinates& coordinates);
// "module!function(int a=1) Line 12", as far as `format` asks. Asks `control` for arguments only where it must.
std::string formatted_name(const proto::FrameInfo& frame, const proto::dap::StackFrameFormat& format,
                           proto::Control& control, const Coordinates& coordinates);

}  // namespace trapline::dap
