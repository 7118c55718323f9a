#include "daemon/sym/location_slot.hpp"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace trapline::sym {
namespace {

__extension__ typedef __float128 Quad;

enum class Class : std::uint8_t { generic, signed_, unsigned_, floating };

Class class_of(const Type* type) {
  if (type == nullptr) return Class::generic;
  switch (type->strip()->encoding()) {
    case Encoding::floating: return Class::floating;
    case Encoding::signed_integer:
    case Encoding::signed_character: return Class::signed_;
    default: return Class::unsigned_;
  }
}

Int128 load_integer(const Slot& slot, bool is_signed) {
  UInt128 bits = 0;
  std::memcpy(&bits, slot.raw.data(), slot.size());
  const unsigned width = static_cast<unsigned>(slot.size() * 8);
  if (is_signed && width < 128 && ((bits >> (width - 1)) & 1) != 0) bits |= ~UInt128{0} << width;
  return static_cast<Int128>(bits);
}

Slot store_integer(const Type* type, Int128 value) {
  Slot slot;
  slot.type = type;
  std::memcpy(slot.raw.data(), &value, slot.size());
  return slot;
}

template <class F>
F load_as(const Slot& slot) {
  F value{};
  std::memcpy(&value, slot.raw.data(), std::min(sizeof value, slot.raw.size()));
  return value;
}

// Calls `body` with a value of the C++ type that the slot's floating type is.
template <class Body>
auto with_float(const Type* type, Body&& body) -> decltype(body(0.0F)) {
  const Type* plain = type->strip();
  switch (plain->size().value_or(0)) {
    case 4: return body(float{});
    case 8: return body(double{});
    default: return plain->quad() ? body(Quad{}) : body(static_cast<long double>(0));
  }
}

template <class F>
Slot store_as(const Type* type, F value) {
  Slot slot;
  slot.type = type;
  std::memcpy(slot.raw.data(), &value,
              std::min({sizeof value, slot.raw.size(), std::size_t{sizeof(F) == 16 ? 16U : sizeof(F)}}));
  return slot;
}

std::unexpected<Error> malformed(std::string text) {
  return fail(Errc::bad_debug_info, "DWARF expression: " + std::move(text));
}

Result<Slot> float_binary(std::uint8_t op, const Slot& a, const Slot& b) {
  return with_float(a.type, [&]<class F>(F) -> Result<Slot> {
    const F x = load_as<F>(a), y = load_as<F>(b);
    switch (op) {
      case DW_OP_plus: return store_as<F>(a.type, x + y);
      case DW_OP_minus: return store_as<F>(a.type, x - y);
      case DW_OP_mul: return store_as<F>(a.type, x * y);
      case DW_OP_div: return store_as<F>(a.type, x / y);
      case DW_OP_eq: return Slot::generic(x == y);
      case DW_OP_ne: return Slot::generic(x != y);
      case DW_OP_lt: return Slot::generic(x < y);
      case DW_OP_le: return Slot::generic(x <= y);
      case DW_OP_gt: return Slot::generic(x > y);
      case DW_OP_ge: return Slot::generic(x >= y);
      default: return malformed("bit operation on a floating value");
    }
  });
}

Result<Slot> integer_binary(std::uint8_t op, const Slot& a, const Slot& b) {
  const Class kind = class_of(a.type);
  const bool is_signed = kind != Class::unsigned_;  // generic values compare and divide as signed ones
  const Int128 x = load_integer(a, is_signed), y = load_integer(b, is_signed);
  const auto ux = static_cast<UInt128>(load_integer(a, false)), uy = static_cast<UInt128>(load_integer(b, false));
  const unsigned width = static_cast<unsigned>(a.size() * 8);
  const auto store = [&](UInt128 value) { return store_integer(a.type, static_cast<Int128>(value)); };
  switch (op) {
    case DW_OP_plus: return store(ux + uy);
    case DW_OP_minus: return store(ux - uy);
    case DW_OP_mul: return store(ux * uy);
    case DW_OP_and: return store(ux & uy);
    case DW_OP_or: return store(ux | uy);
    case DW_OP_xor: return store(ux ^ uy);
    case DW_OP_shl: return store(uy >= width ? 0 : ux << static_cast<unsigned>(uy));
    case DW_OP_shr: return store(uy >= width ? 0 : ux >> static_cast<unsigned>(uy));
    case DW_OP_shra: {
      const Int128 s = load_integer(a, true);
      return store_integer(a.type, s >> static_cast<unsigned>(std::min<UInt128>(uy, width - 1)));
    }
    case DW_OP_div:
      if (y == 0) return fail(Errc::not_available, "DWARF expression divides by zero");
      if (y == -1) return store(UInt128{0} - ux);  // the smallest number has no positive twin
      return store_integer(a.type, x / y);
    case DW_OP_mod: {
      if (uy == 0) return fail(Errc::not_available, "DWARF expression divides by zero");
      if (kind == Class::generic || kind == Class::unsigned_) return store(ux % uy);
      return y == -1 ? store(0) : Result<Slot>(store_integer(a.type, x % y));
    }
    case DW_OP_eq: return Slot::generic(x == y);
    case DW_OP_ne: return Slot::generic(x != y);
    case DW_OP_lt: return Slot::generic(x < y);
    case DW_OP_le: return Slot::generic(x <= y);
    case DW_OP_gt: return Slot::generic(x > y);
    case DW_OP_ge: return Slot::generic(x >= y);
    default: return malformed(fmt::format("operation {:#x} is no arithmetic", op));
  }
}

}  // namespace

Slot Slot::generic(std::uint64_t value) {
  Slot slot;
  std::memcpy(slot.raw.data(), &value, sizeof value);
  return slot;
}

Slot Slot::typed(const Type* type, std::span<const std::byte> bytes) {
  Slot slot;
  slot.type = type;
  std::copy_n(bytes.begin(), std::min({bytes.size(), slot.raw.size(), slot.size()}), slot.raw.begin());
  return slot;
}

std::size_t Slot::size() const {
  if (type == nullptr) return 8;
  return std::clamp<std::size_t>(static_cast<std::size_t>(type->size().value_or(8)), 1, 16);
}

std::uint64_t Slot::word() const {
  if (type != nullptr && class_of(type) == Class::signed_) return static_cast<std::uint64_t>(load_integer(*this, true));
  std::uint64_t value = 0;
  std::memcpy(&value, raw.data(), std::min<std::size_t>(8, size()));
  return value;
}

bool Slot::is_float() const { return class_of(type) == Class::floating; }

Result<Slot> slot_binary(std::uint8_t op, const Slot& a, const Slot& b) {
  const bool shift = op == DW_OP_shl || op == DW_OP_shr || op == DW_OP_shra;
  if (a.is_float() != b.is_float() || (!shift && a.size() != b.size())) return malformed("operands of different types");
  return a.is_float() ? float_binary(op, a, b) : integer_binary(op, a, b);
}

Result<Slot> slot_unary(std::uint8_t op, const Slot& a) {
  if (a.is_float()) {
    return with_float(a.type, [&]<class F>(F) -> Result<Slot> {
      const F x = load_as<F>(a);
      if (op == DW_OP_neg) return store_as<F>(a.type, -x);
      if (op == DW_OP_abs) return store_as<F>(a.type, x < 0 ? -x : x);
      return malformed("bit operation on a floating value");
    });
  }
  const Int128 x = load_integer(a, true);
  const UInt128 bits = static_cast<UInt128>(x);
  if (op == DW_OP_not) return store_integer(a.type, static_cast<Int128>(~bits));
  if (op == DW_OP_abs && x >= 0) return a;
  return store_integer(a.type, static_cast<Int128>(UInt128{0} - bits));
}

Result<Slot> slot_convert(const Slot& a, const Type* to) {
  const Class kind = class_of(to);
  if (a.is_float()) {
    return with_float(a.type, [&]<class F>(F) -> Result<Slot> {
      const F x = load_as<F>(a);
      if (kind == Class::floating)
        return with_float(to, [&]<class T>(T) -> Result<Slot> { return store_as<T>(to, static_cast<T>(x)); });
      const auto limit = static_cast<F>(1.7e38);
      if (!(x > -limit && x < limit))
        return fail(Errc::not_available, "DWARF expression converts a value out of range");
      return store_integer(to, static_cast<Int128>(x));
    });
  }
  const bool from_signed = class_of(a.type) == Class::signed_;
  const Int128 x = load_integer(a, from_signed);
  if (kind == Class::floating)
    return with_float(to, [&]<class T>(T) -> Result<Slot> { return store_as<T>(to, static_cast<T>(x)); });
  return store_integer(to, x);
}

Result<Slot> slot_reinterpret(const Slot& a, const Type* to) {
  Slot out = a;
  out.type = to;
  if (out.size() != a.size()) return malformed("reinterpret changes the size");
  return out;
}

}  // namespace trapline::sym
