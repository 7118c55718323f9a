// From the threads' harvests to one image. Each harvest numbers its own strings and scopes; here they get common
// numbers, what several of them found is kept once, and everything is put into the order that lookups need.
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <tuple>

#include "daemon/index/build.hpp"
#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/line_files.hpp"

namespace trapline::index {
namespace {

bool kept_for_each_unit(Kind kind) { return kind == Kind::function || kind == Kind::inlined || kind == Kind::variable; }
bool only_declares(Kind kind) {
  return kind == Kind::declared_function || kind == Kind::declared_variable || kind == Kind::declared_type;
}

// The harvests under common numbers.
struct Merged {
  StringPool strings;
  std::vector<ScopeRecord> scopes;
  std::vector<EntryRecord> entries;
  std::vector<InstanceRecord> instances, alternate_instances;
  std::vector<RangeRecord> ranges;
  std::vector<FileRecord> files;
};

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  if (to.empty())
    to = std::move(from);
  else
    to.insert(to.end(), from.begin(), from.end());
  from = {};
}

// Texts of a harvest live in the mapped file or in the harvest itself, which therefore outlives the result.
Merged merge(std::span<const std::unique_ptr<Harvest>> harvests) {
  Merged all;
  FlatMap known_scopes;
  for (const auto& harvest : harvests) {
    std::vector<std::uint32_t> text(harvest->strings.size());
    for (std::uint32_t i = 0; i < text.size(); ++i) text[i] = all.strings.of(harvest->strings.text(i));
    std::vector<std::uint32_t> scope(harvest->scopes.size());
    for (std::size_t i = 0; i < scope.size(); ++i) {
      ScopeRecord record = harvest->scopes[i];
      record.name = text[record.name];
      if (record.parent < i) record.parent = scope[record.parent];  // parents come before their children
      bool fresh = false;
      scope[i] = known_scopes.put(std::uint64_t{record.parent} << 32 | record.name, record.tag,
                                  static_cast<std::uint32_t>(all.scopes.size()), fresh);
      if (fresh) all.scopes.push_back(record);
    }
    all.entries.reserve(all.entries.size() + harvest->entries.size());
    for (EntryRecord record : harvest->entries) {
      record.name = text[record.name];
      if (record.scope < scope.size()) record.scope = scope[record.scope];
      all.entries.push_back(record);
    }
    harvest->entries = {};
    for (FileRecord record : harvest->files) all.files.push_back({text[record.path], record.unit});
    append(all.instances, harvest->instances);
    append(all.alternate_instances, harvest->alternate_instances);
    append(all.ranges, harvest->ranges);
  }
  return all;
}

// A type of a header is found by every thread: the first unit's stays. A declaration goes where a definition is known.
void drop_repeated(std::vector<EntryRecord>& entries) {
  std::ranges::sort(entries, {}, [](const EntryRecord& e) {
    return std::tuple(e.name, e.scope, only_declares(e.kind), e.tag, e.kind, e.unit, e.die);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const EntryRecord& entry = entries[i];
    const bool related = kept > 0 && entries[kept - 1].name == entry.name && entries[kept - 1].scope == entry.scope;
    if (related && only_declares(entry.kind)) continue;
    const bool same = related && entries[kept - 1].tag == entry.tag && entries[kept - 1].kind == entry.kind;
    if (same && !kept_for_each_unit(entry.kind)) continue;
    entries[kept++] = entry;
  }
  entries.resize(kept);
}

class Writer {
 public:
  explicit Writer(const Key& key) : key_(key) {}

  // Where a text stands; each once.
  std::uint32_t text(const Merged& all, std::uint32_t id) {
    if (placed_.size() < all.strings.size()) placed_.resize(all.strings.size(), unplaced);
    if (placed_[id] == unplaced) placed_[id] = put_text(all.strings.text(id));
    return placed_[id];
  }
  std::uint32_t put_text(std::string_view value) {
    const auto at = static_cast<std::uint32_t>(texts_.size());
    if (texts_.size() + value.size() >= 0xffffffff) return 0;  // four gigabytes of names: the rest is nameless
    texts_.insert(texts_.end(), value.begin(), value.end());
    texts_.push_back('\0');
    return at;
  }
  template <class Row>
  void section(Section which, const std::vector<Row>& rows) {
    const auto* begin = reinterpret_cast<const std::byte*>(rows.data());
    parts_[static_cast<std::size_t>(which)].assign(begin, begin + rows.size() * sizeof(Row));
  }
  std::vector<std::byte> finish(std::uint64_t flags) {
    section(Section::texts, texts_);
    std::uint64_t body = 0;
    for (const auto& part : parts_) body += (part.size() + 7) / 8 * 8;
    const std::uint64_t blocks = (body + block_size - 1) / block_size;
    const std::uint64_t tables = sizeof(Header) + section_count * sizeof(SectionPlace);
    const std::uint64_t head = (tables + blocks * 8 + block_size - 1) / block_size * block_size;
    std::vector<std::byte> out(head);
    out.reserve(head + body);
    std::vector<SectionPlace> places;
    for (auto& part : parts_) {
      places.push_back({out.size(), part.size()});
      out.insert(out.end(), part.begin(), part.end());
      out.resize((out.size() + 7) / 8 * 8);
      part = {};
    }
    Header header{};
    std::ranges::copy(magic, header.magic);
    header.version = format_version;
    header.sections = section_count;
    header.file_size = out.size();
    header.key_low = key_.low;
    header.key_high = key_.high;
    header.blocks = blocks;
    header.flags = flags;
    std::memcpy(out.data() + sizeof header, places.data(), places.size() * sizeof(SectionPlace));
    std::memcpy(out.data(), &header, sizeof header);
    seal(out);
    return out;
  }

 private:
  static constexpr std::uint32_t unplaced = 0xffffffff;
  const Key& key_;
  std::vector<char> texts_{'\0'};  // 0 is the empty text
  std::vector<std::uint32_t> placed_;
  std::vector<std::byte> parts_[section_count];
};

void write_units(Writer& writer, const UnitTable& units, const std::vector<ScannedUnit>& scanned,
                 std::uint64_t& flags) {
  std::vector<UnitRow> rows;
  FlatMap texts;
  const auto text = [&](std::string_view value) {
    if (value.empty()) return std::uint32_t{0};
    const XXH128_hash_t hash = XXH3_128bits(value.data(), value.size());
    bool fresh = false;
    const auto slot = texts.put(hash.low64, hash.high64, 0, fresh);
    if (!fresh) return slot;
    const auto at = writer.put_text(value);
    texts.set(hash.low64, hash.high64, at);
    return at;
  };
  for (std::size_t i = 0; i < units.heads.size(); ++i) {
    const auto& [head, alternate] = units.heads[i];
    const UnitRoot& root = scanned[i].root;
    const bool compile =
        !alternate && (head.type == dw::ut_compile || head.type == dw::ut_skeleton) && root.tag != dw::tag_partial_unit;
    const bool optimized = compile && optimizing(root.producer);
    UnitRow row{.offset = head.offset,
                .first_die = head.first_die,
                .line_offset = root.line_offset.value_or(UnitRow::no_lines),
                .name = text(root.name),
                .folder = text(root.folder),
                .language = root.language,
                .version = head.version};
    const auto flag = [&](bool set, UnitRow::Flag which) {
      if (set) row.flags = static_cast<std::uint16_t>(row.flags | which);
    };
    flag(head.in_types, UnitRow::in_types);
    flag(alternate, UnitRow::alternate);
    flag(compile, UnitRow::compile_unit);
    flag(optimized, UnitRow::optimized);
    flag(scanned[i].damaged, UnitRow::damaged);
    flag(root.split, UnitRow::split);
    flags |= (root.split ? 1U : 0U) | (scanned[i].damaged ? 2U : 0U) | (optimized ? 4U : 0U);
    rows.push_back(row);
  }
  writer.section(Section::units, rows);
}

// Units whose own DIE names no addresses take those of .debug_aranges.
void write_ranges(Writer& writer, const UnitTable& units, std::vector<RangeRecord> ranges) {
  std::vector<bool> covered(units.heads.size(), false);
  for (const auto& range : ranges) covered[range.unit] = true;
  if (std::ranges::find(covered, false) != covered.end())
    each_arange(units.file->sections().aranges, [&](std::uint64_t offset, std::uint64_t begin, std::uint64_t end) {
      const auto* place = units.holding_header(offset);
      if (!place || !in_code(units.file->code(), begin)) return;
      const auto number = static_cast<std::uint32_t>(place - units.heads.data());
      if (!covered[number]) ranges.push_back({begin, end, number});
    });
  std::ranges::stable_sort(ranges, [](const RangeRecord& a, const RangeRecord& b) {
    return std::tuple(a.begin, b.end, a.unit) < std::tuple(b.begin, a.end, b.unit);
  });
  std::vector<RangeRow> rows;
  std::uint64_t reach = 0;
  for (const auto& range : ranges) {
    reach = std::max(reach, range.end);
    rows.push_back({.begin = range.begin, .end = range.end, .reach = reach, .unit = range.unit, .unused = 0});
  }
  writer.section(Section::ranges, rows);
}

// Groups of records that share a text, ordered by the hash of a part of that text.
struct Group {
  std::uint32_t hash = 0;
  std::uint32_t text = 0;
  std::uint32_t first = 0, count = 0;
};

template <class Record, class TextOf, class KeyOf>
std::vector<Group> group(const std::vector<Record>& sorted, const Merged& all, TextOf text_of, KeyOf key_of) {
  std::vector<Group> groups;
  for (std::uint32_t i = 0; i < sorted.size(); ++i) {
    const std::uint32_t id = text_of(sorted[i]);
    if (groups.empty() || groups.back().text != id)
      groups.push_back({.hash = hash_of(key_of(all.strings.text(id))), .text = id, .first = i});
    ++groups.back().count;
  }
  std::ranges::sort(groups, {}, [](const Group& g) { return std::tuple(g.hash, g.text); });
  return groups;
}

void write_groups(Writer& writer, const Merged& all, const std::vector<Group>& groups, Section hashes, Section names) {
  std::vector<std::uint32_t> sums;
  std::vector<NameRow> rows;
  std::uint32_t first = 0;
  for (const auto& g : groups) {
    sums.push_back(g.hash);
    rows.push_back({.text = writer.text(all, g.text),
                    .size = static_cast<std::uint32_t>(all.strings.text(g.text).size()),
                    .first = first,
                    .count = g.count});
    first += g.count;
  }
  writer.section(hashes, sums);
  writer.section(names, rows);
}

void write_names(Writer& writer, Merged& all) {
  drop_repeated(all.entries);
  const auto groups = group(
      all.entries, all, [](const EntryRecord& e) { return e.name; }, base_of);
  write_groups(writer, all, groups, Section::name_hashes, Section::names);
  std::vector<EntryRow> rows;
  rows.reserve(all.entries.size());
  for (const auto& g : groups) {
    const auto of_name = std::span(all.entries).subspan(g.first, g.count);
    std::ranges::sort(of_name, {}, [](const EntryRecord& e) { return std::tuple(e.unit, e.die); });
    for (const auto& e : of_name)
      rows.push_back({.die = e.die,
                      .unit = e.unit,
                      .scope = e.scope,
                      .tag = e.tag,
                      .kind = static_cast<std::uint8_t>(e.kind),
                      .unused = 0});
  }
  all.entries = {};
  writer.section(Section::entries, rows);
}

void write_files(Writer& writer, const Merged& all, std::vector<FileRecord> files) {
  std::ranges::sort(files, {}, [](const FileRecord& f) { return std::tuple(f.path, f.unit); });
  const auto again = std::ranges::unique(
      files, [](const FileRecord& a, const FileRecord& b) { return a.path == b.path && a.unit == b.unit; });
  files.erase(again.begin(), again.end());
  const auto groups = group(
      files, all, [](const FileRecord& f) { return f.path; }, base_name);
  write_groups(writer, all, groups, Section::file_hashes, Section::files);
  std::vector<std::uint32_t> units;
  for (const auto& g : groups)
    for (const auto& file : std::span(files).subspan(g.first, g.count)) units.push_back(file.unit);
  writer.section(Section::file_units, units);
}

}  // namespace

void seal(std::vector<std::byte>& image) {
  Header header{};
  std::memcpy(&header, image.data(), sizeof header);
  const std::uint64_t tables = sizeof(Header) + section_count * sizeof(SectionPlace);
  const std::uint64_t head = (tables + header.blocks * 8 + block_size - 1) / block_size * block_size;
  for (std::uint64_t i = 0; i < header.blocks; ++i) {
    const std::uint64_t at = head + i * block_size;
    const std::uint64_t sum = XXH3_64bits(image.data() + at, std::min<std::uint64_t>(block_size, image.size() - at));
    std::memcpy(image.data() + tables + i * 8, &sum, sizeof sum);
  }
  header.checksum = 0;
  std::memcpy(image.data(), &header, sizeof header);
  header.checksum = XXH3_64bits(image.data(), head);
  std::memcpy(image.data(), &header, sizeof header);
}

std::vector<std::byte> lay_out(const UnitTable& units, const std::vector<ScannedUnit>& scanned,
                               std::vector<std::unique_ptr<Harvest>> harvests, const std::string& problem,
                               const Key& key, const std::atomic<bool>* cancel) {
  const auto stopped = [&] { return cancel != nullptr && cancel->load(std::memory_order_relaxed); };
  Merged all = merge(harvests);
  if (stopped()) return {};
  Writer writer(key);
  std::uint64_t flags = units.file->sections().info.size() > 0xffffffff ? 8 : 0;
  write_units(writer, units, scanned, flags);
  write_ranges(writer, units, std::move(all.ranges));
  write_names(writer, all);
  if (stopped()) return {};
  std::vector<ScopeRow> scopes;
  for (const auto& scope : all.scopes)
    scopes.push_back({.parent = scope.parent,
                      .text = writer.text(all, scope.name),
                      .size = static_cast<std::uint32_t>(all.strings.text(scope.name).size()),
                      .tag = scope.tag});
  writer.section(Section::scopes, scopes);
  write_files(writer, all, std::move(all.files));
  for (auto* list : {&all.instances, &all.alternate_instances}) {
    std::ranges::sort(*list, {}, [](const InstanceRecord& i) { return std::tuple(i.origin, i.die); });
    writer.section(list == &all.instances ? Section::instances : Section::alternate_instances, *list);
    *list = {};
  }
  writer.section(Section::problem, std::vector<char>(problem.begin(), problem.end()));
  return writer.finish(flags);
}

}  // namespace trapline::index
