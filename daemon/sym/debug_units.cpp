// The units of a module by the index or by a survey of our own, without libdw, which reads every unit before the last
// one. Both number the units alike: an index that comes later takes the survey's place, and what was read of units
// stays.
#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>

#include "daemon/index/build.hpp"
#include "daemon/index/debug_sections.hpp"
#include "daemon/index/name_search.hpp"
#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/functions.hpp"

namespace trapline::sym {
namespace {

constexpr std::uint64_t many_pages = 1 << 20;        // of .debug_info between two units
constexpr std::uint64_t large_debug_info = 1 << 20;  // as module_index.cpp has it
constexpr std::size_t most_partial = 64;             // partial indexes that are kept, of 128 KiB and more

index::Sections sections_of(const ElfFile& file) {
  const auto contents = [&](const char* name) { return file.contents(name); };
  return {.info = contents(".debug_info"),
          .types = contents(".debug_types"),
          .abbrev = contents(".debug_abbrev"),
          .str = contents(".debug_str"),
          .line_str = contents(".debug_line_str"),
          .str_offsets = contents(".debug_str_offsets"),
          .addr = contents(".debug_addr"),
          .ranges = contents(".debug_ranges"),
          .rnglists = contents(".debug_rnglists"),
          .aranges = contents(".debug_aranges"),
          .line = contents(".debug_line")};
}

std::shared_ptr<const index::DebugFile> view_of(const ElfFile& file, const ElfFile& program) {
  std::vector<index::CodeRange> code;
  for (const auto& segment : program.segments())
    if (segment.executable) code.push_back({segment.range.begin, segment.range.end});
  return index::DebugFile::from_sections(sections_of(file), std::move(code), file.path());
}

}  // namespace

std::shared_ptr<const index::DebugFile> DebugInfo::alternate_view() const {
  return alternate_file_ && alternate_ ? view_of(*alternate_file_, program_) : nullptr;
}

std::shared_ptr<const index::Index> DebugInfo::survey() const {
  return index::survey(view_of(file_, program_), alternate_view());
}

std::shared_ptr<const index::Index> DebugInfo::build_index(unsigned threads) {
  const auto key = index::Key::of(file_.path());
  auto bytes = index::build(view_of(file_, program_), alternate_view(), key, {.threads = threads});
  auto made = bytes && !file_.lost() ? index::Index::from_bytes(*std::move(bytes), key) : fail(Errc::not_available, {});
  if (made) use_index(*made);
  return made && index_ == *made ? index_ : nullptr;
}

index::NameSearch& DebugInfo::name_search() {
  if (!search_)
    search_ = std::make_unique<index::NameSearch>(view_of(file_, program_), alternate_view(),
                                                  file_.contents(".debug_names"), file_.contents(".gdb_index"));
  return *search_;
}

bool DebugInfo::has_name_table() { return name_search().has_names(); }

std::shared_ptr<const index::Index> DebugInfo::partial_index(std::string_view base, Where where,
                                                             std::span<const std::string> scopes) {
  if (!index_expected_ || names_index() || !table() || base.empty()) return nullptr;
  auto key = std::pair(where, std::string(base));
  for (const auto& scope : scopes) key.second += '\n' + scope;
  const auto known = partial_.find(key);
  if (known != partial_.end()) return known->second;
  auto& search = name_search();
  const bool anywhere = where == Where::anywhere;
  std::optional<std::vector<std::uint32_t>> units;
  // Tables leave names out: they end no search for all that there is.
  if (!anywhere) units = search.by_tables(base);
  if (anywhere || (units->empty() && where != Where::tables)) units = search.by_bytes(base, scopes);
  if (units && where == Where::first_units) units = search.first_of(*units);
  auto made = !units || (units->empty() && !anywhere) ? nullptr : search.index_of(*units);
  file_.release_pages();
  if (made && (made->has_damaged_units() || made->unit_count() != survey_->unit_count())) made.reset();
  if (partial_.size() >= most_partial) partial_.clear();
  return partial_[std::move(key)] = std::move(made);
}

const index::Index* DebugInfo::names_index() {
  if (index_ && index_->damaged()) given_up_.push_back(std::move(index_));
  return index_.get();
}

const index::Index* DebugInfo::table() {
  if (const auto* names = names_index()) return names;
  if (!surveyed_) {
    surveyed_ = true;
    survey_ = survey();
    file_.release_pages();
    if (survey_ && !survey_->has_split_units() && !survey_->problem().empty() && problem_.empty())
      problem_ = fmt::format("{}: {}", file_.path(), survey_->problem());
    if (survey_ && survey_->has_split_units()) survey_.reset();
  }
  return survey_.get();
}

void DebugInfo::use_index(std::shared_ptr<const index::Index> index) {
  if (!index || index->has_split_units() || (surveyed_ && !survey_)) return;
  // Another count of units is another file's index, or a dwz file that was found one time only.
  if (survey_ && survey_->unit_count() != index->unit_count()) return;
  if (index_) given_up_.push_back(std::move(index_));
  if (!index->problem().empty() && problem_.empty()) problem_ = fmt::format("{}: {}", file_.path(), index->problem());
  index_ = std::move(index);
  partial_.clear();
  search_.reset();
}

// libdw finds a unit by looking at the header of each before it, and each look maps some pages around it: they are
// given back, or the headers of a large program would stay as a tenth of a gigabyte.
bool DebugInfo::open_unit(Unit& unit, std::uint64_t first_die, bool in_types) {
  Dwarf_Die die;
  if (!(in_types ? dwarf_offdie_types(dwarf_, first_die, &die) : dwarf_offdie(dwarf_, first_die, &die))) return false;
  unit.die = die;
  unit_by_cu_.emplace(die.cu, &unit);
  if (first_die > units_reached_ + many_pages) file_.release_pages();
  units_reached_ = std::max(units_reached_, first_die);
  return true;
}

const Unit& DebugInfo::numbered(std::uint32_t number) {
  static const Unit nothing{};
  const auto* known = table();
  if (known && by_number_.size() < known->unit_count()) by_number_.resize(known->unit_count());
  if (number >= by_number_.size()) return nothing;
  Unit*& slot = by_number_[number];
  if (slot) return *slot;
  const auto found = known ? known->unit(number) : std::nullopt;
  if (!found || found->is(index::UnitRow::alternate)) return nothing;
  const auto& row = found->row;
  const bool types = found->is(index::UnitRow::in_types);
  Unit*& same = by_header_[row.offset | (types ? in_types_section : 0)];
  if (!same) {
    Unit& unit = units_.emplace_back();
    unit.index = number;
    unit.version = row.version;
    unit.compile_unit = found->is(index::UnitRow::compile_unit);
    if (row.line_offset != index::UnitRow::no_lines) unit.line_offset = row.line_offset;
    unit.name = found->name.data();
    unit.folder = found->folder.data();
    unit.language = static_cast<int>(row.language);
    unit.optimized = found->is(index::UnitRow::optimized);
    open_unit(unit, row.first_die, types);
    same = &unit;
  }
  slot = same;
  return *slot;
}

// For the first answers about a large file: its own list of addresses spares looking at every unit. What it does not
// have is for table() to find.
const Unit* DebugInfo::unit_by_aranges(std::uint64_t at) {
  if (file_.stored_size(".debug_info") < large_debug_info) return nullptr;
  std::optional<std::uint64_t> header;
  index::each_arange(file_.contents(".debug_aranges"), [&](std::uint64_t unit, std::uint64_t begin, std::uint64_t end) {
    if (begin <= at && at < end && is_code(begin)) header = unit;
  });
  if (!header) return nullptr;
  Unit*& slot = by_header_[*header];
  if (slot) return slot;
  const auto read = index::read_unit(*view_of(file_, program_), *header);
  if (!read || read->root.split) return nullptr;
  const auto& root = read->root;
  Unit& unit = units_.emplace_back();
  unit.index = static_cast<std::uint32_t>(units_.size() - 1);
  unit.version = read->head.version;
  unit.compile_unit = true;
  unit.line_offset = root.line_offset;
  unit.name = root.name.empty() ? "" : root.name.data();  // in the file's section: a zero ends it
  unit.folder = root.folder.empty() ? "" : root.folder.data();
  unit.language = static_cast<int>(root.language);
  unit.optimized = index::optimizing(root.producer);
  if (!open_unit(unit, read->head.first_die, false)) {
    units_.pop_back();
    return nullptr;
  }
  slot = &unit;
  return slot;
}

const Unit* DebugInfo::unit_of_known(Dwarf_CU* cu) {
  Dwarf_Die die;
  if (!cu || dwarf_cu_getdwarf(cu) != dwarf_ ||
      !dwarf_cu_die(cu, &die, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr))
    return nullptr;
  const auto* known = table();
  const auto header = dwarf_dieoffset(&die) - dwarf_cuoffset(&die);
  for (const bool types : {false, true}) {
    const auto number = known ? known->unit_with_offset(header, false, types) : std::nullopt;
    if (!number) continue;
    const Unit& unit = numbered(*number);
    if (unit.die.addr == die.addr) return &unit;
  }
  return nullptr;
}

const std::vector<const Unit*>& DebugInfo::units() {
  if (units_read_) return all_units_;
  units_read_ = true;
  if (const auto* known = table()) {
    const auto count = static_cast<std::uint32_t>(known->unit_count());
    for (std::uint32_t i = 0; i < count; ++i)
      if (const Unit& unit = numbered(i); unit.die.addr) all_units_.push_back(&unit);
  } else {
    read_units();
    for (const auto& unit : units_) all_units_.push_back(&unit);
  }
  return all_units_;
}

bool DebugInfo::any_optimized() {
  if (const auto* known = table()) return known->any_optimized();
  // Of the units in .dwo files one that is there speaks for those that nobody asked for yet.
  bool asked = false;
  for (const auto* unit : units()) {
    if (unit->split && !asked) asked = split_of(*unit) != nullptr;
    if (unit->optimized) return true;
  }
  return false;
}

std::optional<Dwarf_Die> DebugInfo::die_of(const index::Index& index, const index::Index::Entry& entry) {
  const auto unit = index.unit(entry.unit);
  if (!unit) return std::nullopt;
  Dwarf* dwarf = unit->is(index::UnitRow::alternate) ? alternate_ : dwarf_;
  Dwarf_Die die;
  const bool types = unit->is(index::UnitRow::in_types);
  if (!dwarf || !(types ? dwarf_offdie_types(dwarf, entry.die, &die) : dwarf_offdie(dwarf, entry.die, &die)))
    return std::nullopt;
  const char* name = die_name(die);
  const bool same = dwarf_tag(&die) == entry.tag && (entry.name.empty() || !name || entry.name == name);
  return same ? std::optional(die) : std::nullopt;
}

std::vector<Dwarf_Die> DebugInfo::instances_of(const Dwarf_Die& abstract, const index::Index* part) {
  std::vector<Dwarf_Die> found;
  Dwarf_Die copy = abstract, die;
  const auto* index = names_index() ? names_index() : part;
  if (index && index->has_instances() && !index->has_damaged_units()) {
    const bool elsewhere = dwarf_cu_getdwarf(abstract.cu) != dwarf_;
    for (const auto offset : index->instances_of(dwarf_dieoffset(&copy), elsewhere))
      if (dwarf_offdie(dwarf_, offset, &die) && dwarf_tag(&die) == DW_TAG_inlined_subroutine) found.push_back(die);
    if (!index->damaged()) return found;
    found.clear();
  }
  const Unit* own = unit_of(abstract.cu);
  // What several units have in common lies in a partial unit (dwz): any of them may hold instances.
  const bool of_many = own && !own->compile_unit;
  for (const auto* unit : units()) {
    // Link-time optimisation puts instances into units of its own, all called <artificial>.
    if (!of_many && unit != own && std::string_view(unit->name) != "<artificial>") continue;
    for (const auto& instance : functions().instances_of(abstract, *unit)) found.push_back(instance);
  }
  return found;
}

}  // namespace trapline::sym
