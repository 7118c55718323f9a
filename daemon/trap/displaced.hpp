#pragma once
// Going over a site without lifting it: the instruction under the trap is run from a slot elsewhere and jumps back, or
// is emulated on the registers where that is simpler. Pure: the plan says what to write and how registers change.
//
// Slot layout: relocated instruction; `jmp [rip+0]; .quad next` (14 bytes, reaches everywhere). RIP-relative operands
// get a new disp32 (the slot lies within 2 GB of what they name, else unsupported); branches and calls are emulated.
//
// Try displace() first and emulate() for what it refuses: a moved instruction faults exactly as the original would,
// costs fewer system calls and works with a shadow stack. A store of emulate() should be made as the program would make
// it (ProcessMemory::store_as_program): /proc/PID/mem writes through the guard page of a stack. A thread with a shadow
// stack (CET) must not have its calls and rets emulated.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
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
  LoadAddr next;                     // behind the original instruction (a ret or jmp goes elsewhere)
  std::size_t instruction_size = 0;  // of the original
  std::size_t relocated_size = 0;    // rip in [slot, slot+relocated_size) means "not executed yet", at its end "done"
};

// `bytes`: the program's own bytes at `pc` (up to 15); emulate() takes regs.rip for the pc.
// emulate: jmp, jcc, loop, jrcxz, call (direct, and indirect with operands read by `read`), ret, push, pop and leave,
// nop, endbr64, lea, mov between registers and of immediates. nullopt: anything else, and what would fault.
// displace: all straight code, syscall too (rcx then holds the slot's address: run/ puts it right), and with jump_back
// also ret and indirect jmp, which leave the slot by themselves. unsupported: direct branches, calls, traps (int3, ud2,
// hlt, int), far branches, operands out of reach; where emulate() has no answer either, the caller steps in place with
// all other threads stopped.
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
