// HashMap, HashSet (hashbrown) and BTreeMap, BTreeSet: walked from their begin to the page that is shown, within a
// budget.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/rust_view.hpp"

namespace trapline::eval {

using sym::Type;
using sym::TypeKind;
using Shape = RustView::Shape;

namespace {

constexpr std::uint64_t most_buckets = std::uint64_t{1} << 40;
constexpr std::uint64_t most_visits = 4'000'000;  // control bytes or nodes, for one page
constexpr std::size_t read_at_once = 64 * 1024;

// An entry is a tuple (K, V).
Result<void> add_entry(const FrameView& frame, const Value& entry, bool keys_only, std::vector<Value>& page) {
  const Type* type = rust_whole(frame, entry.type);
  std::size_t wanted = keys_only ? 1 : 2;
  for (const auto* name : {"__0", "__1"}) {
    if (wanted-- == 0) break;
    auto part = rust_member(frame, entry, name);
    if (!part) return fail(Errc::bad_debug_info, fmt::format("{} is no pair", type->name()));
    page.push_back(*std::move(part));
  }
  return {};
}

// Buckets lie below the control bytes, the first one nearest; a control byte without its top bit is a full bucket.
struct HashTable {
  std::uint64_t control = 0, buckets = 0, size = 0;
  const Type* entry = nullptr;

  Result<std::vector<Value>> page(const FrameView& frame, std::uint64_t start, std::uint64_t wanted,
                                  bool keys_only) const {
    std::vector<Value> page;
    std::uint64_t full = 0;
    for (std::uint64_t begin = 0; begin < buckets && full < start + wanted; begin += read_at_once) {
      if (begin > most_visits)
        return fail(Errc::too_large, fmt::format("entry {} is behind {} buckets: too many to look at", start, begin));
      std::vector<std::byte> bytes(std::min<std::uint64_t>(read_at_once, buckets - begin));
      if (frame.memory->read_some(LoadAddr{control + begin}, bytes) != bytes.size())
        return fail(Errc::bad_address,
                    fmt::format("cannot read {} control bytes at {:#x}", bytes.size(), control + begin));
      for (std::uint64_t i = 0; i < bytes.size() && full < start + wanted; ++i) {
        if ((std::to_integer<unsigned>(bytes[i]) & 0x80) != 0 || full++ < start) continue;
        const Value each = in_memory(entry, LoadAddr{control - (begin + i + 1) * size});
        TL_TRY_VOID(add_entry(frame, each, keys_only, page));
      }
    }
    return page;
  }
};

// The nodes of a B-tree: `data` of an inner node stands first (repr(C)), its edges behind.
class BTree {
 public:
  BTree(const FrameView& frame, const Type* leaf, std::uint64_t start, std::uint64_t wanted, bool keys_only)
      : frame_(frame), leaf_(leaf), start_(start), wanted_(wanted), keys_only_(keys_only) {}

  Result<std::vector<Value>> walk(std::uint64_t root, std::uint64_t height) {
    TL_TRY_VOID(visit(root, height));
    return std::move(page_);
  }

 private:
  bool done() const { return seen_ >= start_ + wanted_; }

  Result<void> visit(std::uint64_t at, std::uint64_t height) {
    if (++visits_ > most_visits) return fail(Errc::too_large, "more nodes of a tree than are looked at for a page");
    const Value node = in_memory(leaf_, LoadAddr{at});
    const auto length_member = rust_member(frame_, node, "len");
    const auto length = length_member ? rust_number(frame_, *length_member) : std::nullopt;
    if (!length) return fail(Errc::bad_address, fmt::format("cannot read the node at {:#x}", at));
    if (*length > capacity)
      return fail(Errc::bad_debug_info, fmt::format("a node of {} entries at {:#x}", *length, at));
    std::array<std::uint64_t, capacity + 1> edges{};
    if (height > 0) {
      const std::uint64_t behind = (leaf_->size().value_or(0) + 7) / 8 * 8;
      const auto bytes = std::as_writable_bytes(std::span(edges)).first((*length + 1) * 8);
      if (frame_.memory->read_some(LoadAddr{at + behind}, bytes) != bytes.size())
        return fail(Errc::bad_address, fmt::format("cannot read the edges of the node at {:#x}", at));
    }
    for (std::uint64_t i = 0; i <= *length && !done(); ++i) {
      if (height > 0) TL_TRY_VOID(visit(edges[i], height - 1));
      if (i == *length || done() || seen_++ < start_) continue;
      TL_TRY_VOID(add(node, "keys", i));
      if (!keys_only_) TL_TRY_VOID(add(node, "vals", i));
    }
    return {};
  }

  // Slots are MaybeUninit<T>; those below `len` are in use.
  Result<void> add(const Value& node, std::string_view which, std::uint64_t index) {
    const auto slots = rust_member(frame_, node, which);
    const Type* slot = slots ? slots->type->strip()->target() : nullptr;
    const auto size = slot ? slot->size() : std::nullopt;
    if (!size) return fail(Errc::bad_debug_info, fmt::format("a node without {}", which));
    TL_TRY(auto part, part_of(*slots, index * *size, slot));
    const auto value = rust_member(frame_, part, "value");
    const auto inner = value ? rust_member(frame_, *value, "value") : std::nullopt;
    page_.push_back(inner ? *inner : value ? *value : part);
    return {};
  }

  static constexpr std::uint64_t capacity = 11;  // 2 * B - 1 of alloc::collections::btree::node
  const FrameView& frame_;
  const Type* leaf_;
  std::uint64_t start_, wanted_, seen_ = 0, visits_ = 0;
  bool keys_only_;
  std::vector<Value> page_;
};

}  // namespace

std::optional<RustView> rust_hash_view(const FrameView& frame, const Value& table, bool keys_only) {
  const Type* entry = rust_argument(rust_whole(frame, table.type), "T");
  const auto inner = rust_member(frame, table, "table");
  const auto read = [&](const char* name) {
    const auto member = inner ? rust_member(frame, *inner, name) : std::nullopt;
    return member ? rust_integer(frame, *member) : std::nullopt;
  };
  const auto mask = read("bucket_mask"), items = read("items");
  const auto control_member = inner ? rust_member(frame, *inner, "ctrl") : std::nullopt;
  const auto pointer = control_member ? rust_pointer(frame, *control_member) : std::nullopt;
  const auto control = pointer ? rust_number(frame, *pointer) : std::nullopt;
  if (entry == nullptr || !mask || !items || !control) return std::nullopt;
  if (!std::has_single_bit(*mask + 1) || *mask >= most_buckets || *items > *mask + 1)
    return RustView{.word = fmt::format("<error: {} entries in {} buckets>", *items, *mask + 1)};
  HashTable found{.control = *control, .buckets = *mask + 1, .size = entry->size().value_or(0), .entry = entry};
  RustView view{.shape = keys_only ? Shape::list : Shape::map, .word = {}, .parts = {}, .count = *items};
  view.page = [found, keys_only, &frame](std::uint64_t start, std::uint64_t wanted) {
    return found.page(frame, start, wanted, keys_only);
  };
  return view;
}

std::optional<RustView> rust_tree_view(const FrameView& frame, const Value& map, bool keys_only) {
  const auto root = rust_member(frame, map, "root");
  const auto length_member = rust_member(frame, map, "length");
  const auto length = length_member ? rust_integer(frame, *length_member) : std::nullopt;
  if (!root || !length) return std::nullopt;
  RustView view{.shape = keys_only ? Shape::list : Shape::map, .word = {}, .parts = {}, .count = *length};
  view.page = [](std::uint64_t, std::uint64_t) -> Result<std::vector<Value>> { return std::vector<Value>{}; };
  const auto option = rust_view(frame, *root);
  if (!option) return std::nullopt;
  if (option->parts.empty()) {
    if (option->word != "None") return option;  // an error
    if (*length != 0) return RustView{.word = fmt::format("<error: {} entries without a root>", *length)};
    return view;
  }
  const auto& reference = option->parts[0].second;
  const auto height_member = rust_member(frame, reference, "height"),
             node_member = rust_member(frame, reference, "node");
  const auto height = height_member ? rust_number(frame, *height_member) : std::nullopt;
  const auto pointer = node_member ? rust_pointer(frame, *node_member) : std::nullopt;
  const auto at = pointer ? rust_number(frame, *pointer) : std::nullopt;
  if (!height || !at) return std::nullopt;
  const Type* leaf = rust_whole(frame, pointer->type->strip()->target());
  // 6^20 entries are more than a machine has bytes: every node but the root is at least half full.
  if (*height > 20) return RustView{.word = fmt::format("<error: a tree of height {}>", *height)};
  view.page = [leaf, at = *at, height = *height, keys_only, &frame](std::uint64_t start, std::uint64_t wanted) {
    return BTree(frame, leaf, start, wanted, keys_only).walk(at, height);
  };
  return view;
}

}  // namespace trapline::eval
