// The questions a Type answers, and its names. Reading from DWARF is type_read.cpp, types of our own type_made.cpp.
#include "daemon/sym/type.hpp"

#include <algorithm>

#include "daemon/sym/type_parts.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::sym {

Type::Type(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Type::~Type() = default;

namespace {

// Forward looking kinds: those whose size, alignment and content are their target's.
bool is_wrapper(TypeKind kind) { return kind == TypeKind::alias || kind == TypeKind::qualified; }

}  // namespace

TypeKind Type::kind() const { return parts_->kind; }

Encoding Type::encoding() const {
  parts_->read_basics();
  if (parts_->kind == TypeKind::enumeration && target() != nullptr) return target()->strip()->parts_->encoding;
  return parts_->encoding;
}

bool Type::quad() const {
  parts_->read_basics();
  return parts_->quad;
}

const Type* Type::target() const {
  return parts_->target_read ? parts_->target : (parts_->read_basics(), parts_->target);
}

const Type* Type::containing_record() const {
  parts_->read_basics();
  return parts_->record;
}

Qualifier Type::qualifier() const { return parts_->qualifier; }

RecordKey Type::record_key() const { return parts_->key; }

std::span<const Member> Type::members() const {
  parts_->read_children();
  return parts_->members;
}

std::span<const Enumerator> Type::enumerators() const {
  parts_->read_children();
  return parts_->enumerators;
}

bool Type::scoped() const {
  parts_->read_basics();
  return parts_->scoped;
}

bool Type::flags() const {
  parts_->read_children();
  return parts_->flags;
}

std::span<const Parameter> Type::parameters() const {
  parts_->read_children();
  return parts_->parameters;
}

bool Type::variadic() const {
  parts_->read_children();
  return parts_->variadic;
}

bool Type::prototyped() const {
  parts_->read_basics();
  return parts_->prototyped;
}

std::optional<std::uint64_t> Type::count() const {
  parts_->read_basics();
  return parts_->count;
}

bool Type::dynamic_count() const {
  parts_->read_basics();
  return parts_->dynamic_count;
}

std::int64_t Type::lower_bound() const {
  parts_->read_basics();
  return parts_->lower_bound;
}

std::span<const TemplateArgument> Type::template_arguments() const {
  parts_->read_children();
  return parts_->arguments;
}

bool Type::declaration() const {
  parts_->read_basics();
  return parts_->declaration;
}

bool Type::anonymous() const {
  parts_->read_basics();
  return (parts_->kind == TypeKind::record || parts_->kind == TypeKind::enumeration) && parts_->tag_name.empty();
}

bool Type::rust() const {
  parts_->read_basics();
  return parts_->rust;
}

const VariantPart* Type::variants() const {
  parts_->read_children();
  return parts_->variants.get();
}

bool Type::vector() const {
  parts_->read_basics();
  return parts_->vector;
}

DieRef Type::die() const { return parts_->die; }

bool Type::has_vtable() const {
  if (parts_->kind != TypeKind::record) return false;
  if (!parts_->has_vtable) {
    parts_->has_vtable = false;  // a record that is its own base (damaged) ends here
    for (const Member& member : members()) {
      const bool base = member.kind == Member::Kind::base || member.kind == Member::Kind::virtual_base;
      if (member.kind == Member::Kind::virtual_base || member.name.starts_with("_vptr") ||
          (base && member.type->strip()->has_vtable()))
        parts_->has_vtable = true;
    }
  }
  return *parts_->has_vtable;
}

std::optional<std::uint64_t> Type::size() const {
  const Type* type = this;
  std::uint64_t factor = 1;
  for (int depth = 0; depth < max_type_depth; ++depth) {
    Parts& parts = *type->parts_;
    parts.read_basics();
    switch (parts.kind) {
      case TypeKind::void_:
      case TypeKind::function:
      case TypeKind::unknown: return parts.byte_size;
      case TypeKind::lvalue_reference:
      case TypeKind::rvalue_reference: return factor * parts.byte_size.value_or(8);
      case TypeKind::alias:
      case TypeKind::qualified: type = type->target(); break;
      case TypeKind::array:
        if (parts.byte_size && parts.level == 0) return factor * *parts.byte_size;
        if (!parts.count) return std::nullopt;
        if (__builtin_mul_overflow(factor, *parts.count, &factor)) return std::nullopt;
        type = type->target();
        break;
      case TypeKind::enumeration:
        if (parts.byte_size) return factor * *parts.byte_size;
        if (parts.declaration) return std::nullopt;
        type = type->target();
        break;
      default:
        if (parts.declaration || !parts.byte_size) return std::nullopt;
        std::uint64_t bytes = 0;
        if (__builtin_mul_overflow(factor, *parts.byte_size, &bytes)) return std::nullopt;
        return bytes;
    }
  }
  return std::nullopt;
}

std::uint64_t Type::alignment() const {
  const Type* type = this;
  for (int depth = 0; depth < max_type_depth && type != nullptr; ++depth) {
    Parts& parts = *type->parts_;
    parts.read_basics();
    if (parts.alignment != 0) return parts.alignment;
    switch (parts.kind) {
      case TypeKind::array:
        if (parts.vector && parts.byte_size) return std::max<std::uint64_t>(1, *parts.byte_size);
        type = parts.target;
        break;
      case TypeKind::alias:
      case TypeKind::qualified:
      case TypeKind::enumeration: type = parts.target; break;
      case TypeKind::record: {
        std::uint64_t widest = 1;
        for (const Member& member : type->members())
          if (member.kind != Member::Kind::static_ && member.type != type)
            widest = std::max(widest, member.type->alignment());
        if (type->has_vtable()) widest = std::max<std::uint64_t>(widest, 8);
        return widest;
      }
      // psABI x86-64, figure 3.1: scalars align to their size; a complex number as its parts.
      case TypeKind::base:
        if (parts.encoding == Encoding::complex) return std::max<std::uint64_t>(1, parts.byte_size.value_or(2) / 2);
        return std::max<std::uint64_t>(1, parts.byte_size.value_or(1));
      case TypeKind::void_:
      case TypeKind::function:
      case TypeKind::unknown: return 1;
      default: return 8;
    }
  }
  return 1;
}

const Type* Type::strip() const {
  const Type* type = this;
  for (int depth = 0; depth < max_type_depth && is_wrapper(type->kind()); ++depth) type = type->target();
  return is_wrapper(type->kind()) ? builtin(Builtin::unknown) : type;
}

const Type* Type::unqualified() const {
  const Type* type = this;
  for (int depth = 0; depth < max_type_depth && type->kind() == TypeKind::qualified; ++depth) type = type->target();
  return type;
}

bool Type::is_const() const {
  const Type* type = this;
  for (int depth = 0; depth < max_type_depth; ++depth) {
    if (type->kind() == TypeKind::qualified && type->qualifier() == Qualifier::const_) return true;
    if (!is_wrapper(type->kind()) && type->kind() != TypeKind::array) return false;
    type = type->target();
  }
  return false;
}

bool Type::is_reference() const {
  const TypeKind kind = strip()->kind();
  return kind == TypeKind::lvalue_reference || kind == TypeKind::rvalue_reference;
}

// ---- names

namespace {

std::string_view qualifier_word(Qualifier qualifier) {
  switch (qualifier) {
    case Qualifier::const_: return "const";
    case Qualifier::volatile_: return "volatile";
    case Qualifier::restrict_: return "__restrict";
    case Qualifier::atomic_: return "_Atomic";
  }
  return "";
}

bool binds_after(TypeKind kind) { return kind == TypeKind::array || kind == TypeKind::function; }

// "T *", but "T (*)[3]": array and function declarators bind tighter than the ones before them.
std::string with_prefix(const Type* target, std::string text) {
  const Type* peeled = target;
  for (int depth = 0; depth < max_type_depth && peeled->kind() == TypeKind::qualified; ++depth)
    peeled = peeled->target();
  return binds_after(peeled->kind()) ? "(" + text + ")" : text;
}

std::string parameter_list(const Type* function, int depth, bool skip_this) {
  std::string text;
  for (const Parameter& parameter : function->parameters()) {
    if (parameter.artificial && skip_this) continue;
    if (!text.empty()) text += ", ";
    text += declare(parameter.type, "", depth + 1);
  }
  if (function->variadic()) text += text.empty() ? "..." : ", ...";
  return "(" + text + ")";
}

bool is_pointer_like(TypeKind kind) {
  return kind == TypeKind::pointer || kind == TypeKind::lvalue_reference || kind == TypeKind::rvalue_reference ||
         kind == TypeKind::data_member_pointer || kind == TypeKind::function_member_pointer;
}

// The element of an array of arrays, its qualifiers kept; the type itself where it is no array.
const Type* innermost_element(const Type* type) {
  for (int depth = 0; depth < max_type_depth && type != nullptr; ++depth) {
    const Type* peeled = type->unqualified();
    if (peeled->kind() != TypeKind::array || peeled->vector()) break;
    type = peeled->target();
  }
  return type;
}

bool has_qualifier(const Type* type, Qualifier wanted) {
  for (int depth = 0; depth < max_type_depth && type->kind() == TypeKind::qualified; ++depth, type = type->target())
    if (type->qualifier() == wanted) return true;
  return false;
}

// Rust has no declarators: a type's name stands for itself. Compilers name pointers ("&mut [u8]"), but not arrays.
std::string rust_name(const Type* type, int depth) {
  const Type* target = type->target();
  switch (type->kind()) {
    case TypeKind::array: {
      const std::string element = declare(target, "", depth + 1);
      return type->count() ? "[" + element + "; " + std::to_string(*type->count()) + "]" : "[" + element + "]";
    }
    case TypeKind::pointer: return "*const " + declare(target, "", depth + 1);
    default: return {};
  }
}

}  // namespace

std::string declare(const Type* type, std::string inner, int depth) {
  if (type == nullptr || depth > max_type_depth) return "?" + inner;
  if (type->rust() && (type->kind() == TypeKind::array || type->kind() == TypeKind::pointer)) {
    std::string name = type->kind() == TypeKind::pointer ? type->short_name_or_empty() : std::string{};
    if (name.empty()) name = rust_name(type, depth);
    return inner.empty() ? name : name + " " + inner;
  }
  const Type* target = type->target();
  switch (type->kind()) {
    case TypeKind::pointer: return declare(target, with_prefix(target, "*" + inner), depth + 1);
    case TypeKind::lvalue_reference: return declare(target, with_prefix(target, "&" + inner), depth + 1);
    case TypeKind::rvalue_reference: return declare(target, with_prefix(target, "&&" + inner), depth + 1);
    case TypeKind::data_member_pointer:
      return declare(target, with_prefix(target, type->containing_record()->name() + "::*" + inner), depth + 1);
    case TypeKind::function_member_pointer: {
      const std::string declarator = "(" + type->containing_record()->name() + "::*" + inner + ")";
      const auto parameters = target->parameters();
      const bool on_const = !parameters.empty() && parameters[0].artificial &&
                            parameters[0].type->strip()->target() != nullptr &&
                            parameters[0].type->strip()->target()->is_const();
      return declare(target->target(), declarator + parameter_list(target, depth, true) + (on_const ? " const" : ""),
                     depth + 1);
    }
    case TypeKind::array:
      if (type->vector()) break;
      return declare(target, inner + "[" + (type->count() ? std::to_string(*type->count()) : "") + "]", depth + 1);
    case TypeKind::function: return declare(target, inner + parameter_list(type, depth, false), depth + 1);
    case TypeKind::qualified: {
      const std::string word(qualifier_word(type->qualifier()));
      // Qualifiers of an array are its elements'; gcc writes them at both.
      const Type* below = innermost_element(type);
      if (below == nullptr) return word + " " + declare(target, std::move(inner), depth + 1);
      if (below != type && has_qualifier(below, type->qualifier())) return declare(target, std::move(inner), depth + 1);
      if (is_pointer_like(below->unqualified()->kind()))
        return declare(target, word + (inner.empty() || inner[0] == '[' ? "" : " ") + inner, depth + 1);
      return word + " " + declare(target, std::move(inner), depth + 1);
    }
    default: break;
  }
  const std::string& name = type->name();
  if (inner.empty()) return name;
  return name + (inner[0] == '[' ? "" : " ") + inner;
}

const std::string& Type::name() const {
  if (parts_->name) return *parts_->name;
  parts_->read_basics();
  switch (parts_->kind) {
    case TypeKind::void_: parts_->name = "void"; break;
    case TypeKind::record:
    case TypeKind::enumeration: {
      const std::string_view keyword = parts_->kind == TypeKind::enumeration ? "enum"
                                       : parts_->key == RecordKey::union_    ? "union"
                                       : parts_->key == RecordKey::class_    ? "class"
                                                                             : "struct";
      if (parts_->tag_name.empty())
        parts_->name = std::string(keyword) + " {...}";
      else if (!parts_->cplusplus)
        parts_->name = std::string(keyword) + " " + parts_->tag_name;
      break;
    }
    case TypeKind::array:
      if (parts_->vector)
        parts_->name = declare(target(), "") + " __vector(" + std::to_string(count().value_or(0)) + ")";
      break;
    default: break;
  }
  if (parts_->name) return *parts_->name;
  const bool named = parts_->kind == TypeKind::base || parts_->kind == TypeKind::record ||
                     parts_->kind == TypeKind::enumeration || parts_->kind == TypeKind::alias ||
                     parts_->kind == TypeKind::null_pointer || parts_->kind == TypeKind::unknown;
  if (!named) {
    parts_->name = declare(this, "");
  } else if (parts_->die && parts_->kind != TypeKind::base) {
    parts_->name = qualified_name(parts_->die);
    if (parts_->name->empty()) parts_->name = parts_->tag_name.empty() ? "?" : parts_->tag_name;
  } else {
    parts_->name = parts_->tag_name.empty() ? "?" : parts_->tag_name;
  }
  return *parts_->name;
}

std::string Type::short_name_or_empty() const {
  parts_->read_basics();
  return parts_->tag_name;
}

std::string Type::short_name() const {
  parts_->read_basics();
  return parts_->tag_name.empty() ? name() : parts_->tag_name;
}

std::string Type::declared_as(std::string_view variable) const { return declare(this, std::string(variable)); }

}  // namespace trapline::sym
