#pragma once
// Member functions as a class declares them, and what the ABI asks about a class. Thread: the loop's (as Module).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/type.hpp"

namespace trapline::sym {

struct Method {
  std::string name;            // "size", "operator==", "get<int>"; the class's own for constructors, "~Class"
  DieRef die;                  // the declaration in the class
  const Type* type = nullptr;  // its function type; `this` is its first parameter, artificial, where `object` is set
  std::string linkage_name;    // empty: none was written down
  bool object = false;         // has `this`: no static function
  bool is_virtual = false;
  std::optional<std::uint64_t> slot;  // in the vtable, of the class that declares it first on the primary line
  bool artificial = false;            // the compiler's
  bool deleted = false;
  bool defaulted = false;  // in the class
};

// Of the record itself, in order of declaration; not its bases'. `record`: complete, without aliases and qualifiers.
std::vector<Method> methods_of(const Type* record);
// Whether a value of that class is passed and returned by the address of a copy: Itanium C++ ABI, "non-trivial for the
// purposes of calls". By DW_AT_calling_convention, else by the rules.
bool passed_by_reference(const Type* record, std::span<const Module* const> others);

}  // namespace trapline::sym
