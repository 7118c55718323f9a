// The children of a visualised value, as many as are asked for.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/natvis/inside.hpp"

namespace trapline::natvis {

using eval::Child;
using eval::Value;
using sym::TypeKind;

struct Engine::Inside::PageOf {
  const Seen& seen;
  Expansion& expansion;
  const Reading& on;
  std::string_view expression;
  std::vector<Child>& out;
};

std::string by_address(const Value& value) {
  if (value.place != Value::Place::memory || value.bit_size != 0 || value.visual) return {};
  const std::string& type = value.type->name();
  // Types that have no name to be cast to.
  if (type.empty() || type.find_first_of("{<(") != type.find('<') || type.find('{') != std::string::npos ||
      type.find("<anonymous") != std::string::npos || type.find("<unnamed") != std::string::npos)
    return {};
  const TypeKind kind = value.type->kind();
  if (kind == TypeKind::array || kind == TypeKind::function || value.type->is_reference()) return {};
  return fmt::format("*({})({:#x})", value.type->pointer_to()->name(), value.address.value);
}

namespace {

Child problem(std::string name, Error error, const sym::Type* type) {
  Child child;
  child.name = std::move(name);
  child.value = eval::no_value(type, std::move(error));
  return child;
}

std::string element_name(const Group& group, std::uint64_t index) {
  if (group.sizes.size() <= 1)
    return fmt::format("[{}]", static_cast<std::int64_t>(index) + (group.lower.empty() ? 0 : group.lower[0]));
  std::vector<std::int64_t> at(group.sizes.size());
  for (std::size_t n = 0; n < at.size(); ++n) {
    const std::size_t dimension = group.item->backward ? n : at.size() - 1 - n;
    const std::uint64_t size = std::max<std::uint64_t>(group.sizes[dimension], 1);
    at[dimension] = static_cast<std::int64_t>(index % size) + group.lower[dimension];
    index /= size;
  }
  std::string out;
  for (const std::int64_t each : at) out += fmt::format("{}{}", out.empty() ? "[" : ",", each);
  return out + "]";
}

Value index_value(std::uint64_t index, const sym::Type* type) {
  return eval::computed(
      type, eval::store_number(type, {.floating = false, .integer = static_cast<eval::Int128>(index), .real = 0}));
}

std::string indexed_expression(std::string_view object, std::string_view index) {
  const bool tight = std::ranges::all_of(object, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == ':' || c == '[' || c == ']';
  });
  return tight ? fmt::format("{}{}", object, index) : fmt::format("({}){}", object, index);
}

}  // namespace

// Whether the type's operator[] is an index into just these elements: a flat map has one that takes a key. Asked once
// per value, of the first and the last element.
bool Engine::Inside::operator_gives(const Seen& seen, Expansion& expansion, const Group& group) {
  if (expansion.indexes) return *expansion.indexes;
  expansion.indexes = false;
  if (group.indexed == 0 || expansion.indexed != group.indexed || group.sizes.size() > 1 ||
      (!group.lower.empty() && group.lower[0] != 0) || !seen.use->path.empty())
    return false;
  const auto found = find(seen.use->record, "operator[]", 1);
  if (!found || *found == nullptr || !eval::is_integral((*found)->parameters[0])) return false;
  for (const std::uint64_t index : {std::uint64_t{0}, group.indexed - 1}) {
    std::vector<Value> slots{index_value(index, (*found)->parameters[0])};
    const auto by_operator = eval::Interpreter(view_, {.subject = &seen.subject, .slots = &slots}).run(*(*found)->body);
    if (!by_operator) return false;
    Value as_item;
    if (group.item->kind == Item::Kind::array) {
      const auto stride = eval::size_of(view_, group.element);
      if (!stride || group.address == 0) return false;
      as_item = eval::in_memory(group.element, LoadAddr{group.address + index * *stride});
    } else {
      const std::vector<Local> locals{{"__natvis_i", sym::builtin(sym::Builtin::unsigned_long)}};
      std::vector<Value> at{index_value(index, locals[0].type)};
      const Reading on = reading(*seen.use);
      const auto chosen = choose(on, group.item->values, seen.subject, locals, &at);
      if (!chosen || *chosen == nullptr) return false;
      const auto value = on.run((*chosen)->expression, seen.subject, locals, &at);
      if (!value) return false;
      as_item = *value;
    }
    if (by_operator->place != as_item.place) return false;
    if (as_item.place == Value::Place::memory ? by_operator->address != as_item.address
                                              : by_operator->bytes != as_item.bytes)
      return false;
  }
  expansion.indexes = true;
  return true;
}

void Engine::Inside::array_children(const PageOf& page, const Group& group, std::uint64_t first, std::uint64_t start,
                                    std::uint64_t count) {
  (void)first;
  const auto stride = group.element != nullptr ? eval::size_of(view_, group.element) : Result<std::uint64_t>(0);
  const bool operators = !page.expression.empty() && operator_gives(page.seen, page.expansion, group);
  const std::vector<Local> locals{{"__natvis_i", sym::builtin(sym::Builtin::unsigned_long)}};
  for (std::uint64_t index = start; index < start + count; ++index) {
    Child child;
    child.name = element_name(group, index);
    child.by_position = page.expansion.numbers(group);
    if (group.item->kind == Item::Kind::index_list) {
      std::vector<Value> slots{index_value(index, locals[0].type)};
      const auto chosen = choose(page.on, group.item->values, page.seen.subject, locals, &slots);
      if (!chosen || *chosen == nullptr) {
        if (!chosen) page.out.push_back(problem(child.name, chosen.error(), sym::builtin(sym::Builtin::unknown)));
        continue;
      }
      auto what = specified(page.on, (*chosen)->expression, page.seen.subject, locals, &slots);
      child.value = what ? what->value : eval::no_value(sym::builtin(sym::Builtin::unknown), what.error());
      if (what) child.format = what->format;
      if (!(*chosen)->name.segments.empty()) {
        child.name = text(page.on, (*chosen)->name, page.seen.subject, {}, 0, locals, &slots);
        child.by_position = false;
      }
    } else if (!stride) {
      child.value = eval::no_value(group.element, stride.error());
    } else if (group.address != 0) {
      child.value = eval::in_memory(group.element, LoadAddr{group.address + index * *stride});
    } else {
      auto part = eval::part_of(group.value, index * *stride, group.element);
      child.value = part ? *std::move(part) : eval::no_value(group.element, part.error());
    }
    child.evaluate_name = operators ? indexed_expression(page.expression, child.name) : by_address(child.value);
    page.out.push_back(std::move(child));
  }
}

// Children [start, start + count) of those that `group` has by number; `first`: the number of its first one.
void Engine::Inside::indexed_children(const PageOf& page, Group& group, std::uint64_t first, std::uint64_t start,
                                      std::uint64_t count) {
  if (group.item->kind == Item::Kind::expanded) {
    auto below = eval::children(view_, group.value, "", eval::child_count(view_, group.value).named + start, count);
    if (!below) {
      page.out.push_back(problem("[error]", below.error(), sym::builtin(sym::Builtin::unknown)));
      return;
    }
    for (Child& child : *below) {
      child.evaluate_name = by_address(child.value);
      child.by_position = child.by_position && page.expansion.numbers(group);
      page.out.push_back(std::move(child));
    }
    return;
  }
  if (!group.walk) return array_children(page, group, first, start, count);
  std::vector<Child>& out = page.out;
  const Emit emit = [&](const Stand& at) {
    const Expression& expression = at.node != nullptr ? at.node->expression : *at.item->expression;
    const Interpolated& name = at.node != nullptr ? at.node->name : at.item->name;
    const std::vector<Local> none;
    const std::vector<Local>& locals = at.locals != nullptr ? *at.locals : none;
    Child child;
    child.name = name.segments.empty() ? fmt::format("[{}]", first + at.index)
                                       : text(page.on, name, at.subject, {}, 0, locals, at.slots);
    child.by_position = name.segments.empty() && page.expansion.numbers(group);
    auto what = specified(page.on, expression, at.subject, locals, at.slots);
    child.value = what ? what->value : eval::no_value(sym::builtin(sym::Builtin::unknown), what.error());
    if (what) child.format = what->format;
    child.evaluate_name = by_address(child.value);
    out.push_back(std::move(child));
  };
  const std::size_t before = out.size();
  if (const auto walked = group.walk->page(page.on, start, count, emit); !walked)
    out.push_back(problem(fmt::format("[{}]", first + start + (out.size() - before)), walked.error(),
                          sym::builtin(sym::Builtin::unknown)));
}

void Engine::Inside::named_children(const PageOf& page, const Group& group, std::uint64_t start, std::uint64_t count) {
  if (group.item->kind == Item::Kind::expanded) {
    auto below = eval::children(view_, group.value, "", start, count);
    if (!below) {
      page.out.push_back(problem("[error]", below.error(), sym::builtin(sym::Builtin::unknown)));
      return;
    }
    for (Child& child : *below) {
      if (child.evaluate_name.empty()) child.evaluate_name = by_address(child.value);
      page.out.push_back(std::move(child));
    }
    return;
  }
  Child child;
  child.name = text(page.on, group.item->name, page.seen.subject, {}, 1);
  if (group.item->kind == Item::Kind::synthetic) {
    auto look = std::make_shared<SyntheticLook>();
    look->use = page.seen.use;
    look->item = group.item;
    look->generation = generation_;
    child.value = page.seen.subject;
    child.value.visual = std::move(look);
    page.out.push_back(std::move(child));
    return;
  }
  auto what = specified(page.on, group.item->value, page.seen.subject);
  child.value = what ? what->value : eval::no_value(sym::builtin(sym::Builtin::unknown), what.error());
  if (what) child.format = what->format;
  child.evaluate_name = by_address(child.value);
  page.out.push_back(std::move(child));
}

std::vector<Child> Engine::Inside::page(const Seen& seen, Expansion& expansion, std::string_view expression,
                                        std::uint64_t start, std::uint64_t count) {
  std::vector<Child> out;
  const auto page_of = [&](const Group& group, const auto& give) {
    const Reading on = reading(*group.use);
    give(PageOf{seen, expansion, on, expression, out});
  };
  const std::uint64_t total = expansion.named + expansion.indexed;
  const std::uint64_t end = count == 0 ? total : std::min(total, start + count);
  std::uint64_t at = 0;
  const auto overlap = [&](std::uint64_t size, const auto& give) {
    const std::uint64_t from = std::max(start, at), to = std::min(end, at + size);
    if (from < to) give(from - at, to - from);
    at += size;
  };
  for (const Group& group : expansion.groups)
    overlap(group.named, [&](std::uint64_t from, std::uint64_t n) {
      page_of(group, [&](const PageOf& page) { named_children(page, group, from, n); });
    });
  if (expansion.raw_view)
    overlap(1, [&](std::uint64_t, std::uint64_t) {
      Child raw;
      raw.name = "[Raw View]";
      raw.value = seen.whole;
      raw.value.raw = true;
      raw.value.view_name.clear();
      if (!expression.empty()) raw.evaluate_name = fmt::format("{},!", expression);
      out.push_back(std::move(raw));
    });
  std::uint64_t first = 0;
  for (Group& group : expansion.groups) {
    overlap(group.indexed, [&](std::uint64_t from, std::uint64_t n) {
      page_of(group, [&](const PageOf& page) { indexed_children(page, group, first, from, n); });
    });
    first += group.indexed;
  }
  return out;
}

}  // namespace trapline::natvis
