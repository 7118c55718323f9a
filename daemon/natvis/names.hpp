#pragma once
// Type names as visualisers write them (`std::vector<*>`, `std::pair<int const,*>`) and as DWARF has them: both as
// tokens, compared without what differs by habit only: spaces, `struct` and `class`, the order of `unsigned long int`
// and of `const`, suffixes of integers, inline namespaces such as std::__cxx11.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sym/type.hpp"

namespace trapline::natvis {

struct NameToken;

// One type name, or one template argument.
struct TypePattern {
  std::vector<NameToken> tokens;
  bool wildcard() const;          // just `*`
  std::size_t literals() const;   // how much of it is said and not left open
  bool exact() const;             // nothing is left open
  std::string last_name() const;  // "vector" of std::vector<*>: what candidates are found by
};

struct NameToken {
  std::string text;  // an identifier, a punctuator, or empty: template arguments
  std::vector<TypePattern> arguments;
  std::string written;  // of arguments: as they stood
};

TypePattern parse_name(std::string_view name);

// What a `*` stood for.
struct Capture {
  std::string text;
  const sym::Type* type = nullptr;  // where DWARF tells; values have none
};

// nullopt: another type. `type` (may be nullptr) gives the captured arguments' types.
std::optional<std::vector<Capture>> match(const TypePattern& pattern, const TypePattern& name, const sym::Type* type);

// Of a function's or object's name, without its parameters: `std::any::_Manager_internal<*>::_S_manage`,
// `vtable for box::Base`; a pattern that ends in ` *` takes the rest.
std::optional<std::vector<Capture>> match_symbol(std::string_view pattern, std::string_view symbol);

}  // namespace trapline::natvis
