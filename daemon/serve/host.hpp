#pragma once
// The inside of a session process: one Control, its clients, and the line to the lobby.
// Thread: the loop's, which is the tracer.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/serve/connection.hpp"
#include "daemon/session/session.hpp"
#include "daemon/util/channel.hpp"
#include "daemon/util/wire_log.hpp"
#include "proto/control.hpp"
#include "proto/rpc/house.hpp"

namespace trapline::serve {

// Makes the Control of a session, once the lobby said which it is; tests give a fake one.
// `output_held`: true while no client takes what the program prints.
using MakeControl = std::function<std::unique_ptr<proto::Control>(
    asio::io_context& loop, const os::TracerThread& tracer, const std::filesystem::path& folder,
    std::shared_ptr<const bool> output_held)>;

class Host {
 public:
  // `channel`: the lobby's end of it is the one that started us.
  Host(util::Fd channel, util::WireLog wire_log, MakeControl make_control);
  ~Host();

  // Until the last client has left and the debuggee is left in order, or the lobby (or SIGTERM) ends it.
  void run();

  proto::Control& control() { return *control_; }
  const std::string& session() const { return session_; }
  const util::WireLog& wire_log() const { return wire_log_; }
  std::size_t clients() const { return clients_.size(); }
  void dropped(Connection& connection);  // its socket is closed
  void broadcast(const proto::Event& event);
  // What the program prints is taken from it as fast as the fastest client reads.
  void output_flows();
  // What becomes of a program that JSON-RPC launched, when the last client has left.
  void detach_when_left(bool detach) { detach_when_left_ = detach; }

  void await_stop(std::optional<std::chrono::milliseconds> limit, Reply<rpc::StopAnswer> reply);
  void ask_sessions(Reply<std::vector<rpc::SessionInfo>> reply);
  std::map<std::string, double> stats();

 private:
  struct Waiter {
    Reply<rpc::StopAnswer> reply;
    std::unique_ptr<asio::steady_timer> limit;
    std::shared_ptr<int> here = std::make_shared<int>();  // a timer that expired already cannot be cancelled any more
  };
  enum class Stage : std::uint8_t {
    spare,    // waits for work
    open,     // has clients
    leaving,  // has none; asked the lobby to be let go
    ending,   // shutting down
    keeping   // over for everybody; keeps the terminal of a program that was left running
  };

  // The line to the lobby.
  void receive();
  void packet(util::Packet packet);
  void lobby_gone();
  void open(const rpc::OpenSession& open);
  void visit(const rpc::Visit& visit, std::vector<util::Fd> fds);
  void listen_for_lobbies(const std::filesystem::path& socket);
  void accept_lobby();
  void send_to_lobby(const std::string& packet);
  rpc::SessionInfo info() const;
  void report();

  void event(const proto::Event& event);
  void answer_waiters(const Result<rpc::StopAnswer>& answer);
  bool debuggee_lives() const;
  // Runs `then` once the debuggee has exited or was detached, or the time is over.
  void when_let_go(std::chrono::milliseconds limit, std::function<void()> then);
  void last_client_left();
  void leave();
  void shut_down();
  void finish();
  void keep_terminal(util::Fd program);

  asio::io_context loop_{1};
  const os::TracerThread tracer_;
  util::WireLog wire_log_;
  MakeControl make_control_;
  asio::posix::stream_descriptor channel_;
  asio::posix::stream_descriptor lobbies_;
  std::filesystem::path lobby_socket_;
  asio::signal_set signals_;
  Stage stage_ = Stage::spare;
  std::string session_;
  bool detach_when_left_ = true;
  std::optional<Pid> launched_;  // by us, and not seen to end
  asio::posix::stream_descriptor program_;

  asio::steady_timer report_timer_;
  std::chrono::steady_clock::time_point reported_;
  bool report_due_ = false;
  std::uint32_t last_ask_ = 0;
  std::map<std::uint32_t, Reply<std::vector<rpc::SessionInfo>>> asked_;

  std::shared_ptr<bool> output_held_ = std::make_shared<bool>(false);
  std::list<Waiter> waiters_;
  asio::steady_timer let_go_limit_;
  std::function<void()> let_go_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();

  std::vector<std::shared_ptr<Connection>> clients_;
  std::unique_ptr<proto::Control> control_;
  proto::Subscription subscription_;
};

}  // namespace trapline::serve
