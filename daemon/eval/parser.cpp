#include "daemon/eval/parser.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "daemon/eval/parser_impl.hpp"

namespace trapline::eval {

bool Parser::accept(std::string_view punctuator) {
  if (!peek().is(punctuator)) return false;
  take();
  return true;
}

std::unexpected<Error> Parser::unexpected(std::string_view wanted) const {
  const Token& found = peek();
  if (found.kind == TokenKind::end)
    return fail(Errc::bad_expression, fmt::format("the expression ends where {} should follow", wanted));
  return fail(Errc::bad_expression,
              fmt::format("`{}` at column {} where {} should follow", found.text, found.at + 1, wanted));
}

Result<void> Parser::expect(std::string_view punctuator, std::string_view after) {
  if (accept(punctuator)) return {};
  return unexpected(fmt::format("`{}` {}", punctuator, after));
}

std::size_t Parser::end_of_last() const {
  if (at_ == 0) return 0;
  const Token& last =
      tokens_[peek().kind == TokenKind::end && at_ + 1 == tokens_.size() ? tokens_.size() - 2 : at_ - 1];
  return last.at + last.text.size();
}

SyntaxPtr Parser::make(SyntaxKind kind, std::size_t at) const {
  auto node = std::make_unique<Syntax>();
  node->kind = kind;
  node->at = at;
  return node;
}

SyntaxPtr Parser::finish(SyntaxPtr node) const {
  node->end = end_of_last();
  return node;
}

Result<SyntaxPtr> Parser::whole_expression() {
  if (peek().kind == TokenKind::end) return fail(Errc::bad_expression, "the expression is empty");
  TL_TRY(SyntaxPtr node, expression());
  if (peek().kind != TokenKind::end) return unexpected("an operator or the end");
  return node;
}

Result<SyntaxPtr> Parser::expression() {
  const Deeper deeper(depth_);
  if (depth_ > max_depth) return fail(Errc::too_large, "the expression nests too deep");
  TL_TRY(SyntaxPtr left, assignment());
  while (peek().is(",")) {
    if (++chained_ > max_chained) return fail(Errc::too_large, "the expression is too long");
    take();
    TL_TRY(SyntaxPtr right, assignment());
    auto node = make(SyntaxKind::comma, left->at);
    node->kids.push_back(std::move(left));
    node->kids.push_back(std::move(right));
    left = finish(std::move(node));
  }
  return left;
}

namespace {

struct BinaryOperator {
  std::string_view text;
  int level;
  Op op;
};

// Higher binds tighter. `@` stands between shifts and sums, as in gdb; `.*` above products.
constexpr int three_way_level = 8, repeat_level = 10, member_pointer_level = 13;
constexpr std::array<BinaryOperator, 18> binary_operators{{{"||", 1, Op::logical_or},
                                                           {"&&", 2, Op::logical_and},
                                                           {"|", 3, Op::bit_or},
                                                           {"^", 4, Op::bit_xor},
                                                           {"&", 5, Op::bit_and},
                                                           {"==", 6, Op::equal},
                                                           {"!=", 6, Op::not_equal},
                                                           {"<", 7, Op::less},
                                                           {"<=", 7, Op::less_equal},
                                                           {">", 7, Op::greater},
                                                           {">=", 7, Op::greater_equal},
                                                           {"<<", 9, Op::shift_left},
                                                           {">>", 9, Op::shift_right},
                                                           {"+", 11, Op::add},
                                                           {"-", 11, Op::subtract},
                                                           {"*", 12, Op::multiply},
                                                           {"/", 12, Op::divide},
                                                           {"%", 12, Op::remainder}}};

const BinaryOperator* binary_operator(const Token& token) {
  if (token.kind != TokenKind::punctuator) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> words{
        {{"and", "&&"}, {"or", "||"}, {"bitand", "&"}, {"bitor", "|"}, {"xor", "^"}, {"not_eq", "!="}}};
    if (token.kind != TokenKind::identifier) return nullptr;
    for (const auto& [word, meaning] : words)
      if (token.text == word)
        for (const BinaryOperator& op : binary_operators)
          if (op.text == meaning) return &op;
    return nullptr;
  }
  for (const BinaryOperator& op : binary_operators)
    if (op.text == token.text) return &op;
  return nullptr;
}

std::optional<Op> compound_operator(const Token& token) {
  if (token.kind != TokenKind::punctuator || token.text.size() < 2 || token.text.back() != '=') return std::nullopt;
  if (token.text == "==" || token.text == "!=" || token.text == "<=" || token.text == ">=") return std::nullopt;
  for (const BinaryOperator& op : binary_operators)
    if (op.text == token.text.substr(0, token.text.size() - 1) && op.level > 2) return op.op;
  return std::nullopt;
}

}  // namespace

Result<SyntaxPtr> Parser::assignment() {
  const Deeper deeper(depth_);
  if (depth_ > max_depth) return fail(Errc::too_large, "the expression nests too deep");
  TL_TRY(SyntaxPtr left, conditional());
  const auto compound = compound_operator(peek());
  if (!peek().is("=") && !compound) return left;
  take();
  TL_TRY(SyntaxPtr right, assignment());
  auto node = make(SyntaxKind::assign, left->at);
  node->compound = compound.has_value();
  node->op = compound.value_or(Op::add);
  node->kids.push_back(std::move(left));
  node->kids.push_back(std::move(right));
  return finish(std::move(node));
}

Result<SyntaxPtr> Parser::conditional() {
  TL_TRY(SyntaxPtr condition, binary(1));
  if (!accept("?")) return condition;
  if (peek().is(":")) return fail(Errc::unsupported, "`a ?: b` is not read; write `a ? a : b`");
  TL_TRY(SyntaxPtr yes, expression());
  TL_TRY_VOID(expect(":", "of the conditional"));
  TL_TRY(SyntaxPtr no, assignment());
  auto node = make(SyntaxKind::conditional, condition->at);
  node->kids.push_back(std::move(condition));
  node->kids.push_back(std::move(yes));
  node->kids.push_back(std::move(no));
  return finish(std::move(node));
}

Result<SyntaxPtr> Parser::binary(int least) {
  TL_TRY(SyntaxPtr left, unary());
  for (;;) {
    const Token& token = peek();
    const BinaryOperator* op = binary_operator(token);
    const bool repeat = token.is("@");
    const bool pointer_to_member = token.is(".*") || token.is("->*");
    const bool three_way = token.is("<=>");
    const int level = three_way           ? three_way_level
                      : repeat            ? repeat_level
                      : pointer_to_member ? member_pointer_level
                      : op != nullptr     ? op->level
                                          : 0;
    if (level < least || level == 0) return left;
    if (++chained_ > max_chained) return fail(Errc::too_large, "the expression is too long");
    const bool arrow = token.is("->*");
    take();
    TL_TRY(SyntaxPtr right, binary(level + 1));
    auto node = make(three_way           ? SyntaxKind::three_way
                     : repeat            ? SyntaxKind::repeat
                     : pointer_to_member ? SyntaxKind::member_pointer
                                         : SyntaxKind::binary,
                     left->at);
    if (op != nullptr) node->op = op->op;
    node->flag = arrow;
    node->kids.push_back(std::move(left));
    node->kids.push_back(std::move(right));
    left = finish(std::move(node));
  }
}

Result<SyntaxPtr> Parser::unary() {
  const Deeper deeper(depth_);
  if (depth_ > max_depth) return fail(Errc::too_large, "the expression nests too deep");
  const Token& token = peek();
  const std::size_t at = token.at;
  const auto wrap = [&](SyntaxKind kind) -> Result<SyntaxPtr> {
    take();
    TL_TRY(SyntaxPtr operand, unary());
    auto node = make(kind, at);
    node->kids.push_back(std::move(operand));
    return finish(std::move(node));
  };
  static constexpr std::array<std::pair<std::string_view, Op>, 4> signs{
      {{"-", Op::negate}, {"+", Op::plus}, {"~", Op::complement}, {"!", Op::logical_not}}};
  for (const auto& [text, op] : signs)
    if (token.is(text) || (op == Op::logical_not && token.word("not")) ||
        (op == Op::complement && token.word("compl"))) {
      TL_TRY(SyntaxPtr node, wrap(SyntaxKind::unary));
      node->op = op;
      return node;
    }
  if (token.is("*")) return wrap(SyntaxKind::dereference);
  if (token.is("&")) return wrap(SyntaxKind::address_of);
  if (token.is("&&")) return fail(Errc::unsupported, "the address of a label is not evaluated here");
  if (token.is("++") || token.is("--")) {
    const bool down = token.is("--");
    TL_TRY(SyntaxPtr node, wrap(SyntaxKind::increment));
    node->flag = down;
    return node;
  }
  if (token.is("{")) {  // {type} address
    take();
    TL_TRY(TypeSyntax type, type_name());
    TL_TRY_VOID(expect("}", "after the type"));
    TL_TRY(SyntaxPtr operand, unary());
    auto node = make(SyntaxKind::at_type, at);
    node->type = std::move(type);
    node->kids.push_back(std::move(operand));
    return finish(std::move(node));
  }
  if (token.word("sizeof") || token.word("alignof") || token.word("_Alignof") || token.word("__alignof__"))
    return size_or_alignment();
  if (token.word("noexcept")) {
    take();
    TL_TRY_VOID(expect("(", "after noexcept"));
    TL_TRY(SyntaxPtr operand, expression());
    TL_TRY_VOID(expect(")", "after the operand"));
    auto node = make(SyntaxKind::noexcept_, at);
    node->kids.push_back(std::move(operand));
    return finish(std::move(node));
  }
  if (token.word("__real__")) return wrap(SyntaxKind::real_part);
  if (token.word("__imag__")) return wrap(SyntaxKind::imaginary_part);
  if (token.is("(")) return parenthesised();
  return postfix();
}

// `(T) x`, `(T)` of sizeof, or an expression in parentheses.
Result<SyntaxPtr> Parser::parenthesised() {
  const std::size_t at = peek().at, mark = at_;
  take();
  if (type_begins()) {
    auto type = type_name();
    if (type && peek().is(")")) {
      take();
      if (peek().is("{"))
        return fail(Errc::unsupported, "compound literals are not evaluated here: they need storage in the program");
      auto node = make(SyntaxKind::cast, at);
      node->type = std::move(*type);
      TL_TRY(SyntaxPtr operand, unary());
      node->kids.push_back(std::move(operand));
      return finish(std::move(node));
    }
    // Words of the language begin nothing but a type.
    if (!type && is_type_word(tokens_[mark + 1])) return std::unexpected(type.error());
    // `(T::value)`, `(T(3))`: an expression after all.
    at_ = mark + 1;
  }
  if (peek().is("{")) return fail(Errc::unsupported, "statement expressions are not evaluated here");
  TL_TRY(SyntaxPtr inner, expression());
  TL_TRY_VOID(expect(")", "to close the parenthesis"));
  inner->parenthesised = true;
  inner->at = at;
  return postfix_of(finish(std::move(inner)));
}

// `(type)` where that stands next; nothing is taken where it does not.
std::optional<TypeSyntax> Parser::type_in_brackets() {
  if (!peek().is("(")) return std::nullopt;
  const std::size_t mark = at_;
  take();
  if (type_begins()) {
    auto type = type_name();
    if (type && accept(")")) return std::move(*type);
  }
  at_ = mark;
  return std::nullopt;
}

Result<SyntaxPtr> Parser::size_or_alignment() {
  const Token& keyword = take();
  auto node = make(keyword.word("sizeof") ? SyntaxKind::size_of : SyntaxKind::align_of, keyword.at);
  if (peek().is("...")) return fail(Errc::unsupported, "sizeof... needs a parameter pack, and DWARF has none");
  if (auto type = type_in_brackets()) {
    node->type = std::move(*type);
    return finish(std::move(node));
  }
  TL_TRY(SyntaxPtr operand, unary());
  node->kids.push_back(std::move(operand));
  return finish(std::move(node));
}

Result<SyntaxPtr> Parser::type_id() {
  auto node = make(SyntaxKind::type_id, take().at);
  if (auto type = type_in_brackets()) {
    node->type = std::move(*type);
    return finish(std::move(node));
  }
  TL_TRY_VOID(expect("(", "after typeid"));
  TL_TRY(SyntaxPtr operand, expression());
  node->kids.push_back(std::move(operand));
  TL_TRY_VOID(expect(")", "of typeid"));
  return finish(std::move(node));
}

Result<SyntaxPtr> Parser::postfix() {
  TL_TRY(SyntaxPtr base, primary());
  return postfix_of(std::move(base));
}

Result<SyntaxPtr> Parser::postfix_of(SyntaxPtr base) {
  for (std::size_t count = 0;; ++count) {
    if (count > 4096) return fail(Errc::too_large, "the expression is too long");
    const Token& token = peek();
    SyntaxPtr node;
    if (token.is("[")) {
      take();
      node = make(SyntaxKind::index, base->at);
      node->kids.push_back(std::move(base));
      TL_TRY(SyntaxPtr index, expression());
      node->kids.push_back(std::move(index));
      TL_TRY_VOID(expect("]", "after the index"));
    } else if (token.is(".") || token.is("->")) {
      const bool arrow = token.is("->");
      take();
      if (peek().is("~")) return fail(Errc::unsupported, "destructors are not called from here");
      if (peek().word("template")) take();
      node = make(SyntaxKind::member, base->at);
      node->flag = arrow;
      node->kids.push_back(std::move(base));
      TL_TRY(node->name, qualified_name());
    } else if (token.is("++") || token.is("--")) {
      take();
      node = make(SyntaxKind::increment, base->at);
      node->flag = token.is("--");
      node->postfix = true;
      node->kids.push_back(std::move(base));
    } else if (token.is("(")) {
      take();
      node = make(SyntaxKind::call, base->at);
      node->kids.push_back(std::move(base));
      while (!peek().is(")")) {
        TL_TRY(SyntaxPtr argument, assignment());
        node->kids.push_back(std::move(argument));
        if (!accept(",")) break;
      }
      TL_TRY_VOID(expect(")", "after the arguments"));
    } else {
      return base;
    }
    base = finish(std::move(node));
  }
}

Result<void> Parser::refuse_keyword() const {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> refused{
      {{"new", "`new` would allocate in the program"},
       {"delete", "`delete` would free memory of the program"},
       {"throw", "an expression of the debugger cannot throw"},
       {"co_await", "coroutines cannot be awaited from here"},
       {"requires", "requires-expressions need the compiler"},
       {"operator", "operator functions are not called from here"},
       {"_Generic", "_Generic needs the compiler"}}};
  for (const auto& [word, why] : refused)
    if (peek().word(word)) return fail(Errc::unsupported, std::string(why));
  return {};
}

Result<SyntaxPtr> Parser::named_cast(CastStyle style) {
  auto node = make(SyntaxKind::cast, peek().at);
  take();
  node->cast_style = style;
  TL_TRY_VOID(expect("<", "after the cast"));
  TL_TRY(TypeSyntax type, type_name());
  node->type = std::move(type);
  TL_TRY_VOID(expect(">", "after the type"));
  TL_TRY_VOID(expect("(", "before what is cast"));
  TL_TRY(SyntaxPtr operand, expression());
  node->kids.push_back(std::move(operand));
  TL_TRY_VOID(expect(")", "after what is cast"));
  return finish(std::move(node));
}

// T(x), T(), T{}
Result<SyntaxPtr> Parser::construct() {
  auto node = make(SyntaxKind::construct, peek().at);
  TypeSyntax type;
  type.at = peek().at;
  TL_TRY_VOID(specifiers(type));
  const std::string_view close = peek().is("{") ? "}" : ")";
  if (!peek().is("(") && !peek().is("{")) return unexpected("a value: this is the name of a type; `(`");
  take();
  node->type = std::move(type);
  while (!peek().is(close)) {
    TL_TRY(SyntaxPtr argument, assignment());
    node->kids.push_back(std::move(argument));
    if (!accept(",")) break;
  }
  TL_TRY_VOID(expect(close, "after the value"));
  return finish(std::move(node));
}

Result<SyntaxPtr> Parser::primary() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::integer:
    case TokenKind::floating:
    case TokenKind::character:
    case TokenKind::string: {
      auto node = make(SyntaxKind::literal, token.at);
      node->token = take();
      return finish(std::move(node));
    }
    case TokenKind::register_: {
      auto node = make(SyntaxKind::register_, token.at);
      node->text = std::string(take().text);
      return finish(std::move(node));
    }
    case TokenKind::end:
    case TokenKind::punctuator:
      if (token.is("(")) return parenthesised();
      if (token.is("[")) return fail(Errc::unsupported, "lambdas are not evaluated here: there is no compiler at hand");
      if (!token.is("::")) return unexpected("a value");
      break;
    default: break;
  }
  TL_TRY_VOID(refuse_keyword());
  if (token.word("typeid")) return type_id();
  if (token.word("true") || token.word("false")) {
    auto node = make(SyntaxKind::boolean, token.at);
    node->flag = take().word("true");
    return finish(std::move(node));
  }
  if (token.word("nullptr") || token.word("this")) {
    auto node = make(token.word("this") ? SyntaxKind::this_ : SyntaxKind::null_pointer, token.at);
    take();
    return finish(std::move(node));
  }
  if (token.word("static_cast")) return named_cast(CastStyle::static_);
  if (token.word("reinterpret_cast")) return named_cast(CastStyle::reinterpret);
  if (token.word("const_cast")) return named_cast(CastStyle::const_);
  if (token.word("dynamic_cast")) return named_cast(CastStyle::dynamic);
  const std::size_t mark = at_;
  if (type_begins()) {
    auto made = construct();
    if (made) return made;
    at_ = mark;
    TypeSyntax type;
    if (auto read = specifiers(type); read && !type.builtin.empty()) return std::unexpected(made.error());
    at_ = mark;
  }
  auto node = make(SyntaxKind::name, token.at);
  TL_TRY(node->name, qualified_name());
  return finish(std::move(node));
}

Result<SyntaxPtr> parse(std::string_view text, const NameOracle& names) {
  TL_TRY(std::vector<Token> tokens, lex(text));
  return Parser(text, std::move(tokens), names).whole_expression();
}

Result<TypeSyntax> parse_type(std::string_view text, const NameOracle& names) {
  TL_TRY(std::vector<Token> tokens, lex(text));
  return Parser(text, std::move(tokens), names).whole_type();
}

}  // namespace trapline::eval
