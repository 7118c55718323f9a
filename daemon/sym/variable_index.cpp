#include "daemon/sym/variable_index.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/name_text.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/split_units.hpp"
#include "daemon/sym/type_parts.hpp"

namespace trapline::sym {

bool is_type_tag(int tag) {
  switch (tag) {
    case DW_TAG_base_type:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_interface_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_typedef:
    case DW_TAG_template_alias:
    case DW_TAG_unspecified_type: return true;
    default: return false;
  }
}

namespace {

bool has_scope(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
         tag == DW_TAG_union_type || tag == DW_TAG_interface_type || tag == DW_TAG_enumeration_type;
}

// Its names are its parent's too.
bool is_transparent(const Dwarf_Die& die, int tag, std::string_view name) {
  return (tag == DW_TAG_namespace && (name.empty() || flag(die, DW_AT_export_symbols))) ||
         (tag == DW_TAG_enumeration_type && !flag(die, DW_AT_enum_class)) || (name.empty() && has_scope(tag));
}

std::string_view before_arguments(std::string_view name) {
  if (name.starts_with("operator")) return {};
  const std::size_t at = name.find('<');
  return at == std::string_view::npos || at == 0 ? std::string_view{} : name.substr(0, at);
}

// gcc and clang leave the arguments of a variable template out of its name: "variable", and not "variable<int>".
std::string with_arguments(const Dwarf_Die& die, int tag, std::string_view name) {
  const char* const linkage = tag == DW_TAG_variable && !name.empty() ? linkage_name(die) : nullptr;
  // <source-name> I <template-arg>+ E (Itanium C++ ABI 5.1.5)
  if (linkage == nullptr || name.find('<') != std::string_view::npos ||
      std::string_view(linkage).find(std::to_string(name.size()) + std::string(name) + "I") == std::string_view::npos)
    return std::string(name);
  const std::string whole = demangle(linkage);
  const auto parts = split_scopes(whole);
  return !parts.empty() && parts.back().starts_with(std::string(name) + "<") ? std::string(parts.back())
                                                                             : std::string(name);
}

bool die_less(const DieRef& a, const DieRef& b) { return std::pair(a.file, a.offset) < std::pair(b.file, b.offset); }

}  // namespace

UnitNames::UnitNames(const ElfModule& module, const Dwarf_Die& unit) {
  if (unit.addr != nullptr) walk(module, unit, NameEntry::no_parent, 0);
  place_types_of_type_units(module);
  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  by_die_ = by_name_;
  std::stable_sort(by_die_.begin(), by_die_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return die_less(entries_[a].die, entries_[b].die); });
  // An abstract instance may itself complete a declaration: the list is short, and two rounds follow such chains.
  for (int round = 0; round < 2; ++round)
    for (const auto& [entry, declaration] : completions_)
      if (const auto found = find(declaration)) entries_[entry].parent = entries_[*found].parent;
  completions_ = {};
  type_units_walked_ = {};
  elsewhere_ = {};
  std::stable_sort(by_name_.begin(), by_name_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return entries_[a].name < entries_[b].name; });
  for (std::uint32_t i = 0; i < entries_.size(); ++i)
    if (!before_arguments(entries_[i].name).empty()) by_template_.push_back(i);
  std::stable_sort(by_template_.begin(), by_template_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return before_arguments(entries_[a].name) < before_arguments(entries_[b].name);
  });
}

void UnitNames::walk(const ElfModule& module, const Dwarf_Die& parent, std::uint32_t parent_entry, int depth) {
  Dwarf_Die child;
  if (depth > max_die_depth || !first_child(parent, child)) return;
  do {
    add(module, child, dwarf_tag(&child), parent_entry, depth);
  } while (next_sibling(child));
}

void UnitNames::add(const ElfModule& module, const Dwarf_Die& die, int tag, std::uint32_t parent, int depth) {
  switch (tag) {
    case DW_TAG_imported_unit:
      if (const auto target = referenced(die, DW_AT_import)) imported_units_.push_back(make_ref(module, *target));
      return;
    case DW_TAG_imported_module:
    case DW_TAG_imported_declaration: {
      const auto target = referenced(die, DW_AT_import);
      if (!target) return;
      const char* alias = die_name(die);
      const char* written = alias != nullptr ? alias : die_name(*target);
      const bool one = tag == DW_TAG_imported_declaration;
      imports_.push_back({parent, one && written != nullptr ? written : "", make_ref(module, *target), one});
      return;
    }
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_enumerator:
    case DW_TAG_subprogram:
    case DW_TAG_variable:
    case DW_TAG_constant: break;
    case DW_TAG_member:
      if (!flag(die, DW_AT_external) && !flag(die, DW_AT_declaration)) return;  // a static member before DWARF 5
      break;
    default:
      if (!is_type_tag(tag)) return;
  }
  NameEntry entry;
  const char* written = die_name(die);
  entry.name = with_arguments(die, tag, written != nullptr ? written : "");
  entry.die = make_ref(module, die);
  if (!entry.die) return;
  entry.parent = parent;
  entry.tag = static_cast<std::uint16_t>(tag);
  Dwarf_Attribute own;
  entry.declaration = own_attribute(die, DW_AT_declaration, own);
  const auto real = has_scope(tag) ? referenced(die, DW_AT_signature) : std::nullopt;
  if (real) entry.declaration = false;
  entry.transparent = is_transparent(real ? *real : die, tag, entry.name);
  // A definition belongs where its declaration stands, which may come later in the unit.
  auto completes = referenced(die, DW_AT_specification);
  if (!completes && tag == DW_TAG_subprogram) completes = referenced(die, DW_AT_abstract_origin);
  const auto index = static_cast<std::uint32_t>(entries_.size());
  if (entry.name.empty() && !has_scope(tag)) return;
  if (completes) completions_.emplace_back(index, make_ref(module, *completes));
  entries_.push_back(std::move(entry));
  if (has_scope(tag)) walk(module, die, index, depth + 1);
  if (real && type_units_walked_.insert(real->addr).second) {
    walk(module, *real, index, depth + 1);
    if (!has_own(die, DW_AT_name)) elsewhere_.emplace_back(index, *real);
  }
}

// A unit that uses a type of a type unit declares it there by its signature, a DIE which gcc leaves without a name and
// outside of all namespaces: the path is known in the type unit only. The scopes on it may be this unit's own, or are
// made here.
void UnitNames::place_types_of_type_units(const ElfModule& module) {
  if (elsewhere_.empty()) return;
  struct Declared {
    std::uint32_t entry;
    std::vector<Dwarf_Die> scopes;  // outermost first
  };
  std::vector<Declared> declared;
  for (const auto& [entry, real] : elsewhere_) {
    Declared one{entry, {}};
    auto scope = lexical_parent(module, real);
    for (int depth = 0; scope && depth < max_die_depth; ++depth) {
      const int tag = dwarf_tag(&*scope);
      if (tag == DW_TAG_type_unit || tag == DW_TAG_compile_unit || tag == DW_TAG_partial_unit) break;
      one.scopes.push_back(*scope);
      scope = lexical_parent(module, *scope);
    }
    std::ranges::reverse(one.scopes);
    declared.push_back(std::move(one));
  }
  // Enclosing classes may be declared so too: they take their places first.
  std::ranges::stable_sort(declared, {}, [](const Declared& one) { return one.scopes.size(); });
  for (const Declared& one : declared) entries_[one.entry].parent = NameEntry::no_parent;
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> known;
  for (std::uint32_t i = 0; i < entries_.size(); ++i)
    if (has_scope(entries_[i].tag)) known.try_emplace({entries_[i].parent, entries_[i].name}, i);
  for (const Declared& one : declared) {
    std::uint32_t parent = NameEntry::no_parent;
    for (Dwarf_Die scope : one.scopes) {
      const int tag = dwarf_tag(&scope);
      const char* written = die_name(scope);
      const std::string name = written != nullptr ? written : "";
      const auto [found, fresh] = known.try_emplace({parent, name}, static_cast<std::uint32_t>(entries_.size()));
      if (fresh) {
        const bool in_function = !has_scope(tag);  // no path from outside leads there
        entries_.push_back({in_function ? "" : name, make_ref(module, scope), parent,
                            static_cast<std::uint16_t>(in_function ? int{DW_TAG_lexical_block} : tag), true,
                            !in_function && is_transparent(scope, tag, name)});
      }
      parent = found->second;
    }
    entries_[one.entry].parent = parent;
    known[{parent, entries_[one.entry].name}] = one.entry;
  }
}

std::span<const std::uint32_t> UnitNames::named(std::string_view name) const {
  const auto [begin, end] =
      std::ranges::equal_range(by_name_, name, {}, [&](std::uint32_t i) { return std::string_view(entries_[i].name); });
  return {begin, end};
}

std::span<const std::uint32_t> UnitNames::template_named(std::string_view base) const {
  const auto [begin, end] = std::ranges::equal_range(
      by_template_, base, {}, [&](std::uint32_t i) { return before_arguments(entries_[i].name); });
  return {begin, end};
}

std::optional<std::uint32_t> UnitNames::find(const DieRef& die) const {
  const auto found = std::lower_bound(by_die_.begin(), by_die_.end(), die, [&](std::uint32_t i, const DieRef& ref) {
    return die_less(entries_[i].die, ref);
  });
  if (found == by_die_.end() || !(entries_[*found].die == die)) return std::nullopt;
  return *found;
}

std::vector<std::string> UnitNames::path_of(std::uint32_t entry) const {
  std::vector<std::string> path;
  for (int depth = 0; entry != NameEntry::no_parent && depth < max_die_depth; ++depth) {
    const NameEntry& at = entries_[entry];
    if (path.empty() || !at.transparent) path.push_back(at.name);
    entry = at.parent;
  }
  std::ranges::reverse(path);
  return path;
}

// ---- all units of a module

namespace {
constexpr std::uint64_t root_not_read = ~std::uint64_t{0};  // no DIE is there

const SplitTree* split_of_skeleton(const ElfModule& module, const Dwarf_Die& die) {
  DebugInfo* info = module.debug_info();
  const Unit* unit = info ? info->unit_of(die.cu) : nullptr;
  return unit && unit->die.cu == die.cu ? info->split_of(*unit) : nullptr;
}
}  // namespace
// By the index or the survey, which know the units without libdw reading one after the other.
bool ScopeNames::add_known_units() {
  DebugInfo* info = module_.debug_info();
  const index::Index* known = info ? info->table() : nullptr;
  if (!known) return false;
  for (std::size_t n = 0; n < known->unit_count(); ++n) {
    const auto unit = known->unit(n);
    if (!unit) return false;
    const std::uint32_t file = unit->is(index::UnitRow::alternate) ? 1 : 0;
    const std::uint64_t mark = unit->is(index::UnitRow::in_types) ? in_types_section : 0;
    units_.push_back({.module = &module_, .offset = unit->row.first_die | mark, .file = file});
    by_offset_.emplace(std::pair(file, units_.back().offset), n);
  }
  return true;
}

namespace {

// Those that stand as they are in the debug information: names of unnamed scopes and of functions are made up.
std::vector<std::string> plain_names(std::span<const std::string> scopes) {
  std::vector<std::string> plain;
  for (const auto& scope : scopes) {
    const auto base = index::base_of(scope);
    if (!base.empty() && std::ranges::all_of(base, is_word)) plain.emplace_back(base);
  }
  return plain;
}

}  // namespace

bool ScopeNames::add_units_of(const index::Index* index, std::string_view base, std::vector<std::size_t>& units) const {
  if (!index || index->unit_count() != known_units_) return false;
  for (const auto& entry : index->with_base(base)) units.push_back(entry.unit);
  for (std::size_t n = 0; index->has_damaged_units() && n < known_units_; ++n)
    if (const auto unit = index->unit(n); unit && unit->is(index::UnitRow::damaged)) units.push_back(n);
  std::ranges::sort(units);
  const auto again = std::ranges::unique(units);
  units.erase(again.begin(), again.end());
  return !index->damaged();
}

std::vector<std::size_t> ScopeNames::units_naming(std::string_view name, std::span<const std::string> scopes) const {
  std::vector<std::size_t> found;
  const auto base = index::base_of(name);
  const auto index = numbered_as_index_ ? module_.index_naming(base, plain_names(scopes), false) : nullptr;
  if (add_units_of(index.get(), base, found)) return found;
  found.resize(units_.size());
  std::iota(found.begin(), found.end(), std::size_t{0});
  return found;
}

std::vector<std::size_t> ScopeNames::first_units_naming(std::string_view name,
                                                        std::span<const std::string> scopes) const {
  std::vector<std::size_t> found;
  if (!numbered_as_index_ || module_.index_for_names()) return found;
  const auto base = index::base_of(name);
  const auto index = module_.index_naming(base, plain_names(scopes), true);
  if (!add_units_of(index.get(), base, found)) found.clear();
  return found;
}

std::vector<std::size_t> ScopeNames::units_of_file(std::string_view file) const {
  std::vector<std::size_t> found;
  DebugInfo* info = module_.debug_info();
  const index::Index* known = numbered_as_index_ && info ? info->table() : nullptr;
  for (std::size_t n = 0; n < units_.size(); ++n) {
    const auto unit = known ? known->unit(n) : std::nullopt;
    if (!unit || (unit->name.ends_with(file) && path_fits(unit->name, file))) found.push_back(n);
  }
  return found;
}

ScopeNames::ScopeNames(const ElfModule& module) : module_(module) {
  if (add_known_units()) {
    numbered_as_index_ = true;
    known_units_ = units_.size();
    names_.resize(units_.size());
    return;
  }
  units_.clear();
  by_offset_.clear();
  const auto add_units = [&](Dwarf* dwarf) {
    Dwarf_CU* unit = nullptr;
    Dwarf_Die die;
    while (dwarf != nullptr && dwarf_get_units(dwarf, unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
      const DieRef ref = make_ref(module, die);
      if (!ref) continue;
      by_offset_.emplace(std::pair(ref.file, ref.offset), units_.size());
      units_.push_back(ref);
    }
  };
  add_units(module.dwarf());
  add_units(module.alternate());
  // The type units of a .dwp file; those of .dwo files come when their unit is read.
  if (auto* split = module.debug_info() ? module.debug_info()->split_units() : nullptr)
    for (const std::uint32_t file : split->type_files()) units_.push_back({&module, root_not_read, file});
  names_.resize(units_.size());
}

const UnitNames& ScopeNames::unit(std::size_t n) {
  if (!names_[n]) {
    auto die = units_[n].offset == root_not_read ? root_of_types(units_[n]) : open_die(units_[n]);
    if (const auto* split = die ? split_of_skeleton(module_, *die) : nullptr) {
      die = split->root;
      add_type_units(*split);
    }
    names_[n] = std::make_unique<UnitNames>(module_, die ? *die : Dwarf_Die{});
  }
  return *names_[n];
}

std::optional<Dwarf_Die> ScopeNames::root_of_types(DieRef& unit) {
  const SplitTree* types = module_.debug_info()->split_units()->of_file(unit.file);
  if (!types) return std::nullopt;
  unit = make_ref(module_, types->root);
  return types->root;
}

void ScopeNames::add_type_units(const SplitTree& split) {
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  while (dwarf_get_units(split.image->dwarf(), unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
    const DieRef ref = unit == split.root.cu ? DieRef{} : make_ref(module_, die);
    if (!ref || !by_offset_.try_emplace({ref.file, ref.offset}, units_.size()).second) continue;
    units_.push_back(ref);
    names_.emplace_back();
  }
}

const UnitNames& ScopeNames::unit_of(const DieRef& ref) {
  if (const auto die = open_die(ref)) {
    Dwarf_Die copy = *die, unit_die;
    if (dwarf_diecu(&copy, &unit_die, nullptr, nullptr) != nullptr) {
      // A part of a split program is known by its skeleton; type units beside it are units of their own.
      const DebugInfo* info = module_.debug_info();
      const SplitTree* split = info ? info->split_of(unit_die.cu) : nullptr;
      const bool of_skeleton = split && split->root.cu == unit_die.cu && split->unit != SplitTree::no_unit;
      const DieRef at = make_ref(module_, of_skeleton ? info->skeleton_die(*split) : unit_die);
      if (split && split->unit == SplitTree::no_unit)
        for (std::size_t n = 0; n < units_.size(); ++n)
          if (units_[n].file == at.file) return unit(n);
      const auto [found, fresh] = by_offset_.try_emplace({at.file, at.offset}, units_.size());
      if (fresh) {
        units_.push_back(at);
        names_.emplace_back();
      }
      return unit(found->second);
    }
  }
  if (!empty_) empty_ = std::make_unique<UnitNames>(module_, Dwarf_Die{});
  return *empty_;
}

ScopeNames& names_of(const Module& module) {
  ModuleMemo& memo = memo_of(module);
  if (!memo.names) memo.names = std::make_shared<ScopeNames>(elf_module(module));
  return *memo.names;
}

DieRef find_definition(const Module& where, const DieRef& declaration, const Module& from) {
  const UnitNames& home = names_of(from).unit_of(declaration);
  const auto entry = home.find(declaration);
  if (!entry) return {};
  const NameEntry& wanted = home.entries()[*entry];
  if (wanted.name.empty()) return {};
  const std::vector<std::string> path = home.path_of(*entry);
  ScopeNames& index = names_of(where);
  for (const std::size_t n : index.units_naming(wanted.name)) {
    const UnitNames& unit = index.unit(n);
    for (const std::uint32_t i : unit.named(wanted.name)) {
      const NameEntry& found = unit.entries()[i];
      // class and struct may be mixed between a declaration and its definition.
      const auto family = [](int tag) { return tag == DW_TAG_class_type ? int{DW_TAG_structure_type} : tag; };
      if (found.declaration || family(found.tag) != family(wanted.tag)) continue;
      if (unit.path_of(i) == path) return found.die;
    }
  }
  return {};
}

}  // namespace trapline::sym
