// Names as C++ looks them up. A name that a unit's code can mean is declared in that unit, so the scope's own unit is
// asked first, scope by scope outwards; what it does not know is looked for in the other units and modules, where the
// same path counts. (Argument-dependent lookup needs a call and is the expression binder's business.)
#include <algorithm>

#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/variable_blocks.hpp"
#include "daemon/sym/variable_match.hpp"

namespace trapline::sym {
namespace {

class Lookup {
 public:
  Lookup(const LookupScope& from, const QualifiedName& name) : from_(from), name_(name) {}

  std::vector<Symbol> run() {
    auto found = run_once();
    const auto has_arguments = [](const std::string& part) { return part.find('<') != std::string::npos; };
    if (!found.empty() || std::ranges::none_of(name_.parts, has_arguments)) return found;
    spelling_ = Spelling::defaults_left_out;
    return run_once();
  }

 private:
  std::vector<Symbol> run_once() {
    if (name_.parts.empty()) return {};
    if (!name_.file.empty()) return in_file();
    std::vector<Symbol> found;
    if (from_.record != nullptr && !name_.global) found = in_class(from_.record, 0);
    if (from_.scope && found.empty()) {
      found = !name_.global && name_.parts.size() == 1 && from_.record == nullptr ? in_blocks() : std::vector<Symbol>{};
      if (found.empty()) found = in_own_unit();
    }
    if (!found.empty() && std::ranges::any_of(found, [](const Symbol& s) { return !s.declaration; })) return found;
    std::vector<Symbol> elsewhere = in_all_units();
    if (!elsewhere.empty()) return elsewhere;
    if (found.empty() && name_.parts.size() >= 2) found = in_function();
    return found;
  }

  std::vector<Symbol> in_blocks();
  std::vector<Symbol> in_own_unit();
  std::vector<Symbol> in_class(const Type* record, int depth);
  std::vector<Symbol> through_imports(const UnitNames& unit, const Path& scope, const Path& wanted, int depth);
  std::vector<Path> scopes_in_view();
  std::vector<Symbol> in_all_units();
  std::vector<Symbol> in_units(ScopeNames& index, const std::vector<std::size_t>& units,
                               const std::vector<Path>& scopes);
  std::vector<Symbol> in_function();
  std::vector<Symbol> in_file();
  Symbol local(const Variable& variable) const {
    return {Symbol::Kind::variable, variable.name, variable.die, variable.type, std::nullopt, variable.gone, false};
  }

  const LookupScope& from_;
  const QualifiedName& name_;
  Spelling spelling_ = Spelling::exact;
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
          if (auto found = in_unit(unit, path, spelling_); !found.empty()) return found;
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
      if (auto found = in_unit(unit, joined(path, name_.parts), spelling_); !found.empty()) return found;
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
    if (auto found = in_unit(target_unit, joined(target, rest), spelling_); !found.empty()) return found;
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
    if (const Type* captured = captured_class(from_.scope))
      if (auto found = in_class(captured, 0); !found.empty()) return found;
  }
  std::vector<Symbol> declared;
  for (std::size_t depth = context.size() + 1; depth-- > 0;) {
    const auto outer = std::span(context).first(depth);
    auto found = in_unit(unit, joined(outer, name_.parts), spelling_);
    if (found.empty()) found = through_imports(unit, Path(outer.begin(), outer.end()), name_.parts, 0);
    // ns::name, where `name` came into ns by a using declaration, a directive, or as an alias ([namespace.qual]).
    for (std::size_t known = name_.parts.size() - 1; found.empty() && known > 0; --known)
      found = through_imports(unit, joined(outer, std::span(name_.parts).first(known)),
                              Path(name_.parts.begin() + static_cast<std::ptrdiff_t>(known), name_.parts.end()), 0);
    if (!found.empty()) return found;
  }
  for (const DieRef& imported : unit.imported_units()) {
    const UnitNames& part = names_of(*imported.module).unit_of(imported);
    for (std::size_t depth = context.size() + 1; depth-- > 0;)
      if (auto found = in_unit(part, joined(std::span(context).first(depth), name_.parts), spelling_); !found.empty())
        return found;
  }
  return declared;
}

// The namespaces and classes whose names are in view there, nearest first: those around the scope, and after each the
// namespaces that using directives bring into it.
std::vector<Path> Lookup::scopes_in_view() {
  if (!from_.scope || name_.global) return {Path{}};
  const UnitNames& unit = names_of(*from_.scope.module).unit_of(from_.scope);
  const Path context = context_of(from_.scope);
  std::vector<Path> scopes;
  const auto add = [&](Path path) {
    if (std::ranges::find(scopes, path) == scopes.end()) scopes.push_back(std::move(path));
  };
  for (std::size_t depth = context.size() + 1; depth-- > 0;) {
    std::size_t next = scopes.size();
    add(Path(context.begin(), context.begin() + static_cast<std::ptrdiff_t>(depth)));
    for (; next < scopes.size() && scopes.size() < 64; ++next)
      for (const ImportEntry& import : unit.imports())
        if (!import.declaration && spells(unit, import.parent, scopes[next])) add(path_of(import.target));
  }
  return scopes;
}

std::vector<Symbol> Lookup::in_all_units() {
  const std::vector<Path> scopes = scopes_in_view();
  const auto around = std::span(name_.parts).first(name_.parts.size() - 1);
  std::vector<Symbol> declared;
  for (const Module* module : from_.modules) {
    if (!module->has_debug_info()) continue;
    ScopeNames& index = names_of(*module);
    // A type or variable that some unit defines is the one that is meant: no need for an index of all of them.
    auto some = in_units(index, index.first_units_naming(name_.parts.back(), around), scopes);
    if (!some.empty() && !some[0].declaration && some[0].kind != Symbol::Kind::function) return some;
    auto found = in_units(index, index.units_naming(name_.parts.back(), around), scopes);
    if (found.empty()) continue;
    if (!found[0].declaration) return found;
    if (declared.empty()) declared = std::move(found);
  }
  return declared;
}

// Functions of all of the units; else what the first one has that defines it, or, at last, that declares it.
std::vector<Symbol> Lookup::in_units(ScopeNames& index, const std::vector<std::size_t>& units,
                                     const std::vector<Path>& scopes) {
  std::vector<Symbol> functions, declared;
  for (const std::size_t n : units) {
    const UnitNames& unit = index.unit(n);
    for (const Path& scope : scopes) {
      auto found = in_unit(unit, joined(scope, name_.parts), spelling_);
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
  return functions.empty() ? declared : functions;
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
    for (const std::size_t n : index.units_of_file(name_.file)) {
      const UnitNames& unit = index.unit(n);
      const auto found = in_unit(unit, name_.parts, spelling_);
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
    for (const std::size_t n : index.units_naming(path.back()))
      for (const Symbol& found : in_unit(index.unit(n), path))
        if (found.kind == Symbol::Kind::variable && !found.declaration) return found;
  }
  symbol.declaration = true;
  return symbol;
}

std::vector<Symbol> lookup(const LookupScope& from, const QualifiedName& name) { return Lookup(from, name).run(); }

}  // namespace trapline::sym
