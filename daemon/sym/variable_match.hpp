#pragma once
// Inside the room only: a qualified name against the names of one unit.
#include <span>
#include <string>
#include <vector>

#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {

using Path = std::vector<std::string>;

// Whether the chain of parents of `at` spells `parts`: transparent scopes may be named or left out.
bool spells(const UnitNames& unit, std::uint32_t at, std::span<const std::string> parts);
// What the unit calls `path`: definitions before declarations, values before types. Empty: nothing.
std::vector<Symbol> in_unit(const UnitNames& unit, const Path& path);
Path joined(std::span<const std::string> outer, std::span<const std::string> inner);
Path path_of(const DieRef& die);  // empty: no name at namespace or class scope
// The namespaces and classes around a function, outermost first.
Path context_of(const DieRef& scope);

}  // namespace trapline::sym
