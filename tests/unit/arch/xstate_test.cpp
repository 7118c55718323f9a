// The XSAVE area, over this machine's own XSAVE instruction: what the processor wrote must read by name, and what was
// written by name must come back out of XRSTOR.
#include <cpuid.h>
#include <doctest/doctest.h>
#include <immintrin.h>

#include <cstring>
#include <numeric>

#include "daemon/arch/registers.hpp"

namespace trapline::arch {
namespace {

constexpr std::size_t xcr0_at = 464, xstate_bv_at = 512;

std::uint64_t xcr0() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

std::size_t area_size() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid_count(0xd, 0, a, b, c, d);
  return b;
}

// An area as the kernel gives it: XCR0 noted in the software bytes.
RegisterFile empty_file() {
  RegisterFile file;
  file.xstate.resize(area_size());
  const std::uint64_t enabled = xcr0();
  std::memcpy(file.xstate.data() + xcr0_at, &enabled, sizeof enabled);
  return file;
}

std::uint64_t components_in_use(const RegisterFile& file) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, file.xstate.data() + xstate_bv_at, sizeof bits);
  return bits;
}

std::vector<std::byte> counted(std::size_t size, unsigned first) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

bool has(std::string_view name) {
  const auto file = empty_file();
  for (const auto& described : register_list(file.xstate))
    if (described.name == name) return true;
  return false;
}

struct alignas(64) AlignedArea {
  std::byte bytes[32768];
};

TEST_CASE("components in their initial state read as that, whatever their bytes are") {
  auto file = empty_file();
  for (std::size_t i = 0; i < xcr0_at; ++i) file.xstate[i] = std::byte{0xee};
  for (std::size_t i = xstate_bv_at + 64; i < file.xstate.size(); ++i) file.xstate[i] = std::byte{0xee};
  CHECK(read_register(file, "xmm3").value() == std::vector<std::byte>(16));
  CHECK(read_register(file, "st5").value() == std::vector<std::byte>(10));
  CHECK(format_register("fctrl", read_register(file, "fctrl").value()) == "0x37f");
  CHECK(format_register("ftag", read_register(file, "ftag").value()) == "0xffff");
  CHECK(format_register("mxcsr", read_register(file, "mxcsr").value()) == "[ IM DM ZM OM UM PM ]");
  for (const auto& described : register_list(file.xstate))
    CHECK(read_register(file, described.name).value().size() == described.size);
}

TEST_CASE("a write begins the use of its component from the initial state") {
  auto file = empty_file();
  for (std::size_t i = 0; i < xcr0_at; ++i) file.xstate[i] = std::byte{0xee};
  REQUIRE(write_register(file, "xmm1", counted(16, 1)));
  CHECK((components_in_use(file) & 0b11) == 0b10);
  CHECK(read_register(file, "xmm0").value() == std::vector<std::byte>(16));
  CHECK(read_register(file, "xmm1").value() == counted(16, 1));
  CHECK(format_register("mxcsr", read_register(file, "mxcsr").value()) == "[ IM DM ZM OM UM PM ]");
  CHECK(format_register("fctrl", read_register(file, "fctrl").value()) == "0x37f");
  REQUIRE(write_register(file, "st0", counted(10, 1)));
  CHECK((components_in_use(file) & 0b11) == 0b11);
  CHECK(format_register("fctrl", read_register(file, "fctrl").value()) == "0x37f");
  CHECK(read_register(file, "xmm1").value() == counted(16, 1));
}

TEST_CASE("every register that is listed keeps what was written to it, and shares bits only with its kin") {
  const auto listed = empty_file();
  for (const auto& described : register_list(listed.xstate)) {
    CAPTURE(described.name);
    auto file = empty_file();
    auto value = counted(described.size, 0x11);
    if (described.name == "ftag") value = {std::byte{0b00110011}, std::byte{0xff}};
    REQUIRE(write_register(file, described.name, value));
    if (described.name != "ftag") CHECK(read_register(file, described.name).value() == value);
    unsigned others = 0;
    for (const auto& other : register_list(listed.xstate))
      if (read_register(file, other.name).value() != read_register(listed, other.name).value()) ++others;
    CHECK(others >= 1);
    CHECK(others <= 3);  // itself; xmm, ymm and zmm of one number; st and mm, and the tags that follow from a value
  }
}

TEST_CASE("vector registers are one register seen at three widths") {
  if (!has("zmm31")) {
    MESSAGE("skipped: no AVX-512 on this machine");
    return;
  }
  auto file = empty_file();
  for (const std::string number : {"2", "15", "16", "31"}) {
    const auto value = counted(64, 0x40);
    REQUIRE(write_register(file, "zmm" + number, value));
    CHECK(read_register(file, "zmm" + number).value() == value);
    CHECK(read_register(file, "ymm" + number).value() == std::vector(value.begin(), value.begin() + 32));
    CHECK(read_register(file, "xmm" + number).value() == std::vector(value.begin(), value.begin() + 16));
    REQUIRE(write_register(file, "xmm" + number, std::vector<std::byte>(16)));
    auto expected = value;
    std::fill_n(expected.begin(), 16, std::byte{});
    CHECK(read_register(file, "zmm" + number).value() == expected);
  }
}

TEST_CASE("mmx registers are physical, x87 registers count from the top of the stack") {
  auto file = empty_file();
  const std::vector<std::byte> top_is_6{std::byte{0}, std::byte{6 << 3}};
  REQUIRE(write_register(file, "fstat", top_is_6));
  REQUIRE(write_register(file, "st0", counted(10, 1)));  // physical 6
  CHECK(read_register(file, "mm6").value() == counted(8, 1));
  REQUIRE(write_register(file, "mm0", counted(8, 0x50)));  // two above the top
  auto st2 = read_register(file, "st2").value();
  st2.resize(8);
  CHECK(st2 == counted(8, 0x50));
}

TEST_CASE("the tag word follows from what the registers hold") {
  auto file = empty_file();
  const auto set = [&](const char* name, long double value) {
    std::vector<std::byte> bytes(10);
    std::memcpy(bytes.data(), &value, 10);
    REQUIRE(write_register(file, name, bytes));
  };
  set("st0", 1.0L);
  set("st1", 0.0L);
  set("st2", __builtin_infl());
  REQUIRE(write_register(file, "ftag", std::vector{std::byte{0b11000000}, std::byte{0xff}}));  // 3..7 empty
  CHECK(format_register("ftag", read_register(file, "ftag").value()) == "0xffe4");             // special zero valid
}

TEST_CASE("what the processor saved reads by name") {
  REQUIRE(area_size() <= sizeof(AlignedArea));
  static AlignedArea area;
  const auto expected = counted(16, 0x21);
  __m128i vector;
  std::memcpy(&vector, expected.data(), sizeof vector);
  const long double e = 2.718281828459045235360L;
  // One block, so that no code between uses the registers.
  __asm__ volatile(
      "fldt %[number]\n\t"
      "movdqa %[vector], %%xmm7\n\t"
      "mov $-1, %%eax\n\t"
      "mov $-1, %%edx\n\t"
      "xsave64 %[area]\n\t"
      "fstp %%st(0)\n\t"
      : [area] "+m"(area)
      : [number] "m"(e), [vector] "x"(vector)
      : "xmm7", "rax", "rdx", "memory");
  auto file = empty_file();
  std::vector<std::byte> enabled(file.xstate.begin() + xcr0_at, file.xstate.begin() + xcr0_at + 8);
  file.xstate.assign(area.bytes, area.bytes + area_size());
  std::copy(enabled.begin(), enabled.end(), file.xstate.begin() + xcr0_at);
  CHECK(read_register(file, "xmm7").value() == expected);
  CHECK(format_register("st0", read_register(file, "st0").value()).starts_with("2.71828182845904524 "));
  CHECK(format_register("ftag", read_register(file, "ftag").value()) == "0x3fff");
}

__attribute__((target("avx512f,avx512bw"))) bool restored_512(const RegisterFile& file, std::vector<std::byte>& zmm20,
                                                              std::uint64_t& k3) {
  static AlignedArea area;
  std::memcpy(&area, file.xstate.data(), file.xstate.size());
  std::memset(area.bytes + xcr0_at, 0, 48);
  zmm20.resize(64);
  __asm__ volatile(
      "mov $0xe6, %%eax\n\t"  // everything but x87: the compiler's stack of it stays
      "xor %%edx, %%edx\n\t"
      "xrstor64 %[area]\n\t"
      "vmovdqu64 %%zmm20, (%[out])\n\t"
      "kmovq %%k3, %[k3]\n\t"
      "vzeroupper\n\t"
      : [k3] "=r"(k3)
      : [area] "m"(area), [out] "r"(zmm20.data())
      : "rax", "rdx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
  return true;
}

TEST_CASE("what was written by name comes out of the processor's restore") {
  if (!has("zmm31")) {
    MESSAGE("skipped: no AVX-512 on this machine");
    return;
  }
  auto file = empty_file();
  const auto value = counted(64, 0x80);
  REQUIRE(write_register(file, "zmm20", value));
  REQUIRE(write_register(file, "k3", counted(8, 1)));
  REQUIRE(write_register(file, "mxcsr", std::vector{std::byte{0x80}, std::byte{0x1f}, std::byte{0}, std::byte{0}}));
  std::vector<std::byte> zmm20;
  std::uint64_t k3 = 0;
  REQUIRE(restored_512(file, zmm20, k3));
  CHECK(zmm20 == value);
  CHECK(k3 == 0x0807060504030201);
}

TEST_CASE("an area that is too short holds nothing") {
  RegisterFile file;
  file.xstate.resize(100);
  CHECK(read_register(file, "xmm0").error().code == Errc::not_available);
  CHECK(register_list(file.xstate).size() == register_list({}).size());
  file = empty_file();
  file.xstate.resize(576);  // legacy region and header only
  CHECK(read_register(file, "xmm0").has_value());
  CHECK(!read_register(file, "ymm0").has_value());
}

}  // namespace
}  // namespace trapline::arch
