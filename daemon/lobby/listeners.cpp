#include "daemon/lobby/listeners.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace trapline::lobby {
namespace {

std::unexpected<Error> os_error(const std::string& what, int err) {
  return fail(Errc::os, fmt::format("{}: {}", what, strerror(err)), err);
}

Result<sockaddr_un> unix_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return fail(Errc::bad_request, fmt::format("socket path {} is too long", path));
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  return name;
}

enum class Found : unsigned char { nothing, stale, live, other };

Found what_is_at(const sockaddr_un& name) {
  struct stat about {};
  if (::lstat(name.sun_path, &about) != 0) return Found::nothing;
  if (!S_ISSOCK(about.st_mode)) return Found::other;
  const util::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return Found::live;
  // EAGAIN: its queue of connections is full, so somebody holds it. EACCES: not ours to judge.
  return errno == ECONNREFUSED || errno == ENOENT ? Found::stale : Found::live;
}

Result<Listener> listen_unix(const Address& address) {
  TL_TRY(const auto name, unix_name(address.path));
  TL_TRY_VOID(free_for_a_socket(address));
  if (what_is_at(name) == Found::stale) ::unlink(name.sun_path);
  util::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error("socket", errno);
  // The mode must be right from the first moment on, not only after a chmod. One thread runs at this time.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int bind_error = errno;
  ::umask(before);
  if (bound != 0) return os_error(fmt::format("cannot bind {}", address.path), bind_error);
  if (::listen(fd.get(), SOMAXCONN) != 0) return os_error(fmt::format("cannot listen on {}", address.path), errno);
  return Listener(std::move(fd), address, false);
}

std::uint16_t port_of(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(name).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

Result<Listener> listen_tcp(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int problem = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (problem != 0)
    return fail(Errc::bad_request, fmt::format("\"{}\" is no host: {}", address.host, ::gai_strerror(problem)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  util::Fd fd(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error("socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0) {
    if (errno == EADDRINUSE)
      return fail_hint(Errc::wrong_state, fmt::format("somebody listens on {} already", to_string(address)),
                       "choose another port; 0 picks a free one");
    return os_error(fmt::format("cannot bind {}", to_string(address)), errno);
  }
  if (::listen(fd.get(), SOMAXCONN) != 0)
    return os_error(fmt::format("cannot listen on {}", to_string(address)), errno);
  Address real = address;
  real.port = port_of(fd.get());
  return Listener(std::move(fd), std::move(real), false);
}

Result<Address> address_of(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  Address address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return os_error("getsockname", errno);
  if (name.ss_family == AF_UNIX) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(name);
    if (size <= offsetof(sockaddr_un, sun_path) || local.sun_path[0] == '\0')
      return fail_hint(Errc::unsupported, "an inherited socket has an abstract or no name",
                       "use ListenStream= with a path, so that the file's mode guards it");
    address.path = local.sun_path;
    return address;
  }
  char host[INET6_ADDRSTRLEN] = "";
  address.kind = Address::Kind::tcp;
  if (name.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(name).sin_addr, host, sizeof host);
  else if (name.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(name).sin6_addr, host, sizeof host);
  else
    return fail(Errc::unsupported, "an inherited socket is neither unix nor tcp");
  address.host = host;
  address.port = port_of(fd);
  return address;
}

}  // namespace

Listener::Listener(util::Fd fd, Address address, bool inherited)
    : fd_(std::move(fd)), address_(std::move(address)), inherited_(inherited) {
  struct stat about {};
  if (address_.kind == Address::Kind::unix_socket && ::lstat(address_.path.c_str(), &about) == 0) inode_ = about.st_ino;
}

void Listener::close() {
  if (!fd_) return;
  fd_.close();
  struct stat about {};
  // The service manager keeps its own socket; a daemon that came after us has another file under the name.
  if (!inherited_ && address_.kind == Address::Kind::unix_socket && ::lstat(address_.path.c_str(), &about) == 0 &&
      about.st_ino == inode_)
    ::unlink(address_.path.c_str());
}

Result<void> free_for_a_socket(const Address& address) {
  const std::filesystem::path folder = std::filesystem::path(address.path).parent_path();
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) TL_TRY_VOID(private_folder(folder));
  TL_TRY(const auto name, unix_name(address.path));
  switch (what_is_at(name)) {
    case Found::nothing:
    case Found::stale: break;
    case Found::live:
      return fail_hint(Errc::wrong_state, fmt::format("somebody listens on {} already", address.path),
                       "connect to that daemon, stop it, or choose another --listen address");
    case Found::other:
      return fail_hint(Errc::wrong_state, fmt::format("{} exists and is no socket", address.path),
                       "choose another --listen address");
  }
  return {};
}

Result<Listener> listen_on(const Address& address) {
  return address.kind == Address::Kind::unix_socket ? listen_unix(address) : listen_tcp(address);
}

Result<std::vector<Listener>> inherited_listeners() {
  std::vector<Listener> listeners;
  const int count = ::sd_listen_fds(1);
  for (int i = 0; i < count; ++i) {
    util::Fd fd(SD_LISTEN_FDS_START + i);
    if (::sd_is_socket(fd.get(), AF_UNSPEC, SOCK_STREAM, 1) <= 0)
      return fail_hint(Errc::unsupported,
                       fmt::format("inherited descriptor {} is no listening stream socket", fd.get()),
                       "the socket unit needs ListenStream= and Accept=no");
    // sd_listen_fds() sets close-on-exec; a non-blocking accept is ours to ask for.
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
    TL_TRY(auto address, address_of(fd.get()));
    listeners.emplace_back(std::move(fd), std::move(address), true);
  }
  return listeners;
}

Result<void> private_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return os_error(fmt::format("cannot make the folder {}", folder.string()), errno);
  struct stat about {};
  if (::lstat(folder.c_str(), &about) != 0) return os_error(folder.string(), errno);
  if (!S_ISDIR(about.st_mode) || about.st_uid != ::geteuid())
    return fail_hint(
        Errc::no_permission,
        fmt::format("{} is {}", folder.string(),
                    S_ISDIR(about.st_mode) ? fmt::format("a folder of uid {}", about.st_uid) : "no folder"),
        "remove it, or choose another place with --listen");
  if ((about.st_mode & 077) != 0 && ::chmod(folder.c_str(), 0700) != 0)
    return os_error(fmt::format("cannot make {} private", folder.string()), errno);
  return {};
}

Result<util::Fd> lock_house(const std::filesystem::path& folder) {
  const auto path = folder / "lock";
  util::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return os_error(fmt::format("cannot open {}", path.string()), errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = "";
    const ssize_t got = ::pread(fd.get(), pid, sizeof pid - 1, 0);
    return fail_hint(Errc::wrong_state,
                     fmt::format("a daemon runs here already{}{}", got > 0 ? ", process " : "", got > 0 ? pid : ""),
                     "connect to it, stop it, or choose another --listen address");
  }
  const std::string own = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), own.data(), own.size(), 0) < 0)
    return os_error(fmt::format("cannot write {}", path.string()), errno);
  return fd;
}

}  // namespace trapline::lobby
