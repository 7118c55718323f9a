#pragma once
// Tokens -> syntax tree: C++'s expression grammar with its precedence, and gdb's `a@n` and `{type} address`.
// C++ cannot be parsed without knowing which names are types and templates, so the parser asks.
#include <string_view>

#include "daemon/eval/syntax.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

class NameOracle {
 public:
  virtual ~NameOracle() = default;
  virtual bool is_type(const sym::QualifiedName& name) const = 0;
  // Something (type, function, variable template) is called this; asked with template arguments in the last part.
  virtual bool is_known(const sym::QualifiedName& name) const = 0;
};

// Errors: bad_expression (malformed), unsupported (C++ that this debugger does not evaluate, with the reason).
Result<SyntaxPtr> parse(std::string_view text, const NameOracle& names);
Result<TypeSyntax> parse_type(std::string_view text, const NameOracle& names);

}  // namespace trapline::eval
