#include "daemon/eval/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/eval/number.hpp"

namespace trapline::eval {
namespace {

std::string_view prefix_of(const sym::Type* type) {
  const sym::Type* plain = type->strip();
  const auto size = plain->size().value_or(1);
  if (plain->encoding() == sym::Encoding::utf) return size == 1 ? "u8" : size == 2 ? "u" : "U";
  return size == 4 ? "L" : "";
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

// Returns whether the character went in as an escape that is no usual white space.
bool append_escaped(std::string& out, std::uint32_t c, char quote, bool narrow) {
  switch (c) {
    case '\n': out += "\\n"; return false;
    case '\t': out += "\\t"; return false;
    case '\r': out += "\\r"; return false;
    case '\a': out += "\\a"; return true;
    case '\b': out += "\\b"; return true;
    case '\f': out += "\\f"; return true;
    case '\v': out += "\\v"; return true;
    case '\\': out += quote != 0 ? "\\\\" : "\\"; return false;
    default: break;
  }
  if (quote != 0 && c == static_cast<std::uint32_t>(quote)) {
    out += '\\';
    out += quote;
    return false;
  }
  if (c >= 0x20 && c < 0x7f) {
    out += static_cast<char>(c);
    return false;
  }
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool impossible = c > 0x10ffff || (c >= 0xd800 && c < 0xe000);
  if (!narrow && !control && !impossible) {
    append_utf8(out, c);
    return false;
  }
  if (c < 0x100)
    out += fmt::format("\\{:03o}", c);
  else
    out += fmt::format("\\x{:x}", c);
  return true;
}

// Length of the valid UTF-8 sequence at the begin; 0: none. Overlong forms and surrogates are none.
std::size_t utf8_length(std::span<const std::byte> bytes, std::uint32_t& c) {
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  const std::uint32_t lead = at(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                             : lead >= 0xe0                ? 3
                             : lead >= 0xc2                ? 2
                                                           : 0;
  if (length == 0 || lead >= 0xf5 || bytes.size() < length) return 0;
  c = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    c = c << 6 | (at(i) & 63);
  }
  static constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
  return length;
}

std::uint32_t unit_at(std::span<const std::byte> bytes, std::size_t index, std::size_t size) {
  std::uint32_t unit = 0;
  std::memcpy(&unit, bytes.data() + index * size, size);
  return unit;
}

// Appends the text; returns whether something unprintable was in it.
bool append_units(std::string& out, std::size_t size, std::span<const std::byte> bytes, char quote = '"') {
  bool strange = false;
  if (size == 1) {
    for (std::size_t i = 0; i < bytes.size();) {
      std::uint32_t c = 0;
      const std::size_t length = utf8_length(bytes.subspan(i), c);
      const bool odd = length == 0 ? append_escaped(out, std::to_integer<std::uint32_t>(bytes[i]), quote, true)
                                   : append_escaped(out, c, quote, false);
      strange = odd || strange;
      i += std::max<std::size_t>(length, 1);
    }
    return strange;
  }
  const std::size_t count = bytes.size() / size;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t c = unit_at(bytes, i, size);
    if (size == 2 && c >= 0xd800 && c < 0xdc00 && i + 1 < count) {
      const std::uint32_t low = unit_at(bytes, i + 1, size);
      if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        ++i;
      }
    }
    strange = append_escaped(out, c, quote, false) || strange;
  }
  return strange;
}

}  // namespace

std::string quoted_character(const sym::Type* type, std::int64_t value) {
  const sym::Type* plain = type->strip();
  const std::uint64_t size = plain->size().value_or(1);
  const std::uint32_t unit = static_cast<std::uint32_t>(value) & (size >= 4 ? 0xffffffffU : (1U << (size * 8)) - 1);
  std::string out = std::string(prefix_of(type)) + "'";
  append_escaped(out, unit, '\'', size == 1);
  return out + "'";
}

std::string quoted_string(const sym::Type* element, std::span<const std::byte> units) {
  std::string out = std::string(prefix_of(element)) + "\"";
  append_units(out, static_cast<std::size_t>(std::clamp<std::uint64_t>(element->strip()->size().value_or(1), 1, 4)),
               units);
  return out + "\"";
}

StringRead string_of(const sym::Type* element, std::span<const std::byte> bytes, bool cut, Ending ending,
                     Quotes quotes) {
  const std::size_t size =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(element->strip()->size().value_or(1), 1, 4));
  StringRead read;
  read.readable = true;
  const std::size_t count = bytes.size() / size;
  std::size_t end = ending == Ending::counted ? count : 0;
  while (end < count && unit_at(bytes, end, size) != 0) ++end;
  const bool terminated = ending == Ending::terminated && end < count;
  read.empty = end == 0;
  const bool quoted = quotes == Quotes::with;
  std::string out = quoted ? std::string(prefix_of(element)) + "\"" : "";
  // A sequence that the limit cut in two would look broken: leave its begin out.
  std::size_t length = end * size;
  if (cut && !terminated && size == 1)
    for (int back = 0; back < 3 && length > 0 && (std::to_integer<unsigned>(bytes[length - 1]) & 0x80) != 0; ++back) {
      const unsigned byte = std::to_integer<unsigned>(bytes[length - 1]);
      --length;
      if ((byte & 0xc0) == 0xc0) break;
    }
  if (cut && !terminated && size == 2 && length >= 2) {
    const std::uint32_t last = unit_at(bytes, length / 2 - 1, 2);
    if (last >= 0xd800 && last < 0xdc00) length -= 2;
  }
  read.printable = !append_units(out, size, bytes.first(length), quoted ? '"' : '\0');
  if (quoted) out += '"';
  read.text = out + (cut && !terminated ? "..." : "");
  return read;
}

StringRead string_in(const sym::Type* element, std::span<const std::byte> bytes, bool cut) {
  return string_of(element, bytes, cut, Ending::terminated, Quotes::with);
}

StringRead read_string(const util::Memory& memory, const sym::Type* element, LoadAddr at, std::size_t limit,
                       Quotes quotes) {
  std::vector<std::byte> bytes;
  // Page by page: what follows the string may be unmapped, and most strings are short.
  bool more = true;
  while (more && bytes.size() < limit) {
    const std::uint64_t from = at.value + bytes.size();
    const std::size_t want =
        std::min<std::size_t>({limit - bytes.size(), 256, static_cast<std::size_t>(4096 - from % 4096)});
    std::vector<std::byte> chunk(want);
    const std::size_t got = memory.read_some(LoadAddr{from}, chunk);
    const auto zero = std::find(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(got), std::byte{0});
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(got));
    more = got == want &&
           (element->strip()->size().value_or(1) != 1 || zero == chunk.begin() + static_cast<std::ptrdiff_t>(got));
    if (more && element->strip()->size().value_or(1) != 1)
      more = !string_in(element, bytes, true).text.empty() && string_in(element, bytes, true).text.ends_with("...");
  }
  if (bytes.empty()) return {};
  return string_of(element, bytes, bytes.size() >= limit, Ending::terminated, quotes);
}

}  // namespace trapline::eval
