#include "daemon/index/scan.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/line_files.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t deepest = 512;         // deeper trees are taken for damaged ones
constexpr std::size_t glance = 4096;         // DIEs between two looks at the order to stop
constexpr std::size_t most_files = 1 << 24;  // that line tables mention, one by one

std::uint64_t root_code(const UnitTable& units, const UnitTable::Place& place) {
  const Sections& sections = units.sections(place.alternate);
  return DataCursor(place.head.in_types ? sections.types : sections.info, place.head.first_die).uleb();
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

Scanner::Scanner(const UnitTable& units, Harvest& out, const std::atomic<bool>* cancel)
    : units_(units),
      out_(out),
      cancel_(cancel),
      abbreviations_(units.file->sections().abbrev),
      alternate_abbreviations_(units.alternate ? units.alternate->sections().abbrev : Data{}) {
  const Sections& own = units.file->sections();
  // An entry of a list takes two bytes at the least, and each list is read twice: by its unit, and by its function.
  ranges_left_ = own.ranges.size() + own.rnglists.size() + units.heads.size();
  // Linkers let a text begin within another one, at its tail: of a real file each byte counts for a few texts at most.
  constexpr std::uint64_t texts_of_a_byte = 16, at_least = 64 << 20;
  most_text_ = at_least + texts_of_a_byte * (own.str.size() + own.line_str.size() + own.info.size() + own.line.size());
  if (units.alternate) most_text_ += texts_of_a_byte * units.alternate->sections().str.size();
}

AbbreviationCache::Table Scanner::abbreviations_of(const UnitTable::Place& place) {
  return (place.alternate ? alternate_abbreviations_ : abbreviations_)
      .at(place.head.abbreviations, static_cast<std::uint8_t>(place.head.version), place.head.address_size,
          place.head.wide);
}

bool Scanner::too_much_text() const { return out_.strings.hashed_bytes() > most_text_; }

Scanner::Outcome Scanner::scan(std::uint32_t number, bool deep) {
  const auto& place = units_.heads[number];
  const auto version = static_cast<std::uint8_t>(place.head.version);
  AbbreviationCache::Table table;
  if (deep) {
    table = abbreviations_of(place);
  } else {  // of a root alone the table is not worth reading to its end
    auto first = std::make_shared<AbbreviationTable>();
    first->read(units_.sections(place.alternate).abbrev, place.head.abbreviations, version, place.head.address_size,
                place.head.wide, root_code(units_, place));
    table = std::move(first);
  }
  const Sections* other = units_.alternate && !place.alternate ? &units_.alternate->sections() : nullptr;
  const UnitReader unit(units_.sections(place.alternate), other, place.head, *table);
  Outcome outcome{.root = unit.root(), .problem = {}};
  if (unit.root().damaged) {
    outcome.problem = fmt::format("the unit at {:#x} begins with a DIE that makes no sense", place.head.offset);
    return outcome;
  }
  alternate_ = place.alternate;
  problem_.clear();
  add_ranges(unit, number);
  if (deep) add_files(unit, number);
  if (deep && !unit.root().split && !walk(unit, number, classes_repeat(unit.root().language)))
    problem_ = "its DIEs are damaged";
  if (!problem_.empty())
    outcome.problem = fmt::format("the unit at {:#x} ({}): {}", place.head.offset, unit.root().name, problem_);
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
    each_range(unit, *root.ranges, root.ranges_indexed, take);
  } else if (root.low_pc) {
    take(*root.low_pc, root.high_pc);
  }
}

void Scanner::each_range(const UnitReader& unit, std::uint64_t at, bool indexed, const UnitReader::TakeRange& take) {
  if (ranges_left_ == 0) {
    problem_ = "the lists of addresses of the units say more than their sections can hold";
    return;
  }
  ranges_left_ -= std::min<std::uint64_t>(ranges_left_, unit.each_range(at, indexed, take));
}

void Scanner::add_files(const UnitReader& unit, std::uint32_t number) {
  const UnitRoot& root = unit.root();
  // Partial units share the tables of units that are whole; in a dwz file they do not even say in which folder.
  const bool whole = unit.head().type == dw::ut_compile || unit.head().type == dw::ut_skeleton;
  if (!root.line_offset || !whole || alternate_ || root.tag == dw::tag_partial_unit) return;
  // Many units may have one table. Before DWARF 5 the unit says where its first file is.
  const XXH128_hash_t names = XXH3_128bits(root.folder.data(), root.folder.size());
  const auto name = XXH3_64bits(root.name.data(), root.name.size());
  bool fresh = false;
  known_files_.put(*root.line_offset << 1 | static_cast<unsigned>(alternate_), names.low64 ^ name * 31, 0, fresh);
  if (!fresh) return;
  if (out_.files.size() > most_files || too_much_text()) {
    problem_ = "the line tables mention more files than they can hold";
    return;
  }
  each_line_file(units_.sections(alternate_), *root.line_offset, root.name, root.folder, [&](std::string path) {
    if (out_.files.size() > most_files || too_much_text()) return;
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
  walked_ = &units_.heads[number];
  DataCursor in = unit.cursor(unit.head().first_die);
  std::vector<Level> levels;
  for (std::size_t seen = 1; in.ok() && !in.at_end(); ++seen) {
    if (seen % glance == 0 && cancelled()) return true;
    if (seen % 32 == 0 && too_much_text()) return false;
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
      if (!next.inside && dw::is_scope(next.tag)) {
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
  if (dw::is_unit(tag)) {
    skip(unit, abbreviation, in, at, false);
    next.inside = false;
    return true;
  }
  const bool in_class = dw::is_class(level.tag);
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
  position_ = at;
  switch (tag) {
    case dw::tag_subprogram: add_function(unit, number, die, at, level.scope); return true;
    case dw::tag_member:
      if (die.external || die.declaration) add(Kind::declared_variable, number, unit, die, at, level.scope);
      return true;
    case dw::tag_variable:
    case dw::tag_constant: {
      auto scope = level.scope;
      if (die.specification.where != UnitReader::Reference::Where::nowhere) {
        const Named named = completed(unit, units_.heads[number], die.specification, 0);
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
  auto around = level.scope;
  if (die.specification.where != UnitReader::Reference::Where::nowhere) {  // a type unit's type, a nested class
    const Named named = completed(unit, units_.heads[number], die.specification, 0);
    around = named.scope;
    if (die.name.empty()) die.name = named.name;
  }
  if (!die.name.empty()) {
    const bool space = tag == dw::tag_namespace || tag == dw::tag_module;
    add(space ? Kind::scope : die.declaration ? Kind::declared_type : Kind::type, number, unit, die, at, around);
  }
  if (!dw::is_scope(tag)) return true;
  next.inside = false;
  next.scope = enter(around, die.name, tag);
  // A class that was seen before says nothing new.
  if (repeat && dw::is_class(tag) && !die.name.empty() && die.sibling > in.offset() && die.sibling < unit.head().end &&
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

bool Scanner::has_real_code(const UnitReader& unit, const Die& die) {
  const auto& code = units_.file->code();
  if (die.has_ranges) {
    bool real = false;
    each_range(unit, die.ranges, die.ranges_indexed, [&](std::uint64_t begin, std::uint64_t) {
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
    const Named named = completed(unit, units_.heads[number], reference, 0);
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

}  // namespace trapline::index
