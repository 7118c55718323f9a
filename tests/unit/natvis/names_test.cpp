// Type names as files write them against names as DWARF has them.
#include "daemon/natvis/names.hpp"

#include <doctest/doctest.h>

using namespace trapline::natvis;

namespace {

// What the stars stood for: "int|char"; "no" where it is another type.
std::string matched(std::string_view pattern, std::string_view name) {
  const auto captures = match(parse_name(pattern), parse_name(name), nullptr);
  if (!captures) return "no";
  std::string out;
  for (const Capture& each : *captures) out += (out.empty() ? "" : "|") + each.text;
  return out.empty() ? "yes" : out;
}

}  // namespace

TEST_CASE("a star is one argument, and the last star all that are left") {
  CHECK(matched("Foo", "Foo") == "yes");
  CHECK(matched("Foo", "Food") == "no");
  CHECK(matched("Foo", "ns::Foo") == "no");
  CHECK(matched("std::vector<*>", "std::vector<int, std::allocator<int> >") == "int|std::allocator<int>");
  CHECK(matched("std::vector<bool,*>", "std::vector<bool, std::allocator<bool> >") == "std::allocator<bool>");
  CHECK(matched("std::vector<bool,*>", "std::vector<int, std::allocator<int> >") == "no");
  CHECK(matched("std::pair<*,*>", "std::pair<const int, std::map<int, long> >") == "const int|std::map<int, long>");
  CHECK(matched("Box<*>", "Box<>") == "yes");
  CHECK(matched("Box<*,*>", "Box<int>") == "int");
  CHECK(matched("Box<int>", "Box<int, char>") == "no");
  CHECK(matched("Outer<*>::Inner", "Outer<char>::Inner") == "char");
  CHECK(matched("std::vector<std::pair<*,*>,*>", "std::vector<std::pair<int,char>, A>") == "int|char|A");
}

TEST_CASE("habits of writing do not count") {
  CHECK(matched("Foo<unsigned long>", "Foo<long unsigned int>") == "yes");
  CHECK(matched("Foo<unsigned>", "Foo<unsigned int>") == "yes");
  CHECK(matched("Foo<short>", "Foo<short int>") == "yes");
  CHECK(matched("Foo<long>", "Foo<int>") == "no");
  CHECK(matched("Foo<int const>", "Foo<const int>") == "yes");
  CHECK(matched("Foo<char const*>", "Foo<const char*>") == "no");  // a pointer's const is the pointee's: not guessed at
  CHECK(matched("Foo< Bar<int>>", "Foo<Bar<int> >") == "yes");
  CHECK(matched("struct Foo", "Foo") == "yes");
  CHECK(matched("std::array<*,5>", "std::array<int, 5ul>") == "int");
  CHECK(matched("::Foo", "Foo") == "yes");
}

TEST_CASE("inline namespaces of a library's version may be left out, and are meant where they are written") {
  CHECK(matched("std::basic_string<*>", "std::__cxx11::basic_string<char, T, A>") == "char|T|A");
  CHECK(matched("std::__cxx11::basic_string<*>", "std::__cxx11::basic_string<char, T, A>") == "char|T|A");
  CHECK(matched("std::__cxx11::basic_string<*>", "std::basic_string<char, T, A>") == "no");
  CHECK(matched("std::vector<*>", "std::__1::vector<int, std::__1::allocator<int> >") ==
        "int|std::__1::allocator<int>");
  CHECK(matched("std::vector<*>", "std::__debug::vector<int>") == "no");
}

TEST_CASE("names that are no identifiers") {
  CHECK(matched("Foo<*>", "Foo<main()::{lambda(int)#1}>") == "main()::{lambda(int)#1}");
  CHECK(matched("std::function<*>", "std::function<int(char, long)>") == "int(char,long)");
  CHECK(matched("&str", "&str") == "yes");
  CHECK(matched("&[*]", "&[i32]") == "no");
  CHECK(matched("Foo<*>", "Foo<(Colour)1, -3>") == "(Colour)1|-3");
  for (const char* odd : {"", "<", ">", "<<<<", "a<b", "a<b,", "a>b", "operator<", "(((", "a::", "::", "'", "\"", "*"})
    CHECK(match(parse_name(odd), parse_name(odd), nullptr));
}

TEST_CASE("what says more is more specific") {
  CHECK(parse_name("Foo<int>").exact());
  CHECK_FALSE(parse_name("Foo<*>").exact());
  CHECK(parse_name("Foo<int,*>").literals() > parse_name("Foo<*,*>").literals());
  CHECK(parse_name("std::vector<*>").last_name() == "vector");
}
