// Names as C++ looks them up. A name that a unit's code can mean is declared in that unit, so the scope's own unit is
// asked first, scope by scope outwards; what it does not know is looked for in the other units and modules, where the
// same path counts. (Argument-dependent lookup needs a call and is the expression binder's business.)
#include <algorithm>
#include <set>

#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_blocks.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {

std::string QualifiedName::text() const {
  std::string text = file.empty() ? (global ? "::" : "") : "'" + file + "'::";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : "::") + parts[i];
  return text;
}

namespace {

using Path = std::vector<std::string>;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// "vector<int, std::allocator<int> >" and "vector<int,std::allocator<int>>" are one name.
std::string squeeze(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ') {
      out += text[i];
    } else if (!out.empty() && is_word(out.back()) && i + 1 < text.size() && is_word(text[i + 1])) {
      out += ' ';
    }
  }
  return out;
}

// `wanted` may leave out template arguments at the end (they have defaults), for functions all of them.
bool same_name(const NameEntry& entry, std::string_view wanted) {
  if (entry.name == wanted) return true;
  const std::size_t open = entry.name.find('<');
  if (open == std::string::npos || entry.name.starts_with("operator")) return false;
  if (wanted.find('<') == std::string_view::npos)
    return entry.tag == DW_TAG_subprogram && std::string_view(entry.name).substr(0, open) == wanted;
  const std::string have = squeeze(entry.name), want = squeeze(wanted);
  return have == want || (have.size() > want.size() && want.ends_with('>') &&
                          have.starts_with(want.substr(0, want.size() - 1)) && have[want.size() - 1] == ',');
}

// Whether the chain of parents of `at` spells parts[0..count): transparent scopes may be named or left out.
bool spells(const UnitNames& unit, std::uint32_t at, std::span<const std::string> parts) {
  for (int depth = 0; depth < max_die_depth; ++depth) {
    if (at == NameEntry::no_parent) return parts.empty();
    const NameEntry& entry = unit.entries()[at];
    if (!parts.empty() && same_name(entry, parts.back())) {
      if (spells(unit, entry.parent, parts.first(parts.size() - 1))) return true;
      if (!entry.transparent) return false;
    } else if (!entry.transparent) {
      return false;
    }
    at = entry.parent;
  }
  return false;
}

std::vector<std::uint32_t> entries_at(const UnitNames& unit, const Path& path) {
  std::vector<std::uint32_t> found;
  if (path.empty()) return found;
  const std::string& last = path.back();
  const auto outer = std::span(path).first(path.size() - 1);
  const auto take = [&](std::uint32_t i) {
    const NameEntry& entry = unit.entries()[i];
    if (same_name(entry, last) && spells(unit, entry.parent, outer)) found.push_back(i);
  };
  for (const std::uint32_t i : unit.named(last)) take(i);
  if (!found.empty()) return found;
  const std::size_t open = last.find('<');
  for (const std::uint32_t i : unit.template_named(std::string_view(last).substr(0, open))) take(i);
  return found;
}

Symbol symbol_of(const UnitNames& unit, std::uint32_t index) {
  const NameEntry& entry = unit.entries()[index];
  Symbol symbol;
  symbol.die = entry.die;
  for (const std::string& part : unit.path_of(index)) symbol.name += (symbol.name.empty() ? "" : "::") + part;
  switch (entry.tag) {
    case DW_TAG_namespace:
    case DW_TAG_module: symbol.kind = Symbol::Kind::namespace_; break;
    case DW_TAG_subprogram:
      symbol.kind = Symbol::Kind::function;
      symbol.type = function_type(entry.die);
      symbol.declaration = !code_address(entry.die).has_value();
      break;
    case DW_TAG_enumerator: {
      symbol.kind = Symbol::Kind::enumerator;
      const auto parent = entry.parent;
      if (parent == NameEntry::no_parent) break;
      symbol.type = type_at(unit.entries()[parent].die);
      for (const Enumerator& e : symbol.type->enumerators())
        if (e.name == entry.name) symbol.value = e.value;
      break;
    }
    case DW_TAG_variable:
    case DW_TAG_constant:
    case DW_TAG_member: {
      symbol.kind = Symbol::Kind::variable;
      symbol.type = type_of(entry.die);
      const auto die = open_die(entry.die);
      Dwarf_Attribute unused;
      symbol.declaration =
          die && !attribute(*die, DW_AT_location, unused) && !attribute(*die, DW_AT_const_value, unused);
      break;
    }
    default:
      symbol.kind = Symbol::Kind::type;
      symbol.type = type_at(entry.die);
      symbol.declaration = entry.declaration;
  }
  return symbol;
}

// Of several DIEs for one thing, those that tell most: definitions before declarations.
std::vector<Symbol> best_of(std::vector<Symbol> all) {
  const bool any_definition = std::ranges::any_of(all, [](const Symbol& s) { return !s.declaration; });
  if (any_definition) std::erase_if(all, [](const Symbol& s) { return s.declaration; });
  // A class and a function or variable of one name may stand side by side (`struct stat`): the value is meant.
  const bool any_value = std::ranges::any_of(
      all, [](const Symbol& s) { return s.kind != Symbol::Kind::type && s.kind != Symbol::Kind::namespace_; });
  if (any_value) {
    std::ranges::stable_sort(
        all, {}, [](const Symbol& s) { return s.kind == Symbol::Kind::type || s.kind == Symbol::Kind::namespace_; });
  }
  return all;
}

std::vector<Symbol> in_unit(const UnitNames& unit, const Path& path) {
  std::vector<Symbol> found;
  for (const std::uint32_t i : entries_at(unit, path)) found.push_back(symbol_of(unit, i));
  return best_of(std::move(found));
}

Path joined(std::span<const std::string> outer, std::span<const std::string> inner) {
  Path path(outer.begin(), outer.end());
  path.insert(path.end(), inner.begin(), inner.end());
  return path;
}

Path path_of(const DieRef& die) {
  const UnitNames& unit = names_of(*die.module).unit_of(die);
  const auto entry = unit.find(die);
  return entry ? unit.path_of(*entry) : Path{};
}

// The namespaces and classes around a function, outermost first.
Path context_of(const DieRef& scope) {
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (!die) return {};
  const ElfModule& module = elf_module(*scope.module);
  auto parent = lexical_parent(module, *die);
  // A function inside a function's block (lambda, local class): outwards to what the index knows.
  for (int depth = 0; parent && depth < max_die_depth; ++depth) {
    Path path = path_of(make_ref(module, *parent));
    if (!path.empty()) return path;
    parent = lexical_parent(module, *parent);
  }
  return {};
}

class Lookup {
 public:
  Lookup(const LookupScope& from, const QualifiedName& name) : from_(from), name_(name) {}

  std::vector<Symbol> run() {
    if (name_.parts.empty()) return {};
    if (!name_.file.empty()) return in_file();
    std::vector<Symbol> found;
    if (from_.scope) {
      found = !name_.global && name_.parts.size() == 1 ? in_blocks() : std::vector<Symbol>{};
      if (found.empty()) found = in_own_unit();
    }
    if (!found.empty() && std::ranges::any_of(found, [](const Symbol& s) { return !s.declaration; })) return found;
    std::vector<Symbol> elsewhere = in_all_units();
    if (!elsewhere.empty()) return elsewhere;
    if (found.empty() && name_.parts.size() >= 2) found = in_function();
    return found;
  }

 private:
  std::vector<Symbol> in_blocks();
  std::vector<Symbol> in_own_unit();
  std::vector<Symbol> in_class(const Type* record, int depth);
  std::vector<Symbol> through_imports(const UnitNames& unit, const Path& scope, const Path& wanted, int depth);
  std::vector<Symbol> in_all_units();
  std::vector<Symbol> in_function();
  std::vector<Symbol> in_file();
  Symbol local(const Variable& variable) const {
    return {Symbol::Kind::variable, variable.name, variable.die, variable.type, std::nullopt, variable.gone, false};
  }

  const LookupScope& from_;
  const QualifiedName& name_;
};

std::vector<Symbol> Lookup::in_blocks() {
  const std::string& wanted = name_.parts[0];
  for (const Variable& variable : locals_of(from_.scope, from_.pc))
    if (variable.name == wanted) return {local(variable)};
  for (const Variable& parameter : parameters_of(from_.scope))
    if (parameter.name == wanted) return {local(parameter)};
  const auto die = open_die(from_.scope);
  if (!die) return {};
  const ElfModule& module = elf_module(*from_.scope.module);
  for (const Dwarf_Die& block : blocks_at(module, *die, from_.pc)) {
    // Types, enumerators, extern declarations and using declarations of the block; an optimised copy keeps the types
    // in the abstract instance.
    std::vector<Dwarf_Die> places{block};
    if (const auto origin = referenced(block, DW_AT_abstract_origin)) places.push_back(*origin);
    for (const Dwarf_Die& place : places) {
      Dwarf_Die child;
      if (!first_child(place, child)) continue;
      do {
        const int tag = dwarf_tag(&child);
        const char* written = die_name(child);
        const bool named = written != nullptr && wanted == written;
        if (named && is_type_tag(tag)) {
          const DieRef ref = make_ref(module, child);
          return {{Symbol::Kind::type, wanted, ref, type_at(ref), std::nullopt, false, false}};
        }
        if (tag == DW_TAG_enumeration_type && !flag(child, DW_AT_enum_class)) {
          const Type* type = type_at(make_ref(module, child));
          for (const Enumerator& e : type->enumerators())
            if (e.name == wanted) return {{Symbol::Kind::enumerator, wanted, type->die(), type, e.value, false, false}};
        }
        if (tag == DW_TAG_imported_declaration || tag == DW_TAG_imported_module) {
          const auto target = referenced(child, DW_AT_import);
          if (!target) continue;
          Path path = path_of(make_ref(module, *target));
          const bool directive = tag == DW_TAG_imported_module;
          if (!directive && !named && (path.empty() || path.back() != wanted)) continue;
          if (directive) path.push_back(wanted);
          const UnitNames& unit = names_of(module).unit_of(make_ref(module, *target));
          if (auto found = in_unit(unit, path); !found.empty()) return found;
        }
      } while (next_sibling(child));
    }
  }
  return {};
}

std::vector<Symbol> Lookup::in_class(const Type* record, int depth) {
  if (record == nullptr || depth > 32) return {};
  record = record->strip()->complete(from_.modules);
  if (name_.parts.size() == 1)
    for (const Member& member : record->members())
      if (member.kind == Member::Kind::field &&
          (member.name == name_.parts[0] || (member.name.empty() && has_field(member.type, name_.parts[0]))))
        return {{Symbol::Kind::member, name_.parts[0], member.die, record, std::nullopt, false, false}};
  if (record->die()) {
    const UnitNames& unit = names_of(*record->die().module).unit_of(record->die());
    const Path path = path_of(record->die());
    if (!path.empty())
      if (auto found = in_unit(unit, joined(path, name_.parts)); !found.empty()) return found;
  }
  for (const Member& member : record->members())
    if (member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base) {
      auto found = in_class(member.type, depth + 1);
      // Found in a base: still a member of the object at hand.
      if (!found.empty() && found[0].kind == Symbol::Kind::member) found[0].type = record;
      if (!found.empty()) return found;
    }
  return {};
}

// Using directives, using declarations and namespace aliases that stand directly in `scope`.
std::vector<Symbol> Lookup::through_imports(const UnitNames& unit, const Path& scope, const Path& wanted, int depth) {
  if (depth > 8) return {};
  for (const ImportEntry& import : unit.imports()) {
    if (import.declaration && import.name != wanted[0]) continue;
    if (!spells(unit, import.parent, scope)) continue;
    const UnitNames& target_unit = names_of(*import.target.module).unit_of(import.target);
    const auto entry = target_unit.find(import.target);
    if (!entry) continue;
    const Path target = target_unit.path_of(*entry);
    const auto rest = std::span(wanted).subspan(import.declaration ? 1 : 0);
    if (auto found = in_unit(target_unit, joined(target, rest)); !found.empty()) return found;
    if (!import.declaration && target != scope)
      if (auto found = through_imports(unit, target, wanted, depth + 1); !found.empty()) return found;
  }
  return {};
}

std::vector<Symbol> Lookup::in_own_unit() {
  const UnitNames& unit = names_of(*from_.scope.module).unit_of(from_.scope);
  const Path context = name_.global ? Path{} : context_of(from_.scope);
  if (!name_.global) {
    const Type* record = member_of(from_.scope).record;
    if (record == nullptr) record = implicit_this(from_.scope);
    if (auto found = in_class(record, 0); !found.empty()) return found;
  }
  std::vector<Symbol> declared;
  for (std::size_t depth = context.size() + 1; depth-- > 0;) {
    const auto outer = std::span(context).first(depth);
    auto found = in_unit(unit, joined(outer, name_.parts));
    if (found.empty()) found = through_imports(unit, Path(outer.begin(), outer.end()), name_.parts, 0);
    if (!found.empty()) return found;
  }
  for (const DieRef& imported : unit.imported_units()) {
    const UnitNames& part = names_of(*imported.module).unit_of(imported);
    for (std::size_t depth = context.size() + 1; depth-- > 0;)
      if (auto found = in_unit(part, joined(std::span(context).first(depth), name_.parts)); !found.empty())
        return found;
  }
  return declared;
}

std::vector<Symbol> Lookup::in_all_units() {
  const Path context = from_.scope && !name_.global ? context_of(from_.scope) : Path{};
  std::vector<Symbol> declared;
  for (const Module* module : from_.modules) {
    if (!module->has_debug_info()) continue;
    ScopeNames& index = names_of(*module);
    std::vector<Symbol> functions;
    for (std::size_t n = 0; n < index.unit_count(); ++n) {
      const UnitNames& unit = index.unit(n);
      for (std::size_t depth = context.size() + 1; depth-- > 0;) {
        auto found = in_unit(unit, joined(std::span(context).first(depth), name_.parts));
        if (found.empty()) continue;
        if (found[0].declaration) {
          if (declared.empty()) declared = std::move(found);
          break;
        }
        if (found[0].kind != Symbol::Kind::function) return found;
        functions.insert(functions.end(), found.begin(), found.end());
        break;
      }
    }
    if (!functions.empty()) return functions;
  }
  return declared;
}

// function::static_variable. The variable may stand in any block, and the function in any unit.
std::vector<Symbol> Lookup::in_function() {
  QualifiedName function = name_;
  function.parts.pop_back();
  for (const Symbol& owner : lookup(from_, function)) {
    if (owner.kind != Symbol::Kind::function) continue;
    const auto die = open_die(owner.die);
    if (!die) continue;
    const ElfModule& module = elf_module(*owner.die.module);
    std::vector<Dwarf_Die> queue{*die};
    if (const auto origin = referenced(*die, DW_AT_abstract_origin)) queue.push_back(*origin);
    for (std::size_t next = 0; next < queue.size() && queue.size() < 65536; ++next) {
      Dwarf_Die child;
      const Dwarf_Die parent = queue[next];
      if (!first_child(parent, child)) continue;
      do {
        const int tag = dwarf_tag(&child);
        if (is_block_tag(tag)) queue.push_back(child);
        const char* written = die_name(child);
        if (tag != DW_TAG_variable || written == nullptr || name_.parts.back() != written) continue;
        const DieRef ref = make_ref(module, child);
        return {{Symbol::Kind::variable, name_.text(), ref, type_of(ref), std::nullopt, false, false}};
      } while (next_sibling(child));
    }
  }
  return {};
}

std::vector<Symbol> Lookup::in_file() {
  for (const Module* module : from_.modules) {
    if (!module->has_debug_info()) continue;
    ScopeNames& index = names_of(*module);
    for (std::size_t n = 0; n < index.unit_count(); ++n) {
      const UnitNames& unit = index.unit(n);
      const auto found = in_unit(unit, name_.parts);
      if (found.empty()) continue;
      const auto die = open_die(found[0].die);
      Dwarf_Die copy, unit_die;
      if (!die) continue;
      copy = *die;
      if (dwarf_diecu(&copy, &unit_die, nullptr, nullptr) == nullptr) continue;
      const char* file = die_name(unit_die);
      const std::string_view path = file != nullptr ? file : "";
      const bool same = path == name_.file || (path.ends_with(name_.file) && path.size() > name_.file.size() &&
                                               path[path.size() - name_.file.size() - 1] == '/');
      if (same) return found;
    }
  }
  return {};
}

}  // namespace

bool has_field(const Type* record, std::string_view name) {
  record = record->strip()->complete();
  if (record->kind() != TypeKind::record) return false;
  for (const Member& member : record->members()) {
    if (member.kind == Member::Kind::field && member.name == name) return true;
    const bool nested = member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base ||
                        (member.kind == Member::Kind::field && member.name.empty());
    if (nested && member.type != record && has_field(member.type, name)) return true;
  }
  return false;
}

std::optional<Symbol> static_member(const Type* record, const Member& member, std::span<const Module* const> modules) {
  if (!member.die) return std::nullopt;
  Symbol symbol{
      Symbol::Kind::variable, record->name() + "::" + member.name, member.die, member.type, std::nullopt, false, false};
  const auto declared = open_die(member.die);
  Dwarf_Attribute constant;
  if (declared && attribute(*declared, DW_AT_const_value, constant)) return symbol;
  const Path path = path_of(member.die);
  std::vector<const Module*> order{member.die.module};
  for (const Module* module : modules)
    if (module != member.die.module) order.push_back(module);
  for (const Module* module : order) {
    if (path.empty() || !module->has_debug_info()) continue;
    ScopeNames& index = names_of(*module);
    for (std::size_t n = 0; n < index.unit_count(); ++n)
      for (const Symbol& found : in_unit(index.unit(n), path))
        if (found.kind == Symbol::Kind::variable && !found.declaration) return found;
  }
  symbol.declaration = true;
  return symbol;
}

std::vector<Symbol> lookup(const LookupScope& from, const QualifiedName& name) { return Lookup(from, name).run(); }

// ---- near misses and completion

namespace {

void add_fields(const Type* record, std::set<std::string>& names, int depth) {
  if (record == nullptr || depth > 16) return;
  for (const Member& member : record->strip()->complete()->members()) {
    if (member.kind == Member::Kind::field && !member.name.empty()) names.insert(member.name);
    if (member.kind == Member::Kind::static_) names.insert(member.name);
    if (member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base || member.name.empty())
      add_fields(member.type, names, depth + 1);
  }
}

std::set<std::string> names_in_view(const LookupScope& from) {
  std::set<std::string> names;
  if (!from.scope) return names;
  for (const Variable& v : locals_of(from.scope, from.pc)) names.insert(v.name);
  for (const Variable& v : parameters_of(from.scope)) names.insert(v.name);
  add_fields(implicit_this(from.scope), names, 0);
  const UnitNames& unit = names_of(*from.scope.module).unit_of(from.scope);
  const Path context = context_of(from.scope);
  for (const NameEntry& entry : unit.entries())
    for (std::size_t depth = 0; depth <= context.size(); ++depth)
      if (!entry.name.empty() && spells(unit, entry.parent, std::span(context).first(depth))) names.insert(entry.name);
  names.erase("");
  return names;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::vector<std::string> similar_names(const LookupScope& from, std::string_view name, std::size_t limit) {
  const std::size_t allowed = name.size() <= 2 ? 1 : name.size() <= 5 ? 2 : 3;
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& candidate : names_in_view(from)) {
    const std::size_t distance = edit_distance(name, candidate, allowed);
    if (distance <= allowed && distance < candidate.size()) near.emplace_back(distance, candidate);
  }
  std::ranges::sort(near);
  std::vector<std::string> out;
  for (auto& [distance, candidate] : near)
    if (out.size() < limit) out.push_back(std::move(candidate));
  return out;
}

std::vector<std::string> visible_names(const LookupScope& from, std::string_view prefix, std::size_t limit) {
  std::vector<std::string> out;
  for (const std::string& candidate : names_in_view(from))
    if (candidate.starts_with(prefix) && out.size() < limit) out.push_back(candidate);
  return out;
}

}  // namespace trapline::sym
