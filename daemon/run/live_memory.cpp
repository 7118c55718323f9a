#include "daemon/run/live_memory.hpp"

#include <vector>

namespace trapline::run {

Result<void> LiveMemory::read(LoadAddr at, std::span<std::byte> out) const {
  TL_TRY_VOID(process_.read(at, out));
  sites_.hide(at, out);
  return {};
}

std::size_t LiveMemory::read_some(LoadAddr at, std::span<std::byte> out) const {
  const auto size = process_.read_some(at, out);
  sites_.hide(at, out.first(size));
  return size;
}

Result<void> LiveMemory::write(LoadAddr at, std::span<const std::byte> bytes) {
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
