#pragma once
// Inside the room only: which locals do not live yet where a frame stands. DWARF gives a variable its whole block, so
// in a block's first lines objects are in scope whose constructors have not run.
#include <map>
#include <optional>
#include <string_view>

#include "daemon/eval/frame_context.hpp"

namespace trapline::eval {

// For code as it was written (-O0): statements lie in the order of the lines, so before the first instruction of its
// line a variable is not constructed, whichever way control came there: a jump backwards over a declaration destroys
// (C++ [stmt.jump]). Of optimised code nothing is said.
class Lifetimes {
 public:
  explicit Lifetimes(const FramePlace& place) : place_(place) {}
  bool not_yet(const sym::Variable& variable);

 private:
  void read();
  const FramePlace& place_;
  bool read_ = false;
  std::map<std::uint32_t, std::uint64_t> first_;  // of each line of the function's file: its first instruction
};

}  // namespace trapline::eval
