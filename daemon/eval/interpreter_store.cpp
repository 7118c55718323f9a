// Writing: memory, bit-fields, registers of the innermost frame, and objects whose pieces lie in those. What the
// compiler dropped, or what was computed, is refused with the reason.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/interpreter_values.hpp"

namespace trapline::eval {

using sym::TypeKind;

Result<std::vector<std::byte>> Interpreter::bytes_for(const Value& target, const Value& source) {
  const sym::Type* plain = target.type->strip();
  if (plain->kind() == TypeKind::array && source.place == Value::Place::none &&
      source.type->strip()->kind() == TypeKind::array) {
    // A string literal into an array of characters: with its terminator, the rest of the array stays.
    TL_TRY(const std::uint64_t room, size_of(view_, target.type));
    if (source.bytes.size() > room)
      return fail(Errc::bad_expression,
                  fmt::format("a text of {} bytes does not fit into {} bytes", source.bytes.size(), room));
    return source.bytes;
  }
  TL_TRY(const std::uint64_t size, size_of(view_, target.type));
  if (source.bit_size != 0 || size <= 64) {
    Value scalar = source;
    if (source.bit_size == 0) return read_bytes(*view_.memory, source, 0, size);
    return scalar_bytes(*view_.memory, scalar);
  }
  return read_bytes(*view_.memory, source, 0, size);
}

Result<void> Interpreter::store_bits(const Value& target, std::span<const std::byte> bytes) {
  const std::size_t touched = (target.bit_offset + target.bit_size + 7) / 8;
  std::vector<std::byte> held(touched);
  TL_TRY_VOID(view_.memory->read(target.address, held));
  for (std::uint32_t i = 0; i < target.bit_size; ++i) {
    const bool bit = i / 8 < bytes.size() && ((std::to_integer<unsigned>(bytes[i / 8]) >> (i % 8)) & 1U) != 0;
    const std::uint32_t at = target.bit_offset + i;
    const auto mask = static_cast<std::byte>(1U << (at % 8));
    held[at / 8] = bit ? held[at / 8] | mask : held[at / 8] & ~mask;
  }
  return view_.memory->write(target.address, held);
}

Result<Value> Interpreter::store_register(const Value& target, std::span<const std::byte> bytes) {
  if (!target.register_writable)
    return fail_hint(
        Errc::not_available,
        fmt::format("it is {} of a calling frame, which is only known as it will be restored", where(target)),
        "write the registers of the innermost frame");
  if (!view_.write_registers || view_.machine == nullptr)
    return fail(Errc::wrong_state, "the registers are not writable here");
  arch::RegisterFile file = *view_.machine;
  TL_TRY(std::vector<std::byte> whole, arch::read_register(file, target.register_name));
  const std::size_t room = whole.size() > target.register_offset ? whole.size() - target.register_offset : 0;
  // A long double has 16 bytes, and its register 10.
  std::memcpy(whole.data() + target.register_offset, bytes.data(), std::min(bytes.size(), room));
  TL_TRY_VOID(arch::write_register(file, target.register_name, whole));
  TL_TRY_VOID(view_.write_registers(file));
  Value now = target;
  std::copy_n(bytes.begin(), std::min(bytes.size(), now.bytes.size()), now.bytes.begin());
  return now;
}

// All of it or nothing of the registers: every piece that is touched must be a place before one is written.
Result<Value> Interpreter::store_parts(const Value& target, std::span<const std::byte> bytes) {
  const std::uint64_t first = target.part_offset * 8 + target.bit_offset;
  const std::uint64_t last = first + (target.bit_size != 0 ? target.bit_size : bytes.size() * 8);
  std::vector<Part> parts = *target.parts;
  std::uint64_t begin = 0;
  // Bits [source, +count) of `bytes` become bits [skip, +count) of the part's place.
  struct Change {
    Part* part;
    std::uint64_t source, skip, count;
  };
  std::vector<Change> changed;
  for (Part& part : parts) {
    const std::uint64_t end = begin + (part.bit_size == 0 ? std::max(last, begin) - begin : part.bit_size);
    const std::uint64_t from = std::max(begin, first), to = std::min(end, last);
    if (from < to) {
      const std::uint64_t skip = from - begin + part.bit_offset, touched = (skip + (to - from) + 7) / 8;
      const bool in_register = part.kind == Part::Kind::bytes && !part.register_name.empty();
      if (part.kind == Part::Kind::missing) return fail(Errc::not_available, "it cannot be set: " + part.reason);
      if (!in_register && part.kind != Part::Kind::memory)
        return fail(Errc::not_available,
                    "a piece of it is computed by the compiler and kept nowhere, so it cannot be set");
      if (in_register && !target.register_writable)
        return fail_hint(Errc::not_available,
                         fmt::format("a piece of it is in register {} of a calling frame, which is only known as it "
                                     "will be restored",
                                     part.register_name),
                         "write the registers of the innermost frame");
      if (in_register && touched > part.bytes.size())
        return fail(Errc::bad_debug_info, "a piece of it is wider than its register");
      changed.push_back({&part, from - first, skip, to - from});
    }
    begin = end;
  }
  if (begin < last) return fail(Errc::not_available, "it cannot be set: optimized out");
  std::optional<arch::RegisterFile> file;
  // Several pieces may share a register or a byte: each is put into what the one before it left there.
  for (const auto& [part, source, skip, count] : changed) {
    if (part->kind == Part::Kind::memory) {
      const LoadAddr at = part->address + ByteCount{skip / 8};
      std::vector<std::byte> held(static_cast<std::size_t>((skip % 8 + count + 7) / 8));
      TL_TRY_VOID(view_.memory->read(at, held));
      copy_bits(bytes, source, held, skip % 8, count);
      TL_TRY_VOID(view_.memory->write(at, held));
      continue;
    }
    if (!view_.write_registers || view_.machine == nullptr)
      return fail(Errc::wrong_state, "the registers are not writable here");
    if (!file) file = *view_.machine;
    TL_TRY(std::vector<std::byte> whole, arch::read_register(*file, part->register_name));
    if ((skip + count + 7) / 8 > whole.size())
      return fail(Errc::bad_debug_info, "a piece of it is wider than its register");
    copy_bits(bytes, source, whole, skip, count);
    TL_TRY_VOID(arch::write_register(*file, part->register_name, whole));
    for (Part& other : parts)
      if (other.kind == Part::Kind::bytes && other.register_name == part->register_name)
        std::copy_n(whole.begin(), std::min(whole.size(), other.bytes.size()), other.bytes.begin());
  }
  if (file) TL_TRY_VOID(view_.write_registers(*file));
  Value now = target;
  now.parts = std::make_shared<const std::vector<Part>>(std::move(parts));
  return now;
}

Result<Value> Interpreter::store(const Value& target, std::span<const std::byte> bytes) {
  switch (target.place) {
    case Value::Place::memory:
      if (target.bit_size != 0) {
        TL_TRY_VOID(store_bits(target, bytes));
      } else if (auto written = view_.memory->write(target.address, bytes); !written) {
        if (written.error().code != Errc::bad_address) return std::unexpected(written.error());
        return fail(Errc::bad_address,
                    fmt::format("cannot write {} bytes at {:#x}", bytes.size(), target.address.value));
      }
      return target;
    case Value::Place::register_: {
      if (target.bit_size == 0) return store_register(target, bytes);
      std::vector<std::byte> merged = target.bytes;
      for (std::uint32_t i = 0; i < target.bit_size; ++i) {
        const bool bit = i / 8 < bytes.size() && ((std::to_integer<unsigned>(bytes[i / 8]) >> (i % 8)) & 1U) != 0;
        const std::uint32_t at = target.bit_offset + i;
        const auto mask = static_cast<std::byte>(1U << (at % 8));
        if (at / 8 < merged.size()) merged[at / 8] = bit ? merged[at / 8] | mask : merged[at / 8] & ~mask;
      }
      return store_register(target, merged);
    }
    case Value::Place::parts: return store_parts(target, bytes);
    case Value::Place::none:
      return fail(Errc::not_available,
                  "it is a value that the compiler computes and keeps nowhere, so there is nothing to set");
    case Value::Place::problem: return std::unexpected(target.problem);
  }
  return fail(Errc::internal, "a value without a place");
}

// ---- assignments

Result<Value> Interpreter::assign(const Node& node) {
  TL_TRY(const Value target, run(*node.kids[0]));
  TL_TRY(const Value source, run(*node.kids[1]));
  TL_TRY(const auto bytes, bytes_for(target, source));
  return store_to(*node.kids[0], target, bytes);
}

Result<Value> Interpreter::assign_compound(const Node& node) {
  TL_TRY(const Value target, run(*node.kids[0]));
  TL_TRY(const Value source, run(*node.kids[1]));
  TL_TRY(const Number b, number(source));
  if (node.operands == nullptr) {
    TL_TRY(const std::uint64_t bits, pointer(target));
    const auto step = static_cast<std::uint64_t>(b.integer * node.offset);
    return store_to(*node.kids[0], target, word_bytes(node.op == Op::subtract ? bits - step : bits + step));
  }
  TL_TRY(const Number held, number(target));
  TL_TRY(const Number a, convert_number(held, node.operands, target.type));
  TL_TRY(const Number result, arithmetic(node.op, node.operands, a, b));
  TL_TRY(const Number out, convert_number(result, target.type, node.operands));
  return store_to(*node.kids[0], target, store_number(target.type, out));
}

Result<Value> Interpreter::increment(const Node& node) {
  TL_TRY(const Value target, run(*node.kids[0]));
  TL_TRY(auto before, scalar_bytes(*view_.memory, target));
  std::vector<std::byte> after;
  if (node.operands == nullptr) {
    TL_TRY(const std::uint64_t bits, pointer(target));
    const auto step = static_cast<std::uint64_t>(node.offset);
    after = word_bytes(node.flag ? bits - step : bits + step);
  } else {
    TL_TRY(const Number a, convert_number(load_number(target.type, before), node.operands, target.type));
    TL_TRY(const Number one, convert_number({.floating = false, .integer = 1, .real = 0}, node.operands));
    TL_TRY(const Number sum, arithmetic(node.flag ? Op::subtract : Op::add, node.operands, a, one));
    TL_TRY(const Number out, convert_number(sum, target.type, node.operands));
    after = store_number(target.type, out);
  }
  TL_TRY(Value now, store_to(*node.kids[0], target, after));
  if (node.postfix) return computed(node.type->unqualified(), std::move(before));
  return now;
}

}  // namespace trapline::eval
