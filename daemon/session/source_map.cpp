#include "daemon/session/source_map.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

namespace trapline::session {
namespace {

bool is_prefix_path(std::string_view prefix, std::string_view path) {
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/';
}

std::string joined(std::string_view to, std::string_view rest) {
  while (rest.starts_with('/')) rest.remove_prefix(1);
  if (rest.empty()) return std::string(to);
  return (std::filesystem::path(to) / rest).lexically_normal().string();
}

}  // namespace

SourceMap::SourceMap(const proto::SourceOptions& options)
    : rules_(options.source_map), base_(options.relative_path_base) {
  std::ranges::stable_sort(rules_, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::string SourceMap::to_local(std::string_view debug_path) const {
  for (const auto& [from, to] : rules_) {
    if (!is_prefix_path(from, debug_path)) continue;
    return to ? joined(*to, debug_path.substr(from.size())) : std::string();
  }
  if (!base_.empty() && !debug_path.starts_with('/')) return joined(base_, debug_path);
  return std::string(debug_path);
}

std::vector<std::string> SourceMap::to_debug(std::string_view local_path) const {
  std::vector<std::string> names;
  for (const auto& [from, to] : rules_)
    if (to && is_prefix_path(*to, local_path)) names.push_back(joined(from, local_path.substr(to->size())));
  names.emplace_back(local_path);
  return names;
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  // Without FNM_PATHNAME `*` crosses slashes, which is what `**` in a launch.json means.
  return ::fnmatch(std::string(pattern).c_str(), std::string(text).c_str(), 0) == 0;
}

}  // namespace trapline::session
