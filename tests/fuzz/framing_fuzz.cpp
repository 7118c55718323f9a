#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "proto/wire/framing.hpp"
#include "tests/fuzz/mutate.hpp"

namespace trapline::fuzz {
namespace {

constexpr std::array<std::string_view, 8> dictionary{
    "Content-Length: ", "\r\n\r\n", "\n\n", "Content-Type: x\r\n", "-1", "99999999999999999999", "{}", "\n"};

struct Read {
  std::vector<std::string> bodies;
  std::vector<Errc> errors;
  bool operator==(const Read&) const = default;
};

// Feeds `stream` in pieces of at most `piece` bytes.
Read read_all(const std::string& stream, wire::Framing framing, std::size_t piece) {
  wire::MessageReader reader(framing, {.message = 512, .headers = 128});
  Read read;
  for (std::size_t at = 0; at < stream.size() && !reader.broken(); at += piece) {
    reader.feed(std::string_view(stream).substr(at, piece));
    for (;;) {
      const auto next = reader.next();
      if (!next)
        read.errors.push_back(next.error().code);
      else if (*next)
        read.bodies.push_back(**next);
      if (reader.broken() || (next && !*next)) break;
    }
  }
  return read;
}

TEST_CASE("a stream is read the same however it is cut, and garbage never hangs the reader") {
  Random random(20260101);
  const std::string framed =
      "Content-Length: 7\r\n\r\n{\"a\":1}Content-Type: a\r\nContent-Length: 2\r\n\r\n{}Content-Length: 600\r\n\r\n" +
      std::string(600, 'x') + "Content-Length: 2\n\n[]";
  const std::string lines = "{\"a\":1}\n\n{}\r\n" + std::string(600, 'y') + "\n[]\n";
  for (int round = 0; round < 20000; ++round) {
    const bool by_line = random() % 2 == 0;
    const auto framing = by_line ? wire::Framing::lines : wire::Framing::headers;
    const auto stream = mutate(by_line ? lines : framed, random, dictionary);
    const auto whole = read_all(stream, framing, stream.size() + 1);
    const auto cut = read_all(stream, framing, 1 + below(random, 9));
    CAPTURE(stream);
    REQUIRE(whole.bodies == cut.bodies);
    REQUIRE(whole.errors == cut.errors);
    for (const auto& body : whole.bodies) REQUIRE(body.size() <= 512);
  }
}

TEST_CASE("text that is no JSON is refused, whatever it is") {
  Random random(20260102);
  const std::string seed =
      R"({"seq":1,"type":"request","command":"evaluate","arguments":{"expression":"a\u00e4","frameId":1e3,"x":[1,[2,null]]}})";
  constexpr std::array<std::string_view, 6> words{"[[[[[[[[", "\"\\ud800\"", "1e999", "nul", "{\"a\":", "\\"};
  std::size_t good = 0;
  for (int round = 0; round < 20000; ++round) good += wire::parse_json(mutate(seed, random, words)).has_value() ? 1 : 0;
  CHECK(good > 0);
  CHECK(good < 20000);
}

}  // namespace
}  // namespace trapline::fuzz
