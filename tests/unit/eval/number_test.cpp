// Numbers as text, and the formats that the compiler of this test cannot name.
#include "daemon/eval/number.hpp"

#include <limits>

#include "tests/unit/eval/support.hpp"

namespace trapline::eval {
namespace {

using sym::Builtin;

std::string half(std::uint16_t bits) {
  const auto* type = sym::builtin(Builtin::float16);
  return float_text(type, load_number(type, std::as_bytes(std::span(&bits, 1))).real);
}

TEST_CASE("floating numbers are shown with the fewest digits that read back") {
  World world;
  CHECK(world.show("0.1") == "0.1");
  CHECK(world.show("0.1f") == "0.1");
  CHECK(world.show("0.1L") == "0.1");
  CHECK(world.show("1.0") == "1");
  CHECK(world.show("1e300") == "1e+300");
  CHECK(world.show("1.0/3") == "0.3333333333333333");
  CHECK(world.show("1.0f/3") == "0.33333334");
  CHECK(world.show("1.0L/3") == "0.33333333333333333334");
  CHECK(world.show("1.0q/3") == "0.3333333333333333333333333333333333");
  CHECK(world.show("0.1q") == "0.1");
  CHECK(world.show("-1.0/0") == "-inf");
  CHECK(world.show("-0.0") == "-0");
}

TEST_CASE("half precision: every bit pattern goes out and comes back") {
  CHECK(half(0x3c00) == "1");
  CHECK(half(0x3555) == "0.3333");
  CHECK(half(0x7bff) == "6.55e+04");
  CHECK(half(0x0001) == "6e-08");
  CHECK(half(0xfc00) == "-inf");
  CHECK(half(0x7e00) == "nan");
  const auto* type = sym::builtin(Builtin::float16);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto narrow = static_cast<std::uint16_t>(bits);
    if ((bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0) continue;  // NaN payloads
    const Number number = load_number(type, std::as_bytes(std::span(&narrow, 1)));
    const auto back = store_number(type, number);
    std::uint16_t stored = 0;
    std::memcpy(&stored, back.data(), 2);
    REQUIRE(stored == narrow);
    Quad read = 0;
    REQUIRE(parse_quad(float_text(type, number.real), read));
    const auto again = store_number(type, {.floating = true, .integer = 0, .real = read});
    std::memcpy(&stored, again.data(), 2);
    REQUIRE(stored == narrow);
  }
}

TEST_CASE("128-bit integers are decimal and wrap at 128 bits") {
  World world;
  CHECK(world.show("(__int128)1 << 100") == "1267650600228229401496703205376");
  CHECK(world.show("-((__int128)1 << 100)") == "-1267650600228229401496703205376");
  CHECK(world.show("(unsigned __int128)-1") == "340282366920938463463374607431768211455");
  CHECK(world.show("(unsigned __int128)-1 + 1") == "0");
  CHECK(world.show("(__int128)1 << 127") == "-170141183460469231731687303715884105728");
  CHECK(world.show("(double)(unsigned __int128)-1") == "3.402823669209385e+38");
  CHECK(world.show("(unsigned __int128)-1 > 5") == "true");
  CHECK(world.type("(__int128)1 + 1ull") == "__int128");
  CHECK(world.type("(unsigned __int128)1 + 1") == "unsigned __int128");
  CHECK(world.show("340282366920938463463374607431768211455u") == "340282366920938463463374607431768211455");
}

TEST_CASE("hex shows the bits of the type's width") {
  World world;
  const Options hex{.format = {.radix = Format::Radix::hexadecimal}, .limits = {}, .allow_side_effects = false};
  CHECK(world.show("-1", hex) == "0xffffffff");
  CHECK(world.show("(char)-1", hex) == "0xff '\\377'");
  CHECK(world.show("255l", hex) == "0xff");
  CHECK(world.show("(__int128)-1", hex) == "0xffffffffffffffffffffffffffffffff");
  CHECK(world.show("1.5", hex) == "1.5");
  CHECK(world.show("true", hex) == "true");
}

TEST_CASE("characters carry their code and their look") {
  World world;
  CHECK(world.show("'a'") == "97 'a'");
  CHECK(world.show("'\\n'") == "10 '\\n'");
  CHECK(world.show("'\\0'") == "0 '\\000'");
  CHECK(world.show("'\\''") == "39 '\\''");
  CHECK(world.show("(unsigned char)200") == "200 '\\310'");
  CHECK(world.show("(char)200") == "-56 '\\310'");
  CHECK(world.show("L'\\x263a'") == "9786 L'\u263a'");
  CHECK(world.show("u'\\u00e4'") == "228 u'\u00e4'");
  CHECK(world.show("U'\\U0001F600'") == "128512 U'\U0001F600'");
}

TEST_CASE("what has no answer says why") {
  World world;
  CHECK(world.problem("1/0") == "`1/0`: division by zero");
  CHECK(world.problem("1%0") == "`1%0`: division by zero");
  CHECK(world.problem("1 << 32") == "`1 << 32`: a shift by 32 of int (32 bits) is undefined");
  CHECK(world.problem("1 << -1") == "`1 << -1`: a shift by -1 of int (32 bits) is undefined");
  CHECK(world.problem("(int)1e30") == "`(int)1e30`: 1e+30 does not fit into int");
  CHECK(world.show("1.0/0") == "inf");
  CHECK(world.show("0 && 1/0") == "false");
  CHECK(world.show("1 || 1/0") == "true");
  CHECK(world.show("1 ? 2 : 1/0") == "2");
  CHECK(world.problem("1 && 1/0") == "`1/0`: division by zero");
  CHECK(world.show("(-2147483647 - 1) / -1") == "-2147483648");  // undefined in C++; x86 traps; here it wraps
}

}  // namespace
}  // namespace trapline::eval
