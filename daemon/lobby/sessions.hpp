#pragma once
// All session processes of this daemon: the spare one that waits for work, those with a session, those adopted from an
// earlier lobby. Thread: the loop's.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/lobby/guardian.hpp"
#include "daemon/lobby/session_link.hpp"
#include "proto/rpc/house.hpp"
#include "proto/words/result.hpp"

namespace trapline::lobby {

class Sessions {
 public:
  struct Setup {
    std::filesystem::path folder;        // the house: journals/ and sessions/ in it exist
    std::vector<std::string> arguments;  // for session processes: logging, wire log, index cache
    std::function<void(const rpc::SessionInfo&)> opened;
    std::function<void(const rpc::SessionInfo&)> closed;
  };
  Sessions(asio::io_context& loop, Setup setup);
  ~Sessions();

  // Puts right what dead sessions left, adopts living ones, starts the spare process.
  void start();

  // Moves a connection in: its socket (still ours after an error) and the bytes read so far.
  Result<void> open_with(const rpc::Visit& visit, int socket, std::string_view bytes);
  Result<void> join_with(const std::string& session, const rpc::Visit& visit, int socket, std::string_view bytes);

  std::vector<rpc::SessionInfo> list() const;
  bool none() const { return links_.empty(); }

  // Every debuggee is put right and every session process ends; those that do not within the limit are killed (the
  // guardian then puts their debuggees right).
  void shut_down(std::function<void()> done);

  struct Counters {
    std::uint64_t opened = 0, adopted = 0, crashed = 0, restored = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  using Link = std::shared_ptr<SessionLink>;

  SessionLink::Handlers handlers();
  void packet(SessionLink& link, std::string_view type, const rpc::Json& content);
  void hung_up(SessionLink& link);
  void close(SessionLink& link);
  void ended(Pid process, const std::vector<guard::Recovery>& recoveries);
  void adopt_all();
  void spawn_spare();
  Result<Link> take_spare();
  Result<void> move_in(SessionLink& link, const rpc::Visit& visit, int socket, std::string_view bytes);
  std::string next_id();
  Link find(const std::string& session) const;
  void check_shut_down();

  asio::io_context& loop_;
  Setup setup_;
  Link spare_;
  std::map<Pid, Link> links_;   // with a session, by process
  std::map<Pid, Link> ending_;  // a former spare: only to be reaped
  // Sessions that are over. Their processes may stay, to keep the terminal of a program that was left running: nobody
  // waits for them.
  std::map<Pid, Link> over_;
  std::uint32_t last_id_ = 0;
  Counters counters_;
  asio::steady_timer limit_;
  std::function<void()> shut_;
  Guardian guardian_;  // last: its thread uses what stands above
};

}  // namespace trapline::lobby
