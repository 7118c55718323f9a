#include "daemon/eval/lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace trapline::eval {
namespace {

bool begins_word(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }
bool in_word(char c) { return begins_word(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::optional<unsigned> digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10U;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10U;
  return std::nullopt;
}

// Longest first.
constexpr std::array<std::string_view, 49> punctuators{
    "<=>", "<<=", ">>=", "->*", "...", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "++", "--", "+=",
    "-=",  "*=",  "/=",  "%=",  "&=",  "|=", "^=", "::", ".*", "##", "+",  "-",  "*",  "/",  "%",  "<",  ">",
    "=",   "!",   "&",   "|",   "^",   "~",  "?",  ":",  "(",  ")",  "[",  "]",  "{",  "}",  ","};

std::optional<CharPrefix> prefix_of(std::string_view word) {
  if (word.empty()) return CharPrefix::none;
  if (word == "u8") return CharPrefix::utf8;
  if (word == "u") return CharPrefix::utf16;
  if (word == "U") return CharPrefix::utf32;
  if (word == "L") return CharPrefix::wide;
  return std::nullopt;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    if (text_.size() > max_expression)
      return fail(Errc::too_large,
                  fmt::format("the expression has {} bytes; {} are read at most", text_.size(), max_expression));
    for (;;) {
      while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
      if (at_ >= text_.size()) break;
      TL_TRY(Token token, next());
      // Adjacent string literals are one.
      if (token.kind == TokenKind::string && !tokens_.empty() && tokens_.back().kind == TokenKind::string) {
        Token& before = tokens_.back();
        before.units.insert(before.units.end(), token.units.begin(), token.units.end());
        if (before.prefix == CharPrefix::none) before.prefix = token.prefix;
        continue;
      }
      tokens_.push_back(std::move(token));
    }
    Token end;
    end.at = text_.size();
    tokens_.push_back(end);
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  std::unexpected<Error> bad(std::string what) const {
    return fail(Errc::bad_expression, fmt::format("{} at column {}", what, at_ + 1));
  }
  Token token(TokenKind kind, std::size_t begin) const {
    Token made;
    made.kind = kind;
    made.text = text_.substr(begin, at_ - begin);
    made.at = begin;
    return made;
  }

  Result<Token> next();
  Result<Token> number();
  Result<Token> floating(std::size_t begin, bool hex);
  Result<Token> quoted(std::size_t begin, CharPrefix prefix);
  Result<Token> raw(std::size_t begin, CharPrefix prefix);
  Result<void> no_suffix();
  void append_unit(std::vector<std::uint32_t>& units, std::uint32_t value, CharPrefix prefix) const;
  Result<std::uint32_t> escape();
  Result<std::uint32_t> code_point();

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

Result<Token> Lexer::next() {
  const std::size_t begin = at_;
  const char c = peek();
  if (std::isdigit(static_cast<unsigned char>(c)) != 0 ||
      (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))) != 0))
    return number();
  if (c == '\'' || c == '"') return quoted(begin, CharPrefix::none);
  if (c == '$') {
    ++at_;
    while (in_word(peek())) ++at_;
    Token made = token(TokenKind::register_, begin);
    made.text.remove_prefix(1);
    if (made.text.empty()) return bad("`$` needs the name of a register");
    return made;
  }
  if (begins_word(c)) {
    while (in_word(peek())) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (peek() == '\'' || peek() == '"') {
      if (const auto prefix = prefix_of(word)) return quoted(begin, *prefix);
      if (peek() == '"' && word.ends_with('R'))
        if (const auto prefix = prefix_of(word.substr(0, word.size() - 1))) return raw(begin, *prefix);
    }
    return token(TokenKind::identifier, begin);
  }
  for (const std::string_view p : punctuators)
    if (text_.substr(at_).starts_with(p)) {
      at_ += p.size();
      return token(TokenKind::punctuator, begin);
    }
  if (c == '@' || c == '.' || c == ';') {
    ++at_;
    return token(TokenKind::punctuator, begin);
  }
  return bad(fmt::format("`{}` has no meaning in an expression", c));
}

Result<Token> Lexer::number() {
  const std::size_t begin = at_;
  unsigned base = 10;
  if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
    base = 16;
    at_ += 2;
  } else if (peek() == '0' && (peek(1) == 'b' || peek(1) == 'B')) {
    base = 2;
    at_ += 2;
  } else if (peek() == '0') {
    base = 8;
  }
  // A floating literal shows itself by a point or an exponent.
  for (std::size_t i = at_; i < text_.size(); ++i) {
    const char c = text_[i];
    const bool digit = digit_of(c) && *digit_of(c) < (base == 16 ? 16U : 10U);
    if (digit || c == '\'') continue;
    const bool exponent = base == 16 ? c == 'p' || c == 'P' : c == 'e' || c == 'E';
    if (base != 2 && (c == '.' || exponent)) return floating(begin, base == 16);
    break;
  }
  UInt128 value = 0;
  std::size_t digits = 0;
  bool overflow = false;
  for (;; ++at_) {
    const char c = peek();
    if (c == '\'' && digits > 0 && digit_of(peek(1)) && *digit_of(peek(1)) < base) continue;
    const auto digit = digit_of(c);
    if (!digit || (base <= 10 && !std::isdigit(static_cast<unsigned char>(c))) || (base == 16 && *digit >= 16)) break;
    if (*digit >= base) return bad(fmt::format("`{}` is no digit of an {} number", c, base == 8 ? "octal" : "binary"));
    overflow = overflow || value > (~UInt128{0} - *digit) / base;
    value = value * base + *digit;
    ++digits;
  }
  if (digits == 0) return bad("a number without digits");
  if (overflow) return bad("a number of more than 128 bits");
  Token made;
  const std::size_t suffix = at_;
  while (in_word(peek())) ++at_;
  std::string letters(text_.substr(suffix, at_ - suffix));
  std::ranges::transform(letters, letters.begin(),
                         [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  made = token(TokenKind::integer, begin);
  made.integer = value;
  made.decimal = base == 10;
  static constexpr std::array<std::string_view, 11> known{"",    "u",   "l", "ul", "lu", "ll",
                                                          "ull", "llu", "z", "uz", "zu"};
  if (std::ranges::find(known, letters) == known.end()) {
    at_ = suffix;
    if (peek() == '_') TL_TRY_VOID(no_suffix());
    return bad(fmt::format("`{}` is no suffix of an integer", text_.substr(suffix, begin + made.text.size() - suffix)));
  }
  made.suffix_unsigned = letters.find('u') != std::string::npos;
  made.longs = letters.find("ll") != std::string::npos ? 2 : letters.find_first_of("lz") != std::string::npos ? 1 : 0;
  return made;
}

Result<Token> Lexer::floating(std::size_t begin, bool hex) {
  std::string digits = hex ? "0x" : "";
  at_ = begin + (hex ? 2 : 0);
  bool in_exponent = false;  // its digits are decimal: 0x1p2f has the suffix f
  while (at_ < text_.size()) {
    const char c = peek();
    const bool exponent = !in_exponent && (hex ? c == 'p' || c == 'P' : c == 'e' || c == 'E');
    if (c == '\'') {
      ++at_;
      continue;
    }
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0 ||
                       (hex && !in_exponent && std::isxdigit(static_cast<unsigned char>(c)) != 0);
    if (!digit && (c != '.' || in_exponent) && !exponent) break;
    digits += c;
    ++at_;
    in_exponent = in_exponent || exponent;
    if (exponent && (peek() == '+' || peek() == '-')) digits += text_[at_++];
  }
  const std::size_t suffix = at_;
  while (in_word(peek())) ++at_;
  std::string letters(text_.substr(suffix, at_ - suffix));
  std::ranges::transform(letters, letters.begin(),
                         [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  Token made = token(TokenKind::floating, begin);
  if (letters == "f" || letters == "l" || letters == "q") {
    made.float_suffix = letters[0];
  } else if (!letters.empty()) {
    if (letters[0] == '_') {
      at_ = suffix;
      TL_TRY_VOID(no_suffix());
    }
    return bad(fmt::format("`{}` is no suffix of a floating number", letters));
  }
  if (!parse_quad(digits, made.floating)) return bad(fmt::format("`{}` is no number", digits));
  return made;
}

Result<std::uint32_t> Lexer::escape() {
  ++at_;  // the backslash
  const char c = peek();
  ++at_;
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'e': return 27;
    case '\\':
    case '\'':
    case '"':
    case '?': return static_cast<std::uint32_t>(c);
    case 'x':
    case 'u':
    case 'U': {
      const std::size_t most = c == 'x' ? 8 : c == 'u' ? 4 : 8;
      std::uint32_t value = 0;
      std::size_t count = 0;
      while (count < most && std::isxdigit(static_cast<unsigned char>(peek())) != 0) {
        value = value * 16 + *digit_of(peek());
        ++at_;
        ++count;
      }
      if (count == 0 || (c != 'x' && count != most)) return bad("an escape with too few digits");
      return value;
    }
    default:
      if (c >= '0' && c <= '7') {
        std::uint32_t value = static_cast<std::uint32_t>(c - '0');
        for (int i = 0; i < 2 && peek() >= '0' && peek() <= '7'; ++i)
          value = value * 8 + static_cast<std::uint32_t>(text_[at_++] - '0');
        return value;
      }
      return bad(fmt::format("`\\{}` is no escape", c));
  }
}

// One character of UTF-8 source; a byte that is none stands for itself.
Result<std::uint32_t> Lexer::code_point() {
  const auto lead = static_cast<unsigned char>(peek());
  const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  std::uint32_t value = more == 3 ? lead & 7U : more == 2 ? lead & 15U : more == 1 ? lead & 31U : lead;
  for (int i = 1; i <= more; ++i)
    if ((static_cast<unsigned char>(peek(static_cast<std::size_t>(i))) & 0xc0) != 0x80) {
      ++at_;
      return lead;
    }
  for (int i = 1; i <= more; ++i)
    value = value << 6 | (static_cast<unsigned char>(peek(static_cast<std::size_t>(i))) & 63U);
  at_ += static_cast<std::size_t>(more) + 1;
  return value;
}

// "..."_s and 1_km call a function of the program.
Result<void> Lexer::no_suffix() {
  if (!begins_word(peek())) return {};
  const std::size_t begin = at_;
  while (in_word(peek())) ++at_;
  return fail(Errc::unsupported,
              fmt::format("`{}` at column {} is a user-defined literal's suffix: it would call operator\"\"{} of the "
                          "program",
                          text_.substr(begin, at_ - begin), begin + 1, text_.substr(begin, at_ - begin)));
}

void Lexer::append_unit(std::vector<std::uint32_t>& units, std::uint32_t value, CharPrefix prefix) const {
  if (prefix == CharPrefix::utf16 && value >= 0x10000) {
    units.push_back(0xd800 + ((value - 0x10000) >> 10));
    units.push_back(0xdc00 + ((value - 0x10000) & 0x3ff));
  } else {
    units.push_back(value);
  }
}

// R"delimiter(text)delimiter": [lex.string]
Result<Token> Lexer::raw(std::size_t begin, CharPrefix prefix) {
  const std::size_t open = text_.find('(', at_);
  const std::string_view delimiter = open == std::string_view::npos ? "" : text_.substr(at_ + 1, open - at_ - 1);
  if (open == std::string_view::npos || delimiter.size() > 16 ||
      delimiter.find_first_of(" \\)\t\n") != std::string_view::npos)
    return bad("a raw string without `(`");
  const std::string closing = fmt::format("){}\"", delimiter);
  const std::size_t close = text_.find(closing, open + 1);
  if (close == std::string_view::npos) return bad("a raw string that does not end");
  std::vector<std::uint32_t> units;
  at_ = open + 1;
  while (at_ < close) {
    if (prefix == CharPrefix::none || prefix == CharPrefix::utf8) {
      units.push_back(static_cast<unsigned char>(text_[at_++]));
    } else {
      TL_TRY(const std::uint32_t value, code_point());
      append_unit(units, value, prefix);
    }
  }
  at_ = close + closing.size();
  TL_TRY_VOID(no_suffix());
  Token made = token(TokenKind::string, begin);
  made.prefix = prefix;
  made.units = std::move(units);
  return made;
}

Result<Token> Lexer::quoted(std::size_t begin, CharPrefix prefix) {
  const char quote = peek();
  const bool narrow = prefix == CharPrefix::none || prefix == CharPrefix::utf8;
  if (quote == '\'' && prefix == CharPrefix::none) {
    // 'file.c'::name
    const std::size_t close = text_.find('\'', at_ + 1);
    if (close != std::string_view::npos && text_.substr(close + 1).starts_with("::") && close > at_ + 1) {
      at_ = close + 1;
      Token made = token(TokenKind::file, begin);
      made.text = text_.substr(begin + 1, close - begin - 1);
      return made;
    }
  }
  ++at_;
  std::vector<std::uint32_t> units;
  while (peek() != quote) {
    if (at_ >= text_.size()) {
      at_ = begin;
      return bad(quote == '"' ? "a string that does not end" : "a character that does not end");
    }
    const bool escaped = peek() == '\\';
    const bool universal = escaped && (peek(1) == 'u' || peek(1) == 'U');
    std::uint32_t value = 0;
    if (escaped) {
      TL_TRY(value, escape());
    } else if (narrow) {
      value = static_cast<unsigned char>(text_[at_++]);
    } else {
      TL_TRY(value, code_point());
    }
    if (universal && narrow && value >= 0x80) {  // a universal name in a narrow literal is UTF-8
      if (value >= 0x10000) units.push_back(0xf0 | value >> 18);
      if (value >= 0x800)
        units.push_back((value >= 0x10000 ? 0x80 : 0xe0) | (value >> 12 & (value >= 0x10000 ? 63 : 15)));
      units.push_back((value >= 0x800 ? 0x80U : 0xc0U) | (value >> 6 & 63));
      units.push_back(0x80 | (value & 63));
    } else {
      append_unit(units, value, prefix);
    }
  }
  ++at_;
  TL_TRY_VOID(no_suffix());
  Token made = token(quote == '"' ? TokenKind::string : TokenKind::character, begin);
  made.prefix = prefix;
  if (quote == '\'') {
    if (units.empty()) return bad("an empty character literal");
    if (units.size() > (narrow ? 4U : 1U)) return bad("a character literal with too many characters");
    made.multichar = units.size() > 1;
    for (const std::uint32_t unit : units) made.integer = made.multichar ? made.integer << 8 | (unit & 0xff) : unit;
  }
  made.units = std::move(units);
  return made;
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view text) { return Lexer(text).run(); }

}  // namespace trapline::eval
