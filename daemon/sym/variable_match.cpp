// A qualified name against the names of one unit: which entries a path spells, and what they are.
#include "daemon/sym/variable_match.hpp"

#include <algorithm>

namespace trapline::sym {

std::string QualifiedName::text() const {
  std::string text = file.empty() ? (global ? "::" : "") : "'" + file + "'::";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : "::") + parts[i];
  return text;
}

namespace {

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

// Arguments of a pack have no defaults: tuple<int, int> is not short for tuple<int, int, int>.
bool takes_a_pack(const NameEntry& entry) {
  const auto die = open_die(entry.die);
  Dwarf_Die child;
  if (!die || !first_child(*die, child)) return false;
  do {
    if (dwarf_tag(&child) == DW_TAG_GNU_template_parameter_pack) return true;
  } while (next_sibling(child));
  return false;
}

// `wanted` may leave out template arguments at the end (they have defaults), for functions all of them.
bool same_name(const NameEntry& entry, std::string_view wanted, Spelling spelling) {
  if (entry.name == wanted) return true;
  const std::size_t open = entry.name.find('<');
  if (open == std::string::npos || entry.name.starts_with("operator")) return false;
  if (wanted.find('<') == std::string_view::npos)
    return entry.tag == DW_TAG_subprogram && std::string_view(entry.name).substr(0, open) == wanted;
  const std::string have = squeeze(entry.name), want = squeeze(wanted);
  return have == want ||
         (spelling == Spelling::defaults_left_out && have.size() > want.size() && want.ends_with('>') &&
          have.starts_with(want.substr(0, want.size() - 1)) && have[want.size() - 1] == ',' && !takes_a_pack(entry));
}
}  // namespace

// Whether the chain of parents of `at` spells parts[0..count): transparent scopes may be named or left out.
bool spells(const UnitNames& unit, std::uint32_t at, std::span<const std::string> parts, Spelling spelling) {
  for (int depth = 0; depth < max_die_depth; ++depth) {
    if (at == NameEntry::no_parent) return parts.empty();
    const NameEntry& entry = unit.entries()[at];
    if (!parts.empty() && same_name(entry, parts.back(), spelling)) {
      if (spells(unit, entry.parent, parts.first(parts.size() - 1), spelling)) return true;
      if (!entry.transparent) return false;
    } else if (!entry.transparent) {
      return false;
    }
    at = entry.parent;
  }
  return false;
}
namespace {

// Within a class its own name means the class, and never a constructor ([class.qual]).
bool is_constructor(const UnitNames& unit, const NameEntry& entry) {
  if (entry.tag != DW_TAG_subprogram || entry.parent == NameEntry::no_parent) return false;
  const NameEntry& owner = unit.entries()[entry.parent];
  const auto plain = [](const NameEntry& e) { return std::string_view(e.name).substr(0, e.name.find('<')); };
  return is_type_tag(owner.tag) && plain(owner) == plain(entry);
}

std::vector<std::uint32_t> entries_at(const UnitNames& unit, const Path& path, Spelling spelling) {
  std::vector<std::uint32_t> found;
  if (path.empty()) return found;
  const std::string& last = path.back();
  const auto outer = std::span(path).first(path.size() - 1);
  const auto take = [&](std::uint32_t i) {
    const NameEntry& entry = unit.entries()[i];
    if (same_name(entry, last, spelling) && !is_constructor(unit, entry) && spells(unit, entry.parent, outer, spelling))
      found.push_back(i);
  };
  for (const std::uint32_t i : unit.named(last)) take(i);
  // A function may share its name with templates.
  if (std::ranges::any_of(found, [&](std::uint32_t i) { return unit.entries()[i].tag != DW_TAG_subprogram; }) ||
      (!found.empty() && last.find('<') != std::string::npos))
    return found;
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
      // Neither a place nor a promise that one is elsewhere: the compiler dropped it.
      symbol.gone = symbol.declaration && !attribute(*die, DW_AT_declaration, unused);
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
}  // namespace

std::vector<Symbol> in_unit(const UnitNames& unit, const Path& path, Spelling spelling) {
  std::vector<Symbol> found;
  for (const std::uint32_t i : entries_at(unit, path, spelling)) found.push_back(symbol_of(unit, i));
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

}  // namespace trapline::sym
