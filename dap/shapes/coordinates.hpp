#pragma once
// How this client counts lines and columns, and how it writes paths.
#include <cstdint>
#include <optional>
#include <string>

#include "proto/dap/requests.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::dap {

class Coordinates {
 public:
  explicit Coordinates(const proto::dap::InitializeArguments& client)
      : lines_from_(client.lines_start_at1 ? 1 : 0),
        columns_from_(client.columns_start_at1 ? 1 : 0),
        uris_(client.path_format == proto::dap::PathFormat::uri) {}

  std::int64_t line(Line ours) const;             // "no line" is 0 in either counting
  std::int64_t column(std::uint32_t ours) const;  // 0, "unknown", is the first one
  Result<Line> line(std::int64_t theirs) const;
  Result<std::uint32_t> column(std::int64_t theirs) const;

  std::string path(const std::string& ours) const;
  Result<std::string> path_from(const std::string& theirs) const;  // a file: URI is understood from any client

 private:
  std::int64_t lines_from_;
  std::int64_t columns_from_;
  bool uris_;
};

}  // namespace trapline::dap
