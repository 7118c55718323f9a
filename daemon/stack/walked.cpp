#include "daemon/stack/walked.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace trapline::stack {
namespace {

// A frame larger than this may as well be a leap to another stack: what lies between is not taken as covered.
constexpr std::uint64_t large_frame = 64 * 1024;
// psABI frames grow by their return address at least. Not so where it is in a register: vfork() keeps it there.
constexpr int most_standing = 4;

}  // namespace

bool Walked::covered(std::uint64_t at) const {
  if (begin_ <= at && at < end_) return true;
  const auto after = left_.upper_bound(at);
  return after != left_.begin() && at < std::prev(after)->second;
}

void Walked::begin(std::uint64_t at) {
  if (started_ && begin_ < end_) {
    auto& end = left_[begin_];
    end = std::max(end, end_);
  }
  begin_ = end_ = at;
  started_ = true;
}

std::optional<std::string> Walked::climb(std::uint64_t rsp, std::uint64_t cfa) {
  if (!started_) begin(rsp);
  end_ = std::max(end_, rsp);
  standing_ = cfa == rsp ? standing_ + 1 : 0;
  if (covered(cfa) || standing_ > most_standing)
    return fmt::format("the frame's CFA {:#x} is not above its stack pointer {:#x}: the chain of frames does not end",
                       cfa, rsp);
  if (cfa >= rsp && cfa - rsp <= large_frame)
    end_ = cfa;
  else
    begin(cfa);
  return std::nullopt;
}

std::optional<std::string> Walked::jump(std::uint64_t interrupted_rsp) {
  if (covered(interrupted_rsp))
    return fmt::format("the signal frame says that {:#x} was the stack pointer, where the walk has been already",
                       interrupted_rsp);
  begin(interrupted_rsp);
  return std::nullopt;
}

}  // namespace trapline::stack
