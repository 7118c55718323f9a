// Calls of the program's functions: values become what the ABI passes, and what it returns becomes a value. Who calls
// is the view's business.
#include <fmt/format.h>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/psabi.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;

namespace {

constexpr std::uint64_t largest_argument = std::uint64_t{1} << 20;

}  // namespace

// Itanium C++ ABI 2.3: {address, or 1 + byte offset in the vtable; what to add to `this`}.
Result<Interpreter::Callee> Interpreter::member_function(const Node& node) {
  TL_TRY(const Value object, run(*node.kids[0]));
  TL_TRY(const Value pointer, run(*node.kids[1]));
  if (object.place != Value::Place::memory)
    return fail(Errc::not_available, fmt::format("the object is {}", where(object)));
  TL_TRY(const auto bytes, read_bytes(*view_.memory, pointer, 0, 16));
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
  };
  if (word(0) == 0) return fail(Errc::bad_expression, "the pointer to member is null");
  Callee callee;
  callee.self = object.address.value + word(8);
  callee.function = LoadAddr{word(0)};
  if ((word(0) & 1U) != 0) {
    TL_TRY(const std::uint64_t table, view_.memory->get<std::uint64_t>(LoadAddr{*callee.self}));
    TL_TRY(const std::uint64_t code, view_.memory->get<std::uint64_t>(LoadAddr{table + word(0) - 1}));
    callee.function = LoadAddr{code};
  }
  return callee;
}

Result<Interpreter::Callee> Interpreter::callee_of(const Node& node) {
  const Node& what = *node.kids[0];
  if (what.kind == NodeKind::member_pointer) return member_function(what);
  if (node.flag) return Callee{};  // by the vtable of `this`, which is not known yet
  TL_TRY(const Value value, run(what));
  if (value.type->strip()->kind() == TypeKind::function) return Callee{.function = value.address, .self = {}};
  TL_TRY(const std::uint64_t bits, pointer(value));
  if (bits == 0) return fail(Errc::bad_expression, "the function pointer is null");
  return Callee{.function = LoadAddr{bits}, .self = {}};
}

// A value's address, or the bytes that are to get one.
Result<CallArgument> Interpreter::call_argument(const Node& node) {
  CallArgument argument{.type = node.type, .bytes = {}, .as_object = false};
  const bool temporary = node.kind == NodeKind::temporary;
  if (const Node& inner = temporary ? *node.kids[0] : node; inner.kind == NodeKind::text_object) {
    argument.as_object = temporary;
    argument.bytes = inner.bytes;
    argument.text = inner.kids[0]->bytes;
    argument.text_at = static_cast<std::size_t>(inner.offset);
    return argument;
  }
  TL_TRY(const Value value, run(temporary ? *node.kids[0] : node));
  if (temporary && node.flag && value.place == Value::Place::memory && value.bit_size == 0) {
    const auto bytes = std::as_bytes(std::span(&value.address.value, 1));
    argument.bytes.assign(bytes.begin(), bytes.end());
    return argument;
  }
  if (node.in_place)
    return fail_hint(Errc::not_available,
                     fmt::format("`{}` is {}: the function would change a copy of it", node.text, where(value)),
                     "what takes it by value or as const can be called");
  argument.as_object = temporary;
  TL_TRY(const std::uint64_t size, size_of(view_, value.type));
  if (size > largest_argument) return fail(Errc::too_large, fmt::format("{} bytes are too many to be passed", size));
  if (value.bit_size != 0) {
    TL_TRY(argument.bytes, scalar_bytes(*view_.memory, value));
    argument.bytes.resize(static_cast<std::size_t>(size));
    return argument;
  }
  if (value.place == Value::Place::none && value.bytes.size() >= size) {
    argument.bytes.assign(value.bytes.begin(), value.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return argument;
  }
  TL_TRY(argument.bytes, read_bytes(*view_.memory, value, 0, size));
  return argument;
}

Result<Value> Interpreter::call(const Node& node) {
  if (!view_.call)
    return fail_hint(Errc::wrong_state, "this calls a function of the program, and is a place for looking only",
                     view_.no_call.empty() ? "evaluate it in the console or as a watch" : view_.no_call);
  TL_TRY(Callee callee, callee_of(node));
  std::vector<CallArgument> arguments;
  if (callee.self) {
    const auto bytes = std::as_bytes(std::span(&*callee.self, 1));
    arguments.push_back({.type = sym::builtin(sym::Builtin::void_)->pointer_to(),
                         .bytes = {bytes.begin(), bytes.end()},
                         .as_object = false});
  }
  for (std::size_t i = 1; i < node.kids.size(); ++i) {
    TL_TRY(CallArgument argument, call_argument(*node.kids[i]));
    arguments.push_back(std::move(argument));
  }
  if (node.flag) {
    if (arguments.empty() || arguments[0].as_object || arguments[0].bytes.size() != 8)
      return fail(Errc::not_available, "a virtual function is called on an object that lies nowhere in the program");
    std::uint64_t self = 0;
    std::memcpy(&self, arguments[0].bytes.data(), 8);
    TL_TRY(const std::uint64_t table, view_.memory->get<std::uint64_t>(LoadAddr{self}));
    TL_TRY(const std::uint64_t code,
           view_.memory->get<std::uint64_t>(LoadAddr{table + static_cast<std::uint64_t>(node.offset) * 8}));
    callee.function = LoadAddr{code};
  }
  const auto modules = search_order(*view_.modules, nullptr);
  TL_TRY(CallPlan plan, plan_call(callee.function, node.type, arguments, modules));
  TL_TRY(const arch::CallReturn answer, view_.call(plan.frame));
  if (plan.result_in_memory) return in_memory(node.type, answer.objects + ByteCount{plan.result_at});
  const Type* result = node.type->strip()->complete(modules);
  if (result->kind() == TypeKind::void_) return computed(node.type, {});
  TL_TRY(std::vector<std::byte> bytes,
         result_in_registers(plan.result, static_cast<std::size_t>(result->size().value_or(0)), answer.registers));
  return computed(node.type, std::move(bytes));
}

}  // namespace trapline::eval
