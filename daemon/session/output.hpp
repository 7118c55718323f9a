#pragma once
// The debuggee's output, read as it comes: stdout from a pty, stderr from a pipe so that it can be told apart.
#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "daemon/util/fd.hpp"
#include "proto/control.hpp"

namespace trapline::session {

class OutputReader : public std::enable_shared_from_this<OutputReader> {
 public:
  using Sink = std::function<void(proto::OutputCategory, std::string)>;
  // `held`: while it is true, nothing is read.
  OutputReader(asio::io_context& loop, util::Fd fd, proto::OutputCategory category, std::shared_ptr<const bool> held,
               Sink sink);
  void start();
  // Everything that is there now; after this nothing more comes. A child of the debuggee may hold the other end open
  // for ever.
  void drain_and_stop();
  // Goes on reading for as long as the loop runs, for nobody: a program that was let go must not find its terminal gone
  // (SIGHUP).
  void discard();

 private:
  void read_next();
  void read_later(std::chrono::milliseconds pause);
  void deliver(std::size_t size);

  asio::posix::stream_descriptor stream_;
  asio::steady_timer again_;
  proto::OutputCategory category_;
  std::shared_ptr<const bool> held_;
  Sink sink_;
  std::array<char, 16384> buffer_{};
  std::string partial_;  // the first bytes of a UTF-8 character whose rest has not come yet
  bool stopped_ = false;
};

}  // namespace trapline::session
