#include "daemon/natvis/pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace trapline::natvis {

bool Pages::held(std::uint64_t number) const {
  const auto& slot = slots_[number % slot_count];
  return slot != nullptr && slot->number == number;
}

const Pages::Page& Pages::page(std::uint64_t number) const {
  if (!held(number)) {
    const bool walking = number != 0 && held(number - 1);
    std::array<std::byte, pages_ahead * page_size> bytes;
    const std::size_t wanted = (walking ? pages_ahead : 1) * page_size;
    const std::size_t got = live_.read_some(LoadAddr{number * page_size}, std::span(bytes).first(wanted));
    for (std::uint64_t i = 0; i == 0 || i * page_size < got; ++i) {
      auto& slot = slots_[(number + i) % slot_count];
      if (slot == nullptr) slot = std::make_unique<Page>();
      slot->number = number + i;
      slot->readable = std::min<std::size_t>(got - std::min<std::size_t>(got, i * page_size), page_size);
      std::memcpy(slot->bytes.data(), bytes.data() + i * page_size, slot->readable);
    }
  }
  return *slots_[number % slot_count];
}

std::size_t Pages::read_some(LoadAddr at, std::span<std::byte> out) const {
  if (out.size() > 64 * page_size) return live_.read_some(at, out);
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
  }
  return done;
}

Result<void> Pages::read(LoadAddr at, std::span<std::byte> out) const {
  if (read_some(at, out) == out.size()) return {};
  return fail(Errc::bad_address, fmt::format("cannot read {} bytes at {:#x}", out.size(), at.value));
}

Result<void> Pages::write(LoadAddr at, std::span<const std::byte> bytes) {
  for (auto& slot : slots_) slot.reset();
  return live_.write(at, bytes);
}

}  // namespace trapline::natvis
