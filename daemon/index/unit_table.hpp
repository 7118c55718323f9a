#pragma once
// The units of a file and of its dwz file under common numbers.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/index/units.hpp"

namespace trapline::index {

// All units of one file, and of its dwz file; shared by the scanners. Unit numbers are positions in `heads`.
struct UnitTable {
  struct Place {
    UnitHead head;
    bool alternate = false;
  };
  std::shared_ptr<const DebugFile> file, alternate;
  std::vector<Place> heads;
  std::string problem;

  static UnitTable of(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate);
  const Sections& sections(bool in_alternate) const { return in_alternate ? alternate->sections() : file->sections(); }
  // The unit that holds an offset of .debug_info.
  const Place* holding(std::uint64_t offset, bool in_alternate) const;
  const Place* holding_header(std::uint64_t offset) const;  // of the file's own .debug_info
};

}  // namespace trapline::index
