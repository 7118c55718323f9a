#pragma once
// Syntax tree -> typed tree. Resolves names, applies C++'s conversions, and checks. Knows no process.
// Errors: bad_expression, unsupported; each names the part of the expression that it is about.
#include "daemon/eval/expression.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/eval/syntax.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

struct BindOptions {
  bool side_effects = false;  // assignment, ++ and --
};

Result<NodePtr> bind(const Syntax& syntax, std::string_view text, const Scope& scope, const BindOptions& options);
// `value` converted to `type` as in an initialisation or assignment; enumerators of `type` may be named without their
// scope.
Result<NodePtr> bind_as(const Syntax& syntax, std::string_view text, const sym::Type* type, const Scope& scope,
                        const BindOptions& options);
Result<const sym::Type*> bind_type(const TypeSyntax& type, std::string_view text, const Scope& scope);

struct RegisterFacts {
  std::string name;  // as arch/ knows it
  const sym::Type* type = nullptr;
};
std::optional<RegisterFacts> register_facts(std::string_view name);  // "pc" is "rip"

}  // namespace trapline::eval
