#pragma once
// One connection while it is in the lobby: its first messages are read, what needs no debuggee is answered, and the
// request that opens or joins a session moves it there.
// Thread: the loop's.
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/stream.hpp"
#include "daemon/util/wire_log.hpp"
#include "proto/dap/base.hpp"
#include "proto/rpc/house.hpp"
#include "proto/wire/framing.hpp"

namespace trapline::lobby {

class Visitor;

// The answer to DAP's `initialize`: messages with their `seq`, and whether the client was accepted.
struct Greeting {
  std::vector<rpc::Json> messages;
  bool accepted = false;
};

// What a visitor needs of the lobby.
class Reception {
 public:
  virtual ~Reception() = default;
  virtual Result<void> open_with(const rpc::Visit& visit, int socket, std::string_view bytes) = 0;
  virtual Result<void> join_with(const std::string& session, const rpc::Visit& visit, int socket,
                                 std::string_view bytes) = 0;
  virtual std::vector<rpc::SessionInfo> sessions() const = 0;
  virtual std::map<std::string, double> stats() const = 0;
  virtual rpc::Json discover() const = 0;
  virtual Result<Greeting> greet(const rpc::Json& request, std::int64_t last_seq) const = 0;
  virtual const std::string& token() const = 0;
  virtual const util::WireLog& wire_log() const = 0;
  virtual void left(Visitor& visitor) = 0;  // the connection is closed, or moved
};

class Visitor : public std::enable_shared_from_this<Visitor> {
 public:
  struct About {
    std::string name;              // in logs: "c12"
    bool needs_token = false;      // tcp
    std::optional<Error> refusal;  // answered to whatever comes first, then closed
  };
  Visitor(Reception& reception, std::shared_ptr<util::Stream> stream, About about);

  void start();
  void close() { stream_->close(); }
  // To a JSON-RPC client that has said something; nobody else hears of events in the lobby.
  void notify(std::string_view event, const rpc::Json& params);
  const std::string& name() const { return about_.name; }

 private:
  void received(std::string_view bytes);
  void ended();
  void first_message();
  void next_messages();
  void message(const std::string& body);

  void dap_message(rpc::Json json, const std::string& body);
  void dap_initialize(const proto::dap::IncomingRequest& request, rpc::Json json);
  void dap_move(const proto::dap::IncomingRequest& request, const std::string& body);
  void dap_error(proto::dap::Seq seq, std::string_view command, const Error& error);
  void dap_send(rpc::Json message);
  void dap_write(const rpc::Json& message);

  void rpc_message(rpc::Json json, std::string body);
  bool rpc_authenticated(rpc::Json& json);
  bool rpc_moves(const rpc::Message& message, const std::string& body);
  void rpc_answer(const rpc::Call& call, std::vector<rpc::Json>& answers);
  void rpc_refuse(const rpc::Json& json, const Error& error);  // one answer, then closed
  void rpc_send(const rpc::Json& message);

  // Moves the connection to a session (nullopt: a new one) once our answers so far are out; `body` is the message to
  // be answered there. `failed` tells the client that it stays here.
  void move(std::optional<std::string> session, const std::string& body, std::function<void(const Error&)> failed);
  void sent();
  void refuse(const Error& error);  // one answer in the form that the client speaks, then closed
  bool known_token(const rpc::Json& value) const;
  void log_incoming(const rpc::Json& json) const;

  Reception& reception_;
  std::shared_ptr<util::Stream> stream_;
  About about_;
  asio::steady_timer patience_;
  wire::Sniffer sniffer_;
  std::optional<wire::MessageReader> reader_;  // once the first message told the protocol
  wire::Protocol protocol_ = wire::Protocol::rpc;
  wire::Framing framing_ = wire::Framing::lines;
  std::optional<rpc::Json> initialize_;
  std::int64_t sent_ = 0;
  bool authenticated_ = false;
  std::function<void()> move_;  // waits for the queue to be empty; nothing more is read meanwhile
  bool moving_ = false;         // from then on nothing is sent but the news that it failed
  bool gone_ = false;           // moved, or being closed: nothing more is read
};

}  // namespace trapline::lobby
