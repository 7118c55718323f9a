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

const Type* type_of_die(const Module& module, const Dwarf_Die& die) {
  Dwarf_Attribute found;
  if (!attribute(die, DW_AT_type, found)) return builtin(Builtin::void_);
  const auto target = target_of(found);
  return target ? type_at(make_ref(module, *target)) : builtin(Builtin::unknown);
}

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
