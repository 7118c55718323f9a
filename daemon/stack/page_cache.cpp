#include "daemon/stack/page_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace trapline::stack {

PageCache::Page& PageCache::add(std::uint64_t number, std::span<const std::byte> bytes) const {
  auto page = std::make_unique<Page>();
  page->readable = bytes.size();
  std::copy(bytes.begin(), bytes.end(), page->bytes.begin());
  auto& slot = pages_[number];
  slot = std::move(page);
  return *slot;
}

const PageCache::Page& PageCache::page(std::uint64_t number) const {
  if (number == last_number_) return *last_;
  auto found = pages_.find(number);
  if (found == pages_.end()) {
    // The page below is here: somebody walks upwards. What lies ahead may end early (the stack's end).
    const bool walking = number != 0 && pages_.contains(number - 1) && pages_.size() > 2;
    std::vector<std::byte> bytes((walking ? pages_ahead : 1) * page_size);
    const std::size_t got = source_.read_some(LoadAddr{number * page_size}, bytes);
    for (std::size_t i = 0; i == 0 || i * page_size < got; ++i) {
      if (i != 0 && pages_.contains(number + i)) continue;
      const std::size_t from = std::min(i * page_size, got);
      add(number + i, std::span(bytes).subspan(from, std::min<std::size_t>(got - from, page_size)));
    }
    found = pages_.find(number);
  }
  last_number_ = number;
  last_ = found->second.get();
  return *last_;
}

std::size_t PageCache::read_some(LoadAddr at, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t address = at.value + done;
    if (address < at.value) break;  // past the end of the address space
    const Page& from = page(address / page_size);
    const std::size_t offset = address % page_size;
    if (offset >= from.readable) break;
    const std::size_t count = std::min(out.size() - done, from.readable - offset);
    std::memcpy(out.data() + done, from.bytes.data() + offset, count);
    done += count;
    if (offset + count < page_size) break;
  }
  return done;
}

Result<void> PageCache::read(LoadAddr at, std::span<std::byte> out) const {
  if (read_some(at, out) == out.size()) return {};
  return fail(Errc::bad_address, fmt::format("{} bytes at {:#x} cannot be read", out.size(), at.value));
}

bool PageCache::far_word(std::uint64_t at, std::uint64_t& value) const {
  return read_some(LoadAddr{at}, std::as_writable_bytes(std::span(&value, 1))) == sizeof value;
}

}  // namespace trapline::stack
