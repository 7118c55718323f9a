#pragma once
// Inside the room only: a qualified name against the names of one unit.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/sym/variable.hpp"
#include "daemon/sym/variable_index.hpp"

namespace trapline::sym {

using Path = std::vector<std::string>;

// Template arguments as they were written, or with those left out at the end that have defaults: `vector<int>`. An
// exact name anywhere is meant before a shorter one here.
enum class Spelling : std::uint8_t { exact, defaults_left_out };

// Whether the chain of parents of `at` spells `parts`: transparent scopes may be named or left out.
bool spells(const UnitNames& unit, std::uint32_t at, std::span<const std::string> parts,
            Spelling spelling = Spelling::defaults_left_out);
// What the unit calls `path`: definitions before declarations, values before types. Empty: nothing.
std::vector<Symbol> in_unit(const UnitNames& unit, const Path& path, Spelling spelling = Spelling::defaults_left_out);
Path joined(std::span<const std::string> outer, std::span<const std::string> inner);
Path path_of(const DieRef& die);  // empty: no name at namespace or class scope
// The namespaces and classes around a function, outermost first.
Path context_of(const DieRef& scope);

}  // namespace trapline::sym
