#pragma once
// Co-location: a wake-up across cores costs five times the stop itself, so in a burst of internal stops the stopped
// thread is moved to the tracer's core, and gets its own mask back when it is over. The program can see the narrow mask
// through sched_getaffinity meanwhile; the journal keeps the wide one in case we die.
// Source: sched_setaffinity(2); a mask set by the program itself during the burst is kept (it is not our single CPU any
// more).
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "daemon/guard/journal.hpp"
#include "proto/words/ids.hpp"

namespace trapline::run {

class Pins {
 public:
  explicit Pins(guard::Journal& journal) : journal_(journal) {}
  void pin(Tid tid);
  void release(Tid tid);
  void release_all();
  void forget(Tid tid);  // it is gone
  // A child or thread made by a pinned thread inherits the narrow mask: give it the wide one.
  void inherit(Tid maker, Tid made);
  // The thread `before` goes on as `after` (exec by a thread that was not the leader).
  void renamed(Tid before, Tid after);
  bool any() const { return !masks_.empty(); }

 private:
  struct Mask {
    std::vector<std::byte> before;
    int cpu = 0;
  };
  static bool still_ours(Tid tid, int cpu);
  static void give(Tid tid, const std::vector<std::byte>& mask);

  guard::Journal& journal_;
  std::unordered_map<Tid, Mask> masks_;
};

}  // namespace trapline::run
