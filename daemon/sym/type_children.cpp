// What stands in a type's DIE: members, enumerators, parameters, template arguments. Read when one of them is first
// asked for.
#include <algorithm>
#include <cstring>

#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/type_parts.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::sym {

void Type::Parts::read_children() {
  read_basics();
  if (children_read) return;
  children_read = true;
  const auto opened = open_die(die);
  if (!opened) return;
  switch (kind) {
    case TypeKind::record:
      read_record(&*opened);
      if (rust) read_variants(&*opened);
      break;
    case TypeKind::enumeration: read_enumeration(&*opened); break;
    case TypeKind::function: read_function(&*opened); break;
    default: break;
  }
}

namespace {

// DWARF 4's DW_AT_bit_offset counts from the most significant bit of a storage unit, DW_AT_data_bit_offset from the
// least significant bit of the record (on a little-endian machine).
void read_bit_field(const Dwarf_Die& die, Member& member) {
  const auto bits = unsigned_value(die, DW_AT_bit_size);
  if (!bits || *bits == 0 || *bits > 128) return;
  member.bit_size = static_cast<std::uint32_t>(*bits);
  std::uint64_t first = member.offset * 8;
  if (const auto data = unsigned_value(die, DW_AT_data_bit_offset)) {
    first = *data;
  } else if (Dwarf_Attribute old; own_attribute(die, DW_AT_bit_offset, old)) {
    Dwarf_Sword from_top = 0;
    dwarf_formsdata(&old, &from_top);
    const std::uint64_t storage = unsigned_value(die, DW_AT_byte_size).value_or(member.type->size().value_or(4));
    first += storage * 8 - static_cast<std::uint64_t>(from_top) - *bits;
  }
  member.offset = first / 8;
  member.bit_offset = static_cast<std::uint32_t>(first % 8);
}

// A constant, or the one-operation expression that DWARF 2 used for it.
void read_offset(const Dwarf_Die& die, Member& member) {
  Dwarf_Attribute place;
  if (!own_attribute(die, DW_AT_data_member_location, place)) return;
  Dwarf_Word constant = 0;
  const unsigned form = dwarf_whatform(&place);
  const bool block = form == DW_FORM_exprloc || form == DW_FORM_block1 || form == DW_FORM_block2 ||
                     form == DW_FORM_block4 || form == DW_FORM_block;
  if (!block && dwarf_formudata(&place, &constant) == 0) {
    member.offset = constant;
    return;
  }
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&place, &ops, &count) == 0 && count == 1 && ops[0].atom == DW_OP_plus_uconst)
    member.offset = ops[0].number;
  else
    member.offset_is_expression = true;
}

}  // namespace

void Type::Parts::read_template_argument(const void* opaque) {
  Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  const int tag = dwarf_tag(&it);
  if (tag == DW_TAG_GNU_template_parameter_pack) {  // its arguments are children of one entry
    Dwarf_Die each;
    if (!first_child(it, each)) return;
    do {
      if (dwarf_tag(&each) != DW_TAG_GNU_template_parameter_pack) read_template_argument(&each);
    } while (next_sibling(each));
    return;
  }
  if (tag != DW_TAG_template_type_parameter && tag != DW_TAG_template_value_parameter) return;
  const char* written = die_name(it);
  TemplateArgument argument{
      .name = written != nullptr ? written : "", .type = type_of_die(*die.module, it), .value = {}};
  if (const auto value = unsigned_value(it, DW_AT_const_value)) argument.value = static_cast<std::int64_t>(*value);
  // A value without a constant (an address) is no type.
  if (tag == DW_TAG_template_value_parameter && !argument.value) argument.value = 0;
  arguments.push_back(std::move(argument));
}

void Type::Parts::read_record(const void* opaque) {
  const Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  std::vector<Member> fields;
  Dwarf_Die child;
  if (!first_child(it, child)) return;
  do {
    const int tag = dwarf_tag(&child);
    read_template_argument(&child);
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance && tag != DW_TAG_variable) continue;
    Member member;
    const char* written = die_name(child);
    member.name = written != nullptr ? written : "";
    member.type = type_of_die(*die.module, child);
    member.die = make_ref(*die.module, child);
    member.artificial = flag(child, DW_AT_artificial);
    // Static members: DW_TAG_variable in DWARF 5, a member that is a declaration (and external) before.
    if (tag == DW_TAG_variable ||
        (tag == DW_TAG_member && (flag(child, DW_AT_external) || flag(child, DW_AT_declaration)))) {
      member.kind = Member::Kind::static_;
      fields.push_back(std::move(member));
      continue;
    }
    read_offset(child, member);
    if (tag == DW_TAG_inheritance) {
      const bool is_virtual = unsigned_value(child, DW_AT_virtuality).value_or(0) != 0 || member.offset_is_expression;
      member.kind = is_virtual ? Member::Kind::virtual_base : Member::Kind::base;
      member.name = member.type->strip()->short_name();
      members.push_back(std::move(member));
    } else {
      read_bit_field(child, member);
      fields.push_back(std::move(member));
    }
  } while (next_sibling(child));
  members.insert(members.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
}

void Type::Parts::read_enumeration(const void* opaque) {
  const Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  Dwarf_Die child;
  bool negative = false;
  if (first_child(it, child)) do {
      if (dwarf_tag(&child) != DW_TAG_enumerator) continue;
      Dwarf_Attribute value;
      if (!attribute(child, DW_AT_const_value, value)) continue;
      // Fixed-size forms carry no sign: the underlying type says how to read them.
      Dwarf_Sword sign = 0;
      Dwarf_Word word = 0;
      const Encoding under = target->strip()->encoding();
      const bool is_signed = under == Encoding::signed_integer || under == Encoding::signed_character;
      if (is_signed || dwarf_whatform(&value) == DW_FORM_sdata || dwarf_whatform(&value) == DW_FORM_implicit_const) {
        dwarf_formsdata(&value, &sign);
        word = static_cast<Dwarf_Word>(sign);
      } else {
        dwarf_formudata(&value, &word);
      }
      negative = negative || static_cast<std::int64_t>(word) < 0;
      const char* written = die_name(child);
      enumerators.push_back({written != nullptr ? written : "", word});
    } while (next_sibling(child));
  // Flags: bits, and names for combinations of them. Three plain values in a row are no flags.
  std::uint64_t single = 0;
  for (const Enumerator& e : enumerators)
    if (std::has_single_bit(e.value)) single |= e.value;
  flags = !negative && std::popcount(single) >= 2;
  for (const Enumerator& e : enumerators) {
    if ((e.value & ~single) != 0) flags = false;
    if (std::popcount(e.value) > 1 && std::popcount(single) < 3) flags = false;
  }
}

void Type::Parts::read_function(const void* opaque) {
  const Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  const auto collect = [&](const Dwarf_Die& from) {
    Dwarf_Die child;
    if (!first_child(from, child)) return;
    do {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_unspecified_parameters) variadic = true;
      if (tag != DW_TAG_formal_parameter) continue;
      const char* written = die_name(child);
      parameters.push_back(
          {written != nullptr ? written : "", type_of_die(*die.module, child), flag(child, DW_AT_artificial)});
    } while (next_sibling(child));
  };
  // The declaration or abstract instance has the full list; a concrete copy may have lost some.
  Dwarf_Die origin = it;
  for (int hops = 0; hops < max_reference_chain; ++hops) {
    auto next = referenced(origin, DW_AT_abstract_origin);
    if (!next) next = referenced(origin, DW_AT_specification);
    if (!next) break;
    origin = *next;
  }
  collect(origin);
  if (parameters.empty()) collect(it);
}

}  // namespace trapline::sym
