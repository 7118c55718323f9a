#pragma once
// The envelope of the Debug Adapter Protocol: requests, responses, events, and the error inside a failed response.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proto/words/result.hpp"

namespace trapline::proto::dap {

using Seq = std::int64_t;

struct IncomingRequest {
  Seq seq = 0;
  std::string command{};
  nlohmann::json arguments;  // null where absent
};
// The client's answer to a request of ours (runInTerminal).
struct IncomingResponse {
  Seq request_seq = 0;
  bool success = false;
  std::string message{};
  nlohmann::json body;
};
using Incoming = std::variant<IncomingRequest, IncomingResponse>;

// Errors: bad_request naming the field ("request.command: is missing").
Result<Incoming> parse_incoming(const nlohmann::json& message);

// "Message" of the specification: what stands in body.error.
struct ErrorMessage {
  std::int32_t id = 0;
  std::string format{};
  bool show_user = false;
};

// Envelopes without `seq`; who sends them numbers them.
nlohmann::json request_envelope(std::string_view command, nlohmann::json arguments);
nlohmann::json event_envelope(std::string_view event, nlohmann::json body);  // null body: none
nlohmann::json success_envelope(Seq request, std::string_view command, nlohmann::json body);
nlohmann::json error_envelope(Seq request, std::string_view command, std::string_view short_form,
                              const ErrorMessage& error);

// What a request needs of the debuggee; the dispatcher checks it once for all handlers.
enum class Needs : std::uint8_t {
  nothing,
  debuggee,  // launched or attached, and not gone
  start,     // as `debuggee`, or one that is being started: VS Code asks for threads while a terminal opens
  stopped,
};

}  // namespace trapline::proto::dap
