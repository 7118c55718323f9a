#include "daemon/serve/dap_connection.hpp"

#include <fmt/format.h>

#include <asio/post.hpp>

#include "daemon/serve/host.hpp"
#include "daemon/util/log.hpp"

namespace trapline::serve {

DapConnection::DapConnection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit,
                             dap::SessionOptions options)
    : Connection(host, std::move(stream), visit),
      session_(
          host.control(), [this](const rpc::Json& message) { out(message); }, std::move(options)) {}

void DapConnection::message(rpc::Json message) {
  const auto seq = message.is_object() ? message.find("seq") : message.end();
  const log::TraceScope trace(
      fmt::format("{}:{}", name(), seq != message.end() && seq->is_number_integer() ? seq->dump() : "?"));
  if (log::enabled("dap", log::Level::debug)) {
    const auto command = message.is_object() ? message.find("command") : message.end();
    log::debug("dap", "{}", command != message.end() && command->is_string() ? command->get<std::string>() : "message");
  }
  session_.on_message(message);
}

void DapConnection::garbage(const Error& error, bool) { session_.on_garbage(error); }

// DAP has no half-closed connections: an editor that ends its side has gone.
void DapConnection::ended() {
  if (mid_message())
    session_.on_garbage({.code = Errc::bad_request,
                         .message = "the connection ended in the middle of a message",
                         .os_errno = 0,
                         .hint = {}});
  stream_->close_after_sending();
}

void DapConnection::closed() { session_.on_closed(host_.clients() > 1 ? dap::Others::some : dap::Others::none); }

void DapConnection::out(const rpc::Json& message) {
  send(message);
  if (std::exchange(looking_, true)) return;
  // The session says that it has ended only after its last message was handed over.
  asio::post(stream_->executor(), [self = shared_from_this(), this] {
    looking_ = false;
    if (session_.ended()) stream_->close_after_sending();
  });
}

Result<dap::Initialized> initialized_by(const rpc::Visit& visit) {
  const rpc::Json request{{"seq", 1},
                          {"type", "request"},
                          {"command", "initialize"},
                          {"arguments", visit.initialize.is_object() ? visit.initialize : rpc::Json::object()}};
  TL_TRY(auto answer, dap::answer_initialize(request));
  if (!answer.initialized) return fail(Errc::internal, "the lobby accepted an initialize that the session refuses");
  answer.initialized->last_seq = visit.sent;
  return *std::move(answer.initialized);
}

}  // namespace trapline::serve
