#pragma once
// JSON-RPC 2.0, the envelope: calls, notifications, batches, answers, errors. https://www.jsonrpc.org/specification
//
// Parameters go by name. `id` is a string, an integer or null. Error codes: the standard's for what is wrong with the
// call itself, our own numbers (proto/words/error.hpp) for what the debugger has to say; `data` always names who has to
// act and, where we know, what to do.
//
// Token (tcp connections, see --token-file): either the first call is `session.authenticate {"token": "..."}`, or the
// first call of any method carries a member "token" beside its other parameters (it is taken off before the method sees
// them). DAP clients put it into the arguments of `initialize`, as "token" or "__token". Nothing else is answered
// before.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/words/error.hpp"
#include "proto/words/result.hpp"

namespace trapline::rpc {

using Json = nlohmann::json;

inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;

struct Call {
  std::optional<Json> id;  // nullopt: a notification, which is never answered
  std::string method;
  Json params = Json::object();
};

// One element of a message: a call, or why it is none.
struct Incoming {
  std::optional<Call> call;
  Error error;  // where `call` is empty
  Json id;      // to answer such an error with; null where the message has none
};

struct Message {
  bool batch = false;
  std::vector<Incoming> calls;  // of a batch in its order; an empty batch gives one error and is no batch
};
Message read_message(const Json& message);

Json call(Json id, std::string_view method, Json params);
Json notification(std::string_view method, Json params);
Json result(const Json& id, Json value);
// The standard's code where the error is about the call (bad_request: invalid_params ...), ours otherwise.
Json error(const Json& id, const Error& what);
Json error_with_code(const Json& id, int code, const Error& what);

// The other way round, for clients. Errors of a peer that is none of ours become Errc::internal with its message.
Error read_error(const Json& error_object);

}  // namespace trapline::rpc
