#pragma once
// Units of .debug_info and .debug_types: headers, root DIEs, and the addresses that they cover.
// Thread: functions share nothing; a UnitReader belongs to one thread.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/index/abbrev.hpp"
#include "daemon/index/debug_sections.hpp"

namespace trapline::index {

struct UnitHead {
  std::uint64_t offset = 0;  // of the header, in its section
  std::uint64_t end = 0;     // behind its last byte
  std::uint64_t first_die = 0;
  std::uint64_t abbreviations = 0;
  std::uint16_t version = 0;
  std::uint8_t address_size = 8;
  std::uint8_t type = 0;  // DW_UT_; before DWARF 5 compile or type
  bool wide = false;      // the 64-bit DWARF format
  bool in_types = false;  // in .debug_types
};

struct UnitRoot {
  std::uint16_t tag = 0;
  std::string_view name, folder, producer;
  std::optional<std::uint64_t> line_offset, low_pc;
  std::uint64_t high_pc = 0;  // absolute
  std::optional<std::uint64_t> ranges;
  bool ranges_indexed = false;  // DW_FORM_rnglistx
  std::uint32_t language = 0;
  std::optional<std::uint64_t> str_offsets_base, addr_base, rnglists_base;
  bool split = false;  // a skeleton: the DIEs are in a .dwo file
  bool damaged = false;
};

// One after the other, by their lengths. `problem` says where the section stops making sense.
std::vector<UnitHead> read_unit_heads(Data section, bool in_types, std::string& problem, std::uint64_t from = 0,
                                      std::size_t most = ~std::size_t{0});

// Reads attribute values of one unit.
class UnitReader {
 public:
  // `alternate`: the dwz file's sections; may be null. The abbreviations live as long as the cache has room for them.
  UnitReader(const Sections& sections, const Sections* alternate, const UnitHead& head,
             const AbbreviationTable& abbreviations);
  const UnitHead& head() const { return head_; }
  const UnitRoot& root() const { return root_; }
  const AbbreviationTable& abbreviations() const { return *abbreviations_; }
  Data section() const { return head_.in_types ? sections_->types : sections_->info; }
  DataCursor cursor(std::uint64_t at) const;  // ends where the unit does

  void skip(DataCursor& in, std::uint64_t form) const {
    skip_form(in, form, static_cast<std::uint8_t>(head_.version), head_.address_size, head_.wide);
  }
  std::string_view text(DataCursor& in, const AttributeForm& attribute) const;
  std::uint64_t constant(DataCursor& in, const AttributeForm& attribute) const;  // and section offsets, and flags
  std::optional<std::uint64_t> address(DataCursor& in, const AttributeForm& attribute) const;
  struct Reference {
    std::uint64_t offset = 0;  // in .debug_info
    enum class Where : std::uint8_t { nowhere, here, alternate } where = Where::nowhere;
  };
  Reference reference(DataCursor& in, const AttributeForm& attribute) const;
  using TakeRange = std::function<bool(std::uint64_t begin, std::uint64_t end)>;
  // Calls `take` for each range until it returns false; of the root's or another DIE's DW_AT_ranges. Returns how many
  // entries of the list were read for it.
  std::size_t each_range(std::uint64_t offset, bool indexed, const TakeRange& take) const;

 private:
  void read_root();
  std::string_view string_indexed(std::uint64_t index) const;
  std::optional<std::uint64_t> address_indexed(std::uint64_t index) const;
  std::size_t each_old_range(std::uint64_t offset, const TakeRange& take) const;

  const Sections* sections_;
  const Sections* alternate_;
  UnitHead head_;
  const AbbreviationTable* abbreviations_;
  UnitRoot root_;
};

// .debug_aranges: calls take(offset of the unit in .debug_info, begin, end).
void each_arange(Data section, const std::function<void(std::uint64_t, std::uint64_t, std::uint64_t)>& take);

bool in_code(const std::vector<CodeRange>& code, std::uint64_t at);

}  // namespace trapline::index
