#pragma once
// One client of this session: the part that DAP and JSON-RPC share. Bytes become messages, messages become bytes, both
// are kept in the wire log.
// Thread: the loop's.
#include <memory>
#include <string>
#include <string_view>

#include "daemon/util/stream.hpp"
#include "daemon/util/wire_log.hpp"
#include "proto/rpc/house.hpp"
#include "proto/wire/framing.hpp"

namespace trapline::serve {

class Host;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit);
  virtual ~Connection() = default;

  // `bytes`: what the lobby read and did not use.
  void start(std::string bytes);
  const std::string& name() const { return name_; }
  void close_after_sending() { stream_->close_after_sending(); }
  bool slow() const { return stream_->queued() >= util::Stream::slow_at; }

  // `json`: an event for JSON-RPC clients, as text. DAP sessions listen to the Control themselves.
  virtual void notify(std::string_view json) = 0;

 protected:
  virtual void message(rpc::Json message) = 0;
  virtual void garbage(const Error& error, bool last) = 0;  // last: the stream has lost its frame and is closed
  virtual void ended() = 0;                                 // the client sends no more
  virtual void closed() = 0;                                // and is gone

  void send(const rpc::Json& message) { send_text(wire::encode(message)); }
  void send_text(std::string_view json);
  bool mid_message() const { return reader_.mid_message(); }

  Host& host_;
  std::shared_ptr<util::Stream> stream_;

 private:
  void received(std::string_view bytes);
  void next_messages();

  std::string name_;
  wire::MessageReader reader_;
};

// Errors: os. `visit.protocol` says which kind it is.
Result<std::shared_ptr<Connection>> make_connection(Host& host, std::shared_ptr<util::Stream> stream,
                                                    const rpc::Visit& visit);

// The one answer to a client that cannot be taken in; then its connection is closed. `bytes`: as for start().
void refuse(std::shared_ptr<util::Stream> stream, const rpc::Visit& visit, std::string_view bytes, const Error& error);

}  // namespace trapline::serve
