#pragma once
// Text of an expression -> tokens: C++ literals of every kind, gdb's $registers, 'file.c' before `::`.
// Pure; positions are byte offsets into the text, for errors.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/number.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

enum class TokenKind : std::uint8_t {
  end,
  identifier,
  integer,
  floating,
  character,
  string,
  register_,  // $rax; text without the $
  file,       // 'file.c' with :: after it; text without the quotes
  punctuator,
};

enum class CharPrefix : std::uint8_t { none, wide, utf8, utf16, utf32 };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;
  std::size_t at = 0;
  // integer
  UInt128 integer = 0;
  bool decimal = true, suffix_unsigned = false;
  std::uint8_t longs = 0;  // 0, 1 (l), 2 (ll)
  // floating
  Quad floating = 0;
  char float_suffix = 0;  // f, l, q
  // character: the value in `integer`; string: code units
  CharPrefix prefix = CharPrefix::none;
  bool multichar = false;
  std::vector<std::uint32_t> units;

  bool is(std::string_view punctuator) const { return kind == TokenKind::punctuator && text == punctuator; }
  bool word(std::string_view name) const { return kind == TokenKind::identifier && text == name; }
};

inline constexpr std::size_t max_expression = 64 * 1024;  // bytes

// The tokens view `text`, which must outlive them. The last one is `end`. Errors: bad_expression with the place.
Result<std::vector<Token>> lex(std::string_view text);

}  // namespace trapline::eval
