#pragma once
// The syntax tree of an expression, as written; the binder gives it meaning.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/eval/lexer.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::eval {

struct Syntax;
using SyntaxPtr = std::unique_ptr<Syntax>;

// `const ns::T *const (&)[3]`: a base and declarators, innermost first (that is: applied to the base in order).
struct TypeSyntax {
  struct Declarator {
    enum class Kind : std::uint8_t { pointer, lvalue_reference, rvalue_reference, array, function, member_pointer };
    Kind kind = Kind::pointer;
    bool is_const = false, is_volatile = false;
    std::optional<std::uint64_t> count;  // array
    std::vector<TypeSyntax> parameters;  // function
    bool variadic = false;
    sym::QualifiedName record;  // member_pointer
  };
  std::string builtin;  // canonical words, "unsigned long"; else:
  sym::QualifiedName name;
  std::string keyword;      // struct, class, union, enum
  SyntaxPtr of_expression;  // decltype(e), typeof(e)
  bool is_const = false, is_volatile = false;
  std::vector<Declarator> declarators;
  std::size_t at = 0;
};

enum class SyntaxKind : std::uint8_t {
  literal,  // token
  boolean,  // value in `flag`
  null_pointer,
  this_,
  name,       // name
  register_,  // text
  unary,      // op, + - ~ !
  dereference,
  address_of,
  increment,  // flag: decrement; postfix in `postfix`
  binary,     // op
  assign,     // op where compound
  conditional,
  comma,
  index,
  member,          // name (last part is the member), flag: ->
  member_pointer,  // .* (flag: ->*)
  cast,            // cast_style, type
  construct,       // T(x), T{}
  size_of,         // of kid or type
  align_of,
  noexcept_,
  type_id,    // of kid or type
  three_way,  // <=>
  real_part,
  imaginary_part,
  repeat,   // a @ n
  at_type,  // {type} address
  call,
};

enum class CastStyle : std::uint8_t { c, static_, reinterpret, const_, dynamic };

struct Syntax {
  SyntaxKind kind = SyntaxKind::literal;
  std::size_t at = 0;   // where in the text
  std::size_t end = 0;  // one past
  std::vector<SyntaxPtr> kids;
  Token token;
  sym::QualifiedName name;
  std::string text;
  Op op = Op::add;
  bool flag = false, postfix = false, compound = false, parenthesised = false;
  CastStyle cast_style = CastStyle::c;
  std::optional<TypeSyntax> type;
};

}  // namespace trapline::eval
