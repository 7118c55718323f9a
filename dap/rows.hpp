#pragma once
// The three parts of the launch table.
#include <vector>

#include "dap/launch_table.hpp"

namespace trapline::dap {

std::vector<Row> common_rows();
std::vector<Row> launch_rows();
std::vector<Row> attach_rows();

// The feature is not in this version, and going on without it would not be what was asked.
inline void refuse_feature(Draft& draft, std::string_view key, std::string hint = {}) {
  draft.refuse(Errc::unsupported, "'" + std::string(key) + "' is not available in this version", std::move(hint));
}

}  // namespace trapline::dap
