#include "daemon/sym/debug_info.hpp"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "daemon/index/build.hpp"
#include "daemon/index/name_search.hpp"
#include "daemon/sym/debug_link.hpp"
#include "daemon/sym/dwarf_handle.hpp"
#include "daemon/sym/functions.hpp"
#include "daemon/sym/names.hpp"
#include "daemon/sym/split_units.hpp"

namespace trapline::sym {
namespace {

constexpr int max_ranges = 1 << 20;

const char* text_of(const Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute found;
  const char* text = own_attribute(die, name, found) ? dwarf_formstring(&found) : nullptr;
  return text ? text : "";
}

// What its root says about a unit.
void describe(Unit& unit, const Dwarf_Die& root) {
  Dwarf_Die copy = root;
  if (const int language = dwarf_srclang(&copy); language > 0) unit.language = language;
  if (const char* name = text_of(root, DW_AT_name); *name != '\0') unit.name = name;
  if (unit.compile_unit) unit.optimized = index::optimizing(text_of(root, DW_AT_producer));
}

}  // namespace

std::unique_ptr<DebugInfo> DebugInfo::open(const ElfFile& program, const ElfFile& debug_file,
                                           const SearchOptions& options, std::string& problem) {
  std::unique_ptr<DebugInfo> info(new DebugInfo(program, debug_file, options));
  info->dwarf_ = dwarf_begin_elf(debug_file.inflated(), DWARF_C_READ, nullptr);
  if (!info->dwarf_) {
    problem = !debug_file.inflate_problem().empty() ? debug_file.inflate_problem()
                                                    : fmt::format("{}: {}", debug_file.path(), dwarf_errmsg(-1));
    return nullptr;
  }
  Dwarf_CU* first = nullptr;
  const int got = dwarf_get_units(info->dwarf_, nullptr, &first, nullptr, nullptr, nullptr, nullptr);
  if (got != 0) {
    problem = fmt::format("{}: its .debug_info is unreadable ({})", debug_file.path(),
                          got < 0 ? dwarf_errmsg(-1) : "no unit in it");
    return nullptr;
  }
  info->open_alternate(options);
  info->line_sections_ = {.line = debug_file.contents(".debug_line"),
                          .line_strings = debug_file.contents(".debug_line_str"),
                          .strings = debug_file.contents(".debug_str")};
  return info;
}

DebugInfo::DebugInfo(const ElfFile& program, const ElfFile& file, const SearchOptions& options)
    : program_(program), file_(file), options_(options) {}

DebugInfo::~DebugInfo() {
  split_.reset();
  if (dwarf_) {
    if (alternate_) dwarf_setalt(dwarf_, nullptr);
    dwarf_end(dwarf_);
  }
  if (alternate_) dwarf_end(alternate_);
}

void DebugInfo::open_alternate(const SearchOptions& options) {
  const char* link = nullptr;
  const void* id = nullptr;
  const auto size = dwelf_dwarf_gnu_debugaltlink(dwarf_, &link, &id);
  if (size <= 0 || !link) return;
  std::string build_id;
  for (ssize_t i = 0; i < std::min<ssize_t>(size, 64); ++i)
    build_id += fmt::format("{:02x}", static_cast<const unsigned char*>(id)[i]);
  alternate_file_ = find_alternate(link, build_id, file_.path(), options);
  if (!alternate_file_) {
    problem_ = fmt::format("{}: its dwz file {} was not found; names and types that lie there are unknown",
                           file_.path(), link);
    return;
  }
  alternate_ = dwarf_begin_elf(alternate_file_->inflated(), DWARF_C_READ, nullptr);
  if (alternate_) dwarf_setalt(dwarf_, alternate_);
}

void DebugInfo::read_units() {
  Dwarf_CU* cu = nullptr;
  Dwarf_Half version = 0;
  std::uint8_t type = 0;
  Dwarf_Die die;
  int got = 0;
  // Without the last argument: libdw would open the .dwo file of each unit.
  while ((got = dwarf_get_units(dwarf_, cu, &cu, &version, &type, &die, nullptr)) == 0) {
    if (!die.addr) continue;  // of a version that libdw does not know
    Unit unit{.die = die,
              .index = static_cast<std::uint32_t>(units_.size()),
              .version = version,
              .compile_unit = type == DW_UT_compile || type == DW_UT_skeleton,
              .line_offset = std::nullopt,
              .name = text_of(die, DW_AT_name),
              .folder = text_of(die, DW_AT_comp_dir)};
    if (auto skeleton = skeleton_of(die, version, unit.index)) {
      if (!split_) split_ = std::make_unique<SplitUnits>(program_, file_, options_);
      split_->add(std::move(*skeleton));
      unit.split = true;
    }
    Dwarf_Attribute found;
    Dwarf_Word offset = 0;
    if (own_attribute(die, DW_AT_stmt_list, found) && dwarf_formudata(&found, &offset) == 0) unit.line_offset = offset;
    if (!unit.split) describe(unit, die);
    units_.push_back(unit);
    unit_by_cu_.emplace(cu, &units_.back());
  }
  if (got < 0)
    problem_ = fmt::format("{}: .debug_info is damaged behind its first {} units ({})", file_.path(), units_.size(),
                           dwarf_errmsg(-1));
}

std::string DebugInfo::problem() const { return problem_.empty() && split_ ? split_->problem() : problem_; }

const SplitTree* DebugInfo::split_of(const Unit& unit) {
  const SplitTree* split = unit.split ? split_->of_unit(unit.index) : nullptr;
  // Once: units_ is this object's, and the answer is the same each time.
  if (split && unit.language == 0) describe(units_[unit.index], split->root);
  return split;
}

const SplitTree* DebugInfo::split_of(const Dwarf_CU* cu) const {
  return split_ && cu ? split_->of_dwarf(dwarf_cu_getdwarf(const_cast<Dwarf_CU*>(cu))) : nullptr;
}

Dwarf_Die DebugInfo::skeleton_die(const SplitTree& split) const { return units_[split.unit].die; }

Dwarf_Die DebugInfo::tree(const Unit& unit) {
  const SplitTree* split = split_of(unit);
  return split ? split->root : unit.die;
}

const Unit& DebugInfo::told(const Unit& unit) {
  split_of(unit);
  return unit;
}

Dwarf* DebugInfo::dwarf_of(std::uint32_t file) {
  if (file == 0) return dwarf_;
  if (file == 1) return alternate_;
  units();
  const SplitTree* split = split_ ? split_->of_file(file) : nullptr;
  return split ? split->image->dwarf() : nullptr;
}

std::optional<std::uint32_t> DebugInfo::file_of(Dwarf* dwarf) const {
  if (dwarf == dwarf_) return 0;
  if (dwarf == alternate_) return 1;
  const SplitTree* split = split_ ? split_->of_dwarf(dwarf) : nullptr;
  return split ? std::optional(split->file) : std::nullopt;
}

void DebugInfo::read_unit_ranges() {
  std::vector<bool> covered(units().size(), false);
  for (const auto* unit : units()) {
    if (!unit->compile_unit) continue;
    for (const auto& range : ranges_of(unit->die)) {
      covered[unit->index] = true;
      unit_ranges_.add(range.begin, range.end, unit->index);
    }
  }
  add_aranges(covered);
  unit_ranges_.seal();
}

// For units whose own DIE names no addresses.
void DebugInfo::add_aranges(const std::vector<bool>& covered) {
  Dwarf_Aranges* aranges = nullptr;
  std::size_t count = 0;
  if (std::ranges::find(covered, false) == covered.end() || dwarf_getaranges(dwarf_, &aranges, &count) != 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    Dwarf_Addr begin = 0;
    Dwarf_Word length = 0;
    Dwarf_Off offset = 0;
    Dwarf_Die die;
    if (dwarf_getarangeinfo(dwarf_onearange(aranges, i), &begin, &length, &offset) != 0) continue;
    if (!is_code(begin) || length > std::numeric_limits<std::uint64_t>::max() - begin) continue;
    if (!dwarf_offdie(dwarf_, offset, &die)) continue;
    const Unit* unit = unit_of(die.cu);
    if (unit && !covered[unit->index]) unit_ranges_.add(begin, begin + length, unit->index);
  }
}

const IntervalIndex<std::uint32_t>& DebugInfo::unit_ranges() {
  if (!ranges_read_) {
    ranges_read_ = true;
    read_unit_ranges();
  }
  return unit_ranges_;
}

const Unit* DebugInfo::unit_at(std::uint64_t at) {
  if (!surveyed_ && !names_index())
    if (const Unit* unit = unit_by_aranges(at)) return unit;
  if (const auto* known = table()) {
    const auto number = known->unit_at(at);
    const Unit* unit = number ? &numbered(*number) : nullptr;
    return unit && unit->die.addr ? unit : nullptr;
  }
  const auto* found = unit_ranges().find(at);
  return found ? &units_[found->payload] : nullptr;
}

std::vector<const Unit*> DebugInfo::units_in(FileRange range) {
  std::vector<const Unit*> found;
  if (const auto* known = table()) {
    for (const auto number : known->units_in(range.begin, range.end))
      if (const Unit& unit = numbered(number); unit.die.addr) found.push_back(&unit);
    return found;
  }
  const auto& ranges = unit_ranges();
  if (const auto* first = ranges.find(range.begin)) found.push_back(&units_[first->payload]);
  const auto& entries = ranges.entries();
  using Entry = IntervalIndex<std::uint32_t>::Entry;
  for (auto next = std::ranges::upper_bound(entries, range.begin, {}, &Entry::begin);
       next != entries.end() && next->begin < range.end; ++next)
    found.push_back(&units_[next->payload]);
  return found;
}

const Unit* DebugInfo::unit_of(Dwarf_CU* cu) {
  if (const auto known = unit_by_cu_.find(cu); known != unit_by_cu_.end()) return known->second;
  if (table()) return unit_of_known(cu);
  units();
  const auto found = unit_by_cu_.find(cu);
  if (found != unit_by_cu_.end()) return found->second;
  const SplitTree* split = split_of(cu);
  if (!split) return nullptr;
  if (split->root.cu == cu && split->unit != SplitTree::no_unit) return &units_[split->unit];
  // A type unit beside it. The files that it names are in a line table of the .dwo file, which is not read.
  const auto [slot, fresh] = split_types_.try_emplace(cu);
  Dwarf_Die die;
  if (fresh && dwarf_cu_info(cu, &slot->second.version, nullptr, &die, nullptr, nullptr, nullptr, nullptr) == 0) {
    slot->second.die = die;
    if (const int language = dwarf_srclang(&die); language > 0) slot->second.language = language;
  }
  return &slot->second;
}

LineTable* DebugInfo::table_at(std::uint64_t offset, const Unit& unit) {
  if (const auto known = tables_.find(offset); known != tables_.end()) return known->second.get();
  auto& slot = tables_[offset];
  auto header = read_line_header(line_sections_, offset);
  if (!header) return nullptr;
  slot = std::make_unique<LineTable>();
  slot->header = std::move(*header);
  slot->unit = &unit;
  if (slot->header.version < 5) {
    slot->header.directories[0] = unit.folder;
    slot->header.files[0] = {.name = unit.name, .directory = 0};
  }
  return slot.get();
}

LineTable* DebugInfo::lines(const Unit& unit) { return unit.line_offset ? table_at(*unit.line_offset, unit) : nullptr; }

const LineRows& DebugInfo::rows(LineTable& table) {
  if (!table.decoded) {
    table.decoded = true;
    table.rows = run_line_program(line_sections_, table.header, [this](std::uint64_t at) { return is_code(at); });
  }
  return table.rows;
}

std::string_view DebugInfo::path(LineTable& table, std::uint64_t index) {
  const auto& header = table.header;
  if (index >= header.files.size()) return {};
  if (table.paths.size() < header.files.size()) table.paths.resize(header.files.size());
  auto& slot = table.paths[index];
  if (!slot.empty()) return slot;
  const LineFile& file = header.files[index];
  std::string text(file.name);
  const auto prefix = [&](std::string_view folder) {
    if (!text.starts_with('/') && !folder.empty()) text = fmt::format("{}/{}", folder, text);
  };
  if (file.directory < header.directories.size()) prefix(header.directories[file.directory]);
  if (!header.directories.empty()) prefix(header.directories[0]);
  prefix(table.unit->folder);
  slot = *paths_.insert(clean_path(text)).first;
  return slot;
}

std::vector<LineTable*> DebugInfo::tables_mentioning(std::string_view wanted) {
  std::vector<LineTable*> found;
  std::unordered_set<std::uint64_t> seen;
  const auto mentions = [&](const LineHeader& header) {
    return std::ranges::any_of(header.files, [&](const LineFile& f) { return base_name(f.name) == wanted; });
  };
  if (const auto* known = names_index()) {
    for (const auto& file : known->files_named(wanted))
      for (const auto number : file.units) {
        const Unit& unit = numbered(number);
        LineTable* lines = unit.die.addr && unit.line_offset ? table_at(*unit.line_offset, unit) : nullptr;
        if (lines && seen.insert(*unit.line_offset).second) found.push_back(lines);
      }
    if (names_index() == known) return found;
    found.clear();
    seen.clear();
  }
  for (const auto* unit : units()) {
    if (!unit->line_offset || !unit->compile_unit || !seen.insert(*unit->line_offset).second) continue;
    if (const auto known = tables_.find(*unit->line_offset); known != tables_.end()) {
      if (known->second && mentions(known->second->header)) found.push_back(known->second.get());
      continue;
    }
    // Not kept where it does not fit: the headers of a large program take more memory than the answer is worth.
    const auto header = read_line_header(line_sections_, *unit->line_offset);
    if (!header || !(mentions(*header) || base_name(unit->name) == wanted)) continue;
    if (auto* table = table_at(*unit->line_offset, *unit)) found.push_back(table);
  }
  return found;
}

void DebugInfo::each_file(const std::function<void(std::string_view)>& take) {
  if (const auto* known = names_index()) {
    std::size_t count = 0;
    known->each_file([&](std::string_view path) {
      ++count;
      take(*paths_.emplace(path).first);
    });
    if (count > 0 && names_index() == known) return;
  }
  std::unordered_set<const LineTable*> seen;
  for (const auto* unit : units()) {
    LineTable* table = unit->compile_unit ? lines(*unit) : nullptr;
    if (!table || !seen.insert(table).second) continue;
    for (std::size_t i = 0; i < table->header.files.size(); ++i)
      if (!table->header.files[i].name.starts_with('<')) take(path(*table, i));
  }
}

FunctionTable& DebugInfo::functions() {
  if (!functions_) functions_ = std::make_unique<FunctionTable>(*this);
  return *functions_;
}

NameIndex& DebugInfo::names() {
  if (!names_) names_ = std::make_unique<NameIndex>(*this);
  return *names_;
}

std::vector<FileRange> DebugInfo::ranges_of(const Dwarf_Die& die) const {
  std::vector<FileRange> ranges;
  Dwarf_Attribute list;
  if (const SplitTree* split = split_of(die.cu); split && own_attribute(die, DW_AT_ranges, list)) {
    ranges = split->ranges(list);
    std::erase_if(ranges, [&](const FileRange& range) { return !is_code(range.begin); });
    return ranges;
  }
  Dwarf_Die copy = die;
  Dwarf_Addr base = 0, begin = 0, end = 0;
  ptrdiff_t at = 0;
  for (int i = 0; i < max_ranges && (at = dwarf_ranges(&copy, at, &base, &begin, &end)) > 0; ++i)
    if (begin < end && is_code(begin)) ranges.push_back({begin, end});
  return ranges;
}

}  // namespace trapline::sym
