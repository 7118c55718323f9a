// Calls of the program's functions: values become what the ABI passes, and what it returns becomes a value. Who calls
// is the view's business.
#include <fmt/format.h>

#include <array>
#include <cstring>

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
Result<CallArgument> Interpreter::call_argument(const Node& node, Copies& copies) {
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
    if (node.kids.size() > 1) copies.add(*node.kids[1], value.address);
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

Result<void> Interpreter::may_call() const {
  if (view_.call) return {};
  return fail_hint(Errc::wrong_state, "this calls a function of the program, and is a place for looking only",
                   view_.no_call.empty() ? "evaluate it in the console or as a watch" : view_.no_call);
}

Result<std::vector<CallArgument>> Interpreter::call_arguments(const Node& node, Copies& copies) {
  std::vector<CallArgument> arguments;
  for (std::size_t i = 1; i < node.kids.size(); ++i) {
    TL_TRY(CallArgument argument, call_argument(*node.kids[i], copies));
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

Result<Interpreter::Called> Interpreter::perform(LoadAddr function, const Type* result,
                                                 std::span<const CallArgument> arguments) {
  TL_TRY(CallPlan plan, plan_call(function, result, arguments, search_order(*view_.modules, nullptr)));
  auto answer = view_.call(plan.frame);
  if (!answer) {
    const auto code = answer.error().code;
    thread_lost_ = code != Errc::bad_expression && code != Errc::timeout;
    return std::unexpected(std::move(answer).error());
  }
  return Called{std::move(plan), *std::move(answer)};
}

CallArgument Interpreter::address_argument(std::uint64_t address) {
  const auto bytes = std::as_bytes(std::span(&address, 1));
  return {.type = sym::builtin(sym::Builtin::void_)->pointer_to(),
          .bytes = {bytes.begin(), bytes.end()},
          .as_object = false};
}

Result<void> Interpreter::destroy(const Node& destructor, LoadAddr object) {
  TL_TRY(const Value code, run(destructor));
  const std::array<CallArgument, 1> self{address_argument(object.value)};
  TL_TRY_VOID(perform(code.address, sym::builtin(sym::Builtin::void_), self));
  return {};
}

Result<void> Interpreter::Copies::end() {
  Result<void> all;
  while (!made_.empty() && !of_.thread_lost_) {
    const Made last = made_.back();
    made_.pop_back();
    if (auto done = of_.destroy(*last.destructor, last.object); !done && all) all = std::move(done);
  }
  return all;
}

// Made in memory of the call's, where it stays until the program goes on.
Result<Value> Interpreter::object(const Node& node) {
  TL_TRY_VOID(may_call());
  TL_TRY(const Value constructor, run(*node.kids[0]));
  TL_TRY(const std::uint64_t size, size_of(view_, node.type));
  if (size > largest_argument)
    return fail(Errc::too_large, fmt::format("an object of {} bytes is not made here", size));
  Copies copies(*this);
  TL_TRY(auto arguments, call_arguments(node, copies));
  CallArgument self = address_argument(0);
  self.bytes.assign(static_cast<std::size_t>(size), {});
  self.as_object = true;
  arguments.insert(arguments.begin(), std::move(self));
  TL_TRY(const Called made, perform(constructor.address, sym::builtin(sym::Builtin::void_), arguments));
  TL_TRY_VOID(copies.end());
  return in_memory(node.type, made.answer.objects + ByteCount{made.plan.placed[0]});
}

Result<Value> Interpreter::aggregate(const Node& node) {
  TL_TRY(const std::uint64_t size, size_of(view_, node.type));
  if (size > largest_argument)
    return fail(Errc::too_large, fmt::format("an object of {} bytes is not made here", size));
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::size_t next = 0;
  for (const sym::Member& member : node.type->strip()->members()) {
    if (member.kind != sym::Member::Kind::field || next >= node.kids.size()) continue;
    TL_TRY(const Value value, run(*node.kids[next++]));
    TL_TRY(const std::uint64_t length, size_of(view_, member.type));
    TL_TRY(const auto part,
           value.bit_size != 0 ? scalar_bytes(*view_.memory, value) : read_bytes(*view_.memory, value, 0, length));
    const std::uint64_t bits = member.bit_size != 0 ? member.bit_size : length * 8;
    if (member.offset * 8 + member.bit_offset + bits > size * 8)
      return fail(Errc::bad_debug_info, fmt::format("member `{}` lies outside of its class", member.name));
    copy_bits(part, 0, bytes, member.offset * 8 + member.bit_offset, bits);
  }
  return computed(node.type, std::move(bytes));
}

Result<Value> Interpreter::call(const Node& node) {
  TL_TRY_VOID(may_call());
  TL_TRY(Callee callee, callee_of(node));
  Copies copies(*this);
  TL_TRY(auto arguments, call_arguments(node, copies));
  if (callee.self) arguments.insert(arguments.begin(), address_argument(*callee.self));
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
  TL_TRY(const Called called, perform(callee.function, node.type, arguments));
  const auto& [plan, answer] = called;
  const Type* result = node.type->strip()->complete(search_order(*view_.modules, nullptr));
  std::vector<std::byte> bytes;
  if (!plan.result_in_memory && result->kind() != TypeKind::void_) {
    TL_TRY(bytes,
           result_in_registers(plan.result, static_cast<std::size_t>(result->size().value_or(0)), answer.registers));
  }
  TL_TRY_VOID(copies.end());
  if (plan.result_in_memory) return in_memory(node.type, answer.objects + ByteCount{plan.result_at});
  return computed(node.type, std::move(bytes));
}

}  // namespace trapline::eval
