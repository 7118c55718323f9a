#include "dap/shapes/breakpoints.hpp"

#include <fmt/format.h>

#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

std::string_view name_of(proto::BreakpointMode mode) {
  switch (mode) {
    case proto::BreakpointMode::automatic: return "auto";
    case proto::BreakpointMode::inline_pad: return "inline";
    case proto::BreakpointMode::trap: return "trap";
    case proto::BreakpointMode::hardware: return "hardware";
  }
  return "auto";
}

Result<proto::BreakpointMode> mode_from(const std::string& text) {
  if (text.empty()) return proto::BreakpointMode::automatic;
  using enum proto::BreakpointMode;
  for (const auto mode : {automatic, inline_pad, trap, hardware})
    if (name_of(mode) == text) return mode;
  return fail(Errc::bad_request, fmt::format("mode '{}' is none of auto, inline, trap, hardware", text));
}

}  // namespace

Result<proto::BreakpointSpec> breakpoint_spec(proto::BreakpointPlace place, const std::string& condition,
                                              const std::string& hit_condition, const std::string& mode) {
  TL_TRY(const auto parsed, mode_from(mode));
  return proto::BreakpointSpec{.place = std::move(place),
                               .condition = condition,
                               .hit_condition = hit_condition,
                               .log_message = {},
                               .mode = parsed,
                               .thread = std::nullopt,
                               .temporary = false};
}

proto::dap::Breakpoint shape_breakpoint(const proto::BreakpointInfo& info, Sources& sources,
                                        const Coordinates& coordinates) {
  proto::dap::Breakpoint shape{.id = info.id.value, .verified = info.verified, .message = info.message};
  if (!info.verified) {
    shape.reason = info.pending ? "pending" : "failed";
    if (shape.message.empty() && info.pending) shape.message = "not loaded yet; it is set as soon as the code is";
  }
  if (!info.locations.empty()) {
    const auto& location = info.locations.front();
    if (!location.file.empty()) {
      shape.source = sources.shape(location.file, coordinates);
      shape.line = coordinates.line(location.line);
      if (location.column > 0) shape.column = coordinates.column(location.column);
    }
    shape.instruction_reference = shape_address(location.address);
    if (shape.message.empty() && info.spec.mode != proto::BreakpointMode::automatic && info.spec.mode != location.mode)
      shape.message = fmt::format("placed as {}, not as {}", name_of(location.mode), name_of(info.spec.mode));
  } else if (const auto* place = std::get_if<proto::LinePlace>(&info.spec.place)) {
    shape.source = sources.shape(place->file, coordinates);
    shape.line = coordinates.line(place->line);
  }
  return shape;
}

proto::dap::Breakpoint failed_breakpoint(const Error& error) {
  proto::dap::Breakpoint shape{.message = error.message, .reason = "failed"};
  if (!error.hint.empty()) shape.message += "; " + error.hint;
  return shape;
}

}  // namespace trapline::dap
