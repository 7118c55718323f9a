#include "daemon/index/gdb_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace trapline::index {
namespace {

constexpr std::uint32_t max_places = 1U << 24;  // the unit number has 24 bits

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::uint32_t gdb_index_hash(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char c : name) hash = hash * 67 + static_cast<unsigned char>(lower(c)) - 113;
  return hash;
}

Result<GdbIndex> GdbIndex::read(std::span<const std::byte> section) {
  GdbIndex index;
  index.bytes_ = Bytes(section);
  Cursor at(index.bytes_);
  index.version_ = at.u32();
  index.units_ = at.u32();
  index.types_ = at.u32();
  index.addresses_ = at.u32();
  index.symbols_ = at.u32();
  index.pool_ = at.u32();
  if (!at.ok()) return fail(Errc::bad_debug_info, fmt::format(".gdb_index has {} bytes: too few", section.size()));
  if (index.version_ != 7 && index.version_ != 8)
    return fail(Errc::bad_debug_info, fmt::format(".gdb_index is of version {}; 7 and 8 are known", index.version_));
  const bool in_order = at.at() <= index.units_ && index.units_ <= index.types_ && index.types_ <= index.addresses_ &&
                        index.addresses_ <= index.symbols_ && index.symbols_ <= index.pool_ &&
                        index.pool_ <= section.size();
  if (!in_order) return fail(Errc::bad_debug_info, ".gdb_index: its tables lie out of order or out of the section");
  const std::uint64_t slots = (index.pool_ - index.symbols_) / 8;
  if (slots != 0 && !std::has_single_bit(slots))
    return fail(Errc::bad_debug_info, fmt::format(".gdb_index: a hash table of {} slots, no power of two", slots));
  index.slots_ = static_cast<std::uint32_t>(slots);
  return index;
}

GdbIndex::Unit GdbIndex::unit(std::size_t i) const {
  return {.offset = bytes_.u64(units_ + i * 16), .length = bytes_.u64(units_ + i * 16 + 8)};
}

GdbIndex::TypeUnit GdbIndex::type_unit(std::size_t i) const {
  const std::uint64_t at = types_ + i * 24;
  return {.offset = bytes_.u64(at), .type_offset = bytes_.u64(at + 8), .signature = bytes_.u64(at + 16)};
}

GdbIndex::AddressRange GdbIndex::range(std::size_t i) const {
  const std::uint64_t at = addresses_ + i * 20;
  return {.begin = bytes_.u64(at), .end = bytes_.u64(at + 8), .unit = bytes_.u32(at + 16)};
}

std::vector<GdbIndex::AddressRange> GdbIndex::ranges() const {
  std::vector<AddressRange> all;
  all.reserve(range_count());
  for (std::size_t i = 0; i < range_count(); ++i)
    if (const auto one = range(i); one.begin < one.end && one.unit < unit_count()) all.push_back(one);
  std::ranges::stable_sort(all, {}, &AddressRange::begin);
  return all;
}

std::vector<GdbIndex::Place> GdbIndex::places_at(std::uint32_t vector) const {
  std::vector<Place> places;
  const std::uint64_t begin = pool_ + vector;
  const std::uint64_t there = begin + 4 <= bytes_.size() ? (bytes_.size() - begin - 4) / 4 : 0;
  const std::uint64_t count = std::min<std::uint64_t>({bytes_.u32(begin), there, max_places});
  places.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint32_t packed = bytes_.u32(begin + 4 + i * 4);
    const Place place{.unit = packed & 0xffffff,
                      .kind = static_cast<Kind>(std::min((packed >> 28) & 7, 4U)),
                      .is_static = (packed >> 31) != 0};
    if (place.unit < unit_count() + type_unit_count()) places.push_back(place);
  }
  return places;
}

std::vector<GdbIndex::Place> GdbIndex::find(std::string_view name) const {
  if (slots_ == 0 || name.empty()) return {};
  const std::uint32_t mask = slots_ - 1;
  const std::uint32_t hash = gdb_index_hash(name);
  const std::uint32_t step = ((hash * 17) & mask) | 1;
  std::uint32_t slot = hash & mask;
  for (std::uint32_t tried = 0; tried < slots_; ++tried, slot = (slot + step) & mask) {
    const std::uint32_t text = bytes_.u32(symbols_ + std::uint64_t{slot} * 8);
    const std::uint32_t vector = bytes_.u32(symbols_ + std::uint64_t{slot} * 8 + 4);
    if (text == 0 && vector == 0) return {};
    if (bytes_.text_is(pool_ + text, name)) return places_at(vector);
  }
  return {};
}

void GdbIndex::each(const std::function<void(std::string_view, std::span<const Place>)>& take) const {
  // Names share vectors; in a damaged file all of them may share one huge one, so what is handed out is bounded too.
  std::uint64_t budget = std::uint64_t{bytes_.size()} * 16 + 4096;
  for (std::uint64_t slot = 0; slot < slots_; ++slot) {
    const std::uint32_t text = bytes_.u32(symbols_ + slot * 8);
    const std::uint32_t vector = bytes_.u32(symbols_ + slot * 8 + 4);
    if (text == 0 && vector == 0) continue;
    const auto name = bytes_.text(pool_ + text);
    if (name.empty()) continue;
    const auto places = places_at(vector);
    const std::uint64_t cost = places.size() + name.size() / 8 + 1;
    if (cost > budget) return;
    budget -= cost;
    take(name, places);
  }
}

}  // namespace trapline::index
