#pragma once
// Holds messages that leave the adapter against the protocol's schema, strictly: a key that the schema does not name is
// an error, too. The schema file is named by TRAPLINE_DAP_SCHEMA; where that is unset nothing is checked.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace trapline::tests {

bool has_dap_schema();
// What is wrong with `message`; nullopt: nothing (or no schema).
std::optional<std::string> dap_schema_problem(const nlohmann::json& message);

}  // namespace trapline::tests
