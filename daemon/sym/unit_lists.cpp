#include "daemon/sym/unit_lists.hpp"

#include <dwarf.h>

#include <limits>

#include "daemon/sym/reader.hpp"

namespace trapline::sym {
namespace {

constexpr std::size_t max_entries = 1U << 20;

enum GnuList : std::uint8_t { gnu_end = 0, gnu_base_addressx = 1, gnu_startx_endx = 2, gnu_startx_length = 3 };

std::optional<std::uint64_t> address(const UnitLists& lists, std::uint64_t index) {
  if (index >= lists.addresses.size() / 8) return std::nullopt;
  Reader at(lists.addresses, index * 8);
  return at.u64();
}

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

// One entry of any of the lists: a range, or `nothing` (a new base, padding).
struct Entry {
  enum class Kind : std::uint8_t { range, fallback, nothing, end, damaged } kind = Kind::damaged;
  std::uint64_t begin = 0, end = 0;
};

class Walk {
 public:
  Walk(const UnitLists& lists, std::span<const std::byte> bytes, std::uint64_t offset)
      : lists_(lists), at_(bytes, offset), base_(lists.base) {}
  Reader& at() { return at_; }

  Entry next_range() { return lists_.version < 5 ? old_range() : range_by_kind(); }
  Entry next_location() { return lists_.version < 5 ? gnu_location() : location_by_kind(); }

 private:
  Entry between(std::optional<std::uint64_t> begin, std::optional<std::uint64_t> end) const {
    if (!at_.ok() || !begin || !end) return {};
    return {Entry::Kind::range, *begin, *end};
  }
  Entry set_base(std::optional<std::uint64_t> base) {
    if (!at_.ok() || !base) return {};
    base_ = *base;
    return {Entry::Kind::nothing};
  }
  std::optional<std::uint64_t> indexed() { return address(lists_, at_.uleb()); }
  Entry offsets() {
    const auto begin = at_.uleb(), end = at_.uleb();
    return between(plus(base_, begin), plus(base_, end));
  }
  Entry from_to_indexed() {
    const auto begin = indexed(), end = indexed();
    return between(begin, end);
  }
  Entry from_to() {
    const auto begin = at_.u64(), end = at_.u64();
    return between(begin, end);
  }
  Entry from_for(std::optional<std::uint64_t> begin, std::uint64_t length) {
    return between(begin, plus(begin.value_or(0), length));
  }

  Entry old_range() {
    const auto begin = at_.u64(), end = at_.u64();
    if (!at_.ok()) return {};
    if (begin == 0 && end == 0) return {Entry::Kind::end};
    if (begin == std::numeric_limits<std::uint64_t>::max()) return set_base(end);
    return between(base_ + begin, base_ + end);
  }
  Entry range_by_kind() {
    switch (at_.u8()) {
      case DW_RLE_end_of_list: return at_.ok() ? Entry{Entry::Kind::end} : Entry{};
      case DW_RLE_base_addressx: return set_base(indexed());
      case DW_RLE_startx_endx: return from_to_indexed();
      case DW_RLE_startx_length: {
        const auto begin = indexed();
        return from_for(begin, at_.uleb());
      }
      case DW_RLE_offset_pair: return offsets();
      case DW_RLE_base_address: return set_base(at_.u64());
      case DW_RLE_start_end: return from_to();
      case DW_RLE_start_length: {
        const auto begin = at_.u64();
        return from_for(begin, at_.uleb());
      }
      default: return {};
    }
  }
  Entry location_by_kind() {
    switch (at_.u8()) {
      case DW_LLE_end_of_list: return at_.ok() ? Entry{Entry::Kind::end} : Entry{};
      case DW_LLE_base_addressx: return set_base(indexed());
      case DW_LLE_startx_endx: return from_to_indexed();
      case DW_LLE_startx_length: {
        const auto begin = indexed();
        return from_for(begin, at_.uleb());
      }
      case DW_LLE_offset_pair: return offsets();
      case DW_LLE_default_location: return {Entry::Kind::fallback};
      case DW_LLE_base_address: return set_base(at_.u64());
      case DW_LLE_start_end: return from_to();
      case DW_LLE_start_length: {
        const auto begin = at_.u64();
        return from_for(begin, at_.uleb());
      }
      case 0x09:  // DW_LLE_GNU_view_pair: two view numbers
        at_.uleb();
        at_.uleb();
        return at_.ok() ? Entry{Entry::Kind::nothing} : Entry{};
      default: return {};
    }
  }
  Entry gnu_location() {
    switch (at_.u8()) {
      case gnu_end: return at_.ok() ? Entry{Entry::Kind::end} : Entry{};
      case gnu_base_addressx: return set_base(indexed());
      case gnu_startx_endx: return from_to_indexed();
      case gnu_startx_length: {
        const auto begin = indexed();
        return from_for(begin, at_.u32());
      }
      default: return {};
    }
  }

  const UnitLists& lists_;
  Reader at_;
  std::uint64_t base_;
};

}  // namespace

std::optional<std::uint64_t> indexed_list(std::span<const std::byte> section, std::uint64_t index) {
  Reader at(section);
  const bool eight = at.u32() == 0xffffffff;
  if (eight) at.u64();
  at.skip(4);  // version, sizes of an address and of a segment
  const std::uint64_t count = at.u32();
  const std::uint64_t table = at.offset();
  if (!at.ok() || index >= count) return std::nullopt;
  at.skip(index * (eight ? 8 : 4));
  const std::uint64_t offset = at.sized(eight);
  if (!at.ok() || offset >= section.size() - table) return std::nullopt;
  return table + offset;
}

std::vector<FileRange> ranges_at(const UnitLists& lists, std::uint64_t offset) {
  std::vector<FileRange> ranges;
  if (offset >= lists.ranges.size()) return ranges;
  Walk walk(lists, lists.ranges, offset);
  for (std::size_t i = 0; i < max_entries; ++i) {
    const Entry entry = walk.next_range();
    if (entry.kind == Entry::Kind::end || entry.kind == Entry::Kind::damaged) break;
    if (entry.kind == Entry::Kind::range && entry.begin < entry.end) ranges.push_back({entry.begin, entry.end});
  }
  return ranges;
}

LocationPieces locations_at(const UnitLists& lists, std::uint64_t offset) {
  LocationPieces found{.damaged = true, .pieces = {}};
  if (offset >= lists.locations.size()) return found;
  Walk walk(lists, lists.locations, offset);
  for (std::size_t i = 0; i < max_entries; ++i) {
    const Entry entry = walk.next_location();
    if (entry.kind == Entry::Kind::damaged) return found;
    if (entry.kind == Entry::Kind::end) {
      found.damaged = false;
      return found;
    }
    if (entry.kind == Entry::Kind::nothing) continue;
    const LocationPiece piece{.range = {entry.begin, entry.end},
                              .fallback = entry.kind == Entry::Kind::fallback,
                              .length_at = walk.at().offset()};
    walk.at().skip(lists.version < 5 ? walk.at().u16() : walk.at().uleb());
    if (!walk.at().ok()) return found;
    found.pieces.push_back(piece);
  }
  return found;
}

}  // namespace trapline::sym
