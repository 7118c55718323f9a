#pragma once
// The typed tree: what an expression means over a stretch of code, that of one lexical block (sym::same_blocks_around).
// It names DWARF variables with where they are at which pc, members, registers and addresses in files, but no process
// and no address of one: an interpreter (or a code generator) runs it on a frame.
// Conversions are explicit nodes, references are followed by explicit nodes, sizes are constants where they can be.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/eval/number.hpp"
#include "daemon/sym/location.hpp"
#include "daemon/sym/type.hpp"
#include "daemon/sym/variable.hpp"
#include "proto/words/addr.hpp"

namespace trapline::eval {

enum class NodeKind : std::uint8_t {
  constant,         // bytes
  string,           // bytes: an array that lies nowhere in the program
  variable,         // symbol; place
  data_symbol,      // file_address: an object known from ELF only
  function,         // file_address; symbol where DWARF describes it
  register_,        // text
  member,           // kid: record lvalue or value; member
  base,             // kid: record; member (base or virtual base)
  derived,          // kid: base part; offset to subtract
  follow,           // kid: reference -> what it refers to
  dereference,      // kid: pointer
  address_of,       // kid: lvalue or function
  decay,            // kid: array lvalue -> pointer to its first element
  element,          // kids: array, index (for arrays; pointers become dereference(offset))
  convert,          // kid -> arithmetic, enumeration, bool or pointer type, by value
  view,             // kid: lvalue seen as another type
  pointer_base,     // kid: pointer to derived -> pointer to base (null stays null)
  dynamic_cast_,    // kid: pointer to a polymorphic class; flag: for a reference, so that null is no answer
  pointer_derived,  // kid: pointer to base -> pointer to derived
  pointer_offset,   // kids: pointer, integer; op add or subtract
  pointer_difference,
  unary,         // op; kid already of `type` (logical_not: of any scalar type)
  binary,        // op; kids already of `operands`. offset: what the left one may be that is equal to nothing (or 0)
  compare_text,  // kids: pointer to or array of characters; bytes: the literal. flag: !=
  logical,       // op
  conditional,
  comma,
  assign,           // kids: lvalue, value of its type
  assign_compound,  // kids: lvalue, value; op; operands: the type computed in (nullptr: pointer arithmetic)
  increment,        // kid; flag: down; postfix
  repeat,           // kids: lvalue, count
  dynamic_size,     // kid: lvalue whose size is known at run time only
  member_pointer,   // kids: record lvalue, pointer to member
  complex_part,     // kid; flag: imaginary
  subject,          // the object that the tree is about: of a visualiser's expression, or of an intrinsic's body
  slot,             // offset: which of the tree's arguments and local variables
  inlined,          // kids: object, arguments; body: run with these as its subject and slots
  library,          // text: of library_functions.hpp; kids: its arguments, texts may be literals (string)
  call,             // kids: function, pointer to one or member_pointer; arguments, `this` first. flag: by the vtable of
                    // `this`, slot `offset`. Arguments are of their parameters' types, for references pointers
  keyed,            // kids: a map, the key that is looked for (unless it is a literal); body: whether slots 0 and 1 are
                    // equal; member: the elements' value, operands and offset: their key. flag: how many there are
  type_info,        // kid: a polymorphic object -> its class's std::type_info
  type_info_name,   // kid: std::type_info
  same_type_info,   // kids: two of them; flag: !=
  three_way,        // kids already of `operands`; offset: what its type keeps where neither is less nor equal
  exception,        // the one that nobody caught, of the type named by symbol
  object,           // kids: constructor, its arguments
  aggregate,        // kids: the values of its fields in order
  text_object,      // kid: string -> a library string that holds it, `bytes` with its pointer to the text at `offset`
  temporary,        // kid: value -> pointer to it; flag: to where it lies, if it lies in memory; in_place: and only so.
                    // Of a call only. A second kid: the destructor of what was made to be passed by value
};

// Where a variable is, by pc: programs that need a frame's registers and its frame base, nothing more of the debug
// information.
struct VariablePlace {
  sym::LocationList locations;
  std::shared_ptr<const sym::LocationList> frame_base;  // of the function; nullptr: it has none
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind = NodeKind::constant;
  const sym::Type* type = nullptr;  // never a reference, but for variables, members and casts below a `follow`
  bool lvalue = false;
  bool flag = false;
  bool postfix = false;
  bool in_place = false;
  Op op = Op::add;
  const sym::Type* operands = nullptr;
  std::vector<NodePtr> kids;
  std::shared_ptr<const Node> body;  // of inlined: shared by all its calls
  std::vector<std::byte> bytes;
  sym::Symbol symbol;
  std::shared_ptr<const VariablePlace> place;  // nullptr: its locations cannot be read, the interpreter says why
  const sym::Member* member = nullptr;
  std::int64_t offset = 0;
  FileAddr file_address;
  std::string text;  // as the user would write it, for errors: "p->next"
  std::size_t at = 0;
};

}  // namespace trapline::eval
