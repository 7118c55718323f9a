#include "daemon/eval/rust_expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "daemon/eval/rust_parts.hpp"
#include "daemon/eval/rust_view.hpp"

namespace trapline::eval {

using sym::Type;

namespace {

constexpr std::size_t longest = 16 * 1024;
constexpr int deepest = 200;

struct Word {
  enum class Kind : std::uint8_t { end, name, number, real, letter, byte, text, sign } kind = Kind::end;
  std::string_view text;
  std::size_t at = 0;
};

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }
bool in_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // `after_dot`: `t.0.1` are two numbers and no real one.
  Result<Word> next(bool after_dot) {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    begin_ = at_;
    if (at_ == text_.size()) return word(Word::Kind::end);
    const char c = text_[at_];
    const auto rest = text_.substr(at_);
    if (rest.starts_with("r#")) {
      at_ += 2;
      begin_ = at_;
    } else if (rest.starts_with("b'")) {
      ++at_;
      return quoted('\'', Word::Kind::byte);
    } else if (c == '"') {
      return quoted('"', Word::Kind::text);
    } else if (c == '\'') {
      return quoted('\'', Word::Kind::letter);
    }
    if (begins_name(text_[at_])) {
      while (at_ < text_.size() && in_name(text_[at_])) ++at_;
      return word(Word::Kind::name);
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number(after_dot);
    constexpr std::array<std::string_view, 11> signs{"..=", "::", "..", "&&", "||", "==", "!=", "<=", ">=", "<<", ">>"};
    for (const auto sign : signs)
      if (rest.starts_with(sign)) {
        at_ += sign.size();
        return word(Word::Kind::sign);
      }
    ++at_;
    return word(Word::Kind::sign);
  }

 private:
  Word word(Word::Kind kind) const { return {kind, text_.substr(begin_, at_ - begin_), begin_}; }

  Word number(bool after_dot) {
    while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    const auto digit_at = [&](std::size_t i) {
      return i < text_.size() && std::isdigit(static_cast<unsigned char>(text_[i])) != 0;
    };
    bool real = false;
    const bool decimal = !text_.substr(begin_).starts_with("0x");
    if (!after_dot && decimal && at_ < text_.size() && text_[at_] == '.' && digit_at(at_ + 1)) {
      real = true;
      for (++at_; at_ < text_.size() && in_name(text_[at_]);) ++at_;
    }
    const bool exponent = decimal && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
    if (exponent && at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+') && digit_at(at_ + 1))
      for (++at_; at_ < text_.size() && in_name(text_[at_]);) ++at_;
    const auto all = text_.substr(begin_, at_ - begin_);
    real = real || (decimal && !after_dot && all.find_first_of("eE") != all.npos && all.find("usize") == all.npos &&
                    all.find("isize") == all.npos);
    return word(real ? Word::Kind::real : Word::Kind::number);
  }

  Result<Word> quoted(char quote, Word::Kind kind) {
    const std::size_t open = ++at_;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_)
      if (text_[at_] == '\\') ++at_;
    if (at_ >= text_.size()) return fail(Errc::bad_expression, fmt::format("a {} is not closed", quote));
    const Word inner{kind, text_.substr(open, at_ - open), begin_};
    ++at_;
    return inner;
  }

  std::string_view text_;
  std::size_t at_ = 0, begin_ = 0;
};

// UTF-8 of what a literal's text means.
Result<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char c = ++i < text.size() ? text[i] : '\0';
    constexpr std::string_view from = "nrt0\\'\"", to("\n\r\t\0\\'\"", 7);
    if (const auto known = from.find(c); known != from.npos) {
      out += to[known];
      continue;
    }
    const auto close = c == 'u' ? text.find('}', i) : i + 3;
    if ((c != 'x' && c != 'u') || close == text.npos || close > text.size())
      return fail(Errc::bad_expression, fmt::format("`\\{}` is no escape", c));
    std::uint32_t code = 0;
    for (const char digit : text.substr(i + (c == 'u' ? 2 : 1), close - i - (c == 'u' ? 2 : 1))) {
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0 || code > 0x10ffff)
        return fail(Errc::bad_expression, fmt::format("`{}` is no character's number", text));
      code = code * 16 + static_cast<std::uint32_t>(std::isdigit(static_cast<unsigned char>(digit)) != 0
                                                        ? digit - '0'
                                                        : std::tolower(static_cast<unsigned char>(digit)) - 'a' + 10);
    }
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else {
      const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      constexpr std::array<unsigned, 4> lead{0, 0xc0, 0xe0, 0xf0};
      out += static_cast<char>(lead[static_cast<std::size_t>(more)] | (code >> (6 * more)));
      for (int k = more - 1; k >= 0; --k) out += static_cast<char>(0x80 | ((code >> (6 * k)) & 0x3f));
    }
    i = c == 'u' ? close : close - 1;
  }
  return out;
}

// The one character of UTF-8 text; nullopt: none, or more.
std::optional<std::uint32_t> one_letter(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() != length) return std::nullopt;
  std::uint32_t code = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return code;
}

// Reads and evaluates in one pass. `skipping_` counts the parts whose value nobody wants (`false && ...`): they are
// read, and what is wrong in them at run time does not matter.
class Reader {
 public:
  Reader(const FrameView& frame, const FrameScope& scope, sym::DieRef function, std::string_view text)
      : frame_(frame), scope_(scope), function_(function), text_(text), lexer_(text) {}

  Result<Value> run() {
    if (text_.size() > longest) return fail(Errc::bad_expression, "the expression is too long");
    TL_TRY_VOID(advance(false));
    if (word_.kind == Word::Kind::end) return fail(Errc::bad_expression, "an empty expression");
    TL_TRY(auto result, logical(0));
    if (word_.kind != Word::Kind::end) return wrong("the end");
    return std::move(result.value);
  }

 private:
  std::unexpected<Error> wrong(std::string_view wanted) const {
    const std::string found = word_.kind == Word::Kind::end ? "the end" : fmt::format("`{}`", word_.text);
    return fail(Errc::bad_expression,
                fmt::format("{} at column {}, where {} was expected", found, word_.at + 1, wanted));
  }
  Result<void> advance(bool after_dot) {
    TL_TRY(word_, lexer_.next(after_dot));
    return {};
  }
  bool sign(std::string_view text) const { return word_.kind == Word::Kind::sign && word_.text == text; }
  Result<bool> take(std::string_view text) {
    if (!sign(text)) return false;
    TL_TRY_VOID(advance(text == "."));
    return true;
  }

  // || over && over comparisons over | ^ & << + *
  Result<RustOperand> logical(int depth) {
    if (depth > deepest) return fail(Errc::bad_expression, "the expression is nested too deep");
    TL_TRY(auto left, conjunction(depth));
    while (sign("||")) {
      TL_TRY_VOID(advance(false));
      TL_TRY(left, decided(std::move(left), true, [&] { return conjunction(depth + 1); }));
    }
    return left;
  }
  Result<RustOperand> conjunction(int depth) {
    TL_TRY(auto left, binary(0, depth));
    while (sign("&&")) {
      TL_TRY_VOID(advance(false));
      TL_TRY(left, decided(std::move(left), false, [&] { return binary(0, depth + 1); }));
    }
    return left;
  }
  // The right side counts only where the left one has not `decided` already.
  template <class Right>
  Result<RustOperand> decided(RustOperand left, bool by, Right right) {
    bool done = skipping_ > 0;
    if (!done) {
      TL_TRY(const bool truth, rust_truth(frame_, left.value));
      done = truth == by;
    }
    skipping_ += done ? 1 : 0;
    auto other = right();
    skipping_ -= done ? 1 : 0;
    if (!other) return other;
    if (done) return left;
    TL_TRY_VOID(rust_truth(frame_, other->value));
    return other;
  }

  static constexpr std::array<std::array<std::string_view, 6>, 7> levels{
      {{"==", "!=", "<", "<=", ">", ">="}, {"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}};

  Result<RustOperand> binary(std::size_t level, int depth) {
    if (level == levels.size()) return cast(depth);
    TL_TRY(auto left, binary(level + 1, depth));
    while (word_.kind == Word::Kind::sign &&
           std::find(levels[level].begin(), levels[level].end(), word_.text) != levels[level].end()) {
      const std::string op(word_.text);
      TL_TRY_VOID(advance(false));
      TL_TRY(auto right, binary(level + 1, depth + 1));
      if (skipping_ > 0) continue;
      TL_TRY(left, rust_binary(frame_, op, std::move(left), std::move(right)));
    }
    return left;
  }

  Result<RustOperand> cast(int depth) {
    TL_TRY(auto left, unary(depth));
    while (word_.kind == Word::Kind::name && word_.text == "as") {
      TL_TRY_VOID(advance(false));
      TL_TRY(const Type* type, type_name());
      if (skipping_ > 0) continue;
      TL_TRY(auto value, rust_cast(frame_, left.value, type));
      left = {std::move(value), false};
    }
    return left;
  }

  Result<const Type*> type_name() {
    if (sign("*")) {
      TL_TRY_VOID(advance(false));
      if (word_.text != "const" && word_.text != "mut") return wrong("`const` or `mut`");
      TL_TRY_VOID(advance(false));
      TL_TRY(const Type* target, type_name());
      return target->pointer_to();
    }
    if (word_.kind != Word::Kind::name) return wrong("a type");
    sym::QualifiedName name;
    TL_TRY(name.parts, path_parts());
    if (name.parts.size() == 1)
      if (const Type* primitive = rust_primitive(name.parts[0])) return primitive;
    for (const auto& symbol : scope_.find(name))
      if (symbol.kind == sym::Symbol::Kind::type) return symbol.type;
    return fail(Errc::bad_expression, fmt::format("no type `{}` {}", name.text(), scope_.place()));
  }

  Result<std::vector<std::string>> path_parts() {
    std::vector<std::string> parts;
    for (;;) {
      if (word_.kind != Word::Kind::name) return wrong("a name");
      parts.emplace_back(word_.text);
      TL_TRY_VOID(advance(false));
      if (!sign("::")) return parts;
      TL_TRY_VOID(advance(false));
    }
  }

  Result<RustOperand> unary(int depth) {
    if (depth > deepest) return fail(Errc::bad_expression, "the expression is nested too deep");
    for (const std::string_view op : {"-", "!", "*", "&", "&&"}) {
      if (!sign(op)) continue;
      TL_TRY_VOID(advance(false));
      if (op.starts_with('&') && word_.kind == Word::Kind::name && word_.text == "mut") TL_TRY_VOID(advance(false));
      TL_TRY(auto operand, unary(depth + 1));
      if (skipping_ > 0) return operand;
      if (op == "-" || op == "!") return rust_negate(frame_, op, operand);
      TL_TRY(auto value, op == "*" ? rust_dereference(frame_, operand.value) : rust_address(operand.value));
      return RustOperand{std::move(value)};
    }
    return postfix(depth);
  }

  Result<RustOperand> postfix(int depth) {
    TL_TRY(auto operand, primary(depth));
    for (;;) {
      if (sign(".")) {
        TL_TRY_VOID(advance(true));
        if (word_.kind != Word::Kind::name && word_.kind != Word::Kind::number) return wrong("a field");
        const std::string name(word_.text);
        TL_TRY_VOID(advance(false));
        bool call = false;
        if (sign("(")) {
          call = true;
          TL_TRY_VOID(advance(false));
          if (!sign(")")) return fail(Errc::bad_expression, "expressions of Rust call nothing");
          TL_TRY_VOID(advance(false));
        }
        if (skipping_ > 0) continue;
        TL_TRY(auto value, call ? rust_method(frame_, operand.value, name) : rust_field(frame_, operand.value, name));
        operand = {std::move(value), false};
      } else if (sign("[")) {
        TL_TRY_VOID(advance(false));
        TL_TRY(operand, index(std::move(operand), depth + 1));
      } else if (sign("(")) {
        return fail(Errc::bad_expression, "expressions of Rust call nothing");
      } else {
        return operand;
      }
    }
  }

  Result<RustOperand> index(RustOperand object, int depth) {
    std::optional<Value> begin, end;
    if (!sign("..") && !sign("..=")) {
      TL_TRY(auto first, logical(depth));
      begin = std::move(first.value);
    }
    const bool inclusive = sign("..=");
    const bool range = inclusive || sign("..");
    if (range) {
      TL_TRY_VOID(advance(false));
      if (!sign("]")) {
        TL_TRY(auto last, logical(depth));
        end = std::move(last.value);
      }
    }
    TL_TRY(const bool closed, take("]"));
    if (!closed) return wrong("`]`");
    if (skipping_ > 0) return object;
    if (!range) {
      TL_TRY(auto value, rust_element(frame_, object.value, *begin));
      return RustOperand{std::move(value)};
    }
    const auto bound = [&](const std::optional<Value>& value) -> Result<std::optional<std::uint64_t>> {
      if (!value) return std::nullopt;
      const Value plain = rust_peeled(frame_, *value);
      const auto number = is_integral(plain.type->strip()) ? rust_number(frame_, plain) : std::nullopt;
      if (!number) return fail(Errc::bad_expression, fmt::format("a `{}` is no index", plain.type->name()));
      return number;
    };
    TL_TRY(const auto from, bound(begin));
    TL_TRY(const auto to, bound(end));
    TL_TRY(auto value, rust_slice(frame_, object.value, from, to, inclusive));
    return RustOperand{std::move(value)};
  }

  Result<RustOperand> primary(int depth) {
    const Word word = word_;
    switch (word.kind) {
      case Word::Kind::number:
      case Word::Kind::real:
        TL_TRY_VOID(advance(false));
        return rust_number_literal(word.text, word.kind == Word::Kind::real);
      case Word::Kind::letter:
      case Word::Kind::byte: {
        TL_TRY_VOID(advance(false));
        TL_TRY(const auto text, unescaped(word.text));
        const auto code = one_letter(text);
        if (!code || (word.kind == Word::Kind::byte && *code > 0xff))
          return fail(Errc::bad_expression, fmt::format("'{}' is not one character", word.text));
        const Type* type = rust_primitive(word.kind == Word::Kind::byte ? "u8" : "char");
        return RustOperand{rust_from(type, {.floating = false, .integer = *code, .real = 0})};
      }
      case Word::Kind::text: {
        TL_TRY_VOID(advance(false));
        TL_TRY(const auto text, unescaped(word.text));
        const auto bytes = std::as_bytes(std::span(text));
        return RustOperand{
            computed(sym::builtin(sym::Builtin::char_)->array_of(bytes.size()), {bytes.begin(), bytes.end()})};
      }
      case Word::Kind::name: break;
      case Word::Kind::sign: {
        if (sign("::")) {  // from the root of all crates, as every path of ours is
          TL_TRY_VOID(advance(false));
          break;
        }
        if (!sign("(")) return wrong("a value");
        TL_TRY_VOID(advance(false));
        TL_TRY(auto inner, logical(depth + 1));
        TL_TRY(const bool closed, take(")"));
        if (!closed) return wrong("`)`");
        return inner;
      }
      case Word::Kind::end: return wrong("a value");
    }
    TL_TRY(auto parts, path_parts());
    if (parts.size() == 1 && (parts[0] == "true" || parts[0] == "false"))
      return RustOperand{
          rust_from(rust_primitive("bool"), {.floating = false, .integer = parts[0] == "true", .real = 0})};
    if (skipping_ > 0) return RustOperand{};
    TL_TRY(auto value, rust_path(frame_, scope_, function_, std::move(parts)));
    return RustOperand{std::move(value)};
  }

  const FrameView& frame_;
  const FrameScope& scope_;
  sym::DieRef function_;
  std::string_view text_;
  Lexer lexer_;
  Word word_;
  int skipping_ = 0;
};

}  // namespace

Result<Value> rust_evaluate(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                            std::string_view text) {
  TL_TRY(auto value, Reader(frame, scope, function, text).run());
  if (value.is_problem()) {
    Error error = value.problem;
    error.message = fmt::format("`{}`: {}", text, error.message);
    return std::unexpected(std::move(error));
  }
  return value;
}

Result<bool> rust_condition(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                            std::string_view text) {
  TL_TRY(const auto value, rust_evaluate(frame, scope, function, text));
  return rust_truth(frame, value);
}

std::optional<std::pair<std::string_view, std::string_view>> rust_assignment(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    if (quoted || i >= text.size() || text[i] != '=') continue;
    const char before = i > 0 ? text[i - 1] : ' ', after = i + 1 < text.size() ? text[i + 1] : ' ';
    if (after == '=') {
      ++i;
      continue;
    }
    if (std::string_view("=!<>.'").find(before) != std::string_view::npos) continue;
    return std::pair(text.substr(0, i), text.substr(i + 1));
  }
  return std::nullopt;
}

Result<std::vector<std::byte>> rust_bytes_for(const FrameView& frame, const Type* type, const Value& source) {
  const Type* plain = type->strip();
  const Value from = plain->kind() == sym::TypeKind::pointer ? source : rust_peeled(frame, source);
  const bool scalar = is_arithmetic(plain) || is_enumeration(plain) || plain->kind() == sym::TypeKind::pointer;
  if (!scalar) return fail(Errc::bad_expression, fmt::format("a `{}` is set by its fields", type->name()));
  TL_TRY(const auto bytes, scalar_bytes(*frame.memory, from));
  const Type* other = from.type->strip();
  if (!is_arithmetic(other) && other->kind() != plain->kind())
    return fail(Errc::bad_expression, fmt::format("a `{}` is no `{}`", from.type->name(), type->name()));
  if (is_boolean(plain) != is_boolean(other) || is_floating(other) > is_floating(plain))
    return fail(Errc::bad_expression, fmt::format("a `{}` is no `{}`", from.type->name(), type->name()));
  Number number =
      load_number(other->kind() == sym::TypeKind::pointer ? sym::builtin(sym::Builtin::unsigned_long) : other, bytes);
  if (is_floating(plain)) {
    TL_TRY(number, convert_number(number, plain));
  } else {
    const auto stored = store_number(plain, number);
    if (is_arithmetic(plain) && load_number(plain, stored).integer != number.integer)
      return fail(Errc::bad_expression, fmt::format("{} does not fit into {}", text_of(number.integer), type->name()));
  }
  return store_number(plain->kind() == sym::TypeKind::pointer ? sym::builtin(sym::Builtin::unsigned_long) : plain,
                      number);
}

}  // namespace trapline::eval
