// What a value's children are made of: sizes and places, and whether they can be true.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/frame_context.hpp"
#include "daemon/natvis/inside.hpp"

namespace trapline::natvis {

using eval::Value;
using sym::TypeKind;

namespace {

constexpr std::size_t max_expansions = 1024;
constexpr int max_depth = 200;  // of <ExpandedItem> in <ExpandedItem>: a tuple's elements lie each within the last
constexpr std::int64_t max_elements = std::int64_t{1} << 46;  // user space has 2^47 bytes (psABI, 3.4.1)

std::unexpected<Error> uninitialised(std::string why) {
  return fail(Errc::bad_address, "not initialised?: " + std::move(why));
}

bool readable(const util::Memory& memory, std::uint64_t at) {
  std::byte probe{};
  return memory.read_some(LoadAddr{at}, std::span(&probe, 1)) == 1;
}

}  // namespace

Result<std::optional<std::uint64_t>> Engine::Inside::size_of(const Reading& on, const Item& item,
                                                             const Value& subject) {
  std::vector<Local> locals;
  std::vector<Value> slots;
  if (item.kind == Item::Kind::index_list) {
    locals.push_back({"__natvis_i", sym::builtin(sym::Builtin::unsigned_long)});
    slots.push_back(eval::computed(locals[0].type, std::vector<std::byte>(8)));
  }
  TL_TRY(const Alternative* size, choose(on, item.sizes, subject, locals, &slots));
  if (size == nullptr) return std::nullopt;
  TL_TRY(const std::int64_t count, on.integer(size->expression, subject, locals, &slots));
  if (count < 0) return uninitialised(fmt::format("its size is {}", count));
  if (count > max_elements) return uninitialised(fmt::format("its size is {}, more than memory holds", count));
  return static_cast<std::uint64_t>(count);
}

// How many elements an array has, and of a group that it has `sizes` and `lower`.
Result<std::uint64_t> Engine::Inside::dimensions_of(const Reading& on, Group& group, const Value& subject) {
  const Item& item = *group.item;
  std::vector<Local> locals;
  std::int64_t rank = 1;
  if (!item.rank.empty()) {
    TL_TRY(rank, on.integer(item.rank, subject));
    if (rank < 1 || rank > 32) return uninitialised(fmt::format("it has {} dimensions", rank));
    locals.push_back({"__natvis_i", sym::builtin(sym::Builtin::unsigned_long)});
  }
  std::uint64_t total = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    std::vector<Value> slots;
    if (!locals.empty()) {
      const auto bytes = std::as_bytes(std::span(&i, 1));
      slots.push_back(eval::computed(locals[0].type, {bytes.begin(), bytes.end()}));
    }
    TL_TRY(const Alternative* size, choose(on, item.sizes, subject, locals, &slots));
    if (size == nullptr) return 0;
    TL_TRY(const std::int64_t count, on.integer(size->expression, subject, locals, &slots));
    if (count < 0) return uninitialised(fmt::format("its size is {}", count));
    std::int64_t lower = 0;
    if (!item.lower_bound.empty()) {
      TL_TRY(lower, on.integer(item.lower_bound, subject, locals, &slots));
    }
    group.sizes.push_back(static_cast<std::uint64_t>(count));
    group.lower.push_back(lower);
    if (__builtin_mul_overflow(total, static_cast<std::uint64_t>(count), &total) ||
        total > static_cast<std::uint64_t>(max_elements))
      return uninitialised(fmt::format("its size is {}, more than memory holds", count));
  }
  return total;
}

Result<void> Engine::Inside::fill_array(const Reading& on, Group& group, const Value& subject) {
  TL_TRY(const std::uint64_t total, dimensions_of(on, group, subject));
  TL_TRY(const Alternative* first, choose(on, group.item->values, subject));
  if (first == nullptr) return {};
  TL_TRY(Value pointer, on.run(first->expression, subject));
  const sym::Type* type = pointer.type->strip();
  if (type->kind() == TypeKind::array) {
    group.value = pointer;  // an array member: also where it does not lie in memory
    group.element = type->target();
    group.indexed = total;
    const auto has = eval::count_of(on.view, type);
    if (has && total > *has) return uninitialised(fmt::format("{} elements are said to be in {}", total, type->name()));
    return {};
  }
  if (type->kind() != TypeKind::pointer)
    return fail(Errc::bad_expression, fmt::format("ValuePointer is no pointer but {}", pointer.type->name()));
  group.element = type->target();
  TL_TRY(group.address, eval::pointer_bits(*on.view.memory, pointer));
  group.indexed = total;
  if (total == 0) return {};
  TL_TRY(const std::uint64_t stride, eval::size_of(on.view, group.element));
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(total, stride, &bytes) || bytes > (std::uint64_t{1} << 47))
    return uninitialised(fmt::format("its size is {}, more than memory holds", total));
  if (group.address == 0) return uninitialised(fmt::format("its size is {} and its elements lie at 0", total));
  if (stride == 0) return {};
  if (!readable(*on.view.memory, group.address) || !readable(*on.view.memory, group.address + bytes - 1))
    return uninitialised(
        fmt::format("its size is {}, and its elements at {:#x} are not all in mapped memory", total, group.address));
  return {};
}

Result<void> Engine::Inside::fill_nodes(const Reading& on, Group& group, const Value& subject) {
  const Item& item = *group.item;
  TL_TRY(const std::optional<std::uint64_t> size, size_of(on, item, subject));
  if (item.kind == Item::Kind::custom_list) {
    group.walk = make_custom_walk(item, subject);
  } else {
    TL_TRY(const Value pointer, on.run(item.head, subject));
    TL_TRY(const std::uint64_t head, eval::pointer_bits(*on.view.memory, pointer));
    if (size && *size == 0) return {};
    const sym::Type* node = pointer.type->strip()->target()->strip()->complete(modules_);
    if (head == 0) {
      if (size) return uninitialised(fmt::format("its size is {}, and it has no first element", *size));
      return {};
    }
    if (!readable(*on.view.memory, head))
      return uninitialised(fmt::format("its first element at {:#x} is not in mapped memory", head));
    group.walk =
        item.kind == Item::Kind::tree ? make_tree_walk(item, node, head, size) : make_list_walk(item, node, head, size);
  }
  if (size) {
    group.indexed = *size;
    return {};
  }
  auto counted = group.walk->count(on);
  if (!counted) return std::unexpected(counted.error());
  group.indexed = *counted;
  return {};
}

Result<void> Engine::Inside::fill_expanded(const Reading& on, Group& group, const Value& subject) {
  TL_TRY(Specified what, specified(on, group.item->value, subject));
  group.value = std::move(what.value);
  const eval::ChildCount count = eval::child_count(view_, group.value);
  group.named = count.named;
  group.indexed = count.indexed;
  // Its own [Raw View] is the last of the named ones, and is this value's business.
  Value listed = group.value;
  if (listed.type->is_reference() || listed.type->strip()->kind() == TypeKind::pointer) {
    const auto at = eval::pointer_bits(*view_.memory, listed);
    if (at) listed = eval::in_memory(listed.type->strip()->target(), LoadAddr{*at});
    listed.raw = group.value.raw;
  }
  if (const auto seen = see(listed); seen && seen->expand() != nullptr) {
    const auto inner = expand(*seen);
    if (!inner->trouble.empty()) return fail(Errc::bad_address, inner->trouble);
    if (inner->raw_view && group.named > 0) --group.named;
  }
  return {};
}

Result<void> Engine::Inside::fill(const Reading& on, Group& group, const Value& subject) {
  switch (group.item->kind) {
    case Item::Kind::item:
    case Item::Kind::synthetic: group.named = 1; return {};
    case Item::Kind::expanded: return fill_expanded(on, group, subject);
    case Item::Kind::array: return fill_array(on, group, subject);
    case Item::Kind::index_list: {
      TL_TRY(const auto size, size_of(on, *group.item, subject));
      group.indexed = size.value_or(0);
      return {};
    }
    case Item::Kind::linked_list:
    case Item::Kind::tree:
    case Item::Kind::custom_list: return fill_nodes(on, group, subject);
  }
  return {};
}

std::shared_ptr<Expansion> Engine::Inside::expand(const Seen& seen) {
  const Key key{
      .address = seen.subject.address.value, .use = seen.use, .item = seen.synthetic, .view = seen.subject.view_name};
  const bool kept = seen.subject.place == Value::Place::memory;
  if (kept)
    if (const auto known = expansions_.find(key); known != expansions_.end()) return known->second;
  auto out = std::make_shared<Expansion>();
  if (nesting > max_depth) {
    out->trouble = fmt::format("error: more than {} objects are shown within one another", max_depth);
    out->raw_view = true;
    out->named = 1;
    return out;
  }
  if (kept) {
    if (expansions_.size() >= max_expansions) expansions_.clear();
    expansions_[key] = out;  // before it is filled: an object that expands to itself ends here
  }
  const Reading on = reading(*seen.use);
  const Expand& expand = *seen.expand();
  out->raw_view = !expand.hide_raw_view && seen.synthetic == nullptr;
  const Deeper deeper(nesting);
  for (const Item& item : expand.items) {
    if (item.guard.optional && item.guard.symbol.empty() && !check(on, item)) continue;
    Error wrong;
    const auto through = applies(on, item.guard, seen.subject, &wrong);
    if (!through) {
      if (!wrong.message.empty() && out->trouble.empty()) out->trouble = "error: " + wrong.message;
      continue;
    }
    if (!item.guard.symbol.empty() && !check(*through, item)) continue;
    Group group;
    group.item = &item;
    group.use = &through->use;
    if (auto filled = fill(*through, group, seen.subject); !filled) {
      const Error& error = filled.error();
      const bool suspicion = error.message.starts_with("not initialised?: ") || error.message.starts_with("corrupt: ");
      if (out->trouble.empty())
        out->trouble = suspicion || error.message.starts_with("error: ") ? error.message : "error: " + error.message;
      continue;
    }
    out->named += group.named;
    out->indexed += group.indexed;
    out->groups.push_back(std::move(group));
  }
  if (!out->trouble.empty()) {
    out->groups.clear();
    out->named = out->indexed = 0;
    out->raw_view = true;  // what there is can still be looked at
  }
  if (out->raw_view) ++out->named;
  return out;
}

}  // namespace trapline::natvis
