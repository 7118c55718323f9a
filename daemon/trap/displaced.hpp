#pragma once
// Going over a site without lifting it: the instruction under the trap is run from a slot elsewhere and jumps back, or
// is emulated on the registers where that is simpler. Pure: the plan says what to write and how registers change.
//
// Slot layout: relocated instruction; `jmp [rip+0]; .quad next` (14 bytes, reaches everywhere). RIP-relative operands
// get a new disp32 (the slot lies within 2 GB of the code) or are rewritten over a scratch-free form; short branches
// are emulated.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::trap {

inline constexpr std::size_t slot_size = 64;

// What the tracer does itself instead of running the instruction.
struct Emulated {
  arch::GeneralRegisters after;
  struct Store {
    LoadAddr at;
    std::uint64_t value;
  };
  std::optional<Store> store;  // push, call
};

enum class Finish : std::uint8_t {
  jump_back,  // `jmp next` in the slot: a plain continue is all it takes
  trap_back,  // int3 after the instruction: for a software step
};

struct Displaced {
  std::vector<std::byte> code;       // to be written at the slot; the thread's rip goes to the slot
  LoadAddr next;                     // where the original flow continues
  std::size_t instruction_size = 0;  // of the original
  std::size_t relocated_size = 0;    // rip in [slot, slot+relocated_size) means "not executed yet", at its end "done"
};

// `bytes`: the program's own bytes at `pc` (up to 15). Emulates: jmp, jcc, call (direct, and indirect when the operand
// was read by `read_word`), ret, push/pop of registers, nop, endbr64, lea. Nothing else. unsupported: cannot be
// displaced (syscall is fine; `int3`, `hlt`, far branches are not); the caller then steps in place with all other
// threads stopped.
using ReadWord = Result<std::uint64_t> (*)(void* context, LoadAddr at);
Result<std::optional<Emulated>> emulate(std::span<const std::byte> bytes, const arch::GeneralRegisters& regs,
                                        ReadWord read, void* context);
Result<Displaced> displace(std::span<const std::byte> bytes, LoadAddr pc, LoadAddr slot, Finish finish);

// Instruction facts that stepping needs.
enum class Flow : std::uint8_t { straight, jump, conditional, call, ret, syscall, trap };
struct Decoded {
  std::size_t size = 0;
  Flow flow = Flow::straight;
  std::optional<LoadAddr> target;  // of a direct branch or call
};
Result<Decoded> decode(std::span<const std::byte> bytes, LoadAddr pc);
std::string disassemble_one(std::span<const std::byte> bytes, LoadAddr pc,
                            std::size_t* size);  // Intel syntax; "(bad)" has size 1

}  // namespace trapline::trap
