#include "daemon/sym/names.hpp"

#include <dwarf.h>

#include <algorithm>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/functions.hpp"

namespace trapline::sym {

void NameIndex::collect(const Dwarf_Die& parent, std::uint32_t unit, bool into_classes, int depth) {
  if (depth > max_die_depth) return;
  Dwarf_Die child;
  for (bool more = first_child(parent, child); more; more = next_sibling(child)) {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram: {
        const bool concrete = has_code(child);
        if (!concrete && !has_own(child, DW_AT_inline)) break;  // a declaration
        const char* name = die_name(child);
        if (name && *name)
          entries_.push_back(
              {.base = without_template_arguments(name), .die = child, .unit = unit, .concrete = concrete});
        break;
      }
      case DW_TAG_namespace:
      case DW_TAG_module: collect(child, unit, into_classes, depth + 1); break;
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
      case DW_TAG_enumeration_type:
        if (into_classes) collect(child, unit, into_classes, depth + 1);
        break;
      default: break;
    }
  }
}

void NameIndex::build() {
  if (built_) return;
  built_ = true;
  for (const auto& unit : info_.units()) collect(unit.die, unit.index, !members_are_defined_outside(unit.language), 0);
  std::ranges::stable_sort(entries_, {}, &Entry::base);
  entries_.shrink_to_fit();
}

std::vector<NameIndex::Entry> NameIndex::of(const NameQuery& query) {
  return query.every_name() ? all() : with_base(query.base());
}

std::vector<NameIndex::Entry> NameIndex::with_base(std::string_view base) {
  build();
  const auto found = std::ranges::equal_range(entries_, base, {}, &Entry::base);
  return {found.begin(), found.end()};
}

const std::vector<NameIndex::Entry>& NameIndex::all() {
  build();
  return entries_;
}

}  // namespace trapline::sym
