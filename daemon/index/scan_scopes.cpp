// Where a definition belongs: the scopes around its declaration, which may stand in another unit or in the dwz file.
#include <algorithm>
#include <utility>

#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/scan.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t deepest = 512;           // as scan.cpp has it
constexpr int longest_chain = 8;               // of DW_AT_specification and DW_AT_abstract_origin
constexpr std::size_t most_kept_units = 4096;  // whose scopes are remembered
constexpr std::size_t glance = 4096;           // as scan.cpp has it

}  // namespace

// The name of what a definition or an instance completes, and the scope that its declaration stands in.
Scanner::Named Scanner::completed(const UnitReader& unit, const UnitTable::Place& home, UnitReader::Reference reference,
                                  int depth) {
  using Where = UnitReader::Reference::Where;
  if (reference.where == Where::nowhere || depth > longest_chain) return {};
  const bool alternate = alternate_ || reference.where == Where::alternate;
  if (alternate && !units_.alternate) return {};
  const UnitHead& here = unit.head();
  const bool same =
      !here.in_types && alternate == alternate_ && reference.offset >= here.first_die && reference.offset < here.end;
  const bool same_types = here.in_types && reference.offset >= here.first_die && reference.offset < here.end;
  const auto read_at = [&](const UnitReader& target, const UnitTable::Place& there) {
    DataCursor in = target.cursor(reference.offset);
    const Abbreviation* abbreviation = target.abbreviations().find(in.uleb());
    if (!abbreviation || !in.ok()) return Named{};
    Die die;
    read(target, *abbreviation, in, die);
    Named named{.name = die.name, .scope = unknown_scope};
    const auto on = die.origin.where != Where::nowhere ? die.origin : die.specification;
    if (on.where != Where::nowhere) {
      const Named outer = completed(target, there, on, depth + 1);
      named.scope = outer.scope;
      if (named.name.empty()) named.name = outer.name;
    } else {
      named.scope = scope_at(reference.offset, there);
    }
    return named;
  };
  if (same || same_types) return read_at(unit, home);
  const auto* place = units_.holding(reference.offset, alternate);
  if (!place) return {};
  // Held: the cache may give up its slot while the chain is followed.
  const auto table = abbreviations_of(*place);
  const Sections* other = units_.alternate && !alternate ? &units_.alternate->sections() : nullptr;
  const UnitReader target(units_.sections(alternate), other, place->head, *table);
  const bool before = std::exchange(alternate_, alternate);
  const Named named = read_at(target, *place);
  alternate_ = before;
  return named;
}

const Scanner::Interval* Scanner::innermost(const Intervals& intervals, std::uint64_t offset) {
  auto next = std::ranges::upper_bound(intervals, offset, {}, &Interval::begin);
  if (next == intervals.begin()) return nullptr;
  for (const Interval* at = &*--next;;) {
    if (at->begin < offset && offset < at->end) return at;
    if (at->parent == no_interval) return nullptr;
    at = &intervals[at->parent];
  }
}

// Of the unit that is being walked only what lies behind is known: clang completes members before their class.
std::uint32_t Scanner::scope_at(std::uint64_t offset, const UnitTable::Place& place) {
  const bool known = &place == walked_ && offset < position_;
  const Interval* found = known ? innermost(intervals_, offset) : nullptr;
  if (known && !(found && found->skipped)) return found ? found->scope : no_scope;
  const Interval* exact = innermost(intervals_of(place), offset);
  return exact ? exact->scope : no_scope;
}

const Scanner::Intervals& Scanner::intervals_of(const UnitTable::Place& place) {
  if (const auto known = elsewhere_.find(&place); known != elsewhere_.end()) return known->second;
  if (elsewhere_.size() >= most_kept_units) elsewhere_.clear();
  auto& list = elsewhere_[&place];
  const auto table = abbreviations_of(place);
  const UnitReader unit(units_.sections(place.alternate), nullptr, place.head, *table);
  if (!unit.root().damaged) collect_scopes(unit, place.head.first_die, place.head.end, no_scope, list);
  return list;
}

void Scanner::collect_scopes(const UnitReader& unit, std::uint64_t begin, std::uint64_t end, std::uint32_t scope,
                             Intervals& out) {
  DataCursor in = unit.cursor(begin);
  std::vector<Level> levels;
  for (std::size_t seen = 1; in.ok() && in.offset() < end; ++seen) {
    if (seen % glance == 0 && cancelled()) return;
    const std::uint64_t at = in.offset();
    const std::uint64_t code = in.uleb();
    if (code == 0) {
      if (levels.empty()) return;
      if (levels.back().own_interval) out[levels.back().interval].end = at;
      levels.pop_back();
      if (levels.empty()) return;
      continue;
    }
    const Abbreviation* abbreviation = unit.abbreviations().find(code);
    if (!abbreviation) return;
    Die die;
    read(unit, *abbreviation, in, die);
    if (!in.ok() || !abbreviation->children) continue;
    Level next = levels.empty() ? Level{.scope = scope} : levels.back();
    next.own_interval = false;
    next.inside = next.inside || !(dw::is_scope(die.tag) || dw::is_unit(die.tag));
    if (next.inside && die.sibling > in.offset() && die.sibling < end) {
      in.go_forward_to(die.sibling);
      continue;
    }
    if (levels.size() >= deepest) return;
    if (!next.inside && dw::is_scope(die.tag)) {
      next.scope = enter(next.scope, die.name, die.tag);
      const auto parent = std::exchange(next.interval, static_cast<std::uint32_t>(out.size()));
      next.own_interval = true;
      out.push_back({.begin = at, .end = end, .scope = next.scope, .parent = parent});
    }
    levels.push_back(next);
  }
}

}  // namespace trapline::index
