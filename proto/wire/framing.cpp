#include "proto/wire/framing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace trapline::wire {
namespace {

// RFC 9110 section 5.6.2: the bytes of a header's name.
bool is_token(char c) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         others.find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

constexpr std::string_view frame_help =
    "a message is 'Content-Length: BYTES', an empty line, and that many bytes of JSON";

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr std::size_t most = 40;
  std::string shown;
  for (const char c : text.substr(0, most)) {
    if (c >= 0x20 && c < 0x7f)
      shown += c;
    else
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (text.size() > most) shown += "...";
  return shown;
}

void MessageReader::feed(std::string_view bytes) {
  if (broken_) return;
  if (skip_ > 0) {  // nothing of a refused body is kept
    const auto gone = std::min<std::uint64_t>(skip_, bytes.size());
    skip_ -= gone;
    bytes.remove_prefix(static_cast<std::size_t>(gone));
  } else if (skipping_line_) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) return;
    skipping_line_ = false;
    bytes.remove_prefix(end + 1);
  }
  buffer_.append(bytes);
}

Result<std::optional<std::string>> MessageReader::next() {
  if (broken_) return fail(Errc::bad_request, "the stream has lost its frame; close the connection");
  return framing_ == Framing::headers ? next_framed() : next_line();
}

Result<std::optional<std::string>> MessageReader::next_framed() {
  if (part_ == Part::headers) {
    TL_TRY(const bool complete, read_headers());
    if (!complete) return std::nullopt;
    part_ = Part::body;
  }
  const std::uint64_t length = *length_;
  if (length > limits_.message) {
    const auto here = std::min<std::uint64_t>(length, pending().size());
    skip_ = length - here;
    consume(static_cast<std::size_t>(here));
    part_ = Part::headers;
    length_.reset();
    return fail(Errc::too_large, fmt::format("message of {} bytes is over the limit of {} bytes; it was not read",
                                             length, limits_.message));
  }
  if (pending().size() < length) return std::nullopt;
  std::string body(pending().substr(0, static_cast<std::size_t>(length)));
  consume(body.size());
  part_ = Part::headers;
  length_.reset();
  return body;
}

Result<bool> MessageReader::read_headers() {
  while (true) {
    const auto end = pending().find('\n', scanned_);
    if (block_start_ + std::min(end, pending().size()) > limits_.headers)
      return break_with(Errc::too_large, fmt::format("header block is over the limit of {} bytes", limits_.headers));
    if (end == std::string_view::npos) {
      scanned_ = pending().size();
      return false;
    }
    auto line = pending().substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool empty = line.empty();
    if (!empty) TL_TRY_VOID(read_header(line));
    block_start_ += end + 1;
    const bool started = block_start_ > end + 1;
    consume(end + 1);
    if (!empty) continue;
    if (!started) {  // an empty line between two messages
      block_start_ = 0;
      continue;
    }
    block_start_ = 0;
    if (!length_) return break_with(Errc::bad_request, "headers without Content-Length");
    return true;
  }
}

Result<void> MessageReader::read_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || !std::ranges::all_of(line.substr(0, colon), is_token))
    return break_with(Errc::bad_request, fmt::format("'{}' is no header line", excerpt(line)));
  if (!same_ignoring_case(line.substr(0, colon), "content-length")) return {};
  const auto text = trim(line.substr(colon + 1));
  std::uint64_t length = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || rest != text.data() + text.size() || problem != std::errc{})
    return break_with(Errc::bad_request, fmt::format("Content-Length '{}' is no number of bytes", excerpt(text)));
  if (length_ && *length_ != length)
    return break_with(Errc::bad_request, fmt::format("two Content-Length headers, {} and {}", *length_, length));
  length_ = length;
  return {};
}

Result<std::optional<std::string>> MessageReader::next_line() {
  while (true) {
    const auto end = pending().find('\n', scanned_);
    if (std::min(end, pending().size()) > limits_.message) {
      skipping_line_ = end == std::string_view::npos;
      consume(skipping_line_ ? pending().size() : end + 1);
      return fail(Errc::too_large, fmt::format("line is over the limit of {} bytes; it was not read", limits_.message));
    }
    if (end == std::string_view::npos) {
      scanned_ = pending().size();
      return std::nullopt;
    }
    auto line = pending().substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::string body;
    if (line.find_first_not_of(" \t") != std::string_view::npos) body = line;
    consume(end + 1);
    if (!body.empty()) return body;
  }
}

bool MessageReader::mid_message() const {
  return !broken_ && (part_ == Part::body || block_start_ > 0 || skip_ > 0 || skipping_line_ || !pending().empty());
}

std::string MessageReader::take_rest() {
  std::string rest(pending());
  buffer_.clear();
  begin_ = scanned_ = 0;
  return rest;
}

std::unexpected<Error> MessageReader::break_with(Errc code, std::string what) {
  broken_ = true;
  buffer_.clear();
  begin_ = scanned_ = 0;
  return fail_hint(code, std::move(what), std::string(frame_help));
}

void MessageReader::consume(std::size_t count) {
  begin_ += count;
  scanned_ = 0;
  // Moving the rest down costs its size: only where at least as much was consumed, so each byte moves O(1) times.
  if (begin_ * 2 >= buffer_.size()) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
}

std::string frame_body(std::string_view body) { return fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body); }

}  // namespace trapline::wire
