// Names as text: taken apart at "::" with an eye on templates, parameter lists and operators, and compared.
#include <algorithm>
#include <array>
#include <cctype>

#include "daemon/sym/module.hpp"
#include "daemon/sym/names.hpp"

namespace trapline::sym {
namespace {

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

// Behind "operator", or 0: "operator<<" has '<'s that open nothing.
std::size_t operator_end(std::string_view text, std::size_t at) {
  constexpr std::string_view word = "operator";
  if (!text.substr(at).starts_with(word) || (at > 0 && word_char(text[at - 1]))) return 0;
  std::size_t end = at + word.size();
  if (end < text.size() && word_char(text[end])) return 0;
  while (end < text.size() && text[end] == ' ') ++end;
  constexpr std::array<std::string_view, 9> long_ones{"<=>", "->*", "<<=", ">>=", "()", "[]", "<<", ">>", "->"};
  for (const auto symbol : long_ones)
    if (text.substr(end).starts_with(symbol)) return end + symbol.size();
  while (end < text.size() && std::string_view("<>=+-*/%^&|~!,").find(text[end]) != std::string_view::npos) {
    // "operator<<int>" is taken for << by compilers too (maximal munch); "operator< <int>" has its blank.
    ++end;
    if (end < text.size() && text[end] == '<' && text[end - 1] != '<') break;
  }
  return end;
}

// Blanks stay only where they keep two words apart; the list of no parameters is "".
std::string without_blanks(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ') {
      out += text[i];
      continue;
    }
    const auto next = text.find_first_not_of(' ', i);
    if (!out.empty() && next != std::string_view::npos && word_char(out.back()) && word_char(text[next])) out += ' ';
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// "const char*" and "char const*" are the same; so are std::string and what it stands for.
std::string normal_parameters(std::string_view text) {
  std::string out = without_blanks(text);
  if (out == "void") return {};
  replace_all(out, "std::__cxx11::basic_string<char,std::char_traits<char>,std::allocator<char>>", "std::string");
  replace_all(out, "std::__cxx11::", "std::");
  replace_all(out, "std::__1::", "std::");
  for (auto at = out.find("const "); at != std::string::npos; at = out.find("const ", at + 1)) {
    if (at > 0 && word_char(out[at - 1])) continue;
    std::size_t end = at + 6;
    for (int depth = 0; end < out.size(); ++end) {
      if (out[end] == '<') ++depth;
      if (out[end] == '>') --depth;
      if (depth == 0 && (out[end] == '*' || out[end] == '&' || out[end] == ',' || out[end] == ')')) break;
    }
    const std::string type = out.substr(at + 6, end - at - 6);
    out.replace(at, end - at, type + " const");
  }
  std::erase(out, ' ');
  return out;
}

// The text between the parentheses that stand right behind `name` in `demangled`.
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

bool component_fits(std::string_view wanted, std::string_view candidate) {
  const std::string plain = without_blanks(candidate);
  if (wanted == plain) return true;
  return wanted == without_template_arguments(wanted) &&
         wanted == without_blanks(without_template_arguments(candidate));
}

// Scopes that a name may be written without.
bool skippable(std::string_view component) {
  return component == "(anonymous namespace)" || component == "__cxx11" || component == "__1" ||
         component.starts_with("_V");  // std::_V2, libstdc++'s versioned namespaces
}

}  // namespace

std::vector<std::string_view> split_scopes(std::string_view name) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (const auto end = operator_end(name, i); end != 0) {
      i = end - 1;
      continue;
    }
    const char c = name[i];
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if ((c == '>' || c == ')' || c == '}' || c == ']') && depth > 0) --depth;
    if (depth == 0 && name.substr(i).starts_with("::")) {
      parts.push_back(name.substr(begin, i - begin));
      begin = i + 2;
      ++i;
    }
  }
  parts.push_back(name.substr(begin));
  return parts;
}

std::string_view without_template_arguments(std::string_view component) {
  std::size_t from = 0;
  if (const auto end = operator_end(component, 0); end != 0) from = end;
  if (component.starts_with('<')) return component;  // "<lambda(int)>"
  auto open = component.find('<', from);
  if (open == std::string_view::npos || open == 0) return component;
  while (open > 0 && component[open - 1] == ' ') --open;
  // A conversion function's type may be a template: "operator Box<int>" is a name as it stands.
  if (component.starts_with("operator ") && word_char(component[9])) return component;
  return component.substr(0, open);
}

NameQuery parse_name(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  NameQuery query;
  if (text.starts_with("::")) {
    query.anchored = true;
    text.remove_prefix(2);
  }
  const std::string name = without_parameters(text);
  if (const auto list = parameters_of(text)) query.parameters = normal_parameters(*list);
  for (const auto part : split_scopes(name)) query.components.push_back(without_blanks(part));
  return query;
}

bool name_fits(const NameQuery& query, std::string_view qualified_name) {
  const auto candidate = split_scopes(qualified_name);
  std::size_t at = candidate.size();
  for (auto wanted = query.components.rbegin(); wanted != query.components.rend(); ++wanted) {
    const bool last = wanted == query.components.rbegin();
    while (!last && at > 0 && skippable(candidate[at - 1]) && !component_fits(*wanted, candidate[at - 1])) --at;
    if (at == 0 || !component_fits(*wanted, candidate[at - 1])) return false;
    --at;
  }
  if (!query.anchored) return true;
  return std::all_of(candidate.begin(), candidate.begin() + static_cast<std::ptrdiff_t>(at), skippable);
}

bool parameters_fit(const NameQuery& query, std::string_view demangled) {
  if (!query.parameters) return true;
  const auto list = parameters_of(demangled);
  return !list || normal_parameters(*list) == *query.parameters;
}

}  // namespace trapline::sym
