#include "daemon/util/channel.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace trapline::util {
namespace {

// First byte of a packet: the text itself, or "the text is in the last descriptor".
constexpr char plain = 'T';
constexpr char in_file = 'M';
// Well under the default send buffer (212,992 bytes), so that several packets fit.
constexpr std::size_t longest_plain = 32768;
constexpr std::size_t most_text = 256ULL << 20;

std::unexpected<Error> failed(const char* what, int err) {
  return fail(Errc::os, fmt::format("{}: {}", what, strerror(err)), err);
}

}  // namespace

Result<std::pair<Fd, Fd>> channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return failed("socketpair", errno);
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<void> send_packet(int channel, std::string_view text, std::span<const int> fds) {
  std::vector<int> all(fds.begin(), fds.end());
  TL_ASSERT(all.size() < most_fds);
  Fd file;
  std::string packet;
  if (text.size() <= longest_plain) {
    packet.reserve(text.size() + 1);
    packet += plain;
    packet += text;
  } else {
    TL_TRY(file, memory_file("trapline-packet", text));
    all.push_back(file.get());
    packet += in_file;
  }

  iovec part{.iov_base = packet.data(), .iov_len = packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_fds)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!all.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * all.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * all.size());
    std::memcpy(CMSG_DATA(header), all.data(), sizeof(int) * all.size());
  }
  while (::sendmsg(channel, &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return fail(Errc::connection, "the process at the other end does not read");
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
      return fail(Errc::connection, "the process at the other end is gone", errno);
    return failed("sendmsg", errno);
  }
  return {};
}

Result<Incoming> receive_packet(int channel) {
  std::string buffer(longest_plain + 1, '\0');
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_fds)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do got = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Incoming{};
  // A peer that died with unread packets of ours in its queue gives ECONNRESET: the same news.
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return Incoming{.what = Received::end, .packet = {}};
  if (got < 0) return failed("recvmsg", errno);

  Incoming incoming{.what = Received::packet, .packet = {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      incoming.packet.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(Errc::too_large, "a packet over the size that this program sends");
  buffer.resize(static_cast<std::size_t>(got));
  if (buffer.front() == in_file && !incoming.packet.fds.empty()) {
    TL_TRY(incoming.packet.text, read_memory_file(incoming.packet.fds.back().get()));
    incoming.packet.fds.pop_back();
  } else {
    incoming.packet.text = buffer.substr(1);
  }
  return incoming;
}

Result<Fd> memory_file(const char* name, std::string_view bytes) {
  Fd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) return failed("memfd_create", errno);
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed("write to a memfd", errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return failed("lseek of a memfd", errno);
  return file;
}

Result<std::string> read_memory_file(int fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return failed("fstat of a memfd", errno);
  if (about.st_size < 0 || static_cast<std::size_t>(about.st_size) > most_text)
    return fail(Errc::too_large, "a memfd over the size that this program sends");
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::pread(fd, text.data() + have, text.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed("read of a memfd", got < 0 ? errno : EIO);
    have += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace trapline::util
