#include "daemon/sym/functions.hpp"

#include <dwarf.h>

#include <algorithm>
#include <unordered_set>

#include "daemon/sym/dwarf_handle.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t max_inlined = 1U << 20;

std::optional<std::uint64_t> entry_of(const Dwarf_Die& die) {
  Dwarf_Die copy = die;
  Dwarf_Addr entry = 0;
  if (dwarf_entrypc(&copy, &entry) != 0) return std::nullopt;
  return entry;
}

}  // namespace

bool members_are_defined_outside(int language) {
  switch (language) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case 0x2b:  // DW_LANG_C_plus_plus_17, DWARF 6 draft
    case 0x2c:  // DW_LANG_C17
    case 0x3a:  // DW_LANG_C_plus_plus_20
      return true;
    default: return false;
  }
}

bool InlineNode::contains(std::uint64_t at) const {
  return std::ranges::any_of(ranges, [&](const FileRange& r) { return r.contains(at); });
}

void FunctionTable::collect(UnitFunctions& functions, const Dwarf_Die& parent, int depth) {
  if (depth > max_die_depth) return;
  Dwarf_Die child;
  for (bool more = first_child(parent, child); more; more = next_sibling(child)) {
    bool descend = functions.nested_too;
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram:
        if (has_code(child)) {
          auto ranges = info_.ranges_of(child);
          if (ranges.empty()) break;
          auto entry = entry_of(child);
          if (!entry || !info_.is_code(*entry)) entry = ranges[0].begin;
          functions.list.push_back({.die = child, .entry = *entry, .ranges = std::move(ranges)});
        }
        break;
      case DW_TAG_namespace:
      case DW_TAG_module: descend = true; break;
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
      case DW_TAG_enumeration_type: {
        const Unit* unit = info_.unit_of(child.cu);
        descend = descend || !unit || !members_are_defined_outside(unit->language);
        break;
      }
      case DW_TAG_lexical_block: break;
      default: descend = false; break;
    }
    if (descend) collect(functions, child, depth + 1);
  }
}

FunctionTable::UnitFunctions& FunctionTable::of(const Unit& unit) {
  const auto [slot, fresh] = units_.try_emplace(&unit);
  if (fresh) {
    collect(slot->second, info_.tree(unit), 0);
    for (const auto& function : slot->second.list)
      for (const auto& range : function.ranges) slot->second.by_address.add(range.begin, range.end, &function);
    slot->second.by_address.seal();
  }
  return slot->second;
}

const ConcreteFunction* FunctionTable::at(std::uint64_t address) {
  const Unit* unit = info_.unit_at(address);
  if (!unit) return nullptr;
  auto& functions = of(*unit);
  const auto* found = functions.by_address.find(address);
  if (!found && !functions.nested_too) {
    // GNU C's nested functions and local classes' members may lie within the DIEs of functions. Reading those is what
    // costs, so it is done for the units that need it only, and once.
    functions.nested_too = true;
    std::unordered_set<void*> known;  // the first walk's entries keep their place: pointers to them are out there
    for (const auto& function : functions.list) known.insert(function.die.addr);
    UnitFunctions second;
    second.nested_too = true;
    collect(second, info_.tree(*unit), 0);
    for (auto& function : second.list)
      if (!known.contains(function.die.addr)) functions.list.push_back(std::move(function));
    IntervalIndex<const ConcreteFunction*> index;
    for (const auto& function : functions.list)
      for (const auto& range : function.ranges) index.add(range.begin, range.end, &function);
    index.seal();
    functions.by_address = std::move(index);
    found = functions.by_address.find(address);
  }
  return found ? found->payload : nullptr;
}

void FunctionTable::add_inlined(InlineTree& tree, const Dwarf_Die& parent, int parent_node, int depth) {
  if (depth > max_die_depth) return;
  Dwarf_Die child;
  for (bool more = first_child(parent, child); more && tree.size() < max_inlined; more = next_sibling(child)) {
    const int tag = dwarf_tag(&child);
    const bool call = tag == DW_TAG_inlined_subroutine;
    if (!call && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block && tag != DW_TAG_catch_block) continue;
    auto ranges = info_.ranges_of(child);
    if (call && ranges.empty()) continue;
    int node = parent_node;  // what a block without addresses holds belongs to the one around it
    if (!ranges.empty()) {
      node = static_cast<int>(tree.size());
      tree.push_back({.die = child, .ranges = std::move(ranges), .parent = parent_node, .call = call});
    }
    add_inlined(tree, child, node, depth + 1);
  }
}

const InlineTree& FunctionTable::inlined_into(const ConcreteFunction& function) {
  const auto [slot, fresh] = trees_.try_emplace(&function);
  if (fresh) add_inlined(slot->second, function.die, -1, 0);
  return slot->second;
}

int FunctionTable::innermost(const InlineTree& tree, std::uint64_t address) {
  int deepest = -1;
  for (int i = 0; i < static_cast<int>(tree.size()); ++i)
    if (tree[static_cast<std::size_t>(i)].parent == deepest && tree[static_cast<std::size_t>(i)].contains(address))
      deepest = i;
  return deepest;
}

int FunctionTable::enclosing_call(const InlineTree& tree, int node) {
  while (node >= 0 && !tree[static_cast<std::size_t>(node)].call) node = tree[static_cast<std::size_t>(node)].parent;
  return node;
}

void FunctionTable::collect_inlined(UnitFunctions& functions, const Dwarf_Die& parent, int depth) {
  if (depth > max_die_depth) return;
  Dwarf_Die child;
  for (bool more = first_child(parent, child); more; more = next_sibling(child)) {
    switch (dwarf_tag(&child)) {
      case DW_TAG_inlined_subroutine:
        if (auto origin = referenced(child, DW_AT_abstract_origin)) functions.inlined.emplace(origin->addr, child);
        [[fallthrough]];
      case DW_TAG_subprogram:
      case DW_TAG_lexical_block:
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_try_block:
      case DW_TAG_catch_block: collect_inlined(functions, child, depth + 1); break;
      default: break;
    }
  }
}

std::vector<Dwarf_Die> FunctionTable::instances_of(const Dwarf_Die& abstract, const Unit& unit) {
  auto& functions = of(unit);
  if (!functions.inlined_read) {
    functions.inlined_read = true;
    collect_inlined(functions, info_.tree(unit), 0);
  }
  std::vector<Dwarf_Die> found;
  const auto [first, last] = functions.inlined.equal_range(abstract.addr);
  for (auto at = first; at != last; ++at) found.push_back(at->second);
  return found;
}

}  // namespace trapline::sym
