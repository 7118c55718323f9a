#include "daemon/eval/interpreter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter_values.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

namespace {

// What the user wrote is named with what went wrong; an error that names an expression already is left alone.
std::unexpected<Error> with_text(Error error, const Node& node) {
  if (!node.text.empty() && error.message.find('`') == std::string::npos)
    error.message = fmt::format("`{}`: {}", node.text, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace

Result<Value> Interpreter::run(const Node& node) {
  struct Deeper {
    int& depth;
    ~Deeper() { --depth; }
  } deeper{++depth_};
  if (depth_ > 2000) return fail(Errc::too_large, "the expression nests too deep");
  auto value = dispatch(node);
  if (!value) return with_text(std::move(value).error(), node);
  return value;
}

Result<Value> Interpreter::dispatch(const Node& node) {
  switch (node.kind) {
    case NodeKind::constant:
    case NodeKind::string: return computed(node.type, node.bytes);
    case NodeKind::variable: return variable(node);
    case NodeKind::data_symbol: return data_symbol(node);
    case NodeKind::function: return function(node);
    case NodeKind::register_: return register_value(node);
    case NodeKind::member:
    case NodeKind::base: {
      TL_TRY(const Value object, run(*node.kids[0]));
      return member_of(view_, object, *node.member);
    }
    case NodeKind::derived: return derived(node);
    case NodeKind::follow:
    case NodeKind::dereference: return follow(node);
    case NodeKind::address_of:
    case NodeKind::decay: return address_of(node);
    case NodeKind::element: return element(node);
    case NodeKind::convert: return convert(node);
    case NodeKind::view: return view(node);
    case NodeKind::dynamic_cast_: return dynamic_cast_to(node);
    case NodeKind::pointer_base:
    case NodeKind::pointer_derived: return pointer_step(node);
    case NodeKind::pointer_offset: return pointer_offset(node);
    case NodeKind::pointer_difference: return pointer_difference(node);
    case NodeKind::unary: return unary(node);
    case NodeKind::binary: return binary(node);
    case NodeKind::compare_text: return compare_text(node);
    case NodeKind::logical: return logical(node);
    case NodeKind::conditional: {
      TL_TRY(const Value condition, run(*node.kids[0]));
      TL_TRY(const bool yes, truth_of(condition));
      return run(*node.kids[yes ? 1 : 2]);
    }
    case NodeKind::comma: TL_TRY_VOID(run(*node.kids[0])); return run(*node.kids[1]);
    case NodeKind::assign: return assign(node);
    case NodeKind::assign_compound: return assign_compound(node);
    case NodeKind::increment: return increment(node);
    case NodeKind::repeat: return repeat(node);
    case NodeKind::dynamic_size: {
      TL_TRY(const std::uint64_t size, size_of(view_, node.kids[0]->type));
      return computed(node.type, word_bytes(size));
    }
    case NodeKind::member_pointer: return member_pointer(node);
    case NodeKind::complex_part: return complex_part(node);
    case NodeKind::call: return call(node);
    case NodeKind::keyed: return keyed(node);
    case NodeKind::type_info: return type_info(node);
    case NodeKind::type_info_name: return type_info_name(node);
    case NodeKind::same_type_info: return same_type_info(node);
    case NodeKind::three_way: return three_way(node);
    case NodeKind::exception: return exception(node);
    case NodeKind::object: return object(node);
    case NodeKind::aggregate: return aggregate(node);
    case NodeKind::text_object:
    case NodeKind::temporary: return fail(Errc::internal, "a temporary outside of a call");
    case NodeKind::subject: return subject();
    case NodeKind::slot: return slot(node);
    case NodeKind::inlined: return inlined(node);
    case NodeKind::library: return library(node);
  }
  return fail(Errc::internal, "a node without meaning");
}

Result<bool> Interpreter::run_truth(const Node& node) {
  TL_TRY(const Value value, run(node));
  return truth_of(value);
}

// ---- values of scalars

Result<Number> Interpreter::number(const Value& value) {
  TL_TRY(const auto bytes, scalar_bytes(*view_.memory, value));
  return load_number(value.type, bytes);
}

Result<Value> Interpreter::from_number(const Type* type, const Number& number) const {
  return computed(type, store_number(type, number));
}

Result<std::uint64_t> Interpreter::pointer(const Value& value) { return pointer_bits(*view_.memory, value); }

Result<bool> Interpreter::truth_of(const Value& value) {
  const Type* plain = value.type->strip();
  switch (plain->kind()) {
    case TypeKind::data_member_pointer: {
      TL_TRY(const std::uint64_t bits, pointer(value));
      return bits != ~std::uint64_t{0};  // Itanium C++ ABI 2.3.1: -1 is null
    }
    case TypeKind::function: return true;
    case TypeKind::array: return true;
    case TypeKind::pointer:
      if (implicit_pointer_at(value) != nullptr) return true;
      [[fallthrough]];
    case TypeKind::null_pointer:
    case TypeKind::function_member_pointer: {
      TL_TRY(const std::uint64_t bits, pointer(value));
      return bits != 0;
    }
    default: break;
  }
  if (!is_arithmetic(plain) && !is_enumeration(plain))
    return fail(Errc::bad_expression, fmt::format("`{}` is no truth value", value.type->name()));
  TL_TRY(const Number n, number(value));
  return truth(n);
}

// ---- operators

Result<Value> Interpreter::logical(const Node& node) {
  TL_TRY(const bool first, run_truth(*node.kids[0]));
  bool result = first;
  if (first == (node.op == Op::logical_and)) {
    TL_TRY(result, run_truth(*node.kids[1]));
  }
  return truth_value(node.type, result);
}

Result<Value> Interpreter::unary(const Node& node) {
  TL_TRY(const Value operand, run(*node.kids[0]));
  if (node.op == Op::logical_not) {
    TL_TRY(const bool value, truth_of(operand));
    return truth_value(node.type, !value);
  }
  TL_TRY(const Number n, number(operand));
  if (node.op == Op::plus) return from_number(node.type, n);
  return from_number(node.type, node.op == Op::negate ? negate(node.type, n) : complement(node.type, n));
}

Result<Value> Interpreter::binary(const Node& node) {
  TL_TRY(const Value left, run(*node.kids[0]));
  TL_TRY(const Value right, run(*node.kids[1]));
  TL_TRY(const Number a, number(left));
  TL_TRY(const Number b, number(right));
  // An ordering's `unordered`: neither less nor equal nor greater.
  if (node.offset != 0 && a.integer == node.offset) return truth_value(node.type, node.op == Op::not_equal);
  TL_TRY(const Number result, arithmetic(node.op, node.operands, a, b));
  if (is_comparison(node.op)) return truth_value(node.type, result.integer != 0);
  return from_number(node.type, result);
}

// kids: data and size of one text, and of another where there is no literal.
Result<Value> Interpreter::compare_counted(const Node& node) {
  constexpr Int128 max_bytes = 64 << 20;
  std::vector<std::byte> texts[2];
  const std::size_t unit = static_cast<std::size_t>(node.kids[0]->type->strip()->target()->size().value_or(1));
  std::uint64_t at[2]{};
  std::size_t bytes[2]{node.bytes.size() - std::min(unit, node.bytes.size()), 0};
  for (std::size_t i = 0; 2 * i < node.kids.size(); ++i) {
    TL_TRY(const Value data, run(*node.kids[2 * i]));
    TL_TRY(const Value size, run(*node.kids[2 * i + 1]));
    TL_TRY(at[i], pointer(data));
    TL_TRY(const Number count, number(size));
    if (count.integer < 0 || count.integer > max_bytes)
      return fail(Errc::bad_address, fmt::format("`{}`: a text of {} characters cannot be compared: is it initialised?",
                                                 node.text, static_cast<std::int64_t>(count.integer)));
    bytes[node.kids.size() == 2 ? 1 : i] = static_cast<std::size_t>(count.integer) * unit;
  }
  bool equal = bytes[0] == bytes[1];
  if (equal && bytes[0] != 0) {
    for (std::size_t i = 0; 2 * i < node.kids.size(); ++i) {
      texts[i].resize(bytes[0]);
      TL_TRY_VOID(view_.memory->read(LoadAddr{at[i]}, texts[i]));
    }
    if (node.kids.size() == 2)
      texts[1].assign(node.bytes.begin(), node.bytes.begin() + static_cast<std::ptrdiff_t>(bytes[0]));
    equal = texts[0] == texts[1];
  }
  return computed(node.type, {std::byte{equal != node.flag}});
}

Result<Value> Interpreter::compare_text(const Node& node) {
  if (node.kids.size() > 1) return compare_counted(node);
  TL_TRY(const Value text, run(*node.kids[0]));
  const Type* plain = text.type->strip();
  const std::size_t unit = static_cast<std::size_t>(plain->target()->size().value_or(1));
  std::vector<std::byte> bytes(node.bytes.size());
  std::size_t have = 0;
  if (plain->kind() == TypeKind::pointer) {
    TL_TRY(const std::uint64_t at, pointer(text));
    have = view_.memory->read_some(LoadAddr{at}, bytes);
    if (have == 0)
      return fail(Errc::bad_address,
                  at == 0 ? "null pointer: there is no text to compare" : fmt::format("cannot read text at {:#x}", at));
  } else {
    have = static_cast<std::size_t>(std::min<std::uint64_t>(plain->size().value_or(bytes.size()), bytes.size()));
    TL_TRY(const auto held, read_bytes(*view_.memory, text, 0, have));
    std::copy(held.begin(), held.end(), bytes.begin());
  }
  // Equal up to and with the terminator; an array that is full to its end may lack it.
  bool equal = true;
  for (std::size_t i = 0; i < node.bytes.size() && equal; ++i) {
    const bool terminator = i >= node.bytes.size() - unit;
    equal = i < have ? bytes[i] == node.bytes[i] : terminator && plain->kind() == TypeKind::array;
  }
  return truth_value(node.type, equal != node.flag);
}

// ---- trees within trees

Result<Value> Interpreter::subject() const {
  if (around_.subject == nullptr) return fail(Errc::internal, "there is no object here");
  Value subject = *around_.subject;
  forget_looks(subject);  // they chose the visualiser that this expression is of
  return subject;
}

Result<Value> Interpreter::slot(const Node& node) {
  const auto index = static_cast<std::size_t>(node.offset);
  if (around_.slots == nullptr || index >= around_.slots->size())
    return fail(Errc::internal, fmt::format("`{}` has no value here", node.text));
  return (*around_.slots)[index];
}

Result<Value> Interpreter::inlined(const Node& node) {
  TL_TRY(const Value object, run(*node.kids[0]));
  std::vector<Value> slots;
  for (std::size_t i = 1; i < node.kids.size(); ++i) {
    TL_TRY(Value argument, run(*node.kids[i]));
    slots.push_back(std::move(argument));
  }
  Interpreter inner(view_, {.subject = &object, .slots = &slots});
  inner.depth_ = depth_;
  return inner.run(*node.body);
}

Result<Value> Interpreter::store_to(const Node& place, const Value& target, std::span<const std::byte> bytes) {
  if (place.kind != NodeKind::slot) return store(target, bytes);
  Value& held = (*around_.slots)[static_cast<std::size_t>(place.offset)];  // its value was just read
  held = computed(place.type, {bytes.begin(), bytes.end()});
  return held;
}

}  // namespace trapline::eval
