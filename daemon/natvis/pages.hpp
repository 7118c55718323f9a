#pragma once
// The debuggee's memory during one stop: each page is read once, and a walk over neighbouring pages reads ahead. Keeps
// at most 16 MiB: a page that shares its slot with another one makes way.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/util/memory.hpp"

namespace trapline::natvis {

class Pages final : public util::WritableMemory {
 public:
  explicit Pages(util::WritableMemory& live) : live_(live), slots_(slot_count) {}
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override;
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override;
  Result<void> write(LoadAddr at, std::span<const std::byte> bytes) override;
  const util::WritableMemory* live() const { return &live_; }

 private:
  static constexpr std::uint64_t page_size = 4096;
  static constexpr std::uint64_t pages_ahead = 16;
  static constexpr std::size_t slot_count = 4096;
  struct Page {
    std::uint64_t number = 0;
    std::size_t readable = 0;  // bytes from its begin on
    std::array<std::byte, page_size> bytes;
  };
  const Page& page(std::uint64_t number) const;
  bool held(std::uint64_t number) const;

  util::WritableMemory& live_;
  mutable std::vector<std::unique_ptr<Page>> slots_;
};

}  // namespace trapline::natvis
