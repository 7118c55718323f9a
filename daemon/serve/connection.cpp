#include "daemon/serve/connection.hpp"

#include <asio/post.hpp>
#include <chrono>

#include "daemon/serve/host.hpp"
#include "daemon/util/log.hpp"
#include "proto/dap/base.hpp"

namespace trapline::serve {

Connection::Connection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit)
    : host_(host), stream_(std::move(stream)), name_(visit.connection), reader_(visit.framing) {}

void Connection::start(std::string bytes) {
  auto self = shared_from_this();
  // What came with the hand-over first, and not from within the host's own work.
  asio::post(stream_->executor(), [self, bytes = std::move(bytes)] {
    self->received(bytes);
    self->stream_->start({.bytes = [self](std::string_view more) { self->received(more); },
                          .end = [self] { self->ended(); },
                          .sent =
                              [self] {
                                self->host_.output_flows();
                                self->next_messages();
                              },
                          .gone =
                              [self] {
                                self->closed();
                                self->host_.dropped(*self);
                              }});
  });
}

void Connection::received(std::string_view bytes) {
  reader_.feed(bytes);
  next_messages();
}

void Connection::next_messages() {
  const auto until = std::chrono::steady_clock::now() + util::Stream::slice;
  while (stream_->open()) {
    // Others want the loop, too; and a client that does not read its answers asks for no more of them.
    if (stream_->queued() >= util::Stream::slow_at) return stream_->pause_reading();  // goes on when they are sent
    if (std::chrono::steady_clock::now() > until) {
      stream_->pause_reading();
      return asio::post(stream_->executor(), [self = shared_from_this()] { self->next_messages(); });
    }
    auto body = reader_.next();
    if (!body) {
      host_.wire_log().write_raw(util::WireLog::Direction::in, name_, body.error().message);
      garbage(body.error(), reader_.broken());
      if (!reader_.broken()) continue;
      return stream_->close_after_sending();
    }
    if (!*body) return stream_->resume_reading();
    auto json = wire::parse_json(**body);
    if (!json) {
      host_.wire_log().write_raw(util::WireLog::Direction::in, name_, **body);
      garbage(json.error(), false);
      continue;
    }
    if (host_.wire_log().on()) host_.wire_log().write(util::WireLog::Direction::in, name_, wire::encode(*json));
    message(*std::move(json));
  }
}

void Connection::send_text(std::string_view json) {
  host_.wire_log().write(util::WireLog::Direction::out, name_, json);
  stream_->send(reader_.framing() == wire::Framing::headers ? wire::frame_body(json) : std::string(json) + "\n");
}

void refuse(std::shared_ptr<util::Stream> stream, const rpc::Visit& visit, std::string_view bytes, const Error& error) {
  log::warn("serve", "{}: refused: {}", visit.connection, error.message);
  wire::MessageReader reader(visit.framing);
  reader.feed(bytes);
  const auto body = reader.next();
  auto json = body && *body ? wire::parse_json(**body) : Result<rpc::Json>(rpc::Json());
  if (!json || !json->is_object()) json = rpc::Json::object();
  std::string text;
  if (visit.protocol == wire::Protocol::dap) {
    auto answer = proto::dap::error_envelope(
        json->value("seq", proto::dap::Seq{0}), json->value("command", std::string()), name_of(error.code),
        {.id = static_cast<std::int32_t>(error.code), .format = error.message + "; " + error.hint, .show_user = true});
    answer["seq"] = visit.sent + 1;
    text = wire::frame_body(wire::encode(answer));
  } else {
    const auto first = rpc::read_message(*json).calls.front();
    text = wire::encode_as(visit.framing, rpc::error(first.call ? first.call->id.value_or(nullptr) : first.id, error));
  }
  stream->start({.bytes = [](std::string_view) {}, .end = [] {}, .gone = [] {}});
  stream->send(std::move(text));
  stream->close_after_sending();
}

}  // namespace trapline::serve
