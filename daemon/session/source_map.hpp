#pragma once
// Where a source file of the debug information lies on this machine (sourceMap, relativePathBase), and back.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/control.hpp"

namespace trapline::session {

class SourceMap {
 public:
  SourceMap() = default;
  explicit SourceMap(const proto::SourceOptions& options);
  // Empty: the user hides this path (a null in sourceMap).
  std::string to_local(std::string_view debug_path) const;
  // The names under which the debug information may know a local path: the path itself last.
  std::vector<std::string> to_debug(std::string_view local_path) const;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> rules_;  // longest `from` first
  std::string base_;
};

// `*` and `?` and `**`, on a whole path or name.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace trapline::session
