#pragma once
// One client's socket (unix or tcp) on the Asio loop: bytes in by callback, bytes out through a queue.
//
// The queue is bounded: a client that does not read what it asked for is dropped rather than kept in memory. While much
// is queued nothing more is read from that client, so that it cannot ask for more than it takes.
// Thread: the loop's. Callbacks are never called from within send() or close().
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/util/fd.hpp"
#include "proto/words/result.hpp"

namespace trapline::util {

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  struct Handlers {
    std::function<void(std::string_view)> bytes;
    std::function<void()> end;           // the client sends no more (it may still read); sending goes on
    std::function<void()> sent = [] {};  // the queue has become empty
    std::function<void()> gone;          // last call: the connection is closed, by whichever side; once
  };
  static constexpr std::size_t slow_at = 4ULL << 20;   // queued bytes from which on nothing is read
  static constexpr std::size_t drop_at = 32ULL << 20;  // queued bytes over which one more message drops the client

  // For how long one client's messages are worked off before the others have their turn.
  static constexpr std::chrono::milliseconds slice{5};

  // Takes over a connected socket. Errors: os (no socket).
  static Result<std::shared_ptr<Stream>> adopt(asio::io_context& loop, Fd socket);
  explicit Stream(asio::io_context& loop) : socket_(loop), linger_(loop) {}

  void start(Handlers handlers);
  void send(std::string bytes);
  std::size_t queued() const { return waiting_.size() + sending_.size(); }
  // What is queued goes out first; then the client has a second to read it before the socket closes. What it still
  // sends is thrown away (closing over unread input would reset the connection and lose our last words).
  void close_after_sending();
  void close();
  bool open() const { return socket_.is_open() && !closing_; }
  // True once nobody can read what we send: both directions are shut (a killed client, not a half-closed one).
  bool hung_up();
  // From within the `bytes` handler: no more bytes come until resume_reading().
  void pause_reading() { paused_ = true; }
  void resume_reading();
  // Lets go of the socket, unread bytes and all, for another process that has it too. Only while reading is paused and
  // nothing is queued. No handler is called any more.
  void release();
  int socket() { return socket_.native_handle(); }
  auto executor() { return socket_.get_executor(); }

 private:
  void read();
  void write();
  void finish();
  void drain();
  void discard();

  asio::generic::stream_protocol::socket socket_;
  asio::steady_timer linger_;
  std::shared_ptr<Handlers> handlers_;  // shared: one may be running when we let go of it
  static constexpr std::size_t buffer_size = 65536;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
  std::string waiting_;
  std::string sending_;
  bool reading_ = false;
  bool writing_ = false;
  bool ended_ = false;     // the client sends no more
  bool closing_ = false;   // close_after_sending
  bool finished_ = false;  // `gone` was called, or the socket was given away
  bool paused_ = false;
};

}  // namespace trapline::util
