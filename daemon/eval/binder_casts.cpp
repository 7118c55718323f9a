// Types by name, and casts. Between classes a cast follows the inheritance; a C cast of a pointer does what static_cast
// does where it can, and else sees the address with other eyes, as in C++.
#include <fmt/format.h>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

Result<const Type*> Binder::type_of(const TypeSyntax& syntax) {
  const Type* type = nullptr;
  if (!syntax.builtin.empty()) {
    type = sym::builtin_named(syntax.builtin);
    if (type == nullptr) return fail(Errc::bad_expression, fmt::format("no type `{}`", syntax.builtin));
  } else if (syntax.of_expression) {
    TL_TRY(NodePtr node, bind(*syntax.of_expression));
    type = node->type;
  } else {
    const auto found = scope_.find(syntax.name);
    for (const Symbol& symbol : found) {
      if (symbol.kind != Symbol::Kind::type) continue;
      const TypeKind kind = symbol.type->kind();
      // `struct stat`: the tag, and not a typedef or function of that name.
      if (!syntax.keyword.empty() && kind != TypeKind::record && kind != TypeKind::enumeration) continue;
      type = symbol.type;
      break;
    }
    if (type == nullptr)
      return fail(Errc::bad_expression, fmt::format("no type `{}` {}", syntax.name.text(), scope_.place()));
  }
  if (syntax.is_const) type = type->const_of();
  if (syntax.is_volatile) type = type->volatile_of();
  for (const TypeSyntax::Declarator& declarator : syntax.declarators) {
    using Kind = TypeSyntax::Declarator::Kind;
    switch (declarator.kind) {
      case Kind::pointer: type = type->pointer_to(); break;
      case Kind::lvalue_reference: type = type->lvalue_reference_to(); break;
      case Kind::rvalue_reference: type = type->rvalue_reference_to(); break;
      case Kind::array: type = type->array_of(declarator.count); break;
      case Kind::function: {
        std::vector<sym::Parameter> parameters;
        for (const TypeSyntax& parameter : declarator.parameters) {
          TL_TRY(const Type* each, type_of(parameter));
          parameters.push_back({"", each, false});
        }
        type = sym::make_function(type, std::move(parameters), declarator.variadic);
        break;
      }
      case Kind::member_pointer: {
        const auto found = scope_.find(declarator.record);
        if (found.empty() || found[0].kind != Symbol::Kind::type)
          return fail(Errc::bad_expression, fmt::format("no class `{}` {}", declarator.record.text(), scope_.place()));
        type = sym::make_member_pointer(found[0].type, type);
        break;
      }
    }
    if (declarator.is_const) type = type->const_of();
    if (declarator.is_volatile) type = type->volatile_of();
  }
  return type;
}

std::vector<const Member*> Binder::path_to_base(const Type* derived, const Type* base, int depth) const {
  derived = complete(derived);
  base = complete(base);
  if (depth > 32 || same_type(derived, base)) return {};
  for (const Member& member : derived->members()) {
    if (member.kind != Member::Kind::base && member.kind != Member::Kind::virtual_base) continue;
    if (same_type(complete(member.type), base)) return {&member};
    auto rest = path_to_base(member.type, base, depth + 1);
    if (rest.empty()) continue;
    rest.insert(rest.begin(), &member);
    return rest;
  }
  return {};
}

Result<NodePtr> Binder::cast(const Syntax& syntax) {
  TL_TRY(const Type* type, type_of(*syntax.type));
  TL_TRY(NodePtr operand, bind(*syntax.kids[0]));
  if (syntax.cast_style == CastStyle::dynamic) return cast_dynamic(std::move(operand), type, syntax);
  return cast_to(std::move(operand), type, syntax.cast_style, syntax);
}

Result<NodePtr> Binder::cast_to(NodePtr node, const Type* type, CastStyle style, const Syntax& syntax) {
  const Type* plain = type->strip();
  const auto refuse = [&]() {
    return bad(syntax, fmt::format("`{}` cannot be cast to `{}`", node->type->name(), type->name()));
  };
  if (type->is_reference()) {
    if (!node->lvalue) return bad(syntax, "only what lies in memory can be seen through a reference");
    return cast_lvalue(std::move(node), plain->target(), style, syntax);
  }
  if (is_unknown(node->type) && node->lvalue) {
    if (node->kind == NodeKind::data_symbol && type->size()) {
      auto seen = make(NodeKind::view, type->unqualified(), syntax, std::move(node));
      seen->lvalue = true;
      return seen;
    }
    return needs_cast(*node);
  }
  switch (plain->kind()) {
    case TypeKind::void_: return make(NodeKind::view, type, syntax, std::move(node));
    case TypeKind::record:
    case TypeKind::array: {
      const bool same = same_type(complete(node->type), complete(plain));
      if (same) return node;
      if (is_record(node->type) && is_record(plain) && !path_to_base(node->type, plain).empty())
        return cast_lvalue(std::move(node), plain, style, syntax);
      if (style != CastStyle::c || !node->lvalue) return refuse();
      auto seen = make(NodeKind::view, type, syntax, std::move(node));
      seen->lvalue = true;
      return seen;
    }
    case TypeKind::pointer: return cast_pointer(decayed(std::move(node), syntax), type, style, syntax);
    default: break;
  }
  node = decayed(std::move(node), syntax);
  if (node->kind == NodeKind::string) return bad(syntax, "a string literal lies nowhere in the program");
  const bool target_number = is_arithmetic(type) || is_enumeration(type);
  const bool source_number = is_arithmetic(node->type) || is_enumeration(node->type);
  const bool bits = style == CastStyle::c || style == CastStyle::reinterpret;
  if (target_number && source_number && style != CastStyle::const_) return converted(std::move(node), type, syntax);
  if (is_boolean(type) && is_scalar(node->type)) return converted(std::move(node), type, syntax);
  if ((is_integral(type) || is_enumeration(type)) && is_pointer(node->type) && bits)
    return converted(std::move(node), type, syntax);
  const bool member =
      plain->kind() == TypeKind::data_member_pointer || plain->kind() == TypeKind::function_member_pointer;
  if (member && (is_null_constant(*node) || node->type->strip()->kind() == plain->kind()))
    return converted(std::move(node), type, syntax);
  if (plain->kind() == TypeKind::null_pointer && is_null_constant(*node))
    return converted(std::move(node), type, syntax);
  if (same_type(node->type->strip(), plain)) return node;
  return refuse();
}

Result<NodePtr> Binder::cast_dynamic(NodePtr node, const Type* type, const Syntax& syntax) {
  const bool reference = type->is_reference();
  const Type* target = type->strip()->target();
  if (!reference && type->strip()->kind() != TypeKind::pointer)
    return bad(syntax, fmt::format("dynamic_cast gives a pointer or a reference, not `{}`", type->name()));
  if (!reference && target->strip()->kind() != TypeKind::void_ && !is_record(target))
    return bad(syntax, fmt::format("`{}` points to no class", type->name()));
  if (reference) {
    if (!node->lvalue || !is_record(node->type)) return bad(syntax, "this is no object of a class");
    const Type* pointer = node->type->pointer_to();
    node = make(NodeKind::address_of, pointer, syntax, std::move(node));
  } else {
    node = decayed(std::move(node), syntax);
  }
  if (node->type->strip()->kind() != TypeKind::pointer || !is_record(node->type->strip()->target()))
    return bad(syntax, fmt::format("`{}` is no pointer to a class", node->type->name()));
  const Type* source = complete(node->type->strip()->target());
  const Type* to = reference ? target->pointer_to() : type->unqualified();
  if (is_record(target) && (same_type(source, complete(target)) || !path_to_base(source, target).empty())) {
    TL_TRY(node, cast_pointer(std::move(node), to, CastStyle::static_, syntax));
  } else {
    if (!source->has_vtable())
      return bad(syntax,
                 fmt::format("{} is not polymorphic, so its objects do not tell what they are", source->name()));
    node = make(NodeKind::dynamic_cast_, to, syntax, std::move(node));
    node->flag = reference;
  }
  return reference ? dereference_of(std::move(node), syntax) : std::move(node);
}

// (Base &)x, static_cast<Derived &>(x), (Other &)x
Result<NodePtr> Binder::cast_lvalue(NodePtr node, const Type* referee, CastStyle style, const Syntax& syntax) {
  if (is_record(node->type) && is_record(referee) && style != CastStyle::reinterpret) {
    if (same_type(complete(node->type), complete(referee))) return node;
    if (const auto up = path_to_base(node->type, referee); !up.empty()) {
      for (const Member* step : up) node = through(std::move(node), *step, syntax);
      return node;
    }
    if (const auto down = path_to_base(referee, node->type); !down.empty()) {
      std::int64_t offset = 0;
      for (const Member* step : down) {
        if (step->kind == Member::Kind::virtual_base)
          return fail(
              Errc::unsupported,
              fmt::format("`{}`: from the virtual base {} there is no way down to {} without the program's runtime",
                          written(syntax), node->type->name(), referee->name()));
        offset += static_cast<std::int64_t>(step->offset);
      }
      if (!node->lvalue) return bad(syntax, "only what lies in memory can be cast to a derived class");
      auto derived = make(NodeKind::derived, referee, syntax, std::move(node));
      derived->offset = offset;
      derived->lvalue = true;
      return derived;
    }
  }
  if (style == CastStyle::static_ && !same_type(node->type->unqualified(), referee->unqualified()))
    return bad(syntax, fmt::format("`{}` and `{}` are not related", node->type->name(), referee->name()));
  const bool lvalue = node->lvalue;
  auto seen = make(NodeKind::view, referee, syntax, std::move(node));
  seen->lvalue = lvalue;
  return seen;
}

Result<NodePtr> Binder::cast_pointer(NodePtr node, const Type* type, CastStyle style, const Syntax& syntax) {
  if (node->kind == NodeKind::string)
    return bad(syntax, "a string literal lies nowhere in the program, so nothing can point to it");
  const Type* target = type->strip()->target();
  if (is_null_constant(*node)) return converted(std::move(node), type, syntax);
  if (is_integral(node->type) || is_enumeration(node->type)) {
    if (style == CastStyle::static_ || style == CastStyle::const_)
      return bad(syntax, "static_cast makes no pointer of a number; use reinterpret_cast");
    return converted(converted(std::move(node), sym::builtin(Builtin::unsigned_long), syntax), type, syntax);
  }
  if (!is_pointer(node->type))
    return bad(syntax, fmt::format("`{}` cannot be cast to `{}`", node->type->name(), type->name()));
  const Type* source = node->type->strip()->target();
  if (is_record(source) && is_record(target) && style != CastStyle::reinterpret) {
    if (const auto up = path_to_base(source, target); !up.empty()) {
      for (const Member* step : up) {
        auto base = make(NodeKind::pointer_base, step->type->pointer_to(), syntax, std::move(node));
        base->member = step;
        node = std::move(base);
      }
      return node;
    }
    if (const auto down = path_to_base(target, source); !down.empty()) {
      std::int64_t offset = 0;
      for (const Member* step : down) {
        if (step->kind == Member::Kind::virtual_base)
          return fail(
              Errc::unsupported,
              fmt::format("`{}`: from the virtual base {} there is no way down to {} without the program's runtime",
                          written(syntax), source->name(), target->name()));
        offset += static_cast<std::int64_t>(step->offset);
      }
      auto derived = make(NodeKind::pointer_derived, type->unqualified(), syntax, std::move(node));
      derived->offset = offset;
      return derived;
    }
    if (style == CastStyle::static_ && !same_type(complete(source), complete(target)))
      return bad(syntax, fmt::format("{} and {} are not related", source->name(), target->name()));
  }
  return converted(std::move(node), type, syntax);
}

// T(x), T(): of scalar types what a cast does; classes would need their constructor.
Result<NodePtr> Binder::construct(const Syntax& syntax) {
  TL_TRY(const Type* type, type_of(*syntax.type));
  if (is_record(type)) {
    std::vector<NodePtr> arguments;
    for (const SyntaxPtr& kid : syntax.kids) {
      TL_TRY(NodePtr argument, bind(*kid));
      arguments.push_back(std::move(argument));
    }
    return made_object(type, std::move(arguments), syntax);
  }
  if (syntax.kids.size() > 1) return bad(syntax, fmt::format("`{}` takes one value", type->name()));
  if (syntax.kids.empty()) {
    auto zero = make(NodeKind::constant, type->unqualified(), syntax);
    zero->bytes.resize(static_cast<std::size_t>(type->size().value_or(0)));
    return zero;
  }
  TL_TRY(NodePtr operand, bind(*syntax.kids[0]));
  return cast_to(std::move(operand), type, CastStyle::c, syntax);
}

}  // namespace trapline::eval
