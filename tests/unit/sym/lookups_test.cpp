// Names and lines of tests/fixtures/lookups.cpp: asked as a person would, in every build.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "daemon/sym/module.hpp"
#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr const char* builds[] = {"lookups", "lookups.O2", "lookups.clang", "lookups.clang-O2", "lookups.linked"};

std::set<std::string> named(const sym::Module& module, std::string_view query) {
  std::set<std::string> names;
  for (const auto& function : module.functions_named(query)) {
    CHECK(function.entry != 0);
    names.insert(function.name);
  }
  return names;
}
using Names = std::set<std::string>;

}  // namespace

TEST_CASE("functions are found by every way to write their names, in every build") {
  for (const auto* build : builds) {
    CAPTURE(std::string(build));
    const auto module = open_fixture(build);
    CHECK(named(*module, "operator==") == Names{"shop::Item::operator=="});
    CHECK(named(*module, "Item::operator bool") == Names{"shop::Item::operator bool"});
    CHECK(named(*module, "shop::Item::operator std::string").size() == 1);
    CHECK(named(*module, "Item::operator()") == Names{"shop::Item::operator()"});
    CHECK(named(*module, "shop::operator+") == Names{"shop::operator+"});
    CHECK(named(*module, "operator\"\"_items").size() == 1);
    CHECK(named(*module, "Item::~Item") == Names{"shop::Item::~Item"});
    CHECK(named(*module, "Box::operator new").size() == 1);
    CHECK(named(*module, "Box<int>::operator delete").size() == 1);
    CHECK(named(*module, "Box<*>::get").size() == 1);
    CHECK(named(*module, "hidden").size() == 1);
    CHECK(named(*module, "{anonymous}::hidden").size() == 1);
    CHECK(named(*module, "plain_c") == Names{"plain_c"});
    CHECK(named(*module, "no_such_name").empty());
    CHECK(named(*module, "::total").empty());
  }
}

TEST_CASE("overloads are told apart by their parameters, however these are spelled") {
  for (const auto* build : builds) {
    CAPTURE(std::string(build));
    const auto module = open_fixture(build);
    const auto entries = [&](std::string_view query) {
      std::set<std::uint64_t> found;
      for (const auto& function : module->functions_named(query)) found.insert(function.entry);
      return found;
    };
    CHECK(entries("total").size() == 4);
    const auto by_long = entries("total(long, char const*)");
    CHECK(by_long.size() == 1);
    CHECK(entries("total(long, const char *)") == by_long);
    CHECK(entries("shop::total(shop::Cents, const char*)") == by_long);  // a typedef: only the DIE knows it
    CHECK(entries("total(Cents, const char*)") == by_long);
    const auto by_vector = entries("total(std::vector<shop::Item> const&, unsigned long)");
    CHECK(by_vector.size() == 1);
    CHECK(entries("total(const std::vector<Item>&, size_t)") == by_vector);
    CHECK(entries("total(const std::string&)").size() == 1);
    CHECK(entries("total(const std::string&)") != by_long);
    CHECK(entries("total(int)").size() == 1);
    CHECK(entries("total(char)").empty());
    CHECK(entries("plain_c(int, const char*)").size() == 1);
    CHECK(entries("plain_c(int)").empty());  // C's symbols have no list, its DIEs do
  }
}

TEST_CASE("lambdas are found by their function, expressions and globs by what they match") {
  for (const auto* build : {"lookups", "lookups.clang"}) {
    CAPTURE(std::string(build));
    const auto module = open_fixture(build);
    CHECK(module->functions_named("with_lambdas::<lambda>").size() == 2);
    CHECK(module->functions_named("with_lambdas::{lambda}::operator()(char)").size() == 1);
    CHECK(module->functions_named("main::<lambda>").empty());
  }
  const auto gcc = open_fixture("lookups");
  CHECK(gcc->functions_named("with_lambdas::{lambda(int)#1}").size() == 1);
  CHECK(gcc->functions_named("with_lambdas(int)::{lambda(char)#2}::operator()").size() == 1);
  CHECK(gcc->functions_named("with_lambdas::<lambda(char)>").size() == 1);
  const auto clang = open_fixture("lookups.clang");
  CHECK(clang->functions_named("with_lambdas::$_0").size() == 1);
  for (const auto* build : builds) {
    CAPTURE(std::string(build));
    const auto module = open_fixture(build);
    CHECK(named(*module, "/^shop::Item::operator(==|\\(\\))$/") ==
          Names{"shop::Item::operator==", "shop::Item::operator()"});
    CHECK(named(*module, "shop::tot*") == Names{"shop::total"});
    CHECK(module->functions_named("/(/").empty());
  }
}

TEST_CASE("a line has an address in every copy of its code") {
  for (const auto* build : builds) {
    CAPTURE(std::string(build));
    const auto module = open_fixture(build);
    const auto count = [&](std::string_view file, std::string_view what) {
      const auto found = module->addresses_of(file, mark(file, what), 0);
      CHECK(found.moved_to.value == 0);
      std::set<std::uint64_t> entries;
      for (const auto& match : found.matches) entries.insert(match.address);
      return entries.size();
    };
    CHECK(count("lookups.cpp", "variants") == 2);  // the complete object's constructor and the base's
    const bool optimised =
        std::string_view(build).find("O2") != std::string_view::npos || std::string_view(build).ends_with("linked");
    if (optimised) continue;                      // constants were folded: there is no code
    CHECK(count("lookups.hpp", "tripled") == 3);  // int (one of two copies was kept by the linker), long, short
    CHECK(count("lookups.hpp", "doubled") == 1);
  }
}

TEST_CASE("a line's file comes with the digest that it was compiled with") {
  const auto md5_of = [](const char* build) {
    const auto module = open_fixture(build);
    const auto found = module->addresses_of("lookups.hpp", mark("lookups.hpp", "doubled"), 0);
    REQUIRE_FALSE(found.matches.empty());
    std::string text;
    for (const char byte : found.matches[0].md5) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
  };
  const auto actual = lines_of(fmt::format("md5sum '{}/lookups.hpp'", TL_FIXTURE_SOURCES));
  REQUIRE(actual.size() == 1);
  CHECK(md5_of("lookups.clang") == actual[0].substr(0, 32));
  CHECK(md5_of("lookups").empty());  // gcc 12 writes none
}

TEST_CASE("of a path that nothing was compiled from, the file most like it is named") {
  const auto module = open_fixture("lookups");
  const auto found = module->addresses_of("/elsewhere/src/lookups.hpp", Line{1}, 0);
  CHECK_FALSE(found.file_known);
  CHECK(found.near_match.ends_with("/tests/fixtures/lookups.hpp"));
}
