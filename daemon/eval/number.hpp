#pragma once
// Values of arithmetic type and what C++ does with them: promotions, usual conversions, wrap-around, rounding in the
// operands' own format. Pure.
//
// A Number holds an integer as 128 bits extended by its type's sign, or a floating value as binary128, which holds each
// smaller format exactly; an operation goes back to the native format, so that it rounds as the program's own does.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/sym/type.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;
__extension__ typedef __float128 Quad;

struct Number {
  bool floating = false;
  Int128 integer = 0;
  Quad real = 0;
};

bool is_integral(const sym::Type* type);    // bool, chars, integers; not enumerations
bool is_floating(const sym::Type* type);    // not complex
bool is_arithmetic(const sym::Type* type);  // the two
bool is_enumeration(const sym::Type* type);
bool is_boolean(const sym::Type* type);
bool is_signed(const sym::Type* type);     // of integers and enumerations
bool is_character(const sym::Type* type);  // char and its kin, char8_t .. char32_t, wchar_t

// `bytes` little endian, as the type lies in memory; shorter ones count as zero extended.
Number load_number(const sym::Type* type, std::span<const std::byte> bytes);
std::vector<std::byte> store_number(const sym::Type* type, const Number& number);
// What a conversion to `type` makes of it. Errors: bad_expression for a floating value that the integer type cannot
// hold (undefined behaviour in C++; the answer would be the machine's and not the program's). `from`: its own type,
// where it may be an unsigned one of 128 bits.
Result<Number> convert_number(const Number& number, const sym::Type* to, const sym::Type* from = nullptr);
bool truth(const Number& number);

const sym::Type* promoted(const sym::Type* type);                      // integral promotions
const sym::Type* common_type(const sym::Type* a, const sym::Type* b);  // usual arithmetic conversions

enum class Op : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  remainder,
  shift_left,
  shift_right,
  bit_and,
  bit_or,
  bit_xor,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  logical_and,
  logical_or,
  negate,
  plus,
  complement,
  logical_not,
};
std::string_view text_of(Op op);
bool is_comparison(Op op);

// Both operands already of `type` (shifts: the left one's). Comparisons give 0 or 1.
// Errors: bad_expression (division by zero, a shift by the width or more).
Result<Number> arithmetic(Op op, const sym::Type* type, const Number& a, const Number& b);
Number negate(const sym::Type* type, const Number& a);
Number complement(const sym::Type* type, const Number& a);

// Decimal text.
std::string text_of(Int128 value);
std::string text_of(UInt128 value);
// Shortest text that reads back as the same value of `type`: "0.1", "1e+30", "-nan", "inf". Integers keep ".0" off.
std::string float_text(const sym::Type* type, Quad value);
// nullopt: no number, or not all of `text`.
bool parse_quad(std::string_view text, Quad& out);

}  // namespace trapline::eval
