#pragma once
// Expectations of the views suite as text. A case is a line:
//     EXPRESSION = SUMMARY
// and under it, two blanks further in for each level, the children that must be seen, all of them and in this order:
//       NAME = SUMMARY
// `...` among them says that more may follow; without lines below it a value's children are not looked at. `part NAME`
// begins the cases of a part of the program; `#` begins a comment. `@tag[,tag] ` or `@!tag ` before a case keeps it to
// the builds with (one of) these tags, or to those without. `…` in a summary stands for any text.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::test {

struct ViewCase {
  int line = 0;
  std::string part;
  std::string name;
  std::string summary;
  std::vector<ViewCase> children;
  bool more = false;              // children may follow that are not named
  std::vector<std::string> tags;  // of a build; empty: any
  bool without = false;           // of a build without the tag
};

inline bool meant_for(const ViewCase& view, const std::vector<std::string>& tags) {
  if (view.tags.empty()) return true;
  bool one = false;
  for (const auto& each : view.tags)
    for (const auto& tag : tags) one = one || each == tag;
  return one != view.without;
}

// `…` is any text.
inline bool looks_like(std::string_view text, std::string_view pattern) {
  constexpr std::string_view any = "…";
  const auto at = pattern.find(any);
  if (at == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, at))) return false;
  text.remove_prefix(at);
  pattern.remove_prefix(at + any.size());
  for (std::size_t skip = 0; skip <= text.size(); ++skip)
    if (looks_like(text.substr(skip), pattern)) return true;
  return false;
}

inline std::vector<ViewCase> read_views(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, path);
  std::vector<ViewCase> out;
  std::string text, part;
  for (int number = 1; std::getline(file, text); ++number) {
    const std::string at = fmt::format("{}:{}: {}", path, number, text);
    std::size_t indent = text.find_first_not_of(' ');
    if (indent == std::string::npos || text[indent] == '#') continue;
    std::string_view rest = std::string_view(text).substr(indent);
    if (rest.starts_with("part ")) {
      part = rest.substr(5);
      continue;
    }
    ViewCase view{.line = number, .part = part, .name = {}, .summary = {}, .children = {}, .tags = {}};
    if (rest.starts_with('@')) {
      const auto blank = rest.find(' ');
      REQUIRE_MESSAGE(blank != std::string_view::npos, at);
      std::string_view tags = rest.substr(1, blank - 1);
      rest.remove_prefix(blank + 1);
      if (tags.starts_with('!')) {
        view.without = true;
        tags.remove_prefix(1);
      }
      for (std::size_t comma = 0; comma != std::string_view::npos; tags.remove_prefix(comma + 1)) {
        comma = tags.find(',');
        view.tags.emplace_back(tags.substr(0, comma));
        if (comma == std::string_view::npos) break;
      }
    }
    std::vector<ViewCase>* list = &out;
    ViewCase* parent = nullptr;
    REQUIRE_MESSAGE(indent % 2 == 0, at);
    for (std::size_t depth = indent / 2; depth > 0; --depth) {
      REQUIRE_MESSAGE(!list->empty(), at);
      parent = &list->back();
      list = &parent->children;
    }
    if (rest == "...") {
      REQUIRE_MESSAGE(parent != nullptr, at);
      parent->more = true;
      continue;
    }
    const auto equals = rest.find(" = ");
    REQUIRE_MESSAGE(equals != std::string_view::npos, at);
    view.name = rest.substr(0, equals);
    view.summary = rest.substr(equals + 3);
    list->push_back(std::move(view));
  }
  return out;
}

}  // namespace trapline::test
