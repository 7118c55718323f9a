// Every expression here is computed twice: by the compiler of this test, and by the evaluator from its text. Type and
// bytes must agree.
#include <concepts>

#include "tests/unit/eval/support.hpp"

#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Woverflow"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wbool-operation"
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wshift-negative-value"
#pragma GCC diagnostic ignored "-Wmultichar"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wlogical-not-parentheses"
#pragma GCC diagnostic ignored "-Wdiv-by-zero"

namespace trapline::eval {
namespace {

template <class T>
std::string name_of_type() {
  if constexpr (std::same_as<T, bool>) return "bool";
  if constexpr (std::same_as<T, char>) return "char";
  if constexpr (std::same_as<T, signed char>) return "signed char";
  if constexpr (std::same_as<T, unsigned char>) return "unsigned char";
  if constexpr (std::same_as<T, short>) return "short";
  if constexpr (std::same_as<T, unsigned short>) return "unsigned short";
  if constexpr (std::same_as<T, int>) return "int";
  if constexpr (std::same_as<T, unsigned>) return "unsigned int";
  if constexpr (std::same_as<T, long>) return "long";
  if constexpr (std::same_as<T, unsigned long>) return "unsigned long";
  if constexpr (std::same_as<T, long long>) return "long long";
  if constexpr (std::same_as<T, unsigned long long>) return "unsigned long long";
  if constexpr (std::same_as<T, float>) return "float";
  if constexpr (std::same_as<T, double>) return "double";
  if constexpr (std::same_as<T, long double>) return "long double";
  if constexpr (std::same_as<T, wchar_t>) return "wchar_t";
  if constexpr (std::same_as<T, char8_t>) return "char8_t";
  if constexpr (std::same_as<T, char16_t>) return "char16_t";
  if constexpr (std::same_as<T, char32_t>) return "char32_t";
  return "?";
}

std::size_t checked = 0;

template <class T>
void check(const char* text, T expected) {
  static World world;
  ++checked;
  const auto got = world.run(text);
  REQUIRE_MESSAGE(got.has_value(), text << ": " << (got ? "" : got.error().message));
  CHECK_MESSAGE(got->type->unqualified()->name() == name_of_type<T>(), text);
  const auto bytes = read_bytes(world.memory, *got, 0, sizeof(T));
  REQUIRE_MESSAGE(bytes.has_value(), text);
  std::size_t significant = sizeof(T);
  if (std::same_as<T, long double>) significant = 10;  // the rest is padding
  CHECK_MESSAGE(std::memcmp(bytes->data(), &expected, significant) == 0, text << " gave " << summary(world.view(), *got) << ", the compiler " << expected);
}


#define E(...) check(#__VA_ARGS__, (__VA_ARGS__));

// All that two numbers can be to each other; `b` is no zero.
#define ARITHMETIC(a, b) E(a + b) E(a - b) E(a * b) E(a / b) E(a == b) E(a != b) E(a < b) E(a <= b) E(a > b) E(a >= b) E(a && b) E(a || b) E(b ? a : b) E(-(a) + b) E(!(a) == b) E((a, b))
#define INTEGERS(a, b) ARITHMETIC(a, b) E(a % b) E(a & b) E(a | b) E(a ^ b) E(~(a) & b) E(+(a)) E(a & b == b) E(a | b ^ a & b)
#define SHIFTS(a, n) E(a << n) E(a >> n) E((a >> n) + n) E(a << n >> n)

TEST_CASE("integers of every width and sign compute as the compiler's") {
  INTEGERS(7, 3)
  INTEGERS(-7, 3)
  INTEGERS(7, -3)
  INTEGERS(7u, 3)
  INTEGERS(-7, 3u)
  INTEGERS(7l, 3u)
  INTEGERS(-7l, 3ul)
  INTEGERS(7ll, 3ul)
  INTEGERS(-7ll, 3l)
  INTEGERS(7ull, -3)
  INTEGERS('a', 'b')
  INTEGERS('a', 3u)
  INTEGERS(true, 'b')
  INTEGERS(true, true)
  INTEGERS(L'x', 3)
  INTEGERS(u'x', -3)
  INTEGERS(U'x', -3)
  INTEGERS(0x7fffffff, 2u)
  INTEGERS(0x80000000, -1)
  INTEGERS(0xffffffffffffffff, 10)
  INTEGERS(4294967296, 4294967295)
  INTEGERS((short)-5, (unsigned char)200)
  INTEGERS((unsigned short)65535, (signed char)-1)
  INTEGERS((char)-1, (unsigned char)255)
  INTEGERS(((long)1 << 40), (unsigned)3)
}

TEST_CASE("floating numbers compute in their own format") {
  ARITHMETIC(1.5, 2.25)
  ARITHMETIC(0.1, 0.2)
  ARITHMETIC(0.1f, 0.2f)
  ARITHMETIC(0.1f, 0.2)
  ARITHMETIC(0.1L, 0.2L)
  ARITHMETIC(0.1L, 0.3f)
  ARITHMETIC(1, 3.0)
  ARITHMETIC(1, 3.0f)
  ARITHMETIC(16777217, 1.0f)
  ARITHMETIC(1e308, 10.0)
  ARITHMETIC(1e-320, 3)
  ARITHMETIC(123456789012345678l, 3.0f)
  ARITHMETIC(18446744073709551615ul, 1.0)
  ARITHMETIC('a', 2.5f)
  ARITHMETIC(true, 0.5L)
  ARITHMETIC(0x1.8p3, 0x1p-2f)
  ARITHMETIC(1.e2, .5)
}

TEST_CASE("shifts take the left side's type") {
  SHIFTS(1, 4)
  SHIFTS(-64, 3)
  SHIFTS(1u, 31)
  SHIFTS(1l, 40ul)
  SHIFTS(0x8000000000000000, 63)
  SHIFTS('a', 2l)
  SHIFTS((short)-3, 2u)
  SHIFTS(true, 7)
  SHIFTS(-1ll, 5ull)
}

TEST_CASE("literals of every kind have the compiler's type") {
  E(0) E(00) E(0b1011) E(0xff) E(0377) E(2147483647) E(2147483648) E(0x7fffffff) E(0xffffffff) E(0x100000000)
  E(4294967295) E(4294967296) E(9223372036854775807) E(0x7fffffffffffffff) E(0xffffffffffffffff) E(1u) E(1U) E(1l) E(1L)
  E(1ul) E(1lu) E(1LU) E(1ll) E(1LL) E(1ull) E(1llu) E(4294967295u) E(4294967296u) E(1'000'000) E(0xdead'beef) E(0b1111'0000) E(0'17)
  E(1.0) E(1.f) E(1.0f) E(1.0F) E(1.0l) E(1.0L) E(1e10) E(1E-5) E(1e+5f) E(.25) E(3.) E(0x1p10) E(0x.8p1) E(1'000.5)
  E('a') E('\n') E('\\') E('\'') E('\0') E('\x41') E('\101') E('"') E(L'a') E(u'a') E(U'a') E(L'\x263a') E(u'\u263a')
  check("'ab'", 24930);
  check("'abcd'", 1633837924);
  check("'\\e'", '\x1b');
  E(true) E(false)
}

TEST_CASE("precedence and associativity are C++'s") {
  E(1 + 2 * 3) E((1 + 2) * 3) E(10 - 4 - 3) E(100 / 10 / 5) E(100 / 10 * 5) E(2 + 3 << 1) E(1 << 2 + 3) E(7 & 3 == 3) E((7 & 3) == 3)
  E(1 | 2 ^ 3 & 4) E(1 || 0 && 0) E(!0 + 1) E(-2 * -3) E(~0 & 0xff) E(1 < 2 == 1) E(5 > 4 > 3) E(1 ? 2 : 3 ? 4 : 5) E(0 ? 2 : 3 ? 4 : 5) E(0 ? 1, 2 : 3)
  E((1, 2, 3)) E(1 == 1 != 0) E(10 % 4 * 2) E(-5 / 2) E(-5 % 2) E(5 / -2) E(5 % -2) E(!!5) E(- - 5) E(+-+5) E(-~5) E(~-5) E(1 + (2, 3) * 4)
  E(1 << 3 >> 1) E(3 - -3) E(3 - - -3) E(6 / 2 * (1 + 2)) E(1 ? 1 : 0 ? 2 : 3) E((1 ? 2 : 3) + 4) E(1 && 2 || 3 && 0) E(1 and 0 or not 0) E(6 bitand 3) E(6 bitor 3) E(6 xor 3) E(compl 6) E(1 not_eq 2)
}

TEST_CASE("casts truncate, extend, round and wrap as the compiler's") {
  E((char)300) E((unsigned char)-1) E((signed char)200) E((short)70000) E((unsigned short)-1) E((int)4294967295u) E((unsigned)-1) E((unsigned int)-1l)
  E((long)-1) E((unsigned long)-1) E((long int)5) E((long unsigned int)5) E((int long)5) E((unsigned long long int)5) E((short int)5) E((long long)-1u)
  E((bool)5) E((bool)0.1) E((bool)0) E((int)3.99) E((int)-3.99) E((unsigned char)200.7) E((float)0.1) E((float)16777217) E((double)0.1f) E((long double)0.1)
  E((float)1e-50) E((double)1L) E((char)'a') E((int)'a') E((wchar_t)65) E((char16_t)65) E((char32_t)65) E(static_cast<int>(2.5)) E(static_cast<unsigned char>(511)) E(static_cast<bool>(2))
  E(static_cast<float>(1) / 3) E(int(3.7)) E(double(1) / 3) E((int)(char)200) E((unsigned)(unsigned char)(char)-1) E(-(int)2u) E((long)(int)-1u) E(bool(7)) E(char(65)) E(int())
  E(sizeof(int)) E(sizeof(char)) E(sizeof(long double)) E(sizeof(int*)) E(sizeof(int[10])) E(sizeof 1) E(sizeof 'a') E(sizeof(1 + 1l)) E(sizeof(1.0f + 1)) E(sizeof(unsigned long long)) E(sizeof(int(*)(int))) E(sizeof(char[3][5])) E(sizeof(bool))
  E(alignof(int)) E(alignof(double)) E(alignof(long double)) E(alignof(char*)) E(alignof(short)) E(sizeof "abc") E(sizeof L"abc") E(sizeof u8"\u00e4") E(sizeof u"ab" "cd")
  E("abc"[1]) E(L"abc"[2]) E(u"\U0001F600"[0]) E("a\0b"[2]) E("\x41\102"[1]) E("abc" "def"[4]) E(2["abc"])
}

TEST_CASE("this file compared several hundred expressions") { CHECK(checked > 900); }

}  // namespace
}  // namespace trapline::eval
