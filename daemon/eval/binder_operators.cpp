// Operators: C++'s conversions of their operands, made explicit.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

bool is_number(const Type* type) { return is_arithmetic(type) || is_enumeration(type); }
bool is_complex(const Type* type) {
  const Type* plain = type->strip();
  return plain->kind() == TypeKind::base && plain->encoding() == sym::Encoding::complex;
}
bool is_null_constant(const Node& node) {
  if (node.type->strip()->kind() == TypeKind::null_pointer) return true;
  if (node.kind != NodeKind::constant || !is_integral(node.type)) return false;
  return load_number(node.type, node.bytes).integer == 0;
}

// gdb's rule, and GNU C's: void and functions count as bytes.
bool has_stride(const Type* pointee) {
  return pointee->size().has_value() || pointee->strip()->kind() == TypeKind::void_ ||
         pointee->strip()->kind() == TypeKind::function;
}

namespace {

bool is_text(const Node& node) {
  if (node.kind == NodeKind::string) return false;
  const Type* plain = node.type->strip();
  const bool pointer = plain->kind() == TypeKind::pointer || plain->kind() == TypeKind::array;
  return pointer && is_character(plain->target());
}

}  // namespace

std::unexpected<Error> Binder::no_operator(Op op, const Node& a, const Node* b, const Syntax& syntax) const {
  if (is_unknown(a.type)) return needs_cast(a);
  if (b != nullptr && is_unknown(b->type)) return needs_cast(*b);
  std::string types = "`" + a.type->name() + "`";
  if (b != nullptr) types += " and `" + b->type->name() + "`";
  std::string message = fmt::format("`{}`: there is no `{}` for {}", written(syntax), text_of(op), types);
  if (is_record(a.type) || (b != nullptr && is_record(b->type)))
    return fail_hint(Errc::unsupported, message + ", and the program has no such function that fits",
                     "compare or compute with members instead");
  if (is_complex(a.type) || (b != nullptr && is_complex(b->type)))
    return fail_hint(Errc::unsupported, std::move(message), "use __real__ and __imag__");
  return fail(Errc::bad_expression, std::move(message));
}

// [conv.prom]: a bit-field counts by its width, so that `unsigned a : 3` computes as int.
NodePtr Binder::bits_promoted(NodePtr node, const Syntax& syntax) const {
  const Node* field = node.get();
  while (field->kind == NodeKind::comma || field->kind == NodeKind::assign || field->kind == NodeKind::assign_compound)
    field = field->kids[field->kind == NodeKind::comma ? 1 : 0].get();
  if (field->kind != NodeKind::member || field->member->bit_size == 0 || !is_integral(node->type)) return node;
  const unsigned bits = field->member->bit_size;
  if (bits > 32) return node;
  const bool as_int = bits < 32 || is_signed(node->type);
  return converted(std::move(node), sym::builtin(as_int ? Builtin::int_ : Builtin::unsigned_int), syntax);
}

const Type* Binder::truth_type() const { return sym::builtin(scope_.c_rules() ? Builtin::int_ : Builtin::bool_); }

Result<NodePtr> Binder::unary(const Syntax& syntax) {
  TL_TRY(NodePtr operand, bind_value(*syntax.kids[0]));
  if (syntax.op == Op::logical_not) {
    TL_TRY(operand, truth_value(std::move(operand), syntax));
  }
  if (is_record(operand->type)) {
    std::vector<NodePtr> operands;
    operands.push_back(std::move(operand));
    if (auto called = call_operator(text_of(syntax.op), operands, syntax)) return std::move(*called);
    operand = std::move(operands[0]);
  }
  const Type* type = operand->type;
  if (syntax.op == Op::logical_not) {
    if (!is_scalar(type)) return no_operator(syntax.op, *operand, nullptr, syntax);
    auto node = make(NodeKind::unary, truth_type(), syntax, std::move(operand));
    node->op = syntax.op;
    return node;
  }
  if (syntax.op == Op::plus && is_pointer(type)) return operand;
  operand = bits_promoted(std::move(operand), syntax);
  type = operand->type;
  if (!is_number(type) || (syntax.op == Op::complement && is_floating(type)))
    return no_operator(syntax.op, *operand, nullptr, syntax);
  const Type* to = promoted(type);
  auto node = make(NodeKind::unary, to, syntax, converted(std::move(operand), to, syntax));
  node->op = syntax.op;
  return node;
}

Result<NodePtr> Binder::dereference_of(NodePtr pointer, const Syntax& syntax) {
  const Type* type = pointer->type->strip();
  if (type->kind() == TypeKind::unknown) return needs_cast(*pointer);
  if (type->kind() == TypeKind::null_pointer) return bad(syntax, "nullptr points to nothing");
  if (type->kind() != TypeKind::pointer) {
    if (is_integral(type))
      return fail_hint(Errc::bad_expression,
                       fmt::format("`{}` is no pointer but `{}`", pointer->text, pointer->type->name()),
                       fmt::format("*(T*){} reads a T at this address", pointer->text));
    if (is_record(type)) {
      if (auto target = intrinsic(pointer, "operator*", {}, syntax)) {
        if (!*target) return std::move(*target);
        return follow(**std::move(target), syntax);
      }
      std::vector<NodePtr> operands;
      const std::string text = pointer->text;
      operands.push_back(std::move(pointer));
      if (auto target = call_operator("*", operands, syntax)) return std::move(*target);
      return fail_hint(Errc::unsupported,
                       fmt::format("`{}`: {} has no operator* that could be called", text, type->name()),
                       "use the member that holds the pointer");
    }
    return bad(syntax, fmt::format("`{}` is no pointer", pointer->type->name()));
  }
  const Type* target = type->target();
  if (target->strip()->kind() == TypeKind::void_)
    return fail_hint(Errc::bad_expression, fmt::format("`{}` points to void", pointer->text),
                     fmt::format("cast it: *(T*){}", pointer->text));
  auto node = make(NodeKind::dereference, target, syntax, std::move(pointer));
  node->lvalue = true;
  return node;
}

Result<NodePtr> Binder::dereference(const Syntax& syntax) {
  TL_TRY(NodePtr operand, bind_value(*syntax.kids[0]));
  if (operand->kind == NodeKind::string) return bad(syntax, "a string literal lies nowhere in the program");
  // *f is f.
  TL_TRY(NodePtr node, dereference_of(std::move(operand), syntax));
  return follow(std::move(node), syntax);
}

Result<NodePtr> Binder::address_of(const Syntax& syntax) {
  const Syntax& inner = *syntax.kids[0];
  if (inner.kind == SyntaxKind::name && !inner.parenthesised && inner.name.parts.size() > 1 &&
      scope_.find(inner.name).empty())
    if (auto member = member_of_class(inner, true)) return std::move(*member);
  TL_TRY(NodePtr operand, bind(inner));
  if (operand->kind == NodeKind::string) return bad(syntax, "a string literal lies nowhere in the program");
  if (!operand->lvalue) return bad(syntax, "only what lies in memory has an address; this is a computed value");
  if (operand->kind == NodeKind::member && operand->member->bit_size != 0)
    return bad(syntax, "a bit-field has no address");
  if (operand->kind == NodeKind::register_) return bad(syntax, "a register has no address");
  const Type* type = operand->type;
  // The address of something without debug information is good for a cast.
  if (is_unknown(type)) type = sym::builtin(Builtin::void_);
  return make(NodeKind::address_of, type->pointer_to(), syntax, std::move(operand));
}

// ---- binary

Result<NodePtr> Binder::binary(const Syntax& syntax) {
  const Op op = syntax.op;
  TL_TRY(NodePtr a, bind_value(*syntax.kids[0]));
  TL_TRY(NodePtr b, bind_value(*syntax.kids[1]));
  if (op == Op::logical_and || op == Op::logical_or) {
    TL_TRY(a, truth_value(std::move(a), *syntax.kids[0]));
    TL_TRY(b, truth_value(std::move(b), *syntax.kids[1]));
    if (!is_scalar(a->type) || !is_scalar(b->type)) return no_operator(op, *a, b.get(), syntax);
    auto node = make(NodeKind::logical, truth_type(), syntax, std::move(a), std::move(b));
    node->op = op;
    return node;
  }
  if ((op == Op::equal || op == Op::not_equal) && is_type_info(a->type) && is_type_info(b->type))
    return compare_type_infos(std::move(a), std::move(b), op == Op::not_equal, syntax);
  if (auto compared = compare_ordering(op, a, *b, syntax)) return std::move(*compared);
  if (may_have_operators(a->type) || may_have_operators(b->type)) {
    std::vector<NodePtr> operands;
    operands.push_back(std::move(a));
    operands.push_back(std::move(b));
    if (auto called = call_operator(text_of(op), operands, syntax)) return std::move(*called);
    a = std::move(operands[0]);
    b = std::move(operands[1]);
  }
  const bool equality = op == Op::equal || op == Op::not_equal;
  if (equality && (a->kind == NodeKind::string || b->kind == NodeKind::string)) {
    // C++ would compare addresses, which is never meant: the literal is the debugger's, so the texts are compared.
    NodePtr& literal = a->kind == NodeKind::string ? a : b;
    NodePtr& other = a->kind == NodeKind::string ? b : a;
    if (is_text(*other) && other->type->strip()->target()->size() == literal->type->strip()->target()->size()) {
      auto node = make(NodeKind::compare_text, truth_type(), syntax);
      node->bytes = std::move(literal->bytes);
      node->flag = op == Op::not_equal;
      node->kids.push_back(std::move(other));
      return node;
    }
  }
  if (equality && (is_record(a->type) || is_record(b->type)))
    if (auto compared = compare_texts(syntax, a, b, op == Op::not_equal)) return std::move(*compared);
  if (is_number(a->type) && is_number(b->type)) {
    a = bits_promoted(std::move(a), syntax);
    b = bits_promoted(std::move(b), syntax);
    const bool shift = op == Op::shift_left || op == Op::shift_right;
    const Type* left = shift ? promoted(a->type) : common_type(a->type, b->type);
    const Type* right = shift ? promoted(b->type) : left;
    if (is_floating(left) &&
        (shift || op == Op::remainder || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor))
      return no_operator(op, *a, b.get(), syntax);
    if (shift && is_floating(right)) return no_operator(op, *a, b.get(), syntax);
    auto node = make(NodeKind::binary, is_comparison(op) ? truth_type() : left, syntax,
                     converted(std::move(a), left, syntax), converted(std::move(b), right, syntax));
    node->op = op;
    node->operands = left;
    return node;
  }
  return pointer_binary(op, std::move(a), std::move(b), syntax);
}

Result<NodePtr> Binder::pointer_binary(Op op, NodePtr a, NodePtr b, const Syntax& syntax) {
  if (is_comparison(op)) return pointer_comparison(op, std::move(a), std::move(b), syntax);
  const auto real_pointer = [](const Node& node) { return node.type->strip()->kind() == TypeKind::pointer; };
  if (op == Op::subtract && real_pointer(*a) && real_pointer(*b)) {
    const Type* target = a->type->strip()->target();
    const auto left = scope_.complete(target->strip())->size(),
               right = scope_.complete(b->type->strip()->target()->strip())->size();
    if (left != right)
      return bad(syntax,
                 fmt::format("`{}` and `{}` point to objects of different sizes", a->type->name(), b->type->name()));
    if (left && *left == 0) return bad(syntax, "the objects have no size");
    auto node = make(NodeKind::pointer_difference, sym::builtin(Builtin::long_), syntax, std::move(a), std::move(b));
    node->offset = static_cast<std::int64_t>(left.value_or(1));
    return node;
  }
  if (op == Op::add && !real_pointer(*a) && real_pointer(*b)) std::swap(a, b);
  const bool integer = is_integral(b->type) || (is_enumeration(b->type) && !b->type->strip()->scoped());
  if ((op != Op::add && op != Op::subtract) || !real_pointer(*a) || !integer)
    return no_operator(op, *a, b.get(), syntax);
  const Type* target = scope_.complete(a->type->strip()->target()->strip());
  if (!has_stride(target)) return bad(syntax, fmt::format("the size of {} is not known", target->name()));
  const Type* type = a->type->unqualified();
  auto node = make(NodeKind::pointer_offset, type, syntax, std::move(a), std::move(b));
  node->op = op;
  node->offset = static_cast<std::int64_t>(target->size().value_or(1));
  return node;
}

Result<NodePtr> Binder::pointer_comparison(Op op, NodePtr a, NodePtr b, const Syntax& syntax) {
  const auto address_like = [](const Node& node) {
    const TypeKind kind = node.type->strip()->kind();
    return kind == TypeKind::pointer || kind == TypeKind::null_pointer || kind == TypeKind::data_member_pointer ||
           kind == TypeKind::function_member_pointer;
  };
  const bool left = address_like(*a), right = address_like(*b);
  if ((!left && !right) || (left && !right && !is_integral(b->type)) || (right && !left && !is_integral(a->type)))
    return no_operator(op, *a, b.get(), syntax);
  const Type* word = sym::builtin(Builtin::unsigned_long);
  const auto member = [](const Node& node) {
    const TypeKind kind = node.type->strip()->kind();
    return kind == TypeKind::data_member_pointer || kind == TypeKind::function_member_pointer;
  };
  if (member(*a) != member(*b) && !is_null_constant(*a) && !is_null_constant(*b))
    return no_operator(op, *a, b.get(), syntax);
  // A null pointer to data member is -1 (Itanium C++ ABI 2.3.1): compared as what it converts to.
  if (member(*a) && is_null_constant(*b)) b = make(NodeKind::convert, a->type, syntax, std::move(b));
  if (member(*b) && is_null_constant(*a)) a = make(NodeKind::convert, b->type, syntax, std::move(a));
  // A derived pointer compares with a base pointer as that base's address.
  if (a->type->strip()->kind() == TypeKind::pointer && b->type->strip()->kind() == TypeKind::pointer) {
    const Type* from = a->type->strip()->target();
    const Type* to = b->type->strip()->target();
    if (is_record(from) && is_record(to)) {
      if (!path_to_base(from, to).empty()) {
        TL_TRY(a, cast_pointer(std::move(a), b->type, CastStyle::c, syntax));
      } else if (!path_to_base(to, from).empty()) {
        TL_TRY(b, cast_pointer(std::move(b), a->type, CastStyle::c, syntax));
      }
    }
  }
  a = make(NodeKind::convert, word, syntax, std::move(a));
  b = make(NodeKind::convert, word, syntax, std::move(b));
  auto node = make(NodeKind::binary, truth_type(), syntax, std::move(a), std::move(b));
  node->op = op;
  node->operands = word;
  return node;
}

Result<NodePtr> Binder::index(const Syntax& syntax) {
  TL_TRY(NodePtr base, bind(*syntax.kids[0]));
  if (is_record(base->type))
    if (auto element = intrinsic(base, "operator[]", {syntax.kids[1].get()}, syntax)) {
      if (!*element) return std::move(*element);
      return follow(**std::move(element), syntax);
    }
  if (auto element = keyed(base, *syntax.kids[1], "operator[]", syntax)) {
    if (!*element) return std::move(*element);
    return follow(**std::move(element), syntax);
  }
  if (is_record(base->type)) {
    std::vector<NodePtr> operands;
    operands.push_back(std::move(base));
    TL_TRY(NodePtr argument, bind(*syntax.kids[1]));
    operands.push_back(std::move(argument));
    if (auto called = call_operator("[]", operands, syntax)) return std::move(*called);
    base = std::move(operands[0]);
  }
  TL_TRY(NodePtr at, bind_value(*syntax.kids[1]));
  if (is_integral(base->type) && (is_array(at->type) || is_pointer(at->type))) {
    TL_TRY(at, bind(*syntax.kids[1]));
    base = decayed(std::move(base), syntax);
    std::swap(base, at);
  }
  if (!is_integral(at->type) && !is_enumeration(at->type))
    return bad(*syntax.kids[1], fmt::format("an index is an integer, not `{}`", at->type->name()));
  if (is_unknown(base->type)) return needs_cast(*base);
  if (is_array(base->type)) {
    const Type* element = base->type->strip()->target();
    const bool lvalue = base->lvalue;
    auto node = make(NodeKind::element, element, syntax, std::move(base), std::move(at));
    node->lvalue = lvalue;
    return follow(std::move(node), syntax);
  }
  if (is_record(base->type))
    return fail_hint(
        Errc::unsupported,
        fmt::format("`{}`: {} has no operator[] for this that could be called", written(syntax), base->type->name()),
        "index the member that holds the elements");
  if (base->type->strip()->kind() != TypeKind::pointer)
    return bad(syntax, fmt::format("`{}` cannot be indexed", base->type->name()));
  TL_TRY(NodePtr pointer, pointer_binary(Op::add, std::move(base), std::move(at), syntax));
  TL_TRY(NodePtr node, dereference_of(std::move(pointer), syntax));
  return follow(std::move(node), syntax);
}

Result<NodePtr> Binder::conditional(const Syntax& syntax) {
  TL_TRY(NodePtr condition, bind_value(*syntax.kids[0]));
  TL_TRY(condition, truth_value(std::move(condition), *syntax.kids[0]));
  if (!is_scalar(condition->type))
    return bad(*syntax.kids[0], fmt::format("`{}` is no truth value", condition->type->name()));
  TL_TRY(NodePtr yes, bind(*syntax.kids[1]));
  TL_TRY(NodePtr no, bind(*syntax.kids[2]));
  const bool same = same_type(yes->type->unqualified(), no->type->unqualified());
  const Type* type = yes->type;
  bool lvalue = same && yes->lvalue && no->lvalue;
  if (!same) {
    yes = decayed(std::move(yes), syntax);
    no = decayed(std::move(no), syntax);
    if (is_number(yes->type) && is_number(no->type)) {
      yes = bits_promoted(std::move(yes), syntax);
      no = bits_promoted(std::move(no), syntax);
      type = common_type(yes->type, no->type);
      yes = converted(std::move(yes), type, syntax);
      no = converted(std::move(no), type, syntax);
    } else if (is_pointer(yes->type) && (is_null_constant(*no) || is_pointer(no->type))) {
      type = yes->type->strip()->kind() == TypeKind::null_pointer ? no->type : yes->type;
      yes = converted(std::move(yes), type, syntax);
      no = converted(std::move(no), type, syntax);
    } else if (is_pointer(no->type) && is_null_constant(*yes)) {
      type = no->type;
      yes = converted(std::move(yes), type, syntax);
    } else if (!same_type(yes->type->unqualified(), no->type->unqualified())) {
      return bad(syntax, fmt::format("the two sides have types `{}` and `{}`", yes->type->name(), no->type->name()));
    }
  }
  auto node =
      make(NodeKind::conditional, lvalue ? type : type->unqualified(), syntax, std::move(condition), std::move(yes));
  node->kids.push_back(std::move(no));
  node->lvalue = lvalue;
  return node;
}

}  // namespace trapline::eval
