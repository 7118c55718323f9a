#pragma once
// Inside the room only: how a call lies on the calling thread's stack, and what the stack was.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/arch/call_frame.hpp"
#include "daemon/arch/registers.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/run/live_memory.hpp"
#include "daemon/run/safe_call.hpp"
#include "proto/words/result.hpp"

namespace trapline::run {

// Where a call returns to that survives us: a `ret` of the program which no unwinder knows (in .fini), and then, if
// nobody stopped the thread there, rt_sigreturn, which makes it what it was (safe_call.hpp).
//
// Where arguments lie on the stack, they are between the function's return and that `ret`. The function then returns to
// a `leave; ret` of the C library: the frame pointer, which every function gives back, is the address of two words
// above the arguments, {0, the quiet `ret`}. Whoever follows frame pointers or unwind tables comes from there to that
// `ret` too, and to an end.
struct QuietReturn {
  LoadAddr instruction;
  std::optional<LoadAddr> leave;  // nullopt: no arguments on the stack
  WayBack way;
  std::uint64_t mask = 0;
  std::span<const std::byte> xstate;
};

// From high to low addresses: the red zone (untouched), what earlier calls keep, the call's objects, then either the
// way back of a quiet return or a trap and the arguments on the stack, and the return address.
struct CallPlaces {
  LoadAddr objects;
  LoadAddr trap;   // where the call ends: of a quiet return its instruction, else 16 bytes that no unwinder knows
  LoadAddr after;  // the stack pointer there
  LoadAddr return_address;              // the function's: the trap, or a `leave; ret` that leads to it
  std::optional<LoadAddr> frame_words;  // that `leave` takes
  std::vector<std::byte> way_back;      // at `after`; empty: a trap
  LoadAddr sigreturn;                   // where that way back begins, behind the `ret`
  LoadAddr arguments;                   // those on the stack
  LoadAddr entry_stack;                 // the stack pointer at the function's first instruction
  LoadRange saved;                      // what is put back afterwards
};
// Errors: bad_address (no stack there), too_large (too little of it left).
Result<CallPlaces> call_places(const arch::CallFrame& frame, const arch::GeneralRegisters& registers,
                               std::span<const os::Mapping> maps, std::span<const LiveMemory::Kept> kept,
                               const std::optional<QuietReturn>& quiet);
// What stands on the stack, every pointer filled in.
struct CallBytes {
  std::vector<std::byte> below;    // from entry_stack on
  std::vector<std::byte> objects;  // at places.objects
  std::array<std::uint64_t, arch::integer_arguments> integers{};
};
CallBytes call_bytes(const arch::CallFrame& frame, const CallPlaces& places);
// The thread's registers and vector state at the function's first instruction (psABI 3.2.1, 3.2.3, 3.4.1): direction
// flag clear, x87 stack empty; control words stay the program's.
arch::GeneralRegisters call_registers(const arch::CallFrame& frame, const CallPlaces& places, const CallBytes& bytes,
                                      const arch::GeneralRegisters& before);
// On the way back, with no trap of ours before it: a thread that stands so is as it was when it goes on. Only where
// there is a way back.
arch::GeneralRegisters way_back_registers(const CallPlaces& places, const arch::GeneralRegisters& before);
Result<std::vector<std::byte>> call_xstate(const arch::CallFrame& frame, std::span<const std::byte> before);

}  // namespace trapline::run
