#pragma once
// The arguments of launch and attach: one table (launch_table.cpp) from which come the parser, the finding of unknown
// keys, and the JSON schema for the VS Code package and the documentation.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/control.hpp"

namespace trapline::dap {

enum class StartKind : std::uint8_t { launch, attach };
enum class OnDisconnect : std::uint8_t { as_started, detach, terminate };  // as_started: launched ends, attached stays

// Something the user should read before the program runs.
struct Notice {
  proto::OutputCategory category = proto::OutputCategory::console;
  std::string text;
};

struct StartRequest {
  StartKind kind = StartKind::launch;
  proto::LaunchSpec launch;  // `console` and `open_terminal` are for the session to settle
  proto::AttachSpec attach;
  std::optional<proto::Console> console;  // nullopt: the client's terminal where it has one
  std::string session;                    // join this one
  OnDisconnect on_disconnect = OnDisconnect::as_started;
  bool hex = false;
  bool show_registers = true;
  bool show_globals = true;
  std::string command_prefix = "`";
  std::vector<Notice> notices;
};

// Errors: bad_request (wrong type, with the way to it), unsupported (a key whose feature this version does not have).
Result<StartRequest> parse_start(StartKind kind, const nlohmann::json& arguments);

// {"type": "object", "required": [...], "properties": {name: {type, default, description}}}: the shape of
// contributes.debuggers[].configurationAttributes in a VS Code package.
nlohmann::json launch_schema();
nlohmann::json attach_schema();

}  // namespace trapline::dap
