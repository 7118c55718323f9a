#pragma once
// .debug_names of DWARF 5 (section 6.1.1): names -> DIE offsets. The section may hold one index for the whole file, or
// one for each unit (clang without a linker that joins them).
// The names are as in DW_AT_name (unqualified) and linkage names; gdb writes qualified ones ("GDB" augmentation) and
// the unit only.
// A reader of bytes that others wrote: what points out of the section reads as absent, nothing is followed without a
// bound. An answer says where to look, the DWARF says what is there.
// Thread: any; immutable, and valid as long as the sections' bytes.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/index/bytes.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

class DebugNames {
 public:
  struct Place {
    std::uint16_t tag = 0;                      // DW_TAG_
    std::optional<std::uint64_t> unit;          // offset of the unit in .debug_info
    std::optional<std::uint64_t> type_unit;     // offset of the type unit in .debug_info
    std::optional<std::uint64_t> type_foreign;  // signature of a type unit that lies in a .dwo
    std::optional<std::uint64_t> die;           // offset from the beginning of the unit, or
    bool die_in_section = false;                // of .debug_info
  };

  // `strings` is .debug_str. Errors: bad_debug_info (the first index is unreadable). Indexes behind a damaged one are
  // not read, and damaged() says so: what is not found may be there all the same.
  static Result<DebugNames> read(std::span<const std::byte> section, std::span<const std::byte> strings);

  bool damaged() const { return damaged_; }
  std::size_t name_count() const;
  // Offsets in .debug_info of the units that the indexes cover; a unit of another producer may be missing here.
  std::vector<std::uint64_t> units() const;
  bool qualified() const { return qualified_; }  // names are with namespaces

  // By hash where the index has one; names that are not ASCII are looked for one by one.
  std::vector<Place> find(std::string_view name) const;
  void each(const std::function<void(std::string_view, std::span<const Place>)>& take) const;

 private:
  struct Field {
    std::uint32_t index = 0;  // DW_IDX_
    std::uint32_t form = 0;   // DW_FORM_
    std::uint64_t constant = 0;
  };
  struct Shape {
    std::uint16_t tag = 0;
    std::vector<Field> fields;
  };
  struct Index {
    std::uint64_t end = 0;
    unsigned offset_size = 4;
    std::uint32_t units = 0, local_types = 0, foreign_types = 0, buckets = 0, names = 0;
    // Where each table begins.
    std::uint64_t unit_list = 0, local_list = 0, foreign_list = 0, bucket_list = 0, hash_list = 0, string_list = 0,
                  entry_list = 0, pool = 0;
    std::unordered_map<std::uint64_t, Shape> shapes;
  };

  std::optional<Index> read_index(std::uint64_t at);
  bool read_shapes(Index& index, std::uint64_t at, std::uint64_t size) const;
  std::string_view name_of(const Index& index, std::uint32_t name) const;
  void add_places(const Index& index, std::uint32_t name, std::vector<Place>& out) const;
  bool read_field(const Index& index, const Field& field, Cursor& at, Place& place) const;
  void find_in(const Index& index, std::string_view name, std::uint32_t hash, std::vector<Place>& out) const;

  Bytes bytes_;
  Bytes strings_;
  std::vector<Index> indexes_;
  bool damaged_ = false;
  bool qualified_ = false;
};

// The hash of a name, case folded (ASCII).
std::uint32_t debug_names_hash(std::string_view name);

}  // namespace trapline::index
