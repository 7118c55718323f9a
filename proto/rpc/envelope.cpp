#include "proto/rpc/envelope.hpp"

#include <array>
#include <string>
#include <utility>

namespace trapline::rpc {
namespace {

constexpr std::string_view form = R"(a call is {"jsonrpc":"2.0","id":1,"method":"room.verb","params":{...}})";

Error refused(std::string message) {
  return {.code = Errc::bad_request, .message = std::move(message), .os_errno = 0, .hint = std::string(form)};
}

bool valid_id(const Json& id) { return id.is_string() || id.is_number_integer() || id.is_null(); }

Incoming read_one(const Json& message) {
  Incoming incoming;
  if (!message.is_object()) {
    incoming.error = refused("this is no JSON-RPC call: an object was expected");
    return incoming;
  }
  const auto id = message.find("id");
  if (id != message.end() && valid_id(*id)) incoming.id = *id;
  const auto version = message.find("jsonrpc");
  const auto method = message.find("method");
  const auto params = message.find("params");
  if (version == message.end() || *version != "2.0")
    incoming.error = refused("\"jsonrpc\" must be \"2.0\"");
  else if (id != message.end() && !valid_id(*id))
    incoming.error = refused("\"id\" must be a string, an integer or null");
  else if (method == message.end() || !method->is_string())
    incoming.error = refused("\"method\" must be a string");
  else if (params != message.end() && !params->is_object() && !params->is_array())
    incoming.error = refused("\"params\" must be an object");
  else
    incoming.call = Call{.id = id == message.end() ? std::nullopt : std::optional<Json>(*id),
                         .method = method->get<std::string>(),
                         .params = params == message.end() ? Json::object() : *params};
  return incoming;
}

constexpr std::array known_codes{Errc::bad_request,    Errc::unknown_request,
                                 Errc::wrong_state,    Errc::not_stopped,
                                 Errc::no_debuggee,    Errc::cancelled,
                                 Errc::too_large,      Errc::unsupported,
                                 Errc::not_found,      Errc::stale_reference,
                                 Errc::bad_expression, Errc::bad_address,
                                 Errc::not_available,  Errc::not_executable,
                                 Errc::no_process,     Errc::already_traced,
                                 Errc::kernel_thread,  Errc::no_permission,
                                 Errc::thread_gone,    Errc::process_gone,
                                 Errc::hw_slots_full,  Errc::os,
                                 Errc::bad_debug_info, Errc::connection,
                                 Errc::timeout,        Errc::internal};

// A batch is worked off in one go, and its answers are one message.
constexpr std::size_t largest_batch = 256;

}  // namespace

Message read_message(const Json& message) {
  Message read;
  if (message.size() > largest_batch && message.is_array()) {
    read.calls.push_back({.call = std::nullopt,
                          .error = refused("a batch of " + std::to_string(message.size()) +
                                           " calls: " + std::to_string(largest_batch) + " is the most"),
                          .id = nullptr});
  } else if (message.is_array() && !message.empty()) {
    read.batch = true;
    for (const auto& element : message) read.calls.push_back(read_one(element));
  } else if (message.is_array()) {
    read.calls.push_back({.call = std::nullopt, .error = refused("an empty batch"), .id = nullptr});
  } else {
    read.calls.push_back(read_one(message));
  }
  return read;
}

Json call(Json id, std::string_view method, Json params) {
  return {{"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", method}, {"params", std::move(params)}};
}

Json notification(std::string_view method, Json params) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

Json result(const Json& id, Json value) { return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(value)}}; }

Json error_with_code(const Json& id, int code, const Error& what) {
  Json data{{"blame", name_of(blame_for(what.code))}, {"hint", what.hint}, {"name", name_of(what.code)}};
  if (what.os_errno != 0) data["errno"] = what.os_errno;
  return {{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", code}, {"message", what.message}, {"data", std::move(data)}}}};
}

Json error(const Json& id, const Error& what) {
  int code = static_cast<int>(what.code);
  if (what.code == Errc::bad_request) code = invalid_params;
  if (what.code == Errc::unknown_request) code = method_not_found;
  return error_with_code(id, code, what);
}

Error read_error(const Json& error_object) {
  Error read;
  if (!error_object.is_object()) {
    read.message = "the answer carries an error of an unknown form";
    return read;
  }
  const auto text = [](const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  read.message = text(error_object, "message");
  const auto code = error_object.find("code");
  const int number = code != error_object.end() && code->is_number_integer() ? code->get<int>() : 0;
  for (const auto known : known_codes)
    if (static_cast<int>(known) == number) read.code = known;
  if (number == method_not_found) read.code = Errc::unknown_request;
  if (number == invalid_params || number == invalid_request || number == parse_error) read.code = Errc::bad_request;
  const auto data = error_object.find("data");
  if (data != error_object.end() && data->is_object()) {
    read.hint = text(*data, "hint");
    const auto err = data->find("errno");
    if (err != data->end() && err->is_number_integer()) read.os_errno = err->get<int>();
  }
  return read;
}

}  // namespace trapline::rpc
