#pragma once
// .gdb_index, versions 7 and 8: what gdb-add-index and the linkers' --gdb-index write. Names -> units, addresses ->
// units.
// Source: "Index Section Format" of gdb's manual. A reader of bytes that others wrote: what points out of the section
// reads as absent, nothing is followed without a bound. Stale it may be all the same (a `strip`ped and relinked file):
// an answer says where to look, the DWARF says what is there.
// Thread: any; immutable, and valid as long as the section's bytes.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/index/bytes.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

class GdbIndex {
 public:
  enum class Kind : std::uint8_t { unknown = 0, type = 1, variable = 2, function = 3, other = 4 };
  struct Unit {
    std::uint64_t offset = 0;  // in .debug_info (a skeleton's, where the program is split)
    std::uint64_t length = 0;
  };
  struct TypeUnit {
    std::uint64_t offset = 0;  // in .debug_types, or in .debug_info for DWARF 5
    std::uint64_t type_offset = 0;
    std::uint64_t signature = 0;
  };
  struct AddressRange {  // half open, file addresses
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t unit = 0;
  };
  struct Place {
    std::uint32_t unit = 0;  // < unit_count(): a unit; else, less unit_count(), a type unit
    Kind kind = Kind::unknown;
    bool is_static = false;  // of one unit only
  };

  // Errors: bad_debug_info (another version, tables out of order or out of the section).
  static Result<GdbIndex> read(std::span<const std::byte> section);

  std::uint32_t version() const { return version_; }
  std::size_t unit_count() const { return (types_ - units_) / 16; }
  std::size_t type_unit_count() const { return (addresses_ - types_) / 24; }
  std::size_t range_count() const { return (symbols_ - addresses_) / 20; }
  Unit unit(std::size_t i) const;            // i < unit_count()
  TypeUnit type_unit(std::size_t i) const;   // i < type_unit_count()
  AddressRange range(std::size_t i) const;   // i < range_count(); not always in order
  std::vector<AddressRange> ranges() const;  // ascending, without those that name no unit or are empty

  // Where the name may be defined; the name as the index has it: with namespaces, without parameters ("ns::S::run").
  // Some writers also give template arguments, some the plain member's name. Empty: not in the index.
  std::vector<Place> find(std::string_view name) const;
  // Every name once, with its places; in no order.
  void each(const std::function<void(std::string_view, std::span<const Place>)>& take) const;

 private:
  std::vector<Place> places_at(std::uint32_t vector) const;

  Bytes bytes_;
  std::uint32_t version_ = 0;
  std::uint64_t units_ = 0, types_ = 0, addresses_ = 0, symbols_ = 0, pool_ = 0;  // where each table begins
  std::uint32_t slots_ = 0;                                                       // a power of two, or 0
};

// The hash of a name, case folded (ASCII).
std::uint32_t gdb_index_hash(std::string_view name);

}  // namespace trapline::index
