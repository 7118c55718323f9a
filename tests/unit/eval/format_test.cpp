// Format specifiers: which text is one, and what each makes of values.
#include "daemon/eval/format_suffix.hpp"
#include "tests/unit/eval/support.hpp"

namespace trapline::eval {
namespace {

using sym::Builtin;
using sym::builtin;

std::string split(std::string_view text, SuffixStyle style = SuffixStyle::typed) {
  const SplitExpression parts = split_format(text, style);
  if (parts.expression.size() == text.size()) return "expression";
  return std::string(parts.expression) + "|" + std::string(parts.count) + "|" +
         std::to_string(static_cast<int>(parts.format.radix)) + std::to_string(static_cast<int>(parts.format.text));
}

TEST_CASE("a format stands after the last comma, without a blank, and is nothing but specifiers") {
  CHECK(split("x,x") == "x||30");
  CHECK(split("p,10") == "p|10|00");
  CHECK(split("buf,[len]s") == "buf|len|01");
  CHECK(split("buf,[len],s8") == "buf|len|02");
  CHECK(split("buf,[f(a, b[2])]su") == "buf|f(a, b[2])|03");
  CHECK(split("a + b,xb") == "a + b||30");
  CHECK(split("v[1, 2],d") == "v[1, 2]||10");
  CHECK(split("s == \"a,x\",d") == "s == \"a,x\"||10");
  CHECK(split("'\\'',x") == "'\\''||30");
  CHECK(split("1'000,x") == "1'000||30");
  CHECK(split("L'\"',x") == "L'\"'||30");
  CHECK(split("x,na") == "x||00");
  CHECK(split("x,nanr") == "x||00");
  CHECK(split("x,view(simple)na") == "x||00");
  CHECK(split("x,!") == "x||00");
  CHECK(split("x,s32b") == "x||04");
  CHECK(split("a, b, c,x") == "a, b, c||30");
  CHECK(split("a, b") == "expression");
  CHECK(split("a, x") == "expression");
  CHECK(split("(a,x)") == "expression");
  CHECK(split("f(a,b)") == "expression");
  CHECK(split("x<y,d>") == "expression");
  CHECK(split("x<y,d>::z") == "expression");
  CHECK(split("a,count") == "expression");
  CHECK(split("a,x+1") == "expression");
  CHECK(split("a,[1][2]") == "expression");
  CHECK(split("a,[]") == "expression");
  CHECK(split("a,") == "expression");
  CHECK(split(",x") == "expression");
  CHECK(split("a,x,") == "expression");
  CHECK(split("\"a,x") == "expression");
  CHECK(split("a, x", SuffixStyle::visualizer) == "a||30");
  CHECK(split("a, [n] s8", SuffixStyle::visualizer) == "a|n|02");
}

TEST_CASE("specifiers alone are a protocol's format") {
  CHECK(parse_format("")->format.radix == Format::Radix::natural);
  CHECK(parse_format("t")->format.radix == Format::Radix::binary);
  CHECK(parse_format("10x")->count == "10");
  CHECK(parse_format("u")->format.radix == Format::Radix::unsigned_decimal);
  CHECK(parse_format("q").error().message == "`q` is no format");
  CHECK(parse_format("xq").error().message == "`q` is no format");
}

struct Shown : World {
  Shown() {
    const auto* color =
        sym::make_enumeration("Color", builtin(Builtin::unsigned_int), {{"red", 0}, {"green", 5}}, true);
    scope.types["Color"] = color;
    scope.types["int8"] = builtin(Builtin::signed_char);
    memory.put(0x1000, std::as_bytes(std::span("h\xc3\xa4llo\0wor\"ld\xff\0", 16)));
    memory.set(0x2000, std::array<char16_t, 6>{u'a', 0xd83d, 0xde00, 0xd800, u'b', 0});
    memory.set(0x2100, std::array<char32_t, 4>{U'a', U'\U0001F600', 0x110000, 0});
    memory.set(0x3000, std::array<int, 4>{1, -2, 3, 255});
    memory.set(0x4000, std::uint64_t{0x1000});
    const std::vector<std::byte> long_text(3000, std::byte{'z'});
    memory.put(0x6000, long_text);
  }
  std::string as(std::string_view text) {
    const FrameView frame = view();
    const SplitExpression parts = split_format(text);
    auto value = run(parts.expression);
    if (!value) return value.error().message;
    Options options;
    options.format = parts.format;
    if (!parts.count.empty()) {
      const auto n = run(parts.count);
      REQUIRE(n.has_value());
      auto seen = counted(frame, *value, load_number(n->type, n->bytes).integer, options.format);
      if (!seen) return seen.error().message;
      value = *std::move(seen);
    }
    return summary(frame, *value, options);
  }
};

TEST_CASE_FIXTURE(Shown, "integers in every radix") {
  CHECK(as("42,x") == "0x2a");
  CHECK(as("42,X") == "0x2A");
  CHECK(as("42,xb") == "2a");
  CHECK(as("42,h") == "0x2a");
  CHECK(as("42,Hb") == "2A");
  CHECK(as("42,o") == "052");
  CHECK(as("0,o") == "0");
  CHECK(as("42,b") == "0b101010");
  CHECK(as("42,bb") == "101010");
  CHECK(as("42,d") == "42");
  CHECK(as("-1,x") == "0xffffffff");
  CHECK(as("-1l,x") == "0xffffffffffffffff");
  CHECK(as("(int8)-1,x") == "0xff '\\377'");
  CHECK(as("(short)-1,x") == "0xffff");
  CHECK(as("(short)-1,o") == "0177777");
  CHECK(as("(unsigned char)5,b") == "0b101 '\\005'");
  CHECK(as("(__int128)-1,x") == "0xffffffffffffffffffffffffffffffff");
  CHECK(as("(__int128)1 << 100") == "1267650600228229401496703205376");
  CHECK(as("((unsigned __int128)1 << 127),o") == "02000000000000000000000000000000000000000000");
  CHECK(as("'a'") == "97 'a'");
  CHECK(as("'a',x") == "0x61 'a'");
  CHECK(as("'a',d") == "97");
  CHECK(as("97,c") == "97 'a'");
  CHECK(as("true") == "true");
  CHECK(as("true,d") == "1");
  CHECK(as("true,x") == "true");
  CHECK(as("(Color)5") == "Color::green");
  CHECK(as("(Color)5,d") == "Color::green (5)");
  CHECK(as("(Color)5,x") == "Color::green (0x5)");
  CHECK(as("(Color)6,x") == "0x6");
  Options padded;
  padded.format = parse_format("z")->format;
  CHECK(show("42", padded) == "0x0000002a");
  padded.format = parse_format("u")->format;
  CHECK(show("-1", padded) == "4294967295");
}

TEST_CASE_FIXTURE(Shown, "floating values round-trip, and in scientific form too") {
  CHECK(as("0.1") == "0.1");
  CHECK(as("0.1f") == "0.1");
  CHECK(as("1e300*1e10") == "inf");
  CHECK(as("0.1,e") == "1.0000000000000001e-01");
  CHECK(as("0.1,x") == "0.1");
}

TEST_CASE_FIXTURE(Shown, "pointers: address, text, and neither") {
  CHECK(as("(char*)0x1000") == "0x1000 \"h\xc3\xa4llo\"");
  CHECK(as("(char*)0x1000,na") == "\"h\xc3\xa4llo\"");
  CHECK(as("(char*)0x1000,s") == "\"h\xc3\xa4llo\"");
  CHECK(as("(char*)0x1000,sb") == "h\xc3\xa4llo");
  CHECK(as("(void*)0x1000,s8") == "u8\"h\xc3\xa4llo\"");
  CHECK(as("(char*)0x1000,[14]s") == "\"h\xc3\xa4llo\\000wor\\\"ld\\377\"");
  CHECK(as("(char*)0x1000,[14]sb") == "h\xc3\xa4llo\\000wor\"ld\\377");
  CHECK(as("(void*)0x2000,su") == "u\"a\xf0\x9f\x98\x80\\xd800b\"");
  CHECK(as("(void*)0x2000,sub") == "a\xf0\x9f\x98\x80\\xd800b");
  CHECK(as("(void*)0x2100,s32") == "U\"a\xf0\x9f\x98\x80\\x110000\"");
  CHECK(as("(void*)0x2000,[1]su") == "u\"a\"");
  CHECK(as("*(unsigned char(*)[5])0x1000,s") == "\"h\xc3\xa4ll\"");
  CHECK(as("(int*)0x3000") == "0x3000");
  CHECK(as("(int*)0x3000,na") == "1");
  CHECK(as("(int*)0x3000,d") == "12288");
  CHECK(as("(int*)0x3000,xb") == "3000");
  CHECK(as("(int*)0,na") == "0x0");
  CHECK(as("(char*)0,s") == "0x0");
  CHECK(as("(char*)0x9000") == "0x9000 <error: nothing readable there>");
  CHECK(as("(char*)0x9000,s") == "0x9000 <error: nothing readable there>");
  CHECK(as("(char*)0x1000,[100000]s").starts_with("<error: cannot read"));
  CHECK(as("(char*)0x6000,s") == "\"" + std::string(1024, 'z') + "\"...");
  CHECK(as("(char*)0x6000,[2000]sb") == std::string(1024, 'z') + "...");
}

TEST_CASE_FIXTURE(Shown, "a count makes elements") {
  CHECK(as("(int*)0x3000,3") == "{1, -2, 3}");
  CHECK(as("(int*)0x3000,[1+1]") == "{1, -2}");
  CHECK(as("(int*)0x3000,4x") == "{0x1, 0xfffffffe, 0x3, 0xff}");
  CHECK(as("*(int(*)[4])0x3000,2") == "{1, -2}");
  CHECK(as("*(int(*)[1])0x3000,[3]") == "{1, -2, 3}");
  CHECK(as("(int*)0x3000,[0]") == "{}");
  CHECK(as("(char*)0x1000,[3]") == "\"h\xc3\xa4\"");
  CHECK(as("(char*)0x1000,[2]d") == "{104, -61}");
  CHECK(as("42,[3]") == "a number of elements needs a pointer or an array, and this is `int`");
  CHECK(as("(void*)0x3000,[3]") == "`void *` points to what has no size, so there are no elements");
  CHECK(as("(int*)0,[3]") == "null pointer: there is nothing to read at 0x0");
}

TEST_CASE("what a suffix leaves open is the session's") {
  Format hex;
  hex.radix = Format::Radix::hexadecimal;
  CHECK(merged(split_format("x,na").format, hex).radix == Format::Radix::hexadecimal);
  CHECK(merged(split_format("x,d").format, hex).radix == Format::Radix::decimal);
  CHECK(split_format("x,xna").format.inherited().radix == Format::Radix::hexadecimal);
  CHECK(split_format("x,[3]s").format.inherited().text == Format::Text::natural);
}

}  // namespace
}  // namespace trapline::eval
