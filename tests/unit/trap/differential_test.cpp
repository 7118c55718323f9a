// The processor is the specification: each instruction runs for real from some states, then displaced (or emulated)
// from the same states, and both must leave the same registers, flags, vector registers and memory.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "daemon/trap/displaced.hpp"
#include "tests/unit/trap/forms.hpp"
#include "tests/unit/trap/native.hpp"

namespace trapline::trap {
namespace {

constexpr unsigned seeds = 12;

// x87 remembers where its last instruction stood (bytes 8..15 of FXSAVE), which the program can see only by asking.
std::array<std::byte, 512> without_x87_pc(std::array<std::byte, 512> fx) {
  std::fill(fx.begin() + 8, fx.begin() + 16, std::byte{});
  return fx;
}

void check_same(const State& expected, const State& got) {
  const auto& e = expected.regs;
  const auto& g = got.regs;
  CHECK(e.rip == g.rip);
  CHECK(e.rsp == g.rsp);
  CHECK(e.eflags == g.eflags);
  CHECK(e.rax == g.rax);
  CHECK(e.rcx == g.rcx);
  CHECK((e == g));
  CHECK(without_x87_pc(expected.fx) == without_x87_pc(got.fx));
  CHECK(expected.data == got.data);
  CHECK(expected.stack == got.stack);
}

void fill(std::vector<std::byte>& memory, std::uint64_t word) {
  for (std::size_t at = 0; at < memory.size(); at += 8) std::memcpy(memory.data() + at, &word, sizeof word);
}

// For instructions that go where a register or memory says: all of them say "the landing".
State state_for(const Native& native, const TraplineForm& form, unsigned seed) {
  State state = native.state(seed);
  const auto facts = decode(bytes_of(form), native.pc());
  REQUIRE(facts);
  if (facts->flow == Flow::jump || facts->flow == Flow::call || facts->flow == Flow::ret) {
    const auto landing = native.address_of(Landing::indirect, form.size).value;
    state.regs.rax = state.regs.r11 = landing;
    fill(state.data, landing);
    fill(state.stack, landing);
    // The operands must be whole words.
    for (auto* base : {&state.regs.rbx, &state.regs.rsi, &state.regs.rdi}) *base &= ~std::uint64_t{7};
  }
  return state;
}

void check_displaced(std::span<const TraplineForm> forms) {
  CHECK(!forms.empty());
  Native native;
  for (const auto& form : forms) {
    const std::string text = text_of(form);
    CAPTURE(text);
    for (const auto finish : {Finish::jump_back, Finish::trap_back}) {
      const auto plan = displace(bytes_of(form), native.pc(), native.slot(), finish);
      REQUIRE(plan);
      CHECK(plan->instruction_size == form.size);
      CHECK(plan->relocated_size == form.size);
      CHECK(plan->next == native.pc() + ByteCount{form.size});
      CHECK(plan->code.size() <= slot_size);
    }
    const auto plan = displace(bytes_of(form), native.pc(), native.slot(), Finish::jump_back);
    for (unsigned seed = 0; seed < seeds; ++seed) {
      CAPTURE(seed);
      const State from = state_for(native, form, seed);
      native.place_program(bytes_of(form));
      const State expected = native.run(from, native.pc());
      REQUIRE(expected.regs.rip == native.pc().value + form.size);
      native.place(native.slot(), plan->code);
      check_same(expected, native.run(from, native.slot()));
    }
  }
}

TEST_CASE("a displaced instruction does what it did in its place") {
  const std::span forms(trapline_straight_begin, trapline_straight_end);
  CHECK(forms.size() > 200);
  check_displaced(forms);
}

TEST_CASE("displaced AVX2 and BMI instructions") {
  if (__builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("bmi2") == 0) {
    MESSAGE("skipped: no AVX2 or BMI2 on this machine");
    return;
  }
  check_displaced(std::span(trapline_avx2_begin, trapline_avx2_end));
}

TEST_CASE("displaced AVX-512 instructions: operands of one element are scaled in their disp8, never beside rip") {
  if (__builtin_cpu_supports("avx512vl") == 0 || __builtin_cpu_supports("avx512bw") == 0) {
    MESSAGE("skipped: no AVX-512 on this machine");
    return;
  }
  check_displaced(std::span(trapline_avx512_begin, trapline_avx512_end));
}

TEST_CASE("a displaced ret or indirect jump leaves the slot to the right place; a trap behind it would never be met") {
  Native native;
  for (const auto& form : std::span(trapline_leaving_begin, trapline_leaving_end)) {
    const std::string text = text_of(form);
    CAPTURE(text);
    const auto plan = displace(bytes_of(form), native.pc(), native.slot(), Finish::jump_back);
    REQUIRE(plan);
    CHECK(!displace(bytes_of(form), native.pc(), native.slot(), Finish::trap_back));
    for (unsigned seed = 0; seed < seeds; ++seed) {
      const State from = state_for(native, form, seed);
      native.place_program(bytes_of(form));
      const State expected = native.run(from, native.pc());
      REQUIRE(expected.regs.rip == native.address_of(Landing::indirect, form.size).value);
      native.place(native.slot(), plan->code);
      check_same(expected, native.run(from, native.slot()));
    }
  }
}

TEST_CASE("a displaced system call works; rcx holds the slot's address, which the caller puts right") {
  Native native;
  const std::vector syscall{std::byte{0x0f}, std::byte{0x05}};
  const auto plan = displace(syscall, native.pc(), native.slot(), Finish::jump_back);
  REQUIRE(plan);
  State from = native.state(1);
  from.regs.rax = 39;  // getpid
  native.place_program(syscall);
  const State expected = native.run(from, native.pc());
  CHECK(expected.regs.rcx == native.pc().value + 2);
  native.place(native.slot(), plan->code);
  State got = native.run(from, native.slot());
  CHECK(got.regs.rcx == native.slot().value + plan->relocated_size);
  got.regs.rcx = expected.regs.rcx;
  check_same(expected, got);
}

struct Reader {
  const Native& native;
  const State& state;
};

Result<std::uint64_t> read_word(void* context, LoadAddr at) {
  const auto& reader = *static_cast<const Reader*>(context);
  const auto from = [&](LoadAddr begin, const std::vector<std::byte>& memory) -> std::optional<std::uint64_t> {
    if (at < begin || at.value + 8 > begin.value + memory.size()) return std::nullopt;
    std::uint64_t word = 0;
    std::memcpy(&word, memory.data() + (at - begin).value, sizeof word);
    return word;
  };
  if (const auto word = from(reader.native.data(), reader.state.data)) return *word;
  if (const auto word = from(reader.native.stack(), reader.state.stack)) return *word;
  std::uint64_t word = 0;  // this thread's own memory: fs:[0]
  std::memcpy(&word, reinterpret_cast<const void*>(at.value), sizeof word);
  return word;
}

std::uint64_t fs_base() {
  std::uint64_t base = 0;
  __asm__("mov %%fs:0, %0" : "=r"(base));  // the first word of the thread control block is its own address
  return base;
}

TEST_CASE("an emulated instruction does what the processor does") {
  Native native;
  const std::span forms(trapline_emulated_begin, trapline_emulated_end);
  CHECK(forms.size() > 150);
  for (const auto& form : forms) {
    const std::string text = text_of(form);
    CAPTURE(text);
    for (unsigned seed = 0; seed < seeds; ++seed) {
      CAPTURE(seed);
      State from = state_for(native, form, seed);
      from.regs.fs_base = fs_base();
      native.place_program(bytes_of(form));
      const State expected = native.run(from, native.pc());
      REQUIRE(expected.regs.rip != 0);
      Reader reader{native, from};
      const auto emulated = emulate(bytes_of(form), from.regs, &read_word, &reader);
      REQUIRE(emulated);
      REQUIRE(emulated->has_value());
      State got = from;
      got.fx = expected.fx;
      got.regs = (*emulated)->after;
      if (const auto& store = (*emulated)->store) {
        REQUIRE(store->at >= native.stack());
        std::memcpy(got.stack.data() + (store->at - native.stack()).value, &store->value, sizeof store->value);
      }
      check_same(expected, got);
    }
  }
}

}  // namespace
}  // namespace trapline::trap
