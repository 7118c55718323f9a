#include "daemon/sym/dwp_index.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace trapline::sym {
namespace {

// Numbers of sections: DWARF 5, table 7.1; version 2 is that of GNU's proposal "DebugFissionDWP".
const char* section_name(std::uint32_t version, std::uint64_t number) {
  switch (number) {
    case 1: return ".debug_info";
    case 2: return version == 2 ? ".debug_types" : nullptr;
    case 3: return ".debug_abbrev";
    case 4: return ".debug_line";
    case 5: return version == 2 ? ".debug_loc" : ".debug_loclists";
    case 6: return ".debug_str_offsets";
    case 7: return version == 2 ? ".debug_macinfo" : ".debug_macro";
    case 8: return version == 2 ? ".debug_macro" : ".debug_rnglists";
    default: return nullptr;
  }
}

}  // namespace

DwpIndex::DwpIndex(std::vector<std::byte> section) : bytes_(std::move(section)) {
  if (bytes_.size() < 16) return;
  version_ = static_cast<std::uint32_t>(number(0, 4));
  if (version_ != 2) version_ = static_cast<std::uint32_t>(number(0, 2));
  columns_ = static_cast<std::uint32_t>(number(4, 4));
  const auto units = static_cast<std::uint32_t>(number(8, 4));
  slots_ = static_cast<std::uint32_t>(number(12, 4));
  hashes_ = 16;
  rows_ = hashes_ + std::uint64_t{slots_} * 8;
  header_ = rows_ + std::uint64_t{slots_} * 4;
  offsets_ = header_ + std::uint64_t{columns_} * 4;
  const bool sane = (version_ == 2 || version_ == 5) && std::has_single_bit(slots_) && columns_ <= 16;
  // At most 2^32 * 16 * 4: it does not overflow.
  sizes_ = offsets_ + std::uint64_t{units} * columns_ * 4;
  if (sane && sizes_ + std::uint64_t{units} * columns_ * 4 <= bytes_.size()) units_ = units;
}

std::uint64_t DwpIndex::number(std::uint64_t at, unsigned width) const {
  std::uint64_t value = 0;
  if (at <= bytes_.size() && bytes_.size() - at >= width) std::memcpy(&value, bytes_.data() + at, width);
  return value;
}

std::optional<std::uint32_t> DwpIndex::find(std::uint64_t id) const {
  if (units_ == 0) return std::nullopt;
  const std::uint64_t mask = slots_ - 1;
  const std::uint64_t step = ((id >> 32) & mask) | 1;
  std::uint64_t slot = id & mask;
  for (std::uint32_t tried = 0; tried < slots_; ++tried, slot = (slot + step) & mask) {
    const std::uint64_t row = number(rows_ + slot * 4, 4);
    if (row == 0) return std::nullopt;
    if (number(hashes_ + slot * 8, 8) == id)
      return row <= units_ ? std::optional(static_cast<std::uint32_t>(row - 1)) : std::nullopt;
  }
  return std::nullopt;
}

DwpIndex::Row DwpIndex::row(std::uint32_t row) const {
  Row parts;
  if (row >= units_) return parts;
  for (std::uint32_t column = 0; column < columns_; ++column) {
    const char* name = section_name(version_, number(header_ + std::uint64_t{column} * 4, 4));
    const std::uint64_t cell = (std::uint64_t{row} * columns_ + column) * 4;
    if (name) parts[name] = {number(offsets_ + cell, 4), number(sizes_ + cell, 4)};
  }
  return parts;
}

}  // namespace trapline::sym
