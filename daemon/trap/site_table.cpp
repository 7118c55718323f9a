#include "daemon/trap/site_table.hpp"

#include <algorithm>

namespace trapline::trap {
namespace {

constexpr std::byte int3{0xcc};

Patch patch_in(const Site& site) { return {.at = site.at, .bytes = {int3}, .original = {site.original}}; }
Patch patch_out(const Site& site) { return {.at = site.at, .bytes = {site.original}, .original = {site.original}}; }

// Calls `visit` with each site in [begin, begin + size), in no order: through the table or through the addresses,
// whichever is less.
template <class Sites, class Visit>
void each_in(Sites& sites, LoadAddr begin, std::uint64_t size, Visit&& visit) {
  if (size <= sites.size()) {
    for (std::uint64_t i = 0; i < size; ++i)
      if (const auto found = sites.find(begin + ByteCount{i}); found != sites.end()) visit(found->second);
    return;
  }
  for (auto& [at, site] : sites)
    if (at >= begin && (at - begin).value < size) visit(site);  // no end address: it may lie past the last one
}

}  // namespace

std::optional<Patch> SiteTable::add(LoadAddr at, Owner owner, std::byte original) {
  const auto [entry, is_new] = sites_.try_emplace(at, Site{.at = at, .original = original, .owners = {}});
  auto& owners = entry->second.owners;
  if (std::ranges::find(owners, owner) == owners.end()) owners.push_back(owner);
  if (!is_new) return std::nullopt;
  return patch_in(entry->second);
}

std::optional<Patch> SiteTable::drop(LoadAddr at, Owner owner) {
  const auto entry = sites_.find(at);
  if (entry == sites_.end()) return std::nullopt;
  std::erase(entry->second.owners, owner);
  if (!entry->second.owners.empty()) return std::nullopt;
  Patch patch = patch_out(entry->second);
  sites_.erase(entry);
  return patch;
}

std::optional<Patch> SiteTable::drop_all(LoadAddr at) {
  const auto entry = sites_.find(at);
  if (entry == sites_.end()) return std::nullopt;
  Patch patch = patch_out(entry->second);
  sites_.erase(entry);
  return patch;
}

const Site* SiteTable::find(LoadAddr at) const {
  const auto entry = sites_.find(at);
  return entry == sites_.end() ? nullptr : &entry->second;
}

std::vector<Patch> SiteTable::restore_all() const {
  std::vector<Patch> patches;
  patches.reserve(sites_.size());
  for (const auto& [at, site] : sites_) patches.push_back(patch_out(site));
  std::ranges::sort(patches, {}, &Patch::at);
  return patches;
}

std::vector<LoadAddr> SiteTable::in(LoadRange range) const {
  std::vector<LoadAddr> found;
  if (range.empty()) return found;
  each_in(sites_, range.begin, range.size().value, [&](const Site& site) { found.push_back(site.at); });
  std::ranges::sort(found);
  return found;
}

void SiteTable::hide(LoadAddr at, std::span<std::byte> bytes) const {
  each_in(sites_, at, bytes.size(), [&](const Site& site) { bytes[(site.at - at).value] = site.original; });
}

void SiteTable::merge_write(LoadAddr at, std::span<std::byte> bytes) {
  each_in(sites_, at, bytes.size(), [&](Site& site) {
    std::byte& here = bytes[(site.at - at).value];
    site.original = here;
    here = int3;
  });
}

}  // namespace trapline::trap
