#pragma once
// Memory made of pieces, for tests without a process.
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "daemon/util/memory.hpp"

namespace trapline::test {

class FakeMemory final : public util::Memory {
 public:
  void put(std::uint64_t at, std::vector<std::uint8_t> bytes) { pieces_[at] = std::move(bytes); }
  void put_words(std::uint64_t at, const std::vector<std::uint64_t>& words) {
    std::vector<std::uint8_t> bytes(words.size() * 8);
    std::memcpy(bytes.data(), words.data(), bytes.size());
    put(at, std::move(bytes));
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    ++reads;
    auto piece = pieces_.upper_bound(at.value);
    if (piece == pieces_.begin()) return 0;
    --piece;
    const std::uint64_t offset = at.value - piece->first;
    if (offset >= piece->second.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), piece->second.size() - offset);
    std::memcpy(out.data(), piece->second.data() + offset, count);
    return count;
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    if (read_some(at, out) == out.size()) return {};
    return fail(Errc::bad_address, "unmapped");
  }
  mutable int reads = 0;

 private:
  std::map<std::uint64_t, std::vector<std::uint8_t>> pieces_;
};

}  // namespace trapline::test
