// Small readers that the launch table needs: shell words and signal names.
#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstring>

#include "dap/launch_table.hpp"

namespace trapline::dap {
namespace {

// POSIX.1-2017, Shell Command Language, 2.2 Quoting: what a backslash escapes within double quotes.
constexpr std::string_view escapable_in_double = "$`\"\\\n";

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'' || quote == '"') {
      if (c == quote)
        quote = 0;
      else if (quote == '"' && c == '\\' && i + 1 < text.size() &&
               escapable_in_double.find(text[i + 1]) != std::string_view::npos)
        word += text[++i];
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return fail(Errc::bad_request, fmt::format("the quote {} does not end", quote));
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::string> signal_name(std::string_view text) {
  const std::string_view bare = text.starts_with("SIG") ? text.substr(3) : text;
  int number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = problem == std::errc{} && rest == text.data() + text.size();
  for (int one = 1; one < NSIG; ++one) {
    const char* name = ::sigabbrev_np(one);
    if (name && (bare == name || (is_number && number == one))) return fmt::format("SIG{}", name);
  }
  // sigabbrev_np has no names for real-time signals: RTMIN, RTMIN+n, RTMAX-n.
  if (bare.starts_with("RTMIN") || bare.starts_with("RTMAX")) return fmt::format("SIG{}", bare);
  return fail(Errc::bad_request, fmt::format("'{}' is no signal", text));
}

}  // namespace trapline::dap
