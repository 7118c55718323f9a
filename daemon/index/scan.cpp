#include "daemon/index/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/line_files.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t deepest = 512;           // deeper trees are taken for damaged ones
constexpr int longest_chain = 8;               // of DW_AT_specification and DW_AT_abstract_origin
constexpr std::size_t most_kept_units = 4096;  // whose scopes are remembered

bool is_class(std::uint16_t tag) {
  return tag == dw::tag_structure_type || tag == dw::tag_class_type || tag == dw::tag_union_type ||
         tag == dw::tag_interface_type;
}

bool is_scope(std::uint16_t tag) {
  return is_class(tag) || tag == dw::tag_namespace || tag == dw::tag_module || tag == dw::tag_enumeration_type;
}

std::uint64_t root_code(const UnitTable& units, const UnitTable::Place& place) {
  const Sections& sections = units.sections(place.alternate);
  return DataCursor(place.head.in_types ? sections.types : sections.info, place.head.first_die).uleb();
}

bool is_unit(std::uint16_t tag) {
  return tag == dw::tag_compile_unit || tag == dw::tag_partial_unit || tag == dw::tag_type_unit ||
         tag == dw::tag_skeleton_unit;
}

}  // namespace

bool classes_repeat(std::uint32_t language) {
  switch (language) {
    case 0x01:  // C89
    case 0x02:  // C
    case 0x0c:  // C99
    case 0x1d:  // C11
    case 0x2c:  // C17
    case 0x04:  // C++
    case 0x19:  // C++03
    case 0x1a:  // C++11
    case 0x21:  // C++14
    case 0x2a:  // C++17 (DWARF 6 draft)
    case 0x2b:  // C++20
      return true;
    default: return false;
  }
}

struct Scanner::Die {
  std::uint16_t tag = 0;
  std::string_view name;
  bool inlinable = false, declaration = false, external = false, valued = false;
  bool has_low = false, has_ranges = false, ranges_indexed = false, has_entry = false;
  std::uint64_t low_pc = 0, ranges = 0, entry_pc = 0, size = 0, sibling = 0;
  UnitReader::Reference specification, origin, signature;
};

UnitTable UnitTable::of(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate) {
  UnitTable table;
  const auto add = [&](Data section, bool in_types, bool in_alternate) {
    for (const auto& head : read_unit_heads(section, in_types, table.problem))
      table.heads.push_back({head, in_alternate});
  };
  add(file->sections().info, false, false);
  add(file->sections().types, true, false);
  if (alternate) add(alternate->sections().info, false, true);
  table.file = std::move(file);
  table.alternate = std::move(alternate);
  return table;
}

const UnitTable::Place* UnitTable::holding(std::uint64_t offset, bool in_alternate) const {
  // Sorted by (alternate, types, offset): of() put them in that order.
  const auto key = [](const Place& p) { return std::tuple(p.alternate, p.head.in_types, p.head.offset); };
  auto next = std::ranges::upper_bound(heads, std::tuple(in_alternate, false, offset), {}, key);
  if (next == heads.begin()) return nullptr;
  --next;
  const bool fits = next->alternate == in_alternate && !next->head.in_types && offset >= next->head.first_die &&
                    offset < next->head.end;
  return fits ? &*next : nullptr;
}

const UnitTable::Place* UnitTable::holding_header(std::uint64_t offset) const {
  const auto key = [](const Place& p) { return std::tuple(p.alternate, p.head.in_types, p.head.offset); };
  const auto found = std::ranges::lower_bound(heads, std::tuple(false, false, offset), {}, key);
  return found != heads.end() && key(*found) == std::tuple(false, false, offset) ? &*found : nullptr;
}

Scanner::Scanner(const UnitTable& units, Harvest& out)
    : units_(units),
      out_(out),
      abbreviations_(units.file->sections().abbrev),
      alternate_abbreviations_(units.alternate ? units.alternate->sections().abbrev : Data{}) {}

Scanner::Outcome Scanner::scan(std::uint32_t number, bool deep) {
  const auto& place = units_.heads[number];
  const auto version = static_cast<std::uint8_t>(place.head.version);
  AbbreviationTable first;  // of a root alone the table is not worth reading to its end
  if (!deep)
    first.read(units_.sections(place.alternate).abbrev, place.head.abbreviations, version, place.head.address_size,
               place.head.wide, root_code(units_, place));
  const auto* table = deep ? (place.alternate ? alternate_abbreviations_ : abbreviations_)
                                 .at(place.head.abbreviations, version, place.head.address_size, place.head.wide)
                           : &first;
  const Sections* other = units_.alternate && !place.alternate ? &units_.alternate->sections() : nullptr;
  const UnitReader unit(units_.sections(place.alternate), other, place.head, *table);
  Outcome outcome{.root = unit.root(), .problem = {}};
  if (unit.root().damaged) {
    outcome.problem = fmt::format("the unit at {:#x} begins with a DIE that makes no sense", place.head.offset);
    return outcome;
  }
  alternate_ = place.alternate;
  add_ranges(unit, number);
  if (deep) add_files(unit, number);
  if (deep && !unit.root().split && !walk(unit, number, classes_repeat(unit.root().language)))
    outcome.problem =
        fmt::format("the DIEs of the unit at {:#x} ({}) are damaged", place.head.offset, unit.root().name);
  return outcome;
}

void Scanner::add_ranges(const UnitReader& unit, std::uint32_t number) {
  const UnitRoot& root = unit.root();
  const auto& code = units_.file->code();
  if (unit.head().type != dw::ut_compile && unit.head().type != dw::ut_skeleton) return;
  const auto take = [&](std::uint64_t begin, std::uint64_t end) {
    if (begin < end && in_code(code, begin)) out_.ranges.push_back({begin, end, number});
    return true;
  };
  if (root.ranges) {
    unit.each_range(*root.ranges, root.ranges_indexed, take);
  } else if (root.low_pc) {
    take(*root.low_pc, root.high_pc);
  }
}

void Scanner::add_files(const UnitReader& unit, std::uint32_t number) {
  const UnitRoot& root = unit.root();
  if (!root.line_offset || unit.head().type == dw::ut_type) return;
  each_line_file(units_.sections(alternate_), *root.line_offset, root.name, root.folder, [&](std::string path) {
    out_.files.push_back({out_.strings.own(std::move(path)), number});
  });
}

void Scanner::read(const UnitReader& unit, const Abbreviation& abbreviation, DataCursor& in, Die& die) const {
  die.tag = abbreviation.tag;
  const AttributeForm* attributes = unit.abbreviations().attributes_of(abbreviation);
  for (std::uint32_t i = 0; i < abbreviation.attributes; ++i) {
    const AttributeForm& attribute = attributes[i];
    switch (attribute.name) {
      case dw::at_name: die.name = unit.text(in, attribute); break;
      case dw::at_sibling: die.sibling = unit.reference(in, attribute).offset; break;
      case dw::at_inline:
        die.inlinable = true;
        unit.skip(in, attribute.form);
        break;
      case dw::at_declaration: die.declaration = unit.constant(in, attribute) != 0; break;
      case dw::at_external: die.external = unit.constant(in, attribute) != 0; break;
      case dw::at_location:
      case dw::at_const_value:
        die.valued = true;
        unit.skip(in, attribute.form);
        break;
      case dw::at_byte_size: die.size = unit.constant(in, attribute); break;
      case dw::at_low_pc:
        if (const auto at = unit.address(in, attribute)) {
          die.low_pc = *at;
          die.has_low = true;
        }
        break;
      case dw::at_entry_pc:
        if (const auto at = unit.address(in, attribute)) {
          die.entry_pc = *at;
          die.has_entry = true;
        }
        break;
      case dw::at_ranges:
        die.has_ranges = true;
        die.ranges_indexed = attribute.form == dw::form_rnglistx;
        die.ranges = unit.constant(in, attribute);
        break;
      case dw::at_specification: die.specification = unit.reference(in, attribute); break;
      case dw::at_abstract_origin: die.origin = unit.reference(in, attribute); break;
      default: unit.skip(in, attribute.form);
    }
  }
}

// The DIE is of no interest, but for what it was inlined from.
void Scanner::skip(const UnitReader& unit, const Abbreviation& abbreviation, DataCursor& in, std::uint64_t at,
                   bool inside) {
  using Step = SkipStep::Kind;
  const SkipStep* step = unit.abbreviations().steps_of(abbreviation);
  for (const SkipStep* end = step + abbreviation.steps; step != end; ++step) {
    switch (step->kind) {
      case Step::fixed: in.skip(step->bytes); break;
      case Step::leb: in.skip_leb(); break;
      case Step::block1: in.skip(in.u8()); break;
      case Step::block2: in.skip(in.u16()); break;
      case Step::block4: in.skip(in.u32()); break;
      case Step::block: in.skip(in.uleb()); break;
      case Step::string: in.c_string(); break;
      case Step::origin:
        if (inside && abbreviation.tag == dw::tag_inlined_subroutine) {
          const auto origin = unit.reference(in, {.name = dw::at_abstract_origin, .form = step->form});
          if (origin.where == UnitReader::Reference::Where::nowhere || ((origin.offset | at) >> 32) != 0) break;
          const bool elsewhere = origin.where == UnitReader::Reference::Where::alternate;
          (elsewhere ? out_.alternate_instances : out_.instances)
              .push_back({static_cast<std::uint32_t>(origin.offset), static_cast<std::uint32_t>(at)});
          break;
        }
        [[fallthrough]];
      case Step::sibling:
      case Step::other: unit.skip(in, step->form); break;
    }
  }
}

bool Scanner::walk(const UnitReader& unit, std::uint32_t number, bool repeat) {
  intervals_.clear();
  DataCursor in = unit.cursor(unit.head().first_die);
  std::vector<Level> levels;
  while (in.ok() && !in.at_end()) {
    const std::uint64_t at = in.offset();
    const std::uint64_t code = in.uleb();
    if (code == 0) {
      if (levels.empty()) return in.ok();
      if (levels.back().own_interval) intervals_[levels.back().interval].end = at;
      levels.pop_back();
      if (levels.empty()) return in.ok();
      continue;
    }
    const Abbreviation* abbreviation = unit.abbreviations().find(code);
    if (!abbreviation) return false;
    Level next;
    if (!levels.empty() && levels.back().inside) {
      skip(unit, *abbreviation, in, at, !alternate_);
      if (!abbreviation->children) continue;
      next = levels.back();
      next.own_interval = false;
    } else {
      const Level level = levels.empty() ? Level{} : levels.back();
      const bool down = visit(unit, number, *abbreviation, in, at, level, next, repeat);
      if (!abbreviation->children && levels.empty()) return in.ok();
      if (!down || !abbreviation->children) continue;
      next.interval = level.interval;
      if (!next.inside && is_scope(next.tag)) {
        next.interval = static_cast<std::uint32_t>(intervals_.size());
        next.own_interval = true;
        intervals_.push_back({.begin = at, .end = unit.head().end, .scope = next.scope, .parent = level.interval});
      }
    }
    if (levels.size() >= deepest) return false;
    levels.push_back(next);
  }
  return in.ok();  // some producers leave the last null out
}

std::uint32_t Scanner::name_id(const UnitReader& unit, std::string_view text) {
  const Data section = unit.section();
  const auto* begin = reinterpret_cast<const char*>(section.data());
  const bool inline_string = text.data() >= begin && text.data() < begin + section.size();
  return inline_string || text.empty() ? out_.strings.of(text) : out_.strings.of_section(text);
}

std::uint32_t Scanner::enter(std::uint32_t parent, std::string_view name, std::uint16_t tag) {
  const std::uint32_t id = out_.strings.of_section(name);
  bool fresh = false;
  const auto scope = out_.known_scopes.put(std::uint64_t{parent} << 32 | id, tag,
                                           static_cast<std::uint32_t>(out_.scopes.size()), fresh);
  if (fresh) out_.scopes.push_back({.parent = parent, .name = id, .tag = tag});
  return scope;
}

// False: the children were stepped over.
bool Scanner::visit(const UnitReader& unit, std::uint32_t number, const Abbreviation& abbreviation, DataCursor& in,
                    std::uint64_t at, const Level& level, Level& next, bool repeat) {
  const std::uint16_t tag = abbreviation.tag;
  next = {.scope = level.scope, .inside = true, .tag = tag};
  if (is_unit(tag)) {
    skip(unit, abbreviation, in, at, false);
    next.inside = false;
    return true;
  }
  const bool in_class = is_class(level.tag);
  switch (tag) {
    case dw::tag_namespace:
    case dw::tag_module:
    case dw::tag_structure_type:
    case dw::tag_class_type:
    case dw::tag_interface_type:
    case dw::tag_union_type:
    case dw::tag_enumeration_type:
    case dw::tag_base_type:
    case dw::tag_typedef:
    case dw::tag_template_alias:
    case dw::tag_unspecified_type:
    case dw::tag_enumerator:
    case dw::tag_variable:
    case dw::tag_constant:
    case dw::tag_subprogram: break;
    case dw::tag_member:
      if (in_class) break;
      [[fallthrough]];
    default: skip(unit, abbreviation, in, at, false); return true;
  }
  Die die;
  read(unit, abbreviation, in, die);
  if (!in.ok()) return true;
  switch (tag) {
    case dw::tag_subprogram: add_function(unit, number, die, at, level.scope); return true;
    case dw::tag_member:
      if (die.external || die.declaration) add(Kind::declared_variable, number, unit, die, at, level.scope);
      return true;
    case dw::tag_variable:
    case dw::tag_constant: {
      auto scope = level.scope;
      if (die.specification.where != UnitReader::Reference::Where::nowhere) {
        const Named named = completed(unit, die.specification, 0);
        scope = named.scope;
        if (die.name.empty()) die.name = named.name;
      }
      if (!die.name.empty())
        add(die.declaration ? Kind::declared_variable : Kind::variable, number, unit, die, at, scope);
      return true;
    }
    case dw::tag_enumerator: add(Kind::enumerator, number, unit, die, at, level.scope); return true;
    default: break;
  }
  if (!die.name.empty()) {
    const bool space = tag == dw::tag_namespace || tag == dw::tag_module;
    add(space ? Kind::scope : die.declaration ? Kind::declared_type : Kind::type, number, unit, die, at, level.scope);
  }
  if (!is_scope(tag)) return true;
  next.inside = false;
  next.scope = enter(level.scope, die.name, tag);
  // A class that was seen before says nothing new.
  if (repeat && is_class(tag) && !die.name.empty() && die.sibling > in.offset() && die.sibling < unit.head().end &&
      abbreviation.children) {
    bool fresh = false;
    out_.known_classes.put(std::uint64_t{next.scope} << 1 | static_cast<unsigned>(alternate_), die.size, 0, fresh);
    if (!fresh) {
      intervals_.push_back(
          {.begin = at, .end = die.sibling, .scope = next.scope, .parent = level.interval, .skipped = true});
      in.go_forward_to(die.sibling);
      return false;
    }
  }
  return true;
}

bool Scanner::has_real_code(const UnitReader& unit, const Die& die) const {
  const auto& code = units_.file->code();
  if (die.has_ranges) {
    bool real = false;
    unit.each_range(die.ranges, die.ranges_indexed, [&](std::uint64_t begin, std::uint64_t) {
      real = in_code(code, begin);
      return !real;
    });
    return real;
  }
  return (die.has_low && in_code(code, die.low_pc)) || (die.has_entry && in_code(code, die.entry_pc));
}

void Scanner::add_function(const UnitReader& unit, std::uint32_t number, const Die& die, std::uint64_t at,
                           std::uint32_t scope) {
  using Where = UnitReader::Reference::Where;
  const bool coded = die.has_low || die.has_ranges || die.has_entry;
  if (coded && (alternate_ || !has_real_code(unit, die))) return;  // of a discarded section
  Die complete = die;
  const auto reference = die.origin.where != Where::nowhere ? die.origin : die.specification;
  if (reference.where != Where::nowhere) {
    const Named named = completed(unit, reference, 0);
    scope = named.scope;
    if (complete.name.empty()) complete.name = named.name;
  }
  if (complete.name.empty()) return;
  const Kind kind = coded ? Kind::function : die.inlinable ? Kind::inlined : Kind::declared_function;
  add(kind, number, unit, complete, at, scope);
}

void Scanner::add(Kind kind, std::uint32_t number, const UnitReader& unit, const Die& die, std::uint64_t at,
                  std::uint32_t scope) {
  if (die.name.empty()) return;
  const std::uint64_t relative = at - unit.head().offset;
  if (relative > 0xffffffff) return;
  const std::uint32_t name = name_id(unit, die.name);
  const bool one_is_enough = kind != Kind::function && kind != Kind::inlined && kind != Kind::variable;
  if (one_is_enough) {
    bool fresh = false;
    out_.known_entries.put(std::uint64_t{scope} << 32 | name, std::uint64_t{die.tag} << 8 | static_cast<unsigned>(kind),
                           0, fresh);
    if (!fresh) return;
  }
  out_.entries.push_back({.name = name,
                          .scope = scope,
                          .unit = number,
                          .die = static_cast<std::uint32_t>(relative),
                          .tag = die.tag,
                          .kind = kind});
}

// The name of what a definition or an instance completes, and the scope that its declaration stands in.
Scanner::Named Scanner::completed(const UnitReader& unit, UnitReader::Reference reference, int depth) {
  using Where = UnitReader::Reference::Where;
  if (reference.where == Where::nowhere || depth > longest_chain) return {};
  const bool alternate = alternate_ || reference.where == Where::alternate;
  if (alternate && !units_.alternate) return {};
  const UnitHead& here = unit.head();
  const bool same =
      !here.in_types && alternate == alternate_ && reference.offset >= here.first_die && reference.offset < here.end;
  const bool same_types = here.in_types && reference.offset >= here.first_die && reference.offset < here.end;
  const auto read_at = [&](const UnitReader& target) {
    DataCursor in = target.cursor(reference.offset);
    const Abbreviation* abbreviation = target.abbreviations().find(in.uleb());
    if (!abbreviation || !in.ok()) return Named{};
    Die die;
    read(target, *abbreviation, in, die);
    Named named{.name = die.name, .scope = unknown_scope};
    const auto on = die.origin.where != Where::nowhere ? die.origin : die.specification;
    if (on.where != Where::nowhere) {
      const Named outer = completed(target, on, depth + 1);
      named.scope = outer.scope;
      if (named.name.empty()) named.name = outer.name;
    } else {
      named.scope = scope_at(reference.offset, alternate);
    }
    return named;
  };
  if (same || same_types) return read_at(unit);
  const auto* place = units_.holding(reference.offset, alternate);
  if (!place) return {};
  const auto* table = (alternate ? alternate_abbreviations_ : abbreviations_)
                          .at(place->head.abbreviations, static_cast<std::uint8_t>(place->head.version),
                              place->head.address_size, place->head.wide);
  // A table of its own: the cache may give up this one's slot while the chain is followed.
  const AbbreviationTable kept = *table;
  const Sections* other = units_.alternate && !alternate ? &units_.alternate->sections() : nullptr;
  const UnitReader target(units_.sections(alternate), other, place->head, kept);
  const bool before = std::exchange(alternate_, alternate);
  const Named named = read_at(target);
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

std::uint32_t Scanner::scope_at(std::uint64_t offset, bool alternate) {
  const bool own = alternate == alternate_ && !intervals_.empty() && offset >= intervals_.front().begin;
  const Interval* found = own ? innermost(intervals_, offset) : nullptr;
  if (found && !found->skipped) return found->scope;
  const auto* place = units_.holding(offset, alternate);
  if (!place) return found ? found->scope : no_scope;
  const Interval* exact = innermost(intervals_of(*place), offset);
  return exact ? exact->scope : no_scope;
}

const Scanner::Intervals& Scanner::intervals_of(const UnitTable::Place& place) {
  if (const auto known = elsewhere_.find(&place); known != elsewhere_.end()) return known->second;
  if (elsewhere_.size() >= most_kept_units) elsewhere_.clear();
  auto& list = elsewhere_[&place];
  const AbbreviationTable kept = *(place.alternate ? alternate_abbreviations_ : abbreviations_)
                                      .at(place.head.abbreviations, static_cast<std::uint8_t>(place.head.version),
                                          place.head.address_size, place.head.wide);
  const UnitReader unit(units_.sections(place.alternate), nullptr, place.head, kept);
  if (!unit.root().damaged) collect_scopes(unit, place.head.first_die, place.head.end, no_scope, list);
  return list;
}

void Scanner::collect_scopes(const UnitReader& unit, std::uint64_t begin, std::uint64_t end, std::uint32_t scope,
                             Intervals& out) {
  DataCursor in = unit.cursor(begin);
  std::vector<Level> levels;
  while (in.ok() && in.offset() < end) {
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
    next.inside = next.inside || !(is_scope(die.tag) || is_unit(die.tag));
    if (next.inside && die.sibling > in.offset() && die.sibling < end) {
      in.go_forward_to(die.sibling);
      continue;
    }
    if (levels.size() >= deepest) return;
    if (!next.inside && is_scope(die.tag)) {
      next.scope = enter(next.scope, die.name, die.tag);
      const auto parent = std::exchange(next.interval, static_cast<std::uint32_t>(out.size()));
      next.own_interval = true;
      out.push_back({.begin = at, .end = end, .scope = next.scope, .parent = parent});
    }
    levels.push_back(next);
  }
}

}  // namespace trapline::index
