#include "daemon/session/breakpoint_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace trapline::session {
namespace {

trap::Owner owner_of(BreakpointId id) { return {trap::OwnerKind::breakpoint, static_cast<std::uint32_t>(id.value)}; }

// Said where a file's text is not what was compiled: lines may have moved since.
void compare_source(const proto::LinePlace& place, const image::Modules& modules, const SourceMap& sources,
                    SourceDigests& digests, image::Resolution& resolution) {
  for (const auto& location : resolution.locations) {
    if (location.md5.empty()) continue;
    const auto local = sources.to_local(location.file);
    const auto now = place.md5.empty() ? digests.md5(local) : std::optional(place.md5);
    if (!now || *now == location.md5) continue;
    const auto* module = modules.find(location.module);
    if (!resolution.message.empty()) resolution.message += "; ";
    resolution.message +=
        fmt::format("the source {} differs from what {} was compiled from: the line may be off",
                    place.md5.empty() ? "on disk" : "in the editor",
                    module ? std::filesystem::path(module->path).filename().string() : std::string("the program"));
    return;
  }
}

image::Resolution resolve_line(const proto::LinePlace& place, const image::Modules& modules, const SourceMap& sources,
                               SourceDigests& digests) {
  image::Resolution best;
  for (const auto& name : sources.to_debug(place.file)) {
    auto resolution = modules.resolve_line(name, place.line, place.column);
    if (!resolution.locations.empty()) {
      compare_source(place, modules, sources, digests, resolution);
      return resolution;
    }
    if (best.message.empty()) best = std::move(resolution);
  }
  return best;
}

image::Resolution resolve_address(LoadAddr at, const image::Modules& modules) {
  image::Resolution resolution;
  const auto* module = modules.find(at);
  if (module == nullptr) {
    resolution.message = fmt::format("no module is mapped at {:#x}", at.value);
    return resolution;
  }
  image::ResolvedLocation location{
      .address = at, .module = module->id, .function = {}, .file = {}, .line = {}, .column = 0};
  if (const auto place = modules.place(at)) {
    location.function = place->function;
    location.file = place->file;
    location.line = place->line;
    location.column = place->column;
  }
  resolution.locations.push_back(std::move(location));
  return resolution;
}

image::Resolution resolve(const proto::BreakpointPlace& place, const image::Modules& modules, const SourceMap& sources,
                          SourceDigests& digests) {
  if (const auto* line = std::get_if<proto::LinePlace>(&place)) return resolve_line(*line, modules, sources, digests);
  if (const auto* function = std::get_if<proto::FunctionPlace>(&place)) return modules.resolve_function(function->name);
  return resolve_address(std::get<proto::AddressPlace>(place).address, modules);
}

std::string pending_message(const proto::BreakpointPlace& place, const std::string& said) {
  if (!said.empty()) return said;
  if (const auto* line = std::get_if<proto::LinePlace>(&place))
    return fmt::format("no loaded module has code for {}:{} yet; it binds when one is loaded",
                       std::filesystem::path(line->file).filename().string(), line->line.value);
  if (const auto* function = std::get_if<proto::FunctionPlace>(&place))
    return fmt::format("no loaded module has a function {} yet; it binds when one is loaded", function->name);
  return "not bound";
}

bool same_locations(const std::vector<proto::BreakpointLocation>& a, const std::vector<proto::BreakpointLocation>& b) {
  const auto what_counts = [](const proto::BreakpointLocation& l) {
    return std::tie(l.address, l.file, l.line, l.function);
  };
  return std::ranges::equal(a, b, {}, what_counts, what_counts);
}

}  // namespace

Breakpoint& BreakpointTable::add(const proto::BreakpointSpec& spec) {
  const BreakpointId id{next_id_++};
  auto& entry = entries_[id];
  entry.info.id = id;
  entry.info.spec = spec;
  entry.info.pending = true;
  entry.cache = eval::make_condition_cache();
  if (auto parsed = HitCondition::parse(spec.hit_condition); parsed) {
    entry.hit_condition = *parsed;
  } else {
    entry.broken = true;
    entry.info.pending = false;
    entry.info.message = fmt::format("{}; {}", parsed.error().message, parsed.error().hint);
  }
  return entry;
}

Breakpoint* BreakpointTable::find(BreakpointId id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<run::Inferior::SiteEdit> BreakpointTable::drop(BreakpointId id) {
  std::vector<run::Inferior::SiteEdit> edits;
  const auto found = entries_.find(id);
  if (found == entries_.end()) return edits;
  for (const auto& location : found->second.info.locations)
    edits.push_back({.at = location.address, .owner = owner_of(id), .add = false});
  entries_.erase(found);
  return edits;
}

bool BreakpointTable::bind(Breakpoint& breakpoint, const image::Modules& modules, const SourceMap& sources,
                           std::vector<run::Inferior::SiteEdit>& edits) {
  if (breakpoint.broken) return false;
  auto& info = breakpoint.info;
  auto resolution = resolve(info.spec.place, modules, sources, digests_);
  std::vector<proto::BreakpointLocation> locations;
  std::unordered_set<LoadAddr> wanted;
  for (auto& found : resolution.locations) {
    if (!wanted.insert(found.address).second) continue;
    const auto* module = modules.find(found.module);
    locations.push_back({.address = found.address,
                         .file = sources.to_local(found.file),
                         .line = found.line,
                         .column = found.column,
                         .function = found.function,
                         .module = module ? std::filesystem::path(module->path).filename().string() : std::string(),
                         .mode = proto::BreakpointMode::trap});
  }
  std::unordered_set<LoadAddr> placed;
  for (const auto& location : info.locations) {
    placed.insert(location.address);
    if (!wanted.contains(location.address))
      edits.push_back({.at = location.address, .owner = owner_of(info.id), .add = false});
  }
  for (const auto at : wanted)
    if (!placed.contains(at)) edits.push_back({.at = at, .owner = owner_of(info.id), .add = true});

  auto message = locations.empty() ? pending_message(info.spec.place, resolution.message) : resolution.message;
  if (!locations.empty() &&
      (info.spec.mode == proto::BreakpointMode::inline_pad || info.spec.mode == proto::BreakpointMode::hardware)) {
    if (!message.empty()) message += "; ";
    message += "placed as trap (int3): this version has no other mode";
  }
  const bool changed =
      !same_locations(info.locations, locations) || info.message != message || info.verified == locations.empty();
  info.locations = std::move(locations);
  info.verified = !info.locations.empty();
  info.pending = !info.verified;
  info.message = std::move(message);
  return changed;
}

void BreakpointTable::forget_bound_conditions() {
  for (auto& [id, entry] : entries_) entry.cache = eval::make_condition_cache();
}

void BreakpointTable::unbind_all() {
  for (auto& [id, entry] : entries_) {
    entry.info.locations.clear();
    entry.info.verified = false;
    entry.info.pending = !entry.broken;
    entry.info.hits = entry.info.evaluations = 0;
    entry.evaluation_nanoseconds = entry.errors = 0;
    entry.cache = eval::make_condition_cache();  // it is keyed by pc, and the next process may put other code there
  }
}

void BreakpointTable::refuse(BreakpointId id, LoadAddr at, const Error& error) {
  auto* entry = find(id);
  if (entry == nullptr) return;
  std::erase_if(entry->info.locations, [&](const auto& location) { return location.address == at; });
  entry->info.verified = !entry->info.locations.empty();
  entry->info.pending = false;
  entry->info.message = error.message;
}

std::vector<proto::BreakpointInfo> BreakpointTable::all() const {
  std::vector<proto::BreakpointInfo> list;
  list.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    list.push_back(entry.info);
    if (entry.info.evaluations > 0)
      list.back().nanoseconds_per_evaluation =
          static_cast<double>(entry.evaluation_nanoseconds) / static_cast<double>(entry.info.evaluations);
  }
  return list;
}

}  // namespace trapline::session
