#pragma once
// Bytes in, messages out: Content-Length framing (DAP, JSON-RPC) and one message a line (JSON-RPC for `nc` and shells).
//
// Thread: an object belongs to one thread. Nothing here blocks, and nothing here knows a socket.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "proto/words/result.hpp"

namespace trapline::wire {

struct Limits {
  std::size_t message = 64ULL << 20;  // bytes of one body or line
  std::size_t headers = 8ULL << 10;   // bytes of one header block, the empty line included
};

enum class Framing : std::uint8_t { headers, lines };

// Cuts a stream into message bodies. Tolerant where clients differ: any order and case of headers, headers that we do
// not know, lines that end with LF alone, empty lines between messages. Strict about the rest, since a stream that has
// lost its frame would be read as nonsense for ever.
class MessageReader {
 public:
  explicit MessageReader(Framing framing, Limits limits = {}) : framing_(framing), limits_(limits) {}

  void feed(std::string_view bytes);

  // The next body; nullopt: more bytes are needed. Errors:
  //   too_large    once a message; its bytes are skipped as they come and the stream goes on after them, except where
  //                the header block itself is over the limit: then broken() is true.
  //   bad_request  not a frame. broken() is true from then on, and nothing but closing helps.
  Result<std::optional<std::string>> next();

  bool broken() const { return broken_; }
  // Part of a message is here: a hang-up now lost something.
  bool mid_message() const;
  // The bytes that are not consumed yet, for the process that takes the connection over. The reader is empty after it.
  // Only between messages or before a broken frame; bytes of a message that is being skipped are not kept.
  std::string take_rest();
  Framing framing() const { return framing_; }

 private:
  enum class Part : std::uint8_t { headers, body };

  Result<std::optional<std::string>> next_framed();
  Result<std::optional<std::string>> next_line();
  Result<bool> read_headers();  // true: the block is complete and length_ is set
  Result<void> read_header(std::string_view line);
  std::unexpected<Error> break_with(Errc code, std::string what);
  void consume(std::size_t count);
  std::string_view pending() const { return std::string_view(buffer_).substr(begin_); }

  Framing framing_;
  Limits limits_;
  std::string buffer_;
  std::size_t begin_ = 0;        // consumed up to here
  std::size_t scanned_ = 0;      // from begin_: no line end before this
  std::size_t block_start_ = 0;  // from begin_ back: bytes of this header block that are consumed already
  std::uint64_t skip_ = 0;       // framed: bytes of a too large body still to come
  bool skipping_line_ = false;   // lines: until the next LF
  bool broken_ = false;
  Part part_ = Part::headers;
  std::optional<std::uint64_t> length_;
};

enum class Protocol : std::uint8_t { dap, rpc };

// What a connection turned out to speak.
struct FirstMessage {
  Protocol protocol;
  Framing framing;
  std::string body;
};

// Finds out from the first message what a connection speaks, so that one socket serves DAP, framed JSON-RPC and
// JSON-RPC by line. The first byte decides the framing, the first body the protocol.
class Sniffer {
 public:
  explicit Sniffer(Limits limits = {}) : limits_(limits) {}
  void feed(std::string_view bytes);
  // nullopt: more bytes are needed. Errors are final: the connection is to be answered once and closed.
  Result<std::optional<FirstMessage>> next();
  bool mid_message() const { return reader_ ? reader_->mid_message() : !early_.empty(); }
  // Goes on with what follows the first message. Only after next() gave one.
  MessageReader take_reader();
  // Framing as far as known, to choose the form of an error's answer.
  std::optional<Framing> framing() const;

 private:
  Limits limits_;
  std::string early_;  // blanks before the first byte that decides
  std::optional<MessageReader> reader_;
};

// Text of one message to JSON. Errors: bad_request with the byte where it went wrong; nesting over 200 levels, too,
// since such a value could not be printed again without deep recursion.
Result<nlohmann::json> parse_json(std::string_view text);

// Text in no known encoding may come from a debuggee; it goes out with U+FFFD in place of what is no UTF-8.
std::string encode(const nlohmann::json& message);
std::string frame_body(std::string_view body);  // a frame around text that is JSON already
std::string encode_frame(const nlohmann::json& message);
std::string encode_line(const nlohmann::json& message);
std::string encode_as(Framing framing, const nlohmann::json& message);
// Text would turn into a JSON string without a word: frame_body() is for text that is JSON already.
template <std::convertible_to<std::string_view> Text>
std::string encode(const Text&) = delete;
template <std::convertible_to<std::string_view> Text>
std::string encode_frame(const Text&) = delete;
template <std::convertible_to<std::string_view> Text>
std::string encode_line(const Text&) = delete;

// At most 40 bytes of `text`, printable, for error messages.
std::string excerpt(std::string_view text);

}  // namespace trapline::wire
