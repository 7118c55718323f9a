#include "daemon/natvis/names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace trapline::natvis {

namespace {

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || (c & 0x80) != 0;
}

bool is_elaboration(std::string_view word) {
  return word == "struct" || word == "class" || word == "union" || word == "enum" || word == "typename";
}

// Inline namespaces that libraries version their ABI with.
bool is_inline_namespace(std::string_view word) {
  static constexpr std::array<std::string_view, 4> known{"__cxx11", "_V2", "__ndk1", "__fs"};
  if (std::ranges::find(known, word) != known.end()) return true;
  return word.size() > 2 && word.starts_with("__") &&
         std::ranges::all_of(word.substr(2), [](unsigned char c) { return std::isdigit(c) != 0; });  // std::__1
}

bool is_arithmetic_word(std::string_view word) {
  static constexpr std::array<std::string_view, 7> words{"unsigned", "signed", "long",  "short",
                                                         "int",      "char",   "double"};
  return std::ranges::find(words, word) != words.end();
}

// `long unsigned int` and `unsigned long` are one type.
std::string canonical_arithmetic(const std::vector<std::string>& words) {
  const auto count = [&](std::string_view word) { return std::ranges::count(words, word); };
  std::string out;
  const auto add = [&](std::string_view word) { out += (out.empty() ? "" : " ") + std::string(word); };
  if (count("char") > 0) {
    if (count("unsigned") > 0) add("unsigned");
    if (count("signed") > 0) add("signed");
    add("char");
    return out;
  }
  if (count("unsigned") > 0) add("unsigned");
  for (auto n = count("long"); n > 0; --n) add("long");
  if (count("short") > 0) add("short");
  if (count("double") > 0) add("double");
  if (count("long") == 0 && count("short") == 0 && count("double") == 0) add("int");
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  TypePattern name(int depth, bool argument) {
    TypePattern out;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (argument && (c == ',' || c == '>')) break;
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else if (word_char(c)) {
        word(out);
      } else if (c == '<' && depth < 64 && !out.tokens.empty() && !ends_with_operator(out)) {
        arguments(out, depth);
      } else if (c == '(' || c == '{' || c == '[' || c == '\'' || c == '"') {
        out.tokens.push_back({group(c), {}, {}});
      } else if (text_.substr(at_, 2) == "::") {
        at_ += 2;
        if (!out.tokens.empty()) out.tokens.push_back({"::", {}, {}});  // a leading one says nothing
      } else {
        out.tokens.push_back({std::string(1, c), {}, {}});
        ++at_;
      }
    }
    settle(out);
    return out;
  }

 private:
  static bool ends_with_operator(const TypePattern& name) { return name.tokens.back().text == "operator"; }

  void word(TypePattern& out) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && word_char(text_[at_])) ++at_;
    std::string_view word = text_.substr(begin, at_ - begin);
    if (is_elaboration(word)) return;
    if (std::isdigit(static_cast<unsigned char>(word[0])) != 0 && !word.starts_with("0x"))
      while (word.size() > 1 && std::string_view("uUlL").find(word.back()) != std::string_view::npos)
        word.remove_suffix(1);
    out.tokens.push_back({std::string(word), {}, {}});
  }

  void arguments(TypePattern& out, int depth) {
    const std::size_t begin = at_++;
    NameToken token;
    while (at_ < text_.size() && text_[at_] != '>') {
      token.arguments.push_back(name(depth + 1, true));
      if (at_ < text_.size() && text_[at_] == ',') ++at_;
    }
    if (token.arguments.size() == 1 && token.arguments[0].tokens.empty()) token.arguments.clear();  // `< >`
    if (at_ < text_.size()) ++at_;
    token.written = std::string(text_.substr(begin, at_ - begin));
    out.tokens.push_back(std::move(token));
  }

  // A function's parameters, a lambda, a literal: as it stands, without spaces.
  std::string group(char open) {
    const char close = open == '(' ? ')' : open == '{' ? '}' : open == '[' ? ']' : open;
    std::string out;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != ' ') out += c;
      if (open != close && c == open) ++depth;
      if (c == close && (open == close ? out.size() > 1 : --depth == 0)) break;
    }
    return out;
  }

  // Words of arithmetic types become one token; `int const` becomes `const int`.
  static void settle(TypePattern& name) {
    std::vector<NameToken> tokens;
    for (std::size_t i = 0; i < name.tokens.size();) {
      std::vector<std::string> words;
      std::size_t end = i;
      while (end < name.tokens.size() && is_arithmetic_word(name.tokens[end].text))
        words.push_back(name.tokens[end++].text);
      if (words.empty()) {
        tokens.push_back(std::move(name.tokens[i++]));
      } else {
        tokens.push_back({canonical_arithmetic(words), {}, {}});
        i = end;
      }
    }
    const bool simple = std::ranges::none_of(tokens, [](const NameToken& t) { return t.text == "*" || t.text == "&"; });
    if (simple && tokens.size() > 1 && tokens.back().text == "const") std::ranges::rotate(tokens, tokens.end() - 1);
    name.tokens = std::move(tokens);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string text_of(const TypePattern& name) {
  std::string out;
  for (const NameToken& token : name.tokens) {
    if (token.text.empty()) {
      out += token.written;
      continue;
    }
    if (!out.empty() && word_char(out.back()) && word_char(token.text[0])) out += ' ';
    out += token.text;
  }
  return out;
}

const sym::Type* argument_type(const sym::Type* type, std::size_t index, std::size_t count) {
  if (type == nullptr || type->template_arguments().size() != count) return nullptr;
  const sym::TemplateArgument& argument = type->template_arguments()[index];
  return argument.value ? nullptr : argument.type;
}

class Matcher {
 public:
  std::vector<Capture> captures;

  bool match(const TypePattern& pattern, const TypePattern& name, const sym::Type* type) {
    const auto& p = pattern.tokens;
    const auto& n = name.tokens;
    std::size_t i = 0, j = 0;
    while (i < p.size()) {
      while (j + 1 < n.size() && is_inline_namespace(n[j].text) && n[j + 1].text == "::" && p[i].text != n[j].text)
        j += 2;
      if (j >= n.size()) return false;
      if (p[i].text.empty() != n[j].text.empty()) return false;
      if (p[i].text.empty()) {
        const bool last = j + 1 == n.size();
        if (!arguments(p[i].arguments, n[j].arguments, last ? type : nullptr)) return false;
      } else if (p[i].text != n[j].text) {
        return false;
      }
      ++i;
      ++j;
    }
    return j == n.size();
  }

 private:
  bool arguments(const std::vector<TypePattern>& pattern, const std::vector<TypePattern>& name, const sym::Type* type) {
    const bool open = !pattern.empty() && pattern.back().wildcard();
    if (open ? name.size() + 1 < pattern.size() : name.size() != pattern.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
      const TypePattern& wanted = pattern[std::min(i, pattern.size() - 1)];
      const sym::Type* each = argument_type(type, i, name.size());
      if (wanted.wildcard()) {
        captures.push_back({text_of(name[i]), each});
      } else {
        if (!match(wanted, name[i], each == nullptr ? nullptr : each->strip())) return false;
      }
    }
    return true;
  }
};

}  // namespace

bool TypePattern::wildcard() const { return tokens.size() == 1 && tokens[0].text == "*"; }

std::size_t TypePattern::literals() const {
  if (wildcard()) return 0;
  std::size_t count = 0;
  for (const NameToken& token : tokens) {
    if (!token.text.empty()) ++count;
    for (const TypePattern& argument : token.arguments) count += argument.literals();
  }
  return count;
}

bool TypePattern::exact() const {
  if (wildcard()) return false;
  return std::ranges::all_of(tokens, [](const NameToken& token) {
    return std::ranges::all_of(token.arguments, [](const TypePattern& argument) { return argument.exact(); });
  });
}

std::string TypePattern::last_name() const {
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token)
    if (!token->text.empty()) return token->text;
  return {};
}

TypePattern parse_name(std::string_view name) { return Reader(name).name(0, false); }

std::optional<std::vector<Capture>> match_symbol(std::string_view pattern, std::string_view symbol) {
  if (pattern.ends_with(" *")) {
    const std::string_view prefix = pattern.substr(0, pattern.size() - 1);
    if (!symbol.starts_with(prefix)) return std::nullopt;
    return std::vector<Capture>{{std::string(symbol.substr(prefix.size())), nullptr}};
  }
  if (symbol.ends_with(" const")) symbol.remove_suffix(6);
  TypePattern name = parse_name(symbol);
  while (!name.tokens.empty() && name.tokens.back().text.starts_with('(')) name.tokens.pop_back();
  auto found = match(parse_name(pattern), name, nullptr);
  if (found)
    for (Capture& each : *found) {
      static constexpr std::string_view tight = "(anonymousnamespace)";
      for (std::size_t at = 0; (at = each.text.find(tight, at)) != std::string::npos; at += tight.size())
        each.text.replace(at, tight.size(), "(anonymous namespace)");
    }
  return found;
}

std::optional<std::vector<Capture>> match(const TypePattern& pattern, const TypePattern& name, const sym::Type* type) {
  Matcher matcher;
  if (!matcher.match(pattern, name, type)) return std::nullopt;
  return std::move(matcher.captures);
}

}  // namespace trapline::natvis
