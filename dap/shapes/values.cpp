#include "dap/shapes/values.hpp"

#include <fmt/format.h>

#include <charconv>

namespace trapline::dap {
namespace {

std::optional<std::int64_t> count(std::uint64_t number) {
  return number > 0 ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
}

}  // namespace

proto::dap::Value shape_value(const proto::ValueInfo& value, StopHandles& handles) {
  proto::dap::Value shape{.text = value.value, .type = value.type};
  if (value.ref.value != 0) {
    shape.variables_reference = handles.containers.add(value.ref, {value.ref, value.named, value.indexed});
    shape.named_variables = count(value.named);
    shape.indexed_variables = count(value.indexed);
  }
  if (value.memory) shape.memory_reference = shape_address(*value.memory);
  return shape;
}

proto::dap::VariablePresentationHint shape_hint(const proto::ValueInfo& value) {
  proto::dap::VariablePresentationHint hint;
  switch (value.kind) {
    case proto::ValueKind::base_class: hint.kind = "baseClass"; break;
    case proto::ValueKind::virtual_base: hint.kind = "baseClass"; break;
    case proto::ValueKind::static_member: hint.attributes.emplace_back("static"); break;
    case proto::ValueKind::return_value:
    case proto::ValueKind::data:
    case proto::ValueKind::register_:
    case proto::ValueKind::error: break;
  }
  if (value.read_only) hint.attributes.emplace_back("readOnly");
  return hint;
}

proto::dap::Variable shape_variable(const proto::ValueInfo& value, StopHandles& handles) {
  return {.name = value.name,
          .value = shape_value(value, handles),
          .evaluate_name = value.evaluate_name,
          .presentation_hint = shape_hint(value)};
}

proto::dap::Scope shape_scope(const proto::ScopeInfo& scope, StopHandles& handles) {
  proto::dap::Scope shape{.name = scope.name, .expensive = scope.expensive};
  switch (scope.kind) {
    case proto::ScopeKind::arguments: shape.presentation_hint = "arguments"; break;
    case proto::ScopeKind::locals: shape.presentation_hint = "locals"; break;
    case proto::ScopeKind::registers: shape.presentation_hint = "registers"; break;
    case proto::ScopeKind::globals: break;
  }
  if (scope.ref.value != 0)
    shape.variables_reference = handles.containers.add(scope.ref, {scope.ref, scope.named, scope.indexed});
  shape.named_variables = count(scope.named);
  shape.indexed_variables = count(scope.indexed);
  return shape;
}

proto::dap::Module shape_module(const proto::ModuleInfo& module) {
  proto::dap::Module shape{.id = module.id.value, .name = module.name, .path = module.path};
  if (module.has_debug_info) shape.is_optimized = module.optimized;
  shape.symbol_status = module.has_debug_info ? "debug information"
                        : module.has_symbols  ? "symbols only"
                                              : "no symbols";
  if (module.has_debug_info) shape.symbol_file_path = module.debug_file.empty() ? module.path : module.debug_file;
  if (!module.range.empty())
    shape.address_range = fmt::format("{}-{}", shape_address(module.range.begin), shape_address(module.range.end));
  return shape;
}

std::string shape_address(LoadAddr at) { return fmt::format("0x{:x}", at.value); }

Result<LoadAddr> parse_address(const std::string& reference, std::int64_t offset) {
  const bool hex = reference.starts_with("0x") || reference.starts_with("0X");
  const char* first = reference.data() + (hex ? 2 : 0);
  const char* last = reference.data() + reference.size();
  std::uint64_t value = 0;
  const auto [rest, problem] = std::from_chars(first, last, value, hex ? 16 : 10);
  if (first == last || rest != last || problem != std::errc{})
    return fail(Errc::bad_request, fmt::format("'{}' is no memory reference; write an address as 0x401000", reference));
  const auto moved = value + static_cast<std::uint64_t>(offset);
  if ((offset > 0 && moved < value) || (offset < 0 && moved > value))
    return fail(Errc::bad_request,
                fmt::format("{} with the offset {} is outside the address space", reference, offset));
  return LoadAddr{moved};
}

}  // namespace trapline::dap
