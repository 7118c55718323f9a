#include "daemon/run/slots.hpp"

#include <algorithm>
#include <ranges>

namespace trapline::run {
namespace {

// A rel32 reaches 2 GB; the margin leaves room for the instruction's own operand, which may lie a module's size away
// on the other side. Whether it does is checked by trap::displace().
constexpr std::uint64_t reach = (std::uint64_t{1} << 31) - (std::uint64_t{64} << 20);
constexpr std::uint64_t lowest_address = 0x10000;  // vm.mmap_min_addr
constexpr std::uint64_t highest_address = 0x7ffffffff000;

std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a < b ? b - a : a - b; }

}  // namespace

void SlotPool::add_region(LoadRange region) {
  Region added{.range = region, .slots = std::vector<Slot>(region.size().value / trap::slot_size), .free = {}};
  for (auto i = static_cast<std::uint32_t>(added.slots.size()); i > 0; --i) added.free.push_back(i - 1);
  regions_.push_back(std::move(added));
}

std::optional<LoadAddr> SlotPool::take(LoadAddr near) {
  for (auto& region : regions_) {
    if (region.free.empty() || distance(region.range.begin.value, near.value) > reach ||
        distance(region.range.end.value, near.value) > reach)
      continue;
    const auto index = region.free.back();
    region.free.pop_back();
    region.slots[index] = {.use = Use::taken, .relocated_size = 0, .origin = {}, .next = {}};
    return region.range.begin + ByteCount{std::uint64_t{index} * trap::slot_size};
  }
  return std::nullopt;
}

void SlotPool::fill(LoadAddr slot, LoadAddr origin, const trap::Displaced& code) {
  if (auto* found = slot_at(slot)) {
    found->origin = origin;
    found->next = code.next;
    found->relocated_size = static_cast<std::uint8_t>(code.relocated_size);
  }
}

void SlotPool::retire(LoadAddr slot) {
  if (auto* found = slot_at(slot)) found->use = Use::retired;
}

void SlotPool::reclaim(std::span<const LoadAddr> pcs) {
  for (auto& region : regions_)
    for (std::uint32_t i = 0; i < region.slots.size(); ++i) {
      if (region.slots[i].use != Use::retired) continue;
      const auto begin = region.range.begin + ByteCount{std::uint64_t{i} * trap::slot_size};
      const LoadRange here{begin, begin + ByteCount{trap::slot_size}};
      if (std::ranges::any_of(pcs, [&](LoadAddr pc) { return here.contains(pc); })) continue;
      region.slots[i].use = Use::free;
      region.free.push_back(i);
    }
}

std::optional<SlotPool::Inside> SlotPool::inside(LoadAddr pc) const {
  const auto* region = region_of(pc);
  if (region == nullptr) return std::nullopt;
  const auto offset = (pc - region->range.begin).value;
  const auto& slot = region->slots[offset / trap::slot_size];
  if (slot.use == Use::free) return std::nullopt;
  const bool executed = offset % trap::slot_size >= slot.relocated_size;
  return Inside{.slot = region->range.begin + ByteCount{offset - offset % trap::slot_size},
                .origin = slot.origin,
                .equivalent = executed ? slot.next : slot.origin,
                .executed = executed};
}

bool SlotPool::holds(LoadAddr pc) const { return region_of(pc) != nullptr; }

std::vector<LoadRange> SlotPool::regions() const {
  std::vector<LoadRange> ranges;
  for (const auto& region : regions_) ranges.push_back(region.range);
  return ranges;
}

const SlotPool::Region* SlotPool::region_of(LoadAddr pc) const {
  for (const auto& region : regions_)
    if (region.range.contains(pc)) return &region;
  return nullptr;
}

SlotPool::Slot* SlotPool::slot_at(LoadAddr slot) {
  for (auto& region : regions_)
    if (region.range.contains(slot)) return &region.slots[(slot - region.range.begin).value / trap::slot_size];
  return nullptr;
}

std::optional<LoadAddr> find_hole(std::span<const os::Mapping> maps, LoadAddr near, std::uint64_t size) {
  std::optional<std::uint64_t> best;
  const auto consider = [&](std::uint64_t begin) {
    if (distance(begin, near.value) > reach || distance(begin + size, near.value) > reach) return;
    if (!best || distance(begin, near.value) < distance(*best, near.value)) best = begin;
  };
  for (std::size_t i = 0; i <= maps.size(); ++i) {
    const auto begin = i == 0 ? lowest_address : std::max(maps[i - 1].range.end.value, lowest_address);
    const auto end = i == maps.size() ? highest_address : std::min(maps[i].range.begin.value, highest_address);
    if (end < begin || end - begin < size) continue;
    const bool heap_below = i > 0 && maps[i - 1].path == "[heap]";
    const bool stack_above = i < maps.size() && maps[i].path == "[stack]";
    // Both ends of the hole, and in a large one the middle of what is in reach.
    if (!heap_below) consider(begin);
    if (!stack_above) consider(end - size);
  }
  if (!best) return std::nullopt;
  return LoadAddr{*best};
}

}  // namespace trapline::run
