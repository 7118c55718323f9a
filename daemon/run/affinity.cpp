#include "daemon/run/affinity.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace trapline::run {
namespace {

constexpr std::size_t mask_bytes = 8192 / 8;  // the kernel's CONFIG_NR_CPUS at its largest

// glibc's wrapper returns 0; the bytes behind the kernel's answer stay zero because we clear them first.
std::optional<std::vector<std::byte>> mask_of(Tid tid) {
  std::vector<std::byte> mask(mask_bytes);
  if (::sched_getaffinity(tid.value, mask.size(), reinterpret_cast<cpu_set_t*>(mask.data())) < 0) return std::nullopt;
  return mask;
}

int cpus_in(const std::vector<std::byte>& mask) {
  int count = 0;
  for (const auto byte : mask) count += std::popcount(std::to_integer<unsigned char>(byte));
  return count;
}

bool has_cpu(const std::vector<std::byte>& mask, int cpu) {
  const auto at = static_cast<std::size_t>(cpu);
  return at / 8 < mask.size() && (std::to_integer<unsigned>(mask[at / 8]) >> (at % 8) & 1U) != 0;
}

// What the journal keeps need not be a kilobyte where the machine has two cores.
std::vector<std::byte> trimmed(std::vector<std::byte> mask) {
  while (mask.size() > 8 && mask.back() == std::byte{}) mask.pop_back();
  mask.resize((mask.size() + 7) / 8 * 8);
  return mask;
}

}  // namespace

void Pins::pin(Tid tid) {
  if (masks_.contains(tid)) return;
  const int cpu = ::sched_getcpu();
  auto before = mask_of(tid);
  if (cpu < 0 || !before || cpus_in(*before) < 2 || !has_cpu(*before, cpu)) return;
  *before = trimmed(std::move(*before));
  journal_.pinned(tid, *before);
  std::vector<std::byte> narrow(std::max(before->size(), (static_cast<std::size_t>(cpu) / 64 + 1) * 8));
  narrow[static_cast<std::size_t>(cpu) / 8] |= std::byte{1} << (cpu % 8);
  if (::sched_setaffinity(tid.value, narrow.size(), reinterpret_cast<const cpu_set_t*>(narrow.data())) == -1) {
    journal_.unpinned(tid);
    return;
  }
  masks_.emplace(tid, Mask{.before = std::move(*before), .cpu = cpu});
}

bool Pins::still_ours(Tid tid, int cpu) {
  const auto now = mask_of(tid);
  return now && cpus_in(*now) == 1 && has_cpu(*now, cpu);
}

void Pins::give(Tid tid, const std::vector<std::byte>& mask) {
  ::sched_setaffinity(tid.value, mask.size(), reinterpret_cast<const cpu_set_t*>(mask.data()));
}

void Pins::release(Tid tid) {
  const auto found = masks_.find(tid);
  if (found == masks_.end()) return;
  if (still_ours(tid, found->second.cpu)) give(tid, found->second.before);
  journal_.unpinned(tid);
  masks_.erase(found);
}

void Pins::release_all() {
  while (!masks_.empty()) release(masks_.begin()->first);
}

void Pins::forget(Tid tid) {
  if (masks_.erase(tid) != 0) journal_.unpinned(tid);
}

void Pins::inherit(Tid maker, Tid made) {
  const auto found = masks_.find(maker);
  if (found != masks_.end() && still_ours(made, found->second.cpu)) give(made, found->second.before);
}

void Pins::renamed(Tid before, Tid after) {
  const auto found = masks_.find(before);
  if (found == masks_.end()) return;
  if (still_ours(after, found->second.cpu)) give(after, found->second.before);
  masks_.erase(found);
  journal_.unpinned(before);
}

}  // namespace trapline::run
