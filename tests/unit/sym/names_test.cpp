#include <doctest/doctest.h>

#include "daemon/sym/debug_info.hpp"
#include "daemon/sym/module.hpp"
#include "daemon/sym/names.hpp"

using namespace trapline::sym;

namespace {
bool fits(std::string_view query, std::string_view candidate) { return name_fits(parse_name(query), candidate); }
bool list_fits(std::string_view query, std::string_view demangled) {
  return parameters_fit(parse_name(query), demangled);
}
using Parts = std::vector<std::string_view>;
}  // namespace

TEST_CASE("a demangled name loses its parameters, its return type and what stands behind them") {
  CHECK(without_parameters("ns::f<int>(char const*) const") == "ns::f<int>");
  CHECK(without_parameters("int ns::max<int>(int, int)") == "ns::max<int>");
  CHECK(without_parameters("std::vector<int, std::allocator<int> > make<int>()") == "make<int>");
  CHECK(without_parameters("main") == "main");
  CHECK(without_parameters("(anonymous namespace)::f(int)") == "(anonymous namespace)::f");
  CHECK(without_parameters("ns::(anonymous namespace)::f(int)") == "ns::(anonymous namespace)::f");
  CHECK(without_parameters("A::operator()(int) const") == "A::operator()");
  CHECK(without_parameters("A::operator int() const") == "A::operator int");
  CHECK(without_parameters("operator<<(std::ostream&, A const&)") == "operator<<");
  CHECK(without_parameters("std::ostream& operator<< <int>(std::ostream&, Box<int> const&)") == "operator<< <int>");
  CHECK(without_parameters("f(int)::Local::run(char)") == "f(int)::Local::run");
  CHECK(without_parameters("run(int) [clone .cold]") == "run");
  CHECK(without_parameters("main::{lambda(int)#1}::operator()(int) const") == "main::{lambda(int)#1}::operator()");
  CHECK(without_parameters("void g<void (*)(int)>(int)") == "g<void (*)(int)>");
}

TEST_CASE("demangling leaves what is no mangled name alone") {
  CHECK(demangle("_ZN2ns3runEi") == "ns::run(int)");
  CHECK(demangle("main") == "main");
  CHECK(demangle("_Z") == "_Z");
  CHECK(demangle("_Zgarbage") == "_Zgarbage");
  CHECK(demangle("") == "");
}

TEST_CASE("what compilers append to a name is shown as a clone's mark") {
  CHECK(demangle("_ZN2ns3runEi.cold") == "ns::run(int) [clone .cold]");
  CHECK(demangle("_ZN2ns3runEi.constprop.0") == "ns::run(int) [clone .constprop.0]");
  CHECK(demangle("_ZN2ns3runEi.part.0.isra.0") == "ns::run(int) [clone .part.0] [clone .isra.0]");
  CHECK(demangle("_ZN2ns3runEi.llvm.1234567890") == "ns::run(int) [clone .llvm.1234567890]");
  CHECK(without_parameters(demangle("_ZN2ns3runEi.part.0.isra.0")) == "ns::run");
}

TEST_CASE("C++ names read as the compiler's own demangler writes them") {
  CHECK(demangle("_ZZ4mainENKUliE_clEi") == "main::{lambda(int)#1}::operator()(int) const");
  CHECK(demangle("_ZN1AB5cxx113runEv") == "A[abi:cxx11]::run()");
  CHECK(demangle("_ZZ1fvE7counter") == "f()::counter");
  CHECK(demangle("_ZGVZ1fvE7counter") == "guard variable for f()::counter");
  CHECK(demangle("_ZTV1A") == "vtable for A");
  CHECK(demangle("_ZThn16_N1B1fEv") == "non-virtual thunk to B::f()");
  CHECK(demangle("_ZN1AD0Ev") == "A::~A()");
  CHECK(demangle("_ZN12_GLOBAL__N_13runEv") == "(anonymous namespace)::run()");
  CHECK(demangle("_Zli2_xPKcm") == "operator\"\" _x(char const*, unsigned long)");
}

TEST_CASE("Rust's names lose their hashes, in the old scheme and in v0") {
  CHECK(demangle("_ZN3foo4main17h0123456789abcdefE") == "foo::main");
  CHECK(demangle("_ZN3foo4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE") == "foo::main::{{closure}}");
  CHECK(demangle("_ZN3foo4main17h0123456789abcdefE.llvm.12345") == "foo::main");
  CHECK(demangle("_ZN43_$LT$r..P$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE") ==
        "<r::P as core::fmt::Display>::fmt");
  CHECK(demangle("_RNvCs1234_7mycrate3foo") == "mycrate::foo");
  CHECK(demangle("_RNvCs1234_7mycrate3foo.llvm.1234") == "mycrate::foo");
  CHECK(demangle("_RNCNvC7mycrate4main0B3_") == "mycrate::main::{closure#0}");
  CHECK(demangle("_RINvNtC3std3mem8align_ofdE") == "std::mem::align_of::<f64>");
  CHECK(demangle("_RNvMs_Cs4Cv8Wi1oAIB_7mycrateINtB4_3FooyE3bar") == "<mycrate::Foo<u64>>::bar");
  CHECK(demangle("_RINvCs1234_7mycrate3fooKj3_E") == "mycrate::foo::<3>");
  CHECK(demangle("_RINvCs1234_7mycrate3fooFjEdE") == "mycrate::foo::<fn(usize) -> f64>");
  CHECK(demangle("_RINvCs1234_7mycrate3fooTSjRejEE") == "mycrate::foo::<([usize], &str, usize)>");
  CHECK(demangle("_Random") == "_Random");
  CHECK(without_parameters("mycrate::foo::<fn(usize) -> f64>") == "mycrate::foo::<fn(usize) -> f64>");
  CHECK(without_parameters("<mycrate::Foo<u64> as a::B>::bar") == "<mycrate::Foo<u64> as a::B>::bar");
}

TEST_CASE("names are split where scopes end, not inside of templates, lists and operators") {
  CHECK(split_scopes("a::b<c::d>::e") == Parts{"a", "b<c::d>", "e"});
  CHECK(split_scopes("f(a::b)::c") == Parts{"f(a::b)", "c"});
  CHECK(split_scopes("A::operator<") == Parts{"A", "operator<"});
  CHECK(split_scopes("A::operator->") == Parts{"A", "operator->"});
  CHECK(split_scopes("A<B<int> >::operator<<<C::D>") == Parts{"A<B<int> >", "operator<<<C::D>"});
  CHECK(split_scopes("ns::(anonymous namespace)::f") == Parts{"ns", "(anonymous namespace)", "f"});
  CHECK(split_scopes("operators::f") == Parts{"operators", "f"});
}

TEST_CASE("template arguments are taken off a component") {
  CHECK(without_template_arguments("max<int>") == "max");
  CHECK(without_template_arguments("max") == "max");
  CHECK(without_template_arguments("operator<") == "operator<");
  CHECK(without_template_arguments("operator<<") == "operator<<");
  CHECK(without_template_arguments("operator<< <char>") == "operator<<");
  CHECK(without_template_arguments("operator< <int>") == "operator<");
  CHECK(without_template_arguments("operator()<int>") == "operator()");
  CHECK(without_template_arguments("operator+<int>") == "operator+");
  CHECK(without_template_arguments("operator Box<int>") == "operator Box<int>");
  CHECK(without_template_arguments("<lambda(int)>") == "<lambda(int)>");
}

TEST_CASE("a name fits by its last components") {
  CHECK(fits("run", "run"));
  CHECK(fits("run", "ns::Class::run"));
  CHECK(fits("Class::run", "ns::Class::run"));
  CHECK(fits("ns::Class::run", "ns::Class::run"));
  CHECK_FALSE(fits("run", "ns::rerun"));
  CHECK_FALSE(fits("run", "ns::run::inner"));
  CHECK_FALSE(fits("other::run", "ns::run"));
  CHECK_FALSE(fits("a::ns::run", "ns::run"));
}

TEST_CASE("a leading :: means the global scope") {
  CHECK(fits("::run", "run"));
  CHECK_FALSE(fits("::run", "ns::run"));
  CHECK(fits("::run", "(anonymous namespace)::run"));
  CHECK(fits("::ns::run", "ns::run"));
}

TEST_CASE("template arguments and unwritten namespaces may be left out") {
  CHECK(fits("max", "ns::max<int>"));
  CHECK(fits("max<int>", "ns::max<int>"));
  CHECK(fits("max< int >", "ns::max<int>"));
  CHECK_FALSE(fits("max<long>", "ns::max<int>"));
  CHECK(fits("Box::get", "ns::Box<int>::get"));
  CHECK(fits("Box<int>::get", "ns::Box<int>::get"));
  CHECK_FALSE(fits("Box<char>::get", "ns::Box<int>::get"));
  CHECK(fits("ns::hidden", "ns::(anonymous namespace)::hidden"));
  CHECK(fits("ns::(anonymous namespace)::hidden", "ns::(anonymous namespace)::hidden"));
  CHECK(fits("std::basic_string::size", "std::__cxx11::basic_string<char>::size"));
  CHECK(fits("Map<std::pair<int,char>>::at", "Map<std::pair<int, char> >::at"));
}

TEST_CASE("operators and destructors") {
  CHECK(fits("operator+", "A::operator+"));
  CHECK_FALSE(fits("operator+", "A::operator+="));
  CHECK(fits("A::operator()", "A::operator()"));
  CHECK(fits("operator()(int)", "A::operator()"));
  CHECK(fits("operator<<", "operator<< <char>"));
  CHECK(fits("operator new[]", "operator new[]"));
  CHECK(fits("operator bool", "A::operator bool"));
  CHECK(fits("A::~A", "ns::A::~A"));
  CHECK_FALSE(fits("A", "ns::A::~A"));
}

TEST_CASE("parameter lists are compared by meaning") {
  CHECK(list_fits("f(int)", "f(int)"));
  CHECK_FALSE(list_fits("f(int)", "f(long)"));
  CHECK_FALSE(list_fits("f(int)", "f(int, int)"));
  CHECK(list_fits("f", "f(int, int)"));
  CHECK(list_fits("f(const char *, unsigned int)", "f(char const*, unsigned int)"));
  CHECK(list_fits("f()", "f()"));
  CHECK(list_fits("f(void)", "f()"));
  CHECK_FALSE(list_fits("f()", "f(int)"));
  CHECK(list_fits("f(int)", "int f<int>(int)") == true);
  CHECK(list_fits("f(std::string const&)",
                  "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)"));
  CHECK(list_fits("f(const std::string&)",
                  "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)"));
  CHECK(list_fits("operator()(int)", "A::operator()(int) const"));
  CHECK_FALSE(list_fits("operator()(int)", "A::operator()(char) const"));
  CHECK(list_fits("f(int)", "plain_c"));  // C names carry no list
}

TEST_CASE("parameters may be written shorter than the compiler writes them") {
  constexpr auto demangled =
      "f(std::vector<ns::Point, std::allocator<ns::Point> > const&, unsigned long, std::basic_string_view<char, "
      "std::char_traits<char> >)";
  CHECK(list_fits("f(const std::vector<ns::Point>&, size_t, std::string_view)", demangled));
  CHECK(list_fits("f(vector<Point> const&, unsigned long, string_view)", demangled));
  CHECK(list_fits("f(std::vector<ns::Point> const &, std::size_t, std::string_view)", demangled));
  CHECK_FALSE(list_fits("f(const std::vector<ns::Other>&, size_t, std::string_view)", demangled));
  CHECK_FALSE(list_fits("f(std::vector<ns::Point>&, size_t, std::string_view)", demangled));
  CHECK_FALSE(list_fits("f(other::vector<Point> const&, unsigned long, string_view)", demangled));
  CHECK(list_fits("f(Point)", "f(ns::Point)"));
  CHECK_FALSE(list_fits("f(other::Point)", "f(ns::Point)"));
  CHECK(list_fits("f(unsigned)", "f(unsigned int)"));
  CHECK(list_fits("f(uint64_t, int8_t)", "f(unsigned long, signed char)"));
  CHECK(list_fits("f(std::map<int, std::string>)",
                  "f(std::map<int, std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, "
                  "std::less<int>, std::allocator<std::pair<int const, std::__cxx11::basic_string<char, "
                  "std::char_traits<char>, std::allocator<char> > > > >)"));
  CHECK_FALSE(list_fits("f(std::set<int>)", "f(std::set<int, ns::Less, std::allocator<int> >)"));
  CHECK(list_fits("f(void (*)(int))", "f(void (*)(int))"));
}

TEST_CASE("lambdas are named as gcc, clang and Rust do, or by a word for all of a function's") {
  CHECK(fits("f::<lambda>", "ns::f(int)::{lambda(int)#1}::operator()"));
  CHECK(fits("f::{lambda}", "ns::f(int) const::{lambda(int)#1}::operator()"));
  CHECK(fits("f::<lambda>", "f::<lambda(int)>::operator()"));
  CHECK(fits("f::<lambda>", "f::$_0::operator()"));
  CHECK(fits("f::<lambda>::operator()", "f::$_0::operator()"));
  CHECK(fits("f::{lambda(int)#1}", "ns::f(int)::{lambda(int)#1}::operator()"));
  CHECK(fits("f::{lambda(int)#1}::operator()(int)", "ns::f(int)::{lambda(int)#1}::operator()"));
  CHECK_FALSE(fits("f::{lambda(int)#2}", "ns::f(int)::{lambda(int)#1}::operator()"));
  CHECK(fits("f::<lambda(int)>", "ns::f(int)::{lambda(int)#2}::operator()"));
  CHECK_FALSE(fits("f::<lambda(char)>", "ns::f(int)::{lambda(int)#2}::operator()"));
  CHECK_FALSE(fits("g::<lambda>", "ns::f(int)::{lambda(int)#1}::operator()"));
  CHECK_FALSE(fits("f::<lambda>", "f(int)::Local::operator()"));
  CHECK(fits("main::{closure}", "r::main::{closure#0}"));
  CHECK(fits("main::{closure#0}", "r::main::{closure#0}"));
  CHECK_FALSE(fits("main::{closure#1}", "r::main::{closure#0}"));
  CHECK(fits("main::{{closure}}", "r::main::{{closure}}"));
}

TEST_CASE("operators, conversions and literals") {
  CHECK(fits("A::operator std::string",
             "A::operator std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"));
  CHECK(fits("operator bool", "ns::A::operator bool"));
  CHECK_FALSE(fits("operator bool", "ns::A::operator int"));
  CHECK(fits("operator\"\"_x", "ns::operator\"\" _x"));
  CHECK(fits("operator delete", "operator delete"));
  CHECK(fits("A::operator==", "ns::A::operator=="));
  CHECK_FALSE(fits("operator=", "ns::A::operator=="));
  CHECK(fits("operator*", "ns::operator*"));
  CHECK_FALSE(fits("operator*", "ns::operator+"));
}

TEST_CASE("template arguments in other spellings") {
  CHECK(fits("vector<int>::push_back", "std::vector<int, std::allocator<int> >::push_back"));
  CHECK(fits("Box<const char*>::get", "Box<char const*>::get"));
  CHECK(fits("Fixed<3>::size", "Fixed<3ul>::size"));
  CHECK_FALSE(fits("Fixed<3>::size", "Fixed<4ul>::size"));
  CHECK(fits("{anonymous}::f", "(anonymous namespace)::f"));
}

TEST_CASE("globs and regular expressions") {
  CHECK(fits("get_*", "ns::get_all"));
  CHECK(fits("ns::*", "ns::get_all"));
  CHECK_FALSE(fits("ns::*", "get_all"));
  CHECK(fits("Box<*>::get", "Box<int>::get"));
  CHECK(fits("g?t", "ns::got"));
  CHECK_FALSE(fits("g?t", "ns::goat"));
  CHECK(fits("/^ns::(get|set)_/", "ns::get_all"));
  CHECK_FALSE(fits("/^ns::(get|set)_/", "ns::put_all"));
  CHECK(fits("/e$/", "ns::e"));
  CHECK(parse_name("/(/").problem.find("missing closing parenthesis") != std::string::npos);
  CHECK_FALSE(fits("/(/", "("));
}

TEST_CASE("an expression that would take for ever is given up") {
  const auto query = parse_name("/^(([a-z])+.)+[A-Z]([a-z])+$/");
  REQUIRE(query.regex);
  CHECK_FALSE(name_fits(query, std::string(5000, 'a')));
  CHECK(query.regex->too_costly());
  const auto deep = parse_name("/(a|aa)+$/");
  REQUIRE(deep.regex);
  CHECK_FALSE(name_fits(deep, std::string(1'000'000, 'a') + "b"));
}

TEST_CASE("Rust's paths") {
  CHECK(fits("Point::fmt", "<r::Point as core::fmt::Display>::fmt"));
  CHECK(fits("Display::fmt", "<r::Point as core::fmt::Display>::fmt"));
  CHECK(fits("<Point as Display>::fmt", "<r::Point as core::fmt::Display>::fmt"));
  CHECK_FALSE(fits("<Point as Debug>::fmt", "<r::Point as core::fmt::Display>::fmt"));
  CHECK_FALSE(fits("<Line as Display>::fmt", "<r::Point as core::fmt::Display>::fmt"));
  CHECK(fits("Foo::bar", "<r::Foo<u64>>::bar"));
  CHECK(fits("foo", "r::foo::<3>"));
  CHECK(fits("r::foo<3>", "r::foo<3>"));
  CHECK(fits("r::fmt", "r::{impl#0}::fmt<i32>"));
  CHECK(split_scopes("r::foo::<3>") == Parts{"r", "foo::<3>"});
  CHECK(without_template_arguments("foo::<3>") == "foo");
}

TEST_CASE("paths are compared by whole components") {
  CHECK(clean_path("/a/./b//../c") == "/a/c");
  CHECK(clean_path("/../a") == "/a");
  CHECK(clean_path("../a/b") == "../a/b");
  CHECK(clean_path("/") == "/");
  CHECK(clean_path("a/../b") == "b");
  CHECK(path_fits("/x/src/a.c", "src/a.c"));
  CHECK(path_fits("/x/src/a.c", "/x/src/a.c"));
  CHECK(path_fits("/x/src/a.c", "a.c"));
  CHECK_FALSE(path_fits("/x/src/ba.c", "a.c"));
  CHECK_FALSE(path_fits("/x/src/a.c", "/src/a.c"));
  CHECK_FALSE(path_fits("/x/src/A.c", "a.c"));
  CHECK_FALSE(path_fits("/x/src/a.c", ""));
}
