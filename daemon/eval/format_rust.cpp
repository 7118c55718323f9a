// Rust values as one line, as `{:?}` would write them, and their children.
#include <fmt/format.h>

#include "daemon/eval/format.hpp"
#include "daemon/eval/rust_view.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

using Shape = RustView::Shape;

namespace {

constexpr std::size_t most_shown = 100;     // elements of a line
constexpr std::size_t longest_line = 2000;  // characters: what follows is left out
constexpr std::size_t nested = 1;           // structs, tuples and lists that are shown within others

bool aggregate(const RustView& view) { return view.shape != Shape::word && view.shape != Shape::inner; }

}  // namespace

std::optional<std::string> Printer::rust(const Value& value, std::size_t depth) const {
  if (depth > 64 || hops_ > 100) return "...";  // nor are references in a circle followed so far by hand
  if (view_.visualizers != nullptr && value.type->strip()->kind() == sym::TypeKind::record)
    if (auto line = view_.visualizers->summary(view_, value, options_, depth)) return line;
  auto view = rust_view(view_, value);
  if (!view) return std::nullopt;
  Printer under = below();
  under.hops_ = hops_ + 1;
  const auto part = [&](const Value& each, std::size_t level) { return under.text(each, level); };
  if (view->shape == Shape::word) return view->word;
  if (view->shape == Shape::inner) {
    const Value& inner = view->parts[0].second;
    if (value.type->strip()->kind() == sym::TypeKind::pointer && inner.place == Value::Place::memory &&
        inner.address.value == 0)
      return "<error: a null reference>";
    return part(inner, depth);
  }
  if (view->word == "Range" && view->parts.size() == 2)
    return fmt::format("{}..{}", part(view->parts[0].second, depth + 1), part(view->parts[1].second, depth + 1));
  if (view->word == "RangeInclusive" && view->parts.size() == 3)
    return fmt::format("{}..={}", part(view->parts[0].second, depth + 1), part(view->parts[1].second, depth + 1));
  const bool list = view->shape == Shape::list || view->shape == Shape::map;
  const std::string_view brackets = view->shape == Shape::tuple ? "()" : view->shape == Shape::list ? "[]" : "{}";
  std::string out = view->word;
  if (view->shape == Shape::fields && !out.empty()) out += ' ';
  out += brackets[0];
  // Some(x) and the like hold one thing: they do not count as a level.
  const bool single = view->shape == Shape::tuple && view->parts.size() == 1 && !view->word.empty();
  const std::size_t below_depth = single ? depth : depth + 1;
  const std::size_t count = list ? view->count : view->parts.size();
  if (!single && depth > nested && count > 0) return out + "..." + brackets[1];
  std::vector<RustView::Entry> page;
  if (list && count > 0) {
    auto read = view->page(0, std::min(count, most_shown));
    if (!read) return problem_text(read.error());
    page = *std::move(read);
  }
  const std::size_t shown = list ? page.size() : count;
  std::size_t i = 0;
  for (; i < shown && out.size() < longest_line; ++i) {
    if (i > 0) out += ", ";
    if (!list) {
      if (view->shape == Shape::fields) out += view->parts[i].first + ": ";
      out += part(view->parts[i].second, below_depth);
      continue;
    }
    if (view->shape == Shape::map) out += page[i].key + ": ";
    out += part(page[i].value, below_depth);
  }
  if (i < count) out += i == 0 ? "..." : ", ...";
  const bool one_tuple = view->word.empty() && view->shape == Shape::tuple && count == 1;
  return out + (one_tuple ? "," : "") + brackets[1];
}

std::optional<ChildCount> rust_child_count(const FrameView& frame, const Value& value) {
  const auto view = rust_content(frame, value);
  if (!view) return std::nullopt;
  if (view->shape == Shape::inner) return child_count(frame, view->parts[0].second);
  if (!aggregate(*view)) return ChildCount{};
  if (view->visualized) return frame.visualizers->child_count(frame, *view->visualized);
  const bool list = view->shape == Shape::list || view->shape == Shape::map;
  return list ? ChildCount{.named = 0, .indexed = view->count} : ChildCount{.named = view->parts.size(), .indexed = 0};
}

std::optional<Result<std::vector<Child>>> rust_children(const FrameView& frame, const Value& value,
                                                        std::string_view expression, std::uint64_t start,
                                                        std::uint64_t count) {
  const auto view = rust_content(frame, value);
  if (!view) return std::nullopt;
  std::vector<Child> children_of;
  if (view->shape == Shape::inner)
    return children(frame, view->parts[0].second, expression.empty() ? std::string{} : fmt::format("*{}", expression),
                    start, count);
  if (!aggregate(*view)) return children_of;
  const bool tight = expression.find_first_of(" *&!-") == std::string_view::npos;
  const std::string operand = tight || expression.empty() ? std::string(expression) : fmt::format("({})", expression);
  const bool list = view->shape == Shape::list || view->shape == Shape::map;
  if (view->visualized) {
    auto shown = frame.visualizers->children(frame, *view->visualized, "", start, count);
    if (!shown || !*shown) return shown;
    for (Child& child : **shown) {
      child.evaluate_name.clear();
      if (operand.empty() || child.name == "[Raw View]") continue;
      if (view->shape == Shape::list && child.name.starts_with('[')) child.evaluate_name = operand + child.name;
      if (!list) child.evaluate_name = operand + "." + child.name;
    }
    return shown;
  }
  const std::uint64_t all = list ? view->count : view->parts.size();
  if (start >= all) return children_of;
  const std::uint64_t wanted = count == 0 ? all - start : std::min(count, all - start);
  if (const Limits limits; wanted > limits.max_children)
    return fail_hint(Errc::too_large, fmt::format("{} children at once are more than {}", wanted, limits.max_children),
                     "ask for a page: start and count");
  if (!list) {
    for (std::uint64_t i = start; i < start + wanted; ++i) {
      const auto& [name, part] = view->parts[i];
      Child child;
      child.name = name;
      if (!operand.empty()) child.evaluate_name = operand + "." + name;
      child.value = part;
      children_of.push_back(std::move(child));
    }
    return children_of;
  }
  auto page = view->page(start, wanted);
  if (!page) return std::unexpected(page.error());
  for (std::size_t i = 0; i < page->size(); ++i) {
    Child child;
    child.name = fmt::format("[{}]", start + i);
    child.by_position = true;
    child.value = std::move((*page)[i].value);
    if (!operand.empty()) child.evaluate_name = operand + child.name;
    children_of.push_back(std::move(child));
  }
  return children_of;
}

}  // namespace trapline::eval
