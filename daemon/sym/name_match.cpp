// Names as text: taken apart at "::" with an eye on templates, parameter lists and operators, and compared.
#include <algorithm>
#include <array>
#include <utility>

#include "daemon/sym/module.hpp"
#include "daemon/sym/name_text.hpp"
#include "daemon/sym/names.hpp"

namespace trapline::sym {
namespace {

// Behind "operator", or 0: "operator<<" has '<'s that open nothing.
std::size_t operator_end(std::string_view text, std::size_t at) {
  constexpr std::string_view word = "operator";
  if (!text.substr(at).starts_with(word) || (at > 0 && is_word(text[at - 1]))) return 0;
  std::size_t end = at + word.size();
  if (end < text.size() && is_word(text[end])) return 0;
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

// How compilers call a closure's class: gcc's "<lambda(int)>" in DWARF, "{lambda(int)#1}" in symbols, clang's "$_0",
// and
// "{lambda}" as we name one without a name; Rust's "{closure#0}" and "{{closure}}".
bool is_lambda(std::string_view component) {
  constexpr std::array<std::string_view, 6> begins{"<lambda", "{lambda", "$_", "{closure", "{{closure", "'lambda"};
  return std::ranges::any_of(begins, [&](auto begin) { return component.starts_with(begin); });
}
bool is_any_lambda(std::string_view wanted) {
  constexpr std::array<std::string_view, 6> words{"<lambda>",    "{lambda}",  "{closure}",
                                                  "{{closure}}", "<closure>", "'lambda'"};
  return std::ranges::find(words, wanted) != words.end();
}

// The list and the number of "{lambda(int)#1}".
struct Lambda {
  std::optional<std::string> list;
  std::string number;
};
Lambda lambda_parts(std::string_view component) {
  Lambda parts;
  const auto open = component.find('('), close = component.rfind(')');
  if (open != std::string_view::npos && close != std::string_view::npos && close > open)
    parts.list = component.substr(open + 1, close - open - 1);
  if (const auto hash = component.rfind('#'); hash != std::string_view::npos)
    parts.number = component.substr(hash + 1, component.size() - hash - 2);
  return parts;
}

bool lambda_fits(std::string_view wanted, std::string_view candidate) {
  if (!is_lambda(candidate)) return false;
  if (is_any_lambda(wanted) || wanted == candidate) return true;
  const Lambda want = lambda_parts(wanted), have = lambda_parts(candidate);
  if (!want.list || !have.list || !same_list(*want.list, *have.list)) return false;
  return want.number.empty() || want.number == have.number;
}

// A function that encloses what is asked for: "f(int) const" -> "f", but "(anonymous namespace)" stays.
std::string_view without_list(std::string_view component) {
  if (component.starts_with("operator") || is_lambda(component)) return component;
  const auto end = component.rfind(')');
  if (end == std::string_view::npos) return component;
  int depth = 0;
  for (std::size_t i = end + 1; i-- > 0;) {
    if (component[i] == ')') ++depth;
    if (component[i] == '(' && --depth == 0) return i == 0 ? component : component.substr(0, i);
  }
  return component;
}

bool is_glob(std::string_view component) {
  if (component.starts_with("operator") || is_lambda(component)) return false;
  if (component.find("<*>") != std::string_view::npos) return true;
  return component.substr(0, component.find_first_of("<(")).find_first_of("*?") != std::string_view::npos;
}

// A conversion's type: "operator std::string".
std::string normal_operator(std::string_view component) {
  return component.starts_with("operator ") ? "operator " + normal_types(component.substr(9)) : std::string(component);
}

std::string plain_component(std::string_view text) {
  std::string plain = without_blanks(text);
  for (const auto* other : {"{anonymous}", "<unnamed>", "(anonymous)", "`anonymousnamespace'"})
    if (plain == other) plain = "(anonymous namespace)";
  return plain;
}

bool component_fits(std::string_view wanted, std::string_view candidate) {
  if (is_lambda(wanted)) return lambda_fits(wanted, without_blanks(candidate));
  candidate = without_list(candidate);
  const std::string plain = without_blanks(candidate);
  if (wanted == plain) return true;
  const auto bare = without_template_arguments(candidate);
  if (is_glob(wanted)) return glob_fits(wanted, plain) || glob_fits(wanted, without_blanks(bare));
  if (wanted.starts_with("operator ")) return normal_operator(wanted) == normal_operator(plain);
  if (wanted == without_template_arguments(wanted)) return wanted == without_blanks(bare);
  // Of a template both have arguments, perhaps in two spellings.
  return without_template_arguments(wanted) == without_blanks(bare) && normal_types(wanted) == normal_types(candidate);
}

// Scopes that a name may be written without.
bool skippable(std::string_view component) {
  return component == "(anonymous namespace)" || component == "__cxx11" || component == "__1" ||
         component == "__debug" || component.starts_with("_V") ||  // std::_V2, libstdc++'s versioned namespaces
         component.starts_with("{impl#");                          // Rust: the block that implements a trait
}

bool components_fit(const NameQuery& query, const std::vector<std::string_view>& candidate) {
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

// Rust's "<a::T as b::Trait>::f" is f of T and f of Trait; "<a::T>::f" is f of T. No trait: empty.
struct Qualified {
  std::string type, trait;
};
std::optional<Qualified> qualified_self(std::string_view name) {
  if (!name.starts_with('<') || is_lambda(name)) return std::nullopt;
  const auto parts = split_scopes(name);
  if (parts.size() < 2 || !parts[0].ends_with('>')) return std::nullopt;
  const std::string rest(name.substr(parts[0].size()));
  const auto self = parts[0].substr(1, parts[0].size() - 2);
  int depth = 0;
  for (std::size_t i = 0; i < self.size(); ++i) {
    if (self[i] == '<') ++depth;
    if (self[i] == '>' && (i == 0 || self[i - 1] != '-')) --depth;
    if (depth == 0 && self.substr(i).starts_with(" as "))
      return Qualified{std::string(self.substr(0, i)) + rest, std::string(self.substr(i + 4)) + rest};
  }
  return Qualified{std::string(self) + rest, {}};
}

}  // namespace

std::vector<std::string_view> split_scopes(std::string_view name) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (const auto end = operator_end(name, i); end != 0) {
      // Of a conversion all of the type is meant: "operator std::string".
      if (depth == 0 && name[end - 1] == ' ' && !name.substr(end).starts_with('<')) break;
      i = end - 1;
      continue;
    }
    const char c = name[i];
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if (c == '>' && i > 0 && name[i - 1] == '-') continue;  // "fn(i32) -> i32"
    if ((c == '>' || c == ')' || c == '}' || c == ']') && depth > 0) --depth;
    // Rust's "f::<3>" is one component; gcc's "f::<lambda(int)>" is two.
    const bool turbofish = name.substr(i).starts_with("::<") && begin < i && !is_lambda(name.substr(i + 2));
    if (depth == 0 && !turbofish && name.substr(i).starts_with("::")) {
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
  if (component.starts_with('<')) return component;  // "<lambda(int)>", "<T as Trait>"
  auto open = component.find('<', from);
  if (open == std::string_view::npos || open == 0) return component;
  while (open > 0 && component[open - 1] == ' ') --open;
  if (component.substr(0, open).ends_with("::")) open -= 2;  // Rust's "f::<3>"
  // A conversion function's type may be a template: "operator Box<int>" is a name as it stands.
  if (component.starts_with("operator ") && is_word(component[9])) return component;
  return component.substr(0, open);
}

NameQuery parse_name(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  NameQuery query;
  if (const auto pattern = Regex::pattern_in(text); !pattern.empty()) {
    auto regex = Regex::compile(pattern);
    if (regex)
      query.regex = *std::move(regex);
    else
      query.problem = regex.error().message;
    return query;
  }
  if (text.starts_with("::")) {
    query.anchored = true;
    text.remove_prefix(2);
  }
  const std::string name = without_parameters(text);
  if (const auto list = parameters_of(text)) query.parameters = std::string(*list);
  std::string path = name;
  if (auto self = qualified_self(name)) {
    path = std::move(self->type);
    for (const auto part : split_scopes(self->trait)) query.of_trait.push_back(without_blanks(part));
    if (self->trait.empty()) query.of_trait.clear();
  }
  for (const auto part : split_scopes(path)) query.components.push_back(plain_component(without_list(part)));
  // A lambda is its operator(), which alone has code. Rust's closure is a function itself.
  const auto& last = query.components.back();
  if (is_lambda(last) && last.find("closure") == std::string::npos) query.components.emplace_back("operator()");
  return query;
}

bool NameQuery::every_name() const {
  return regex || (!components.empty() && (is_glob(components.back()) || is_lambda(components.back())));
}

std::string_view NameQuery::base() const {
  return components.empty() ? std::string_view{} : without_template_arguments(components.back());
}

bool name_fits(const NameQuery& query, std::string_view qualified_name) {
  if (query.regex) return query.regex->found_in(qualified_name);
  if (query.components.empty()) return false;
  if (!query.of_trait.empty()) {
    const auto self = qualified_self(qualified_name);
    NameQuery trait;
    trait.components = query.of_trait;
    return self && components_fit(query, split_scopes(self->type)) && components_fit(trait, split_scopes(self->trait));
  }
  if (components_fit(query, split_scopes(qualified_name))) return true;
  const auto self = qualified_self(qualified_name);
  return self && (components_fit(query, split_scopes(self->type)) ||
                  (!self->trait.empty() && components_fit(query, split_scopes(self->trait))));
}

bool parameters_fit(const NameQuery& query, std::string_view demangled) {
  if (!query.parameters) return true;
  const auto list = parameters_of(demangled);
  return !list || same_list(*query.parameters, *list);
}

}  // namespace trapline::sym
