#pragma once
// Variables of a scope, and names as C++ looks them up: block, function, class, namespaces outwards with their using
// directives, the unit; then other units. Knows no process. Thread: the loop's (as Module).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/sym/type.hpp"
#include "proto/words/ids.hpp"

namespace trapline::sym {

struct Variable {
  std::string name;  // empty: unnamed parameter
  DieRef die;        // the concrete DIE, or the abstract one where no concrete one was left by the optimiser
  const Type* type = nullptr;
  Line declared;
  bool artificial = false;  // this, __range, __vla_expr0 ...
  bool shadowed = false;    // an inner block's variable has the same name
  bool gone = false;        // only the abstract instance mentions it: optimised out in this copy
  bool is_static = false;   // lives at a fixed address
};

// Parameters of `scope` (DW_TAG_subprogram or DW_TAG_inlined_subroutine), in order of declaration.
std::vector<Variable> parameters_of(DieRef scope);
// Variables of the blocks of `scope` that hold `pc` (a file address): inner blocks first, in order of declaration
// within a block. Inlined calls are scopes of their own and not entered.
std::vector<Variable> locals_of(DieRef scope, std::uint64_t pc);
// The stretch of code around `pc` in which the same blocks hold: names mean the same for all of it.
FileRange same_blocks_around(DieRef scope, std::uint64_t pc);
// Variables at namespace scope of the unit that holds `scope`, its file-static ones too, sorted by name.
std::vector<Variable> globals_of(DieRef scope);
// Static variables that live in functions of that unit are found by name only ("function::name").

struct Symbol {
  enum class Kind : std::uint8_t { variable, function, type, enumerator, member, namespace_ };
  Kind kind = Kind::variable;
  std::string name;  // qualified where it lives in a namespace or class
  DieRef die;
  const Type* type = nullptr;          // of a function: its function type; of a member: the record that has it
  std::optional<std::uint64_t> value;  // of an enumerator
  bool gone = false;                   // see Variable
  bool declaration = false;            // no definition was found
};

// A name as it was written: "::ns::Map<int>::size" is global with {"ns", "Map<int>", "size"}.
struct QualifiedName {
  std::vector<std::string> parts;
  bool global = false;
  std::string file;  // 'file.c'::name
  std::string text() const;
};

// Where a name is looked up from: the frame's function and pc; without a function the unit's names are not preferred.
struct LookupScope {
  DieRef scope;  // DW_TAG_subprogram, DW_TAG_inlined_subroutine, or none
  std::uint64_t pc = 0;
  std::span<const Module* const> modules;  // in order of preference; the scope's own module first
  const Type* record = nullptr;            // names are meant as in this class's member functions; `scope` is its DIE
};

// What the name means there: more than one for overloaded functions. Empty: unknown.
std::vector<Symbol> lookup(const LookupScope& from, const QualifiedName& name);
// The class of *this in a member function (in a lambda too, where it captured this); nullptr elsewhere.
const Type* implicit_this(DieRef scope);
// The variable that a static member (of kind static_ in record->members()) is.
std::optional<Symbol> static_member(const Type* record, const Member& member, std::span<const Module* const> modules);
// A field of that name in the record, its bases, or its anonymous members.
bool has_field(const Type* record, std::string_view name);
// The function's own `this` parameter, for implicit member access. In lambdas of a member function: __this.
std::optional<Variable> this_of(DieRef scope);
// The `this` that a lambda captured, where the compiler describes it as a variable of the lambda's body (gcc).
std::optional<Variable> captured_this(DieRef scope);
// The class of the `this` that a lambda captured, also where it is a member of the closure (clang); nullptr: none.
const Type* captured_class(DieRef scope);
// Names that a person could have meant, nearest first, at most `limit`: locals, members, and names of this unit.
std::vector<std::string> similar_names(const LookupScope& from, std::string_view name, std::size_t limit);
// Names that begin with `prefix` and are visible there, for completion; sorted, at most `limit`.
std::vector<std::string> visible_names(const LookupScope& from, std::string_view prefix, std::size_t limit);
// Rust: the type of the object whose vtable stands at that file address; nullptr where no debug information says.
const Type* rust_vtable_type(const Module& module, std::uint64_t at);
// Names that stand directly in that namespace or class, as the scope's own unit knows it; sorted, at most `limit`.
std::vector<std::string> names_within(const LookupScope& from, const QualifiedName& scope, std::size_t limit);
// Qualified name of a type, function, variable or namespace.
std::string qualified_name(const DieRef& ref);
// Where a function's code begins (file address); none for declarations and abstract instances.
std::optional<std::uint64_t> code_address(DieRef function);
std::string linkage_name_of(DieRef die);  // empty: none
// The concrete function that holds `scope` (itself, or what it is inlined into).
DieRef concrete_function(DieRef scope);
bool unit_is_cplusplus(DieRef scope);
bool unit_is_rust(DieRef scope);
// Edit distance where a transposition counts one; stops at `limit`.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

}  // namespace trapline::sym
