#pragma once
// .debug_cu_index and .debug_tu_index of a .dwp file: which parts of its sections belong to a unit. GNU's version 2
// (for DWARF 4) and version 5 (DWARF 5, section 7.3.5). Inside the room.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trapline::sym {

class DwpIndex {
 public:
  struct Part {
    std::uint64_t offset = 0;  // in the section
    std::uint64_t size = 0;
  };
  using Row = std::map<std::string, Part>;  // by the section's name, ".debug_info"

  DwpIndex() = default;
  // Of bytes that may be damaged: then it is empty.
  explicit DwpIndex(std::vector<std::byte> section);
  bool empty() const { return units_ == 0; }
  std::uint32_t count() const { return units_; }
  // The row of the unit with this id (a type unit's signature), 0 based.
  std::optional<std::uint32_t> find(std::uint64_t id) const;
  Row row(std::uint32_t number) const;

 private:
  std::uint64_t number(std::uint64_t at, unsigned width) const;
  std::vector<std::byte> bytes_;
  std::uint32_t version_ = 0, columns_ = 0, units_ = 0, slots_ = 0;
  std::uint64_t hashes_ = 0, rows_ = 0, header_ = 0, offsets_ = 0, sizes_ = 0;
};

}  // namespace trapline::sym
