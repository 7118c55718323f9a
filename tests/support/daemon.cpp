#include "tests/support/daemon.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace trapline::test {
namespace {

using Clock = std::chrono::steady_clock;

int households = 0;
std::string newest_log;  // path of the daemon that runs now, for messages

std::string end_of_log() {
  const auto text = read_file(newest_log);
  return text.size() > 4000 ? "..." + text.substr(text.size() - 4000) : text;
}

[[noreturn]] void give_up(const std::string& what) {
  FAIL("waited in vain for " << what << "\n--- the daemon's log:\n" << end_of_log());
  std::abort();
}

std::vector<pid_t> children() {
  std::ifstream list(fmt::format("/proc/self/task/{}/children", ::getpid()));
  std::vector<pid_t> pids;
  for (pid_t pid = 0; list >> pid;) pids.push_back(pid);
  return pids;
}

// A pidfd is readable once the process has ended.
bool ends_within(pid_t pid, milliseconds bound) {
  const util::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd about{.fd = process.get(), .events = POLLIN, .revents = 0};
  return process && ::poll(&about, 1, static_cast<int>(bound.count())) == 1;
}

int left(Clock::time_point end) {
  return static_cast<int>(std::max<long>(0, std::chrono::duration_cast<milliseconds>(end - Clock::now()).count()));
}

}  // namespace

Household::Household() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ++households;
}

Household::~Household() {
  if (--households > 0) return;  // another daemon of this test still runs
  // Killing a session hands its debuggee to us: again until nobody is left.
  for (int round = 0; round < 100; ++round) {
    const auto pids = children();
    if (pids.empty()) return;
    for (const auto pid : pids) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
}

void eventually(std::string_view what, const std::function<bool()>& done, milliseconds bound) {
  const auto end = Clock::now() + bound;
  while (!done()) {
    if (Clock::now() > end) give_up(std::string(what));
    std::this_thread::sleep_for(milliseconds(2));
  }
}

bool process_lives(pid_t pid) {
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid));
  const auto paren = stat.rfind(')');
  return paren != std::string::npos && paren + 2 < stat.size() && stat[paren + 2] != 'Z' && stat[paren + 2] != 'X';
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Daemon::Daemon(Setup setup) : setup_(std::move(setup)) {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  folder_ = name;
  start();
}

Daemon::~Daemon() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    if (!ends_within(pid_, std::chrono::seconds(8))) ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Daemon::start() {
  newest_log = (folder_ / "log").string();
  int out[2];
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  const int log = ::open(newest_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::vector<std::string> words{TRAPLINED};
  if (setup_.unix_socket) words.insert(words.end(), {"--listen", "unix:" + socket()});
  words.insert(words.end(), setup_.arguments.begin(), setup_.arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::setenv("TRAPLINE_LOG", "debug", 1);
    ::unsetenv("TRAPLINE_SOCKET");
    ::unsetenv("DEBUGINFOD_URLS");  // tests name their own servers
    for (auto& entry : setup_.environment) ::putenv(entry.data());
    ::setpgid(0, 0);
    if (setup_.in_child) setup_.in_child();
    ::execv(TRAPLINED, argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(log);
  addresses_.clear();
  const util::Fd lines(out[0]);
  std::string text;
  const auto end = Clock::now() + patience;
  while (setup_.starts && addresses_.size() < setup_.listeners) {
    pollfd about{.fd = lines.get(), .events = POLLIN, .revents = 0};
    char chunk[512];
    ssize_t got = ::poll(&about, 1, left(end)) == 1 ? ::read(lines.get(), chunk, sizeof chunk) : 0;
    if (got <= 0) give_up("\"listening on\"");
    text.append(chunk, static_cast<std::size_t>(got));
    for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n')) {
      REQUIRE(text.starts_with("listening on "));
      addresses_.push_back(text.substr(13, at - 13));
      text.erase(0, at + 1);
    }
  }
}

std::vector<std::string> Daemon::journals() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(house() / "journals", error))
    if (file.path().extension() == ".journal") names.push_back(file.path().filename().string());
  return names;
}

void Daemon::signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }

int Daemon::wait_exit(milliseconds bound) {
  int status = 0;
  if (!ends_within(pid_, bound)) give_up("the daemon's end");
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  return status;
}

Peer::Peer(const std::string& address) {
  if (address.starts_with("tcp:")) {
    const auto colon = address.rfind(':');
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    REQUIRE(::inet_pton(AF_INET, address.substr(4, colon - 4).c_str(), &name.sin_addr) == 1);
    fd_ = util::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    return;
  }
  const auto path = address.starts_with("unix:") ? address.substr(5) : address;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof name.sun_path);
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  fd_ = util::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE_MESSAGE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0, strerror(errno));
}

void Peer::send(std::string_view bytes) {
  const auto end = Clock::now() + patience;
  while (!bytes.empty()) {
    const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && (errno == EPIPE || errno == ECONNRESET)) return;  // what came back tells the test more
    if (put < 0 && errno == EAGAIN) {
      pollfd about{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      if (::poll(&about, 1, left(end)) != 1) give_up("room to send");
      continue;
    }
    REQUIRE(put > 0);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

bool Peer::more(milliseconds bound) {
  pollfd about{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&about, 1, static_cast<int>(bound.count())) != 1) give_up("bytes from the daemon");
  char chunk[65536];
  const ssize_t got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
  if (got <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> Peer::line(milliseconds bound) {
  auto end = buffer_.find('\n');
  while (end == std::string::npos) {
    if (!more(bound)) return std::nullopt;
    end = buffer_.find('\n');
  }
  auto text = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return text;
}

std::optional<std::string> Peer::frame(milliseconds bound) {
  auto end = buffer_.find("\r\n\r\n");
  while (end == std::string::npos) {
    if (!more(bound)) return std::nullopt;
    end = buffer_.find("\r\n\r\n");
  }
  REQUIRE_MESSAGE(buffer_.starts_with("Content-Length: "), buffer_);
  const std::size_t length = std::stoul(buffer_.substr(16));
  while (buffer_.size() < end + 4 + length)
    if (!more(bound)) return std::nullopt;
  auto body = buffer_.substr(end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return body;
}

bool Peer::closed(milliseconds bound) {
  while (more(bound)) buffer_.clear();
  return true;
}

void Peer::half_close() { ::shutdown(fd_.get(), SHUT_WR); }

int RpcClient::send(std::string_view method, json params) {
  peer.send(json{{"jsonrpc", "2.0"}, {"id", ++last_id_}, {"method", method}, {"params", std::move(params)}}.dump() +
            "\n");
  return last_id_;
}

std::optional<json> RpcClient::message(milliseconds bound) {
  const auto text = peer.line(bound);
  if (!text) return std::nullopt;
  return json::parse(*text);
}

json RpcClient::answer(int id) {
  while (true) {
    auto next = message();
    if (!next) give_up(fmt::format("the answer to call {}; the connection was closed", id));
    if (next->contains("method"))
      events.push_back(*std::move(next));
    else if ((*next)["id"] == id)
      return *std::move(next);
    else
      FAIL("an answer to nothing: " << next->dump());
  }
}

json RpcClient::call(std::string_view method, json params) {
  auto whole = answer(send(method, std::move(params)));
  REQUIRE_MESSAGE(whole.contains("result"), method, ": ", whole.dump());
  return whole["result"];
}

json RpcClient::refused(std::string_view method, json params) {
  auto whole = answer(send(method, std::move(params)));
  REQUIRE_MESSAGE(whole.contains("error"), method, ": ", whole.dump());
  return whole["error"];
}

json RpcClient::event(std::string_view name) {
  const auto wanted = fmt::format("event.{}", name);
  while (true) {
    for (auto at = events.begin(); at != events.end(); ++at) {
      if ((*at)["method"] != wanted) continue;
      auto found = (*at)["params"];
      events.erase(events.begin(), at + 1);
      return found;
    }
    events.clear();
    auto next = message();
    if (!next) give_up(wanted + "; the connection was closed");
    if (next->contains("method")) events.push_back(*std::move(next));
  }
}

int DapClient::send(std::string_view command, json arguments) {
  const auto body =
      json{{"seq", ++last_seq_}, {"type", "request"}, {"command", command}, {"arguments", std::move(arguments)}}.dump();
  peer.send(fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body));
  return last_seq_;
}

json DapClient::message() {
  const auto text = peer.frame();
  if (!text) give_up("a DAP message; the connection was closed");
  return json::parse(*text);
}

json DapClient::response(int seq) {
  while (true) {
    for (auto at = responses.begin(); at != responses.end(); ++at) {
      if ((*at)["request_seq"] != seq) continue;
      auto found = *at;
      responses.erase(at);
      return found;
    }
    auto next = message();
    (next["type"] == "response" ? responses : events).push_back(std::move(next));
  }
}

json DapClient::ok(std::string_view command, json arguments) {
  auto whole = response(send(command, std::move(arguments)));
  REQUIRE_MESSAGE(whole["success"] == true, command, ": ", whole.dump());
  return whole.value("body", json());
}

json DapClient::refused(std::string_view command, json arguments) {
  auto whole = response(send(command, std::move(arguments)));
  REQUIRE_MESSAGE(whole["success"] == false, command, ": ", whole.dump());
  return whole["body"]["error"];
}

json DapClient::event(std::string_view name) {
  while (true) {
    for (auto at = events.begin(); at != events.end(); ++at) {
      if ((*at)["type"] != "event" || (*at)["event"] != name) continue;
      auto found = at->value("body", json::object());
      events.erase(events.begin(), at + 1);
      return found;
    }
    events.clear();
    auto next = message();
    (next["type"] == "response" ? responses : events).push_back(std::move(next));
  }
}

json DapClient::initialize(json more) {
  more["adapterID"] = "trapline";
  auto body = ok("initialize", std::move(more));
  event("initialized");
  return body;
}

}  // namespace trapline::test
