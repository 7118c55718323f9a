#include "daemon/session/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace trapline::session {
namespace {

// How many bytes at the end of `text` begin a UTF-8 character without ending it.
std::size_t unfinished_tail(const std::string& text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

OutputReader::OutputReader(asio::io_context& loop, util::Fd fd, proto::OutputCategory category, Sink sink)
    : stream_(loop, fd.release()), category_(category), sink_(std::move(sink)) {
  stream_.non_blocking(true);
}

void OutputReader::start() { read_next(); }

void OutputReader::read_next() {
  stream_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](std::error_code problem, std::size_t size) {
                            // A pty's master answers EIO once the last slave was closed: the end, not an error.
                            if (problem || self->stopped_) return;
                            self->deliver(size);
                            self->read_next();
                          });
}

void OutputReader::deliver(std::size_t size) {
  auto text = std::exchange(partial_, {});
  text.append(buffer_.data(), size);
  const auto tail = unfinished_tail(text);
  partial_ = text.substr(text.size() - tail);
  text.resize(text.size() - tail);
  if (!text.empty()) sink_(category_, std::move(text));
}

void OutputReader::drain_and_stop() {
  if (std::exchange(stopped_, true)) return;
  for (;;) {
    const auto size = ::read(stream_.native_handle(), buffer_.data(), buffer_.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    deliver(static_cast<std::size_t>(size));
  }
  if (!partial_.empty()) sink_(category_, std::exchange(partial_, {}));
  std::error_code ignored;
  stream_.close(ignored);
}

void OutputReader::discard() {
  sink_ = [](proto::OutputCategory, std::string) {};
}

}  // namespace trapline::session
