// Types out of DWARF (DWARF 4 and 5, chapter 5). Every node is read when it is first asked, and kept per module.
#include <elfutils/libdwelf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>

#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/type_parts.hpp"
#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {

// ---- what is remembered per module

namespace {

// What tells one build of a file from another, cheap enough to compare at every call: where the file is mapped, and the
// bytes of its build-id (without one: its ELF header, which holds the sizes of its parts).
ModuleIdentity identity_of(const Module& module) {
  ModuleIdentity identity;
  const ElfModule& elf = elf_module(module);
  identity.id = module.id();
  identity.file = reinterpret_cast<const std::byte*>(elf_rawfile(elf.elf(), &identity.size));
  const void* build_id = nullptr;
  if (const ssize_t length = dwelf_elf_gnu_build_id(elf.elf(), &build_id); length > 0 && identity.file != nullptr) {
    const void* found = memmem(identity.file, identity.size, build_id, static_cast<std::size_t>(length));
    if (found != nullptr) identity.sample_at = static_cast<const std::byte*>(found) - identity.file;
    if (found != nullptr)
      identity.sample.assign(static_cast<const std::byte*>(found), static_cast<const std::byte*>(found) + length);
  }
  if (identity.sample.empty() && identity.file != nullptr)
    identity.sample.assign(identity.file, identity.file + std::min<std::size_t>(identity.size, sizeof(Elf64_Ehdr)));
  return identity;
}

bool still(const ModuleIdentity& known, const Module& module) {
  std::size_t size = 0;
  const auto* file = reinterpret_cast<const std::byte*>(elf_rawfile(elf_module(module).elf(), &size));
  return known.id == module.id() && known.file == file && known.size == size &&
         (file == nullptr || std::equal(known.sample.begin(), known.sample.end(), file + known.sample_at));
}

}  // namespace

ModuleMemo& memo_of(const Module& module) {
  static std::unordered_map<const Module*, std::unique_ptr<ModuleMemo>> memos;
  // Nodes of a module that is gone may still be named by a value that somebody holds: they go a good while later.
  static std::deque<std::unique_ptr<ModuleMemo>> retired;
  std::unique_ptr<ModuleMemo>& memo = memos[&module];
  if (memo && still(memo->identity, module)) return *memo;
  if (memo) {
    retired.push_back(std::move(memo));
    if (retired.size() > 64) retired.pop_front();
  }
  memo = std::make_unique<ModuleMemo>();
  memo->identity = identity_of(module);
  return *memo;
}

// ---- finding nodes

namespace {

std::optional<TypeKind> kind_of(int tag) {
  switch (tag) {
    case DW_TAG_base_type: return TypeKind::base;
    case DW_TAG_pointer_type: return TypeKind::pointer;
    case DW_TAG_reference_type: return TypeKind::lvalue_reference;
    case DW_TAG_rvalue_reference_type: return TypeKind::rvalue_reference;
    case DW_TAG_ptr_to_member_type: return TypeKind::data_member_pointer;
    case DW_TAG_array_type: return TypeKind::array;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_interface_type:
    case DW_TAG_union_type: return TypeKind::record;
    case DW_TAG_enumeration_type: return TypeKind::enumeration;
    case DW_TAG_typedef:
    case DW_TAG_template_alias: return TypeKind::alias;
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type: return TypeKind::qualified;
    case DW_TAG_subroutine_type: return TypeKind::function;
    case DW_TAG_unspecified_type: return TypeKind::null_pointer;
    default: return std::nullopt;
  }
}

const Type* node(DieRef ref, TypeKind kind, bool function, unsigned level) {
  auto& slot = memo_of(*ref.module).types[{ref.offset, ref.file, function, level}];
  if (!slot) {
    auto parts = std::make_unique<Type::Parts>();
    parts->kind = kind;
    parts->die = ref;
    parts->level = level;
    slot = std::make_unique<Type>(std::move(parts));
  }
  return slot.get();
}

const Type* type_of_die(const Module& module, const Dwarf_Die& die) {
  Dwarf_Attribute found;
  if (!attribute(die, DW_AT_type, found)) return builtin(Builtin::void_);
  const auto target = target_of(found);
  return target ? type_at(make_ref(module, *target)) : builtin(Builtin::unknown);
}

std::uint8_t encoding_number(const Dwarf_Die& die) {
  return static_cast<std::uint8_t>(unsigned_value(die, DW_AT_encoding).value_or(0));
}

// gcc writes "long unsigned int", people and clang write "unsigned long".
std::string plain_name(std::string name) {
  static const std::unordered_map<std::string_view, std::string_view> plain{
      {"long int", "long"},
      {"long unsigned int", "unsigned long"},
      {"short int", "short"},
      {"short unsigned int", "unsigned short"},
      {"long long int", "long long"},
      {"long long unsigned int", "unsigned long long"},
      {"__int128 unsigned", "unsigned __int128"},
      {"complex float", "_Complex float"},
      {"complex double", "_Complex double"},
      {"complex long double", "_Complex long double"},
      {"_Bool", "bool"}};
  const auto found = plain.find(name);
  return found == plain.end() ? name : std::string(found->second);
}

// clang calls all of them "complex".
std::string complex_name(std::uint64_t size) {
  switch (size) {
    case 8: return "_Complex float";
    case 16: return "_Complex double";
    case 32: return "_Complex long double";
    default: return "complex";
  }
}

Encoding encoding_of(std::uint8_t number) {
  switch (number) {
    case DW_ATE_boolean: return Encoding::boolean;
    case DW_ATE_signed: return Encoding::signed_integer;
    case DW_ATE_unsigned:
    case DW_ATE_address: return Encoding::unsigned_integer;
    case DW_ATE_signed_char: return Encoding::signed_character;
    case DW_ATE_unsigned_char: return Encoding::unsigned_character;
    case DW_ATE_UTF: return Encoding::utf;
    case DW_ATE_float: return Encoding::floating;
    case DW_ATE_complex_float: return Encoding::complex;
    default: return Encoding::other;
  }
}

}  // namespace

const Type* type_at(DieRef ref) {
  if (!ref) return builtin(Builtin::unknown);
  const auto die = open_die(ref);
  if (!die) return builtin(Builtin::unknown);
  Dwarf_Die copy = *die;
  // What stands for a type of a type unit (with or without DW_AT_declaration, a name, members that are functions).
  if (const auto real = referenced(copy, DW_AT_signature); real && !has_own(*real, DW_AT_signature)) {
    Dwarf_Die definition = *real;
    if (kind_of(dwarf_tag(&definition)) == kind_of(dwarf_tag(&copy)))
      if (const DieRef at = make_ref(*ref.module, definition)) {
        ref = at;
        copy = definition;
      }
  }
  auto kind = kind_of(dwarf_tag(&copy));
  if (!kind) return builtin(Builtin::unknown);
  if (kind == TypeKind::null_pointer) {
    const char* name = die_name(copy);
    const std::string_view text = name != nullptr ? name : "";
    if (text == "void") return builtin(Builtin::void_);
    if (text.find("nullptr") == std::string_view::npos) return builtin(Builtin::unknown);
    return builtin(Builtin::null_pointer);
  }
  if (kind == TypeKind::data_member_pointer)
    if (type_of_die(*ref.module, copy)->strip()->kind() == TypeKind::function) kind = TypeKind::function_member_pointer;
  return node(ref, *kind, false, 0);
}

const Type* type_of(DieRef ref) {
  if (!ref) return builtin(Builtin::unknown);
  const auto die = open_die(ref);
  return die ? type_of_die(*ref.module, *die) : builtin(Builtin::unknown);
}

const Type* function_type(DieRef ref) {
  if (!ref) return builtin(Builtin::unknown);
  return node(ref, TypeKind::function, true, 0);
}

// ---- reading a node

void Type::Parts::read_basics() {
  if (basics_read) return;
  basics_read = target_read = record_read = true;
  target = record = nullptr;
  const auto opened = open_die(die);
  if (!opened) {
    kind = TypeKind::unknown;
    children_read = true;
    return;
  }
  Dwarf_Die it = *opened;
  const int tag = dwarf_tag(&it);
  cplusplus = unit_is_cplusplus(die);
  rust = unit_is_rust(die);
  if (const char* written = die_name(it)) tag_name = written;
  byte_size = unsigned_value(it, DW_AT_byte_size);
  if (!byte_size)
    if (const auto bits = unsigned_value(it, DW_AT_bit_size)) byte_size = (*bits + 7) / 8;
  alignment = unsigned_value(it, DW_AT_alignment).value_or(0);
  if (!std::has_single_bit(alignment)) alignment = 0;
  // Its own: the definition in a type unit completes a declaration (DW_AT_specification), and is none.
  declaration = has_own(it, DW_AT_declaration);
  if (kind != TypeKind::base && kind != TypeKind::record) target = type_of_die(*die.module, it);
  switch (kind) {
    case TypeKind::base:
      encoding = encoding_of(encoding_number(it));
      quad = (encoding == Encoding::floating || encoding == Encoding::complex) && byte_size.value_or(0) >= 16 &&
             tag_name.find("128") != std::string::npos;
      if (rust && tag_name == "char") encoding = Encoding::utf;  // old compilers call it an unsigned number
      tag_name = encoding == Encoding::complex && tag_name == "complex" ? complex_name(byte_size.value_or(0))
                                                                        : plain_name(tag_name);
      if (tag_name == "char8_t" || tag_name == "char16_t" || tag_name == "char32_t") encoding = Encoding::utf;
      break;
    case TypeKind::pointer:
    case TypeKind::lvalue_reference:
    case TypeKind::rvalue_reference:
      if (!byte_size) byte_size = 8;
      break;
    case TypeKind::data_member_pointer:
    case TypeKind::function_member_pointer:
      record = builtin(Builtin::unknown);
      if (const auto container = referenced(it, DW_AT_containing_type))
        record = type_at(make_ref(*die.module, *container));
      if (!byte_size) byte_size = kind == TypeKind::data_member_pointer ? 8 : 16;  // Itanium C++ ABI 2.3
      target = kind == TypeKind::function_member_pointer ? target->strip() : target;
      break;
    case TypeKind::array: read_array(&it); break;
    case TypeKind::record:
      key = tag == DW_TAG_union_type   ? RecordKey::union_
            : tag == DW_TAG_class_type ? RecordKey::class_
                                       : RecordKey::struct_;
      break;
    case TypeKind::enumeration:
      scoped = flag(it, DW_AT_enum_class);
      // DWARF 2 compilers for C leave the underlying type out: int, or what its size says.
      if (target->kind() == TypeKind::void_)
        target = builtin(byte_size.value_or(4) == 8 ? Builtin::unsigned_long : Builtin::unsigned_int);
      break;
    case TypeKind::qualified:
      qualifier = tag == DW_TAG_const_type      ? Qualifier::const_
                  : tag == DW_TAG_volatile_type ? Qualifier::volatile_
                  : tag == DW_TAG_restrict_type ? Qualifier::restrict_
                                                : Qualifier::atomic_;
      break;
    case TypeKind::function: prototyped = flag(it, DW_AT_prototyped) || cplusplus; break;
    default: break;
  }
}

void Type::Parts::read_array(const void* opaque) {
  const Dwarf_Die it = *static_cast<const Dwarf_Die*>(opaque);
  vector = flag(it, DW_AT_GNU_vector);
  std::vector<Dwarf_Die> dimensions;
  Dwarf_Die child;
  if (first_child(it, child)) do {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_subrange_type || tag == DW_TAG_enumeration_type) dimensions.push_back(child);
    } while (next_sibling(child));
  if (level + 1 < dimensions.size()) {
    target = node(die, TypeKind::array, false, level + 1);
    if (level == 0 && dimensions.size() > max_type_depth / 2) target = builtin(Builtin::unknown);
  }
  if (level > 0) byte_size.reset();
  if (level >= dimensions.size()) return;  // C's `[]` without any subrange
  Dwarf_Die& dimension = dimensions[level];
  Dwarf_Attribute bound;
  if (const auto low = unsigned_value(dimension, DW_AT_lower_bound)) lower_bound = static_cast<std::int64_t>(*low);
  for (const unsigned which : {DW_AT_count, DW_AT_upper_bound}) {
    if (!own_attribute(dimension, which, bound)) continue;
    Dwarf_Word number = 0;
    Dwarf_Sword sign = 0;
    const unsigned form = dwarf_whatform(&bound);
    const bool is_reference = form == DW_FORM_ref1 || form == DW_FORM_ref2 || form == DW_FORM_ref4 ||
                              form == DW_FORM_ref8 || form == DW_FORM_ref_udata || form == DW_FORM_ref_addr;
    const bool is_expression = form == DW_FORM_exprloc || form == DW_FORM_block1 || form == DW_FORM_block;
    if (is_reference || is_expression || form == DW_FORM_sec_offset || form == DW_FORM_loclistx) {
      dynamic_count = true;
    } else if (which == DW_AT_count && dwarf_formudata(&bound, &number) == 0) {
      count = number;
    } else if (which == DW_AT_upper_bound && dwarf_formsdata(&bound, &sign) == 0) {
      // gcc writes `int a[0]` in C with an upper bound of -1 (as 0xff.. of the form's size, or of 8 bytes).
      const std::uint64_t length = static_cast<std::uint64_t>(sign) - static_cast<std::uint64_t>(lower_bound) + 1;
      count = length;
    }
    return;
  }
}

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

// ---- relations

MemberOf member_of(DieRef function) {
  const auto opened = function ? open_die(function) : std::nullopt;
  if (!opened) return {};
  const auto parent = lexical_parent(elf_module(*function.module), *opened);
  if (!parent) return {};
  Dwarf_Die copy = *parent;
  if (kind_of(dwarf_tag(&copy)) != TypeKind::record) return {};
  return {type_at(make_ref(*function.module, copy)), this_of(function).has_value()};
}

const Type* Type::complete(std::span<const Module* const> others) const {
  const Type* type = this;
  if (parts_->kind != TypeKind::record && parts_->kind != TypeKind::enumeration) return type;
  parts_->read_basics();
  if (!parts_->declaration || !parts_->die) return type;
  if (parts_->definition != nullptr) return parts_->definition;
  if (parts_->definition_asked > others.size()) return type;
  const std::size_t asked_before = parts_->definition_asked;
  parts_->definition_asked = others.size() + 1;
  if (asked_before == 0)
    if (const DieRef real = find_definition(*parts_->die.module, parts_->die, *parts_->die.module))
      return parts_->definition = type_at(real);
  for (const Module* other : others) {
    if (other == parts_->die.module) continue;
    if (const DieRef real = find_definition(*other, parts_->die, *parts_->die.module))
      return parts_->definition = type_at(real);
  }
  return type;
}

}  // namespace trapline::sym
