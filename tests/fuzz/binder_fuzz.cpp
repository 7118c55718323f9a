// Expressions that are mutated from real ones, parsed, bound and run on types and memory of a table: an answer or an
// error, and nothing else. Format specifiers and completion's search for an operand see the same texts.
#include "daemon/eval/completion.hpp"
#include "daemon/eval/format_suffix.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/unit/eval/support.hpp"

namespace trapline::fuzz {
namespace {

using sym::Builtin;
using sym::builtin;

constexpr std::array<std::string_view, 14> seeds{"((Node*)0x1000)->next->value + 3",
                                                 "((Node*)0x1000)->low << 2 | ~((Node*)0x1000)->middle",
                                                 "*(int(*)[4])0x1010,[3]x",
                                                 "(char*)0x1000,[2+1]sb",
                                                 "dynamic_cast<Node*>((Node*)0x1000)->value",
                                                 "static_cast<unsigned char>(-1) * 2.5e3f",
                                                 "Color::green == (Color)5 ? Color::red : (Color)6",
                                                 "sizeof(Node) + alignof(long double) - sizeof \"text\"",
                                                 "{int} 0x1000 @ 4",
                                                 "R\"x(raw)x\"[1] + u8\"y\"[0] + 'c'",
                                                 "&((Node*)0x1000)->value + 1 == (void*)0x1004",
                                                 "((Node&)*(long*)0x1000).value, noexcept(1 / 0)",
                                                 "(unsigned __int128)-1 >> 100 & 0b1011'0001",
                                                 "((Node*)0x1000)->value += 1'000 % 7"};
constexpr std::array<std::string_view, 18> words{
    "(",      ")",     "((((",  "[",   "->",   "::", ",x",   "'",       "\"",
    "0x1000", "Node*", "Color", "<<=", "@ -1", "&&", "R\"(", "0.5e-9L", ",[1]s"};

TEST_CASE("every expression is answered or refused") {
  eval::World world;
  world.side_effects = true;
  const auto field = [](std::string name, const sym::Type* type, std::uint64_t offset, std::uint32_t bits = 0) {
    sym::Member member;
    member.name = std::move(name);
    member.type = type;
    member.offset = offset;
    member.bit_size = bits;
    return member;
  };
  const auto* inner =
      sym::make_record("Node", sym::RecordKey::struct_, 24, {field("value", builtin(Builtin::int_), 0)});
  const auto* node =
      sym::make_record("Node", sym::RecordKey::struct_, 24,
                       {field("value", builtin(Builtin::int_), 0), field("low", builtin(Builtin::unsigned_int), 4, 3),
                        field("middle", builtin(Builtin::int_), 5, 7), field("next", inner->pointer_to(), 8)});
  world.scope.types = {{"Node", node}};
  const auto* color = sym::make_enumeration("Color", builtin(Builtin::unsigned_int), {{"red", 0}, {"green", 5}}, true);
  world.scope.types["Color"] = color;
  world.scope.enumerators = {{"Color::red", {color, 0}}, {"Color::green", {color, 5}}};
  world.memory.set(0x1000, std::array<std::uint64_t, 8>{41, 0x1000, 0x6c6c6568, 0x1008, 1, 2, 3, ~0ULL});
  Random random(20261121);
  std::size_t answered = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string text = mutate(std::string(seeds[below(random, seeds.size())]), random, words);
    const auto split = eval::split_format(text);
    CHECK(split.expression.size() <= text.size());
    CHECK(eval::operand_begin(text, text.size()) <= text.size());
    const auto value = world.run(split.expression);
    if (!value) {
      ++refused;
      REQUIRE_MESSAGE(!value.error().message.empty(), text);
      continue;
    }
    ++answered;
    eval::Options options;
    options.format = split.format;
    CHECK_MESSAGE(eval::summary(world.view(), *value, options).size() < 100000, text);
  }
  CHECK(answered > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("what nests without end is refused") {
  eval::World world;
  for (const auto* open :
       {"(int)", "sizeof ", "!", "~-", "(", "*(int*)", "1?2:", "1,", "(char)(", "noexcept(", "1+", "1 == "}) {
    std::string text;
    while (text.size() < 60000) text += open;
    const auto value = world.run(text + "1");
    if (!value) CHECK_MESSAGE(!value.error().message.empty(), open);
  }
}

}  // namespace
}  // namespace trapline::fuzz
