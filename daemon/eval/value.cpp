#include "daemon/eval/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/number.hpp"

namespace trapline::eval {

Value computed(const sym::Type* type, std::vector<std::byte> bytes) {
  Value value;
  value.type = type;
  value.bytes = std::move(bytes);
  return value;
}

Value in_memory(const sym::Type* type, LoadAddr address) {
  Value value;
  value.type = type;
  value.place = Value::Place::memory;
  value.address = address;
  return value;
}

Value no_value(const sym::Type* type, Error problem) {
  Value value;
  value.type = type;
  value.place = Value::Place::problem;
  value.problem = std::move(problem);
  return value;
}

Value optimized_out(const sym::Type* type) {
  return no_value(type, Error{.code = Errc::not_available, .message = "optimized out", .os_errno = 0, .hint = {}});
}

void copy_bits(std::span<const std::byte> from, std::uint64_t from_bit, std::span<std::byte> to, std::uint64_t to_bit,
               std::uint64_t count) {
  if (from_bit % 8 == 0 && to_bit % 8 == 0 && count % 8 == 0) {
    std::memcpy(to.data() + to_bit / 8, from.data() + from_bit / 8, static_cast<std::size_t>(count / 8));
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto bit =
        (std::to_integer<unsigned>(from[static_cast<std::size_t>((from_bit + i) / 8)]) >> ((from_bit + i) % 8)) & 1U;
    std::byte& target = to[static_cast<std::size_t>((to_bit + i) / 8)];
    const auto mask = static_cast<std::byte>(1U << ((to_bit + i) % 8));
    target = bit != 0 ? target | mask : target & ~mask;
  }
}

namespace {

constexpr std::uint64_t max_copy = std::uint64_t{64} << 20;  // of one read

Result<std::vector<std::byte>> from_memory(const util::Memory& memory, LoadAddr at, std::uint64_t size) {
  if (size > max_copy)
    return fail(Errc::too_large, fmt::format("{} bytes at {:#x} are more than are read at once", size, at.value));
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  if (auto read = memory.read(at, bytes); !read) {
    if (read.error().code != Errc::bad_address) return std::unexpected(read.error());
    return fail(Errc::bad_address,
                at.value == 0 ? fmt::format("null pointer: there is nothing to read at 0x0")
                              : fmt::format("cannot read {} byte{} at {:#x}", size, size == 1 ? "" : "s", at.value));
  }
  return bytes;
}

// Every bit of the result must be covered by a part that is still there.
Result<std::vector<std::byte>> from_parts(const util::Memory& memory, const Value& value, std::uint64_t offset,
                                          std::uint64_t size) {
  if (size > max_copy) return fail(Errc::too_large, "too many bytes");
  std::vector<std::byte> out(static_cast<std::size_t>(size));
  const std::uint64_t first = (value.part_offset + offset) * 8, last = first + size * 8;
  std::uint64_t begin = 0, covered = 0;
  for (const Part& part : *value.parts) {
    const std::uint64_t length = part.bit_size == 0 ? std::max(last, begin) - begin : part.bit_size;
    const std::uint64_t end = begin + length;
    const std::uint64_t from = std::max(begin, first), to = std::min(end, last);
    if (from < to) {
      const std::uint64_t count = to - from, skip = from - begin + part.bit_offset;
      switch (part.kind) {
        case Part::Kind::memory: {
          TL_TRY(const auto bytes, from_memory(memory, part.address + ByteCount{skip / 8}, (skip % 8 + count + 7) / 8));
          copy_bits(bytes, skip % 8, out, from - first, count);
          break;
        }
        case Part::Kind::bytes: {
          // A computed value that is shorter than the object counts as zero extended.
          const std::uint64_t held = part.bytes.size() * 8;
          if (skip < held) copy_bits(part.bytes, skip, out, from - first, std::min(count, held - skip));
          break;
        }
        case Part::Kind::implicit_pointer:
          return fail(Errc::not_available, "the optimiser removed this pointer; what it points to may still be there");
        case Part::Kind::missing: return fail(Errc::not_available, part.reason);
      }
      covered += count;
    }
    begin = end;
  }
  if (covered < last - first) return fail(Errc::not_available, "optimized out");
  return out;
}

}  // namespace

Result<std::vector<std::byte>> read_bytes(const util::Memory& memory, const Value& value, std::uint64_t offset,
                                          std::uint64_t size) {
  switch (value.place) {
    case Value::Place::memory: return from_memory(memory, value.address + ByteCount{offset}, size);
    case Value::Place::parts: return from_parts(memory, value, offset, size);
    case Value::Place::problem: return std::unexpected(value.problem);
    default: break;
  }
  if (offset > value.bytes.size() || size > value.bytes.size() - offset)
    return fail(Errc::bad_expression,
                fmt::format("bytes {} to {} of a value of {} bytes", offset, offset + size, value.bytes.size()));
  const auto begin = value.bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  return std::vector<std::byte>(begin, begin + static_cast<std::ptrdiff_t>(size));
}

Result<std::vector<std::byte>> scalar_bytes(const util::Memory& memory, const Value& value) {
  if (value.bit_size == 0) {
    const std::uint64_t size = value.type->size().value_or(value.bytes.size());
    if (size > 64) return fail(Errc::bad_expression, fmt::format("`{}` is no scalar", value.type->name()));
    return read_bytes(memory, value, 0, size);
  }
  TL_TRY(const auto held, read_bytes(memory, value, 0, (value.bit_offset + value.bit_size + 7) / 8));
  UInt128 bits = 0;
  std::vector<std::byte> raw(16);
  copy_bits(held, value.bit_offset, raw, 0, value.bit_size);
  std::memcpy(&bits, raw.data(), sizeof bits);
  if (is_signed(value.type) && value.bit_size < 128 && ((bits >> (value.bit_size - 1)) & 1) != 0)
    bits |= ~UInt128{0} << value.bit_size;
  raw.resize(static_cast<std::size_t>(value.type->size().value_or(8)));
  std::memcpy(raw.data(), &bits, std::min<std::size_t>(raw.size(), sizeof bits));
  return raw;
}

Result<std::uint64_t> pointer_bits(const util::Memory& memory, const Value& value) {
  TL_TRY(const auto bytes, scalar_bytes(memory, value));
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), std::min(bytes.size(), sizeof bits));
  return bits;
}

void forget_looks(Value& value) {
  value.raw = false;
  value.view_name.clear();
  value.visual.reset();
}

Result<Value> part_of(const Value& value, std::uint64_t offset, const sym::Type* type) {
  Value part = value;
  part.type = type;
  forget_looks(part);
  part.bit_size = part.bit_offset = 0;
  switch (value.place) {
    case Value::Place::memory: part.address = value.address + ByteCount{offset}; break;
    case Value::Place::parts: part.part_offset += offset; break;
    case Value::Place::problem: break;
    case Value::Place::none:
    case Value::Place::register_: {
      if (offset > value.bytes.size())
        return fail(Errc::bad_expression, fmt::format("byte {} of a value of {} bytes", offset, value.bytes.size()));
      const std::uint64_t left = value.bytes.size() - offset;
      const std::uint64_t size = std::min(left, type->size().value_or(left));
      if (type->size() && *type->size() > left)
        return fail(Errc::bad_expression,
                    fmt::format("byte {} of a value of {} bytes", offset + *type->size(), value.bytes.size()));
      const auto begin = value.bytes.begin() + static_cast<std::ptrdiff_t>(offset);
      part.bytes.assign(begin, begin + static_cast<std::ptrdiff_t>(size));
      part.register_offset = value.register_offset + static_cast<std::size_t>(offset);
      break;
    }
  }
  return part;
}

const Part* implicit_pointer_at(const Value& value) {
  if (value.place != Value::Place::parts) return nullptr;
  std::uint64_t begin = 0;
  for (const Part& part : *value.parts) {
    if (begin == value.part_offset * 8) return part.kind == Part::Kind::implicit_pointer ? &part : nullptr;
    begin += part.bit_size;
    if (part.bit_size == 0) break;
  }
  return nullptr;
}

std::string where(const Value& value) {
  switch (value.place) {
    case Value::Place::none: return "computed, and lies nowhere in the program";
    case Value::Place::memory: return fmt::format("at {:#x}", value.address.value);
    case Value::Place::register_: return "in register " + value.register_name;
    case Value::Place::parts: return "kept in pieces by the compiler";
    case Value::Place::problem: return value.problem.message;
  }
  return "";
}

}  // namespace trapline::eval
