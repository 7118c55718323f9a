#pragma once
// Inside the room only: small values that the interpreter computes.
#include <span>

#include "daemon/eval/number.hpp"
#include "daemon/eval/value.hpp"

namespace trapline::eval {

inline std::vector<std::byte> word_bytes(std::uint64_t word) {
  const auto bytes = std::as_bytes(std::span(&word, 1));
  return {bytes.begin(), bytes.end()};
}

inline Value pointer_value(const sym::Type* type, std::uint64_t bits) { return computed(type, word_bytes(bits)); }

// bool in C++, int in C.
inline Value truth_value(const sym::Type* type, bool value) {
  return computed(type, store_number(type, {.floating = false, .integer = value ? 1 : 0, .real = 0}));
}

}  // namespace trapline::eval
