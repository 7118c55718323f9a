// Parameters, locals and globals of a scope.
#include "daemon/sym/variable.hpp"

#include <algorithm>
#include <set>

#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/variable_blocks.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {

bool is_block_tag(int tag) {
  return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

namespace {

bool holds(const ElfModule& module, const Dwarf_Die& block, std::uint64_t pc) {
  if (!has_code(block)) return true;  // only declarations in it: gcc leaves the range out
  return std::ranges::any_of(ranges_of(module, block), [&](const FileRange& range) { return range.contains(pc); });
}

// The one operation of a variable at a fixed address.
bool at_fixed_address(const Dwarf_Die& die) {
  Dwarf_Attribute location;
  if (!attribute(die, DW_AT_location, location)) return false;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_whatform(&location) != DW_FORM_exprloc || dwarf_getlocation(&location, &ops, &count) != 0 || count == 0)
    return false;
  return ops[0].atom == DW_OP_addr || ops[0].atom == DW_OP_addrx || ops[0].atom == DW_OP_GNU_addr_index;
}

Variable describe(const ElfModule& module, const Dwarf_Die& die) {
  Variable variable;
  const char* name = die_name(die);
  variable.name = name != nullptr ? name : "";
  variable.die = make_ref(module, die);
  variable.type = type_of(variable.die);
  variable.declared = Line{static_cast<std::uint32_t>(unsigned_value(die, DW_AT_decl_line).value_or(0))};
  variable.artificial = flag(die, DW_AT_artificial);
  variable.is_static = at_fixed_address(die);
  return variable;
}

std::optional<Dwarf_Die> origin_of(const Dwarf_Die& die) { return referenced(die, DW_AT_abstract_origin); }

// Children of `concrete` with one of the tags, in the abstract instance's order; those that only the abstract instance
// has (the optimiser dropped them in this copy) are marked.
void collect(const ElfModule& module, const Dwarf_Die& concrete, bool parameters, std::vector<Variable>& out) {
  const auto wanted = [&](int tag) {
    return parameters ? tag == DW_TAG_formal_parameter : tag == DW_TAG_variable || tag == DW_TAG_constant;
  };
  struct Found {
    Dwarf_Die die;
    DieRef origin;
  };
  std::vector<Found> own;
  Dwarf_Die child;
  const auto take = [&](const Dwarf_Die& die) {
    const auto origin = origin_of(die);
    own.push_back({die, origin ? make_ref(module, *origin) : DieRef{}});
  };
  if (first_child(concrete, child)) do {
      const int tag = dwarf_tag(&child);
      if (wanted(tag)) take(child);
      Dwarf_Die packed;  // T... args
      if (parameters && tag == DW_TAG_GNU_formal_parameter_pack && first_child(child, packed)) do {
          if (dwarf_tag(&packed) == DW_TAG_formal_parameter) take(packed);
        } while (next_sibling(packed));
    } while (next_sibling(child));
  const auto abstract = origin_of(concrete);
  std::vector<bool> used(own.size());
  const auto walk_origin = [&](const Dwarf_Die& from) {
    Dwarf_Die other;
    if (!first_child(from, other)) return;
    do {
      if (!wanted(dwarf_tag(&other))) continue;
      const DieRef ref = make_ref(module, other);
      const auto found = std::ranges::find_if(own, [&](const Found& f) { return f.origin == ref; });
      if (found != own.end()) {
        used[static_cast<std::size_t>(found - own.begin())] = true;
        out.push_back(describe(module, found->die));
      } else if (!flag(other, DW_AT_declaration)) {
        Variable lost = describe(module, other);
        Dwarf_Attribute constant;
        lost.gone = !attribute(other, DW_AT_const_value, constant) && !lost.is_static;
        out.push_back(std::move(lost));
      }
    } while (next_sibling(other));
  };
  if (abstract) walk_origin(*abstract);
  for (std::size_t i = 0; i < own.size(); ++i)
    if (!used[i] && !has_own(own[i].die, DW_AT_declaration)) out.push_back(describe(module, own[i].die));
}

}  // namespace

std::vector<Dwarf_Die> blocks_at(const ElfModule& module, const Dwarf_Die& scope, std::uint64_t pc) {
  std::vector<Dwarf_Die> blocks{scope};
  // Sibling blocks that both hold pc do not exist in sane code, but ranges without code do: breadth is kept.
  for (std::size_t next = 0; next < blocks.size() && blocks.size() < 4096; ++next) {
    Dwarf_Die child;
    const Dwarf_Die parent = blocks[next];
    if (!first_child(parent, child)) continue;
    do {
      if (is_block_tag(dwarf_tag(&child)) && holds(module, child, pc)) blocks.push_back(child);
    } while (next_sibling(child));
  }
  std::ranges::reverse(blocks);
  return blocks;
}

FileRange same_blocks_around(DieRef scope, std::uint64_t pc) {
  FileRange around{0, ~std::uint64_t{0}};
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (!die) return around;
  const ElfModule& module = elf_module(*scope.module);
  const auto clip = [&](const Dwarf_Die& block) {
    if (!has_code(block)) return;
    for (const FileRange& range : ranges_of(module, block)) {
      if (range.contains(pc)) {
        around = {std::max(around.begin, range.begin), std::min(around.end, range.end)};
      } else if (range.begin > pc) {
        around.end = std::min(around.end, range.begin);
      } else {
        around.begin = std::max(around.begin, range.end);
      }
    }
  };
  clip(*die);
  for (const Dwarf_Die& block : blocks_at(module, *die, pc)) {
    Dwarf_Die child;
    if (!first_child(block, child)) continue;
    do
      if (is_block_tag(dwarf_tag(&child))) clip(child);
    while (next_sibling(child));
  }
  return around;
}

std::vector<Variable> parameters_of(DieRef scope) {
  std::vector<Variable> out;
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (die) collect(elf_module(*scope.module), *die, true, out);
  return out;
}

std::vector<Variable> locals_of(DieRef scope, std::uint64_t pc) {
  std::vector<Variable> out;
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (!die) return out;
  const ElfModule& module = elf_module(*scope.module);
  std::set<std::string> inner;
  // gcc may put a copy's variables into a block of their own, where the abstract function has them directly: they are
  // found there, and are not lost as well.
  std::vector<DieRef> found;
  for (const Dwarf_Die& block : blocks_at(module, *die, pc)) {
    const std::size_t begin = out.size();
    collect(module, block, false, out);
    const auto here = out.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto twice = [&](const Variable& one) {
      return one.gone && std::ranges::find(found, one.die) != found.end();
    };
    out.erase(std::remove_if(here, out.end(), twice), out.end());
    for (std::size_t i = begin; i < out.size(); ++i)
      if (const auto own = open_die(out[i].die); own && !out[i].gone)
        if (const auto origin = origin_of(*own)) found.push_back(make_ref(module, *origin));
    for (std::size_t i = begin; i < out.size(); ++i) out[i].shadowed = inner.contains(out[i].name);
    for (std::size_t i = begin; i < out.size(); ++i) inner.insert(out[i].name);
  }
  return out;
}

std::vector<Variable> globals_of(DieRef scope) {
  std::vector<Variable> out;
  if (!scope) return out;
  const ElfModule& module = elf_module(*scope.module);
  const UnitNames& unit = names_of(*scope.module).unit_of(scope);
  for (std::uint32_t i = 0; i < unit.entries().size(); ++i) {
    const NameEntry& entry = unit.entries()[i];
    if ((entry.tag != DW_TAG_variable && entry.tag != DW_TAG_constant) || entry.declaration) continue;
    const auto die = open_die(entry.die);
    if (!die) continue;
    Variable variable = describe(module, *die);
    std::string path;
    for (const std::string& part : unit.path_of(i)) path += (path.empty() ? "" : "::") + part;
    variable.name = std::move(path);
    variable.is_static = true;
    out.push_back(std::move(variable));
  }
  std::ranges::stable_sort(out, {}, &Variable::name);
  return out;
}

std::optional<Variable> this_of(DieRef scope) {
  if (!scope) return std::nullopt;
  for (Variable& parameter : parameters_of(scope))
    if (parameter.name == "this" && parameter.type->strip()->kind() == TypeKind::pointer) return std::move(parameter);
  return std::nullopt;
}

std::optional<Variable> captured_this(DieRef scope) {
  if (!scope || this_of(scope)) return std::nullopt;
  for (Variable& local : locals_of(scope, 0))
    if (local.artificial && local.name == "this" && local.type->strip()->kind() == TypeKind::pointer)
      return std::move(local);
  return std::nullopt;
}

const Type* captured_class(DieRef scope) {
  if (const auto captured = captured_this(scope)) return captured->type->strip()->target();
  const Type* closure = implicit_this(scope);
  if (closure == nullptr) return nullptr;
  for (const Member& member : closure->strip()->members())
    if (member.name == "this" && member.type->strip()->kind() == TypeKind::pointer)
      return member.type->strip()->target();
  return nullptr;
}

const Type* implicit_this(DieRef scope) {
  const auto self = this_of(scope);
  return self ? self->type->strip()->target() : nullptr;
}

std::optional<std::uint64_t> code_address(DieRef function) {
  const auto die = function ? open_die(function) : std::nullopt;
  if (!die) return std::nullopt;
  Dwarf_Die copy = *die;
  Dwarf_Addr at = 0;
  if (dwarf_entrypc(&copy, &at) != 0) return std::nullopt;
  return at;
}

std::string linkage_name_of(DieRef ref) {
  const auto die = ref ? open_die(ref) : std::nullopt;
  if (!die) return "";
  const char* name = linkage_name(*die);
  return name != nullptr ? name : "";
}

DieRef concrete_function(DieRef scope) {
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (!die) return {};
  Dwarf_Die at = *die;
  if (dwarf_tag(&at) == DW_TAG_subprogram) return scope;
  Dwarf_Die* scopes = nullptr;
  const int count = dwarf_getscopes_die(&at, &scopes);
  DieRef found;
  for (int i = 0; i < count && !found; ++i)
    if (dwarf_tag(&scopes[i]) == DW_TAG_subprogram) found = make_ref(*scope.module, scopes[i]);
  if (count >= 0) free(scopes);
  return found;
}

namespace {

// DW_LANG_; -1: not known.
int language_of(const DieRef& scope) {
  const auto die = scope ? open_die(scope) : std::nullopt;
  if (!die) return -1;
  Dwarf_Die at = *die, unit;
  return dwarf_diecu(&at, &unit, nullptr, nullptr) == nullptr ? -1 : dwarf_srclang(&unit);
}

}  // namespace

bool unit_is_rust(DieRef scope) { return language_of(scope) == DW_LANG_Rust; }

bool unit_is_cplusplus(DieRef scope) {
  switch (language_of(scope)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11: return false;
    default: return true;
  }
}

}  // namespace trapline::sym
