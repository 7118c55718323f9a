#include "daemon/lobby/lobby.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <set>

#include "daemon/lobby/listeners.hpp"
#include "daemon/lobby/sessions.hpp"
#include "daemon/lobby/token.hpp"
#include "daemon/lobby/visitor.hpp"
#include "daemon/util/log.hpp"

namespace trapline::lobby {
namespace {

constexpr std::size_t most_visitors = 256;  // connections in the lobby at one time

class Lobby final : public Reception {
 public:
  Lobby(const Options& options, std::vector<Listener> listeners, std::filesystem::path folder, std::string token,
        util::WireLog wire_log)
      : options_(options),
        listeners_(std::move(listeners)),
        token_(std::move(token)),
        wire_log_(std::move(wire_log)),
        sessions_(loop_, {.folder = std::move(folder),
                          .arguments = options.session_arguments,
                          .opened = [this](const rpc::SessionInfo& s) { tell("sessionOpened", s); },
                          .closed =
                              [this](const rpc::SessionInfo& s) {
                                tell("sessionClosed", s);
                                check_idle();
                              }}),
        signals_(loop_, SIGTERM, SIGINT),
        idle_(loop_) {}

  void run() {
    // Its terminal was closed. Under nohup(1) that means nothing, and Asio would take its place.
    struct sigaction hang_up {};
    if (::sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) signals_.add(SIGHUP);
    signals_.async_wait([this](const asio::error_code& error, int signal) {
      if (!error) stop(fmt::format("signal {}", signal));
    });
    sessions_.start();
    acceptors_.reserve(listeners_.size());  // handlers refer to them
    for (const auto& listener : listeners_) {
      acceptors_.emplace_back(loop_, ::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
      accept(listener, acceptors_.back());
      // A promise: one line a listener, the real port filled in.
      fmt::print("listening on {}\n", to_string(listener.address()));
      std::fflush(stdout);
    }
    check_idle();
    loop_.run();
  }

  // Reception
  Result<void> open_with(const rpc::Visit& visit, int socket, std::string_view bytes) override {
    return sessions_.open_with(visit, socket, bytes);
  }
  Result<void> join_with(const std::string& session, const rpc::Visit& visit, int socket,
                         std::string_view bytes) override {
    return sessions_.join_with(session, visit, socket, bytes);
  }
  std::vector<rpc::SessionInfo> sessions() const override { return sessions_.list(); }
  std::map<std::string, double> stats() const override;
  rpc::Json discover() const override { return rpc::discover(options_.launch_schema, options_.attach_schema); }
  Result<Greeting> greet(const rpc::Json& request, std::int64_t last_seq) const override {
    return options_.greet(request, last_seq);
  }
  const std::string& token() const override { return token_; }
  const util::WireLog& wire_log() const override { return wire_log_; }
  void left(Visitor& visitor) override {
    visitors_.erase(visitor.shared_from_this());
    check_idle();
  }

 private:
  void accept(const Listener& listener, asio::posix::stream_descriptor& acceptor);
  void take_in(const Listener& listener, util::Fd socket);
  void check_idle();
  void stop(const std::string& why);
  void tell(std::string_view event, const rpc::SessionInfo& session) {
    for (const auto& visitor : std::vector(visitors_.begin(), visitors_.end()))
      visitor->notify(event, rpc::write(session));
  }

  const Options& options_;
  asio::io_context loop_{1};
  std::vector<Listener> listeners_;
  std::vector<asio::posix::stream_descriptor> acceptors_;
  std::string token_;
  util::WireLog wire_log_;
  Sessions sessions_;
  asio::signal_set signals_;
  asio::steady_timer idle_;
  std::set<std::shared_ptr<Visitor>> visitors_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  bool idle_running_ = false;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

std::map<std::string, double> Lobby::stats() const {
  const auto& counters = sessions_.counters();
  return {{"sessions", static_cast<double>(sessions_.list().size())},
          {"visitors", static_cast<double>(visitors_.size())},
          {"connectionsAccepted", static_cast<double>(accepted_)},
          {"connectionsRefused", static_cast<double>(refused_)},
          {"sessionsOpened", static_cast<double>(counters.opened)},
          {"sessionsAdopted", static_cast<double>(counters.adopted)},
          {"sessionsCrashed", static_cast<double>(counters.crashed)},
          {"patchesRestored", static_cast<double>(counters.restored)},
          {"uptimeSeconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count()}};
}

void Lobby::accept(const Listener& listener, asio::posix::stream_descriptor& acceptor) {
  acceptor.async_wait(
      asio::posix::stream_descriptor::wait_read, [this, &listener, &acceptor](const asio::error_code& e) {
        if (e || stopping_) return;
        while (true) {
          util::Fd socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
          if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
          if (!socket) {
            // EMFILE would make this a busy loop: the connection stays in the queue. Wait a little for one to be
            // closed.
            const bool full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            if (!full) break;
            log::error("lobby", "cannot accept a connection: {}", strerror(errno));
            auto pause = std::make_shared<asio::steady_timer>(loop_, std::chrono::milliseconds(200));
            return pause->async_wait(
                [this, pause, &listener, &acceptor](const asio::error_code&) { accept(listener, acceptor); });
          }
          take_in(listener, std::move(socket));
        }
        accept(listener, acceptor);
      });
}

// A unix peer must be us or root; tcp peers show the token later.
std::optional<Error> refusal_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0))
    return std::nullopt;
  return Error{.code = Errc::no_permission,
               .message = fmt::format("this daemon belongs to uid {} and serves no other; you are uid {}", ::geteuid(),
                                      peer.uid),
               .os_errno = 0,
               .hint = "start a traplined of your own"};
}

void Lobby::take_in(const Listener& listener, util::Fd socket) {
  const bool tcp = listener.address().kind == Address::Kind::tcp;
  Visitor::About about{.name = fmt::format("c{}", ++accepted_), .needs_token = tcp, .refusal = std::nullopt};
  if (!tcp) about.refusal = refusal_of(socket.get());
  if (visitors_.size() >= most_visitors)
    about.refusal = Error{.code = Errc::connection,
                          .message = fmt::format("{} connections wait in the lobby already", most_visitors),
                          .os_errno = 0,
                          .hint = "close some of them"};
  if (about.refusal) ++refused_;
  // Far over the limit nothing is read any more: each refused one costs a buffer for the time of its answer.
  if (visitors_.size() >= most_visitors * 2) return;
  auto stream = util::Stream::adopt(loop_, std::move(socket));
  if (!stream) return log::warn("lobby", "{}", stream.error().message);
  log::debug("lobby", "{} came through {}", about.name, to_string(listener.address()));
  const auto visitor = std::make_shared<Visitor>(*this, *std::move(stream), std::move(about));
  visitors_.insert(visitor);
  check_idle();
  visitor->start();
}

void Lobby::check_idle() {
  const bool idle = visitors_.empty() && sessions_.none();
  if (!options_.idle_exit || idle == idle_running_ || stopping_) return;
  idle_running_ = idle;
  if (!idle) {
    idle_.cancel();
    return;
  }
  idle_.expires_after(*options_.idle_exit);
  idle_.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled && idle_running_) stop("nobody has used it for the time of --idle-exit");
  });
}

void Lobby::stop(const std::string& why) {
  if (std::exchange(stopping_, true)) return;
  log::info("lobby", "ending: {}", why);
  for (auto& acceptor : acceptors_) acceptor.close();
  for (auto& listener : listeners_) listener.close();
  for (const auto& visitor : std::vector(visitors_.begin(), visitors_.end())) visitor->close();
  sessions_.shut_down([this] { loop_.stop(); });
}

// Where journals and sessions are, and the lock of it.
struct House {
  std::filesystem::path folder;
  util::Fd lock;
};

Result<House> move_in(const Address& address) {
  House house{.folder = house_folder(address), .lock = {}};
  TL_TRY_VOID(private_folder(house.folder));
  auto lock = lock_house(house.folder);
  if (!lock && lock.error().code == Errc::wrong_state)
    return fail_hint(
        Errc::wrong_state,
        fmt::format("somebody listens on {} already: {}",
                    address.kind == Address::Kind::tcp ? to_string(address) : address.path, lock.error().message),
        lock.error().hint);
  if (!lock) return std::unexpected(lock.error());
  house.lock = *std::move(lock);
  TL_TRY_VOID(private_folder(house.folder / "journals"));
  TL_TRY_VOID(private_folder(house.folder / "sessions"));
  return house;
}

struct Opened {
  std::vector<Listener> listeners;
  House house;
};

// The house goes by a unix socket where there is one: its name stays the same, a picked port does not. It is locked
// before a stale socket is replaced: of two daemons that start at once, one would else remove the other's new socket.
Result<Opened> open_listeners(const Options& options) {
  Opened opened;
  TL_TRY(opened.listeners, inherited_listeners());
  auto wanted = options.listen;
  if (wanted.empty() && opened.listeners.empty()) wanted.push_back(default_address());
  std::vector<Address> addresses;
  for (const auto& listener : opened.listeners) addresses.push_back(listener.address());
  for (const auto& text : wanted) {
    TL_TRY(auto address, parse_address(text));
    addresses.push_back(std::move(address));
  }
  const auto first_own = addresses.begin() + static_cast<std::ptrdiff_t>(opened.listeners.size());
  const auto named = std::ranges::find(addresses, Address::Kind::unix_socket, &Address::kind);
  if (named != addresses.end()) {
    if (named >= first_own) TL_TRY_VOID(free_for_a_socket(*named));
    TL_TRY(opened.house, move_in(*named));
  }
  for (auto at = first_own; at != addresses.end(); ++at) {
    TL_TRY(auto listener, listen_on(*at));
    opened.listeners.push_back(std::move(listener));
  }
  if (named == addresses.end()) {
    TL_TRY(opened.house, move_in(opened.listeners.front().address()));
  }
  return opened;
}

Result<std::string> token_for(const Options& options, const std::vector<Listener>& listeners,
                              const std::filesystem::path& folder) {
  const bool tcp =
      std::ranges::any_of(listeners, [](const Listener& l) { return l.address().kind == Address::Kind::tcp; });
  if (!tcp && options.token_file.empty()) return std::string();
  const std::filesystem::path file =
      options.token_file.empty() ? folder / "token" : std::filesystem::path(options.token_file);
  TL_TRY(auto token, load_token(file));
  log::info("lobby", "the token of tcp connections is in {}", file.string());
  return token;
}

}  // namespace

Result<void> run(const Options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  TL_TRY(auto opened, open_listeners(options));
  const auto& folder = opened.house.folder;
  TL_TRY(auto token, token_for(options, opened.listeners, folder));
  util::WireLog wire_log;
  if (!options.wire_log.empty()) {
    TL_TRY(wire_log, util::WireLog::open(options.wire_log));
  }
  Lobby(options, std::move(opened.listeners), folder, std::move(token), std::move(wire_log)).run();
  return {};
}

}  // namespace trapline::lobby
