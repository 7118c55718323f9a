#pragma once
// Which stretches of stack a walk has covered, so that a damaged chain cannot lead it round in a circle.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace trapline::stack {

// Callers lie above their callees, so a walk climbs. It may leave for another stack (a signal handler's own, a
// coroutine's), which can lie anywhere, but it never comes back to where it has been: that is the test.
class Walked {
 public:
  // A frame that covers [rsp, cfa) was left. The text says what is wrong; nullopt: nothing.
  std::optional<std::string> climb(std::uint64_t rsp, std::uint64_t cfa);
  // From a signal frame to what it interrupted.
  std::optional<std::string> jump(std::uint64_t interrupted_rsp);

 private:
  bool covered(std::uint64_t at) const;
  void begin(std::uint64_t at);

  std::map<std::uint64_t, std::uint64_t> left_;  // begin -> end, disjoint enough: only membership counts
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  bool started_ = false;
  int standing_ = 0;
};

}  // namespace trapline::stack
