#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "daemon/eval/parser.hpp"
#include "daemon/sym/location.hpp"
#include "tests/fuzz/mutate.hpp"

namespace trapline::fuzz {
namespace {

class HalfKnown final : public eval::NameOracle {
 public:
  bool is_type(const sym::QualifiedName&) const override { return ++asked_ % 3 == 0; }
  bool is_known(const sym::QualifiedName&) const override { return asked_ % 2 == 0; }

 private:
  mutable unsigned asked_ = 0;
};

constexpr std::array<std::string_view, 9> seeds{"a.b->c[3] + *p * (int)x",
                                                "ns::T<int, char>::value == 'x' ? 1u : -2.5e3f",
                                                "static_cast<long>(q) << 3 | ~m & 0xff'ff",
                                                "$rax += sizeof(struct S) - alignof(T)",
                                                "{int} 0x1000 @ 4",
                                                "\"text\\x41\" L\"w\" u8'c'",
                                                "f(1, g(2), h)(3)",
                                                "!a && b || c, d = e",
                                                "*(const char (*)[8]) &v[1:2]"};
constexpr std::array<std::string_view, 16> words{"(",  ")",  "((((((((", "[",  "::",     "->*",      "<<=", "'",
                                                 "\"", "\\", "0b",       "1e", "sizeof", "operator", "?:",  "@"};

TEST_CASE("every text is parsed or refused") {
  Random random(20260104);
  std::size_t parsed = 0;
  for (int round = 0; round < 30000; ++round) {
    const HalfKnown names;
    const auto text = mutate(std::string(seeds[below(random, seeds.size())]), random, words);
    const auto tree = eval::parse(text, names);
    if (tree)
      ++parsed;
    else
      REQUIRE_MESSAGE(!tree.error().message.empty(), text);
  }
  CHECK(parsed > 100);
  CHECK(parsed < 30000);
}

TEST_CASE("nesting is bounded") {
  const HalfKnown names;
  for (const auto* open : {"(", "-", "*", "a[", "f(", "!", "a?b:"}) {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += open;
    CHECK_FALSE(eval::parse(text + "1", names).has_value());
  }
}

class Nothing final : public sym::LocationContext {
 public:
  Result<std::vector<std::byte>> register_bytes(std::uint32_t) const override {
    return std::vector<std::byte>(8, std::byte{0x41});
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    if (at.value % 3 == 0) return fail(Errc::bad_address, "unmapped");
    std::ranges::fill(out, std::byte{0x11});
    return {};
  }
  Result<LoadAddr> cfa() const override { return LoadAddr{0x7000}; }
  Result<std::uint64_t> frame_base() const override { return 0x7000; }
  Result<LoadAddr> load_address(std::uint64_t at) const override { return LoadAddr{at}; }
  Result<LoadAddr> tls_address(std::uint64_t offset) const override { return LoadAddr{offset}; }
  Result<std::vector<std::byte>> entry_value(const sym::Expression&) const override {
    return fail(Errc::not_available, "no caller");
  }
  Result<LoadAddr> object_address() const override { return LoadAddr{0x9000}; }
};

TEST_CASE("DWARF expressions of random operations end, with an answer or an error") {
  Random random(20260105);
  const Nothing context;
  std::size_t answered = 0;
  for (int round = 0; round < 30000; ++round) {
    sym::Expression expression;
    const auto size = 1 + below(random, 12);
    for (std::size_t i = 0; i < size; ++i)
      expression.push_back({.code = static_cast<std::uint8_t>(random()),
                            .a = random() % 4 == 0 ? random() : random() % 64,
                            .b = random() % 16,
                            .offset = i,
                            .block = {},
                            .inner = {},
                            .type = nullptr,
                            .die = {}});
    if (sym::run(expression, context, random() % 2 == 0 ? std::optional<std::uint64_t>(random()) : std::nullopt))
      ++answered;
  }
  CHECK(answered > 0);
}

}  // namespace
}  // namespace trapline::fuzz
