#include <fmt/format.h>

#include "dap/dispatch.hpp"
#include "dap/handlers/handlers.hpp"
#include "proto/wire/fields.hpp"

namespace trapline::dap {

Result<spec::Capabilities> handle(spec::Initialize, Session& session, const spec::InitializeArguments& args) {
  TL_TRY_VOID(session.initialize(args));
  session.after_reply([&session] { session.send_event(spec::InitializedBody{}); });
  return collect_capabilities();
}

Result<InitializeAnswer> answer_initialize(const nlohmann::json& request, spec::Seq last_seq) {
  TL_TRY(const auto incoming, spec::parse_incoming(request));
  const auto* initialize = std::get_if<spec::IncomingRequest>(&incoming);
  if (!initialize || initialize->command != spec::Initialize::command)
    return fail(Errc::bad_request, "the first request is initialize");
  InitializeAnswer answer;
  const auto send = [&](nlohmann::json message) {
    message["seq"] = ++last_seq;
    answer.messages.push_back(std::move(message));
  };
  auto client = wire::read<spec::InitializeArguments>(
      initialize->arguments.is_null() ? nlohmann::json::object() : initialize->arguments, "arguments");
  if (!client) {
    send(error_answer(initialize->seq, initialize->command, client.error()));
    return answer;
  }
  send(spec::success_envelope(initialize->seq, initialize->command, capabilities()));
  send(spec::event_envelope(spec::InitializedBody::event, nullptr));
  answer.initialized = Initialized{std::move(*client), last_seq};
  return answer;
}

}  // namespace trapline::dap
