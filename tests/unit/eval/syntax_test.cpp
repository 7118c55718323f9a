// What is no expression, what is C++ beyond this evaluator, and the types that a person may write.
#include "tests/unit/eval/support.hpp"

namespace trapline::eval {
namespace {

TEST_CASE("a malformed expression is answered with what is wrong and where") {
  World world;
  CHECK(world.problem("") == "the expression is empty");
  CHECK(world.problem("1 +") == "the expression ends where a value should follow");
  CHECK(world.problem("(1") == "the expression ends where `)` to close the parenthesis should follow");
  CHECK(world.problem("1 2") == "`2` at column 3 where an operator or the end should follow");
  CHECK(world.problem("1 ? 2") == "the expression ends where `:` of the conditional should follow");
  CHECK(world.problem("09") == "`9` is no digit of an octal number at column 2");
  CHECK(world.problem("1xyz") == "`xyz` is no suffix of an integer at column 2");
  CHECK(world.problem("'") == "a character that does not end at column 1");
  CHECK(world.problem("''") == "an empty character literal at column 3");
  CHECK(world.problem("\"abc") == "a string that does not end at column 1");
  CHECK(world.problem("1 # 2") == "`#` has no meaning in an expression at column 3");
  CHECK(world.problem("$") == "`$` needs the name of a register at column 2");
  CHECK(world.problem("$nonsense") == "no register `$nonsense`");
  CHECK(world.problem("0x") == "a number without digits at column 3");
  CHECK_FALSE(world.run("1e5.5"));
  CHECK(world.problem("R\"x(a)\"") == "a raw string that does not end at column 2");
  CHECK(world.problem("R\"x\"") == "a raw string without `(` at column 2");
}

TEST_CASE("deep and long input ends with an error, not with the stack") {
  World world;
  CHECK(world.problem(std::string(100000, '(')).find("nests too deep") == std::string::npos);  // too long is said first
  CHECK(world.problem(std::string(60000, '(')) == "the expression nests too deep");
  CHECK_FALSE(world.run(std::string(60000, '-') + "1"));
  CHECK(world.problem(std::string(50000, '*')).find("deep") != std::string::npos);
  std::string sum = "1";
  for (int i = 0; i < 900; ++i) sum += "+1";
  CHECK(world.show(sum) == "901");
}

TEST_CASE("C++ that is not evaluated is refused by name") {
  World world;
  CHECK(world.problem("[](int x) { return x; }") == "lambdas are not evaluated here: there is no compiler at hand");
  CHECK(world.problem("new int") == "`new` would allocate in the program");
  CHECK(world.problem("1 <=> 2") == "no debug information at hand describes std::strong_ordering");
  CHECK(world.problem("1.5 <=> 2 << 1") == "no debug information at hand describes std::partial_ordering");
  CHECK(world.problem("typeid(int)") == "no debug information at hand describes std::type_info");
  CHECK(world.problem("typeid int").find("after typeid") != std::string::npos);
  CHECK(world.problem("throw 1") == "an expression of the debugger cannot throw");
  CHECK(world.problem("sizeof...(x)") == "sizeof... needs a parameter pack, and DWARF has none");
  CHECK(world.problem("f(1)") == "no symbol `f` here; did you mean `count`?");
  CHECK(world.problem("1(2)") == "`1(2)`: `int` is no function");
  CHECK(world.problem("(int[]){1}").starts_with("compound literals are not evaluated here"));
  CHECK(world.problem("1_km + 2") == "`_km` at column 2 is a user-defined literal's suffix: it would call operator\"\"_km of the program");
  CHECK(world.problem("1.5_km") == "`_km` at column 4 is a user-defined literal's suffix: it would call operator\"\"_km of the program");
  CHECK(world.problem("\"x\"s") == "`s` at column 4 is a user-defined literal's suffix: it would call operator\"\"s of the program");
  CHECK(world.problem("noexcept(f())") == "`noexcept(f())`: the debug information does not say which functions may throw");
  CHECK(world.problem("(unsigned float)1") == "`float` takes no other words");
  CHECK(world.problem("(long float)1") == "`float` takes no other words");
  CHECK(world.problem("(unsigned bool)1") == "`bool` takes no other words");
}

TEST_CASE("where the code is C, its rules hold") {
  World world;
  world.scope.c = true;
  CHECK(world.type("1 < 2") == "int");
  CHECK(world.show("1 < 2") == "1");
  CHECK(world.type("!1") == "int");
  CHECK(world.type("1 && 2") == "int");
  CHECK(world.show("(1 || 0) + 1") == "2");
  CHECK(world.type("'a'") == "int");
  CHECK(world.show("sizeof 'a'") == "4");
  CHECK(world.type("L'a'") == "wchar_t");
  world.scope.c = false;
  CHECK(world.type("1 < 2") == "bool");
  CHECK(world.type("noexcept(1 + 1)") == "bool");
  CHECK(world.show("noexcept(1 + 1)") == "true");
}

TEST_CASE("an unknown name is answered with the nearest known one") {
  World world;
  CHECK(world.problem("cuont") == "no symbol `cuont` here; did you mean `count`?");
  CHECK(world.problem("a::b") == "no symbol `a::b` here");
}

TEST_CASE("types read as they are written, and are written as a person writes them") {
  World world;
  const auto written = [&](std::string_view text) -> std::string {
    const auto syntax = parse_type(text, world.scope);
    if (!syntax) return syntax.error().message;
    const auto type = bind_type(*syntax, text, world.scope);
    return type ? (*type)->name() : type.error().message;
  };
  CHECK(written("int") == "int");
  CHECK(written("long unsigned int") == "unsigned long");
  CHECK(written("char const * const *") == "const char *const *");
  CHECK(written("int[3][4]") == "int[3][4]");
  CHECK(written("int *[3]") == "int *[3]");
  CHECK(written("int (*)[3]") == "int (*)[3]");
  CHECK(written("int (*)(char, long *)") == "int (*)(char, long *)");
  CHECK(written("void (*)(void)") == "void (*)()");
  CHECK(written("int (*(*)(int))[3]") == "int (*(*)(int))[3]");
  CHECK(written("int (&)[3]") == "int (&)[3]");
  CHECK(written("int &&") == "int &&");
  CHECK(written("void (*[4])(int, ...)") == "void (*[4])(int, ...)");
  CHECK(written("unsigned") == "unsigned int");
  CHECK(written("_Complex double") == "_Complex double");
  CHECK(written("volatile int *") == "volatile int *");
  CHECK(written("const volatile int") == "volatile const int");
  CHECK(written("Nonsense *") == "no type `Nonsense` here");
  CHECK(written("int long long long") == "these words are no type together");
}

}  // namespace
}  // namespace trapline::eval
