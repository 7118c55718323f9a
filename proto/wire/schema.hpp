#pragma once
// The part of JSON Schema (draft 4, as DAP's own schema uses it) that we check values against: type, enum, properties,
// required, additionalProperties, items, anyOf, oneOf, allOf, $ref within the document, minimum, maximum, pattern-free.
// `_enum` of the DAP schema is an open list and checks nothing.
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::wire {

// Errors: bad_request naming the first value that does not fit: "args[2]: expected string, got integer".
// `document` resolves "#/definitions/X".
Result<void> check_schema(const nlohmann::json& schema, const nlohmann::json& value, std::string_view name,
                          const nlohmann::json& document);

}  // namespace trapline::wire
