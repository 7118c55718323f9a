// What displace and emulate refuse, and facts about instructions.
#include <doctest/doctest.h>

#include <initializer_list>
#include <random>
#include <vector>

#include "daemon/trap/displaced.hpp"

namespace trapline::trap {
namespace {

std::vector<std::byte> code(std::initializer_list<unsigned> bytes) {
  std::vector<std::byte> made;
  for (const unsigned byte : bytes) made.push_back(static_cast<std::byte>(byte));
  return made;
}

constexpr LoadAddr pc{0x401000};
constexpr LoadAddr slot{0x500000};

Result<std::uint64_t> no_memory(void*, LoadAddr) { return fail(Errc::bad_address, "no memory"); }
Result<std::uint64_t> one_word(void* context, LoadAddr) { return *static_cast<std::uint64_t*>(context); }

TEST_CASE("what cannot run elsewhere is refused with its address and reason") {
  for (const auto& bytes : {
           code({0xcc}),                                      // int3
           code({0xcd, 0x80}),                                // int 0x80
           code({0xf1}),                                      // int1
           code({0xf4}),                                      // hlt
           code({0x0f, 0x0b}),                                // ud2
           code({0xe8, 0, 0, 0, 0}),                          // call
           code({0xff, 0xd0}),                                // call rax
           code({0xff, 0x18}),                                // call far [rax]
           code({0xff, 0x28}),                                // jmp far [rax]
           code({0xeb, 0x10}),                                // jmp short
           code({0xe9, 0, 0, 0, 0}),                          // jmp
           code({0x74, 0x10}),                                // jz
           code({0x0f, 0x84, 0, 0, 0, 0}),                    // jz near
           code({0xe2, 0x10}),                                // loop
           code({0xe3, 0x10}),                                // jrcxz
           code({0x48, 0xcf}),                                // iretq
           code({0xcb}),                                      // retf
           code({0xc7, 0xf8, 0, 0, 0, 0}),                    // xbegin
           code({0x67, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00}),  // mov eax, [eip+0x10]
           code({0x06}),                                      // push es: no instruction in 64-bit mode
           code({0x48, 0x8b}),                                // cut off
           code({}),
       }) {
    CAPTURE(disassemble_one(bytes, pc, nullptr));
    const auto plan = displace(bytes, pc, slot, Finish::jump_back);
    REQUIRE(!plan);
    CHECK(plan.error().code == Errc::unsupported);
    CHECK(plan.error().message.find("0x401000") != std::string::npos);
  }
}

TEST_CASE("an operand relative to rip is reached from slots within 2 GB, and refused beyond") {
  const auto load = code({0x48, 0x8b, 0x05, 0x00, 0x01, 0x00, 0x00});  // mov rax, [rip+0x100]
  const std::uint64_t operand = pc.value + 7 + 0x100;
  const auto fits = [&](std::uint64_t at) { return displace(load, pc, LoadAddr{at}, Finish::jump_back).has_value(); };
  CHECK(fits(operand - 7 + 0x80000000));  // disp32 = INT32_MIN
  CHECK_FALSE(fits(operand - 7 + 0x80000001));
  const LoadAddr high{0x7fff00000000};
  const std::uint64_t high_operand = high.value + 7 + 0x100;
  CHECK(displace(load, high, LoadAddr{high_operand - 7 - 0x7fffffff}, Finish::jump_back));
  CHECK_FALSE(displace(load, high, LoadAddr{high_operand - 7 - 0x80000000}, Finish::jump_back).has_value());
  // Without such an operand any distance will do.
  CHECK(displace(code({0x48, 0x89, 0xd8}), high, LoadAddr{0x1000}, Finish::jump_back));
}

TEST_CASE("the slot holds the instruction and an absolute way back; for a step a trap lies between") {
  const auto push = code({0x55, 0xcc, 0xcc});  // what follows does not matter
  const auto plan = displace(push, pc, slot, Finish::jump_back);
  REQUIRE(plan);
  CHECK(plan->code == code({0x55, 0xff, 0x25, 0, 0, 0, 0, 0x01, 0x10, 0x40, 0, 0, 0, 0, 0}));
  const auto step = displace(push, pc, slot, Finish::trap_back);
  REQUIRE(step);
  CHECK(step->code == code({0x55, 0xcc, 0xff, 0x25, 0, 0, 0, 0, 0x01, 0x10, 0x40, 0, 0, 0, 0, 0}));
}

TEST_CASE("facts for stepping: size, flow and direct target") {
  const auto facts = [](std::initializer_list<unsigned> bytes) { return decode(code(bytes), pc).value(); };
  CHECK(facts({0xe8, 0x10, 0, 0, 0}).flow == Flow::call);
  CHECK(facts({0xe8, 0x10, 0, 0, 0}).target == LoadAddr{0x401015});
  CHECK(facts({0xff, 0xd0}).flow == Flow::call);
  CHECK(!facts({0xff, 0xd0}).target);
  CHECK(facts({0xeb, 0xfe}).flow == Flow::jump);
  CHECK(facts({0xeb, 0xfe}).target == pc);
  CHECK(facts({0xff, 0x25, 0, 0, 0, 0}).flow == Flow::jump);
  CHECK(facts({0x75, 0x02}).flow == Flow::conditional);
  CHECK(facts({0x75, 0x02}).target == LoadAddr{0x401004});
  CHECK(facts({0xe2, 0x02}).flow == Flow::conditional);
  CHECK(facts({0xc3}).flow == Flow::ret);
  CHECK(facts({0xf3, 0xc3}).flow == Flow::ret);
  CHECK(facts({0x48, 0xcf}).flow == Flow::ret);
  CHECK(facts({0x0f, 0x05}).flow == Flow::syscall);
  CHECK(facts({0xcc}).flow == Flow::trap);
  CHECK(facts({0x0f, 0x0b}).flow == Flow::trap);
  CHECK(facts({0x55}).flow == Flow::straight);
  CHECK(facts({0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}).size == 9);
  CHECK(decode(code({0x06}), pc).error().code == Errc::unsupported);
}

TEST_CASE("disassembly is Intel's, with absolute targets; a bad byte is one byte") {
  std::size_t size = 0;
  CHECK(disassemble_one(code({0x48, 0x89, 0xe5}), pc, &size) == "mov rbp, rsp");
  CHECK(size == 3);
  CHECK(disassemble_one(code({0xe8, 0x10, 0, 0, 0}), pc, &size).find("401015") != std::string::npos);
  CHECK(disassemble_one(code({0x06, 0x90}), pc, &size) == "(bad)");
  CHECK(size == 1);
  CHECK(disassemble_one({}, pc, &size) == "(bad)");
}

TEST_CASE("what is not simple, or would fault, is not emulated") {
  arch::GeneralRegisters regs;
  regs.rip = pc.value;
  regs.rsp = 0x7ffe0000;
  regs.rax = 0x402000;
  const auto emulated = [&](std::initializer_list<unsigned> bytes, ReadWord read = &no_memory,
                            void* context = nullptr) {
    const auto answer = emulate(code(bytes), regs, read, context);
    REQUIRE(answer);
    return answer->has_value();
  };
  CHECK_FALSE(emulated({0x0f, 0x05}));        // syscall
  CHECK_FALSE(emulated({0x48, 0x01, 0xd8}));  // add rax, rbx
  CHECK_FALSE(emulated({0x48, 0x8b, 0x00}));  // mov rax, [rax]
  CHECK_FALSE(emulated({0x66, 0xeb, 0x10}));  // jmp with an operand size prefix: makers differ
  CHECK_FALSE(emulated({0x66, 0x50}));        // push ax
  CHECK_FALSE(emulated({0xc3}));              // ret, and the stack cannot be read
  CHECK_FALSE(emulated({0xff, 0x10}));        // call [rax], likewise
  CHECK_FALSE(emulated({0x0f, 0xa0}));        // push fs
  CHECK_FALSE(emulated({0xcb}));              // retf
  CHECK_FALSE(emulated({0xff, 0x28}));        // jmp far
  CHECK_FALSE(emulated({0x06}));              // nothing
  CHECK_FALSE(emulated({0x0f, 0x20, 0xc0}));  // mov rax, cr0
  CHECK_FALSE(emulated({0x8c, 0xd8}));        // mov eax, ds
  CHECK(emulated({0xff, 0xe0}));              // jmp rax
  std::uint64_t noncanonical = 0x0000800000000000;
  CHECK_FALSE(emulated({0xc3}, &one_word, &noncanonical));
  regs.rax = noncanonical;
  CHECK_FALSE(emulated({0xff, 0xe0}));
  CHECK(emulated({0x90}));
  regs.eflags |= 0x100;  // the program steps itself
  CHECK_FALSE(emulated({0x90}));
}

TEST_CASE("a call gives the store to make, not yet made") {
  arch::GeneralRegisters regs;
  regs.rip = pc.value;
  regs.rsp = 0x7ffe0008;
  const auto call = emulate(code({0xe8, 0x10, 0, 0, 0}), regs, &no_memory, nullptr);
  REQUIRE(call);
  REQUIRE(*call);
  CHECK((*call)->after.rip == 0x401015);
  CHECK((*call)->after.rsp == 0x7ffe0000);
  REQUIRE((*call)->store);
  CHECK((*call)->store->at == LoadAddr{0x7ffe0000});
  CHECK((*call)->store->value == 0x401005);
}

TEST_CASE("any bytes get an answer: a plan that fits its slot, or a refusal") {
  std::mt19937_64 random(99);
  unsigned planned = 0;
  for (int round = 0; round < 200000; ++round) {
    std::vector<std::byte> bytes(random() % 16);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    const LoadAddr from{random() & 0x7fffffffffff};
    const LoadAddr to{from.value + (random() & 0x3fffffff)};
    const auto plan = displace(bytes, from, to, round % 2 == 0 ? Finish::jump_back : Finish::trap_back);
    const auto facts = decode(bytes, from);
    if (plan) {
      ++planned;
      REQUIRE(facts);
      REQUIRE(plan->instruction_size == facts->size);
      REQUIRE(plan->code.size() <= slot_size);
    }
    arch::GeneralRegisters regs;
    regs.rip = from.value;
    std::uint64_t word = random();
    const auto emulated = emulate(bytes, regs, &one_word, &word);
    REQUIRE(emulated);
    if (*emulated && facts->flow == Flow::straight) REQUIRE((*emulated)->after.rip == from.value + facts->size);
  }
  CHECK(planned > 50000);
}

}  // namespace
}  // namespace trapline::trap
