// Numbers as text: every radix, padded or bare, of up to 128 bits; floating values in scientific form.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/format.hpp"
#include "daemon/eval/number.hpp"

namespace trapline::eval {
namespace {

std::string in_radix(UInt128 value, unsigned base, bool upper) {
  const char* const digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string text;
  do {
    text += digits[static_cast<unsigned>(value % base)];
    value /= base;
  } while (value != 0);
  std::ranges::reverse(text);
  return text;
}

}  // namespace

std::string integer_text(Int128 value, std::size_t bytes, bool with_sign, const Format& format) {
  using Radix = Format::Radix;
  UInt128 bits = static_cast<UInt128>(value);
  if (bytes < 16) bits &= (UInt128{1} << (bytes * 8)) - 1;
  const auto written = [&](unsigned base, std::string_view prefix, std::size_t width) {
    std::string text = in_radix(bits, base, format.upper);
    if (format.padded && text.size() < width) text.insert(0, width - text.size(), '0');
    return format.bare ? text : std::string(prefix) + text;
  };
  switch (format.radix) {
    case Radix::hexadecimal: return written(16, "0x", bytes * 2);
    case Radix::binary: return written(2, "0b", bytes * 8);
    case Radix::octal: return bits == 0 ? "0" : written(8, "0", (bytes * 8 + 2) / 3);
    case Radix::unsigned_decimal: return text_of(bits);
    case Radix::decimal:  // of an unsigned value too: as the program means it
    case Radix::natural: break;
  }
  return with_sign ? text_of(value) : text_of(bits);
}

// Enough digits to read the same value back.
std::string scientific_text(const sym::Type* type, Quad value) {
  const auto size = type->strip()->size().value_or(8);
  if (size <= 8) return fmt::format("{:.{}e}", static_cast<double>(value), size <= 2 ? 4 : size == 4 ? 8 : 16);
  return fmt::format("{:.{}e}", static_cast<long double>(value), 20);
}

}  // namespace trapline::eval
