#include "daemon/eval/format_suffix.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <string>
#include <vector>

namespace trapline::eval {

bool LiteralSkipper::code(std::size_t& at) {
  const char c = text_[at];
  if (quote_ != 0) {
    if (c == '\\')
      ++at;
    else if (c == quote_)
      quote_ = 0;
    return false;
  }
  // A quote behind a letter or a digit parts the digits of a number (1'000), but for the prefixes of literals.
  const char before = at == 0 ? ' ' : text_[at - 1];
  const bool parts_digits =
      std::isalnum(static_cast<unsigned char>(before)) != 0 && before != 'L' && before != 'u' && before != 'U';
  if (c == '"' || (c == '\'' && !parts_digits)) {
    quote_ = c;
    return false;
  }
  return true;
}

std::size_t closed(std::string_view text, std::size_t open) {
  const char opens = text[open], closes = opens == '(' ? ')' : opens == '[' ? ']' : '}';
  int depth = 0;
  LiteralSkipper skipper(text);
  for (std::size_t i = open; i < text.size(); ++i) {
    if (!skipper.code(i)) continue;
    if (text[i] == opens) ++depth;
    if (text[i] == closes && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

namespace {

using Radix = Format::Radix;
using Text = Format::Text;

struct Specifier {
  std::string_view text;
  void (*apply)(Format&);
};

void set_radix(Format& format, Radix radix, bool upper, bool bare) {
  format.radix = radix;
  format.upper = upper;
  format.bare = bare;
}
void set_text(Format& format, Text text, bool quoted) {
  format.text = text;
  format.quoted = quoted;
}
void nothing(Format&) {}  // of Windows only: error codes, window messages, heap blocks

// Longest first, as several may stand together: `xb`, `nasb`.
constexpr std::array<Specifier, 38> specifiers{{
    {"errno", [](Format& f) { f.error_number = true; }},
    {"bstr", [](Format& f) { set_text(f, Text::utf16, true); }},
    {"s32b", [](Format& f) { set_text(f, Text::utf32, false); }},
    {"s32", [](Format& f) { set_text(f, Text::utf32, true); }},
    {"s16b", [](Format& f) { set_text(f, Text::utf16, false); }},
    {"s16", [](Format& f) { set_text(f, Text::utf16, true); }},
    {"sub", [](Format& f) { set_text(f, Text::utf16, false); }},
    {"s8b", [](Format& f) { set_text(f, Text::utf8, false); }},
    {"nvo", nothing},
    {"sb", [](Format& f) { set_text(f, Text::bytes, false); }},
    {"s8", [](Format& f) { set_text(f, Text::utf8, true); }},
    {"su", [](Format& f) { set_text(f, Text::utf16, true); }},
    {"xb", [](Format& f) { set_radix(f, Radix::hexadecimal, false, true); }},
    {"hb", [](Format& f) { set_radix(f, Radix::hexadecimal, false, true); }},
    {"Xb", [](Format& f) { set_radix(f, Radix::hexadecimal, true, true); }},
    {"Hb", [](Format& f) { set_radix(f, Radix::hexadecimal, true, true); }},
    {"bb", [](Format& f) { set_radix(f, Radix::binary, false, true); }},
    {"en", [](Format& f) { f.enumerator = true; }},
    {"na", [](Format& f) { f.no_address = true; }},
    {"nd", [](Format& f) { f.no_derived = true; }},
    {"nr", [](Format& f) { f.no_raw_view = true; }},
    {"hr", nothing},
    {"hv", nothing},
    {"wc", nothing},
    {"wm", nothing},
    {"s", [](Format& f) { set_text(f, Text::bytes, true); }},
    {"x", [](Format& f) { set_radix(f, Radix::hexadecimal, false, false); }},
    {"h", [](Format& f) { set_radix(f, Radix::hexadecimal, false, false); }},
    {"X", [](Format& f) { set_radix(f, Radix::hexadecimal, true, false); }},
    {"H", [](Format& f) { set_radix(f, Radix::hexadecimal, true, false); }},
    {"d", [](Format& f) { set_radix(f, Radix::decimal, false, false); }},
    {"i", [](Format& f) { set_radix(f, Radix::decimal, false, false); }},
    {"o", [](Format& f) { set_radix(f, Radix::octal, false, false); }},
    {"b", [](Format& f) { set_radix(f, Radix::binary, false, false); }},
    {"c", [](Format& f) { f.character = true; }},
    {"e", [](Format& f) { f.real = Format::Real::scientific; }},
    {"g", [](Format& f) { f.real = Format::Real::natural; }},
    {"!", [](Format& f) { f.raw = true; }},
}};

constexpr std::array<Specifier, 6> gdb_specifiers{{
    {"u", [](Format& f) { f.radix = Radix::unsigned_decimal; }},
    {"z",
     [](Format& f) {
       f.radix = Radix::hexadecimal;
       f.padded = true;
     }},
    {"a", [](Format& f) { f.address = true; }},
    {"t", [](Format& f) { f.radix = Radix::binary; }},
    {"r", [](Format& f) { f.raw = true; }},
    {"f", nothing},
}};

struct Reader {
  std::string_view text;
  bool gdb = false;
  std::size_t at = 0;
  ParsedFormat out{};
  bool any = false;

  void blanks() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  }

  bool count() {
    if (!out.count.empty()) return false;
    if (text[at] == '[') {
      const std::size_t end = closed(text, at);
      if (end == std::string_view::npos || end - at < 3) return false;
      out.count = text.substr(at + 1, end - at - 2);
      at = end;
      return true;
    }
    const std::size_t begin = at;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
    out.count = text.substr(begin, at - begin);
    return at > begin;
  }

  bool word() {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("view(")) {
      const std::size_t end = rest.find(')');
      if (end == std::string_view::npos || end < 6) return false;
      out.format.view = std::string(rest.substr(5, end - 5));
      at += end + 1;
      return true;
    }
    const auto take = [&](const auto& table) {
      for (const Specifier& one : table)
        if (rest.starts_with(one.text)) {
          one.apply(out.format);
          at += one.text.size();
          return true;
        }
      return false;
    };
    return take(specifiers) || (gdb && take(gdb_specifiers));
  }

  // All of the text is specifiers.
  bool run() {
    bool comma = false;
    for (;; any = true) {
      blanks();
      if (at >= text.size()) return any && !comma;
      comma = false;
      const char c = text[at];
      if (any && c == ',') {
        ++at;
        comma = true;
        continue;
      }
      const bool number = c == '[' || std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (number ? !count() : !word()) return false;
    }
  }
};

// The commas outside of brackets and literals, last first.
std::vector<std::size_t> commas(std::string_view text) {
  std::vector<std::size_t> found;
  int depth = 0;
  LiteralSkipper skipper(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!skipper.code(i)) continue;
    const char c = text[i];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) found.insert(found.begin(), i);
  }
  return found;
}

}  // namespace

Format Format::inherited() const {
  Format below;
  below.radix = radix;
  below.upper = upper;
  below.bare = bare;
  below.padded = padded;
  below.real = real;
  below.no_address = no_address;
  below.no_derived = no_derived;
  return below;
}

SplitExpression split_format(std::string_view text, SuffixStyle style) {
  SplitExpression best{.expression = text, .count = {}, .format = {}};
  // `p,[n],s8`: the earliest comma from which on there is nothing but specifiers.
  for (const std::size_t comma : commas(text)) {
    const bool blank = comma + 1 < text.size() && (text[comma + 1] == ' ' || text[comma + 1] == '\t');
    if (blank && style == SuffixStyle::typed) break;
    if (text.substr(0, comma).find_first_not_of(" \t") == std::string_view::npos) break;
    Reader reader{.text = text.substr(comma + 1)};
    if (!reader.run()) break;
    best = {.expression = text.substr(0, comma), .count = reader.out.count, .format = reader.out.format};
  }
  return best;
}

Result<ParsedFormat> parse_format(std::string_view text) {
  if (text.find_first_not_of(" \t") == std::string_view::npos) return ParsedFormat{};
  Reader reader{.text = text, .gdb = true};
  if (!reader.run())
    return fail_hint(Errc::bad_request,
                     fmt::format("`{}` is no format", reader.at < text.size() ? text.substr(reader.at) : text),
                     "x X xb d u o b c e s sb s8 su s32 ! na nd view(name) [count] and their like");
  return std::move(reader.out);
}

Format merged(Format format, const Format& fallback) {
  if (format.radix == Radix::natural && !format.character && !format.address) {
    format.radix = fallback.radix;
    format.upper = fallback.upper;
    format.bare = fallback.bare;
    format.padded = fallback.padded;
  }
  if (format.text == Text::natural) {
    format.text = fallback.text;
    format.quoted = fallback.quoted;
  }
  if (format.real == Format::Real::natural) format.real = fallback.real;
  format.character = format.character || fallback.character;
  format.address = format.address || fallback.address;
  format.raw = format.raw || fallback.raw;
  format.no_address = format.no_address || fallback.no_address;
  format.no_derived = format.no_derived || fallback.no_derived;
  format.no_raw_view = format.no_raw_view || fallback.no_raw_view;
  if (!format.count) format.count = fallback.count;
  if (format.view.empty()) format.view = fallback.view;
  return format;
}

}  // namespace trapline::eval
