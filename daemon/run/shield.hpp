#pragma once
// What keeps the debuggee alive when the tracer is killed: a SIGTRAP handler of ours in it, with a table of the sites.
//
// An int3 in the text is fatal without a tracer, and the guardian's restoring comes a hundred microseconds late: with
// hot threads nobody survived (measured). So the debuggee itself knows the way on. While we live the handler never
// runs (each SIGTRAP is ours before it is the program's); when we are gone, it sends a thread that met a site
//   - to the site's slot, where the moved instruction and the way back stand, or where there is no slot
//   - to the site again, until the guardian has put the instruction back (it yields the CPU each time);
// lets one that met the int3 behind a slot's step go on (valid code follows it), takes a single step's flag and a debug
// register's hit away, and gives everything else to the default action, as if the handler were not there.
//
// It is not installed where the program handles or ignores SIGTRAP itself. A program that blocks SIGTRAP in a thread
// that meets a site loses it (the kernel resets the action: force_sig_info_to_task(), kernel/signal.c).
//
// Region (private, r-x, written through /proc/PID/mem): code; the ranges of slots, ended by a zero; the table, open
// addressing by Fibonacci hashing, 16 bytes an entry {site, where to go on}, ended by an empty one.
// Thread: the tracer's.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/run/live_memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

// struct sigaction of the kernel's (arch/x86: handler, flags, restorer, mask), not the C library's.
using KernelAction = std::array<std::uint64_t, 4>;

class Shield {
 public:
  static constexpr std::uint64_t region_size = 0x42000;

  explicit Shield(LiveMemory& memory) : memory_(memory) {}

  bool up() const { return base_.has_value(); }
  bool holds(LoadAddr pc) const { return base_ && LoadRange{*base_, *base_ + ByteCount{region_size}}.contains(pc); }
  LoadRange region() const { return {*base_, *base_ + ByteCount{region_size}}; }

  // Fills a region that was mapped at `base`; guards nothing before raised().
  Result<void> fill(LoadAddr base);
  // The region around the handler of an earlier session that died, where it is one of ours; its table is emptied.
  std::optional<LoadAddr> earlier(LoadAddr handler);
  void raised(LoadAddr base) { base_ = base; }
  // For rt_sigaction: where in the region our action and the default one lie.
  LoadAddr our_action(LoadAddr base) const;
  LoadAddr default_action(LoadAddr base) const;

  // Before the trap is written, and when it gets a slot or loses it. `go_on`: the slot, or the site itself.
  void guard(LoadAddr site, LoadAddr go_on);
  void add_slots(LoadRange slots);
  bool crowded() const { return used_.size() > capacity * 3 / 4; }
  void forget_all();  // the table, while every thread was collected
  void gone();        // exec, detach

 private:
  static constexpr std::size_t capacity = 16384;
  static constexpr std::size_t most_ranges = 32;
  Result<void> put(std::uint64_t offset, std::span<const std::uint64_t> words);

  LiveMemory& memory_;
  std::optional<LoadAddr> base_;
  std::unordered_map<LoadAddr, std::uint32_t> used_;  // site -> its place in the table
  std::vector<bool> taken_ = std::vector<bool>(capacity);
  std::size_t ranges_ = 0;
  bool full_told_ = false;
};

}  // namespace trapline::run
