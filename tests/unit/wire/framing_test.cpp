#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "proto/wire/framing.hpp"

using namespace trapline;
using namespace trapline::wire;

namespace {

// Everything that `reader` gives for `bytes`, fed in pieces of `piece` bytes.
std::vector<std::string> read_all(MessageReader& reader, std::string_view bytes, std::size_t piece) {
  std::vector<std::string> bodies;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (true) {
      auto next = reader.next();
      REQUIRE(next.has_value());
      if (!*next) break;
      bodies.push_back(**next);
    }
  }
  return bodies;
}

Error error_of(std::string_view bytes, Limits limits = {}) {
  MessageReader reader(Framing::headers, limits);
  reader.feed(bytes);
  auto next = reader.next();
  REQUIRE_FALSE(next.has_value());
  return next.error();
}

}  // namespace

TEST_CASE("frames come out whole, whatever pieces they arrive in") {
  const std::string bytes =
      "Content-Length: 2\r\n\r\n{}"
      "Content-Length: 0\r\n\r\n"
      "Content-Length: 7\r\n\r\n{\"a\":1}";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    MessageReader reader(Framing::headers);
    CHECK(read_all(reader, bytes, piece) == std::vector<std::string>{"{}", "", "{\"a\":1}"});
    CHECK_FALSE(reader.mid_message());
  }
}

TEST_CASE("headers may differ in case, order, company and line ends") {
  for (const std::string bytes :
       {"content-length:2\r\n\r\n{}", "CONTENT-LENGTH:   2  \r\n\r\n{}", "Content-Length: 2\n\n{}",
        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nX-Trace: a:b\r\n\r\n{}", "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "\r\n\n\r\nContent-Length: 2\r\n\r\n{}"}) {
    MessageReader reader(Framing::headers);
    CHECK_MESSAGE(read_all(reader, bytes, bytes.size()) == std::vector<std::string>{"{}"}, bytes);
  }
}

TEST_CASE("what is no frame is one clear error, and the reader knows that it is lost") {
  CHECK(error_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n").message == "'GET / HTTP/1.1' is no header line");
  CHECK(error_of("\x16\x03\x01\x02\n").message == "'\\x16\\x03\\x01\\x02' is no header line");
  CHECK(error_of("Content-Length: -1\r\n\r\n").message == "Content-Length '-1' is no number of bytes");
  CHECK(error_of("Content-Length: 0x10\r\n\r\n").message == "Content-Length '0x10' is no number of bytes");
  CHECK(error_of("Content-Length:\r\n\r\n").message == "Content-Length '' is no number of bytes");
  CHECK(error_of("Content-Length: 99999999999999999999\r\n\r\n").code == Errc::bad_request);
  CHECK(error_of("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}").message == "two Content-Length headers, 2 and 3");
  CHECK(error_of("Content-Type: x\r\n\r\n{}").message == "headers without Content-Length");
  CHECK_FALSE(error_of("nonsense\n").hint.empty());

  MessageReader reader(Framing::headers);
  reader.feed("nonsense\n");
  CHECK_FALSE(reader.next().has_value());
  CHECK(reader.broken());
  reader.feed("Content-Length: 2\r\n\r\n{}");
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("a message over the limit is skipped as it comes, and the next one is read") {
  for (const std::size_t piece : {1U, 7U, 64U}) {
    MessageReader reader(Framing::headers, {.message = 10, .headers = 100});
    const std::string bytes = "Content-Length: 11\r\n\r\nabcdefghijkContent-Length: 10\r\n\r\n0123456789";
    std::vector<std::string> bodies;
    int refused = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      while (true) {
        auto next = reader.next();
        if (!next) {
          CHECK(next.error().code == Errc::too_large);
          ++refused;
        } else if (*next) {
          bodies.push_back(**next);
        } else {
          break;
        }
      }
    }
    CHECK(refused == 1);
    CHECK_FALSE(reader.broken());
    CHECK(bodies == std::vector<std::string>{"0123456789"});
  }
}

TEST_CASE("headers without end are cut off at the limit") {
  MessageReader reader(Framing::headers, {.message = 10, .headers = 100});
  reader.feed("X-Long: " + std::string(92, 'x'));
  CHECK(reader.next().value() == std::nullopt);
  reader.feed("x");
  CHECK(reader.next().error().code == Errc::too_large);
  CHECK(reader.broken());

  MessageReader many(Framing::headers, {.message = 10, .headers = 100});
  std::string lines;
  for (int i = 0; i < 30; ++i) lines += "X-N: 1\r\n";
  many.feed(lines);
  CHECK(many.next().error().code == Errc::too_large);
  CHECK(many.broken());
}

TEST_CASE("half a message is known as such") {
  MessageReader reader(Framing::headers);
  CHECK_FALSE(reader.mid_message());
  reader.feed("Content-Le");
  CHECK(reader.next().value() == std::nullopt);
  CHECK(reader.mid_message());
  reader.feed("ngth: 4\r\n\r\n{}");
  CHECK(reader.next().value() == std::nullopt);
  CHECK(reader.mid_message());
  reader.feed("{}");
  CHECK(reader.next().value() == "{}{}");
  CHECK_FALSE(reader.mid_message());
}

TEST_CASE("what was not read yet can be handed to another reader") {
  MessageReader reader(Framing::headers);
  reader.feed("Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1");
  CHECK(reader.next().value() == "{}");
  MessageReader other(Framing::headers);
  other.feed(reader.take_rest());
  CHECK_FALSE(reader.mid_message());
  other.feed("]");
  CHECK(other.next().value() == "[1]");
}

TEST_CASE("lines: one message each, blank ones do not count, a long one is skipped") {
  MessageReader reader(Framing::lines, {.message = 10, .headers = 100});
  reader.feed("{}\n\r\n  \n[1]\r\n0123456789a");
  CHECK(reader.next().value() == "{}");
  CHECK(reader.next().value() == "[1]");
  CHECK(reader.next().error().code == Errc::too_large);
  CHECK(reader.next().value() == std::nullopt);
  reader.feed("bc\n{\"a\":1}\n");
  CHECK(reader.next().value() == "{\"a\":1}");
  CHECK_FALSE(reader.broken());
  CHECK_FALSE(reader.mid_message());
  reader.feed("{");
  CHECK(reader.mid_message());
}

TEST_CASE("a long stream is not kept in memory and costs what it is long") {
  MessageReader reader(Framing::headers);
  const std::string body(1000, 'x');
  const std::string frame = frame_body(body);
  std::string all;
  for (int i = 0; i < 3000; ++i) all += frame;
  reader.feed(all);
  int count = 0;
  while (auto next = reader.next().value()) count += *next == body ? 1 : 0;
  CHECK(count == 3000);
}

TEST_CASE("the first message tells what a connection speaks") {
  const std::string dap = R"({"seq":1,"type":"request","command":"initialize"})";
  const std::string rpc = R"({"jsonrpc":"2.0","id":1,"method":"session.list"})";
  const auto sniff = [](const std::string& bytes) {
    Sniffer sniffer;
    std::optional<FirstMessage> first;
    for (const char c : bytes) {  // byte by byte: nothing depends on the pieces
      REQUIRE_FALSE(first.has_value());
      sniffer.feed(std::string_view(&c, 1));
      auto next = sniffer.next();
      REQUIRE(next.has_value());
      first = *next;
    }
    REQUIRE(first.has_value());
    return *first;
  };
  auto first = sniff(frame_body(dap));
  CHECK(first.protocol == Protocol::dap);
  CHECK(first.framing == Framing::headers);
  CHECK(first.body == dap);
  first = sniff("\r\n" + frame_body(rpc));
  CHECK(first.protocol == Protocol::rpc);
  CHECK(first.framing == Framing::headers);
  first = sniff(rpc + "\n");
  CHECK(first.protocol == Protocol::rpc);
  CHECK(first.framing == Framing::lines);
  first = sniff("  \n[" + rpc + "]\n");
  CHECK(first.protocol == Protocol::rpc);
}

TEST_CASE("a first message that is neither is refused with what to send") {
  const auto problem = [](const std::string& bytes) {
    Sniffer sniffer;
    sniffer.feed(bytes);
    auto next = sniffer.next();
    REQUIRE_FALSE(next.has_value());
    return next.error();
  };
  CHECK(problem("{\"type\":\"request\"}\n").message == "a DAP message came without its frame");
  CHECK(problem("{\"hello\":1}\n").code == Errc::bad_request);
  CHECK(problem("[]\n").code == Errc::bad_request);
  CHECK(problem("{]\n").message.starts_with("malformed JSON at byte 2"));
  CHECK(problem(frame_body("42")).code == Errc::bad_request);
  CHECK(problem("GET / HTTP/1.0\r\n").message == "'GET / HTTP/1.0' is no header line");
}

TEST_CASE("the bytes after the first message belong to whoever takes over") {
  Sniffer sniffer;
  sniffer.feed(frame_body(R"({"type":"request"})") + frame_body("{}"));
  REQUIRE(sniffer.next().value().has_value());
  auto reader = sniffer.take_reader();
  CHECK(reader.next().value() == "{}");
}

TEST_CASE("JSON that cannot be handled safely is refused") {
  CHECK(parse_json("{\"a\":[1,2]}").value()["a"][1] == 2);
  CHECK_FALSE(parse_json("").has_value());
  CHECK_FALSE(parse_json("{} {}").has_value());
  CHECK_FALSE(parse_json("\"\xff\xfe\"").has_value());
  CHECK(parse_json(std::string(300, '[') + std::string(300, ']')).error().message ==
        "JSON is nested deeper than 200 levels");
  CHECK(parse_json("\"" + std::string(300, '[') + "\"").has_value());  // brackets in a string are text
  CHECK(parse_json(R"(["\"[", "\\"])").has_value());
}

TEST_CASE("messages are encoded with their length in bytes, and text of a debuggee cannot break them") {
  CHECK(encode_frame(nlohmann::json{{"a", "ü"}}) == "Content-Length: 10\r\n\r\n{\"a\":\"ü\"}");
  CHECK(encode_line(nlohmann::json{{"a", "x\ny"}}) == "{\"a\":\"x\\ny\"}\n");
  const auto line = encode_as(Framing::lines, nlohmann::json{{"a", "\xff"}});
  CHECK(parse_json(line).value()["a"] == "\xef\xbf\xbd");
}

TEST_CASE("bytes at random break no more than the stream itself") {
  std::uint64_t state = 1;
  const auto random = [&state] { return state = state * 6364136223846793005ULL + 1442695040888963407ULL, state >> 33; };
  const std::string good = frame_body("{\"seq\":1}") + frame_body("") + "X: y\r\n" + frame_body("[]");
  int errors = 0;
  int messages = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (auto flips = random() % 4; flips > 0; --flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    MessageReader reader(round % 2 == 0 ? Framing::headers : Framing::lines, {.message = 40, .headers = 60});
    for (std::size_t at = 0; at < bytes.size();) {
      const auto piece = 1 + random() % 30;
      reader.feed(std::string_view(bytes).substr(at, piece));
      at += piece;
      for (int calls = 0; calls < 100 && !reader.broken(); ++calls) {
        auto next = reader.next();
        if (!next) {
          ++errors;
        } else if (*next) {
          CHECK((*next)->size() <= 40);
          ++messages;
        } else {
          break;
        }
      }
    }
  }
  CHECK(errors > 1000);
  CHECK(messages > 10000);
}
