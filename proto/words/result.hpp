#pragma once
// Result, and the three ways to work with one: fail(), TL_TRY, TL_TRY_VOID. TL_ASSERT is for promises of our own.
#include <expected>
#include <functional>
#include <source_location>
#include <string>
#include <utility>

#include "proto/words/error.hpp"

namespace trapline {

template <class T>
using Result = std::expected<T, Error>;

// An answer that may come later, on the loop's thread, exactly once.
template <class T>
using Reply = std::function<void(Result<T>)>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message, int os_errno = 0,
                                                 std::source_location where = std::source_location::current()) {
  return std::unexpected(
      Error{.code = code, .message = std::move(message), .os_errno = os_errno, .hint = {}, .where = where});
}

[[nodiscard]] inline std::unexpected<Error> fail_hint(Errc code, std::string message, std::string hint,
                                                      std::source_location where = std::source_location::current()) {
  return std::unexpected(
      Error{.code = code, .message = std::move(message), .os_errno = 0, .hint = std::move(hint), .where = where});
}

// Prints the broken promise with its place and aborts; on in release builds too.
[[noreturn]] void assertion_failed(const char* condition, std::source_location where);

}  // namespace trapline

#define TL_CONCAT_INNER(a, b) a##b
#define TL_CONCAT(a, b) TL_CONCAT_INNER(a, b)

// TL_TRY(const auto x, expression): returns the error, or names the value.
#define TL_TRY(declaration, ...)                                                                                    \
  auto TL_CONCAT(tl_result_, __LINE__) = __VA_ARGS__;                                                               \
  if (!TL_CONCAT(tl_result_, __LINE__)) return std::unexpected(std::move(TL_CONCAT(tl_result_, __LINE__)).error()); \
  declaration = *std::move(TL_CONCAT(tl_result_, __LINE__))

// The same for a Result<void> (or where the value does not matter).
#define TL_TRY_VOID(...)                                                                                \
  do {                                                                                                  \
    if (auto tl_result = __VA_ARGS__; !tl_result) return std::unexpected(std::move(tl_result).error()); \
  } while (false)

#define TL_ASSERT(condition)                                                                     \
  do {                                                                                           \
    if (!(condition)) ::trapline::assertion_failed(#condition, std::source_location::current()); \
  } while (false)
