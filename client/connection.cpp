#include "client/connection.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/rpc/envelope.hpp"

namespace trapline::client {
namespace {

Result<int> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::bad_request, fmt::format("socket path {} is too long", path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::os, "socket", errno);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int problem = errno;
  ::close(fd);
  if (problem == EACCES || problem == EPERM)
    return fail_hint(Errc::no_permission, fmt::format("the daemon at {} is another user's", path),
                     "use your own (without --socket), or run this as that user");
  return std::unexpected(Error{.code = Errc::connection,
                               .message = fmt::format("no daemon answers at {}: {}", path, std::strerror(problem)),
                               .os_errno = problem,
                               .hint = "start one with `traplined`, or name another with --socket"});
}

Result<int> connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); problem != 0)
    return fail(Errc::connection, fmt::format("{}:{}: {}", host, port, ::gai_strerror(problem)));
  int last = ECONNREFUSED;
  for (auto* one = found; one != nullptr; one = one->ai_next) {
    const int fd = ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    if (fd < 0) continue;
    if (::connect(fd, one->ai_addr, one->ai_addrlen) == 0) {
      ::freeaddrinfo(found);
      return fd;
    }
    last = errno;
    ::close(fd);
  }
  ::freeaddrinfo(found);
  return fail_hint(Errc::connection, fmt::format("no daemon answers at {}:{}: {}", host, port, std::strerror(last)),
                   "start one with `traplined --listen tcp:HOST:PORT --token-file FILE`");
}

}  // namespace

Result<int> connect_to(const std::string& address) {
  if (address.starts_with("unix:")) return connect_unix(address.substr(5));
  if (address.starts_with("tcp:")) {
    const auto colon = address.rfind(':');
    if (colon > 4) return connect_tcp(address.substr(4, colon - 4), address.substr(colon + 1));
  }
  if (address.starts_with("/")) return connect_unix(address);
  return fail_hint(Errc::bad_request, fmt::format("`{}` is no address", address), "write unix:PATH or tcp:HOST:PORT");
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& address, const std::string& token) {
  TL_TRY(const int fd, connect_to(address));
  std::unique_ptr<Connection> connection(new Connection(fd));
  if (!token.empty()) TL_TRY_VOID(connection->call("session.authenticate", {{"token", token}}));
  return connection;
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Connection::send(const Json& message) {
  auto text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '\n';
  for (std::size_t sent = 0; sent < text.size();) {
    const auto size = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(Errc::connection, fmt::format("the daemon hung up: {}", std::strerror(errno)), errno);
    sent += static_cast<std::size_t>(size);
  }
  return {};
}

Result<bool> Connection::receive(int milliseconds) {
  pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&one, 1, milliseconds);
  if (ready < 0 && errno == EINTR) return false;
  if (ready <= 0) return false;
  char buffer[65536];
  const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
  if (size < 0 && errno == EINTR) return false;
  if (size <= 0) {
    ::close(std::exchange(fd_, -1));
    return fail(Errc::connection, "the session closed the connection");
  }
  reader_.feed(std::string_view(buffer, static_cast<std::size_t>(size)));
  return true;
}

Result<std::optional<Json>> Connection::next_message() {
  TL_TRY(const auto body, reader_.next());
  if (!body) return std::optional<Json>();
  auto message = Json::parse(*body, nullptr, false);
  if (message.is_discarded()) return fail(Errc::connection, "the daemon sent something that is no JSON");
  return std::optional(std::move(message));
}

Result<Json> Connection::call(std::string_view method, Json params) {
  if (fd_ < 0) return fail(Errc::connection, "the connection is closed");
  const auto id = ++last_id_;
  TL_TRY_VOID(send(rpc::call(id, method, std::move(params))));
  for (;;) {
    TL_TRY(auto message, next_message());
    if (!message) {
      TL_TRY_VOID(receive(-1));
      continue;
    }
    if (!message->contains("id")) {
      notifications_.push_back(*std::move(message));
    } else if ((*message)["id"] == id) {
      if (message->contains("error")) return std::unexpected(rpc::read_error((*message)["error"]));
      return std::move((*message)["result"]);
    } else if ((*message)["id"].is_null() && message->contains("error")) {
      return std::unexpected(rpc::read_error((*message)["error"]));
    }
  }
}

void Connection::deliver() {
  if (std::exchange(delivering_, true)) return;
  while (!notifications_.empty()) {
    const auto message = std::move(notifications_.front());
    notifications_.pop_front();
    if (handler_) handler_(message.value("method", ""), message.value("params", Json::object()));
  }
  delivering_ = false;
}

bool Connection::poll(std::chrono::milliseconds limit) {
  if (!notifications_.empty()) limit = std::chrono::milliseconds(0);
  if (fd_ >= 0) {
    // A hang-up shows in fd_; what came before it is still delivered.
    (void)receive(static_cast<int>(limit.count()));
    for (bool more = true; more;) {
      const auto message = next_message();
      more = message && message->has_value();
      if (more && !(*message)->contains("id")) notifications_.push_back(**message);
    }
  }
  deliver();
  return fd_ >= 0;
}

}  // namespace trapline::client
