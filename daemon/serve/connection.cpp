#include "daemon/serve/connection.hpp"

#include <asio/post.hpp>

#include "daemon/serve/host.hpp"
#include "daemon/util/log.hpp"

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
                          .gone =
                              [self] {
                                self->closed();
                                self->host_.dropped(*self);
                              }});
  });
}

void Connection::received(std::string_view bytes) {
  reader_.feed(bytes);
  while (stream_->open()) {
    auto body = reader_.next();
    if (!body) {
      host_.wire_log().write_raw(util::WireLog::Direction::in, name_, body.error().message);
      garbage(body.error(), reader_.broken());
      if (!reader_.broken()) continue;
      return stream_->close_after_sending();
    }
    if (!*body) return;
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

}  // namespace trapline::serve
