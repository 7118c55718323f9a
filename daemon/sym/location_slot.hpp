#pragma once
// Inside the room only: one entry of the DWARF machine's stack, and arithmetic on such entries (DWARF 5, 2.5.1.4).
// An entry is of the generic type (64 bits, no sign of its own), or of a base type of the program.
#include <array>
#include <cstddef>
#include <cstdint>

#include "daemon/sym/type.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

struct Slot {
  std::array<std::byte, 16> raw{};
  const Type* type = nullptr;  // nullptr: generic

  static Slot generic(std::uint64_t value);
  static Slot typed(const Type* type, std::span<const std::byte> bytes);
  std::size_t size() const;
  std::uint64_t word() const;  // the low 64 bits
  bool is_float() const;
};

Result<Slot> slot_binary(std::uint8_t op, const Slot& a, const Slot& b);
Result<Slot> slot_unary(std::uint8_t op, const Slot& a);  // neg, not, abs
Result<Slot> slot_convert(const Slot& a, const Type* to);
Result<Slot> slot_reinterpret(const Slot& a, const Type* to);

}  // namespace trapline::sym
