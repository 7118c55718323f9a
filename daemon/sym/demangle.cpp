// Names of the Itanium C++ ABI and of Rust (v0 and legacy), made readable; and the part of a demangled name that names
// the function. libiberty's demanglers: gcc's own, and written for names that may be damaged.
#include <libiberty/demangle.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/sym/module.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t longest_mangled = 16 * 1024;  // the demangler recurses; longer ones are shown as they are

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

// Length of an operator's symbol that stands right behind the word "operator"; 0 for conversion functions.
std::size_t operator_symbol_length(std::string_view rest) {
  constexpr std::string_view symbols[] = {
      "()", "[]", "<=>", "->*", "<<=", ">>=", "->", "<<", ">>", "<=", ">=", "==", "!=",
      "&&", "||", "++",  "--",  "+=",  "-=",  "*=", "/=", "%=", "^=", "&=", "|=", "<",
      ">",  "+",  "-",   "*",   "/",   "%",   "^",  "&",  "|",  "~",  "!",  "=",  ","};
  for (const auto symbol : symbols)
    if (rest.starts_with(symbol)) return symbol.size();
  return 0;
}

// Walks a demangled name and notes where the function's own name ends and where it begins (behind a return type).
struct NameBounds {
  std::size_t begin = 0;
  std::size_t end = 0;
};

NameBounds name_bounds(std::string_view text) {
  NameBounds bounds{0, text.size()};
  int angle = 0, round = 0;
  bool conversion = false;  // behind "operator": blanks belong to the name
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool top = angle == 0 && round == 0;
    if (text.substr(i).starts_with("operator") && (i == 0 || !word_char(text[i - 1])) &&
        (i + 8 >= text.size() || !word_char(text[i + 8]))) {
      const auto rest = text.substr(i + 8);
      const std::size_t skip = operator_symbol_length(rest);
      if (top) conversion = true;  // what follows belongs to the name: a type, or "operator<< <int>"
      i += 7 + skip;
      continue;
    }
    if (c == '<') ++angle;
    if (c == '>' && angle > 0 && text[i - 1] != '-') --angle;  // "fn(i32) -> i32" closes nothing
    if (c == '(') {
      if (top) {
        // "(anonymous namespace)" and the like are parts of a name, and so is a function that encloses a local one:
        // "main::{lambda()#1}" has braces, "f(int)::Local::run()" goes on with "::" behind the list.
        int depth = 0;
        std::size_t close = i;
        for (; close < text.size(); ++close) {
          if (text[close] == '(') ++depth;
          if (text[close] == ')' && --depth == 0) break;
        }
        if (close >= text.size()) return bounds;
        auto behind = text.substr(close + 1);
        if (behind.starts_with(" const")) behind.remove_prefix(6);
        if (!behind.starts_with("::")) {
          if (i > bounds.begin) {
            bounds.end = i;
            return bounds;
          }
        }
        i = close;
        continue;
      }
      ++round;
    }
    if (c == ')' && round > 0) --round;
    if (c == '{') {  // {lambda(int)#1}
      const auto close = text.find('}', i);
      if (close == std::string_view::npos) return bounds;
      i = close;
      continue;
    }
    if (c == '[' && top && text.substr(i).starts_with("[abi:")) {
      const auto close = text.find(']', i);
      if (close == std::string_view::npos) return bounds;
      i = close;
      continue;
    }
    if (c == ' ' && top && !conversion && i + 1 < text.size()) {
      const auto rest = text.substr(i + 1);
      // " const" closes a list that was passed over above; " [clone .part.0]" ends the name.
      if (rest.starts_with("[clone")) {
        bounds.end = i;
        return bounds;
      }
      if (!rest.starts_with("const::")) bounds.begin = i + 1;
    }
  }
  return bounds;
}

}  // namespace

bool is_mangled(std::string_view name) { return name.starts_with("_Z") || name.starts_with("_R"); }

std::string demangle(std::string_view name) {
  if (!is_mangled(name) || name.size() > longest_mangled) return std::string(name);
  const std::string text(name);
  // Rust first: its older scheme is a C++ name with a hash for the last component, which nobody wants to read.
  using Text = std::unique_ptr<char, decltype(&std::free)>;
  Text plain(rust_demangle(text.c_str(), DMGL_PARAMS | DMGL_TYPES), &std::free);
  if (!plain) plain = Text(cplus_demangle_v3(text.c_str(), DMGL_PARAMS | DMGL_TYPES), &std::free);
  return plain ? std::string(plain.get()) : text;
}

std::string without_parameters(std::string_view demangled) {
  const NameBounds bounds = name_bounds(demangled);
  return std::string(demangled.substr(bounds.begin, bounds.end - bounds.begin));
}

}  // namespace trapline::sym
