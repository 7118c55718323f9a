// What visualisers add to expressions: operators and members of library types as trees (intrinsics.hpp), and, inside a
// visualiser's own expressions, the object that they are about and their local variables.
#include "daemon/eval/intrinsics.hpp"

#include <fmt/format.h>

#include "daemon/eval/binder_impl.hpp"
#include "daemon/eval/library_functions.hpp"

namespace trapline::eval {

using sym::Type;

NodePtr Binder::subject(const Syntax& syntax) const {
  auto node = make(NodeKind::subject, scope_.subject(), syntax);
  node->lvalue = true;
  return node;
}

std::optional<Result<NodePtr>> Binder::name_in_visualizer(const Syntax& syntax) {
  if (syntax.name.parts.size() != 1 || syntax.name.global || !syntax.name.file.empty()) return std::nullopt;
  const std::string& name = syntax.name.parts[0];
  if (const auto slot = scope_.slot(name)) {
    auto node = make(NodeKind::slot, slot->type, syntax);
    node->offset = static_cast<std::int64_t>(slot->index);
    node->lvalue = true;
    return follow(std::move(node), syntax);
  }
  const Type* object = scope_.subject();
  if (object == nullptr || !is_record(object) || !has_member(complete(object), name)) return std::nullopt;
  return member_in(subject(syntax), name, syntax);
}

std::optional<Result<NodePtr>> Binder::intrinsic(NodePtr& object, std::string_view name,
                                                 const std::vector<const Syntax*>& arguments, const Syntax& syntax) {
  Intrinsics* known = scope_.intrinsics();
  if (known == nullptr || !is_record(object->type)) return std::nullopt;
  const auto found = known->find(complete(object->type), name, arguments.size());
  if (!found) return Result<NodePtr>(std::unexpected(found.error()));
  if (*found == nullptr) return std::nullopt;
  const Intrinsic& what = **found;
  std::vector<NodePtr> bound;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto argument = bind(*arguments[i]);
    if (!argument) return Result<NodePtr>(std::unexpected(argument.error()));
    auto converted = convert(*std::move(argument), what.parameters[i], *arguments[i]);
    if (!converted) return Result<NodePtr>(std::unexpected(converted.error()));
    bound.push_back(*std::move(converted));
  }
  auto node = make(NodeKind::inlined, what.body->type, syntax, std::move(object));
  for (NodePtr& argument : bound) node->kids.push_back(std::move(argument));
  node->body = what.body;
  node->lvalue = what.body->lvalue;
  return Result<NodePtr>(std::move(node));
}

// f(...): `object.f(...)`, and inside a visualiser's expression a function of the object.
std::optional<Result<NodePtr>> Binder::intrinsic_call(const Syntax& syntax) {
  if (scope_.intrinsics() == nullptr) return std::nullopt;
  const Syntax& callee = *syntax.kids[0];
  std::vector<const Syntax*> arguments;
  for (std::size_t i = 1; i < syntax.kids.size(); ++i) arguments.push_back(syntax.kids[i].get());
  if (callee.kind == SyntaxKind::member && callee.name.parts.size() == 1) {
    auto object = bind(*callee.kids[0]);
    if (!object) return std::nullopt;  // whoever answers next says what is wrong with it
    if (callee.flag || is_pointer((*object)->type)) {
      auto target = arrow(*std::move(object), *callee.kids[0]);
      if (!target) return std::nullopt;
      object = *std::move(target);
    }
    return intrinsic(*object, callee.name.parts[0], arguments, syntax);
  }
  if (callee.kind != SyntaxKind::name || callee.name.parts.size() != 1 || scope_.subject() == nullptr)
    return std::nullopt;
  NodePtr object = subject(callee);
  if (auto own = intrinsic(object, callee.name.parts[0], arguments, syntax)) return own;
  return library_call(syntax);
}

// strlen(name) in a visualiser's expression: read, not called.
std::optional<Result<NodePtr>> Binder::library_call(const Syntax& syntax) {
  const std::string& name = syntax.kids[0]->name.parts[0];
  const LibraryFunction* function = library_function(name, syntax.kids.size() - 1);
  if (function == nullptr) return std::nullopt;
  auto node = make(NodeKind::library, sym::builtin(function->result), syntax);
  node->text = name;
  for (std::size_t i = 0; i < function->parameters.size(); ++i) {
    const Syntax& written = *syntax.kids[i + 1];
    using Argument = LibraryFunction::Argument;
    auto argument = bind(written);
    if (!argument) return argument;
    NodePtr value = *std::move(argument);
    if (function->parameters[i] == Argument::number) {
      auto number = convert(std::move(value), sym::builtin(sym::Builtin::long_), written);
      if (!number) return number;
      node->kids.push_back(*std::move(number));
      continue;
    }
    if (value->kind != NodeKind::string) {
      value = decayed(std::move(value), written);
      if (!is_pointer(value->type))
        return Result<NodePtr>(
            bad(written, fmt::format("`{}` takes a pointer, not a `{}`", name, value->type->name())));
    } else if (function->parameters[i] != Argument::text) {
      return Result<NodePtr>(bad(written, "a literal lies nowhere in the program"));
    }
    node->kids.push_back(std::move(value));
  }
  return Result<NodePtr>(std::move(node));
}

// What `->` after `object` leads to: through pointers, and through operator-> of records until there is a pointer.
Result<NodePtr> Binder::arrow(NodePtr object, const Syntax& syntax) {
  for (int hops = 0; hops < 16 && is_record(object->type); ++hops) {
    auto inner = intrinsic(object, "operator->", {}, syntax);
    if (!inner) {
      std::vector<NodePtr> operands;
      operands.push_back(std::move(object));
      inner = call_operator("->", operands, syntax);
      if (!inner) return std::move(operands[0]);
    }
    if (!*inner) return std::unexpected(inner->error());
    object = follow(**std::move(inner), syntax);
  }
  if (!is_pointer(object->type) && !is_array(object->type)) return object;
  TL_TRY(object, dereference_of(decayed(std::move(object), syntax), syntax));
  return follow(std::move(object), syntax);
}

// A record where C++ wants a truth value.
Result<NodePtr> Binder::truth_value(NodePtr node, const Syntax& syntax) {
  if (!is_record(node->type)) return node;
  if (auto truth = intrinsic(node, "operator bool", {}, syntax)) return std::move(*truth);
  return node;
}

// data() and size() of what is text to its library; nullopt: it is none.
std::optional<std::pair<NodePtr, NodePtr>> Binder::counted_text(const Syntax& syntax) {
  NodePtr parts[2];
  for (const bool size : {false, true}) {
    auto object = bind(syntax);
    if (!object || !is_record((*object)->type)) return std::nullopt;
    auto part = intrinsic(*object, size ? "size" : "data", {}, syntax);
    if (!part || !*part) return std::nullopt;
    parts[size ? 1 : 0] = **std::move(part);
  }
  if (!is_pointer(parts[0]->type) || !is_character(parts[0]->type->strip()->target()) || !is_integral(parts[1]->type))
    return std::nullopt;
  return std::pair(std::move(parts[0]), std::move(parts[1]));
}

// `s == "text"` and `s == t` of strings, views of strings and paths.
std::optional<Result<NodePtr>> Binder::compare_texts(const Syntax& syntax, NodePtr& a, NodePtr& b, bool unequal) {
  if (scope_.intrinsics() == nullptr) return std::nullopt;
  auto node = make(NodeKind::compare_text, sym::builtin(sym::Builtin::bool_), syntax);
  node->flag = unequal;
  const Type* unit = nullptr;
  for (const std::size_t i : {0U, 1U}) {
    NodePtr& side = i == 0 ? a : b;
    const Type* each = nullptr;
    if (side->kind == NodeKind::string) {
      each = side->type->strip()->target();
      node->bytes = side->bytes;
    } else {
      auto text = counted_text(*syntax.kids[i]);
      if (!text) return std::nullopt;
      each = text->first->type->strip()->target();
      node->kids.push_back(std::move(text->first));
      node->kids.push_back(std::move(text->second));
    }
    if (unit != nullptr && unit->size() != each->size()) return std::nullopt;
    unit = each;
  }
  return Result<NodePtr>(std::move(node));
}

}  // namespace trapline::eval
