#include "dap/shapes/sources.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace trapline::dap {

proto::dap::Source Sources::shape(const std::string& path, const Coordinates& coordinates) {
  proto::dap::Source source{.name = path.substr(path.find_last_of('/') + 1), .path = coordinates.path(path)};
  if (on_disk(path)) return source;
  const auto [reference, fresh] = references_.try_emplace(path, static_cast<std::int32_t>(paths_.size()) + 1);
  if (fresh) paths_.push_back(path);
  source.source_reference = reference->second;
  source.presentation_hint = "deemphasize";
  source.origin = "not on disk";
  return source;
}

Result<std::string> Sources::path_of(const proto::dap::Source& source, const Coordinates& coordinates) const {
  if (!source.path.empty()) return coordinates.path_from(source.path);
  if (source.source_reference > 0) return path_of(source.source_reference);
  if (!source.name.empty()) return source.name;
  return fail(Errc::bad_request, "source: needs a path, a sourceReference or a name");
}

Result<std::string> Sources::path_of(std::int32_t reference) const {
  if (reference < 1 || static_cast<std::size_t>(reference) > paths_.size())
    return fail(Errc::not_found, fmt::format("no source with the reference {}", reference));
  return paths_[static_cast<std::size_t>(reference) - 1];
}

bool Sources::on_disk(const std::string& path) {
  if (seen_on_disk_.contains(path)) return true;
  if (path.empty() || path.front() != '/' || ::access(path.c_str(), R_OK) != 0) return false;
  seen_on_disk_.insert(path);
  return true;
}

}  // namespace trapline::dap
