#pragma once
// One unit's DIEs, read in one pass from first to last: entries at namespace and class scope, and inlined calls
// wherever they are. Damage ends the unit, with the reason; the units around it are not concerned.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/index/harvest.hpp"
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

class Scanner {
 public:
  Scanner(const UnitTable& units, Harvest& out);
  struct Outcome {
    UnitRoot root;
    std::string problem;  // empty: read to its end
  };
  // `deep`: names, inlined calls and files too; else the root and its addresses only.
  Outcome scan(std::uint32_t unit, bool deep);

 private:
  static constexpr std::uint32_t no_interval = 0xffffffff;
  struct Die;
  struct Level {
    std::uint32_t scope = no_scope;
    std::uint32_t interval = no_interval;  // the innermost that is open
    bool own_interval = false;
    bool inside = false;  // a function, or what holds nothing of interest but inlined calls
    std::uint16_t tag = 0;
  };
  struct Interval {  // of offsets in .debug_info; in order of `begin`, which is that of a walk
    std::uint64_t begin = 0, end = 0;
    std::uint32_t scope = no_scope;
    std::uint32_t parent = no_interval;
    bool skipped = false;  // its nested classes have no intervals of their own
  };
  using Intervals = std::vector<Interval>;
  static const Interval* innermost(const Intervals& intervals, std::uint64_t offset);
  struct Named {
    std::string_view name;
    std::uint32_t scope = unknown_scope;
  };

  bool walk(const UnitReader& unit, std::uint32_t number, bool classes_repeat);
  bool visit(const UnitReader& unit, std::uint32_t number, const Abbreviation& abbreviation, DataCursor& in,
             std::uint64_t at, const Level& level, Level& next, bool classes_repeat);
  void read(const UnitReader& unit, const Abbreviation& abbreviation, DataCursor& in, Die& die) const;
  void skip(const UnitReader& unit, const Abbreviation& abbreviation, DataCursor& in, std::uint64_t at, bool inside);
  void add_function(const UnitReader& unit, std::uint32_t number, const Die& die, std::uint64_t at,
                    std::uint32_t scope);
  void add(Kind kind, std::uint32_t number, const UnitReader& unit, const Die& die, std::uint64_t at,
           std::uint32_t scope);
  bool has_real_code(const UnitReader& unit, const Die& die) const;
  Named completed(const UnitReader& unit, UnitReader::Reference reference, int depth);
  std::uint32_t scope_at(std::uint64_t offset, bool alternate);
  std::uint32_t enter(std::uint32_t parent, std::string_view name, std::uint16_t tag);
  const Intervals& intervals_of(const UnitTable::Place& place);
  void collect_scopes(const UnitReader& unit, std::uint64_t begin, std::uint64_t end, std::uint32_t scope,
                      Intervals& out);
  std::uint32_t name_id(const UnitReader& unit, std::string_view text);
  void add_ranges(const UnitReader& unit, std::uint32_t number);
  void add_files(const UnitReader& unit, std::uint32_t number);

  const UnitTable& units_;
  Harvest& out_;
  AbbreviationCache abbreviations_, alternate_abbreviations_;
  Intervals intervals_;  // of the unit that is being walked, by begin
  std::unordered_map<const UnitTable::Place*, Intervals> elsewhere_;
  bool alternate_ = false;  // the unit that is being walked lies there
};

// Whether C and C++ rules hold there: members are defined outside of the class, whose DIE holds declarations only, and
// a class of one name and size is the same everywhere.
bool classes_repeat(std::uint32_t language);

}  // namespace trapline::index
