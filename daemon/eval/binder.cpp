// The binder's frame: making nodes, and which part binds what.
#include "daemon/eval/binder.hpp"

#include <fmt/format.h>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

bool is_pointer(const Type* type) {
  const TypeKind kind = type->strip()->kind();
  return kind == TypeKind::pointer || kind == TypeKind::null_pointer;
}
bool is_record(const Type* type) { return type->strip()->kind() == TypeKind::record; }
bool is_array(const Type* type) { return type->strip()->kind() == TypeKind::array; }
bool is_unknown(const Type* type) { return type->strip()->kind() == TypeKind::unknown; }
bool is_scalar(const Type* type) {
  const TypeKind kind = type->strip()->kind();
  return is_arithmetic(type) || is_enumeration(type) || is_pointer(type) || kind == TypeKind::data_member_pointer ||
         kind == TypeKind::function_member_pointer;
}

// ---- making nodes

std::string Binder::written(const Syntax& syntax) const {
  return std::string(text_.substr(syntax.at, syntax.end > syntax.at ? syntax.end - syntax.at : 0));
}

std::unexpected<Error> Binder::bad(const Syntax& syntax, std::string why) const {
  return fail(Errc::bad_expression, fmt::format("`{}`: {}", written(syntax), why));
}

NodePtr Binder::make(NodeKind kind, const Type* type, const Syntax& syntax) const {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->type = type;
  node->text = written(syntax);
  node->at = syntax.at;
  return node;
}

NodePtr Binder::make(NodeKind kind, const Type* type, const Syntax& syntax, NodePtr kid) const {
  auto node = make(kind, type, syntax);
  node->kids.push_back(std::move(kid));
  return node;
}

NodePtr Binder::make(NodeKind kind, const Type* type, const Syntax& syntax, NodePtr a, NodePtr b) const {
  auto node = make(kind, type, syntax, std::move(a));
  node->kids.push_back(std::move(b));
  return node;
}

NodePtr Binder::constant(const Type* type, const Number& number, const Syntax& syntax) const {
  auto node = make(NodeKind::constant, type, syntax);
  node->bytes = store_number(type, number);
  return node;
}

NodePtr Binder::follow(NodePtr node, const Syntax& syntax) {
  if (!node->type->is_reference()) return node;
  const Type* referee = node->type->strip()->target();
  auto followed = make(NodeKind::follow, referee, syntax, std::move(node));
  followed->lvalue = true;
  return followed;
}

NodePtr Binder::decayed(NodePtr node, const Syntax& syntax) const {
  if (node->kind == NodeKind::string) return node;
  if (is_array(node->type) && !node->type->strip()->vector()) {
    const Type* element = node->type->strip()->target();
    return make(NodeKind::decay, element->pointer_to(), syntax, std::move(node));
  }
  if (node->type->strip()->kind() == TypeKind::function) {
    const Type* function = node->type;
    return make(NodeKind::address_of, function->pointer_to(), syntax, std::move(node));
  }
  return node;
}

NodePtr Binder::converted(NodePtr node, const Type* type, const Syntax& syntax) const {
  if (same_type(node->type->unqualified(), type->unqualified())) return node;
  return make(NodeKind::convert, type->unqualified(), syntax, std::move(node));
}

// ---- dispatch

Result<NodePtr> Binder::bind_value(const Syntax& syntax) {
  TL_TRY(NodePtr node, bind(syntax));
  return decayed(std::move(node), syntax);
}

Result<NodePtr> Binder::bind(const Syntax& syntax) {
  struct Deeper {
    int& depth;
    ~Deeper() { --depth; }
  } deeper{++depth_};
  if (depth_ > 1000) return fail(Errc::too_large, "the expression nests too deep");
  switch (syntax.kind) {
    case SyntaxKind::literal: return literal(syntax);
    case SyntaxKind::boolean:
      return constant(sym::builtin(Builtin::bool_), {.floating = false, .integer = syntax.flag ? 1 : 0, .real = 0},
                      syntax);
    case SyntaxKind::null_pointer: {
      auto node = make(NodeKind::constant, sym::builtin(Builtin::null_pointer), syntax);
      node->bytes.resize(8);
      return node;
    }
    case SyntaxKind::this_: {
      if (const Type* object = scope_.subject())
        return make(NodeKind::address_of, object->pointer_to(), syntax, subject(syntax));
      return this_pointer(syntax);
    }
    case SyntaxKind::name: return name(syntax);
    case SyntaxKind::register_: {
      if (syntax.text == "_exception") return exception(syntax);
      const auto facts = register_facts(syntax.text);
      if (!facts) return fail(Errc::bad_expression, fmt::format("no register `${}`", syntax.text));
      auto node = make(NodeKind::register_, facts->type, syntax);
      node->text = facts->name;
      node->lvalue = true;
      return node;
    }
    case SyntaxKind::unary: return unary(syntax);
    case SyntaxKind::dereference: return dereference(syntax);
    case SyntaxKind::address_of: return address_of(syntax);
    case SyntaxKind::increment: return increment(syntax);
    case SyntaxKind::binary: return binary(syntax);
    case SyntaxKind::assign: return assign(syntax);
    case SyntaxKind::conditional: return conditional(syntax);
    case SyntaxKind::comma: {
      TL_TRY(NodePtr left, bind_value(*syntax.kids[0]));
      TL_TRY(NodePtr right, bind(*syntax.kids[1]));
      const Type* type = right->type;
      const bool lvalue = right->lvalue;
      auto node = make(NodeKind::comma, type, syntax, std::move(left), std::move(right));
      node->lvalue = lvalue;
      return node;
    }
    case SyntaxKind::index: return index(syntax);
    case SyntaxKind::member: return member(syntax);
    case SyntaxKind::member_pointer: return member_pointer(syntax);
    case SyntaxKind::cast: return cast(syntax);
    case SyntaxKind::construct: return construct(syntax);
    case SyntaxKind::size_of:
    case SyntaxKind::align_of: return size_of(syntax);
    case SyntaxKind::type_id: return type_id(syntax);
    case SyntaxKind::three_way: return three_way(syntax);
    case SyntaxKind::noexcept_: return no_except(syntax);
    case SyntaxKind::real_part:
    case SyntaxKind::imaginary_part: return complex_part(syntax);
    case SyntaxKind::repeat: return repeat(syntax);
    case SyntaxKind::at_type: {
      TL_TRY(const Type* type, type_of(*syntax.type));
      TL_TRY(NodePtr address, bind_value(*syntax.kids[0]));
      if (!is_pointer(address->type) && !is_integral(address->type)) return bad(*syntax.kids[0], "this is no address");
      return dereference_of(converted(std::move(address), type->pointer_to(), syntax), syntax);
    }
    case SyntaxKind::call:
      if (auto tree = intrinsic_call(syntax)) return std::move(*tree);
      if (auto tree = keyed_call(syntax)) return std::move(*tree);
      if (auto tree = type_info_call(syntax)) return std::move(*tree);
      return call(syntax);
  }
  return fail(Errc::internal, "a kind of expression without meaning");
}

// ---- entry points

Result<NodePtr> bind(const Syntax& syntax, std::string_view text, const Scope& scope, const BindOptions& options) {
  return Binder(text, scope, options).bind(syntax);
}

Result<const Type*> bind_type(const TypeSyntax& type, std::string_view text, const Scope& scope) {
  return Binder(text, scope, {}).type_of(type);
}

Result<NodePtr> bind_as(const Syntax& syntax, std::string_view text, const Type* type, const Scope& scope,
                        const BindOptions& options) {
  Binder binder(text, scope, options);
  // `red` for Color::red
  if (syntax.kind == SyntaxKind::name && syntax.name.parts.size() == 1 && is_enumeration(type))
    for (const sym::Enumerator& e : scope.complete(type->strip())->enumerators())
      if (e.name == syntax.name.parts[0]) {
        auto node = std::make_unique<Node>();
        node->type = type;
        node->text = e.name;
        node->bytes = store_number(type, {.floating = false, .integer = static_cast<std::int64_t>(e.value), .real = 0});
        return node;
      }
  TL_TRY(NodePtr node, binder.bind(syntax));
  return binder.convert(std::move(node), type, syntax);
}

}  // namespace trapline::eval
