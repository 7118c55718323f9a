#include "daemon/session/terminal.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/write.hpp>
#include <utility>

namespace trapline::session {

TerminalGate::TerminalGate(asio::io_context& loop) : acceptor_(loop), timer_(loop) {}

TerminalGate::~TerminalGate() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

Result<std::shared_ptr<TerminalGate>> TerminalGate::open(asio::io_context& loop, const std::filesystem::path& dir) {
  static int serial = 0;
  auto gate = std::shared_ptr<TerminalGate>(new TerminalGate(loop));
  const auto path = dir / fmt::format("gate-{}-{}.sock", ::getpid(), ++serial);
  std::error_code problem;
  std::filesystem::remove(path, problem);
  const asio::local::stream_protocol::endpoint endpoint(path.string());
  gate->acceptor_.open(endpoint.protocol(), problem);
  if (!problem) gate->acceptor_.bind(endpoint, problem);
  if (!problem && ::chmod(path.c_str(), 0600) != 0) problem = std::error_code(errno, std::generic_category());
  if (!problem) gate->acceptor_.listen(1, problem);
  if (problem)
    return fail(Errc::os, fmt::format("socket {} for the terminal: {}", path.string(), problem.message()),
                problem.value());
  gate->path_ = path;
  return gate;
}

void TerminalGate::wait(std::chrono::seconds timeout, Reply<Waiting> reply) {
  reply_ = std::move(reply);
  peer_ = std::make_shared<asio::local::stream_protocol::socket>(acceptor_.get_executor());
  acceptor_.async_accept(*peer_, [self = shared_from_this()](std::error_code problem) {
    if (problem) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(self->peer_->native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
      return self->answer(fail(Errc::os, "the terminal's process cannot be identified", errno));
    self->answer(Waiting{.pid = Pid{peer.pid}, .release = [socket = self->peer_] {
                           std::error_code ignored;
                           asio::write(*socket, asio::buffer("g", 1), ignored);
                         }});
  });
  timer_.expires_after(timeout);
  timer_.async_wait([self = shared_from_this(), timeout](std::error_code problem) {
    if (!problem)
      self->answer(fail_hint(Errc::timeout,
                             fmt::format("the terminal did not start the program within {} s", timeout.count()),
                             "raise `timeout`, or set `console` to internalConsole"));
  });
}

void TerminalGate::cancel(const Error& why) { answer(std::unexpected(why)); }

void TerminalGate::answer(Result<Waiting> result) {
  std::error_code ignored;
  timer_.cancel();
  acceptor_.close(ignored);
  if (auto reply = std::exchange(reply_, nullptr)) reply(std::move(result));
}

}  // namespace trapline::session
