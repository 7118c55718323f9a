#pragma once
// Format specifiers as Visual Studio's users write them after an expression: `x,x` `p,10` `buf,[len]s8` `v,!` `b,nd`.
//
// The rule, as C++ has a comma of its own: a specifier follows the last comma that stands outside of brackets and
// literals, without a blank after it, and all that follows the comma is specifiers. So `a, b`, `f(a,b)` and `x<y,d>`
// are expressions, `a,b` is `a` in binary; `(a,b)` is the comma operator in any case. Visualiser files may have blanks.
// Pure.
#include <optional>
#include <string_view>

#include "daemon/eval/value.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

enum class SuffixStyle : std::uint8_t { typed, visualizer };

struct SplitExpression {
  std::string_view expression;  // without the suffix
  std::string_view count;       // the expression in `[...]`, or the number; empty: none
  Format format;                // `count` of it is not filled in
};
// Never an error: what is no specifier belongs to the expression.
SplitExpression split_format(std::string_view text, SuffixStyle style = SuffixStyle::typed);

// Specifiers alone, as a protocol's `format` gives them: "x", "[10]s", "10,x"; and those of gdb's print/x that natvis
// lacks: u (unsigned), z (hex with leading zeros), a (address with symbol), t (binary), r (raw), f.
// Errors: bad_request naming what is no specifier.
struct ParsedFormat {
  Format format{};
  std::string_view count{};
};
Result<ParsedFormat> parse_format(std::string_view text);

// `fallback` where `format` says nothing: the session's hex below a suffix's radix.
Format merged(Format format, const Format& fallback);

// Tells code from what stands in literals, on the way through an expression.
class LiteralSkipper {
 public:
  explicit LiteralSkipper(std::string_view text) : text_(text) {}
  // Asked for each `at` in turn. False: it belongs to a literal; an escaped character is stepped over with its `\`.
  bool code(std::size_t& at);

 private:
  std::string_view text_;
  char quote_ = 0;
};

// One past the bracket that closes the one at `open`; npos: none. Brackets of its kind within belong to it, and
// literals hide what is in them.
std::size_t closed(std::string_view text, std::size_t open);

}  // namespace trapline::eval
