#include "daemon/eval/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace trapline::eval {

using sym::Builtin;
using sym::Encoding;
using sym::Type;
using sym::TypeKind;

namespace {

std::size_t width_of(const Type* type) {  // bytes
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(type->strip()->size().value_or(8), 1, 16));
}

Int128 extend(UInt128 bits, std::size_t bytes, bool with_sign) {
  if (bytes >= 16) return static_cast<Int128>(bits);
  const unsigned width = static_cast<unsigned>(bytes * 8);
  bits &= (UInt128{1} << width) - 1;
  if (with_sign && ((bits >> (width - 1)) & 1) != 0) bits |= ~UInt128{0} << width;
  return static_cast<Int128>(bits);
}

// Half precision has no C++ type in gcc 12: IEEE binary16 by hand.
Quad from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  double value = 0;
  if (exponent == 31)
    value = fraction != 0 ? std::nan("") : HUGE_VAL;
  else
    value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return (bits & 0x8000) != 0 ? -Quad(value) : Quad(value);
}

std::uint16_t to_half(Quad value) {
  const auto narrow = static_cast<double>(value);
  const std::uint16_t sign = std::signbit(narrow) ? 0x8000 : 0;
  const double size = std::fabs(narrow);
  if (std::isnan(size)) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (size >= 65520.0) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (size < std::ldexp(1.0, -14))
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(size, 24))));
  int exponent = 0;
  const double fraction = std::frexp(size, &exponent);                                        // [0.5, 1)
  const auto rounded = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(fraction, 11)));  // [1024, 2048]
  return static_cast<std::uint16_t>(sign | ((static_cast<std::uint32_t>(exponent + 14) << 10) + rounded - 1024));
}

// Calls `body` with a value of the C++ type that computes in this format; halves compute as float, as compilers do.
template <class Body>
auto in_format(const Type* type, Body&& body) {
  const Type* plain = type->strip();
  switch (width_of(plain)) {
    case 2:
    case 4: return body(float{});
    case 8: return body(double{});
    default: return plain->quad() ? body(Quad{}) : body(static_cast<long double>(0));
  }
}

Quad rounded_to(const Type* type, Quad value) {
  if (width_of(type) == 2) return from_half(to_half(value));
  return in_format(type, [&]<class F>(F) -> Quad { return static_cast<Quad>(static_cast<F>(value)); });
}

}  // namespace

bool is_integral(const Type* type) {
  const Type* plain = type->strip();
  if (plain->kind() != TypeKind::base) return false;
  switch (plain->encoding()) {
    case Encoding::boolean:
    case Encoding::signed_integer:
    case Encoding::unsigned_integer:
    case Encoding::signed_character:
    case Encoding::unsigned_character:
    case Encoding::utf: return true;
    default: return false;
  }
}

bool is_floating(const Type* type) {
  const Type* plain = type->strip();
  return plain->kind() == TypeKind::base && plain->encoding() == Encoding::floating;
}

bool is_arithmetic(const Type* type) { return is_integral(type) || is_floating(type); }
bool is_enumeration(const Type* type) { return type->strip()->kind() == TypeKind::enumeration; }
bool is_boolean(const Type* type) {
  const Type* plain = type->strip();
  return plain->kind() == TypeKind::base && plain->encoding() == Encoding::boolean;
}

bool is_signed(const Type* type) {
  const Encoding encoding = type->strip()->encoding();
  return encoding == Encoding::signed_integer || encoding == Encoding::signed_character;
}

bool is_character(const Type* type) {
  const Type* plain = type->strip();
  if (plain->kind() != TypeKind::base) return false;
  const Encoding encoding = plain->encoding();
  if (encoding == Encoding::signed_character || encoding == Encoding::unsigned_character || encoding == Encoding::utf)
    return true;
  if (encoding != Encoding::signed_integer && encoding != Encoding::unsigned_integer) return false;
  // wchar_t is a base type in C++, and an alias of int in C.
  if (plain->name() == "wchar_t") return true;
  for (int depth = 0; depth < 8 && type != plain; ++depth, type = type->target())
    if (type->kind() == TypeKind::alias && type->name() == "wchar_t") return true;
  return false;
}

Number load_number(const Type* type, std::span<const std::byte> bytes) {
  Number number;
  UInt128 bits = 0;
  std::memcpy(&bits, bytes.data(), std::min<std::size_t>({bytes.size(), sizeof bits, width_of(type)}));
  if (!is_floating(type)) {
    number.integer = extend(bits, width_of(type), is_signed(type));
    return number;
  }
  number.floating = true;
  if (width_of(type) == 2) {
    number.real = from_half(static_cast<std::uint16_t>(bits));
  } else {
    number.real = in_format(type, [&]<class F>(F value) -> Quad {
      std::memcpy(&value, &bits, sizeof value);
      return static_cast<Quad>(value);
    });
  }
  return number;
}

std::vector<std::byte> store_number(const Type* type, const Number& number) {
  std::vector<std::byte> bytes(width_of(type));
  if (!is_floating(type)) {
    std::memcpy(bytes.data(), &number.integer, bytes.size());
  } else if (bytes.size() == 2) {
    const std::uint16_t half = to_half(number.real);
    std::memcpy(bytes.data(), &half, 2);
  } else {
    in_format(type, [&]<class F>(F) {
      const F value = static_cast<F>(number.real);
      // x87's ten bytes lie in sixteen: the rest is padding, and stays zero.
      const std::size_t held = sizeof(F) == 16 && !type->strip()->quad() ? 10 : sizeof(F);
      std::memcpy(bytes.data(), &value, std::min(held, bytes.size()));
      return 0;
    });
  }
  return bytes;
}

bool truth(const Number& number) { return number.floating ? number.real != 0 : number.integer != 0; }

Result<Number> convert_number(const Number& number, const Type* to, const Type* from) {
  Number out;
  if (is_boolean(to)) {
    out.integer = truth(number) ? 1 : 0;
    return out;
  }
  if (is_floating(to)) {
    out.floating = true;
    if (number.floating) {
      out.real = rounded_to(to, number.real);
    } else {
      // Straight to the format: two roundings could give another value.
      const bool wide = from != nullptr && !is_signed(from) && number.integer < 0;  // unsigned, above 2^127
      out.real = in_format(to, [&]<class F>(F) -> Quad {
        return static_cast<Quad>(wide ? static_cast<F>(static_cast<UInt128>(number.integer))
                                      : static_cast<F>(number.integer));
      });
      if (width_of(to) == 2) out.real = rounded_to(to, out.real);
    }
    return out;
  }
  const std::size_t width = width_of(to);
  if (!number.floating) {
    out.integer = extend(static_cast<UInt128>(number.integer), width, is_signed(to));
    return out;
  }
  const Quad limit = 1.0e38;  // any 64-bit target is far within; 128-bit ones nearly
  if (!(number.real > -limit && number.real < limit))
    return fail(
        Errc::bad_expression,
        fmt::format("{} does not fit into {}", float_text(sym::builtin(Builtin::float128), number.real), to->name()));
  const Int128 whole = static_cast<Int128>(number.real);
  out.integer = extend(static_cast<UInt128>(whole), width, is_signed(to));
  if (out.integer != whole && width < 16)
    return fail(Errc::bad_expression, fmt::format("{} does not fit into {}",
                                                  float_text(sym::builtin(Builtin::double_), number.real), to->name()));
  return out;
}

// ---- conversions of types

namespace {

// [conv.rank], with long and long long told apart by name.
int rank_of(const Type* type) {
  const Type* plain = type->strip();
  switch (width_of(plain)) {
    case 1: return 1;
    case 2: return 2;
    case 4: return 3;
    case 8: return plain->name().find("long long") != std::string::npos ? 5 : 4;
    default: return 6;
  }
}

const Type* integer_type(int rank, bool with_sign) {
  switch (rank) {
    case 4: return sym::builtin(with_sign ? Builtin::long_ : Builtin::unsigned_long);
    case 5: return sym::builtin(with_sign ? Builtin::long_long : Builtin::unsigned_long_long);
    case 6: return sym::builtin(with_sign ? Builtin::int128 : Builtin::unsigned_int128);
    default: return sym::builtin(with_sign ? Builtin::int_ : Builtin::unsigned_int);
  }
}

int float_rank(const Type* type) {
  const Type* plain = type->strip();
  switch (width_of(plain)) {
    case 2: return 0;
    case 4: return 1;
    case 8: return 2;
    default: return plain->quad() ? 4 : 3;
  }
}

const Type* float_type(int rank) {
  constexpr std::array all{Builtin::float16, Builtin::float_, Builtin::double_, Builtin::long_double,
                           Builtin::float128};
  return sym::builtin(all[static_cast<std::size_t>(rank)]);
}

}  // namespace

const Type* promoted(const Type* type) {
  const Type* plain = type->strip();
  if (is_floating(plain)) return float_type(float_rank(plain));
  // An enumeration promotes to int, or to what holds its values.
  if (plain->kind() == TypeKind::enumeration) plain = plain->target()->strip();
  const bool keeps_sign = is_signed(plain) || width_of(plain) < 4;
  return integer_type(rank_of(plain), keeps_sign);
}

const Type* common_type(const Type* a, const Type* b) {
  if (is_floating(a) || is_floating(b))
    return float_type(std::max(is_floating(a) ? float_rank(a) : 0, is_floating(b) ? float_rank(b) : 0));
  const Type* left = promoted(a);
  const Type* right = promoted(b);
  const int rank = std::max(rank_of(left), rank_of(right));
  if (is_signed(left) == is_signed(right)) return integer_type(rank, is_signed(left));
  const Type* with = is_signed(left) ? left : right;
  const Type* without = is_signed(left) ? right : left;
  if (rank_of(without) >= rank_of(with)) return integer_type(rank_of(without), false);
  return integer_type(rank_of(with), width_of(with) > width_of(without));
}

// ---- operations

std::string_view text_of(Op op) {
  static constexpr std::array<std::string_view, 22> texts{"+",  "-", "*",  "/", "%",  "<<", ">>", "&", "|", "^", "==",
                                                          "!=", "<", "<=", ">", ">=", "&&", "||", "-", "+", "~", "!"};
  return texts[static_cast<std::size_t>(op)];
}

bool is_comparison(Op op) { return op >= Op::equal && op <= Op::greater_equal; }

namespace {

template <class T>
bool compare(Op op, T a, T b) {
  switch (op) {
    case Op::equal: return a == b;
    case Op::not_equal: return a != b;
    case Op::less: return a < b;
    case Op::less_equal: return a <= b;
    case Op::greater: return a > b;
    default: return a >= b;
  }
}

Number truth_number(bool value) { return Number{.floating = false, .integer = value ? 1 : 0, .real = 0}; }

Result<Number> float_arithmetic(Op op, const Type* type, const Number& a, const Number& b) {
  if (is_comparison(op)) return truth_number(compare(op, a.real, b.real));
  return in_format(type, [&]<class F>(F) -> Result<Number> {
    const F x = static_cast<F>(a.real), y = static_cast<F>(b.real);
    F result{};
    switch (op) {
      case Op::add: result = x + y; break;
      case Op::subtract: result = x - y; break;
      case Op::multiply: result = x * y; break;
      case Op::divide: result = x / y; break;  // by zero too: IEEE says inf or nan, as the program would see
      default: return fail(Errc::bad_expression, fmt::format("`{}` takes integers, not {}", text_of(op), type->name()));
    }
    return Number{.floating = true, .integer = 0, .real = rounded_to(type, static_cast<Quad>(result))};
  });
}

}  // namespace

Result<Number> arithmetic(Op op, const Type* type, const Number& a, const Number& b) {
  if (is_floating(type)) return float_arithmetic(op, type, a, b);
  const bool with_sign = is_signed(type);
  const std::size_t width = width_of(type);
  const auto x = static_cast<UInt128>(a.integer), y = static_cast<UInt128>(b.integer);
  const auto wrap = [&](UInt128 bits) {
    return Number{.floating = false, .integer = extend(bits, width, with_sign), .real = 0};
  };
  switch (op) {
    case Op::add: return wrap(x + y);
    case Op::subtract: return wrap(x - y);
    case Op::multiply: return wrap(x * y);
    case Op::bit_and: return wrap(x & y);
    case Op::bit_or: return wrap(x | y);
    case Op::bit_xor: return wrap(x ^ y);
    case Op::divide:
    case Op::remainder: {
      if (b.integer == 0) return fail(Errc::bad_expression, "division by zero");
      const bool quotient = op == Op::divide;
      if (!with_sign) return wrap(quotient ? x / y : x % y);
      if (b.integer == -1) return wrap(quotient ? UInt128{0} - x : 0);  // the smallest number has no positive twin
      return wrap(static_cast<UInt128>(quotient ? a.integer / b.integer : a.integer % b.integer));
    }
    case Op::shift_left:
    case Op::shift_right: {
      if (b.integer < 0 || b.integer >= static_cast<Int128>(width * 8))
        return fail(Errc::bad_expression, fmt::format("a shift by {} of {} ({} bits) is undefined", text_of(b.integer),
                                                      type->name(), width * 8));
      const auto by = static_cast<unsigned>(b.integer);
      if (op == Op::shift_left) return wrap(x << by);
      return wrap(with_sign ? static_cast<UInt128>(a.integer >> by) : x >> by);
    }
    default:
      if (is_comparison(op)) return truth_number(with_sign ? compare(op, a.integer, b.integer) : compare(op, x, y));
      return fail(Errc::internal, "no arithmetic operation");
  }
}

Number negate(const Type* type, const Number& a) {
  if (a.floating) return Number{.floating = true, .integer = 0, .real = -a.real};
  return Number{.floating = false,
                .integer = extend(UInt128{0} - static_cast<UInt128>(a.integer), width_of(type), is_signed(type)),
                .real = 0};
}

Number complement(const Type* type, const Number& a) {
  return Number{.floating = false,
                .integer = extend(~static_cast<UInt128>(a.integer), width_of(type), is_signed(type)),
                .real = 0};
}

// ---- text

std::string text_of(UInt128 value) {
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string text_of(Int128 value) {
  if (value >= 0) return text_of(static_cast<UInt128>(value));
  return "-" + text_of(UInt128{0} - static_cast<UInt128>(value));
}

bool parse_quad(std::string_view text, Quad& out) {
  const std::string copy(text);
  char* end = nullptr;
  out = strtof128(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() && !copy.empty();
}

namespace {

// No std::to_chars for binary128 in gcc 12: the fewest digits that read back, found by trying.
std::string quad_text(Quad value) {
  std::array<char, 80> text{};
  for (int digits = 1; digits <= 36; ++digits) {
    const std::string format = fmt::format("%.{}g", digits);
    strfromf128(text.data(), text.size(), format.c_str(), value);
    if (strtof128(text.data(), nullptr) == value) break;
  }
  return text.data();
}

std::string half_text(Quad value) {
  for (int digits = 1; digits < 6; ++digits) {
    const std::string text = fmt::format("{:.{}g}", static_cast<double>(value), digits);
    if (from_half(to_half(static_cast<Quad>(std::strtod(text.c_str(), nullptr)))) == value) return text;
  }
  return fmt::format("{}", static_cast<double>(value));
}

}  // namespace

std::string float_text(const Type* type, Quad value) {
  const auto narrow = static_cast<double>(value);
  if (value != value) return std::signbit(narrow) ? "-nan" : "nan";
  if (std::isinf(narrow) && value == static_cast<Quad>(narrow)) return narrow < 0 ? "-inf" : "inf";
  const std::size_t width = width_of(type);
  if (width == 2) return half_text(value);
  std::array<char, 128> text{};
  std::to_chars_result end{};
  if (width == 4) {
    end = std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value));
  } else if (width == 8) {
    end = std::to_chars(text.data(), text.data() + text.size(), narrow);
  } else if (!type->strip()->quad()) {
    end = std::to_chars(text.data(), text.data() + text.size(), static_cast<long double>(value));
  } else {
    return quad_text(value);
  }
  return std::string(text.data(), end.ptr);
}

}  // namespace trapline::eval
