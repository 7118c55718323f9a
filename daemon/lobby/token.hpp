#pragma once
// The token that every tcp connection must present (how: proto/rpc/envelope.hpp).
#include <filesystem>
#include <string>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::lobby {

// The first line of the file; where it does not exist it is created, 0600, with 256 random bits in hex.
// Errors: no_permission (others may read it), bad_request (shorter than 16 characters), os.
Result<std::string> load_token(const std::filesystem::path& file);

// Takes the same time for every wrong text of a length.
bool same_token(std::string_view presented, std::string_view token);

}  // namespace trapline::lobby
