#pragma once
// Who wants a trap at which address. add, drop, has: O(1) average in the number of sites.
// Never touches the debuggee: returns the patch to write, run/ journals and writes it.
// Invariant: a site exists exactly while it has an owner; `original` is what the program had there.
//
// Three things are kept apart, so that a later way of stopping (a jump to a pad) only adds a Way:
//   Site  = an address and its owners,  Patch = bytes to be written,  Way = how a thread stops there.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"

namespace trapline::trap {

enum class OwnerKind : std::uint8_t { breakpoint, step, internal };  // internal: r_debug, longjmp, throw ...

struct Owner {
  OwnerKind kind = OwnerKind::breakpoint;
  std::uint32_t id = 0;  // BreakpointId, or a number that run/ gave
  auto operator<=>(const Owner&) const = default;
};

enum class Way : std::uint8_t { int3 };  // `inline` pads and hardware join here

struct Patch {
  LoadAddr at;
  std::vector<std::byte> bytes;     // to write
  std::vector<std::byte> original;  // what stands there without us
};

struct Site {
  LoadAddr at;
  Way way = Way::int3;
  std::byte original{};
  std::vector<Owner> owners;
};

class SiteTable {
 public:
  std::optional<Patch> add(LoadAddr at, Owner owner, std::byte original);  // value: write it now
  std::optional<Patch> drop(LoadAddr at, Owner owner);                     // value: restore it now
  std::optional<Patch> drop_all(LoadAddr at);
  bool has(LoadAddr at) const { return sites_.contains(at); }
  const Site* find(LoadAddr at) const;
  std::size_t size() const { return sites_.size(); }
  std::vector<Patch> restore_all() const;  // for detach; the table is not changed
  void clear() { sites_.clear(); }         // after exec: the address space is a new one
  // The sites in [begin, end): after dlclose, and for hiding patches.
  std::vector<LoadAddr> in(LoadRange range) const;
  // Puts the program's own bytes over `bytes`, which were read at `at`. O(min(sites, bytes)).
  void hide(LoadAddr at, std::span<std::byte> bytes) const;
  // Adapts a write of the program's bytes: updates `original` of sites inside, and puts the trap back into `bytes`.
  void merge_write(LoadAddr at, std::span<std::byte> bytes);

 private:
  std::unordered_map<LoadAddr, Site> sites_;
};

}  // namespace trapline::trap
