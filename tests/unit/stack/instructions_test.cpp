#include "daemon/stack/instructions.hpp"

#include <doctest/doctest.h>

#include "tests/unit/stack/fake_memory.hpp"

using namespace trapline;
using stack::analyse_function;
using stack::call_before;
using stack::is_signal_trampoline;
using sym::CfiRuleKind;

namespace {

constexpr std::uint64_t base = 0x401000;

test::FakeMemory code(std::vector<std::uint8_t> bytes, std::uint64_t at = base) {
  test::FakeMemory memory;
  memory.put(at, std::move(bytes));
  return memory;
}

}  // namespace

TEST_CASE("the call before a return address is found in all its lengths, with the target of a direct one") {
  auto memory = code({0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0});
  auto call = call_before(LoadAddr{base + 8}, memory);
  REQUIRE(call);
  CHECK(call->target == LoadAddr{base + 8 + 0x10});
  const std::vector<std::vector<std::uint8_t>> indirect{
      {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0},   // call *%rax
      {0x90, 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd3},   // call *%r11
      {0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x18},   // call *0x18(%rax)
      {0x90, 0x90, 0xff, 0x15, 0x10, 0x20, 0, 0},         // call *0x2010(%rip)
      {0x90, 0xff, 0x94, 0xc8, 0x10, 0x20, 0x30, 0},      // call *0x302010(%rax,%rcx,8)
      {0x90, 0x41, 0xff, 0x94, 0xc8, 0x10, 0x20, 0x30}};  // cut off: no call ends here
  for (std::size_t i = 0; i < indirect.size(); ++i) {
    CAPTURE(i);
    const auto found = call_before(LoadAddr{base + 8}, code(indirect[i]));
    CHECK(found.has_value() == (i != 5));
    if (found) CHECK_FALSE(found->target);
  }
}

TEST_CASE("a call at the begin of mapped memory is found, and no read goes below") {
  CHECK(call_before(LoadAddr{base + 2}, code({0xff, 0xd0})));
  CHECK_FALSE(call_before(LoadAddr{base}, code({0xff, 0xd0})));
  CHECK_FALSE(call_before(LoadAddr{3}, code({0xff, 0xd0})));
}

TEST_CASE("signal trampolines of glibc and of musl are known at both of their instructions") {
  auto glibc = code({0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05});
  CHECK(is_signal_trampoline(LoadAddr{base}, glibc));
  CHECK(is_signal_trampoline(LoadAddr{base + 7}, glibc));
  CHECK_FALSE(is_signal_trampoline(LoadAddr{base + 1}, glibc));
  auto shorter = code({0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05});
  CHECK(is_signal_trampoline(LoadAddr{base}, shorter));
  CHECK(is_signal_trampoline(LoadAddr{base + 5}, shorter));
  CHECK_FALSE(is_signal_trampoline(LoadAddr{base}, code({0xb8, 0x0e, 0, 0, 0, 0x0f, 0x05})));
}

TEST_CASE("a frame without a frame pointer is followed through its prologue, its body and its epilogues") {
  // 0 push rbx; 1 push r12; 3 sub rsp,24; 7 test edi,edi; 9 je 1b; b xor ebx,ebx; d call; 12 add rsp,24; 16 pop r12;
  // 18 pop rbx; 19 ret; 1a nop; 1b mov r12d,edi
  auto memory = code({0x53, 0x41, 0x54, 0x48, 0x83, 0xec, 0x18, 0x85, 0xff, 0x74, 0x10, 0x31, 0xdb, 0xe8, 0x10, 0,
                      0,    0,    0x48, 0x83, 0xc4, 0x18, 0x41, 0x5c, 0x5b, 0xc3, 0x90, 0x41, 0x89, 0xfc, 0x90});
  const auto cfa_at = [&](std::uint64_t offset) {
    const auto row = analyse_function(LoadAddr{base}, LoadAddr{base + offset}, 8, memory);
    REQUIRE(row);
    CHECK(row->cfa_register == 7);
    return row->cfa_offset;
  };
  CHECK(cfa_at(0) == 8);
  CHECK(cfa_at(1) == 16);
  CHECK(cfa_at(3) == 24);
  CHECK(cfa_at(7) == 48);
  CHECK(cfa_at(0x12) == 48);
  CHECK(cfa_at(0x16) == 24);
  CHECK(cfa_at(0x18) == 16);
  CHECK(cfa_at(0x19) == 8);
  CHECK(cfa_at(0x1b) == 48);  // behind the return, where the branch leads
  const auto body = analyse_function(LoadAddr{base}, LoadAddr{base + 0x12}, 8, memory);
  CHECK(body->rules[3].kind == CfiRuleKind::offset);
  CHECK(body->rules[3].offset == -16);
  CHECK(body->rules[12].offset == -24);
  CHECK(body->rules[13].kind == CfiRuleKind::same);
  CHECK(body->rules[16].offset == -8);
  CHECK(body->rules[0].kind == CfiRuleKind::undefined);
  const auto end = analyse_function(LoadAddr{base}, LoadAddr{base + 0x19}, 8, memory);
  CHECK(end->rules[3].kind == CfiRuleKind::same);
  CHECK_FALSE(analyse_function(LoadAddr{base}, LoadAddr{base + 2}, 8, memory));  // inside an instruction
}

TEST_CASE("a frame pointer holds the frame while the stack pointer goes where it likes") {
  // 0 push rbp; 1 mov rbp,rsp; 4 and rsp,-64; 8 sub rsp,rax; b leave; c ret
  auto memory = code({0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xc0, 0x48, 0x29, 0xc4, 0xc9, 0xc3});
  for (const std::uint64_t offset : {4, 8, 11}) {
    const auto row = analyse_function(LoadAddr{base}, LoadAddr{base + offset}, 8, memory);
    REQUIRE(row);
    CHECK(row->cfa_register == 6);
    CHECK(row->cfa_offset == 16);
    CHECK(row->rules[6].offset == -16);
  }
  const auto at_return = analyse_function(LoadAddr{base}, LoadAddr{base + 12}, 8, memory);
  REQUIRE(at_return);
  CHECK(at_return->cfa_register == 7);
  CHECK(at_return->cfa_offset == 8);
  CHECK(at_return->rules[6].kind == CfiRuleKind::same);
}

TEST_CASE("a register that is overwritten before it is saved is not claimed to be known") {
  // 0 mov rbx,rax; 3 push rbx; 4 nop
  auto memory = code({0x48, 0x89, 0xc3, 0x53, 0x90});
  const auto row = analyse_function(LoadAddr{base}, LoadAddr{base + 4}, 8, memory);
  REQUIRE(row);
  CHECK(row->cfa_offset == 16);
  CHECK(row->rules[3].kind == CfiRuleKind::undefined);
}

TEST_CASE("where the stack pointer is lost, nothing is said") {
  auto memory = code({0x48, 0x89, 0xc4, 0x90});  // mov rsp,rax; nop
  CHECK_FALSE(analyse_function(LoadAddr{base}, LoadAddr{base + 3}, 8, memory));
  CHECK_FALSE(analyse_function(LoadAddr{base + 1}, LoadAddr{base}, 8, memory));
  CHECK_FALSE(analyse_function(LoadAddr{base}, LoadAddr{base + 100}, 8, memory));
}
