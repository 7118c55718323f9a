#include "client/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace trapline::client {
namespace {

constexpr std::array<std::string_view, 75> keywords{
    "alignas",   "auto",    "bool",      "break",    "case",      "catch",    "char",     "class",        "co_await",
    "co_return", "const",   "constexpr", "continue", "decltype",  "default",  "delete",   "do",           "double",
    "else",      "enum",    "explicit",  "extern",   "false",     "final",    "float",    "fn",           "for",
    "friend",    "goto",    "if",        "impl",     "inline",    "int",      "let",      "long",         "loop",
    "match",     "mod",     "mut",       "mutable",  "namespace", "new",      "noexcept", "nullptr",      "operator",
    "override",  "private", "protected", "pub",      "public",    "requires", "return",   "self",         "short",
    "signed",    "sizeof",  "static",    "struct",   "switch",    "template", "this",     "thread_local", "throw",
    "trait",     "true",    "try",       "typedef",  "typename",  "union",    "unsigned", "use",          "using",
    "virtual",   "void",    "while"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::size_t string_end(std::string_view line, std::size_t begin) {
  const char quote = line[begin];
  std::size_t at = begin + 1;
  while (at < line.size() && line[at] != quote) at += line[at] == '\\' ? 2 : 1;
  return std::min(at + 1, line.size());
}

}  // namespace

std::string Paint::wrap(std::string_view code, std::string_view text) const {
  return colours_ && !text.empty() ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

std::string Paint::code(std::string_view line, bool& in_comment) const {
  if (!colours_) return std::string(line);
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const auto rest = line.substr(at);
    std::size_t size = 1;
    if (in_comment || rest.starts_with("/*")) {
      const auto end = rest.find("*/", in_comment ? 0 : 2);
      in_comment = end == std::string_view::npos;
      size = in_comment ? rest.size() : end + 2;
      out += dim(rest.substr(0, size));
    } else if (rest.starts_with("//")) {
      size = rest.size();
      out += dim(rest);
    } else if (rest.front() == '"' || (rest.front() == '\'' && (at == 0 || !is_word(line[at - 1])))) {
      size = string_end(line, at) - at;
      out += green(rest.substr(0, size));
    } else if (is_word(rest.front())) {
      size = static_cast<std::size_t>(std::ranges::find_if_not(rest, is_word) - rest.begin());
      const auto word = rest.substr(0, size);
      if (std::ranges::find(keywords, word) != keywords.end())
        out += blue(word);
      else if (std::isdigit(static_cast<unsigned char>(word.front())))
        out += cyan(word);
      else
        out += word;
    } else {
      out += rest.front();
    }
    at += size;
  }
  return out;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string source_lines(const Paint& paint, const std::vector<std::string>& lines, std::uint32_t first,
                         std::uint32_t last, std::uint32_t current) {
  std::string out;
  bool in_comment = false;
  for (std::uint32_t number = std::max(first, 1u); number <= last && number <= lines.size(); ++number) {
    const bool here = number == current;
    const auto mark = here ? paint.yellow("=>") : std::string("  ");
    const auto label = fmt::format("{:5}", number);
    out += fmt::format("{} {}  {}\n", mark, here ? paint.bold(label) : paint.dim(label),
                       paint.code(lines[number - 1], in_comment));
  }
  return out;
}

std::string frame_line(const Paint& paint, const proto::FrameInfo& frame, std::string_view arguments) {
  if (frame.kind == proto::FrameKind::broken)
    return fmt::format("#{:<2} {}", frame.level, paint.red(fmt::format("the stack ends here: {}", frame.function)));
  auto text = fmt::format("#{:<2} {} ({})", frame.level, paint.yellow(frame.function), arguments);
  if (frame.kind == proto::FrameKind::inlined) text += paint.dim(" [inlined]");
  if (frame.kind == proto::FrameKind::signal_handler) text += paint.dim(" <signal handler called>");
  if (frame.line.value != 0)
    text += fmt::format(" at {}:{}", paint.green(frame.file.empty() ? "?" : base_name(frame.file)), frame.line.value);
  else
    text += fmt::format(" {:#x}{}", frame.pc.value,
                        frame.module_name.empty() ? "" : fmt::format(" from {}", paint.green(frame.module_name)));
  return text;
}

std::string base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      open = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t') {
      if (open) words.push_back(std::exchange(word, {}));
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

}  // namespace trapline::client
