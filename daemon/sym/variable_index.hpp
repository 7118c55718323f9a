#pragma once
// Inside the room only: the names at namespace and class scope, unit by unit, each unit read when it is first asked.
// A unit's table is one preorder walk that enters namespaces, classes and enumerations, and no function.
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/dwarf_handle.hpp"

namespace trapline::sym {

struct NameEntry {
  std::string name;
  DieRef die;
  std::uint32_t parent = no_parent;  // index in the same table
  std::uint16_t tag = 0;
  bool declaration = false;
  bool transparent = false;  // inline or anonymous namespace, unscoped enumeration: its names are its parent's too
  static constexpr std::uint32_t no_parent = 0xffffffff;
};

struct ImportEntry {  // using namespace N; using N::x; namespace A = N;
  std::uint32_t parent = NameEntry::no_parent;
  std::string name;  // empty: a using directive
  DieRef target;
  bool declaration = false;  // one name (using N::x, alias); false: a directive
};

struct SplitTree;

class UnitNames {
 public:
  UnitNames(const ElfModule& module, const Dwarf_Die& unit);
  const std::vector<NameEntry>& entries() const { return entries_; }
  const std::vector<ImportEntry>& imports() const { return imports_; }
  std::span<const std::uint32_t> named(std::string_view name) const;  // indices into entries()
  // Also `vector<int>` for "vector": the text before a template's arguments.
  std::span<const std::uint32_t> template_named(std::string_view base) const;
  std::optional<std::uint32_t> find(const DieRef& die) const;
  // Outermost first; transparent namespaces left out.
  std::vector<std::string> path_of(std::uint32_t entry) const;
  std::span<const DieRef> imported_units() const { return imported_units_; }

 private:
  void walk(const ElfModule& module, const Dwarf_Die& parent, std::uint32_t parent_entry, int depth);
  void add(const ElfModule& module, const Dwarf_Die& die, int tag, std::uint32_t parent, int depth);
  void place_types_of_type_units(const ElfModule& module);
  std::vector<NameEntry> entries_;
  std::vector<ImportEntry> imports_;
  std::vector<std::uint32_t> by_name_;
  std::vector<std::uint32_t> by_template_;
  std::vector<std::uint32_t> by_die_;
  std::vector<DieRef> imported_units_;
  // While it is read:
  std::vector<std::pair<std::uint32_t, DieRef>> completions_;
  std::set<const void*> type_units_walked_;
  std::vector<std::pair<std::uint32_t, Dwarf_Die>> elsewhere_;  // entry, its definition in a type unit
};

class ScopeNames {
 public:
  explicit ScopeNames(const ElfModule& module);
  const UnitNames& unit_of(const DieRef& die);
  std::size_t unit_count() const { return units_.size(); }
  const UnitNames& unit(std::size_t n);
  // The units that may have the name at namespace or class scope, ascending: by the index, else all of them. Of a type
  // that many have, one is named. `scopes`: what the caller will look for it in, outermost first.
  std::vector<std::size_t> units_naming(std::string_view name, std::span<const std::string> scopes = {}) const;
  // Some of them, without a whole index where there is none yet; none where units_naming() is as quick.
  std::vector<std::size_t> first_units_naming(std::string_view name, std::span<const std::string> scopes) const;
  // Those whose file has that name or path end.
  std::vector<std::size_t> units_of_file(std::string_view file) const;

 private:
  bool add_known_units();
  bool add_units_of(const index::Index* index, std::string_view base, std::vector<std::size_t>& units) const;
  std::optional<Dwarf_Die> root_of_types(DieRef& unit);
  void add_type_units(const SplitTree& split);

  const ElfModule& module_;
  bool numbered_as_index_ = false;
  std::size_t known_units_ = 0;  // those of the index; others may come behind them
  std::vector<DieRef> units_;
  std::vector<std::unique_ptr<UnitNames>> names_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::size_t> by_offset_;
  std::unique_ptr<UnitNames> empty_;
};

ScopeNames& names_of(const Module& module);
// A definition in `where` of the same kind and qualified name as `declaration` of module `from`.
DieRef find_definition(const Module& where, const DieRef& declaration, const Module& from);
bool is_type_tag(int tag);

}  // namespace trapline::sym
