// dap: the stdio bridge for editors that start an adapter as a program. Bytes pass through as they are.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "client/commands/commands.hpp"

namespace trapline::client {
namespace {

bool write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = ::write(to, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

// False: `from` has ended, or `to` takes no more.
bool pass_on(int from, int to) {
  std::array<char, 65536> buffer{};
  const auto size = ::read(from, buffer.data(), buffer.size());
  if (size < 0 && errno == EINTR) return true;
  return size > 0 && write_all(to, std::string_view(buffer.data(), static_cast<std::size_t>(size)));
}

}  // namespace

int dap_verb(const Common& common) {
  const auto connected = connect_raw_or_start(common.where);
  if (!connected) return failed(common, connected.error());
  const int daemon = *connected;
  // An editor that goes away between two writes of ours must not kill us before the daemon has its bytes.
  ::signal(SIGPIPE, SIG_IGN);
  std::array<pollfd, 2> ends{
      {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = daemon, .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) break;
    if ((ends[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !pass_on(daemon, STDOUT_FILENO)) break;
    if ((ends[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !pass_on(STDIN_FILENO, daemon)) {
      // The editor has closed its side: the daemon reads the end too, and its last words still come back.
      ::shutdown(daemon, SHUT_WR);
      ends[0].fd = -1;
    }
  }
  ::close(daemon);
  return 0;
}

}  // namespace trapline::client
