#pragma once
// A natvis file as data: what its elements say, with the lines that they stand in. Nothing is resolved here.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/eval/value.hpp"
#include "daemon/natvis/names.hpp"

namespace trapline::natvis {

// An expression of a file: the text, and where it stands. Its address is its identity.
struct Expression {
  std::string text;                         // without the specifiers
  eval::Format format;                      // `,x` `,[n]s` `,view(simple)na`
  std::shared_ptr<const Expression> count;  // between [ ]; nullptr: none
  int line = 0;
  bool empty() const { return text.empty(); }
};

struct Guard {
  Expression condition;   // empty: always
  bool optional = false;  // an expression that does not bind drops the element, not the type
  std::vector<std::string> include_views, exclude_views;
  // Ours alone: holds where `symbol` is the address of a function or object whose name fits `symbol_name`; what the
  // name's `*` stood for is $S1, $S2 ... in what is guarded. A type that nobody can name drops the element.
  Expression symbol;
  std::string symbol_name;
  std::string module;  // ModuleName: only for types of that one
};

// Text with {expressions}.
struct Interpolated {
  struct Segment {
    std::string literal;
    std::unique_ptr<Expression> expression;  // nullptr: `literal`
  };
  std::vector<Segment> segments;
};

struct DisplayString {
  Guard guard;
  Interpolated text;
  int line = 0;
};

struct StringView {
  Guard guard;
  Expression expression;
};

struct Alternative {  // one of several <Size>, <ValuePointer>, <ValueNode>: the first whose condition holds
  Guard guard;
  Expression expression;
  Interpolated name;  // of a tree's ValueNode
};

struct Expand;

// CustomListItems as straight code: the walker keeps a counter into it, so that the next page goes on where one ended.
struct Instruction {
  enum class Kind : std::uint8_t { run, jump, jump_unless, item };
  Kind kind = Kind::run;
  std::unique_ptr<Expression> expression;  // of jump_unless: the condition
  std::size_t target = 0;
  Interpolated name;
};

struct Variable {
  std::string name;
  Expression initial;
};

struct Item {
  enum class Kind : std::uint8_t {
    item,
    synthetic,
    expanded,
    array,
    index_list,
    linked_list,
    tree,
    custom_list,
  };
  Kind kind = Kind::item;
  Guard guard;
  int line = 0;
  Interpolated name;
  Expression value;  // item, expanded
  std::vector<Alternative> sizes;
  std::vector<Alternative> values;  // ValuePointer, ValueNode
  Expression head, next, right;     // next: NextPointer, LeftPointer
  Expression rank, lower_bound;
  bool backward = false;  // ArrayItems: the first index runs fastest
  std::vector<Variable> variables;
  std::vector<Instruction> code;
  std::vector<Instruction>
      skip;  // passes by as many elements as `skip_variable` says, and leaves there how many it did
  std::string skip_variable;
  std::vector<DisplayString> displays;   // synthetic
  std::vector<StringView> string_views;  // synthetic
  std::unique_ptr<Expand> expand;
};

struct Expand {
  std::vector<Item> items;
  bool hide_raw_view = false;
  int line = 0;
};

struct IntrinsicText {
  std::string name;
  Expression body;
  struct Parameter {
    std::string name, type;
  };
  std::vector<Parameter> parameters;
  bool optional = false;
  std::string module{};
};

struct MostDerived {
  Guard guard;
  Expression expression;
  bool ignore_vtable = false;
};

struct TypeVisual {
  struct Named {
    TypePattern pattern;
    int priority = 2;  // Low 0 ... High 4
    bool inheritable = true;
  };
  std::vector<Named> names;  // Name and AlternativeTypes
  std::string written;
  int line = 0;
  Guard guard;  // its views and module
  std::vector<MostDerived> most_derived;
  std::vector<IntrinsicText> intrinsics;
  std::vector<DisplayString> displays;
  std::vector<StringView> string_views;
  Expression pointer;  // <SmartPointer>
  bool pointer_expands = true;
  std::unique_ptr<Expand> expand;
  std::size_t file = 0;  // the engine's number of the file
};

struct Document {
  std::vector<std::unique_ptr<TypeVisual>> types;
  std::vector<IntrinsicText> intrinsics;  // for every expression of the file
};

struct Complaint {
  int line = 0;
  std::string element;  // "Item of Type Foo"
  std::string reason;
};

// Reads what can be read; what cannot is left out and complained of.
Document parse_document(std::string_view text, std::vector<Complaint>& complaints);

// Cuts the specifier off. Commas inside brackets and quotes belong to the expression.
Expression parse_expression(std::string_view text, int line);
// Errors: a brace without its partner.
std::optional<std::string> parse_interpolated(std::string_view text, int line, Interpolated& out);

}  // namespace trapline::natvis
