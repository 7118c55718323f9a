#include "daemon/sym/methods.hpp"

#include "daemon/sym/dwarf_handle.hpp"

namespace trapline::sym {
namespace {

// DWARF 5, table 7.22 and 7.24; older compilers write both attributes in DWARF 4 too.
constexpr std::uint64_t cc_pass_by_reference = 4, cc_pass_by_value = 5;
constexpr std::uint64_t defaulted_in_class = 1;

std::optional<std::uint64_t> vtable_slot(const Dwarf_Die& die) {
  Dwarf_Attribute attr;
  if (!attribute(die, DW_AT_vtable_elem_location, attr)) return std::nullopt;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&attr, &ops, &count) == 0 && count == 1 &&
      (ops[0].atom == DW_OP_constu || ops[0].atom == DW_OP_const1u || ops[0].atom == DW_OP_const2u))
    return ops[0].number;
  if (count == 1 && ops != nullptr && ops[0].atom >= DW_OP_lit0 && ops[0].atom <= DW_OP_lit31)
    return ops[0].atom - DW_OP_lit0;
  return std::nullopt;
}

// Of `Class(const Class&)` and `Class(Class&&)`, with or without further parameters (they would have defaults).
bool copies_or_moves(const Method& method, const Type* record, std::string_view class_name) {
  if (!method.object || method.name != class_name) return false;
  for (const Parameter& parameter : method.type->parameters()) {
    if (parameter.artificial) continue;
    if (!parameter.type->is_reference()) return false;
    const Type* referee = parameter.type->strip()->target()->strip();
    return referee->kind() == TypeKind::record && referee->name() == record->name();
  }
  return false;
}

bool not_trivial(const Type* record, std::span<const Module* const> others, int depth) {
  if (depth > 32) return false;
  record = record->strip()->complete(others);
  if (record->kind() != TypeKind::record) return false;
  if (const auto die = record->die() ? open_die(record->die()) : std::nullopt)
    if (const auto convention = unsigned_value(*die, DW_AT_calling_convention)) {
      if (*convention == cc_pass_by_reference) return true;
      if (*convention == cc_pass_by_value) return false;
    }
  if (record->has_vtable()) return true;
  std::string class_name = record->short_name();
  if (const auto angle = class_name.find('<'); angle != std::string::npos) class_name.resize(angle);
  bool deleted = false, usable = false;
  for (const Method& method : methods_of(record)) {
    const bool destructor = method.name.starts_with('~');
    const bool copying = !destructor && copies_or_moves(method, record, class_name);
    if (!destructor && !copying) continue;
    if (!method.artificial && !method.defaulted && !method.deleted) return true;
    if (copying) (method.deleted ? deleted : usable) = true;
  }
  if (deleted && !usable) return true;
  for (const Member& member : record->members()) {
    if (member.kind == Member::Kind::static_) continue;
    if (member.kind == Member::Kind::virtual_base) return true;
    const Type* type = member.type->strip();
    while (type->kind() == TypeKind::array) type = type->target()->strip();
    if (type->kind() == TypeKind::record && not_trivial(type, others, depth + 1)) return true;
  }
  return false;
}

}  // namespace

std::vector<Method> methods_of(const Type* record) {
  std::vector<Method> methods;
  const auto die = record->die() ? open_die(record->die()) : std::nullopt;
  Dwarf_Die child;
  if (!die || !first_child(*die, child)) return methods;
  do {
    if (dwarf_tag(&child) != DW_TAG_subprogram) continue;
    const char* name = die_name(child);
    if (name == nullptr) continue;
    Method method;
    method.name = name;
    method.die = make_ref(*record->die().module, child);
    method.type = function_type(method.die);
    if (const char* linkage = linkage_name(child)) method.linkage_name = linkage;
    const auto parameters = method.type->parameters();
    method.object = !parameters.empty() && parameters[0].artificial && has_own(child, DW_AT_object_pointer);
    if (!method.object && !parameters.empty() && parameters[0].artificial && parameters[0].type != nullptr)
      method.object = parameters[0].type->strip()->kind() == TypeKind::pointer;
    method.is_virtual = unsigned_value(child, DW_AT_virtuality).value_or(0) != 0;
    if (method.is_virtual) method.slot = vtable_slot(child);
    method.artificial = flag(child, DW_AT_artificial);
    method.deleted = flag(child, DW_AT_deleted);
    method.defaulted = unsigned_value(child, DW_AT_defaulted).value_or(0) == defaulted_in_class;
    methods.push_back(std::move(method));
  } while (next_sibling(child));
  return methods;
}

bool passed_by_reference(const Type* record, std::span<const Module* const> others) {
  return not_trivial(record, others, 0);
}

}  // namespace trapline::sym
