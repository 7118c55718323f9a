// Live values of find_shapes where its debug information lies elsewhere or in another shape: the same in every build.
#include "tests/live/values_look.hpp"

using namespace trapline;
using namespace trapline::test;

TEST_CASE("a running program shows the same values, wherever its debug information lies") {
  for (const auto* kind : {"gcc.5", "clang.4", "gcc.4.split", "gcc.5.split", "clang.5.split", "gcc.4.dwp", "gcc.5.dwp",
                           "clang.5.dwp", "gcc.4.types.split", "gcc.5.types.dwp", "clang.5.types.dwp", "gcc.5.gz",
                           "gcc.5.zstd", "gcc.5.split.gz", "gcc.5.dwz", "gcc.5.shared", "gcc.5.stripped"}) {
    CAPTURE(std::string(kind));
    Look look(fmt::format("{}/find_shapes.{}", FIXTURES, kind), "one");
    CHECK(look.function() == "shapes::stops");
    CHECK(look.local("seed") == "3");
    CHECK(look.local("before") == "33");
    CHECK(look.show("pair.items[0] * 100 + pair.items[1]") == "608");
    CHECK(look.show("pair.id") == "99");
    CHECK(look.show("(int)pair.color") == "7");
    CHECK(look.show("pair.rest") == "77");
    CHECK(look.show("either.number") == "35");
    CHECK(look.show("counter") == "41");
    CHECK(look.show("shapes::Base::made") == "3");
    CHECK(look.show("depth") == "17");  // thread-local
    // clang keeps no copy of a constant that it folded, and says so.
    const bool folded = std::string_view(kind).starts_with("clang");
    CHECK(look.show("hidden[0] == 'o'") == (folded ? "`shapes::hidden`: optimized out" : "true"));
    CHECK(look.type("pair") == "shapes::Pair");
    CHECK(look.show("argc", look.level_of("main")) == "2");

    look.go_on();
    CHECK(look.function() == "shapes::take");
    CHECK(look.local("value") == "68");
    const auto caller = look.level_of("shapes::far_away");
    CHECK(look.local("start", caller) == "68");
    CHECK(look.local("twice", caller) == "2");
    CHECK(look.show("room[1]", caller) == "5");
    CHECK(look.show("pair.items[1]", caller) == "8");
    CHECK(look.show("spare", caller) == "5");
    CHECK(look.show("there.colors[1] == shapes::Color::green", caller) == "true");
  }
}
