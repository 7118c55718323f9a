// Expressions with format specifiers, and texts with expressions in braces.
#include <utility>

#include "daemon/eval/format_suffix.hpp"
#include "daemon/natvis/model.hpp"

namespace trapline::natvis {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

}  // namespace

Expression parse_expression(std::string_view text, int line) {
  Expression out;
  out.line = line;
  const eval::SplitExpression split = eval::split_format(trimmed(text), eval::SuffixStyle::visualizer);
  out.text = std::string(trimmed(split.expression));
  out.format = split.format;
  if (!split.count.empty()) {
    Expression count;
    count.text = std::string(trimmed(split.count));
    count.line = line;
    out.count = std::make_shared<const Expression>(std::move(count));
  }
  return out;
}

std::optional<std::string> parse_interpolated(std::string_view text, int line, Interpolated& out) {
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) out.segments.push_back({std::exchange(literal, {}), nullptr});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      literal += c;
      ++i;
      continue;
    }
    if (c == '}') return "`}` without `{`; a brace itself is written `}}`";
    if (c != '{') {
      literal += c;
      continue;
    }
    const std::size_t behind = eval::closed(text, i);
    if (behind == std::string_view::npos) return "`{` without `}`; a brace itself is written `{{`";
    flush();
    auto expression = std::make_unique<Expression>(parse_expression(text.substr(i + 1, behind - i - 2), line));
    if (expression->empty()) return "`{}` holds no expression";
    out.segments.push_back({{}, std::move(expression)});
    i = behind - 1;
  }
  flush();
  return std::nullopt;
}

}  // namespace trapline::natvis
