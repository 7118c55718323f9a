// Calls, as they were written: of functions, of members, of what has operator(), and of operators that are functions.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Member;
using sym::Symbol;
using sym::Type;
using sym::TypeKind;

// The function's code, as a node.
Result<NodePtr> Binder::code_of(const Candidate& chosen, const Syntax& syntax) const {
  auto node = make(NodeKind::function, chosen.type, syntax);
  node->text = chosen.name;
  node->lvalue = true;
  if (const auto code = sym::code_address(chosen.die)) {
    node->symbol = {Symbol::Kind::function, chosen.name, chosen.die, chosen.type, std::nullopt, false, false};
    node->file_address = {chosen.die.module->id(), *code};
    return node;
  }
  const auto object = scope_.elf_object(chosen.linkage.empty() ? chosen.name : chosen.linkage);
  if (!object || !object->function)
    return fail(Errc::not_available,
                fmt::format("`{}` has no code of its own: every call of it was inlined, or nothing instantiated it",
                            signature(chosen.name, chosen.type)));
  node->file_address = object->address;
  return node;
}

Result<NodePtr> Binder::call_of(const Candidate& chosen, NodePtr object, std::vector<NodePtr> arguments, bool direct,
                                const Syntax& syntax) {
  const bool is_virtual = chosen.slot && !direct;
  NodePtr callee;
  if (is_virtual) {
    callee = make(NodeKind::constant, sym::builtin(Builtin::null_pointer), syntax);
    callee->bytes.resize(8);
  } else {
    TL_TRY(callee, code_of(chosen, syntax));
  }
  auto node = make(NodeKind::call, sym::builtin(Builtin::void_), syntax, std::move(callee));
  if (is_virtual) {
    node->flag = true;
    node->offset = static_cast<std::int64_t>(*chosen.slot);
  }
  if (chosen.object) {
    for (const Member* step : chosen.path) object = through(std::move(object), *step, syntax);
    node->kids.push_back(address_for_call(std::move(object), !chosen.constant, syntax));
  }
  return finish_call(std::move(node), chosen.type, std::move(arguments), syntax);
}

// ---- the call, as it was written

Result<std::vector<NodePtr>> Binder::bound_arguments(const Syntax& syntax) {
  std::vector<NodePtr> arguments;
  for (std::size_t i = 1; i < syntax.kids.size(); ++i) {
    TL_TRY(NodePtr argument, bind(*syntax.kids[i]));
    if (argument->type->strip()->kind() == TypeKind::void_) return bad(*syntax.kids[i], "this has no value");
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

// A function, a pointer to one, or an object with operator().
Result<NodePtr> Binder::call_value(NodePtr callee, std::vector<NodePtr> arguments, const Syntax& syntax) {
  if (is_record(callee->type)) {
    std::vector<Candidate> all;
    std::vector<const Member*> path;
    methods_named(callee->type, "operator()", path, all, 0);
    if (all.empty()) return bad(syntax, fmt::format("`{}` is no function", callee->type->name()));
    return resolved_call("operator()", all, std::move(callee), std::move(arguments), false, syntax);
  }
  const Type* type = callee->type->strip();
  const bool member = callee->kind == NodeKind::member_pointer;
  if (type->kind() == TypeKind::pointer) type = type->target()->strip();
  if (type->kind() != TypeKind::function) {
    if (is_unknown(type)) return needs_cast(*callee);
    return bad(syntax, fmt::format("`{}` is no function", callee->type->name()));
  }
  if (callee->kind == NodeKind::function && is_unknown(type->target()))
    return fail_hint(Errc::bad_expression,
                     fmt::format("`{}` has no debug information: what it takes and returns is not known", callee->text),
                     fmt::format("cast it to its type: ((int (*)(int)){})(...)", callee->text));
  Candidate only;
  only.name = callee->text;
  only.type = type;
  if (!conversions(only, nullptr, arguments)) return none_fits(callee->text, {only}, arguments, syntax);
  if (!member) callee = decayed(std::move(callee), syntax);
  auto node = make(NodeKind::call, type->target(), syntax, std::move(callee));
  return finish_call(std::move(node), type, std::move(arguments), syntax);
}

Result<NodePtr> Binder::call_member(const Syntax& callee, std::vector<NodePtr> arguments, const Syntax& syntax) {
  TL_TRY(NodePtr object, bind(*callee.kids[0]));
  if (callee.flag || is_pointer(object->type)) {
    TL_TRY(object, arrow(std::move(object), *callee.kids[0]));
  }
  if (is_unknown(object->type)) return needs_cast(*object);
  if (!is_record(object->type)) return bad(callee, fmt::format("{} has no members", object->type->name()));
  const bool qualified = callee.name.parts.size() > 1;  // object.Base::f(): not through the vtable
  if (qualified) {
    sym::QualifiedName base = callee.name;
    base.parts.pop_back();
    const auto found = scope_.find(base);
    const Type* target = !found.empty() && found[0].kind == Symbol::Kind::type ? found[0].type : nullptr;
    if (target == nullptr) return bad(callee, fmt::format("no class `{}` here", base.text()));
    TL_TRY(object, cast_lvalue(std::move(object), target, CastStyle::static_, syntax));
  }
  const std::string& name = callee.name.parts.back();
  std::vector<Candidate> all;
  std::vector<const Member*> path;
  methods_named(object->type, name, path, all, 0);
  if (all.empty()) {
    TL_TRY(NodePtr field, member_in(std::move(object), name, callee));
    return call_value(std::move(field), std::move(arguments), syntax);
  }
  return resolved_call(name, all, std::move(object), std::move(arguments), qualified, syntax);
}

// f(...) where f is a member of the class that we are in.
std::optional<Result<NodePtr>> Binder::call_own_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                       const Syntax& syntax) {
  if (!scope_.this_variable() || callee.name.global || !callee.name.file.empty()) return std::nullopt;
  auto object = this_object(callee);
  if (!object) return std::nullopt;
  const bool qualified = callee.name.parts.size() > 1;
  if (qualified) {
    sym::QualifiedName base = callee.name;
    base.parts.pop_back();
    const auto found = scope_.find(base);
    if (found.empty() || found[0].kind != Symbol::Kind::type || !is_record(found[0].type)) return std::nullopt;
    if (!same_type(complete((*object)->type), complete(found[0].type)) &&
        path_to_base((*object)->type, found[0].type).empty())
      return std::nullopt;
    object = cast_lvalue(*std::move(object), found[0].type, CastStyle::static_, syntax);
    if (!object) return std::unexpected(object.error());
  }
  std::vector<Candidate> all;
  std::vector<const Member*> path;
  methods_named((*object)->type, callee.name.parts.back(), path, all, 0);
  if (all.empty()) return std::nullopt;
  return resolved_call(callee.name.parts.back(), all, *std::move(object), std::move(arguments), qualified, syntax);
}

// Class::f(...) of a static member function.
std::optional<Result<NodePtr>> Binder::call_static_member(const Syntax& callee, std::vector<NodePtr>& arguments,
                                                          const Syntax& syntax) {
  if (callee.name.parts.size() < 2) return std::nullopt;
  sym::QualifiedName outer = callee.name;
  outer.parts.pop_back();
  const auto found = scope_.find(outer);
  if (found.empty() || found[0].kind != Symbol::Kind::type || !is_record(found[0].type)) return std::nullopt;
  std::vector<Candidate> all, fit;
  std::vector<const Member*> path;
  methods_named(found[0].type, callee.name.parts.back(), path, all, 0);
  if (all.empty()) return std::nullopt;
  for (const Candidate& each : all)
    if (!each.object) fit.push_back(each);
  if (fit.empty()) return bad(syntax, fmt::format("`{}` is a member function: it needs an object", all[0].name));
  return resolved_call(callee.name.text(), fit, nullptr, std::move(arguments), true, syntax);
}

Result<NodePtr> Binder::call(const Syntax& syntax) {
  const Syntax& callee = *syntax.kids[0];
  TL_TRY(std::vector<NodePtr> arguments, bound_arguments(syntax));
  if (callee.kind == SyntaxKind::member) return call_member(callee, std::move(arguments), syntax);
  if (callee.kind != SyntaxKind::name || callee.parenthesised) {
    TL_TRY(NodePtr value, bind(callee));
    return call_value(std::move(value), std::move(arguments), syntax);
  }
  const auto found = scope_.find(callee.name);
  const auto kind = found.empty() ? std::nullopt : std::optional(found[0].kind);
  if (kind == Symbol::Kind::variable || kind == Symbol::Kind::enumerator || kind == Symbol::Kind::namespace_) {
    TL_TRY(NodePtr value, bind(callee));
    return call_value(std::move(value), std::move(arguments), syntax);
  }
  if (kind == Symbol::Kind::type) return made_object(found[0].type, std::move(arguments), syntax);
  if (auto own = call_own_member(callee, arguments, syntax)) return std::move(*own);
  if (auto member = call_static_member(callee, arguments, syntax)) return std::move(*member);
  std::vector<Candidate> all;
  functions_named(callee.name, arguments, all);
  if (!all.empty()) return resolved_call(callee.name.text(), all, nullptr, std::move(arguments), true, syntax);
  TL_TRY(NodePtr value, bind(callee));
  return call_value(std::move(value), std::move(arguments), syntax);
}

// ---- operators that are functions

bool may_have_operators(const Type* type) {
  return is_record(type) || (is_enumeration(type) && type->strip()->scoped());
}

// The program's own operator for these operands, as a call. nullopt: there is none that fits.
std::optional<Result<NodePtr>> Binder::call_operator(std::string_view op, std::vector<NodePtr>& operands,
                                                     const Syntax& syntax) {
  if (std::ranges::none_of(operands, [](const NodePtr& node) { return may_have_operators(node->type); }))
    return std::nullopt;
  const std::string name = fmt::format("operator{}", op);
  std::vector<Candidate> methods, functions;
  std::vector<std::vector<Conversion>> rows;
  std::vector<const Candidate*> viable;
  if (is_record(operands[0]->type)) {
    std::vector<const Member*> path;
    methods_named(operands[0]->type, name, path, methods, 0);
  }
  functions_named({.parts = {name}, .global = false, .file = {}}, operands, functions);
  if (methods.empty() && functions.empty()) return std::nullopt;
  // The member's object is its first operand, so both kinds have rows of the same length.
  NodePtr object = std::move(operands[0]);
  std::vector<NodePtr> rest(std::make_move_iterator(operands.begin() + 1), std::make_move_iterator(operands.end()));
  for (const Candidate& each : methods)
    if (auto row = conversions(each, object.get(), rest)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  operands.clear();
  operands.push_back(std::move(object));
  for (NodePtr& each : rest) operands.push_back(std::move(each));
  for (const Candidate& each : functions)
    if (auto row = conversions(each, nullptr, operands)) {
      rows.push_back(*std::move(row));
      viable.push_back(&each);
    }
  if (viable.empty()) return std::nullopt;
  const auto best = best_of(rows);
  if (!best) {
    std::vector<std::string> shown;
    for (const Candidate* each : viable) shown.push_back(signature(each->name, each->type));
    return bad(syntax, fmt::format("`{}` is ambiguous: {}", name, fmt::join(shown, "; ")));
  }
  const Candidate& chosen = *viable[*best];
  if (chosen.record == nullptr) return call_of(chosen, nullptr, std::move(operands), true, syntax);
  object = std::move(operands[0]);
  operands.erase(operands.begin());
  return call_of(chosen, std::move(object), std::move(operands), false, syntax);
}

}  // namespace trapline::eval
