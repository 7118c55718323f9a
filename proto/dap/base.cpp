#include "proto/dap/base.hpp"

#include <fmt/format.h>

#include <utility>

#include "proto/wire/fields.hpp"

namespace trapline::proto::dap {
namespace {

void from_json(const wire::In& in, IncomingRequest& out) {
  in.required("seq", out.seq);
  in.required("command", out.command);
  in.optional("arguments", out.arguments);
}

void from_json(const wire::In& in, IncomingResponse& out) {
  in.required("request_seq", out.request_seq);
  in.required("success", out.success);
  in.optional("message", out.message);
  in.optional("body", out.body);
}

}  // namespace

Result<Incoming> parse_incoming(const nlohmann::json& message) {
  if (!message.is_object())
    return fail(Errc::bad_request, fmt::format("a message is an object, not {}", wire::type_name(message)));
  const auto type = message.find("type");
  if (type == message.end() || !type->is_string())
    return fail(Errc::bad_request, R"(a message has a "type": "request" or "response")");
  wire::In::Problem problem;
  Incoming incoming;
  if (*type == "request") {
    from_json(wire::In(message, "request", problem), incoming.emplace<IncomingRequest>());
  } else if (*type == "response") {
    from_json(wire::In(message, "response", problem), incoming.emplace<IncomingResponse>());
  } else {
    return fail(Errc::bad_request, fmt::format("type: {} is neither \"request\" nor \"response\"",
                                               type->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }
  if (problem) return fail(Errc::bad_request, std::move(*problem));
  return incoming;
}

nlohmann::json request_envelope(std::string_view command, nlohmann::json arguments) {
  return {{"type", "request"}, {"command", command}, {"arguments", std::move(arguments)}};
}

nlohmann::json event_envelope(std::string_view event, nlohmann::json body) {
  nlohmann::json message{{"type", "event"}, {"event", event}};
  if (!body.is_null()) message["body"] = std::move(body);
  return message;
}

nlohmann::json success_envelope(Seq request, std::string_view command, nlohmann::json body) {
  nlohmann::json message{{"type", "response"}, {"request_seq", request}, {"success", true}, {"command", command}};
  if (!body.is_null()) message["body"] = std::move(body);
  return message;
}

nlohmann::json error_envelope(Seq request, std::string_view command, std::string_view short_form,
                              const ErrorMessage& error) {
  nlohmann::json body{{"error", {{"id", error.id}, {"format", error.format}, {"showUser", error.show_user}}}};
  return {{"type", "response"}, {"request_seq", request}, {"success", false},
          {"command", command}, {"message", short_form},  {"body", std::move(body)}};
}

}  // namespace trapline::proto::dap
