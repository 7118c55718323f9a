#pragma once
// Range lists and location lists of a split unit. libdw reads those too, but it takes the address that they count from
// out of the unit itself, where a split unit has none: its skeleton has it. Inside the room.
//
// Source: DWARF 5, sections 2.6.2, 2.17.3, 7.28, 7.29; for DWARF 4 GNU's "DebugFission": ranges stay in the program's
// .debug_ranges, location lists have the kinds of `GnuList`.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/sym/module.hpp"

namespace trapline::sym {

struct UnitLists {
  std::uint16_t version = 5;
  std::uint64_t base = 0;                // low_pc of the skeleton
  bool offsets_of_eight = false;         // the 64-bit format
  std::span<const std::byte> addresses;  // the unit's part of .debug_addr
  std::span<const std::byte> ranges;     // .debug_rnglists.dwo; before 5: .debug_ranges from DW_AT_GNU_ranges_base on
  std::span<const std::byte> locations;  // .debug_loclists.dwo or .debug_loc.dwo
};

// Where the list with this index begins, by the table at the section's beginning (DW_FORM_rnglistx, DW_FORM_loclistx).
std::optional<std::uint64_t> indexed_list(std::span<const std::byte> section, std::uint64_t index);

// The ranges of the list, empty ones left out. A damaged list ends where it cannot be read.
std::vector<FileRange> ranges_at(const UnitLists& lists, std::uint64_t offset);

// The list's expressions with the code that each is for, up to where it is damaged.
struct LocationPiece {
  FileRange range;              // may be empty
  bool fallback = false;        // for all code that no other is for; `range` means nothing
  std::uint64_t length_at = 0;  // of the length in front of it, in `locations`: a ULEB128, before version 5 two bytes
};
struct LocationPieces {
  bool damaged = false;
  std::vector<LocationPiece> pieces;
};
LocationPieces locations_at(const UnitLists& lists, std::uint64_t offset);

}  // namespace trapline::sym
