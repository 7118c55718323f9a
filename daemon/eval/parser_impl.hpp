#pragma once
// Inside the room only: the recursive descent parser; expressions in parser.cpp, types and names in parser_types.cpp.
#include <vector>

#include "daemon/eval/parser.hpp"

namespace trapline::eval {

bool is_type_word(const Token& token);  // of the language: int, struct ...

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens, const NameOracle& names)
      : text_(text), tokens_(std::move(tokens)), names_(names) {
    // template_arguments() splits `>>` in two, and `>>=` in three, under the feet of who looks at a token before it.
    tokens_.reserve(tokens_.size() * 3);
  }
  Result<SyntaxPtr> whole_expression();
  Result<TypeSyntax> whole_type();

 private:
  static constexpr int max_depth = 200;
  struct Deeper {
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    int& depth_;
  };

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool accept(std::string_view punctuator);
  Result<void> expect(std::string_view punctuator, std::string_view after);
  std::unexpected<Error> unexpected(std::string_view wanted) const;
  SyntaxPtr make(SyntaxKind kind, std::size_t at) const;
  SyntaxPtr finish(SyntaxPtr node) const;
  std::size_t end_of_last() const;

  Result<SyntaxPtr> expression();
  Result<SyntaxPtr> assignment();
  Result<SyntaxPtr> conditional();
  Result<SyntaxPtr> binary(int least);
  Result<SyntaxPtr> unary();
  Result<SyntaxPtr> postfix();
  Result<SyntaxPtr> postfix_of(SyntaxPtr base);
  Result<SyntaxPtr> primary();
  Result<SyntaxPtr> parenthesised();
  Result<SyntaxPtr> named_cast(CastStyle style);
  std::optional<TypeSyntax> type_in_brackets();
  Result<SyntaxPtr> size_or_alignment();
  Result<SyntaxPtr> type_id();
  Result<SyntaxPtr> construct();
  Result<void> refuse_keyword() const;

  bool type_begins();  // at the current token
  Result<TypeSyntax> type_name();
  Result<void> specifiers(TypeSyntax& type);
  Result<void> builtin_words(TypeSyntax& type);
  Result<std::vector<TypeSyntax::Declarator>> declarators();
  Result<std::vector<TypeSyntax::Declarator>> declarator_suffixes();
  Result<sym::QualifiedName> qualified_name();
  // The `<...>` after a name, as text, where the name with it is known; nullopt: `<` is an operator.
  std::optional<std::string> template_arguments(const sym::QualifiedName& before);
  Result<std::string> operator_name();

  std::string_view text_;
  std::vector<Token> tokens_;
  const NameOracle& names_;
  std::size_t at_ = 0;
  // Chains like 1+1+1 nest to the left in the tree, whatever the recursion of the parser.
  static constexpr int max_chained = 2000;
  int chained_ = 0;
  int depth_ = 0;
};

}  // namespace trapline::eval
