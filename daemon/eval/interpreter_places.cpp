// Leaves and places: variables, functions, registers, and what is reached from them.
#include <fmt/format.h>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/interpreter_values.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

// ---- leaves

Result<Value> Interpreter::variable(const Node& node) {
  Value value = variable_value(view_, node.symbol.die, node.symbol.type, node.symbol.gone, node.place.get());
  if (value.is_problem()) return std::unexpected(value.problem);
  return value;
}

Result<Value> Interpreter::function(const Node& node) {
  TL_TRY(const LoadAddr at, view_.modules->to_load(node.file_address));
  return in_memory(node.type, at);
}

Result<Value> Interpreter::register_value(const Node& node) {
  const FramePlace place = place_of(view_);
  if (place.frame == nullptr && view_.machine == nullptr)
    return fail(Errc::not_available, fmt::format("${}: no frame is selected", node.text));
  const bool innermost = place.frame == nullptr || place.frame->innermost;
  std::vector<std::byte> bytes;
  if (innermost && view_.machine != nullptr) {
    TL_TRY(bytes, arch::read_register(*view_.machine, node.text));
  } else {
    // Only what the unwinder restored; narrower names are parts of those.
    arch::RegisterFile file;
    for (arch::DwarfReg reg = 0; reg < arch::unwound_registers; ++reg) {
      std::uint64_t* slot = arch::general_slot(file.general, reg);
      if (slot != nullptr) *slot = place.frame->registers[reg].value_or(0);
    }
    file.general.rip = place.frame->pc.value;
    std::string_view whole = node.text;
    std::optional<arch::DwarfReg> known = arch::dwarf_number(whole);
    if (!known) {
      // eax, ax, al: which of the sixteen is it a part of? The one whose change changes it.
      for (arch::DwarfReg reg = 0; reg < arch::dwarf_rip && !known; ++reg) {
        arch::RegisterFile zero, ones;
        *arch::general_slot(ones.general, reg) = ~std::uint64_t{0};
        const auto a = arch::read_register(zero, whole), b = arch::read_register(ones, whole);
        if (a && b && *a != *b) known = reg;
      }
    }
    if (!known || *known >= arch::unwound_registers || (*known != arch::dwarf_rip && !place.frame->registers[*known]))
      return fail(
          Errc::not_available,
          fmt::format("not available: ${} of this frame was not saved by the functions that it called", node.text));
    TL_TRY(bytes, arch::read_register(file, whole));
  }
  const std::uint64_t size = node.type->size().value_or(bytes.size());
  bytes.resize(static_cast<std::size_t>(size));
  Value value = computed(node.type, std::move(bytes));
  value.place = Value::Place::register_;
  value.register_name = node.text;
  value.register_writable = innermost;
  return value;
}

Result<Value> Interpreter::data_symbol(const Node& node) const {
  TL_TRY(const LoadAddr at, view_.modules->to_load(node.file_address));
  return in_memory(node.type, at);
}

// ---- places

Result<Value> Interpreter::implicit_target(const Part& removed, const Type* type) {
  Value target = variable_value(view_, removed.pointee, sym::type_of(removed.pointee), false);
  if (target.is_problem()) return std::unexpected(target.problem);
  return part_of(target, static_cast<std::uint64_t>(removed.pointee_offset), type);
}

// Through a reference, or by `*`.
Result<Value> Interpreter::follow(const Node& node) {
  TL_TRY(const Value to, run(*node.kids[0]));
  if (const Part* removed = implicit_pointer_at(to)) return implicit_target(*removed, node.type);
  TL_TRY(const std::uint64_t at, pointer(to));
  return in_memory(node.type, LoadAddr{at});
}

Result<Value> Interpreter::derived(const Node& node) {
  TL_TRY(const Value part, run(*node.kids[0]));
  if (part.place != Value::Place::memory)
    return fail(Errc::not_available, fmt::format("the object is {}", where(part)));
  return in_memory(node.type, part.address - ByteCount{static_cast<std::uint64_t>(node.offset)});
}

Result<Value> Interpreter::address_of(const Node& node) {
  TL_TRY(const Value value, run(*node.kids[0]));
  if (value.is_problem()) return std::unexpected(value.problem);
  if (value.place != Value::Place::memory)
    return fail(Errc::bad_expression, fmt::format("`{}` has no address: it is {}", node.kids[0]->text, where(value)));
  return pointer_value(node.type, value.address.value);
}

Result<Value> Interpreter::element(const Node& node) {
  TL_TRY(const Value array, run(*node.kids[0]));
  TL_TRY(const Value at, run(*node.kids[1]));
  TL_TRY(const Number index, number(at));
  TL_TRY(const std::uint64_t stride, size_of(view_, node.type->is_reference() ? node.type->strip() : node.type));
  const auto offset = static_cast<std::uint64_t>(index.integer - array.type->strip()->lower_bound()) * stride;
  if (array.place != Value::Place::memory) {
    const auto count = array.type->strip()->count();
    if (index.integer < 0 || (count && static_cast<UInt128>(index.integer) >= *count))
      return fail(Errc::bad_expression,
                  fmt::format("index {} is outside of the array, which is {}", text_of(index.integer), where(array)));
  }
  return part_of(array, offset, node.type);
}

Result<Value> Interpreter::convert(const Node& node) {
  TL_TRY(const Value from, run(*node.kids[0]));
  const Type* to = node.type->strip();
  const Type* source = from.type->strip();
  const bool number_to = is_arithmetic(to) || is_enumeration(to);
  if (is_boolean(to)) {
    TL_TRY(const bool truth_value, truth_of(from));
    return computed(node.type, {std::byte{truth_value}});
  }
  if (number_to && (is_arithmetic(source) || is_enumeration(source))) {
    TL_TRY(const Number n, number(from));
    TL_TRY(const Number out, convert_number(n, to, source));
    return from_number(node.type, out);
  }
  const bool to_member = to->kind() == TypeKind::data_member_pointer || to->kind() == TypeKind::function_member_pointer;
  const bool from_member =
      source->kind() == TypeKind::data_member_pointer || source->kind() == TypeKind::function_member_pointer;
  if (to_member && !from_member)  // nullptr and 0
    return computed(node.type, std::vector<std::byte>(
                                   static_cast<std::size_t>(to->size().value_or(8)),
                                   to->kind() == TypeKind::data_member_pointer ? std::byte{0xff} : std::byte{0}));
  if (to->kind() == TypeKind::pointer && implicit_pointer_at(from) != nullptr) {
    Value seen = from;
    seen.type = node.type;
    return seen;
  }
  if (to_member) {
    TL_TRY(auto bytes, scalar_bytes(*view_.memory, from));
    return computed(node.type, std::move(bytes));
  }
  TL_TRY(const std::uint64_t bits, pointer(from));
  if (number_to) {
    TL_TRY(const Number out, convert_number({.floating = false, .integer = static_cast<Int128>(bits), .real = 0}, to));
    return from_number(node.type, out);
  }
  return pointer_value(node.type, bits);
}

// The same place seen as another type.
Result<Value> Interpreter::view(const Node& node) {
  TL_TRY(Value value, run(*node.kids[0]));
  if (node.type->strip()->kind() == TypeKind::void_) return computed(node.type, {});
  if (value.place != Value::Place::memory && value.type->size() != node.type->size())
    return part_of(value, 0, node.type);
  value.type = node.type;
  value.bit_size = value.bit_offset = 0;
  return value;
}

Result<Value> Interpreter::pointer_step(const Node& node) {
  TL_TRY(const Value value, run(*node.kids[0]));
  TL_TRY(const std::uint64_t bits, pointer(value));
  if (bits == 0) return pointer_value(node.type, 0);  // a null pointer stays one
  if (node.kind == NodeKind::pointer_derived)
    return pointer_value(node.type, bits - static_cast<std::uint64_t>(node.offset));
  TL_TRY(const Value base, member_of(view_, in_memory(value.type->strip()->target(), LoadAddr{bits}), *node.member));
  return pointer_value(node.type, base.address.value);
}

Result<Value> Interpreter::pointer_offset(const Node& node) {
  TL_TRY(const Value value, run(*node.kids[0]));
  TL_TRY(const Value by, run(*node.kids[1]));
  TL_TRY(const Number steps, number(by));
  if (implicit_pointer_at(value) != nullptr && steps.integer == 0) return value;
  TL_TRY(const std::uint64_t bits, pointer(value));
  const auto bytes = static_cast<std::uint64_t>(steps.integer * node.offset);
  return pointer_value(node.type, node.op == Op::subtract ? bits - bytes : bits + bytes);
}

Result<Value> Interpreter::pointer_difference(const Node& node) {
  TL_TRY(const Value left, run(*node.kids[0]));
  TL_TRY(const Value right, run(*node.kids[1]));
  TL_TRY(const std::uint64_t a, pointer(left));
  TL_TRY(const std::uint64_t b, pointer(right));
  const auto bytes = static_cast<std::int64_t>(a - b);
  return computed(node.type, word_bytes(static_cast<std::uint64_t>(bytes / node.offset)));
}

Result<Value> Interpreter::member_pointer(const Node& node) {
  TL_TRY(const Value object, run(*node.kids[0]));
  TL_TRY(const Value member, run(*node.kids[1]));
  TL_TRY(const std::uint64_t offset, pointer(member));
  if (offset == ~std::uint64_t{0})
    return fail(Errc::bad_expression, fmt::format("`{}` is a null pointer to member", node.kids[1]->text));
  return part_of(object, offset, node.type);
}

Result<Value> Interpreter::complex_part(const Node& node) {
  TL_TRY(const Value value, run(*node.kids[0]));
  return part_of(value, node.flag ? value.type->size().value_or(0) / 2 : 0, node.type);
}

Result<Value> Interpreter::repeat(const Node& node) {
  TL_TRY(Value first, run(*node.kids[0]));
  TL_TRY(const Value count_value, run(*node.kids[1]));
  TL_TRY(const Number count, number(count_value));
  if (count.integer <= 0)
    return fail(Errc::bad_expression,
                fmt::format("{} elements: the number after @ must be positive", text_of(count.integer)));
  if (count.integer > (Int128{1} << 40))
    return fail(Errc::too_large, fmt::format("{} elements are more than any array has", text_of(count.integer)));
  if (first.place != Value::Place::memory)
    return fail(Errc::bad_expression,
                fmt::format("`{}` is {}; what stands before @ must lie in memory", node.kids[0]->text, where(first)));
  first.type = first.type->array_of(static_cast<std::uint64_t>(count.integer));
  return first;
}

}  // namespace trapline::eval
