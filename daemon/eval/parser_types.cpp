// Names and types. A declarator is read outside in and applied inside out: `int (*)[3]` is pointer to array.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "daemon/eval/parser_impl.hpp"

namespace trapline::eval {
namespace {

const std::set<std::string_view>& builtin_word_set() {
  static const std::set<std::string_view> words{
      "void",     "bool",        "_Bool",    "char",       "short",     "int",        "long",       "signed",
      "unsigned", "float",       "double",   "__int128",   "wchar_t",   "char8_t",    "char16_t",   "char32_t",
      "_Complex", "__complex__", "_Float16", "__float128", "_Float128", "__int128_t", "__uint128_t"};
  return words;
}

bool is_tag_word(const Token& token) {
  return token.word("struct") || token.word("class") || token.word("union") || token.word("enum") ||
         token.word("typename");
}

}  // namespace

bool is_type_word(const Token& token) {
  return token.kind == TokenKind::identifier && (builtin_word_set().contains(token.text) || is_tag_word(token));
}

Result<TypeSyntax> Parser::whole_type() {
  TL_TRY(TypeSyntax type, type_name());
  if (peek().kind != TokenKind::end) return unexpected("the end of the type");
  return type;
}

bool Parser::type_begins() {
  const Token& token = peek();
  if (token.kind == TokenKind::identifier) {
    if (builtin_word_set().contains(token.text) || is_tag_word(token)) return true;
    if (token.word("const") || token.word("volatile") || token.word("decltype") || token.word("typeof") ||
        token.word("__typeof__") || token.word("auto"))
      return true;
  } else if (!token.is("::") && !token.is("(")) {
    return false;
  }
  if (token.is("(") && !peek(1).word("anonymous")) return false;
  const std::size_t mark = at_;
  const auto name = qualified_name();
  at_ = mark;
  return name && names_.is_type(*name);
}

// `unsigned long long int` in any order of words -> "unsigned long long".
Result<void> Parser::builtin_words(TypeSyntax& type) {
  std::map<std::string, int> seen;
  for (;;) {
    if (peek().word("const") || peek().word("volatile")) {
      (peek().word("const") ? type.is_const : type.is_volatile) = true;
      take();
      continue;
    }
    if (peek().kind != TokenKind::identifier || !builtin_word_set().contains(peek().text)) break;
    ++seen[std::string(take().text)];
  }
  const auto take_word = [&](const std::string& word) { return seen.erase(word) > 0; };
  const bool with_sign = take_word("signed"), without_sign = take_word("unsigned");
  const bool is_complex = take_word("_Complex") || take_word("__complex__");
  const int longs = seen.contains("long") ? seen["long"] : 0;
  take_word("long");
  const bool is_short = take_word("short");
  const bool is_int = take_word("int");
  std::string core = seen.empty() ? "" : seen.begin()->first;
  if (seen.size() > 1 || longs > 2 || (with_sign && without_sign))
    return fail(Errc::bad_expression, "these words are no type together");
  if (core == "_Bool") core = "bool";
  if (core == "_Float128") core = "__float128";
  if (core == "__int128_t" || core == "__uint128_t") {
    type.builtin = core == "__uint128_t" ? "unsigned __int128" : "__int128";
    return {};
  }
  const std::string sign = without_sign ? "unsigned " : "";
  if (core.empty() && is_complex && longs == 0) core = "double";
  if (core == "double" || core == "float") {
    const bool other = without_sign || with_sign || is_short || is_int || longs > (core == "double" ? 1 : 0);
    if (other) return fail(Errc::bad_expression, fmt::format("`{}` takes no other words", core));
    type.builtin = std::string(is_complex ? "_Complex " : "") + (longs > 0 ? "long " : "") + core;
  } else if (core == "char") {
    type.builtin = without_sign ? "unsigned char" : with_sign ? "signed char" : "char";
  } else if (core == "__int128") {
    type.builtin = sign + core;
  } else if (core.empty()) {
    type.builtin = sign + (is_short ? "short" : longs == 2 ? "long long" : longs == 1 ? "long" : "int");
  } else {
    if (without_sign || with_sign || longs > 0 || is_short || is_int)
      return fail(Errc::bad_expression, fmt::format("`{}` takes no other words", core));
    type.builtin = core;
  }
  return {};
}

Result<void> Parser::specifiers(TypeSyntax& type) {
  type.at = peek().at;
  const auto qualifiers = [&] {
    while (peek().word("const") || peek().word("volatile"))
      (take().word("const") ? type.is_const : type.is_volatile) = true;
  };
  qualifiers();
  if (peek().word("auto")) return fail(Errc::unsupported, "`auto` has no type to take here");
  if (peek().word("decltype") || peek().word("typeof") || peek().word("__typeof__")) {
    take();
    TL_TRY_VOID(expect("(", "after it"));
    TL_TRY(type.of_expression, expression());
    TL_TRY_VOID(expect(")", "after the expression"));
  } else if (peek().kind == TokenKind::identifier && builtin_word_set().contains(peek().text)) {
    TL_TRY_VOID(builtin_words(type));
  } else {
    if (is_tag_word(peek())) {
      type.keyword = std::string(take().text);
      if (type.keyword == "enum" && (peek().word("class") || peek().word("struct"))) take();
      if (type.keyword == "typename") type.keyword.clear();
    }
    TL_TRY(type.name, qualified_name());
  }
  qualifiers();
  return {};
}

Result<TypeSyntax> Parser::type_name() {
  const Deeper deeper(depth_);
  if (depth_ > max_depth) return fail(Errc::too_large, "the type nests too deep");
  if (!type_begins()) {
    const std::size_t mark = at_;
    const auto name = qualified_name();
    at_ = mark;
    if (name) return fail(Errc::bad_expression, fmt::format("no type `{}` here", name->text()));
    return unexpected("the name of a type");
  }
  TypeSyntax type;
  TL_TRY_VOID(specifiers(type));
  TL_TRY(type.declarators, declarators());
  return type;
}

// ptr-operators, then a nested declarator in parentheses, then suffixes: in order of application to the base, the
// operators come first, then the suffixes, then what stands in the parentheses.
Result<std::vector<TypeSyntax::Declarator>> Parser::declarators() {
  using Declarator = TypeSyntax::Declarator;
  const Deeper deeper(depth_);
  if (depth_ > max_depth) return fail(Errc::too_large, "the type nests too deep");
  std::vector<Declarator> out;
  for (;;) {
    Declarator declarator;
    if (peek().is("*")) {
      take();
    } else if (peek().is("&")) {
      take();
      declarator.kind = Declarator::Kind::lvalue_reference;
    } else if (peek().is("&&")) {
      take();
      declarator.kind = Declarator::Kind::rvalue_reference;
    } else if (peek().kind == TokenKind::identifier || peek().is("::")) {
      const std::size_t mark = at_;
      auto name = qualified_name();  // Record::*
      if (!name || !peek().is("::") || !peek(1).is("*")) {
        at_ = mark;
        break;
      }
      take();
      take();
      declarator.kind = Declarator::Kind::member_pointer;
      declarator.record = std::move(*name);
    } else {
      break;
    }
    while (peek().word("const") || peek().word("volatile") || peek().word("__restrict") || peek().word("restrict")) {
      declarator.is_const = declarator.is_const || peek().word("const");
      declarator.is_volatile = declarator.is_volatile || peek().word("volatile");
      take();
    }
    out.push_back(std::move(declarator));
  }
  std::vector<Declarator> inner;
  const bool nested = peek().is("(") && (peek(1).is("*") || peek(1).is("&") || peek(1).is("&&") || peek(1).is("(") ||
                                         (peek(1).kind == TokenKind::identifier && peek(2).is("::")));
  if (nested) {
    const std::size_t mark = at_;
    take();
    auto read = declarators();
    if (read && !read->empty() && accept(")"))
      inner = std::move(*read);
    else
      at_ = mark;
  }
  TL_TRY(std::vector<Declarator> suffixes, declarator_suffixes());
  out.insert(out.end(), std::make_move_iterator(suffixes.begin()), std::make_move_iterator(suffixes.end()));
  out.insert(out.end(), std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
  return out;
}

Result<std::vector<TypeSyntax::Declarator>> Parser::declarator_suffixes() {
  using Declarator = TypeSyntax::Declarator;
  std::vector<Declarator> arrays, out;
  for (;;) {
    if (peek().is("[")) {
      take();
      Declarator array;
      array.kind = Declarator::Kind::array;
      if (peek().kind == TokenKind::integer) array.count = static_cast<std::uint64_t>(take().integer);
      TL_TRY_VOID(expect("]", "after the number of elements"));
      arrays.push_back(std::move(array));
    } else if (peek().is("(")) {
      const std::size_t mark = at_;
      take();
      Declarator function;
      function.kind = Declarator::Kind::function;
      bool good = true;
      while (good && !peek().is(")")) {
        if (accept("...")) {
          function.variadic = true;
          break;
        }
        auto parameter = type_name();
        good = parameter.has_value();
        if (good) function.parameters.push_back(std::move(*parameter));
        if (!accept(",")) break;
      }
      if (!good || !accept(")")) {  // `T(3)`: no parameter list, the caller knows better
        at_ = mark;
        break;
      }
      while (peek().word("const") || peek().word("volatile") || peek().word("noexcept")) take();
      if (function.parameters.size() == 1 && function.parameters[0].builtin == "void" &&
          function.parameters[0].declarators.empty())
        function.parameters.clear();
      out.push_back(std::move(function));
    } else {
      break;
    }
  }
  // int [2][3] is an array of two arrays of three: the last dimension is applied first.
  std::ranges::reverse(arrays);
  out.insert(out.end(), std::make_move_iterator(arrays.begin()), std::make_move_iterator(arrays.end()));
  return out;
}

std::optional<std::string> Parser::template_arguments(const sym::QualifiedName& before) {
  std::string text = "<";
  int angle = 1, round = 0;
  const Token* last = nullptr;
  std::string found;
  std::size_t i = at_ + 1, end = 0;
  bool half = false;
  for (; i < tokens_.size() && angle > 0 && i - at_ < 512; ++i) {
    const Token& token = tokens_[i];
    if (token.kind == TokenKind::end || token.is(";")) return std::nullopt;
    if (token.is("(") || token.is("[") || token.is("{")) ++round;
    if (token.is(")") || token.is("]") || token.is("}")) --round;
    if (round < 0) return std::nullopt;
    if (round == 0 && token.is("<")) ++angle;
    if (round == 0 && token.is(">")) --angle;
    const bool two = round == 0 && token.is(">>");
    half = two && angle == 1;  // static_cast<T<int>>(x): the second `>` is not ours
    if (two) angle = std::max(angle - 2, 0);
    const bool words = last != nullptr && last->kind != TokenKind::punctuator && token.kind != TokenKind::punctuator;
    const bool after_comma = last != nullptr && last->is(",");
    text += (words || after_comma ? " " : "") + (half ? ">" : std::string(token.text));
    last = &token;
    end = i + 1;
  }
  if (angle != 0) return std::nullopt;
  sym::QualifiedName name = before;
  name.parts.back() += text;
  if (!names_.is_known(name)) return std::nullopt;
  if (half) {  // [temp.names]: from here on it is two tokens
    Token& first = tokens_[end - 1];
    Token second = first;
    first.text = first.text.substr(0, 1);
    second.text = second.text.substr(1);
    ++second.at;
    tokens_.insert(tokens_.begin() + static_cast<std::ptrdiff_t>(end), std::move(second));
  }
  at_ = end;
  return text;
}

Result<std::string> Parser::operator_name() {
  take();
  std::string name = "operator";
  if (peek().is("(") && peek(1).is(")")) {
    take();
    take();
    return name + "()";
  }
  if (peek().is("[") && peek(1).is("]")) {
    take();
    take();
    return name + "[]";
  }
  if (peek().kind != TokenKind::punctuator)
    return fail(Errc::unsupported, "conversion and literal operators are not named here");
  return name + std::string(take().text);
}

Result<sym::QualifiedName> Parser::qualified_name() {
  sym::QualifiedName name;
  if (peek().kind == TokenKind::file) {
    name.file = std::string(take().text);
    TL_TRY_VOID(expect("::", "after the file"));
  } else if (peek().is("::")) {
    take();
    name.global = true;
  }
  for (;;) {
    if (peek().is("(") && peek(1).word("anonymous") && peek(2).word("namespace") && peek(3).is(")")) {
      for (int i = 0; i < 4; ++i) take();
      TL_TRY_VOID(expect("::", "after the namespace"));
      continue;  // transparent: its names are those of what is around it
    }
    if (peek().word("operator")) {
      TL_TRY(std::string op, operator_name());
      name.parts.push_back(std::move(op));
      return name;
    }
    if (peek().is("~") && !name.parts.empty()) return fail(Errc::unsupported, "destructors have no value here");
    if (peek().word("template")) take();
    if (peek().kind != TokenKind::identifier) return unexpected("a name");
    name.parts.emplace_back(take().text);
    if (peek().is("<"))
      if (const auto arguments = template_arguments(name)) name.parts.back() += *arguments;
    if (!peek().is("::") || peek(1).is("*")) return name;
    take();
  }
}

}  // namespace trapline::eval
