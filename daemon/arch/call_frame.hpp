#pragma once
// What a thread must have to begin a call of the System V ABI (psABI x86-64 3.2.2, 3.2.3): registers, the argument area
// of its stack, and objects that lie on the stack for the time of the call (what arguments refer to, room for a result
// in memory). Where the stack is, is not known yet: words that will hold addresses of those objects are named.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "proto/words/addr.hpp"

namespace trapline::arch {

inline constexpr std::size_t integer_arguments = 6;  // rdi rsi rdx rcx r8 r9
inline constexpr std::size_t vector_arguments = 8;   // xmm0-7, the whole of ymm0-7 or zmm0-7 for wider vectors
inline constexpr std::size_t widest_vector = 64;

struct CallFrame {
  LoadAddr function;
  std::array<std::uint64_t, integer_arguments> integers{};
  std::array<std::array<std::byte, widest_vector>, vector_arguments> vectors{};
  std::uint8_t vectors_used = 0;  // goes into al: variadic functions save as many
  std::size_t vector_bytes = 16;  // how much of each counts: 16, 32 or 64
  std::vector<std::byte> stack;   // what the caller pushed, lowest address first
  std::size_t stack_alignment = 16;
  std::vector<std::byte> objects;
  struct Pointer {
    enum class In : std::uint8_t { integers, stack, objects };
    In in = In::integers;
    std::size_t at = 0;      // which integer; byte offset in the others
    std::size_t object = 0;  // byte offset in `objects` that it points to
  };
  std::vector<Pointer> pointers;
};

inline constexpr std::size_t object_alignment = 64;  // of `objects`, as a whole

// How the thread looked when the function had returned.
struct CallReturn {
  RegisterFile registers;
  LoadAddr objects;  // where they were, and can still be read until the debuggee goes on
};

}  // namespace trapline::arch
