// Host's line to the lobby: what it is told, what it reports, and how a new lobby finds it (house.hpp has the words).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/serve/dap_connection.hpp"
#include "daemon/serve/host.hpp"
#include "daemon/serve/rpc_connection.hpp"
#include "daemon/util/log.hpp"

namespace trapline::serve {

void Host::receive() {
  channel_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    while (channel_.is_open()) {
      auto incoming = util::receive_packet(channel_.native_handle());
      if (!incoming || incoming->what == util::Received::end) return lobby_gone();
      if (incoming->what == util::Received::nothing_yet) break;
      packet(std::move(incoming->packet));
    }
    if (channel_.is_open()) receive();
  });
}

void Host::packet(util::Packet packet) {
  const auto json = wire::parse_json(packet.text);
  const auto type = json && json->is_object() ? json->value("type", rpc::Json()) : rpc::Json();
  if (type == "open") {
    if (const auto read = rpc::read_as<rpc::OpenSession>(*json)) open(*read);
  } else if (type == "visit") {
    if (const auto read = rpc::read_as<rpc::Visit>(*json)) visit(*read, std::move(packet.fds));
  } else if (type == "answer") {
    const auto read = rpc::read_as<rpc::SessionsAnswer>(*json);
    if (!read) return log::warn("serve", "the lobby's answer: {}", read.error().message);
    // One question is under way at a time; who asked meanwhile is answered by the next one.
    std::vector<Reply<std::vector<rpc::SessionInfo>>> answered;
    while (!asked_.empty() && asked_.begin()->first <= read->id)
      answered.push_back(std::move(asked_.extract(asked_.begin()).mapped()));
    if (!asked_.empty()) send_to_lobby(rpc::house_packet("ask", rpc::Ask{.id = asked_.rbegin()->first}));
    for (const auto& reply : answered) reply(read->sessions);
  } else if (type == "bye") {
    if (stage_ == Stage::leaving) return finish();
    report();  // a client came after all: the lobby lists us again
  } else if (type == "shutdown") {
    shut_down();
  } else {
    log::warn("serve", "the lobby says something that means nothing: {}", wire::excerpt(packet.text));
  }
}

// Without a lobby a session lives on with the clients that it has; a new lobby finds it by its socket.
void Host::lobby_gone() {
  channel_.close();
  for (auto& [id, reply] : std::exchange(asked_, {})) reply(std::vector{info()});
  if (stage_ == Stage::spare || stage_ == Stage::leaving) return finish();
  if (stage_ == Stage::open) log::warn("serve", "session {}: the daemon is gone; its clients stay", session_);
}

void Host::open(const rpc::OpenSession& open) {
  if (stage_ != Stage::spare) return;
  stage_ = Stage::open;
  session_ = open.session;
  const std::filesystem::path folder(open.folder);
  control_ = make_control_(loop_, tracer_, folder / "journals", output_held_);
  subscription_ = control_->subscribe([this](const proto::Event& e) { event(e); });
  listen_for_lobbies(folder / "sessions" / (session_ + ".sock"));
}

void Host::listen_for_lobbies(const std::filesystem::path& socket) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof name.sun_path) return log::warn("serve", "{}: the name is too long", path);
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  util::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(path.c_str());  // of a dead session with this number
  const mode_t before = ::umask(0177);
  const bool bound =
      fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 && ::listen(fd.get(), 4) == 0;
  const int problem = errno;
  ::umask(before);
  // Not worth failing a session for: only a crash of the lobby would need it.
  if (!bound) return log::warn("serve", "cannot listen on {}: {}", path, strerror(problem));
  lobby_socket_ = socket;
  lobbies_.assign(fd.release());
  accept_lobby();
}

void Host::accept_lobby() {
  lobbies_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    util::Fd lobby(::accept4(lobbies_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool ours = lobby && ::getsockopt(lobby.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                      (peer.uid == ::geteuid() || peer.uid == 0);
    if (ours) {
      log::info("serve", "session {}: a new daemon (process {}) has taken over", session_, peer.pid);
      channel_.close();
      channel_.assign(lobby.release());
      receive();
      report();
    }
    accept_lobby();
  });
}

void Host::send_to_lobby(const std::string& packet) {
  if (!channel_.is_open()) return;
  if (const auto sent = util::send_packet(channel_.native_handle(), packet); !sent)
    log::debug("serve", "session {}: {}", session_, sent.error().message);
}

rpc::SessionInfo Host::info() const {
  rpc::SessionInfo info;
  info.session = session_;
  info.host = Pid{::getpid()};
  info.clients = static_cast<std::uint32_t>(clients_.size());
  if (control_ == nullptr) return info;
  info.state = control_->state();
  if (const auto process = control_->process()) {
    info.pid = process->pid;
    info.program = process->name;
  }
  return info;
}

// The first change is told at once, what follows within the pause is told together: a burst of stops must not wake the
// lobby for each.
void Host::report() {
  if (stage_ == Stage::leaving || stage_ == Stage::spare || report_due_) return;
  const auto now = std::chrono::steady_clock::now();
  constexpr std::chrono::milliseconds pause{100};
  report_due_ = true;
  report_timer_.expires_at(std::max(now, reported_ + pause));
  report_timer_.async_wait([this](const asio::error_code& cancelled) {
    report_due_ = false;
    if (cancelled || stage_ == Stage::leaving) return;
    reported_ = std::chrono::steady_clock::now();
    send_to_lobby(rpc::house_packet("report", info()));
  });
}

void Host::ask_sessions(Reply<std::vector<rpc::SessionInfo>> reply) {
  const auto fresh = [this, reply = std::move(reply)](Result<std::vector<rpc::SessionInfo>> all) {
    if (all)
      for (auto& one : *all)
        if (one.session == session_) one = info();  // the lobby's copy may be a moment old
    reply(std::move(all));
  };
  if (!channel_.is_open()) return fresh(std::vector{info()});
  const auto id = ++last_ask_;
  const bool first = asked_.empty();
  asked_.emplace(id, fresh);
  if (first) send_to_lobby(rpc::house_packet("ask", rpc::Ask{.id = id}));
}

Result<std::shared_ptr<Connection>> make_connection(Host& host, std::shared_ptr<util::Stream> stream,
                                                    const rpc::Visit& visit) {
  if (visit.protocol == wire::Protocol::rpc) return std::make_shared<RpcConnection>(host, std::move(stream), visit);
  dap::SessionOptions options;
  TL_TRY(options.initialized, initialized_by(visit));
  options.others = [&host] { return host.clients() > 1 ? dap::Others::some : dap::Others::none; };
  return std::make_shared<DapConnection>(host, std::move(stream), visit, std::move(options));
}

}  // namespace trapline::serve
