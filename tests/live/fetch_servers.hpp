#pragma once
// debuginfod servers for the tests: a real one over a folder, and one that answers as badly as a test wants.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/live/daemon_support.hpp"

namespace trapline::test {

// A socket that listens on a port which the system chose.
inline util::Fd listener_on_any_port(int& port) {
  util::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  REQUIRE(::listen(fd.get(), 16) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  port = ntohs(name.sin_port);
  return fd;
}

inline std::string url_of(int port) { return fmt::format("http://127.0.0.1:{}", port); }

// The status of a GET; 0: no connection, or no answer.
inline int http_status(int port, const std::string& path) {
  const util::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval bound{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return 0;
  const auto request = fmt::format("GET {} HTTP/1.0\r\n\r\n", path);
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return 0;
  char answer[64] = {};
  if (::recv(fd.get(), answer, sizeof answer - 1, MSG_WAITALL) < 12) return 0;
  return std::atoi(answer + 9);
}

// elfutils' own server. It takes a port by number only: one that was free a moment ago.
class RealServer {
 public:
  RealServer(const std::filesystem::path& files, const std::filesystem::path& house) {
    listener_on_any_port(port_);
    std::filesystem::create_directories(house);
    // Not `:memory:`: that is one connection for scanning and asking, and who asks meanwhile can make a scan lose
    // files.
    std::vector<std::string> words{"debuginfod", "-F", "-p", std::to_string(port_), "-d", house / "files.sqlite",
                                   "-t",         "0",  files};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::unsetenv("DEBUGINFOD_URLS");
      ::setenv("HOME", house.c_str(), 1);
      ::setenv("XDG_CACHE_HOME", house.c_str(), 1);
      const int log = ::open((house / "server.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(log, STDOUT_FILENO);
      ::dup2(log, STDERR_FILENO);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
  }
  RealServer(const RealServer&) = delete;
  ~RealServer() {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string url() const { return url_of(port_); }
  // It has scanned its folder as far as that file.
  void serves(const std::string& path) const {
    eventually("the debuginfod server", [&] { return http_status(port_, path) == 200; });
  }

 private:
  int port_ = 0;
  pid_t pid_ = -1;
};

// Answers every request with `head` of `body`, keeps the rest until it is let go, and counts. Silent: not even a
// status.
class SlowServer {
 public:
  enum class Answer : std::uint8_t { half, silent };
  SlowServer(Answer answer, std::string body = {}) : answer_(answer), body_(std::move(body)) {
    listener_ = listener_on_any_port(port_);
    thread_ = std::thread([this] { serve(); });
  }
  SlowServer(const SlowServer&) = delete;
  ~SlowServer() {
    over_ = true;
    thread_.join();
  }
  std::string url() const { return url_of(port_); }
  int requests() const { return requests_; }
  void let_go() { go_ = true; }

 private:
  bool readable(int fd) const {
    pollfd about{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&about, 1, 10) == 1;
  }
  void serve() {
    while (!over_) {
      if (!readable(listener_.get())) continue;
      const util::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string request;
      while (!over_ && request.find("\r\n\r\n") == std::string::npos) {
        char chunk[1024];
        if (!readable(client.get())) continue;
        const auto got = ::recv(client.get(), chunk, sizeof chunk, 0);
        if (got <= 0) break;
        request.append(chunk, static_cast<std::size_t>(got));
      }
      if (request.empty()) continue;
      ++requests_;
      if (answer_ == Answer::half) {
        const auto head = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-DEBUGINFOD-SIZE: {}\r\n\r\n",
                                      body_.size(), body_.size());
        put(client.get(), head + body_.substr(0, body_.size() / 2));
      }
      while (!over_ && !go_ && !readable(client.get())) {  // readable: the client has gone
      }
      if (go_ && answer_ == Answer::half) put(client.get(), body_.substr(body_.size() / 2));
    }
  }
  static void put(int fd, std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  Answer answer_;
  std::string body_;
  int port_ = 0;
  util::Fd listener_;
  std::atomic<int> requests_ = 0;
  std::atomic<bool> over_ = false, go_ = false;
  std::thread thread_;
};

}  // namespace trapline::test
