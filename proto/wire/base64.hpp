#pragma once
// RFC 4648 section 4, padded; as DAP and JSON-RPC carry memory.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/words/result.hpp"

namespace trapline::wire {

std::string to_base64(std::span<const std::byte> bytes);
Result<std::vector<std::byte>> from_base64(std::string_view text);  // bad_request on anything else

}  // namespace trapline::wire
