#pragma once
// Where the instructions under our traps run instead: pages of slots that we mapped into the debuggee.
//
// A slot with a jump back holds no state of a thread, so it belongs to its site and any number of threads may be in it
// at once; it is written once, and going over the site later is one change of rip. Slots for software steps (an int3
// behind the instruction) belong to a thread. A slot that lost its site is `retired`, and used again only after a
// moment at which every thread was seen outside. Bookkeeping only: the machine maps and writes.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/os/proc.hpp"
#include "daemon/trap/displaced.hpp"
#include "proto/words/addr.hpp"

namespace trapline::run {

inline constexpr std::uint64_t slot_region_size = 65536;

class SlotPool {
 public:
  struct Inside {
    LoadAddr slot;
    LoadAddr origin;      // the instruction that the slot runs
    LoadAddr equivalent;  // where the thread stands in the program's own code: origin, or behind it
    bool executed = false;
  };

  void add_region(LoadRange region);
  std::optional<LoadAddr> take(LoadAddr near);  // a free slot within a rel32 of `near`
  void fill(LoadAddr slot, LoadAddr origin, const trap::Displaced& code);
  void retire(LoadAddr slot);
  // Every thread was seen: retired slots that hold none of `pcs` are free again.
  void reclaim(std::span<const LoadAddr> pcs);
  std::optional<Inside> inside(LoadAddr pc) const;
  bool holds(LoadAddr pc) const;
  std::vector<LoadRange> regions() const;
  void clear() { regions_.clear(); }

 private:
  enum class Use : std::uint8_t { free, taken, retired };
  struct Slot {
    Use use = Use::free;
    std::uint8_t relocated_size = 0;
    LoadAddr origin;
    LoadAddr next;
  };
  struct Region {
    LoadRange range;
    std::vector<Slot> slots;
    std::vector<std::uint32_t> free;
  };
  const Region* region_of(LoadAddr pc) const;
  Slot* slot_at(LoadAddr slot);

  std::vector<Region> regions_;
};

// A hole in the address space where `size` bytes fit within reach of a rel32 from `near`, nearest first. Keeps off the
// places where the heap and the stack grow. `maps` is ascending (proc(5)).
std::optional<LoadAddr> find_hole(std::span<const os::Mapping> maps, LoadAddr near, std::uint64_t size);

}  // namespace trapline::run
