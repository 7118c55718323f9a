#pragma once
// The known name that a mistyped one was meant to be, for error messages.
#include <optional>
#include <span>
#include <string_view>

namespace trapline::wire {

// Smallest edit distance (swapped neighbours count once, case does not count); nullopt where nothing is near: more than
// a third of the letters, but at least two, would have to change.
std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string_view> known);

}  // namespace trapline::wire
