#include "bench/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace trapline::bench {
namespace {

constexpr int patience_ms = 60000;

}  // namespace

Channel Channel::program(const std::vector<std::string>& argv) {
  int to_child[2];
  int from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const int pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::dup2(to_child[0], 0);
    ::dup2(from_child[1], 1);
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  return {from_child[0], to_child[1], pid};
}

Channel Channel::unix_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no daemon at " + path);
  return {fd, fd, 0};
}

Channel::Channel(Channel&& other) noexcept
    : in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      pid_(std::exchange(other.pid_, 0)),
      buffer_(std::move(other.buffer_)) {}

Channel::~Channel() {
  if (out_ >= 0 && out_ != in_) ::close(out_);
  if (in_ >= 0) ::close(in_);
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Channel::write(std::string_view text) {
  while (!text.empty()) {
    const auto size = ::write(out_, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) throw std::runtime_error("the debugger hung up");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

void Channel::fill() {
  pollfd one{.fd = in_, .events = POLLIN, .revents = 0};
  if (::poll(&one, 1, patience_ms) <= 0)
    throw std::runtime_error("no answer within a minute; so far: " + buffer_.substr(0, 400));
  char bytes[65536];
  const auto size = ::read(in_, bytes, sizeof bytes);
  if (size <= 0) throw std::runtime_error("the debugger hung up");
  buffer_.append(bytes, static_cast<std::size_t>(size));
}

std::string Channel::read_line() {
  std::size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos) fill();
  auto line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string Channel::read_bytes(std::size_t size) {
  while (buffer_.size() < size) fill();
  auto bytes = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return bytes;
}

}  // namespace trapline::bench
