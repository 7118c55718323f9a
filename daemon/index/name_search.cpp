#include "daemon/index/name_search.hpp"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <set>
#include <tuple>

#include "daemon/index/build.hpp"
#include "daemon/index/dwarf_codes.hpp"
#include "daemon/index/scan.hpp"

namespace trapline::index {
namespace {

constexpr std::size_t most_places = 1 << 22;
constexpr std::size_t most_texts = 1 << 16;
constexpr std::size_t few = 6;                   // texts that are looked for one by one
constexpr std::uint64_t always_small = 4 << 20;  // bytes of .debug_info that are scanned without a thought
constexpr std::uint64_t part_of_all = 4;         // more than that part of all is as good as all

// Whether a name of that base stands there: it, or it with template arguments behind.
bool name_at(Data section, std::uint64_t at, std::string_view base) {
  const auto behind = at + base.size() < section.size() ? static_cast<char>(section[at + base.size()]) : '(';
  if (behind == '\0') return base_of(base) == base;
  return (behind == '<' || behind == ' ') && base_of(string_at(section, at)) == base;
}

void sort_once(std::vector<std::uint32_t>& units) {
  std::ranges::sort(units);
  const auto again = std::ranges::unique(units);
  units.erase(again.begin(), again.end());
}

// Where four bytes stand that are one of the offsets; nullopt: in too many places. The offset of a section's first text
// is zero, which stands everywhere.
std::optional<std::vector<std::uint64_t>> places_of_offsets(Data bytes, const std::vector<std::uint64_t>& offsets) {
  std::vector<std::uint64_t> found;
  if (offsets.size() <= few) {
    for (const auto offset : offsets) {
      char raw[4];
      const auto low = static_cast<std::uint32_t>(offset);
      std::memcpy(raw, &low, sizeof raw);
      const auto some = places_of(bytes, std::string_view(raw, sizeof raw), most_places);
      if (some.size() >= most_places) return std::nullopt;
      found.insert(found.end(), some.begin(), some.end());
    }
    return found;
  }
  std::vector<std::uint32_t> sorted;
  for (const auto offset : offsets) sorted.push_back(static_cast<std::uint32_t>(offset));
  std::ranges::sort(sorted);
  std::vector<bool> low_halves(1 << 16);
  for (const auto offset : sorted) low_halves[offset & 0xffff] = true;
  for (std::uint64_t at = 0; at + 4 <= bytes.size(); ++at) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (!low_halves[value & 0xffff] || !std::ranges::binary_search(sorted, value)) continue;
    if (found.size() == most_places) return std::nullopt;
    found.push_back(at);
  }
  return found;
}

}  // namespace

// memmem(3) is made for long needles: of four bytes its table costs more than it spares.
std::vector<std::uint64_t> places_of(Data bytes, std::string_view wanted, std::size_t most) {
  std::vector<std::uint64_t> found;
  if (wanted.empty() || wanted.size() > bytes.size()) return found;
  const char* begin = reinterpret_cast<const char*>(bytes.data());
  const std::size_t last = wanted.size() - 1, all = bytes.size() - last;  // places to begin at
  const __m128i first_byte = _mm_set1_epi8(wanted.front()), last_byte = _mm_set1_epi8(wanted.back());
  std::size_t at = 0;
  for (; at + 16 <= all && found.size() < most; at += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at + last));
    auto both = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first_byte), _mm_cmpeq_epi8(b, last_byte))));
    for (; both != 0; both &= both - 1) {
      const std::size_t here = at + static_cast<unsigned>(std::countr_zero(both));
      if (std::memcmp(begin + here, wanted.data(), wanted.size()) == 0) found.push_back(here);
    }
  }
  for (; at < all && found.size() < most; ++at)
    if (std::memcmp(begin + at, wanted.data(), wanted.size()) == 0) found.push_back(at);
  return found;
}

NameSearch::NameSearch(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate, Data names,
                       Data gdb_index)
    : units_(UnitTable::of(std::move(file), std::move(alternate))), pool_(gdb_index) {
  std::set<std::pair<bool, std::uint64_t>> seen;  // tables of abbreviations
  for (const auto& [head, elsewhere] : units_.heads) {
    all_bytes_ += head.end - head.offset;
    AbbreviationTable table;
    const Sections& sections = units_.sections(elsewhere);
    const Data section = head.in_types ? sections.types : sections.info;
    table.read(sections.abbrev, head.abbreviations, static_cast<std::uint8_t>(head.version), head.address_size,
               head.wide, DataCursor(section, head.first_die).uleb());
    const UnitReader unit(sections, nullptr, head, table);
    if (unit.root().tag == dw::tag_partial_unit || unit.root().name == "<artificial>" || unit.root().split)
      refer_to_each_other_ = true;
    if (head.in_types || head.type == dw::ut_type) type_units_ = true;
    // Link-time optimisation by clang keeps the units as they were, and inlines across them.
    if (refer_to_each_other_ || !seen.emplace(elsewhere, head.abbreviations).second) continue;
    AbbreviationTable whole;
    whole.read(sections.abbrev, head.abbreviations, static_cast<std::uint8_t>(head.version), head.address_size,
               head.wide);
    refer_to_each_other_ = whole.has_form(dw::form_ref_addr) || whole.has_form(dw::form_gnu_ref_alt);
  }
  if (!names.empty())
    if (auto read = DebugNames::read(names, units_.file->sections().str))
      if (!read->damaged() && !read->qualified() && covered_by(read->units())) names_ = *std::move(read);
  if (!gdb_index.empty())
    if (auto read = GdbIndex::read(gdb_index)) {
      std::vector<std::uint64_t> offsets;
      for (std::size_t i = 0; i < read->unit_count(); ++i) offsets.push_back(read->unit(i).offset);
      if (covered_by(std::move(offsets))) gdb_index_ = *std::move(read);
    }
}

// Exactly the file's own units: an index that knows of another one is another file's.
bool NameSearch::covered_by(std::vector<std::uint64_t> offsets) const {
  std::ranges::sort(offsets);
  const auto again = std::ranges::unique(offsets);
  offsets.erase(again.begin(), again.end());
  std::size_t known = 0;
  for (const auto& [head, alternate] : units_.heads) {
    if (alternate || head.in_types || head.type == dw::ut_type) continue;
    if (!std::ranges::binary_search(offsets, head.offset)) return false;
    ++known;
  }
  // Type units of DWARF 5 may be listed or not.
  return known > 0 &&
         std::ranges::all_of(offsets, [&](std::uint64_t o) { return units_.holding_header(o) != nullptr; });
}

void NameSearch::add_unit_at(std::uint64_t offset, std::vector<std::uint32_t>& units) const {
  if (const auto* place = units_.holding_header(offset))
    units.push_back(static_cast<std::uint32_t>(place - units_.heads.data()));
}

std::vector<std::uint32_t> NameSearch::by_tables(std::string_view base) const {
  std::vector<std::uint32_t> units;
  if (base.empty()) return units;
  if (names_) {
    // Instances of a template have texts of their own. Linkers let one begin within the tail of another.
    const Data texts = units_.file->sections().str;
    std::set<std::string_view> wanted{base};
    const auto places = places_of(texts, base, most_texts);
    if (places.size() >= most_texts) return units;  // some of what the table has would be less than it says
    for (const auto at : places)
      if (name_at(texts, at, base)) wanted.insert(string_at(texts, at));
    for (const auto text : wanted)
      for (const auto& place : names_->find(text)) {
        if (place.unit) add_unit_at(*place.unit, units);
        if (place.type_unit) add_unit_at(*place.type_unit, units);
      }
  }
  if (gdb_index_ && units.empty())
    for (const auto at : places_of(pool_, base, most_texts)) {
      // "ns::S<int>::run", "run(int)": from the zero before it to the one behind.
      std::uint64_t begin = at;
      while (begin > 0 && pool_[begin - 1] != std::byte{0} && at - begin < 65536) --begin;
      const auto text = string_at(pool_, begin);
      const auto in_text = static_cast<std::size_t>(at - begin);
      const char before = in_text == 0 ? ':' : text[in_text - 1];
      const char behind = in_text + base.size() >= text.size() ? '(' : text[in_text + base.size()];
      if (before != ':' || (behind != '(' && behind != '<' && behind != ' ')) continue;
      for (const auto& place : gdb_index_->find(text))
        if (place.unit < gdb_index_->unit_count())
          add_unit_at(gdb_index_->unit(place.unit).offset, units);
        else if (const auto type = gdb_index_->type_unit(place.unit - gdb_index_->unit_count());
                 units_.file->sections().types.empty())
          add_unit_at(type.offset, units);
    }
  sort_once(units);
  return units;
}

void NameSearch::add_holding(Data info, const std::vector<std::uint64_t>& places, bool alternate, bool in_types,
                             std::vector<std::uint32_t>& units) const {
  if (info.empty()) return;
  const auto key = [](const UnitTable::Place& p) { return std::tuple(p.alternate, p.head.in_types, p.head.offset); };
  for (const auto at : places) {
    auto next = std::ranges::upper_bound(units_.heads, std::tuple(alternate, in_types, at), {}, key);
    if (next == units_.heads.begin()) continue;
    --next;
    if (next->alternate != alternate || next->head.in_types != in_types || at >= next->head.end) continue;
    units.push_back(static_cast<std::uint32_t>(next - units_.heads.begin()));
  }
}

// DW_FORM_strx: the unit whose part of .debug_str_offsets has the text. False: it stands in too many places.
bool NameSearch::add_by_string_indices(const std::vector<std::uint64_t>& texts,
                                       std::vector<std::uint32_t>& units) const {
  const Sections& sections = units_.file->sections();
  if (sections.str_offsets.empty() || texts.empty()) return true;
  auto places = places_of_offsets(sections.str_offsets, texts);
  if (!places || places->empty()) return places.has_value();
  std::ranges::sort(*places);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> bases;  // units by where their parts begin
  for (std::uint32_t i = 0; i < units_.heads.size(); ++i) {
    const auto& [head, alternate] = units_.heads[i];
    if (alternate || head.version < 5) continue;
    AbbreviationTable table;
    table.read(sections.abbrev, head.abbreviations, static_cast<std::uint8_t>(head.version), head.address_size,
               head.wide, DataCursor(sections.info, head.first_die).uleb());
    const UnitReader unit(sections, nullptr, head, table);
    bases.emplace_back(unit.root().str_offsets_base.value_or(head.wide ? 16 : 8), i);
  }
  std::ranges::sort(bases);
  for (std::size_t i = 0; i < bases.size(); ++i) {
    // Units may share a part: it ends where one with another base begins.
    const auto next =
        std::ranges::upper_bound(bases, bases[i].first, {}, &std::pair<std::uint64_t, std::uint32_t>::first);
    const std::uint64_t end = next == bases.end() ? sections.str_offsets.size() : next->first;
    const auto place = std::ranges::lower_bound(*places, bases[i].first);
    if (place != places->end() && *place < end) units.push_back(bases[i].second);
  }
  return true;
}

std::optional<std::vector<std::uint32_t>> NameSearch::by_bytes(std::string_view base,
                                                               std::span<const std::string> scopes) const {
  auto units = mentioning(base);
  for (const auto& scope : scopes) {
    if (!units || type_units_ || refer_to_each_other_ || bytes_of(*units) <= always_small) break;
    const auto others = mentioning(scope);
    if (!others) continue;
    std::vector<std::uint32_t> both;
    std::ranges::set_intersection(*units, *others, std::back_inserter(both));
    units = std::move(both);
  }
  return units;
}

std::optional<std::vector<std::uint32_t>> NameSearch::mentioning(std::string_view base) const {
  std::vector<std::uint32_t> units;
  if (base.empty()) return units;
  bool every = true;  // place was looked at
  // Linkers let a text begin at the tail of another one, so what stands before it means nothing.
  const auto texts_in = [&](Data section) {
    const auto places = places_of(section, base, most_places);
    every = every && places.size() < most_places;
    std::vector<std::uint64_t> texts;
    for (const auto at : places)
      if (name_at(section, at, base)) texts.push_back(at);
    return texts;
  };
  const auto search = [&](bool alternate, bool in_types) {
    const Sections& sections = units_.sections(alternate);
    const Data info = in_types ? sections.types : sections.info;
    if (info.empty() || !every) return;
    auto texts = texts_in(sections.str);
    if (!alternate) every = add_by_string_indices(texts, units) && every;
    if (!alternate && units_.alternate) {
      const auto more = texts_in(units_.alternate->sections().str);
      texts.insert(texts.end(), more.begin(), more.end());
    }
    const auto places = places_of_offsets(info, texts);
    every = every && places;
    if (!every) return;
    add_holding(info, *places, alternate, in_types, units);
    add_holding(info, texts_in(info), alternate, in_types, units);
  };
  search(false, false);
  search(false, true);
  if (units_.alternate) search(true, false);
  if (!every) return std::nullopt;
  sort_once(units);
  return units;
}

std::uint64_t NameSearch::bytes_of(const std::vector<std::uint32_t>& units) const {
  std::uint64_t bytes = 0;
  for (const auto number : units) bytes += units_.heads[number].head.end - units_.heads[number].head.offset;
  return bytes;
}

std::vector<std::uint32_t> NameSearch::first_of(const std::vector<std::uint32_t>& units) const {
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> first;
  for (const auto number : units) {
    bytes += units_.heads[number].head.end - units_.heads[number].head.offset;
    if (bytes > always_small) break;
    first.push_back(number);
  }
  return first;
}

std::shared_ptr<const Index> NameSearch::index_of(const std::vector<std::uint32_t>& units) const {
  const auto bytes = bytes_of(units);
  if (refer_to_each_other_ || (bytes > always_small && bytes > all_bytes_ / part_of_all)) return nullptr;
  std::vector<std::unique_ptr<Harvest>> harvest;
  harvest.push_back(std::make_unique<Harvest>());
  std::vector<ScannedUnit> scanned(units_.heads.size());
  Scanner scanner(units_, *harvest.front());
  for (const auto number : units) {
    const auto outcome = scanner.scan(number, true);
    scanned[number] = {.root = outcome.root, .damaged = !outcome.problem.empty()};
  }
  const Key key = Key::of("names");
  auto index = Index::from_bytes(lay_out(units_, scanned, std::move(harvest), {}, key), key);
  return index ? *index : nullptr;
}

}  // namespace trapline::index
