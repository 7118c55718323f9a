#include "daemon/util/stream.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace trapline::util {

Result<std::shared_ptr<Stream>> Stream::adopt(asio::io_context& loop, Fd socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
    return fail(Errc::os, fmt::format("this is no socket: {}", strerror(errno)), errno);
  auto stream = std::make_shared<Stream>(loop);
  asio::error_code error;
  stream->socket_.assign(asio::generic::stream_protocol(domain, 0), socket.get(), error);
  if (error) return fail(Errc::os, fmt::format("cannot watch a socket: {}", error.message()), error.value());
  (void)socket.release();
  return stream;
}

void Stream::start(Handlers handlers) {
  handlers_ = std::make_shared<Handlers>(std::move(handlers));
  read();
}

void Stream::read() {
  if (reading_ || paused_ || ended_ || closing_ || finished_ || queued() >= slow_at) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.get(), buffer_size),
                          [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
                            self->reading_ = false;
                            if (self->finished_ || self->closing_) return;
                            if (error == asio::error::eof) {
                              self->ended_ = true;
                              const auto handlers = self->handlers_;
                              return handlers->end();
                            }
                            if (error) return self->finish();
                            const auto handlers = self->handlers_;
                            handlers->bytes(std::string_view(self->buffer_.get(), size));
                            self->read();
                          });
}

void Stream::send(std::string bytes) {
  if (finished_ || closing_ || bytes.empty()) return;
  // What is there already counts: an answer of any size reaches a client that reads.
  if (queued() > drop_at) return close();
  if (waiting_.empty())
    waiting_ = std::move(bytes);
  else
    waiting_ += bytes;
  write();
}

// All that waits goes out in one write: a burst of events costs one system call.
void Stream::write() {
  if (writing_ || waiting_.empty()) return;
  writing_ = true;
  sending_ = std::exchange(waiting_, {});
  asio::async_write(socket_, asio::buffer(sending_),
                    [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                      self->writing_ = false;
                      self->sending_.clear();
                      if (self->finished_) return;
                      if (error) return self->finish();
                      self->write();
                      if (self->closing_ && !self->writing_) return self->drain();
                      self->read();
                      if (self->queued() != 0) return;
                      const auto handlers = self->handlers_;
                      if (handlers) handlers->sent();
                    });
}

void Stream::close_after_sending() {
  if (finished_ || closing_) return;
  closing_ = true;
  if (writing_) return;  // its handler goes on from here
  asio::error_code ignored;
  socket_.cancel(ignored);
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->finished_) self->drain();
  });
}

void Stream::drain() {
  asio::error_code error;
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  if (ended_ || error) return finish();
  linger_.expires_after(std::chrono::seconds(1));
  linger_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled) self->finish();
  });
  discard();
}

void Stream::discard() {
  socket_.async_read_some(asio::buffer(buffer_.get(), buffer_size),
                          [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                            if (error) return self->finish();
                            if (!self->finished_) self->discard();
                          });
}

void Stream::close() {
  if (finished_) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->finish(); });
  closing_ = true;
  asio::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_both, ignored);
}

void Stream::finish() {
  if (finished_) return;
  finished_ = true;
  linger_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
  // The handlers hold their owner, which holds us: let go of them.
  const auto handlers = std::exchange(handlers_, nullptr);
  if (handlers) handlers->gone();
}

bool Stream::hung_up() {
  if (!socket_.is_open()) return true;
  pollfd about{.fd = socket_.native_handle(), .events = 0, .revents = 0};
  return ::poll(&about, 1, 0) == 1 && (about.revents & (POLLHUP | POLLERR)) != 0;
}

void Stream::resume_reading() {
  paused_ = false;
  read();
}

void Stream::release() {
  TL_ASSERT(paused_ && queued() == 0);
  finished_ = true;
  asio::error_code ignored;
  socket_.close(ignored);
  handlers_ = nullptr;
}

}  // namespace trapline::util
