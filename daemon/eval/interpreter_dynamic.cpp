// dynamic_cast as [expr.dynamic.cast] has it, but without calling the program's runtime: the object's
// vptr says what it is (dynamic_type.hpp).
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/dynamic_type.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/library_functions.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;

namespace {

Value pointer_to(const Type* type, LoadAddr at) {
  const auto bytes = std::as_bytes(std::span(&at.value, 1));
  return computed(type, {bytes.begin(), bytes.end()});
}

}  // namespace

Result<Value> Interpreter::dynamic_cast_to(const Node& node) {
  TL_TRY(const Value from, run(*node.kids[0]));
  TL_TRY(const std::uint64_t bits, pointer(from));
  if (bits == 0) {
    if (node.flag) return fail(Errc::bad_address, "a null reference cannot be cast");
    return pointer_to(node.type, LoadAddr{});
  }
  const Type* source = from.type->strip()->target();
  const auto derived = most_derived(view_, in_memory(source, LoadAddr{bits}));
  if (!derived)
    return fail_hint(Errc::not_available,
                     fmt::format("what the object at {:#x} really is cannot be told: its vptr leads to no vtable that "
                                 "is known",
                                 bits),
                     "static_cast does it where you know the type");
  const Type* target = node.type->strip()->target();
  if (target->strip()->kind() == TypeKind::void_) return pointer_to(node.type, derived->address);
  const Value object = in_memory(derived->type, derived->address);
  const auto targets = subobjects(view_, object, target);
  // Down from the object at hand, where just one of the targets has it as a base; else across, where it is the only
  // one.
  std::vector<LoadAddr> down;
  for (const LoadAddr at : targets) {
    const auto below = subobjects(view_, in_memory(target, at), source);
    if (std::ranges::find(below, LoadAddr{bits}) != below.end()) down.push_back(at);
  }
  if (down.size() == 1) return pointer_to(node.type, down[0]);
  if (down.empty() && targets.size() == 1) return pointer_to(node.type, targets[0]);
  if (node.flag)
    return fail(Errc::bad_expression, fmt::format("the object is a {}, which is no {} (C++ would throw std::bad_cast)",
                                                  derived->type->name(), target->name()));
  return pointer_to(node.type, LoadAddr{});
}

// A function of library_functions.hpp.
Result<Value> Interpreter::library(const Node& node) {
  std::vector<LibraryArgument> arguments;
  for (const NodePtr& kid : node.kids) {
    if (kid->kind == NodeKind::string) {
      arguments.push_back({.word = 0, .literal = kid->bytes});
      continue;
    }
    TL_TRY(const Value value, run(*kid));
    if (is_integral(kid->type)) {
      TL_TRY(const Number argument, number(value));
      arguments.push_back({.word = static_cast<std::uint64_t>(argument.integer)});
    } else {
      TL_TRY(const std::uint64_t at, pointer(value));
      arguments.push_back({.word = at});
    }
  }
  TL_TRY(const std::int64_t answer, run_library_function(node.text, arguments, *view_.memory));
  return computed(node.type, store_number(node.type, {.floating = false, .integer = answer, .real = 0}));
}

}  // namespace trapline::eval
