#pragma once
// Half-open address ranges with a payload, looked up by address: the innermost (latest beginning) that holds it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trapline::sym {

template <class Payload>
class IntervalIndex {
 public:
  struct Entry {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t reach = 0;  // highest `end` of this entry and all before it
    Payload payload{};
  };

  void add(std::uint64_t begin, std::uint64_t end, Payload payload) {
    if (begin < end) entries_.push_back({begin, end, 0, payload});
  }
  void seal() {
    std::ranges::stable_sort(entries_, [](const Entry& a, const Entry& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    std::uint64_t reach = 0;
    for (auto& entry : entries_) entry.reach = reach = std::max(reach, entry.end);
  }
  // O(log n) for disjoint ranges; where they nest, the ones between are looked at too, up to `patience`.
  const Entry* find(std::uint64_t at) const {
    auto next = std::ranges::upper_bound(entries_, at, {}, &Entry::begin);
    for (int i = 0; i < patience && next != entries_.begin(); ++i) {
      --next;
      if (at < next->end) return &*next;
      if (next->reach <= at) return nullptr;
    }
    return nullptr;
  }
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  static constexpr int patience = 4096;
  std::vector<Entry> entries_;
};

}  // namespace trapline::sym
