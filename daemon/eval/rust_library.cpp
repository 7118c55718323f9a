// Types of Rust's standard library. What they hold is said by visualisers (daemon/natvis/box/rust.natvis); here are
// only those that are their content, in expressions too: there natvis has no words for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/eval/format.hpp"
#include "daemon/eval/rust_view.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;
using Shape = RustView::Shape;

namespace {

std::string_view base_of(const std::string& name) { return std::string_view(name).substr(0, name.find('<')); }

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// What stands for its one member.
std::optional<RustView> of_wrapper(const FrameView& frame, const Value& value,
                                   std::initializer_list<const char*> names) {
  for (const auto* name : names)
    if (auto member = rust_member(frame, value, name))
      return RustView{.shape = Shape::inner, .word = {}, .parts = {{name, *std::move(member)}}};
  return std::nullopt;
}

}  // namespace

std::optional<RustView> rust_visualized(const FrameView& frame, const Value& value, const Type* type) {
  using Look = Visualizer::Look;
  if (frame.visualizers == nullptr || value.visual) return std::nullopt;
  Visualizer& visualizers = *frame.visualizers;
  const Look look = visualizers.look(frame, value);
  if (look == Look::none) return std::nullopt;
  RustView view{.visualized = value};
  if (look == Look::text) {
    constexpr std::size_t limit = Limits{}.max_string;
    const auto text = visualizers.string(frame, value, limit + 1);
    if (!text) return std::nullopt;
    if (!*text) return RustView{.word = problem_text(text->error())};
    const bool cut = (*text)->size() > limit;
    view.word = rust_quoted(std::as_bytes(std::span(**text)).first(std::min((*text)->size(), limit)), cut);
    return view;
  }
  if (look == Look::line) {
    view.word = visualizers.summary(frame, value, {}, 0).value_or("");
    return view;
  }
  const ChildCount count = visualizers.child_count(frame, value).value_or(ChildCount{});
  if (look == Look::parts) {
    auto parts = visualizers.children(frame, value, "", 0, count.named);
    if (!parts || !*parts) return std::nullopt;
    bool numbered = true;
    for (Child& each : **parts) {
      if (each.name == "[Raw View]") continue;
      numbered = numbered && each.name.find_first_not_of("0123456789") == std::string::npos;
      view.parts.emplace_back(std::move(each.name), std::move(each.value));
    }
    view.word = rust_bare_name(type);
    if (!view.parts.empty()) view.shape = numbered ? Shape::tuple : Shape::fields;
    return view;
  }
  view.shape = look == Look::map ? Shape::map : Shape::list;
  view.count = count.indexed;
  view.page = [&frame, value, named = count.named, keyed = look == Look::map](
                  std::uint64_t start, std::uint64_t wanted) -> Result<std::vector<RustView::Entry>> {
    std::vector<RustView::Entry> page;
    if (wanted == 0) return page;
    auto children = frame.visualizers->children(frame, value, "", named + start, wanted);
    if (!children) return page;
    if (!*children) return std::unexpected(children->error());
    for (Child& each : **children) {
      const bool bracketed = each.name.size() >= 2 && each.name.front() == '[' && each.name.back() == ']';
      page.push_back({std::move(each.value), !keyed      ? std::string{}
                                             : bracketed ? each.name.substr(1, each.name.size() - 2)
                                                         : each.name});
    }
    return page;
  };
  return view;
}

std::optional<RustView> rust_library_view(const FrameView& frame, const Value& value, const Type* type) {
  const std::string& name = type->name();
  const auto base = base_of(name);
  if (!one_of(base.substr(0, base.find(':')), {"alloc", "core", "std", "hashbrown"})) return std::nullopt;
  if (base.starts_with("core::sync::atomic::Atomic")) return of_wrapper(frame, value, {"v", "p"});
  if (one_of(base, {"core::cell::UnsafeCell", "core::mem::manually_drop::ManuallyDrop", "core::cell::SyncUnsafeCell"}))
    return of_wrapper(frame, value, {"value"});
  if (base.starts_with("core::num::niche_types::") || base.starts_with("core::num::nonzero::") ||
      base == "core::num::wrapping::Wrapping" || base == "core::mem::maybe_dangling::MaybeDangling")
    return of_wrapper(frame, value, {"__0"});
  if (base == "core::ptr::unique::Unique" || base == "core::ptr::non_null::NonNull")
    return of_wrapper(frame, value, {"pointer"});
  return std::nullopt;
}

}  // namespace trapline::eval
