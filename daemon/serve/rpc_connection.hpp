#pragma once
// A JSON-RPC client: calls go through the method table, events come as notifications.
#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/serve/connection.hpp"
#include "proto/rpc/envelope.hpp"
#include "proto/rpc/methods.hpp"

namespace trapline::serve {

class RpcConnection final : public Connection, private rpc::Desk {
 public:
  RpcConnection(Host& host, std::shared_ptr<util::Stream> stream, const rpc::Visit& visit);
  void notify(std::string_view json) override;

 private:
  // The answers of one message: one, or those of a batch in its order.
  struct Answers {
    bool batch = false;
    std::size_t missing = 0;
    std::vector<std::optional<rpc::Json>> parts;
  };
  struct Queued {
    rpc::Call call;
    std::shared_ptr<Answers> answers;
    std::size_t part = 0;
  };

  void message(rpc::Json message) override;
  void garbage(const Error& error, bool last) override;
  void ended() override;
  void closed() override;

  void work();  // runs what is queued, up to a call that others have to wait for
  void run(Queued queued);
  void answer(const Queued& queued, bool in_order, Result<rpc::Json> value);
  void complete(Answers& answers);
  void wait_for_hang_up();

  // rpc::Desk
  proto::Control& control() override;
  std::string session() const override;
  Result<proto::LaunchSpec> launch_spec(const rpc::Json& arguments) override;
  Result<proto::AttachSpec> attach_spec(const rpc::Json& arguments) override;
  void await_stop(std::optional<std::chrono::milliseconds> limit, Reply<rpc::StopAnswer> reply) override;
  void sessions(Reply<std::vector<rpc::SessionInfo>> reply) override;
  std::map<std::string, double> stats() override;
  Result<void> subscribe_stats(std::chrono::milliseconds interval) override;
  rpc::Json discover() override;

  void send_stats();

  std::deque<Queued> queue_;
  bool working_ = false;        // work() is under way
  bool blocked_ = false;        // by a call that others have to wait for
  std::size_t unanswered_ = 0;  // messages
  bool half_closed_ = false;    // the client sends no more and waits for its answers
  bool gone_ = false;
  std::chrono::milliseconds stats_interval_{};
  asio::steady_timer stats_timer_;
  asio::steady_timer hang_up_;
};

}  // namespace trapline::serve
