// Operators with words for names, pointers to members, and the debugger's own `a@n`.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

Result<NodePtr> Binder::repeat(const Syntax& syntax) {
  TL_TRY(NodePtr first, bind(*syntax.kids[0]));
  TL_TRY(NodePtr count, bind_value(*syntax.kids[1]));
  if (!first->lvalue) return bad(syntax, "what stands before @ must lie in memory");
  if (is_unknown(first->type)) return needs_cast(*first);
  if (!is_integral(count->type)) return bad(*syntax.kids[1], "the number of elements is an integer");
  if (!complete(first->type)->size())
    return bad(*syntax.kids[0], fmt::format("the size of {} is not known", first->type->name()));
  const Type* type = first->type->array_of(std::nullopt);
  auto node = make(NodeKind::repeat, type, syntax, std::move(first),
                   converted(std::move(count), sym::builtin(Builtin::long_), syntax));
  node->lvalue = true;
  return node;
}

Result<NodePtr> Binder::size_of(const Syntax& syntax) {
  const Type* type = nullptr;
  NodePtr operand;
  if (syntax.type) {
    TL_TRY(type, type_of(*syntax.type));
  } else {
    TL_TRY(operand, bind(*syntax.kids[0]));
    type = operand->type;
    if (operand->kind == NodeKind::member && operand->member->bit_size != 0)
      return bad(syntax, "a bit-field has no size of its own");
  }
  if (is_unknown(type)) return operand ? needs_cast(*operand) : bad(syntax, "the type is not known");
  if (type->is_reference()) type = type->strip()->target();
  const Type* whole = complete(type);
  const Type* word = sym::builtin(Builtin::unsigned_long);
  if (syntax.kind == SyntaxKind::align_of)
    return constant(word,
                    {.floating = false,
                     .integer = static_cast<Int128>(is_record(type) ? whole->alignment() : type->alignment()),
                     .real = 0},
                    syntax);
  std::optional<std::uint64_t> size = is_record(type) || is_enumeration(type) ? whole->size() : type->size();
  const TypeKind kind = whole->kind();
  if (kind == TypeKind::void_ || kind == TypeKind::function) size = 1;  // GNU C, gdb
  if (size) return constant(word, {.floating = false, .integer = static_cast<Int128>(*size), .real = 0}, syntax);
  if (operand != nullptr && is_array(type)) return make(NodeKind::dynamic_size, word, syntax, std::move(operand));
  return bad(syntax,
             fmt::format("the size of {} is not known: its definition is in no module that is loaded", type->name()));
}

namespace {

// [except.spec]: what may throw. A reference's dynamic_cast does; whether a function does, DWARF does not say.
bool may_throw(const Node& node) {
  if (node.kind == NodeKind::dynamic_cast_ && node.flag) return true;
  return std::ranges::any_of(node.kids, [](const NodePtr& kid) { return may_throw(*kid); });
}

bool calls(const Syntax& syntax) {
  return syntax.kind == SyntaxKind::call ||
         std::ranges::any_of(syntax.kids, [](const SyntaxPtr& kid) { return calls(*kid); });
}

}  // namespace

Result<NodePtr> Binder::no_except(const Syntax& syntax) {
  if (calls(syntax))
    return fail(Errc::unsupported,
                fmt::format("`{}`: the debug information does not say which functions may throw", written(syntax)));
  Binder unevaluated(text_, scope_, {.side_effects = true});
  TL_TRY(const NodePtr operand, unevaluated.bind(*syntax.kids[0]));
  return constant(sym::builtin(Builtin::bool_), {.floating = false, .integer = may_throw(*operand) ? 0 : 1, .real = 0},
                  syntax);
}

Result<NodePtr> Binder::member_pointer(const Syntax& syntax) {
  TL_TRY(NodePtr object, bind(*syntax.kids[0]));
  TL_TRY(NodePtr pointer, bind_value(*syntax.kids[1]));
  if (syntax.flag) {
    TL_TRY(object, dereference_of(decayed(std::move(object), syntax), syntax));
  }
  const Type* type = pointer->type->strip();
  if (type->kind() != TypeKind::data_member_pointer && type->kind() != TypeKind::function_member_pointer)
    return bad(*syntax.kids[1], fmt::format("`{}` is no pointer to member", pointer->type->name()));
  if (!is_record(object->type)) return bad(*syntax.kids[0], fmt::format("{} has no members", object->type->name()));
  if (!same_type(complete(object->type), complete(type->containing_record()))) {
    TL_TRY(object, cast_lvalue(std::move(object), type->containing_record(), CastStyle::static_, syntax));
  }
  const bool lvalue = object->lvalue;
  auto node = make(NodeKind::member_pointer, type->target(), syntax, std::move(object), std::move(pointer));
  node->lvalue = lvalue;
  return node;
}

Result<NodePtr> Binder::complex_part(const Syntax& syntax) {
  TL_TRY(NodePtr operand, bind(*syntax.kids[0]));
  const bool imaginary = syntax.kind == SyntaxKind::imaginary_part;
  if (!is_complex(operand->type)) return bad(syntax, fmt::format("`{}` is no complex number", operand->type->name()));
  const Type* plain = operand->type->strip();
  const Builtin part = plain->size() == 8    ? Builtin::float_
                       : plain->size() == 16 ? Builtin::double_
                       : plain->quad()       ? Builtin::float128
                                             : Builtin::long_double;
  const bool lvalue = operand->lvalue;
  auto node = make(NodeKind::complex_part, sym::builtin(part), syntax, std::move(operand));
  node->flag = imaginary;
  node->lvalue = lvalue;
  return node;
}

}  // namespace trapline::eval
