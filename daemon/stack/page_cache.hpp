#pragma once
// The debuggee's memory for the time of one unwinding: each page is read once. A walk up a deep stack reads ahead.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "daemon/util/memory.hpp"

namespace trapline::stack {

class PageCache final : public util::Memory {
 public:
  explicit PageCache(const util::Memory& source) : source_(source) {}

  Result<void> read(LoadAddr at, std::span<std::byte> out) const override;
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override;
  // False: unreadable. The one read that every frame makes several of.
  bool word(std::uint64_t at, std::uint64_t& value) const {
    const std::size_t offset = at % page_size;
    if (at / page_size != last_number_ || offset + sizeof value > last_->readable) return far_word(at, value);
    std::memcpy(&value, last_->bytes.data() + offset, sizeof value);
    return true;
  }

 private:
  static constexpr std::uint64_t page_size = 4096;
  static constexpr std::uint64_t pages_ahead = 16;  // one system call for 64 KiB costs what five single pages do
  struct Page {
    std::size_t readable = 0;  // bytes from its begin on
    std::array<std::byte, page_size> bytes;
  };
  bool far_word(std::uint64_t at, std::uint64_t& value) const;
  const Page& page(std::uint64_t number) const;
  Page& add(std::uint64_t number, std::span<const std::byte> bytes) const;

  const util::Memory& source_;
  mutable std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  mutable std::uint64_t last_number_ = ~std::uint64_t{0};
  mutable const Page* last_ = nullptr;
};

}  // namespace trapline::stack
