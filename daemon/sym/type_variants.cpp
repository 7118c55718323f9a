// Rust's enums with data: DW_TAG_variant_part within a record (DWARF 5 section 5.7.10).
#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/reader.hpp"
#include "daemon/sym/type_parts.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::sym {
namespace {

// One value of DW_AT_discr_value. Forms of a fixed size carry no sign: the discriminant's size cuts what is too much.
std::optional<std::uint64_t> discriminant_value(const Dwarf_Die& variant) {
  Dwarf_Attribute found;
  if (!own_attribute(variant, DW_AT_discr_value, found)) return std::nullopt;
  Dwarf_Word word = 0;
  Dwarf_Sword sign = 0;
  if (dwarf_whatform(&found) == DW_FORM_sdata && dwarf_formsdata(&found, &sign) == 0)
    return static_cast<std::uint64_t>(sign);
  if (dwarf_formudata(&found, &word) == 0) return word;
  // Of 128 bits: a block, or 16 bytes. The low half is what is compared.
  Dwarf_Block block;
  if (dwarf_formblock(&found, &block) != 0 || block.length < 8) return std::nullopt;
  return Reader(std::as_bytes(std::span(block.data, block.length))).u64();
}

// DW_AT_discr_list: DW_DSC_label (0) and a value, or DW_DSC_range (1) and two.
void add_list(const Dwarf_Die& variant, std::vector<std::pair<std::uint64_t, std::uint64_t>>& values) {
  Dwarf_Attribute found;
  Dwarf_Block block;
  if (!own_attribute(variant, DW_AT_discr_list, found) || dwarf_formblock(&found, &block) != 0) return;
  Reader in(std::as_bytes(std::span(block.data, block.length)));
  while (in.ok() && !in.at_end()) {
    const auto kind = in.u8();
    const auto low = in.uleb();
    const auto high = kind == 0 ? low : in.uleb();
    if (in.ok() && kind <= 1) values.emplace_back(low, high);
  }
}

}  // namespace

void Type::Parts::read_variants(const void* opaque) {
  const Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  Dwarf_Die part;
  bool more = first_child(it, part);
  while (more && dwarf_tag(&part) != DW_TAG_variant_part) more = next_sibling(part);
  if (!more) return;
  variants = std::make_unique<VariantPart>();
  if (const auto member = referenced(part, DW_AT_discr)) {
    variants->discriminant = type_of(make_ref(*die.module, *member));
    variants->offset = unsigned_value(*member, DW_AT_data_member_location).value_or(0);
  }
  Dwarf_Die variant;
  for (more = first_child(part, variant); more; more = next_sibling(variant)) {
    Dwarf_Die member;
    if (dwarf_tag(&variant) != DW_TAG_variant || !first_child(variant, member)) continue;
    bool is_member = dwarf_tag(&member) == DW_TAG_member;
    while (!is_member && next_sibling(member)) is_member = dwarf_tag(&member) == DW_TAG_member;
    if (!is_member) continue;
    Variant each;
    const char* written = die_name(member);
    each.type = type_of(make_ref(*die.module, member));
    each.name = written != nullptr ? written : each.type->short_name();
    each.offset = unsigned_value(member, DW_AT_data_member_location).value_or(0);
    if (const auto value = discriminant_value(variant)) each.values.emplace_back(*value, *value);
    add_list(variant, each.values);
    variants->variants.push_back(std::move(each));
  }
}

namespace {

// A vtable is a variable of its unit, "<T as Trait>::{vtable}", of a type that names T as what contains it.
void add_vtables(const ElfModule& module, const Dwarf_Die& unit, std::map<std::uint64_t, DieRef>& vtables) {
  Dwarf_Die child;
  for (bool more = first_child(unit, child); more; more = next_sibling(child)) {
    if (dwarf_tag(&child) != DW_TAG_variable) continue;
    const char* name = die_name(child);
    if (name == nullptr || !std::string_view(name).ends_with("{vtable}")) continue;
    Dwarf_Attribute location;
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (!own_attribute(child, DW_AT_location, location) || dwarf_getlocation(&location, &ops, &count) != 0 ||
        count != 1 || ops[0].atom != DW_OP_addr)
      continue;
    const auto table = referenced(child, DW_AT_type);
    const auto concrete = table ? referenced(*table, DW_AT_containing_type) : std::nullopt;
    if (concrete) vtables.emplace(ops[0].number, make_ref(module, *concrete));
  }
}

}  // namespace

const Type* rust_vtable_type(const Module& module, std::uint64_t at) {
  auto& known = memo_of(module).rust_vtables;
  if (!known) {
    known.emplace();
    const ElfModule& elf = elf_module(module);
    if (DebugInfo* info = elf.debug_info())
      for (const auto* unit : info->units())
        if (unit->compile_unit && unit->language == DW_LANG_Rust) add_vtables(elf, unit->die, *known);
  }
  const auto found = known->find(at);
  return found == known->end() ? nullptr : type_at(found->second);
}

}  // namespace trapline::sym
