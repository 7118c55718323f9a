#include "daemon/session/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace trapline::session {
namespace {

constexpr std::chrono::milliseconds closed_pty_pause{100};
// Not std::errc::io_error: Asio's category knows no such condition.
const std::error_code no_other_end(EIO, asio::error::get_system_category());
constexpr std::chrono::milliseconds held_pause{20};
constexpr std::size_t most_at_the_end = std::size_t{1} << 20;

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

OutputReader::OutputReader(asio::io_context& loop, util::Fd fd, proto::OutputCategory category,
                           std::shared_ptr<const bool> held, Sink sink)
    : stream_(loop, fd.release()), again_(loop), category_(category), held_(std::move(held)), sink_(std::move(sink)) {
  stream_.non_blocking(true);
}

void OutputReader::start() { read_next(); }

void OutputReader::read_next() {
  if (*held_) return read_later(held_pause);
  stream_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](std::error_code problem, std::size_t size) {
                            if (self->stopped_) return;
                            if (problem == no_other_end) return self->read_later(closed_pty_pause);
                            if (problem) return;
                            self->deliver(size);
                            self->read_next();
                          });
}

// A pty's master answers EIO while nobody has the other end open, as where all of the program's streams are files. It
// may be the program's controlling terminal all the same: whoever opens /dev/tty can be read again, and to close our
// end would be a SIGHUP. epoll tells of no opening, and tells of the hang-up without end where it is asked again: hence
// a timer.
void OutputReader::read_later(std::chrono::milliseconds pause) {
  again_.expires_after(pause);
  again_.async_wait([self = shared_from_this()](std::error_code cancelled) {
    if (!cancelled && !self->stopped_) self->read_next();
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
  // Bounded: a child that writes without end may have the other end open.
  for (std::size_t total = 0; total < most_at_the_end;) {
    const auto size = ::read(stream_.native_handle(), buffer_.data(), buffer_.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    deliver(static_cast<std::size_t>(size));
    total += static_cast<std::size_t>(size);
  }
  if (!partial_.empty()) sink_(category_, std::exchange(partial_, {}));
  again_.cancel();
  std::error_code ignored;
  stream_.close(ignored);
}

void OutputReader::discard() {
  sink_ = [](proto::OutputCategory, std::string) {};
  held_ = std::make_shared<bool>(false);
}

}  // namespace trapline::session
