#include "daemon/lobby/session_link.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/util/log.hpp"
#include "proto/wire/framing.hpp"

namespace trapline::lobby {
namespace {

constexpr int session_fd = 3;

// posix_spawn's two objects, freed at the end of the scope.
struct SpawnSetup {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

Result<Pid> spawn_session(int channel, const std::vector<std::string>& arguments) {
  SpawnSetup setup;
  // stdout is where the daemon says "listening on": a session must not keep a reader of it waiting for the end.
  ::posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&setup.actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&setup.actions, channel, session_fd);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::vector<std::string> words{"traplined", "--session", std::to_string(session_fd)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  // Not our path: the file may have been replaced by an upgrade, and lobby and session must be of one version.
  const int problem = ::posix_spawn(&pid, "/proc/self/exe", &setup.actions, &setup.attributes, argv.data(), environ);
  if (problem != 0)
    return fail(Errc::os, fmt::format("cannot start a session process: {}", strerror(problem)), problem);
  return Pid{pid};
}

}  // namespace

Result<std::shared_ptr<SessionLink>> SessionLink::spawn(asio::io_context& loop,
                                                        const std::vector<std::string>& arguments, Handlers handlers) {
  TL_TRY(auto ends, util::channel_pair());
  TL_TRY(const auto pid, spawn_session(ends.second.get(), arguments));
  auto link = std::make_shared<SessionLink>(loop, std::move(ends.first), pid, true, std::move(handlers));
  link->receive();
  return link;
}

Result<std::shared_ptr<SessionLink>> SessionLink::adopt(asio::io_context& loop, const std::filesystem::path& socket,
                                                        Handlers handlers) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof name.sun_path) return fail(Errc::connection, fmt::format("{}: name too long", path));
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  util::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(Errc::os, fmt::format("socket: {}", strerror(errno)), errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return fail(Errc::connection, fmt::format("{}: {}", path, strerror(errno)), errno);
  // unix(7): of a connected socket, the credentials of who called listen(2).
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
    return fail(Errc::connection, fmt::format("{} is not a session of ours", path));
  auto link = std::make_shared<SessionLink>(loop, std::move(fd), Pid{peer.pid}, false, std::move(handlers));
  link->receive();
  return link;
}

SessionLink::SessionLink(asio::io_context& loop, util::Fd channel, Pid process, bool child, Handlers handlers)
    : channel_(loop, channel.release()), process_(process), child_(child), handlers_(std::move(handlers)) {
  info.host = process;
}

Result<void> SessionLink::send(std::string_view packet, std::span<const int> fds) {
  if (!channel_.is_open()) return fail(Errc::connection, "the session process is gone");
  return util::send_packet(channel_.native_handle(), packet, fds);
}

void SessionLink::close() {
  asio::error_code ignored;
  channel_.close(ignored);
}

void SessionLink::receive() {
  channel_.async_wait(
      asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](const asio::error_code& e) {
        if (e || !self->channel_.is_open()) return;
        while (self->channel_.is_open()) {
          auto incoming = util::receive_packet(self->channel_.native_handle());
          if (!incoming || incoming->what == util::Received::end) {
            self->close();
            return self->handlers_.hung_up(*self);
          }
          if (incoming->what == util::Received::nothing_yet) break;
          const auto packet = wire::parse_json(incoming->packet.text);
          if (!packet || !packet->is_object() || !packet->contains("type") || !(*packet)["type"].is_string()) {
            log::warn("lobby", "session process {} says something that is no packet", self->process_.value);
            continue;
          }
          self->handlers_.packet(*self, (*packet)["type"].get_ref<const std::string&>(), *packet);
        }
        self->receive();
      });
}

}  // namespace trapline::lobby
