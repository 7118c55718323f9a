#pragma once
// Where a name may be declared, asked before the file has an index, and an index of just those units.
//
// The first hint are tables that the file may bring: .debug_names (clang -gpubnames) and .gdb_index (linkers,
// gdb-add-index). They are believed where they cover every unit, and then only in what they name: what they do not have
// may be there all the same (.debug_names has no enumerators, .gdb_index no functions that are inlined everywhere).
// Else the bytes themselves are searched: a DIE has its name as text of its own, as the offset of a text in .debug_str,
// or as an index of .debug_str_offsets. A unit without any of those does not declare the name, which is all that is
// concluded: what is left is scanned. A name that stands in more places than are looked at may be in any unit.
// Searching runs at a few gigabytes a second, a scan at a tenth of one. Thread: one at a time.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/index/debug_names.hpp"
#include "daemon/index/debug_sections.hpp"
#include "daemon/index/gdb_index.hpp"
#include "daemon/index/image.hpp"
#include "daemon/index/unit_table.hpp"

namespace trapline::index {

class NameSearch {
 public:
  // `names` and `gdb_index` are sections and live longer than this; empty: the file has none.
  NameSearch(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate, Data names,
             Data gdb_index);

  // Of the tables, those that can be used; both say that a name is there with what stands for it there.
  bool has_names() const { return names_.has_value(); }  // .debug_names: inlined functions too
  bool has_gdb_index() const { return gdb_index_.has_value(); }

  // The units that may declare a name whose base is that, ascending. By tables: those alone, empty where they do not
  // have it.
  std::vector<std::uint32_t> by_tables(std::string_view base) const;
  // `scopes`: plain names around it that the unit has to have, too. nullopt: any unit may.
  std::optional<std::vector<std::uint32_t>> by_bytes(std::string_view base, std::span<const std::string> scopes) const;

  // An index with the numbers of a survey's units in which the names of those units are, and no others. Null: it would
  // take as long as a whole one (so many bytes, or units that refer to each other: dwz, link-time optimisation).
  std::shared_ptr<const Index> index_of(const std::vector<std::uint32_t>& units) const;
  // As many of the units, from the first on, as are scanned at once.
  std::vector<std::uint32_t> first_of(const std::vector<std::uint32_t>& units) const;

 private:
  std::optional<std::vector<std::uint32_t>> mentioning(std::string_view base) const;
  std::uint64_t bytes_of(const std::vector<std::uint32_t>& units) const;
  bool covered_by(std::vector<std::uint64_t> offsets) const;
  void add_unit_at(std::uint64_t offset, std::vector<std::uint32_t>& units) const;
  void add_holding(Data info, const std::vector<std::uint64_t>& places, bool alternate, bool in_types,
                   std::vector<std::uint32_t>& units) const;
  bool add_by_string_indices(const std::vector<std::uint64_t>& texts, std::vector<std::uint32_t>& units) const;

  UnitTable units_;
  std::optional<DebugNames> names_;
  std::optional<GdbIndex> gdb_index_;
  Data pool_;  // .gdb_index as a whole: its names are searched in it
  bool refer_to_each_other_ = false;
  bool type_units_ = false;  // a unit need not have the scopes of what it declares
  std::uint64_t all_bytes_ = 0;
};

// Every place of `wanted` in `bytes`, unaligned. As many as `most`, or a few more: there may be others.
std::vector<std::uint64_t> places_of(Data bytes, std::string_view wanted, std::size_t most);

}  // namespace trapline::index
