#pragma once
// The gate for a program that somebody else starts (runInTerminal): a helper of ours connects, waits to be seized, then
// execs.
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::session {

class TerminalGate : public std::enable_shared_from_this<TerminalGate> {
 public:
  // The helper that came: its pid as the kernel says (SO_PEERCRED), and how to let it go on.
  struct Waiting {
    Pid pid;
    std::function<void()> release;
  };
  static Result<std::shared_ptr<TerminalGate>> open(asio::io_context& loop, const std::filesystem::path& dir);
  ~TerminalGate();
  const std::filesystem::path& path() const { return path_; }
  // Answers once: the helper, a timeout, or cancelled.
  void wait(std::chrono::seconds timeout, Reply<Waiting> reply);
  void cancel(const Error& why);

 private:
  explicit TerminalGate(asio::io_context& loop);
  void answer(Result<Waiting> result);

  asio::local::stream_protocol::acceptor acceptor_;
  std::shared_ptr<asio::local::stream_protocol::socket> peer_;
  asio::steady_timer timer_;
  std::filesystem::path path_;
  Reply<Waiting> reply_;
};

}  // namespace trapline::session
