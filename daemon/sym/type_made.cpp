// Types that no DWARF holds: those of literals and registers, and the ones derived from others by an expression.
#include <array>
#include <deque>
#include <unordered_map>

#include "daemon/sym/type_parts.hpp"

namespace trapline::sym {
namespace {

std::unique_ptr<Type> derived(TypeKind kind, const Type* target, std::optional<std::uint64_t> size) {
  auto parts = std::make_unique<Type::Parts>();
  parts->kind = kind;
  parts->basics_read = parts->children_read = parts->target_read = parts->record_read = true;
  parts->target = target;
  parts->byte_size = size;
  return std::make_unique<Type>(std::move(parts));
}

std::unique_ptr<Type::Parts> named(TypeKind kind, std::string name) {
  auto parts = std::make_unique<Type::Parts>();
  parts->kind = kind;
  parts->basics_read = parts->children_read = parts->target_read = parts->record_read = true;
  parts->name = parts->tag_name = std::move(name);
  return parts;
}

struct BuiltinFacts {
  Builtin which;
  const char* name;
  Encoding encoding;
  std::uint64_t size;
};

constexpr std::array builtin_facts{
    BuiltinFacts{Builtin::bool_, "bool", Encoding::boolean, 1},
    BuiltinFacts{Builtin::char_, "char", Encoding::signed_character, 1},
    BuiltinFacts{Builtin::signed_char, "signed char", Encoding::signed_character, 1},
    BuiltinFacts{Builtin::unsigned_char, "unsigned char", Encoding::unsigned_character, 1},
    BuiltinFacts{Builtin::char8, "char8_t", Encoding::utf, 1},
    BuiltinFacts{Builtin::char16, "char16_t", Encoding::utf, 2},
    BuiltinFacts{Builtin::char32, "char32_t", Encoding::utf, 4},
    BuiltinFacts{Builtin::wchar, "wchar_t", Encoding::signed_integer, 4},
    BuiltinFacts{Builtin::short_, "short", Encoding::signed_integer, 2},
    BuiltinFacts{Builtin::unsigned_short, "unsigned short", Encoding::unsigned_integer, 2},
    BuiltinFacts{Builtin::int_, "int", Encoding::signed_integer, 4},
    BuiltinFacts{Builtin::unsigned_int, "unsigned int", Encoding::unsigned_integer, 4},
    BuiltinFacts{Builtin::long_, "long", Encoding::signed_integer, 8},
    BuiltinFacts{Builtin::unsigned_long, "unsigned long", Encoding::unsigned_integer, 8},
    BuiltinFacts{Builtin::long_long, "long long", Encoding::signed_integer, 8},
    BuiltinFacts{Builtin::unsigned_long_long, "unsigned long long", Encoding::unsigned_integer, 8},
    BuiltinFacts{Builtin::int128, "__int128", Encoding::signed_integer, 16},
    BuiltinFacts{Builtin::unsigned_int128, "unsigned __int128", Encoding::unsigned_integer, 16},
    BuiltinFacts{Builtin::float16, "_Float16", Encoding::floating, 2},
    BuiltinFacts{Builtin::float_, "float", Encoding::floating, 4},
    BuiltinFacts{Builtin::double_, "double", Encoding::floating, 8},
    BuiltinFacts{Builtin::long_double, "long double", Encoding::floating, 16},
    BuiltinFacts{Builtin::float128, "__float128", Encoding::floating, 16},
    BuiltinFacts{Builtin::complex_float, "_Complex float", Encoding::complex, 8},
    BuiltinFacts{Builtin::complex_double, "_Complex double", Encoding::complex, 16},
    BuiltinFacts{Builtin::complex_long_double, "_Complex long double", Encoding::complex, 32},
};

using Builtins = std::unordered_map<int, std::unique_ptr<Type>>;

Builtins make_builtins() {
  Builtins all;
  for (const BuiltinFacts& facts : builtin_facts) {
    auto parts = named(TypeKind::base, facts.name);
    parts->encoding = facts.encoding;
    parts->byte_size = facts.size;
    parts->quad = facts.which == Builtin::float128;
    all.emplace(static_cast<int>(facts.which), std::make_unique<Type>(std::move(parts)));
  }
  all.emplace(static_cast<int>(Builtin::void_), std::make_unique<Type>(named(TypeKind::void_, "void")));
  auto null = named(TypeKind::null_pointer, "std::nullptr_t");
  null->byte_size = 8;
  all.emplace(static_cast<int>(Builtin::null_pointer), std::make_unique<Type>(std::move(null)));
  all.emplace(static_cast<int>(Builtin::unknown), std::make_unique<Type>(named(TypeKind::unknown, "<unknown type>")));
  return all;
}

}  // namespace

const Type* builtin(Builtin which) {
  static const Builtins all = make_builtins();
  return all.at(static_cast<int>(which)).get();
}

const Type* builtin_named(std::string_view name) {
  if (name == "void") return builtin(Builtin::void_);
  for (const BuiltinFacts& facts : builtin_facts)
    if (facts.name == name) return builtin(facts.which);
  return nullptr;
}

const Type* own_type(std::unique_ptr<Type::Parts> parts) {
  static std::deque<std::unique_ptr<Type>> all;
  return all.emplace_back(std::make_unique<Type>(std::move(parts))).get();
}

const Type* make_record(std::string name, RecordKey key, std::uint64_t size, std::vector<Member> members) {
  auto parts = named(TypeKind::record, std::move(name));
  parts->key = key;
  parts->byte_size = size;
  parts->members = std::move(members);
  return own_type(std::move(parts));
}

const Type* make_enumeration(std::string name, const Type* underlying, std::vector<Enumerator> enumerators,
                             bool scoped) {
  auto parts = named(TypeKind::enumeration, std::move(name));
  parts->target = underlying;
  parts->byte_size = underlying->size();
  parts->enumerators = std::move(enumerators);
  parts->scoped = scoped;
  return own_type(std::move(parts));
}

const Type* make_function(const Type* result, std::vector<Parameter> parameters, bool variadic) {
  auto parts = named(TypeKind::function, "");
  parts->name.reset();
  parts->target = result;
  parts->parameters = std::move(parameters);
  parts->variadic = variadic;
  return own_type(std::move(parts));
}

const Type* make_member_pointer(const Type* record, const Type* member) {
  const bool function = member->strip()->kind() == TypeKind::function;
  auto parts = named(function ? TypeKind::function_member_pointer : TypeKind::data_member_pointer, "");
  parts->name.reset();
  parts->record = record;
  parts->target = member;
  parts->byte_size = function ? 16 : 8;  // Itanium C++ ABI 2.3
  return own_type(std::move(parts));
}

const Type* make_rust_primitive(std::string name, Encoding encoding, std::uint64_t size) {
  auto parts = named(TypeKind::base, std::move(name));
  parts->encoding = encoding;
  parts->byte_size = size;
  parts->rust = true;
  return own_type(std::move(parts));
}

const Type* make_alias(std::string name, const Type* target) {
  auto parts = named(TypeKind::alias, std::move(name));
  parts->target = target;
  return own_type(std::move(parts));
}

const Type* Type::pointer_to() const {
  // A pointer to a reference does not exist: & of one is the address of what it refers to.
  if (is_reference()) return strip()->target()->pointer_to();
  if (!parts_->pointer) {
    parts_->pointer = derived(TypeKind::pointer, this, 8);
    parts_->pointer->parts_->rust = rust();
  }
  return parts_->pointer.get();
}

const Type* Type::lvalue_reference_to() const {
  if (is_reference()) return strip()->target()->lvalue_reference_to();
  if (!parts_->lvalue_reference) parts_->lvalue_reference = derived(TypeKind::lvalue_reference, this, 8);
  return parts_->lvalue_reference.get();
}

const Type* Type::rvalue_reference_to() const {
  if (is_reference()) return this;
  if (!parts_->rvalue_reference) parts_->rvalue_reference = derived(TypeKind::rvalue_reference, this, 8);
  return parts_->rvalue_reference.get();
}

const Type* Type::const_of() const {
  if (is_const() || is_reference()) return this;
  if (!parts_->const_) parts_->const_ = derived(TypeKind::qualified, this, std::nullopt);
  return parts_->const_.get();
}

const Type* Type::volatile_of() const {
  if (!parts_->volatile_) {
    auto parts = std::make_unique<Parts>();
    parts->kind = TypeKind::qualified;
    parts->qualifier = Qualifier::volatile_;
    parts->basics_read = parts->children_read = parts->target_read = true;
    parts->target = this;
    parts_->volatile_ = std::make_unique<Type>(std::move(parts));
  }
  return parts_->volatile_.get();
}

const Type* Type::array_of(std::optional<std::uint64_t> count) const {
  auto& slot = parts_->arrays[count];
  if (!slot) {
    auto parts = std::make_unique<Parts>();
    parts->kind = TypeKind::array;
    parts->basics_read = parts->children_read = parts->target_read = true;
    parts->target = this;
    parts->count = count;
    parts->rust = rust();
    slot = std::make_unique<Type>(std::move(parts));
  }
  return slot.get();
}

namespace {

bool same(const Type* a, const Type* b, int depth);

bool same_parameters(const Type* a, const Type* b, int depth) {
  const auto left = a->parameters(), right = b->parameters();
  if (left.size() != right.size() || a->variadic() != b->variadic()) return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (!same(left[i].type, right[i].type, depth)) return false;
  return true;
}

const Type* without_alias(const Type* type) {
  for (int depth = 0; depth < max_type_depth && type->kind() == TypeKind::alias; ++depth) type = type->target();
  return type;
}

bool same(const Type* a, const Type* b, int depth) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr || depth > max_type_depth) return false;
  a = without_alias(a);
  b = without_alias(b);
  if (a == b) return true;
  if (a->kind() != b->kind()) return false;
  switch (a->kind()) {
    case TypeKind::base: return a->encoding() == b->encoding() && a->size() == b->size() && a->name() == b->name();
    case TypeKind::pointer:
    case TypeKind::lvalue_reference:
    case TypeKind::rvalue_reference: return same(a->target(), b->target(), depth + 1);
    case TypeKind::data_member_pointer:
    case TypeKind::function_member_pointer:
      return same(a->target(), b->target(), depth + 1) &&
             same(a->containing_record(), b->containing_record(), depth + 1);
    case TypeKind::array: return a->count() == b->count() && same(a->target(), b->target(), depth + 1);
    case TypeKind::qualified: return a->qualifier() == b->qualifier() && same(a->target(), b->target(), depth + 1);
    case TypeKind::function: return same(a->target(), b->target(), depth + 1) && same_parameters(a, b, depth + 1);
    case TypeKind::record:
    case TypeKind::enumeration: return !a->anonymous() && !b->anonymous() && a->name() == b->name();
    case TypeKind::void_:
    case TypeKind::null_pointer: return true;
    default: return false;
  }
}

}  // namespace

bool same_type(const Type* a, const Type* b) { return same(a, b, 0); }

}  // namespace trapline::sym
