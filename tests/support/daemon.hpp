#pragma once
// A traplined of the test's own, and clients that speak to it over real sockets. No sleeps: every read has a bound, and
// what was waited for is told together with the end of the daemon's log when it passes.
#include <sys/types.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/fd.hpp"

namespace trapline::test {

using nlohmann::json;
using std::chrono::milliseconds;
inline constexpr milliseconds patience{20000};

// Whatever the test started, directly or through a daemon: processes that lose their parent become ours
// (PR_SET_CHILD_SUBREAPER), and all of them are killed at the end.
class Household {
 public:
  Household();
  ~Household();
};

// Until `done`, looking every few milliseconds; fails the test when the bound passes. For what sends no event.
void eventually(std::string_view what, const std::function<bool()>& done, milliseconds bound = patience);
bool process_lives(pid_t pid);  // a zombie does not
std::string read_file(const std::string& path);

class Daemon {
 public:
  struct Setup {
    std::vector<std::string> arguments{};    // besides the unix socket
    std::vector<std::string> environment{};  // "A=B", on top of ours
    bool unix_socket = true;                 // listen on socket()
    std::size_t listeners = 1;               // lines to wait for
    std::function<void()> in_child{};        // runs between fork and exec
    bool starts = true;                      // false: it is expected to refuse; see wait_exit()
  };
  Daemon() : Daemon(Setup{}) {}
  explicit Daemon(Setup setup);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void start();  // again, at the same place
  pid_t pid() const { return pid_; }
  std::string socket() const { return (folder_ / "d.sock").string(); }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path house() const { return folder_ / "d.sock.d"; }
  const std::vector<std::string>& addresses() const { return addresses_; }  // as printed
  std::string log() const { return read_file((folder_ / "log").string()); }
  std::vector<std::string> journals() const;
  void signal(int number) const;
  // The wait status; fails the test when the bound passes.
  int wait_exit(milliseconds bound = patience);
  bool running() const { return pid_ > 0; }

 private:
  Household household_;
  Setup setup_;
  std::filesystem::path folder_;
  std::vector<std::string> addresses_;
  pid_t pid_ = -1;
};

// Bytes over a socket.
class Peer {
 public:
  explicit Peer(const std::string& address);  // unix:PATH, tcp:HOST:PORT, or a path
  explicit Peer(const Daemon& daemon) : Peer(daemon.socket()) {}
  void send(std::string_view bytes);
  // The next line, or the next frame's body; nullopt: the connection was closed. Fails the test after the bound.
  std::optional<std::string> line(milliseconds bound = patience);
  std::optional<std::string> frame(milliseconds bound = patience);
  bool closed(milliseconds bound = patience);  // reads (and drops) until the end
  void half_close();
  void close() { fd_.close(); }
  int fd() const { return fd_.get(); }

 private:
  bool more(milliseconds bound);
  util::Fd fd_;
  std::string buffer_;
};

// JSON-RPC, a JSON object a line.
class RpcClient {
 public:
  explicit RpcClient(const Daemon& daemon) : peer(daemon) {}
  explicit RpcClient(const std::string& address) : peer(address) {}
  int send(std::string_view method, json params = json::object());
  json answer(int id);                                                  // the whole answer
  json call(std::string_view method, json params = json::object());     // its result; an error fails the test
  json refused(std::string_view method, json params = json::object());  // its error; a result fails the test
  json event(std::string_view name);                                    // the next one with this name
  std::optional<json> message(milliseconds bound = patience);

  Peer peer;
  std::deque<json> events;

 private:
  int last_id_ = 0;
};

// DAP, framed.
class DapClient {
 public:
  explicit DapClient(const Daemon& daemon) : peer(daemon) {}
  explicit DapClient(const std::string& address) : peer(address) {}
  int send(std::string_view command, json arguments = json::object());
  json response(int seq);
  json ok(std::string_view command, json arguments = json::object());       // body
  json refused(std::string_view command, json arguments = json::object());  // body.error
  json event(std::string_view name);
  json message();
  json initialize(json more = json::object());  // the capabilities; `initialized` was seen

  Peer peer;
  std::deque<json> events;
  std::deque<json> responses;

 private:
  int last_seq_ = 0;
};

}  // namespace trapline::test
