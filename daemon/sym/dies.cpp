// Walking DIEs, and what a DIE is called. See dwarf_handle.hpp for why every step must lead forward.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/split_units.hpp"

namespace trapline::sym {
namespace {

bool in_types(const Dwarf_Die& die) {
  Dwarf_Half version = 0;
  std::uint8_t type = 0;
  return dwarf_cu_info(die.cu, &version, &type, nullptr, nullptr, nullptr, nullptr, nullptr) == 0 && version < 5 &&
         type == DW_UT_type;
}

bool behind(const Dwarf_Die& die, const Dwarf_Die& earlier) {
  return die.cu == earlier.cu && static_cast<const char*>(die.addr) > static_cast<const char*>(earlier.addr);
}

// What a definition or an instance completes: the DIE that stands where the source declares it.
Dwarf_Die declaration_of(const Dwarf_Die& die) {
  Dwarf_Die current = die;
  for (int i = 0; i < max_reference_chain; ++i) {
    auto next = referenced(current, DW_AT_abstract_origin);
    if (!next) next = referenced(current, DW_AT_specification);
    if (!next) break;
    current = *next;
  }
  return current;
}

}  // namespace

std::optional<Dwarf_Die> open_die(const DieRef& ref) {
  if (!ref) return std::nullopt;
  const auto& module = elf_module(*ref.module);
  DebugInfo* info = module.debug_info();
  Dwarf* dwarf = info ? info->dwarf_of(ref.file) : nullptr;
  Dwarf_Die die;
  if (!dwarf) return std::nullopt;
  const bool types = (ref.offset & in_types_section) != 0;
  const Dwarf_Off offset = ref.offset & ~in_types_section;
  if (!(types ? dwarf_offdie_types(dwarf, offset, &die) : dwarf_offdie(dwarf, offset, &die))) return std::nullopt;
  return die;
}

DieRef make_ref(const Module& module, const Dwarf_Die& die) {
  if (!die.addr || !die.cu) return {};
  const auto& elf = elf_module(module);
  Dwarf* dwarf = dwarf_cu_getdwarf(die.cu);
  const auto file = dwarf && elf.debug_info() ? elf.debug_info()->file_of(dwarf) : std::nullopt;
  if (!file) return {};
  Dwarf_Die copy = die;
  const Dwarf_Off offset = dwarf_dieoffset(&copy);
  if (offset == static_cast<Dwarf_Off>(-1)) return {};
  return {.module = &module, .offset = offset | (in_types(die) ? in_types_section : 0), .file = *file};
}

bool first_child(const Dwarf_Die& parent, Dwarf_Die& child) {
  Dwarf_Die copy = parent;
  Dwarf_Die found;
  if (dwarf_child(&copy, &found) != 0 || !behind(found, parent)) return false;
  child = found;
  return true;
}

bool next_sibling(Dwarf_Die& die) {
  Dwarf_Die found;
  if (dwarf_siblingof(&die, &found) != 0 || !behind(found, die)) return false;
  die = found;
  return true;
}

bool attribute(const Dwarf_Die& die, unsigned name, Dwarf_Attribute& out) {
  Dwarf_Die copy = die;
  return dwarf_attr_integrate(&copy, name, &out) != nullptr;
}

bool own_attribute(const Dwarf_Die& die, unsigned name, Dwarf_Attribute& out) {
  Dwarf_Die copy = die;
  return dwarf_attr(&copy, name, &out) != nullptr;
}

bool has_own(const Dwarf_Die& die, unsigned name) {
  Dwarf_Die copy = die;
  return dwarf_hasattr(&copy, name) == 1;
}

std::optional<Dwarf_Die> target_of(Dwarf_Attribute& reference) {
  Dwarf_Die target;
  if (dwarf_formref_die(&reference, &target)) return target;
  if (reference.form != DW_FORM_ref_sig8 || !reference.valp) return std::nullopt;
  std::uint64_t signature = 0;
  std::memcpy(&signature, reference.valp, sizeof signature);  // libdw has found it to be in bounds
  return split_type(dwarf_cu_getdwarf(reference.cu), signature);
}

std::optional<Dwarf_Die> referenced(const Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute found;
  return own_attribute(die, name, found) ? target_of(found) : std::nullopt;
}

std::optional<std::uint64_t> unsigned_value(const Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute found;
  Dwarf_Word value = 0;
  if (!attribute(die, name, found) || dwarf_formudata(&found, &value) != 0) return std::nullopt;
  return value;
}

bool flag(const Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute found;
  bool value = false;
  return attribute(die, name, found) && dwarf_formflag(&found, &value) == 0 && value;
}

const char* die_name(const Dwarf_Die& die) {
  Dwarf_Attribute found;
  if (attribute(die, DW_AT_name, found)) return dwarf_formstring(&found);
  // What stands for a type of a type unit may leave its name to that.
  const auto real = referenced(die, DW_AT_signature);
  return real && attribute(*real, DW_AT_name, found) ? dwarf_formstring(&found) : nullptr;
}

const char* linkage_name(const Dwarf_Die& die) {
  Dwarf_Attribute found;
  if (attribute(die, DW_AT_linkage_name, found) || attribute(die, DW_AT_MIPS_linkage_name, found))
    return dwarf_formstring(&found);
  return nullptr;
}

std::vector<FileRange> ranges_of(const ElfModule& module, const Dwarf_Die& die) {
  return module.debug_info() ? module.debug_info()->ranges_of(die) : std::vector<FileRange>{};
}

bool has_code(const Dwarf_Die& die) {
  return has_own(die, DW_AT_low_pc) || has_own(die, DW_AT_ranges) || has_own(die, DW_AT_entry_pc);
}

const std::vector<Dwarf_Die>& DebugInfo::children_of(const Dwarf_Die& parent) {
  const auto [slot, fresh] = children_.try_emplace(parent.addr);
  if (!fresh) return slot->second;
  Dwarf_Die child;
  for (bool more = first_child(parent, child); more; more = next_sibling(child)) slot->second.push_back(child);
  slot->second.shrink_to_fit();
  return slot->second;
}

std::optional<Dwarf_Die> DebugInfo::parent_of(const Dwarf_Die& die) {
  Dwarf_Die current;
  Dwarf_Die copy = die;
  if (!dwarf_diecu(&copy, &current, nullptr, nullptr) || !behind(die, current)) return std::nullopt;
  // A DIE's subtree lies between it and its next sibling: the way down needs no search.
  for (int depth = 0; depth < max_die_depth; ++depth) {
    const auto& children = children_of(current);
    auto next = std::ranges::upper_bound(children, static_cast<const char*>(die.addr), {},
                                         [](const Dwarf_Die& d) { return static_cast<const char*>(d.addr); });
    if (next == children.begin()) return std::nullopt;
    --next;
    if (next->addr == die.addr) return current;
    current = *next;
  }
  return std::nullopt;
}

std::optional<Dwarf_Die> lexical_parent(const ElfModule& module, const Dwarf_Die& die) {
  return module.debug_info() ? module.debug_info()->parent_of(declaration_of(die)) : std::nullopt;
}

namespace {

bool is_closure(const ElfModule& module, const Dwarf_Die& die) {
  return module.debug_info() && std::ranges::any_of(module.debug_info()->children_of(die), [](Dwarf_Die child) {
           const char* name = dwarf_tag(&child) == DW_TAG_subprogram ? die_name(child) : nullptr;
           return name && std::string_view(name) == "operator()";
         });
}

std::string scope_name(const ElfModule& module, const Dwarf_Die& die, int tag) {
  if (const char* name = die_name(die); name && *name) return name;
  if ((tag == DW_TAG_structure_type || tag == DW_TAG_class_type) && is_closure(module, die)) return "{lambda}";
  switch (tag) {
    case DW_TAG_namespace: return "(anonymous namespace)";
    case DW_TAG_structure_type: return "{unnamed struct}";
    case DW_TAG_class_type: return "{unnamed class}";
    case DW_TAG_union_type: return "{unnamed union}";
    case DW_TAG_enumeration_type: return "{unnamed enum}";
    default: return {};
  }
}

bool names_a_scope(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_interface_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subprogram: return true;
    default: return false;
  }
}

}  // namespace

std::string qualified_name(const ElfModule& module, const Dwarf_Die& die) {
  Dwarf_Die copy = die;
  std::string name = scope_name(module, die, dwarf_tag(&copy));
  auto scope = lexical_parent(module, die);
  for (int depth = 0; scope && depth < max_die_depth; ++depth) {
    const int tag = dwarf_tag(&*scope);
    if (names_a_scope(tag))
      if (const auto part = scope_name(module, *scope, tag); !part.empty()) name.insert(0, part + "::");
    scope = lexical_parent(module, *scope);
  }
  return name;
}

std::string qualified_name(const DieRef& ref) {
  const auto die = open_die(ref);
  return die ? qualified_name(elf_module(*ref.module), *die) : std::string{};
}

std::string_view decl_file(const ElfModule& module, const Dwarf_Die& die) {
  Dwarf_Attribute found;
  Dwarf_Word index = 0;
  DebugInfo* info = module.debug_info();
  if (!info || !attribute(die, DW_AT_decl_file, found) || dwarf_formudata(&found, &index) != 0) return {};
  const Unit* unit = info->unit_of(found.cu);
  LineTable* table = unit ? info->lines(*unit) : nullptr;
  // Before DWARF 5, file 0 means that there is none.
  if (!table || (index == 0 && table->header.version < 5)) return {};
  return info->path(*table, index);
}

}  // namespace trapline::sym
