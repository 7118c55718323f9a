#include "daemon/sym/name_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "daemon/sym/module.hpp"

namespace trapline::sym {
namespace {

constexpr std::string_view opening = "<([{", closing = ">)]}";

bool opens(char c) { return opening.find(c) != std::string_view::npos; }
bool closes(std::string_view text, std::size_t at) {
  if (text[at] == '>' && at > 0 && text[at - 1] == '-') return false;  // "fn(i32) -> i32"
  return closing.find(text[at]) != std::string_view::npos;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Only whole words, and not the end of a longer name ("my::size_t").
void replace_word(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    const auto end = at + from.size();
    const bool whole = (at == 0 || (!is_word(text[at - 1]) && text[at - 1] != ':')) &&
                       (end == text.size() || (!is_word(text[end]) && text[end] != ':'));
    if (whole) text.replace(at, from.size(), to);
    at += whole ? to.size() : from.size();
  }
}

// Types that a demangler never prints: they are other names of these, on this machine's ABI.
constexpr std::array<std::pair<std::string_view, std::string_view>, 27> aliases{{
    {"size_t", "unsigned long"},
    {"ssize_t", "long"},
    {"ptrdiff_t", "long"},
    {"intptr_t", "long"},
    {"uintptr_t", "unsigned long"},
    {"int8_t", "signed char"},
    {"uint8_t", "unsigned char"},
    {"int16_t", "short"},
    {"uint16_t", "unsigned short"},
    {"int32_t", "int"},
    {"uint32_t", "unsigned int"},
    {"int64_t", "long"},
    {"uint64_t", "unsigned long"},
    {"off_t", "long"},
    {"pid_t", "int"},
    {"nullptr_t", "decltype(nullptr)"},
    {"long unsigned int", "unsigned long"},  // as gcc's DWARF spells them
    {"short unsigned int", "unsigned short"},
    {"long long unsigned int", "unsigned long long"},
    {"long unsigned", "unsigned long"},
    {"unsigned long int", "unsigned long"},
    {"unsigned short int", "unsigned short"},
    {"unsigned long long int", "unsigned long long"},
    {"long long int", "long long"},
    {"long int", "long"},
    {"short int", "short"},
    {"signed int", "int"},
}};

// ",std::allocator<T>" and the like at the end of template arguments. Custom ones have other names and stay.
void drop_defaults(std::string& text) {
  constexpr std::array<std::string_view, 6> defaults{",std::allocator<", ",std::char_traits<", ",std::less<",
                                                     ",std::hash<",      ",std::equal_to<",    ",std::default_delete<"};
  for (bool again = true; std::exchange(again, false);) {
    for (const auto argument : defaults) {
      for (auto at = text.find(argument); at != std::string::npos; at = text.find(argument, at)) {
        std::size_t end = at + argument.size();
        for (int depth = 1; end < text.size() && depth > 0; ++end) {
          if (opens(text[end])) ++depth;
          if (closes(text, end)) --depth;
        }
        if (end < text.size() && text[end] == '>') {  // else an argument follows: this one was given
          text.erase(at, end - at);
          again = true;  // what stood before it is last now
        } else {
          at += argument.size();
        }
      }
    }
  }
}

// "Fixed<3ul>" -> "Fixed<3>".
void drop_suffixes(std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0 || (i > 0 && is_word(text[i - 1]))) continue;
    std::size_t end = i;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    const std::size_t digits = end;
    while (end < text.size() && std::string_view("uUlL").find(text[end]) != std::string_view::npos) ++end;
    if (end < text.size() && is_word(text[end])) continue;
    text.erase(digits, end - digits);
    i = digits;
  }
}

// "const T*" -> "T const*".
void move_const(std::string& text) {
  for (auto at = text.find("const "); at != std::string::npos; at = text.find("const ", at + 1)) {
    if (at > 0 && is_word(text[at - 1])) continue;
    if (at > 1 && text[at - 1] == ' ') continue;
    std::size_t end = at + 6;
    for (int depth = 0; end < text.size(); ++end) {
      if (depth == 0 && (std::string_view("*&,").find(text[end]) != std::string_view::npos || closes(text, end))) break;
      if (opens(text[end])) ++depth;
      if (closes(text, end)) --depth;
    }
    std::string type = text.substr(at + 6, end - at - 6);
    if (type.ends_with(" const")) type.resize(type.size() - 6);
    text.replace(at, end - at, type + " const");
  }
}

// A name with its scopes, or one character that is no part of a name.
std::string_view next_token(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_word(text[end]) || text[end] == ':')) ++end;
  return text.substr(0, std::max<std::size_t>(end, 1));
}

// Name by name, those of `wanted` may lack scopes: "vector<Point>const&" is "std::vector<ns::Point>const&".
bool same_but_scopes(std::string_view wanted, std::string_view candidate) {
  while (!wanted.empty() && !candidate.empty()) {
    const auto want = next_token(wanted), have = next_token(candidate);
    const bool suffix = have.size() > want.size() + 2 && have.ends_with(want) && !want.starts_with(':') &&
                        have.substr(0, have.size() - want.size()).ends_with("::");
    if (want != have && !suffix) return false;
    wanted.remove_prefix(want.size());
    candidate.remove_prefix(have.size());
  }
  return wanted.empty() && candidate.empty();
}

}  // namespace

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

std::string without_blanks(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ') {
      out += text[i];
      continue;
    }
    const auto next = text.find_first_not_of(' ', i);
    if (!out.empty() && next != std::string_view::npos && is_word(out.back()) && is_word(text[next])) out += ' ';
  }
  return out;
}

std::string normal_types(std::string_view text) {
  std::string out = without_blanks(text);
  for (const auto* inner : {"__cxx11::", "__1::", "__debug::", "(anonymous namespace)::"}) replace_all(out, inner, "");
  for (const auto& [alias, type] : aliases) {
    replace_word(out, std::string("std::").append(alias), type);
    replace_word(out, alias, type);
  }
  replace_word(out, "unsigned", "unsigned int");
  for (const auto* kind : {"long", "short", "char", "int", "__int128"})
    replace_all(out, std::string("unsigned int ") + kind, std::string("unsigned ") + kind);
  replace_word(out, "unsigned long int", "unsigned long");
  drop_defaults(out);
  for (const auto* view : {"string_view", "string"}) {
    const std::string base = std::string_view(view) == "string" ? "basic_string" : "basic_string_view";
    replace_all(out, "std::" + base + "<char>", std::string("std::") + view);
    replace_all(out, "std::" + base + "<wchar_t>", std::string("std::w") + view);
  }
  drop_suffixes(out);
  move_const(out);
  std::erase(out, ' ');
  return out;
}

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts;
  std::string text = without_blanks(list);
  if (text.empty() || text == "void") return parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (opens(text[i])) ++depth;
    if (closes(text, i)) --depth;
    if (depth == 0 && text[i] == ',') {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(text.substr(begin));
  return parts;
}

bool same_list(std::string_view wanted, std::string_view candidate) {
  const auto want = split_list(wanted), have = split_list(candidate);
  return std::ranges::equal(want, have, [](const std::string& a, const std::string& b) {
    return same_but_scopes(normal_types(a), normal_types(b));
  });
}

std::optional<std::string_view> parameters_of(std::string_view demangled) {
  const std::string name = without_parameters(demangled);
  const auto at = demangled.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = demangled.substr(at + name.size());
  if (!rest.starts_with('(')) return std::nullopt;
  int depth = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '(') ++depth;
    if (rest[i] == ')' && --depth == 0) return rest.substr(1, i - 1);
  }
  return std::nullopt;
}

bool glob_fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {  // let the last star take one more
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace trapline::sym
