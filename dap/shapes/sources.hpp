#pragma once
// Source files as a client sees them: a path where the file is on disk, else a reference to ask us for the text.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dap/shapes/coordinates.hpp"
#include "proto/dap/types.hpp"

namespace trapline::dap {

class Sources {
 public:
  proto::dap::Source shape(const std::string& path, const Coordinates& coordinates);
  // Errors: bad_request (neither path nor name), not_found (a reference that was never given out).
  Result<std::string> path_of(const proto::dap::Source& source, const Coordinates& coordinates) const;
  Result<std::string> path_of(std::int32_t reference) const;

 private:
  bool on_disk(const std::string& path);

  std::unordered_set<std::string> seen_on_disk_;  // a stack asks for the same few files again and again
  std::vector<std::string> paths_;                // reference - 1 -> path
  std::unordered_map<std::string, std::int32_t> references_;
};

}  // namespace trapline::dap
