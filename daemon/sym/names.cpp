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
  for (const auto* unit : info_.units()) {
    const Dwarf_Die tree = info_.tree(*unit);
    collect(tree, unit->index, !members_are_defined_outside(unit->language), 0);
  }
  std::ranges::stable_sort(entries_, {}, &Entry::base);
  entries_.shrink_to_fit();
}

std::vector<NameIndex::Entry> NameIndex::of(const NameQuery& query) {
  return query.every_name() ? all() : with_base(query.base());
}

// Scopes without a name have one in qualified_name() all the same, which depends on what they are.
std::string NameIndex::qualified(const index::Index& index, const index::Index::Entry& entry) {
  const auto path = index.path_of(entry.scope);
  std::string text;
  if (!path) return text;
  for (const auto part : *path) {
    if (part.empty()) return {};
    text.append(part).append("::");
  }
  return text.append(entry.name);
}

bool NameIndex::add(const index::Index& index, std::span<const index::Index::Entry> entries,
                    std::vector<Entry>& found) {
  for (const auto& entry : entries) {
    if (entry.kind != index::Kind::function && entry.kind != index::Kind::inlined) continue;
    const auto die = info_.die_of(index, entry);
    if (!die) return false;
    const char* name = die_name(*die);  // lives as long as the file: an index may go
    found.push_back({.base = index::base_of(name ? name : ""),
                     .die = *die,
                     .unit = entry.unit,
                     .concrete = entry.kind == index::Kind::function,
                     .qualified = qualified(index, entry)});
  }
  return true;
}

// What libdw reads of a damaged unit before it gives up may be more than the index has.
const index::Index* NameIndex::usable() {
  const auto* index = info_.names_index();
  return index && !index->has_damaged_units() ? index : nullptr;
}

std::vector<NameIndex::Entry> NameIndex::with_base(std::string_view base) {
  if (const auto* index = usable()) {
    std::vector<Entry> found;
    if (add(*index, index->with_base(base), found) && !index->damaged()) return found;
  }
  if (const auto part = info_.partial_index(base, DebugInfo::Where::anywhere)) {
    std::vector<Entry> found;
    if (add(*part, part->with_base(base), found)) {
      for (auto& entry : found) entry.part = part;
      return found;
    }
  }
  build();
  const auto found = std::ranges::equal_range(entries_, base, {}, &Entry::base);
  return {found.begin(), found.end()};
}

std::vector<NameIndex::Entry> NameIndex::containing(std::string_view text) {
  if (const auto* index = usable()) {
    std::vector<Entry> found;
    bool whole = true;
    index->each_name([&](std::string_view name, std::span<const index::Index::Entry> entries) {
      if (index::base_of(name).find(text) != std::string_view::npos) whole = add(*index, entries, found);
      return whole;
    });
    std::ranges::stable_sort(found, {}, &Entry::base);
    if (whole && !index->damaged()) return found;
  }
  build();
  std::vector<Entry> found;
  for (const auto& entry : entries_)
    if (entry.base.find(text) != std::string_view::npos) found.push_back(entry);
  return found;
}

std::vector<NameIndex::Entry> NameIndex::all() { return containing({}); }

}  // namespace trapline::sym
