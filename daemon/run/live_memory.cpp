#include "daemon/run/live_memory.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace trapline::run {
namespace {

// Calls `copy(in kept, in the range, size)` for what they have in common.
template <class Kept, class Copy>
void each_overlap(Kept& kept, LoadAddr at, std::size_t size, Copy copy) {
  for (auto& objects : kept) {
    const auto begin = std::max(at.value, objects.at.value);
    const auto end = std::min(at.value + size, objects.at.value + objects.bytes.size());
    if (begin < end) copy(objects.bytes.data() + (begin - objects.at.value), begin - at.value, end - begin);
  }
}

}  // namespace

Result<void> LiveMemory::read(LoadAddr at, std::span<std::byte> out) const {
  TL_TRY_VOID(process_.read(at, out));
  sites_.hide(at, out);
  show_kept(at, out);
  return {};
}

std::size_t LiveMemory::read_some(LoadAddr at, std::span<std::byte> out) const {
  const auto size = process_.read_some(at, out);
  sites_.hide(at, out.first(size));
  show_kept(at, out.first(size));
  return size;
}

void LiveMemory::show_kept(LoadAddr at, std::span<std::byte> out) const {
  each_overlap(kept_, at, out.size(), [&](const std::byte* kept, std::size_t offset, std::size_t size) {
    std::memcpy(out.data() + offset, kept, size);
  });
}

Result<void> LiveMemory::write(LoadAddr at, std::span<const std::byte> bytes) {
  std::size_t changed = 0;
  each_overlap(kept_, at, bytes.size(), [&](std::byte* kept, std::size_t offset, std::size_t size) {
    std::memcpy(kept, bytes.data() + offset, size);
    changed += size;
  });
  if (changed == bytes.size() && changed != 0) return {};
  const auto inside = sites_.in({at, at + ByteCount{bytes.size()}});
  if (inside.empty()) return process_.write(at, bytes);
  std::vector<std::byte> before(bytes.size());
  TL_TRY_VOID(read(at, before));  // also proves that all of it is mapped: the table must not run ahead of the memory
  for (const auto site : inside) rewritten_(site, bytes[(site - at).value]);
  std::vector<std::byte> merged(bytes.begin(), bytes.end());
  sites_.merge_write(at, merged);
  if (auto written = process_.write(at, merged); !written) {
    sites_.merge_write(at, before);
    for (const auto site : inside) rewritten_(site, sites_.find(site)->original);
    return written;
  }
  return {};
}

Result<void> LiveMemory::reopen() {
  TL_TRY(process_, os::ProcessMemory::open(process_.pid()));
  return {};
}

}  // namespace trapline::run
