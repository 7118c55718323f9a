#include "daemon/index/debug_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/index/dwarf_codes.hpp"

namespace trapline::index {
namespace {

// DWARF 5 section 7.19.
enum Idx : std::uint32_t { idx_compile_unit = 1, idx_type_unit = 2, idx_die_offset = 3 };

constexpr std::size_t max_indexes = 1U << 20;
constexpr std::size_t max_places = 1U << 20;  // of one name
constexpr std::size_t max_fields = 64;        // of one shape; writers use five

bool ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::optional<std::uint64_t> read_form(Cursor& at, std::uint32_t form, std::uint64_t constant, unsigned offset_size) {
  switch (form) {
    case dw::form_data1:
    case dw::form_flag:
    case dw::form_ref1: return at.number(1);
    case dw::form_data2:
    case dw::form_ref2: return at.number(2);
    case dw::form_data4:
    case dw::form_ref4: return at.number(4);
    case dw::form_data8:
    case dw::form_ref8:
    case dw::form_ref_sig8: return at.number(8);
    case dw::form_ref_addr:
    case dw::form_sec_offset: return at.number(offset_size);
    case dw::form_udata:
    case dw::form_ref_udata:
    case dw::form_sdata: return at.uleb();
    case dw::form_data16: at.skip(16); return 0;
    case dw::form_flag_present: return 1;
    case dw::form_implicit_const: return constant;
    default: return std::nullopt;  // of unknown length: what follows cannot be read
  }
}

}  // namespace

std::uint32_t debug_names_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name)
    hash = hash * 33 + static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  return hash;
}

Result<DebugNames> DebugNames::read(std::span<const std::byte> section, std::span<const std::byte> strings) {
  DebugNames names;
  names.bytes_ = Bytes(section);
  names.strings_ = Bytes(strings);
  for (std::uint64_t at = 0; at < section.size() && names.indexes_.size() < max_indexes;) {
    auto index = names.read_index(at);
    if (!index) {
      if (names.indexes_.empty())
        return fail(Errc::bad_debug_info, fmt::format(".debug_names ({} bytes) is unreadable", section.size()));
      names.damaged_ = true;
      break;
    }
    at = index->end;
    names.indexes_.push_back(std::move(*index));
  }
  return names;
}

std::optional<DebugNames::Index> DebugNames::read_index(std::uint64_t begin) {
  Index index;
  Cursor at(bytes_, begin);
  std::uint64_t length = at.u32();
  if (length == 0xffffffff) {
    length = at.number(8);
    index.offset_size = 8;
  }
  if (!at.ok() || length > bytes_.size() - at.at()) return std::nullopt;
  index.end = at.at() + length;
  const auto version = at.number(2);
  at.skip(2);
  index.units = at.u32();
  index.local_types = at.u32();
  index.foreign_types = at.u32();
  index.buckets = at.u32();
  index.names = at.u32();
  const std::uint64_t abbreviations = at.u32();
  const std::uint64_t augmentation = at.u32();
  if (!at.ok() || version != 5 || augmentation > length) return std::nullopt;
  const auto said = bytes_.part(at.at(), augmentation);
  if (said.size() >= 3 && std::memcmp(said.data(), "GDB", 3) == 0) qualified_ = true;
  // All counts have 32 bits: none of the sums below overflows 64.
  std::uint64_t place = at.at() + (augmentation + 3) / 4 * 4;
  const auto table = [&place](std::uint64_t count, unsigned width) {
    const auto here = place;
    place += count * width;
    return here;
  };
  index.unit_list = table(index.units, index.offset_size);
  index.local_list = table(index.local_types, index.offset_size);
  index.foreign_list = table(index.foreign_types, 8);
  index.bucket_list = table(index.buckets, 4);
  index.hash_list = table(index.buckets != 0 ? index.names : 0, 4);
  index.string_list = table(index.names, index.offset_size);
  index.entry_list = table(index.names, index.offset_size);
  const auto abbreviation_list = table(abbreviations, 1);
  index.pool = place;
  if (place > index.end || !read_shapes(index, abbreviation_list, abbreviations)) return std::nullopt;
  return index;
}

bool DebugNames::read_shapes(Index& index, std::uint64_t begin, std::uint64_t size) const {
  Cursor at(Bytes(bytes_.part(begin, size)));
  while (at.at() < size) {
    const auto code = at.uleb();
    if (code == 0) return at.ok();
    Shape shape{.tag = static_cast<std::uint16_t>(at.uleb()), .fields = {}};
    for (;;) {
      Field field{.index = static_cast<std::uint32_t>(at.uleb()), .form = static_cast<std::uint32_t>(at.uleb())};
      if (field.form == dw::form_implicit_const) field.constant = at.uleb();
      if (!at.ok() || shape.fields.size() > max_fields) return false;
      if (field.index == 0 && field.form == 0) break;
      shape.fields.push_back(field);
    }
    index.shapes.insert_or_assign(code, std::move(shape));
  }
  return at.ok();
}

std::string_view DebugNames::name_of(const Index& index, std::uint32_t name) const {
  const auto at = bytes_.number(index.string_list + std::uint64_t{name} * index.offset_size, index.offset_size);
  return at ? strings_.text(*at) : std::string_view{};
}

bool DebugNames::read_field(const Index& index, const Field& field, Cursor& at, Place& place) const {
  const auto value = read_form(at, field.form, field.constant, index.offset_size);
  if (!value || !at.ok()) return false;
  switch (field.index) {
    case idx_compile_unit:
      if (*value < index.units)
        place.unit = bytes_.number(index.unit_list + *value * index.offset_size, index.offset_size);
      break;
    case idx_type_unit:
      if (*value < index.local_types)
        place.type_unit = bytes_.number(index.local_list + *value * index.offset_size, index.offset_size);
      else if (*value - index.local_types < index.foreign_types)
        place.type_foreign = bytes_.u64(index.foreign_list + (*value - index.local_types) * 8);
      break;
    case idx_die_offset:
      place.die = *value;
      place.die_in_section = field.form == dw::form_ref_addr || field.form == dw::form_sec_offset;
      break;
    default: break;
  }
  return true;
}

void DebugNames::add_places(const Index& index, std::uint32_t name, std::vector<Place>& out) const {
  const auto offset = bytes_.number(index.entry_list + std::uint64_t{name} * index.offset_size, index.offset_size);
  if (!offset || *offset >= index.end - index.pool) return;
  Cursor at(Bytes(bytes_.part(0, index.end)), index.pool + *offset);
  // An entry takes a byte at least, so this ends.
  while (out.size() < max_places) {
    const auto shape = index.shapes.find(at.uleb());
    if (!at.ok() || shape == index.shapes.end()) return;  // 0 ends the series
    Place place{.tag = shape->second.tag, .unit = {}, .type_unit = {}, .type_foreign = {}, .die = {}};
    for (const auto& field : shape->second.fields)
      if (!read_field(index, field, at, place)) return;
    // An index for one unit need not name it with each entry.
    if (!place.unit && !place.type_unit && !place.type_foreign && index.units == 1)
      place.unit = bytes_.number(index.unit_list, index.offset_size);
    out.push_back(place);
  }
}

void DebugNames::find_in(const Index& index, std::string_view name, std::uint32_t hash, std::vector<Place>& out) const {
  if (index.buckets == 0 || !ascii(name)) {
    for (std::uint32_t i = 0; i < index.names; ++i)
      if (name_of(index, i) == name) add_places(index, i, out);
    return;
  }
  const std::uint32_t bucket = hash % index.buckets;
  const std::uint32_t first = bytes_.u32(index.bucket_list + std::uint64_t{bucket} * 4);
  if (first == 0) return;
  for (std::uint32_t i = first - 1; i < index.names; ++i) {  // names are counted from 1
    const std::uint32_t other = bytes_.u32(index.hash_list + std::uint64_t{i} * 4);
    if (other % index.buckets != bucket) return;
    if (other == hash && name_of(index, i) == name) add_places(index, i, out);
  }
}

std::vector<DebugNames::Place> DebugNames::find(std::string_view name) const {
  std::vector<Place> found;
  if (name.empty()) return found;
  const std::uint32_t hash = debug_names_hash(name);
  for (const auto& index : indexes_) find_in(index, name, hash, found);
  return found;
}

void DebugNames::each(const std::function<void(std::string_view, std::span<const Place>)>& take) const {
  // In a damaged file all names may share one long series of entries: what is handed out is bounded.
  std::uint64_t budget = std::uint64_t{bytes_.size()} * 4 + 4096;
  std::vector<Place> places;
  for (const auto& index : indexes_) {
    for (std::uint32_t i = 0; i < index.names; ++i) {
      const auto name = name_of(index, i);
      if (name.empty()) continue;
      places.clear();
      add_places(index, i, places);
      const std::uint64_t cost = places.size() + 1;
      if (cost > budget) return;
      budget -= cost;
      take(name, places);
    }
  }
}

std::size_t DebugNames::name_count() const {
  std::size_t count = 0;
  for (const auto& index : indexes_) count += index.names;
  return count;
}

std::vector<std::uint64_t> DebugNames::units() const {
  std::vector<std::uint64_t> offsets;
  for (const auto& index : indexes_)
    for (std::uint32_t i = 0; i < index.units; ++i)
      offsets.push_back(
          bytes_.number(index.unit_list + std::uint64_t{i} * index.offset_size, index.offset_size).value_or(0));
  std::ranges::sort(offsets);
  return offsets;
}

}  // namespace trapline::index
