#pragma once
// Which of several functions a call means: C++'s ranking of implicit conversions ([over.ics.rank]). Of the user-defined
// ones, which would run constructors and conversion functions, there is one: a literal for a library string.
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/sym/type.hpp"

namespace trapline::eval {

enum class Rank : std::uint8_t { exact, promotion, conversion, user, ellipsis };

struct Conversion {
  Rank rank = Rank::exact;
  std::uint8_t worse = 0;  // among equals: qualifiers added, const& for an rvalue, to bool, steps to a base
  auto operator<=>(const Conversion&) const = default;
};

// What ranking needs to know about classes.
struct Classes {
  std::function<const sym::Type*(const sym::Type*)> complete;
  // How many steps it is from a class to its base; 0: no base (or the same).
  std::function<std::size_t(const sym::Type* derived, const sym::Type* base)> steps_to_base;
  // A library string that a literal of these characters can be made one of.
  std::function<bool(const sym::Type* record, const sym::Type* character)> holds_text = nullptr;
};

// nullopt: there is none.
std::optional<Conversion> conversion_to(const Node& argument, const sym::Type* parameter, const Classes& classes);
Conversion ellipsis_conversion();

// The index of the function that is better than every other: at least as good for each argument, better for one.
// nullopt: none is. `all`: one row a function, of the same length.
std::optional<std::size_t> best_of(std::span<const std::vector<Conversion>> all);

}  // namespace trapline::eval
