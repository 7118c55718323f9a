#pragma once
// One unit's DIEs, read in one pass from first to last: entries at namespace and class scope, and inlined calls
// wherever they are. Damage ends the unit, with the reason; the units around it are not concerned. What all units
// together may cost is bounded by what the sections can hold: many units of a damaged file may lead to one long list.
#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/index/harvest.hpp"
#include "daemon/index/unit_table.hpp"

namespace trapline::index {

class Scanner {
 public:
  // `cancel` may be null; where it is set a scan ends within some thousand DIEs.
  Scanner(const UnitTable& units, Harvest& out, const std::atomic<bool>* cancel = nullptr);
  struct Outcome {
    UnitRoot root;
    std::string problem;  // empty: read to its end
  };
  // `deep`: names, inlined calls and files too; else the root and its addresses only.
  Outcome scan(std::uint32_t unit, bool deep);

 private:
  static constexpr std::uint32_t no_interval = 0xffffffff;
  struct Die {
    std::uint16_t tag = 0;
    std::string_view name;
    bool inlinable = false, declaration = false, external = false, valued = false;
    bool has_low = false, has_ranges = false, ranges_indexed = false, has_entry = false;
    std::uint64_t low_pc = 0, ranges = 0, entry_pc = 0, size = 0, sibling = 0;
    UnitReader::Reference specification, origin, signature;
  };
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
  bool has_real_code(const UnitReader& unit, const Die& die);
  Named completed(const UnitReader& unit, const UnitTable::Place& home, UnitReader::Reference reference, int depth);
  std::uint32_t scope_at(std::uint64_t offset, const UnitTable::Place& place);
  std::uint32_t enter(std::uint32_t parent, std::string_view name, std::uint16_t tag);
  const Intervals& intervals_of(const UnitTable::Place& place);
  void collect_scopes(const UnitReader& unit, std::uint64_t begin, std::uint64_t end, std::uint32_t scope,
                      Intervals& out);
  std::uint32_t name_id(const UnitReader& unit, std::string_view text);
  void add_ranges(const UnitReader& unit, std::uint32_t number);
  void add_files(const UnitReader& unit, std::uint32_t number);
  void each_range(const UnitReader& unit, std::uint64_t at, bool indexed, const UnitReader::TakeRange& take);
  bool too_much_text() const;
  bool cancelled() const { return cancel_ && cancel_->load(std::memory_order_relaxed); }
  AbbreviationCache::Table abbreviations_of(const UnitTable::Place& place);

  const UnitTable& units_;
  Harvest& out_;
  const std::atomic<bool>* cancel_;
  AbbreviationCache abbreviations_, alternate_abbreviations_;
  Intervals intervals_;  // of the unit that is being walked, by begin
  std::unordered_map<const UnitTable::Place*, Intervals> elsewhere_;
  FlatMap known_files_;  // line tables whose files were taken, with the folder and the name of the unit
  // What may still be read of lists of addresses, and how long all names together may be.
  std::uint64_t ranges_left_ = 0, most_text_ = 0;
  std::string problem_;     // of the unit that is being scanned
  bool alternate_ = false;  // the unit that is being walked lies there
  const UnitTable::Place* walked_ = nullptr;
  std::uint64_t position_ = 0;  // of the DIE that is being read
};

// Whether C and C++ rules hold there: members are defined outside of the class, whose DIE holds declarations only, and
// a class of one name and size is the same everywhere.
bool classes_repeat(std::uint32_t language);

}  // namespace trapline::index
