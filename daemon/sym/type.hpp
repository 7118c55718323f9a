#pragma once
// Types as the program's source means them: a graph over DWARF, read lazily and kept per module, plus the types that no
// DWARF holds (literals' types, T* of an `&x`, the elements of an `a@n`). Nothing of elfutils appears here.
// Identity: within one module the same DIE is the same `const Type*`; across units equal types may be different nodes,
// so compare with same_type(). Life: a node lives as long as its module (built-in ones for ever).
// Thread: the loop's (as Module): nodes fill themselves in when first asked.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/module.hpp"

namespace trapline::sym {

class Type;

enum class TypeKind : std::uint8_t {
  void_,
  base,
  pointer,
  lvalue_reference,
  rvalue_reference,
  data_member_pointer,
  function_member_pointer,
  array,
  record,  // struct, class, union
  enumeration,
  alias,      // typedef, using
  qualified,  // const, volatile, restrict, _Atomic: one level each
  function,
  null_pointer,  // decltype(nullptr)
  unknown,       // DWARF that we cannot read, or of another language
};

enum class Encoding : std::uint8_t {
  none,
  boolean,
  signed_integer,
  unsigned_integer,
  signed_character,    // char (signed on x86), signed char
  unsigned_character,  // unsigned char
  utf,                 // char8_t, char16_t, char32_t; wchar_t is a signed_integer named so
  floating,            // by size: 2 _Float16, 4, 8, 16 (x87 in 16 bytes, or __float128: see quad())
  complex,             // two floats of half the size
  other,               // decimal, fixed point, ...
};

enum class RecordKey : std::uint8_t { struct_, class_, union_ };
enum class Qualifier : std::uint8_t { const_, volatile_, restrict_, atomic_ };

struct Member {
  enum class Kind : std::uint8_t { field, base, virtual_base, static_ };
  Kind kind = Kind::field;
  std::string name;  // empty: anonymous (or a base, whose name is its type's)
  const Type* type = nullptr;
  std::uint64_t offset = 0;      // bytes from the object's begin; of a bit-field: of the byte that holds its first bit
  std::uint32_t bit_size = 0;    // 0: no bit-field
  std::uint32_t bit_offset = 0;  // 0..7, from the least significant bit of the byte at `offset`
  bool offset_is_expression = false;  // virtual bases: location.hpp's member_address() runs it on the object
  bool artificial = false;            // _vptr and the like
  DieRef die;
};

class Type;

// Rust's enums (DWARF 5 section 5.7.10): which of the variants there is says a discriminant, which may be a niche: a
// value that the payload cannot have.
struct Variant {
  std::string name;
  const Type* type = nullptr;  // a record with the variant's fields
  std::uint64_t offset = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> values;  // of the discriminant, inclusive; empty: all others
};
struct VariantPart {
  const Type* discriminant = nullptr;  // nullptr: one variant, and nothing to tell
  std::uint64_t offset = 0;
  std::vector<Variant> variants;
};

struct Enumerator {
  std::string name;
  std::uint64_t value = 0;  // sign extended where the enum is signed
};

struct Parameter {
  std::string name;
  const Type* type = nullptr;
  bool artificial = false;  // this
};

struct TemplateArgument {
  std::string name;            // "T"
  const Type* type = nullptr;  // of the type, or of the value
  std::optional<std::int64_t> value;
};

class Type {
 public:
  struct Parts;  // what a node is made of; type_parts.hpp, inside the room
  explicit Type(std::unique_ptr<Parts> parts);
  ~Type();
  Type(const Type&) = delete;
  Type& operator=(const Type&) = delete;

  TypeKind kind() const;
  Encoding encoding() const;                // of base types; of enumerations their underlying type's
  bool quad() const;                        // IEEE binary128 and not x87's 80 bits in 16 bytes
  const std::string& name() const;          // as a person writes it: "const char *", "ns::Map<int>", "int (*)(char)"
  std::string short_name() const;           // without namespaces: "Map<int>"
  std::string short_name_or_empty() const;  // as DWARF has it; pointers and arrays of C have none
  // A declarator around the name: declared_as("x") of int[3] is "int x[3]".
  std::string declared_as(std::string_view name) const;
  // Bytes; nullopt: incomplete, or known only at run time (array of dynamic length).
  std::optional<std::uint64_t> size() const;
  std::uint64_t alignment() const;  // bytes; at least 1
  // Pointee, referee, element, aliased or unqualified type, underlying type of an enumeration, result of a function,
  // type of the member that a member pointer names. Never nullptr for those kinds (void is a type); else nullptr.
  const Type* target() const;
  const Type* containing_record() const;  // of member pointers
  Qualifier qualifier() const;
  RecordKey record_key() const;
  std::span<const Member> members() const;  // bases first, in order of declaration; of the definition where we know it
  std::span<const Enumerator> enumerators() const;
  bool scoped() const;  // enum class
  bool flags() const;   // every enumerator is 0 or made of bits: show as A | B
  std::span<const Parameter> parameters() const;
  bool variadic() const;
  bool prototyped() const;                     // false: f() of C, anything may be passed
  std::optional<std::uint64_t> count() const;  // elements; nullopt: flexible, unknown or dynamic
  bool dynamic_count() const;                  // location.hpp's array_count() finds it
  std::int64_t lower_bound() const;
  std::span<const TemplateArgument> template_arguments() const;
  bool declaration() const;             // incomplete here; complete() may know better
  bool anonymous() const;               // record or enumeration without a name
  bool vector() const;                  // GNU vector
  bool rust() const;                    // of a unit in Rust; named as Rust does
  const VariantPart* variants() const;  // nullptr: no enum with data
  bool has_vtable() const;              // polymorphic: it, or a base, holds a _vptr
  DieRef die() const;                   // none for types that DWARF does not hold

  // Without aliases and qualifiers.
  const Type* strip() const;
  const Type* unqualified() const;  // without qualifiers; aliases stay
  bool is_const() const;            // some qualifier on the way through aliases
  bool is_reference() const;

  // The definition of a declaration: by signature, in other units of its module, then in `others`. This node itself
  // where nothing better is known. A find is kept; a miss is kept per number of modules asked.
  const Type* complete(std::span<const Module* const> others = {}) const;

  // Types made of this one; kept with it.
  const Type* pointer_to() const;
  const Type* lvalue_reference_to() const;
  const Type* rvalue_reference_to() const;
  const Type* const_of() const;
  const Type* volatile_of() const;
  const Type* array_of(std::optional<std::uint64_t> count) const;

 private:
  std::unique_ptr<Parts> parts_;
};

// ---- from DWARF

const Type* type_at(DieRef die);        // of a DW_TAG_*_type DIE; unknown() where it is none
const Type* type_of(DieRef die);        // DW_AT_type of a variable, member, function ...; void without
const Type* function_type(DieRef die);  // of a DW_TAG_subprogram
// The class that a member function belongs to; nullptr for others. `object`: the function takes `this`.
struct MemberOf {
  const Type* record = nullptr;
  bool object = false;
};
MemberOf member_of(DieRef function);

// ---- made by us

enum class Builtin : std::uint8_t {
  void_,
  bool_,
  char_,
  signed_char,
  unsigned_char,
  char8,
  char16,
  char32,
  wchar,
  short_,
  unsigned_short,
  int_,
  unsigned_int,
  long_,
  unsigned_long,
  long_long,
  unsigned_long_long,
  int128,
  unsigned_int128,
  float16,
  float_,
  double_,
  long_double,
  float128,
  complex_float,
  complex_double,
  complex_long_double,
  null_pointer,
  unknown,
};
const Type* builtin(Builtin which);
const Type* builtin_named(std::string_view name);  // "unsigned long", in canonical order of words; nullptr: none
const Type* make_record(std::string name, RecordKey key, std::uint64_t size, std::vector<Member> members);
const Type* make_enumeration(std::string name, const Type* underlying, std::vector<Enumerator> enumerators,
                             bool scoped);
const Type* make_function(const Type* result, std::vector<Parameter> parameters, bool variadic);
const Type* make_member_pointer(const Type* record, const Type* member);
const Type* make_rust_primitive(std::string name, Encoding encoding, std::uint64_t size);
const Type* make_alias(std::string name, const Type* target);

// Equal as C++ sees it: same structure, records and enumerations by name. Aliases are looked through; qualifiers count.
bool same_type(const Type* a, const Type* b);

}  // namespace trapline::sym
