#include "dap/shapes/frames.hpp"

#include <fmt/format.h>

#include "dap/shapes/values.hpp"

namespace trapline::dap {
namespace {

// "f(int)::g(char) const" -> "f(int)::g": cuts the last argument list and what follows it, by counting brackets from
// the end, since names hold lists of their own ("operator()", templates, local classes).
std::string_view without_parameters(std::string_view name) {
  const auto close = name.rfind(')');
  if (close == std::string_view::npos) return name;
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) return name.substr(0, i).ends_with("operator") ? name : name.substr(0, i);
  }
  return name;
}

std::string parameters(FrameId frame, const proto::dap::StackFrameFormat& format, proto::Control& control) {
  const auto scopes = control.scopes(frame);
  if (!scopes) return {};
  std::string text;
  for (const auto& scope : *scopes) {
    if (scope.kind != proto::ScopeKind::arguments || scope.ref.value == 0) continue;
    const auto values = control.children(scope.ref, 0, 0, {.hex = format.hex});
    if (!values) return {};
    for (const auto& value : *values) {
      std::string one;
      if (format.parameter_types) one = value.type;
      if (format.parameter_names) one += (one.empty() ? "" : " ") + value.name;
      if (format.parameter_values) one += (one.empty() ? "" : "=") + value.value;
      text += (text.empty() ? "" : ", ") + one;
    }
  }
  return text;
}

}  // namespace

proto::dap::StackFrame shape_frame(const proto::FrameInfo& frame, StopHandles& handles, Sources& sources,
                                   const Coordinates& coordinates) {
  proto::dap::StackFrame shape{.id = handles.frames.add(frame.id, frame.id), .name = frame.function};
  if (!frame.file.empty()) {
    shape.source = sources.shape(frame.file, coordinates);
    shape.line = coordinates.line(frame.line);
    shape.column = coordinates.column(frame.column);
  }
  if (frame.kind == proto::FrameKind::broken) {
    shape.presentation_hint = "label";
    return shape;
  }
  shape.instruction_pointer_reference = shape_address(frame.pc);
  if (frame.module) shape.module_id = frame.module->value;
  if (!frame.user_code || frame.kind == proto::FrameKind::no_symbols) shape.presentation_hint = "subtle";
  return shape;
}

std::string formatted_name(const proto::FrameInfo& frame, const proto::dap::StackFrameFormat& format,
                           proto::Control& control, const Coordinates& coordinates) {
  std::string name = frame.function;
  if (frame.kind == proto::FrameKind::broken) return name;
  const bool list = format.parameter_types || format.parameter_names || format.parameter_values;
  if (format.parameters == false)
    name = without_parameters(name);
  else if (format.parameters == true && list)
    name = fmt::format("{}({})", without_parameters(name), parameters(frame.id, format, control));
  if (format.module && !frame.module_name.empty()) name = fmt::format("{}!{}", frame.module_name, name);
  if (format.line && frame.line.value > 0) name += fmt::format(" Line {}", coordinates.line(frame.line));
  return name;
}

}  // namespace trapline::dap
