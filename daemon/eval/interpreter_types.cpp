// Type infos, three-way comparisons and the exception under way (binder_types.cpp).
#include <fmt/format.h>

#include <cstring>

#include "daemon/eval/exceptions.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/interpreter_values.hpp"
#include "daemon/eval/text.hpp"

namespace trapline::eval {

// Itanium C++ ABI, 2.5.2: the word before where a vptr points to is the address of the class's type_info.
Result<Value> Interpreter::type_info(const Node& node) {
  TL_TRY(const Value object, run(*node.kids[0]));
  if (object.place != Value::Place::memory)
    return fail(Errc::not_available, fmt::format("the object is {}", where(object)));
  TL_TRY(const std::uint64_t table, view_.memory->get<std::uint64_t>(object.address));
  const auto info = view_.memory->get<std::uint64_t>(LoadAddr{table - 8});
  const auto symbol = info ? view_.modules->symbol_at(LoadAddr{*info}) : std::nullopt;
  if (!symbol || symbol->second.value != 0 || !symbol->first.starts_with("typeinfo for "))
    return fail(Errc::not_available, "the object has no vtable: it is not constructed, or no more");
  return in_memory(node.type, LoadAddr{*info});
}

// 2.9.2: the vptr, then the address of the name. A name that begins with a star is its own: one of those is equal to no
// other, be it spelled alike (libstdc++ and libc++).
Result<std::uint64_t> Interpreter::type_info_name_at(const Node& node) {
  TL_TRY(const Value info, run(node));
  if (info.place != Value::Place::memory)
    return fail(Errc::not_available, fmt::format("the type_info is {}", where(info)));
  return view_.memory->get<std::uint64_t>(info.address + ByteCount{8});
}

Result<Value> Interpreter::type_info_name(const Node& node) {
  TL_TRY(const std::uint64_t at, type_info_name_at(*node.kids[0]));
  TL_TRY(const char first, view_.memory->get<char>(LoadAddr{at}));
  return pointer_value(node.type, at + (first == '*' ? 1 : 0));
}

Result<Value> Interpreter::same_type_info(const Node& node) {
  TL_TRY(const std::uint64_t a, type_info_name_at(*node.kids[0]));
  TL_TRY(const std::uint64_t b, type_info_name_at(*node.kids[1]));
  bool equal = a == b;
  if (!equal) {
    constexpr std::size_t longest = 1 << 16;
    TL_TRY(const char first, view_.memory->get<char>(LoadAddr{a}));
    for (std::uint64_t i = 0; first != '*' && i < longest; ++i) {
      TL_TRY(const char one, view_.memory->get<char>(LoadAddr{a + i}));
      TL_TRY(const char other, view_.memory->get<char>(LoadAddr{b + i}));
      if (one != other) break;
      equal = one == 0;
      if (equal) break;
    }
  }
  return truth_value(node.type, equal != node.flag);
}

Result<Value> Interpreter::three_way(const Node& node) {
  TL_TRY(const Value left, run(*node.kids[0]));
  TL_TRY(const Value right, run(*node.kids[1]));
  TL_TRY(const Number a, number(left));
  TL_TRY(const Number b, number(right));
  int answer = static_cast<int>(node.offset);
  for (const auto& [op, value] : {std::pair(Op::less, -1), std::pair(Op::equal, 0), std::pair(Op::greater, 1)}) {
    TL_TRY(const Number holds, arithmetic(op, node.operands, a, b));
    if (holds.integer != 0) answer = value;
  }
  return computed(node.type, {static_cast<std::byte>(static_cast<std::uint8_t>(answer))});
}

// The type was that of the exception when the tree was bound; it may be run when there is another one.
Result<Value> Interpreter::exception(const Node& node) {
  const auto thrown = view_.stack == nullptr ? std::nullopt : uncaught(*view_.stack, *view_.memory, *view_.modules);
  if (!thrown || thrown->type != node.symbol.name)
    return fail(Errc::not_available, fmt::format("the exception of type {} is gone", node.symbol.name));
  return in_memory(node.type, thrown->object);
}

}  // namespace trapline::eval
