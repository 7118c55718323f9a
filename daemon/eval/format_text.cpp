// Values read as text because the user says so (,s ,s8 ,su ,s32 and their bare forms): pointers to anything, arrays
// of integers; up to the terminator, or as many units as the count says, zeros among them.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/format.hpp"
#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/text.hpp"

namespace trapline::eval {

using sym::Builtin;
using sym::Type;
using sym::TypeKind;

namespace {

// The units' type gives the prefix: the program's own where it has that size, else the one that the specifier names.
const Type* unit_of(Format::Text text, const Type* own) {
  const auto size = own->strip()->size().value_or(1);
  switch (text) {
    case Format::Text::utf16: return size == 2 && is_character(own) ? own : sym::builtin(Builtin::char16);
    case Format::Text::utf32: return size == 4 && is_character(own) ? own : sym::builtin(Builtin::char32);
    case Format::Text::utf8: return is_character(own) && size == 1 ? own : sym::builtin(Builtin::char8);
    default: return sym::builtin(Builtin::char_);
  }
}

bool integral_element(const Type* type) { return is_integral(type) || is_enumeration(type); }

}  // namespace

std::optional<std::string> Printer::as_text(const Value& value) const {
  const Type* plain = value.type->strip();
  const Format& format = options_.format;
  const bool pointer = plain->kind() == TypeKind::pointer;
  if (!pointer && (plain->kind() != TypeKind::array || !integral_element(plain->target()))) return std::nullopt;
  if (plain->target()->strip()->kind() == TypeKind::pointer) return std::nullopt;
  const Type* unit = unit_of(format.text, plain->target());
  const std::size_t size = static_cast<std::size_t>(unit->size().value_or(1));
  const std::size_t limit = std::max<std::size_t>(options_.limits.max_string / size * size, size);
  std::uint64_t at = 0;
  if (pointer) {
    const auto bits = pointer_bits(*view_.memory, value);
    if (!bits) return problem_text(bits.error());
    if (*bits == 0) return address(0);
    at = *bits;
    if (!format.count) {
      const StringRead read =
          read_string(*view_.memory, unit, LoadAddr{at}, limit, format.quoted ? Quotes::with : Quotes::without);
      if (read.readable) return read.text;
      return fmt::format("{:#x} <error: nothing readable there>", at);
    }
  }
  std::uint64_t bytes = 0;
  if (format.count) {
    if (__builtin_mul_overflow(*format.count, size, &bytes)) return "<error: an impossible length>";
  } else {
    const auto whole = size_of(view_, plain);
    if (!whole) return problem_text(whole.error());
    bytes = *whole / size * size;
  }
  const std::uint64_t shown = std::min<std::uint64_t>(bytes, limit);
  if (!pointer)
    if (const auto whole = size_of(view_, plain); whole && shown > *whole)
      return fmt::format("<error: {} units of text in {} bytes>", *format.count, *whole);
  const Value from = pointer ? in_memory(sym::builtin(Builtin::char_), LoadAddr{at}) : value;
  const auto held = read_bytes(*view_.memory, from, 0, shown);
  if (!held) return problem_text(held.error());
  return string_of(unit, *held, shown < bytes, format.count ? Ending::counted : Ending::terminated,
                   format.quoted ? Quotes::with : Quotes::without)
      .text;
}

}  // namespace trapline::eval
