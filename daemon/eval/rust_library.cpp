// Types of Rust's standard library, but for its maps.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/eval/rust_view.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;
using Shape = RustView::Shape;

namespace {

std::string_view base_of(const std::string& name) { return std::string_view(name).substr(0, name.find('<')); }

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// Vec: its buffer's first pointer, and a length that is no more than the capacity.
std::optional<RustView> of_vec(const FrameView& frame, const Value& value, const Type* type) {
  const Type* element = rust_argument(type, "T");
  const auto buffer = rust_member(frame, value, "buf");
  const auto length = rust_member(frame, value, "len");
  const auto pointer = buffer ? rust_pointer(frame, *buffer) : std::nullopt;
  const auto at = pointer ? rust_number(frame, *pointer) : std::nullopt;
  const auto count = length ? rust_number(frame, *length) : std::nullopt;
  if (element == nullptr || !at || !count) return std::nullopt;
  const auto capacity = rust_integer(frame, *buffer);
  if (capacity && element->size().value_or(0) > 0 && *count > *capacity)
    return RustView{.word = fmt::format("<error: a length of {} in a capacity of {}>", *count, *capacity)};
  return rust_sequence(frame, element, *at, *count);
}

// A ring: `len` elements from `head` on, which wrap at the capacity.
std::optional<RustView> of_deque(const FrameView& frame, const Value& value, const Type* type) {
  const Type* element = rust_argument(type, "T");
  const auto buffer = rust_member(frame, value, "buf");
  const auto pointer = buffer ? rust_pointer(frame, *buffer) : std::nullopt;
  const auto at = pointer ? rust_number(frame, *pointer) : std::nullopt;
  const auto capacity = buffer ? rust_integer(frame, *buffer) : std::nullopt;
  const auto read = [&](std::string_view name) {
    const auto member = rust_member(frame, value, name);
    return member ? rust_integer(frame, *member) : std::nullopt;
  };
  auto head = read("head"), length = read("len");
  // Before Rust 1.67 `tail` was where it begins and `head` where it ends, in a capacity that was a power of two.
  if (const auto tail = read("tail"); tail && head && capacity && !length) {
    if (*capacity == 0 || (*capacity & (*capacity - 1)) != 0 || *tail >= *capacity || *head >= *capacity)
      return RustView{.word =
                          fmt::format("<error: elements from {} to {} in a capacity of {}>", *tail, *head, *capacity)};
    length = (*head - *tail) & (*capacity - 1);
    head = tail;
  }
  if (element == nullptr || !at || !capacity || !head || !length) return std::nullopt;
  const auto size = element->size();
  if (!size || *size == 0) return std::nullopt;
  if (*length > *capacity || (*capacity > 0 && *head >= *capacity))
    return RustView{.word =
                        fmt::format("<error: {} elements from {} on in a capacity of {}>", *length, *head, *capacity)};
  auto view = rust_sequence(frame, element, *at, *length);
  if (view.shape != Shape::list) return view;
  view.page = [element, at = *at, size = *size, head = *head, capacity = *capacity](
                  std::uint64_t start, std::uint64_t wanted) -> Result<std::vector<Value>> {
    std::vector<Value> page;
    for (std::uint64_t i = start; i < start + wanted; ++i)
      page.push_back(in_memory(element, LoadAddr{at + (head + i) % capacity * size}));
    return page;
  };
  return view;
}

// String, PathBuf, OsString: a Vec<u8> within.
std::optional<RustView> of_text(const FrameView& frame, Value value) {
  for (int depth = 0; depth < 6; ++depth) {
    const Type* type = rust_whole(frame, value.type);
    if (base_of(type->name()) == "alloc::vec::Vec") {
      const auto bytes = of_vec(frame, value, type);
      if (!bytes || bytes->shape != Shape::list) return bytes;
      const auto shown = std::min<std::uint64_t>(bytes->count, Limits{}.max_string);
      std::vector<std::byte> text(shown);
      const auto first = bytes->page(0, shown > 0 ? 1 : 0);
      if (shown > 0 && (!first || frame.memory->read_some((*first)[0].address, text) != shown))
        return RustView{.word = fmt::format("<error: cannot read {} bytes of text>", bytes->count)};
      return RustView{.word = rust_quoted(text, bytes->count > shown)};
    }
    std::optional<Value> next;
    for (const auto* name : {"vec", "inner"})
      if (!next) next = rust_member(frame, value, name);
    if (!next) return std::nullopt;
    value = *std::move(next);
  }
  return std::nullopt;
}

Value count_value(std::uint64_t count) {
  const auto bytes = std::as_bytes(std::span(&count, 1));
  return computed(sym::builtin(sym::Builtin::unsigned_long), {bytes.begin(), bytes.end()});
}

// Rc, Arc and their Weak: {strong, weak, value} behind a pointer; the strong ones together count one weak.
std::optional<RustView> of_counted(const FrameView& frame, const Value& value, std::string_view base) {
  const bool weak = base.ends_with("Weak");
  const auto pointer = rust_pointer(frame, value);
  const auto at = pointer ? rust_number(frame, *pointer) : std::nullopt;
  if (!at) return std::nullopt;
  std::string word(base.substr(base.rfind(':') + 1));
  if (weak && *at == ~std::uint64_t{0}) return RustView{.word = word + " (never had a value)"};
  const Type* target = rust_whole(frame, pointer->type->strip()->target());
  if (target->kind() != TypeKind::record) return std::nullopt;
  const Value counted = in_memory(target, LoadAddr{*at});
  const auto strong_member = rust_member(frame, counted, "strong"), weak_member = rust_member(frame, counted, "weak");
  auto data = rust_member(frame, counted, "value");
  if (!data) data = rust_member(frame, counted, "data");
  const auto strong = strong_member ? rust_integer(frame, *strong_member) : std::nullopt;
  const auto weaks = weak_member ? rust_integer(frame, *weak_member) : std::nullopt;
  if (!strong || !weaks || !data) return std::nullopt;
  if (weak && *strong == 0) return RustView{.word = word + " (its value is gone)"};
  RustView view{.shape = Shape::fields, .word = std::move(word), .parts = {{"value", *data}}};
  view.parts.emplace_back("strong", count_value(*strong));
  view.parts.emplace_back("weak", count_value(*weaks > 0 && *strong > 0 ? *weaks - 1 : *weaks));
  return view;
}

std::optional<RustView> of_duration(const FrameView& frame, const Value& value) {
  const auto seconds = rust_member(frame, value, "secs"), nanos = rust_member(frame, value, "nanos");
  const auto whole = seconds ? rust_integer(frame, *seconds) : std::nullopt;
  const auto rest = nanos ? rust_integer(frame, *nanos) : std::nullopt;
  if (!whole || !rest) return std::nullopt;
  if (*rest >= 1'000'000'000) return RustView{.word = fmt::format("<error: {} nanoseconds are over a second>", *rest)};
  std::string digits = *rest == 0 ? std::string{} : fmt::format(".{:09}", *rest);
  while (digits.ends_with('0')) digits.pop_back();
  return RustView{.word = fmt::format("{}{}s", *whole, digits)};
}

// What stands for its one member.
std::optional<RustView> of_wrapper(const FrameView& frame, const Value& value,
                                   std::initializer_list<const char*> names) {
  for (const auto* name : names)
    if (auto member = rust_member(frame, value, name))
      return RustView{.shape = Shape::inner, .word = {}, .parts = {{name, *std::move(member)}}};
  return std::nullopt;
}

std::optional<RustView> of_cell(const FrameView& frame, const Value& value, std::string_view base) {
  RustView view{.shape = Shape::fields, .word = std::string(base.substr(base.rfind(':') + 1)), .parts = {}};
  const bool is_tuple = view.word == "Cell";
  if (is_tuple) view.shape = Shape::tuple;
  for (const auto* name : {"value", "data"})
    if (auto member = rust_member(frame, value, name))
      view.parts.emplace_back(is_tuple ? "0" : name, *std::move(member));
  if (view.parts.size() != 1) return std::nullopt;
  // RefCell: readers, or the writer as a negative number.
  if (const auto borrow = rust_member(frame, value, "borrow"))
    if (const auto number = rust_integer(frame, *borrow))
      view.parts.emplace_back("borrow", computed(sym::builtin(sym::Builtin::long_), count_value(*number).bytes));
  if (const auto poison = rust_member(frame, value, "poison"))
    if (const auto failed = rust_integer(frame, *poison))
      view.parts.emplace_back("poisoned",
                              computed(sym::builtin(sym::Builtin::bool_), {failed == 0 ? std::byte{0} : std::byte{1}}));
  return view;
}

}  // namespace

std::optional<RustView> rust_library_view(const FrameView& frame, const Value& value, const Type* type) {
  const std::string& name = type->name();
  const auto base = base_of(name);
  if (!one_of(base.substr(0, base.find(':')), {"alloc", "core", "std", "hashbrown"})) return std::nullopt;
  if (base == "alloc::vec::Vec") return of_vec(frame, value, type);
  if (base.starts_with("alloc::collections::vec_deque::") && base.ends_with("::VecDeque"))
    return of_deque(frame, value, type);
  if (one_of(base, {"alloc::string::String", "std::path::PathBuf", "std::ffi::os_str::OsString"}))
    return of_text(frame, value);
  if (one_of(base, {"alloc::rc::Rc", "alloc::rc::Weak", "alloc::sync::Arc", "alloc::sync::Weak"}))
    return of_counted(frame, value, base);
  if (base == "core::time::Duration") return of_duration(frame, value);
  if (base == "core::cell::Cell" || base == "core::cell::RefCell" || base.ends_with("::Mutex") ||
      base.ends_with("::RwLock"))
    return of_cell(frame, value, base);
  if (base.starts_with("core::sync::atomic::Atomic")) return of_wrapper(frame, value, {"v", "p"});
  if (one_of(base, {"core::cell::UnsafeCell", "core::mem::manually_drop::ManuallyDrop", "core::cell::SyncUnsafeCell"}))
    return of_wrapper(frame, value, {"value"});
  if (base.starts_with("core::num::niche_types::") || base.starts_with("core::num::nonzero::") ||
      base == "core::num::wrapping::Wrapping" || base == "core::mem::maybe_dangling::MaybeDangling")
    return of_wrapper(frame, value, {"__0"});
  if (base == "core::ptr::unique::Unique" || base == "core::ptr::non_null::NonNull")
    return of_wrapper(frame, value, {"pointer"});
  if (one_of(base, {"std::collections::hash::map::HashMap", "std::collections::hash::set::HashSet"})) {
    auto inner = rust_member(frame, value, "base");
    if (inner && base.ends_with("Set")) inner = rust_member(frame, *inner, "map");
    const auto table = inner ? rust_member(frame, *inner, "table") : std::nullopt;
    return table ? rust_hash_view(frame, *table, base.ends_with("Set")) : std::nullopt;
  }
  if (base == "alloc::collections::btree::map::BTreeMap") return rust_tree_view(frame, value, false);
  if (base == "alloc::collections::btree::set::BTreeSet") {
    const auto map = rust_member(frame, value, "map");
    return map ? rust_tree_view(frame, *map, true) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace trapline::eval
