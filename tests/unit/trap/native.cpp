#include "tests/unit/trap/native.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>

extern "C" {
struct TraplineNativeContext {
  std::uint64_t gpr[16];  // in the order of the encoding
  std::uint64_t flags;
  std::uint64_t unused;
  unsigned char fx[512];
};
alignas(64) TraplineNativeContext trapline_in;
alignas(64) TraplineNativeContext trapline_out;
alignas(64) unsigned char trapline_host_fx[512];
std::uint64_t trapline_host_rsp;
std::uint64_t trapline_entry;
std::uint64_t trapline_landed;
void trapline_enter();
void trapline_land_1();
void trapline_land_2();
void trapline_land_3();
void trapline_land_4();
void trapline_land_5();
}

// Nothing between a landing and the saving of the flags changes them: mov and jmp only.
asm(R"(
  .text
  .globl trapline_enter
trapline_enter:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, trapline_host_rsp(%rip)
  fxsave64 trapline_host_fx(%rip)
  fxrstor64 trapline_in+144(%rip)
  push trapline_in+128(%rip)
  popfq
  mov trapline_in+0(%rip), %rax
  mov trapline_in+8(%rip), %rcx
  mov trapline_in+16(%rip), %rdx
  mov trapline_in+24(%rip), %rbx
  mov trapline_in+32(%rip), %rsp
  mov trapline_in+40(%rip), %rbp
  mov trapline_in+48(%rip), %rsi
  mov trapline_in+56(%rip), %rdi
  mov trapline_in+64(%rip), %r8
  mov trapline_in+72(%rip), %r9
  mov trapline_in+80(%rip), %r10
  mov trapline_in+88(%rip), %r11
  mov trapline_in+96(%rip), %r12
  mov trapline_in+104(%rip), %r13
  mov trapline_in+112(%rip), %r14
  mov trapline_in+120(%rip), %r15
  jmp *trapline_entry(%rip)

  .irp number, 1, 2, 3, 4, 5
  .globl trapline_land_\number
trapline_land_\number:
  movq $\number, trapline_landed(%rip)
  jmp trapline_capture
  .endr

trapline_capture:
  mov %rax, trapline_out+0(%rip)
  mov %rcx, trapline_out+8(%rip)
  mov %rdx, trapline_out+16(%rip)
  mov %rbx, trapline_out+24(%rip)
  mov %rsp, trapline_out+32(%rip)
  mov %rbp, trapline_out+40(%rip)
  mov %rsi, trapline_out+48(%rip)
  mov %rdi, trapline_out+56(%rip)
  mov %r8, trapline_out+64(%rip)
  mov %r9, trapline_out+72(%rip)
  mov %r10, trapline_out+80(%rip)
  mov %r11, trapline_out+88(%rip)
  mov %r12, trapline_out+96(%rip)
  mov %r13, trapline_out+104(%rip)
  mov %r14, trapline_out+112(%rip)
  mov %r15, trapline_out+120(%rip)
  mov trapline_host_rsp(%rip), %rsp
  pushfq
  pop trapline_out+128(%rip)
  cld
  fxsave64 trapline_out+144(%rip)
  fxrstor64 trapline_host_fx(%rip)
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
)");

namespace trapline::trap {
namespace {

static_assert(offsetof(TraplineNativeContext, flags) == 128 && offsetof(TraplineNativeContext, fx) == 144);

constexpr std::size_t mapping_size = 0x10000;
constexpr std::uint64_t status_flags = 0x8d5;  // CF PF AF ZF SF OF
constexpr std::uint64_t always_set = 0x202;    // the reserved bit, and interrupts
constexpr std::uint64_t direction = 1U << 10;

using G = arch::GeneralRegisters;
constexpr std::array<std::uint64_t G::*, 16> by_encoding{&G::rax, &G::rcx, &G::rdx, &G::rbx, &G::rsp, &G::rbp,
                                                         &G::rsi, &G::rdi, &G::r8,  &G::r9,  &G::r10, &G::r11,
                                                         &G::r12, &G::r13, &G::r14, &G::r15};

template <class T>
std::uint64_t address(T* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

void copy_out(std::vector<std::byte>& to, LoadAddr from) {
  to.resize(data_size);
  std::memcpy(to.data(), reinterpret_cast<const void*>(from.value), data_size);
}

void* pointer(LoadAddr at) { return reinterpret_cast<void*>(at.value); }

}  // namespace

Native::Native() {
  void* mapping = ::mmap(nullptr, mapping_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapping != MAP_FAILED);
  base_ = address(mapping);
}

Native::~Native() { ::munmap(reinterpret_cast<void*>(base_), mapping_size); }

LoadAddr Native::address_of(Landing landing, std::size_t instruction_size) const {
  switch (landing) {
    case Landing::next: return pc() + ByteCount{instruction_size};
    case Landing::near: return pc() + ByteCount{0x40};
    case Landing::far: return pc() + ByteCount{0x400};
    case Landing::back: return pc() - ByteCount{0x40};
    case Landing::indirect: return pc() + ByteCount{0x600};
    case Landing::none: break;
  }
  return {};
}

void Native::place(LoadAddr at, std::span<const std::byte> code) { std::memcpy(pointer(at), code.data(), code.size()); }

void Native::place_program(std::span<const std::byte> instruction) {
  instruction_size_ = instruction.size();
  place(pc(), instruction);
  const auto land = [&](Landing landing, void (*code)()) {
    std::vector<std::byte> jump{std::byte{0xff}, std::byte{0x25}, {}, {}, {}, {}};  // jmp [rip+0]; .quad
    const auto target = reinterpret_cast<std::uint64_t>(code);
    const auto bytes = std::as_bytes(std::span(&target, 1));
    jump.insert(jump.end(), bytes.begin(), bytes.end());
    place(address_of(landing, instruction_size_), jump);
  };
  land(Landing::next, &trapline_land_1);
  land(Landing::near, &trapline_land_2);
  land(Landing::far, &trapline_land_3);
  land(Landing::back, &trapline_land_4);
  land(Landing::indirect, &trapline_land_5);
}

State Native::state(unsigned seed) const {
  std::mt19937_64 random(seed);
  State state;
  for (const auto slot : by_encoding) state.regs.*slot = random();
  // Every register that the forms use as a pointer, at different alignments.
  state.regs.rbx = data().value + 0x200 + random() % 64;
  state.regs.rsi = data().value + 0x400 + random() % 64;
  state.regs.rdi = data().value + 0x600 + random() % 64;
  state.regs.r12 = data().value + 0x800 + (random() % 8) * 8;
  state.regs.r13 = data().value + 0xa00 + (random() % 8) * 8;
  state.regs.rsp = stack().value + 0x1000 + (random() % 8) * 8;
  state.regs.rbp = stack().value + 0x1200 + (random() % 8) * 8;
  state.regs.rcx = random() % 5;  // counts of repeats, loops and shifts
  state.regs.rip = pc().value;
  state.regs.eflags = always_set | (random() & status_flags) | (seed % 4 == 3 ? direction : 0);
  state.data.resize(data_size);
  std::ranges::generate(state.data, [&] { return static_cast<std::byte>(random()); });
  state.stack.resize(data_size);
  for (std::size_t at = 0; at < data_size; at += 8) {
    const std::uint64_t word = always_set | (random() & status_flags);  // what popf may safely load
    std::memcpy(state.stack.data() + at, &word, sizeof word);
  }
  const std::uint16_t fcw = 0x37f;
  const std::uint32_t mxcsr = 0x1f80;
  std::memcpy(state.fx.data(), &fcw, sizeof fcw);
  std::memcpy(state.fx.data() + 24, &mxcsr, sizeof mxcsr);
  for (std::size_t at = 160; at < 416; ++at) state.fx[at] = static_cast<std::byte>(random());
  return state;
}

State Native::run(const State& from, LoadAddr entry) {
  std::memcpy(pointer(data()), from.data.data(), data_size);
  std::memcpy(pointer(stack()), from.stack.data(), data_size);
  for (std::size_t i = 0; i < by_encoding.size(); ++i) trapline_in.gpr[i] = from.regs.*by_encoding[i];
  trapline_in.flags = from.regs.eflags;
  std::memcpy(trapline_in.fx, from.fx.data(), sizeof trapline_in.fx);
  trapline_entry = entry.value;
  trapline_landed = 0;
  trapline_enter();
  State out;
  out.regs = from.regs;
  for (std::size_t i = 0; i < by_encoding.size(); ++i) out.regs.*by_encoding[i] = trapline_out.gpr[i];
  out.regs.eflags = trapline_out.flags;
  out.regs.rip = address_of(Landing{trapline_landed}, instruction_size_).value;
  std::memcpy(out.fx.data(), trapline_out.fx, sizeof trapline_out.fx);
  copy_out(out.data, data());
  copy_out(out.stack, stack());
  return out;
}

}  // namespace trapline::trap
