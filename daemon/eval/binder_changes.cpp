// Assignments, ++ and --, and the implicit conversions that they and arguments take.
#include <fmt/format.h>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

Result<void> Binder::allow_change(const Node& target, const Syntax& syntax) const {
  if (target.kind == NodeKind::slot) return {};  // a variable of the visualiser's: nothing of the program changes
  if (!options_.side_effects)
    return fail_hint(
        Errc::bad_expression,
        fmt::format("`{}` would change the program, and this is a place for looking only", written(syntax)),
        "assign in the console, or set the variable");
  if (!target.lvalue) return bad(syntax, "only a variable, a register or what a pointer points to can be assigned to");
  if (is_unknown(target.type)) return needs_cast(target);
  return {};
}

Result<NodePtr> Binder::convert(NodePtr node, const Type* type, const Syntax& syntax) {
  if (type->is_reference()) type = type->strip()->target();
  const Type* plain = type->strip();
  if (node->kind == NodeKind::string && plain->kind() == TypeKind::array && is_character(plain->target())) return node;
  if (same_type(node->type->strip(), plain) ||
      (is_record(node->type) && same_type(complete(node->type), complete(plain))))
    return node;
  if (is_array(node->type) && plain->kind() == TypeKind::array) {
    if (node->type->size() == plain->size()) return node;
    return bad(syntax, fmt::format("`{}` is no `{}`", node->type->name(), type->name()));
  }
  node = decayed(std::move(node), syntax);
  if (node->kind == NodeKind::string)
    return bad(syntax, "a string literal lies nowhere in the program, so nothing can point to it");
  if (is_unknown(node->type)) return needs_cast(*node);
  if (is_number(node->type) && is_number(type)) return converted(std::move(node), type, syntax);
  // bool from a pointer; a pointer from an address (a debugger's licence) or another pointer.
  if (is_boolean(type) && is_scalar(node->type)) return converted(std::move(node), type, syntax);
  if (plain->kind() == TypeKind::pointer && (is_pointer(node->type) || is_integral(node->type)))
    return cast_pointer(std::move(node), type, CastStyle::c, syntax);
  const bool member =
      plain->kind() == TypeKind::data_member_pointer || plain->kind() == TypeKind::function_member_pointer;
  if (member && (is_null_constant(*node) || node->type->strip()->kind() == plain->kind()))
    return converted(std::move(node), type, syntax);
  if (is_integral(type) && is_pointer(node->type))
    return fail_hint(Errc::bad_expression,
                     fmt::format("`{}` is a pointer, and the target is `{}`", written(syntax), type->name()),
                     "cast it to say that this is meant");
  return bad(syntax, fmt::format("`{}` does not convert to `{}`", node->type->name(), type->name()));
}

Result<NodePtr> Binder::assign(const Syntax& syntax) {
  TL_TRY(NodePtr target, bind(*syntax.kids[0]));
  TL_TRY_VOID(allow_change(*target, syntax));
  const Type* type = target->type;
  if (!syntax.compound) {
    TL_TRY(NodePtr value, bind_as(*syntax.kids[1], text_, type, scope_, options_));
    auto node = make(NodeKind::assign, type, syntax, std::move(target), std::move(value));
    node->lvalue = true;
    return node;
  }
  TL_TRY(NodePtr value, bind_value(*syntax.kids[1]));
  auto node = make(NodeKind::assign_compound, type, syntax);
  node->op = syntax.op;
  node->lvalue = true;
  if (type->strip()->kind() == TypeKind::pointer) {
    const Type* pointee = complete(type->strip()->target());
    if ((syntax.op != Op::add && syntax.op != Op::subtract) || !is_integral(value->type))
      return no_operator(syntax.op, *target, value.get(), syntax);
    if (!has_stride(pointee)) return bad(syntax, fmt::format("the size of {} is not known", pointee->name()));
    node->offset = static_cast<std::int64_t>(pointee->size().value_or(1));
  } else {
    if (!is_number(type) || !is_number(value->type)) return no_operator(syntax.op, *target, value.get(), syntax);
    const bool shift = syntax.op == Op::shift_left || syntax.op == Op::shift_right;
    value = bits_promoted(std::move(value), syntax);
    if (target->kind == NodeKind::member && target->member->bit_size != 0 && target->member->bit_size < 32 &&
        is_integral(type))
      type = sym::builtin(Builtin::int_);  // as in bits_promoted()
    node->operands = shift ? promoted(type) : common_type(type, value->type);
    const bool bits = shift || syntax.op == Op::remainder || syntax.op == Op::bit_and || syntax.op == Op::bit_or ||
                      syntax.op == Op::bit_xor;
    if (bits && (is_floating(node->operands) || is_floating(value->type)))
      return no_operator(syntax.op, *target, value.get(), syntax);
    value = converted(std::move(value), shift ? promoted(value->type) : node->operands, syntax);
  }
  node->kids.push_back(std::move(target));
  node->kids.push_back(std::move(value));
  return node;
}

Result<NodePtr> Binder::increment(const Syntax& syntax) {
  TL_TRY(NodePtr target, bind(*syntax.kids[0]));
  TL_TRY_VOID(allow_change(*target, syntax));
  const Type* type = target->type;
  auto node = make(NodeKind::increment, type, syntax);
  node->flag = syntax.flag;
  node->postfix = syntax.postfix;
  node->lvalue = !syntax.postfix;
  if (type->strip()->kind() == TypeKind::pointer) {
    const Type* pointee = complete(type->strip()->target());
    if (!has_stride(pointee)) return bad(syntax, fmt::format("the size of {} is not known", pointee->name()));
    node->offset = static_cast<std::int64_t>(pointee->size().value_or(1));
  } else if (!is_arithmetic(type)) {
    return no_operator(syntax.flag ? Op::subtract : Op::add, *target, nullptr, syntax);
  } else {
    node->operands = common_type(type, sym::builtin(Builtin::int_));
  }
  node->kids.push_back(std::move(target));
  return node;
}

}  // namespace trapline::eval
