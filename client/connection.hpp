#pragma once
// One connection to a daemon, JSON-RPC by line. Calls block until their answer is here; notifications that come
// meanwhile are kept and handed out by poll(). Thread: one.
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "proto/wire/framing.hpp"
#include "proto/words/result.hpp"

namespace trapline::client {

using Json = nlohmann::json;

class Connection {
 public:
  // `address`: unix:PATH or tcp:HOST:PORT. `token`: for tcp. Errors: connection, with how to start a daemon.
  static Result<std::unique_ptr<Connection>> open(const std::string& address, const std::string& token = {});
  ~Connection();

  Result<Json> call(std::string_view method, Json params);
  using OnNotification = std::function<void(const std::string& method, const Json& params)>;
  void on_notification(OnNotification handler) { handler_ = std::move(handler); }
  // Hands out what came; waits up to `limit` for the first. False: the connection is gone.
  bool poll(std::chrono::milliseconds limit);
  bool open() const { return fd_ >= 0; }
  int descriptor() const { return fd_; }

 private:
  explicit Connection(int fd) : fd_(fd) {}
  Result<void> send(const Json& message);
  // Waits up to `limit` (negative: for ever) for bytes; false: none came.
  Result<bool> receive(int milliseconds);
  Result<std::optional<Json>> next_message();
  void deliver();

  int fd_ = -1;
  std::int64_t last_id_ = 0;
  wire::MessageReader reader_{wire::Framing::lines};
  std::deque<Json> notifications_;
  OnNotification handler_;
  bool delivering_ = false;
};

// A connected stream socket. Errors: connection, bad_request (no address).
Result<int> connect_to(const std::string& address);

}  // namespace trapline::client
