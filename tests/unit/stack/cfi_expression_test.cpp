#include <doctest/doctest.h>
#include <dwarf.h>

#include "daemon/sym/cfi.hpp"
#include "tests/unit/stack/fake_memory.hpp"

using namespace trapline;

namespace {

struct Inputs {
  std::array<std::optional<std::uint64_t>, sym::cfi_registers> registers{};
  test::FakeMemory memory;
  std::optional<std::uint64_t> cfa;
  Result<std::uint64_t> run(const sym::CfiExpression& code, std::uint64_t bias = 0) const {
    return sym::evaluate_cfi(code, {.registers = registers, .cfa = cfa, .memory = &memory, .bias = bias});
  }
};

constexpr std::uint8_t lit(int n) { return static_cast<std::uint8_t>(DW_OP_lit0 + n); }

}  // namespace

TEST_CASE("the linker's expression for lazy PLT stubs counts the pushed index from the eleventh byte on") {
  // rsp + 8 + ((((rip & 15) >= 11) << 3)
  const sym::CfiExpression plt{{DW_OP_breg7, 8, 0, 0}, {DW_OP_breg16, 0, 0, 2}, {lit(15), 0, 0, 4},
                               {DW_OP_and, 0, 0, 5},   {lit(11), 0, 0, 6},      {DW_OP_ge, 0, 0, 7},
                               {lit(3), 0, 0, 8},      {DW_OP_shl, 0, 0, 9},    {DW_OP_plus, 0, 0, 10}};
  Inputs inputs;
  inputs.registers[7] = 0x1000;
  inputs.registers[16] = 0x40006;
  CHECK(*inputs.run(plt) == 0x1008);
  inputs.registers[16] = 0x4000b;
  CHECK(*inputs.run(plt) == 0x1010);
}

TEST_CASE("memory is read through, and what cannot be read is said with its address") {
  Inputs inputs;
  inputs.registers[7] = 0x7000;
  inputs.memory.put_words(0x70a0, {0xdeadbeef12345678});
  CHECK(*inputs.run({{DW_OP_breg7, 160, 0, 0}, {DW_OP_deref, 0, 0, 3}}) == 0xdeadbeef12345678);
  CHECK(*inputs.run({{DW_OP_breg7, 160, 0, 0}, {DW_OP_deref_size, 2, 0, 3}}) == 0x5678);
  const auto bad = inputs.run({{DW_OP_lit8, 0, 0, 0}, {DW_OP_deref, 0, 0, 1}});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Errc::bad_address);
  CHECK(bad.error().message.find("0x8") != std::string::npos);
}

TEST_CASE("arithmetic is modulo 2^64; comparison and division are signed") {
  const Inputs inputs;
  const auto on = [&](std::uint64_t a, std::uint64_t b, std::uint8_t op) {
    return inputs.run({{DW_OP_constu, a, 0, 0}, {DW_OP_constu, b, 0, 1}, {op, 0, 0, 2}});
  };
  const std::uint64_t minus_one = ~std::uint64_t{0}, lowest = std::uint64_t{1} << 63;
  CHECK(*on(minus_one, 2, DW_OP_plus) == 1);
  CHECK(*on(minus_one, 1, DW_OP_lt) == 1);
  CHECK(*on(minus_one, 1, DW_OP_ge) == 0);
  CHECK(*on(7, 0 - std::uint64_t{2}, DW_OP_div) == 0 - std::uint64_t{3});
  CHECK(*on(lowest, minus_one, DW_OP_div) == lowest);
  CHECK_FALSE(on(1, 0, DW_OP_div));
  CHECK_FALSE(on(1, 0, DW_OP_mod));
  CHECK(*on(7, 3, DW_OP_mod) == 1);
  CHECK(*on(1, 64, DW_OP_shl) == 0);
  CHECK(*on(lowest, 200, DW_OP_shra) == minus_one);
  CHECK(*inputs.run({{DW_OP_const1s, 0xff, 0, 0}}) == minus_one);
  CHECK(*inputs.run({{DW_OP_lit5, 0, 0, 0}, {DW_OP_neg, 0, 0, 1}, {DW_OP_abs, 0, 0, 2}}) == 5);
}

TEST_CASE("stack operations move what they say") {
  const Inputs inputs;
  // 1 2 3 rot -> 3 1 2; then swap -> 3 2 1; over -> 3 2 1 2; pick 3 -> the 3
  const sym::CfiExpression code{{lit(1), 0, 0, 0},    {lit(2), 0, 0, 1},     {lit(3), 0, 0, 2},
                                {DW_OP_rot, 0, 0, 3}, {DW_OP_swap, 0, 0, 4}, {DW_OP_over, 0, 0, 5}};
  CHECK(*inputs.run(code) == 2);
  auto picked = code;
  picked.push_back({DW_OP_pick, 3, 0, 6});
  CHECK(*inputs.run(picked) == 3);
}

TEST_CASE("branches go by byte offsets, to the end too, and never into an operation") {
  const Inputs inputs;
  // 0: lit0  1: bra +1 (over the lit7 at 4)  4: lit7  5: lit9
  const auto with = [&](std::uint8_t condition, std::uint64_t distance) {
    return inputs.run(
        {{lit(1), 0, 0, 0}, {condition, 0, 0, 1}, {DW_OP_bra, distance, 0, 2}, {lit(7), 0, 0, 5}, {lit(9), 0, 0, 6}});
  };
  CHECK(*with(lit(1), 1) == 9);
  CHECK(*with(lit(0), 1) == 9);
  CHECK(*with(lit(1), 2) == 1);  // to the end
  CHECK_FALSE(with(lit(1), 0 - std::uint64_t{4}));
  const auto endless = inputs.run({{lit(1), 0, 0, 0}, {DW_OP_skip, 0 - std::uint64_t{3}, 0, 1}});
  REQUIRE_FALSE(endless);
  CHECK(endless.error().message.find("end") != std::string::npos);
}

TEST_CASE("corrupt expressions are refused, never followed") {
  const Inputs inputs;
  CHECK_FALSE(inputs.run({}));
  CHECK_FALSE(inputs.run({{DW_OP_plus, 0, 0, 0}}));
  CHECK_FALSE(inputs.run({{lit(1), 0, 0, 0}, {DW_OP_swap, 0, 0, 1}}));
  CHECK_FALSE(inputs.run({{lit(1), 0, 0, 0}, {DW_OP_pick, 200, 0, 1}}));
  CHECK_FALSE(inputs.run({{DW_OP_fbreg, 0, 0, 0}}));
  CHECK_FALSE(inputs.run({{DW_OP_bregx, 99, 0, 0}}));
  CHECK_FALSE(inputs.run({{DW_OP_call_frame_cfa, 0, 0, 0}}));
  CHECK_FALSE(inputs.run({{lit(1), 0, 0, 0}, {DW_OP_deref_size, 9, 0, 1}}));
  const auto unknown = inputs.run({{DW_OP_breg0, 0, 0, 0}});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::not_available);
}

TEST_CASE("addresses of the file are relocated") {
  const Inputs inputs;
  CHECK(*inputs.run({{DW_OP_addr, 0x1234, 0, 0}}, 0x555500000000) == 0x555500001234);
}
