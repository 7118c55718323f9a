#pragma once
// Characters and strings as text: escapes, UTF-8 kept where it is valid, other encodings converted.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "daemon/sym/type.hpp"
#include "daemon/util/memory.hpp"

namespace trapline::eval {

// 'a' '\n' L'ä': with the prefix of the type.
std::string quoted_character(const sym::Type* type, std::int64_t value);
// "..." with prefix; `units` without the terminator.
std::string quoted_string(const sym::Type* element, std::span<const std::byte> units);

struct StringRead {
  std::string text;  // quoted; with "..." after it where it was cut
  bool readable = false;
  bool printable = false;  // nothing in it needed an escape but \n \t \r
  bool empty = true;
};
enum class Quotes : std::uint8_t { with, without };        // without: no prefix either, `"` and `\` as they are
enum class Ending : std::uint8_t { terminated, counted };  // counted: all of it, zeros too
// A terminated string of `element`s at `at`, at most `limit` bytes.
StringRead read_string(const util::Memory& memory, const sym::Type* element, LoadAddr at, std::size_t limit,
                       Quotes quotes = Quotes::with);
// `cut`: there is more where `bytes` end.
StringRead string_of(const sym::Type* element, std::span<const std::byte> bytes, bool cut, Ending ending,
                     Quotes quotes);
StringRead string_in(const sym::Type* element, std::span<const std::byte> bytes, bool cut);

}  // namespace trapline::eval
