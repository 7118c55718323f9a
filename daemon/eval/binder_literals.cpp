// Literals of an expression: their types as [lex] gives them.
#include <fmt/format.h>

#include "daemon/eval/binder_impl.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;

namespace {

const Type* character_type(CharPrefix prefix) {
  switch (prefix) {
    case CharPrefix::none: return sym::builtin(Builtin::char_);
    case CharPrefix::wide: return sym::builtin(Builtin::wchar);
    case CharPrefix::utf8: return sym::builtin(Builtin::char8);
    case CharPrefix::utf16: return sym::builtin(Builtin::char16);
    case CharPrefix::utf32: return sym::builtin(Builtin::char32);
  }
  return sym::builtin(Builtin::char_);
}

// [lex.icon]: the first type of the list that holds the value. Decimal literals do not become unsigned by size alone.
std::optional<Builtin> integer_literal_type(const Token& token) {
  struct Candidate {
    Builtin type;
    unsigned bits;
    bool with_sign;
    std::uint8_t longs;
  };
  static constexpr Candidate candidates[] = {
      {Builtin::int_, 31, true, 0},      {Builtin::unsigned_int, 32, false, 0},
      {Builtin::long_, 63, true, 1},     {Builtin::unsigned_long, 64, false, 1},
      {Builtin::long_long, 63, true, 2}, {Builtin::unsigned_long_long, 64, false, 2},
      {Builtin::int128, 127, true, 2},   {Builtin::unsigned_int128, 128, false, 2}};
  for (const Candidate& candidate : candidates) {
    if (candidate.longs < token.longs) continue;
    if (token.suffix_unsigned && candidate.with_sign) continue;
    const bool wide = candidate.bits > 64;
    if (!candidate.with_sign && !token.suffix_unsigned && token.decimal && !wide) continue;
    if (candidate.bits == 128 || token.integer >> candidate.bits == 0) return candidate.type;
  }
  return std::nullopt;
}

}  // namespace

Result<NodePtr> Binder::literal(const Syntax& syntax) {
  const Token& token = syntax.token;
  switch (token.kind) {
    case TokenKind::integer: {
      const auto type = integer_literal_type(token);
      if (!type) return bad(syntax, "no integer type holds this number");
      return constant(sym::builtin(*type),
                      {.floating = false, .integer = static_cast<Int128>(token.integer), .real = 0}, syntax);
    }
    case TokenKind::floating: {
      const Builtin type = token.float_suffix == 'f'   ? Builtin::float_
                           : token.float_suffix == 'l' ? Builtin::long_double
                           : token.float_suffix == 'q' ? Builtin::float128
                                                       : Builtin::double_;
      TL_TRY(const Number number,
             convert_number({.floating = true, .integer = 0, .real = token.floating}, sym::builtin(type)));
      return constant(sym::builtin(type), number, syntax);
    }
    case TokenKind::character: {
      const Type* type = token.multichar || (scope_.c_rules() && token.prefix == CharPrefix::none)
                             ? sym::builtin(Builtin::int_)
                             : character_type(token.prefix);
      TL_TRY(const Number number,
             convert_number({.floating = false, .integer = static_cast<Int128>(token.integer), .real = 0}, type));
      return constant(type, number, syntax);
    }
    default: break;
  }
  const Type* element = character_type(token.prefix);
  auto node = make(NodeKind::string, element->const_of()->array_of(token.units.size() + 1), syntax);
  for (const std::uint32_t unit : token.units) {
    const auto bytes = std::as_bytes(std::span(&unit, 1)).first(static_cast<std::size_t>(*element->size()));
    node->bytes.insert(node->bytes.end(), bytes.begin(), bytes.end());
  }
  node->bytes.resize(node->bytes.size() + static_cast<std::size_t>(*element->size()));
  return node;
}

}  // namespace trapline::eval
