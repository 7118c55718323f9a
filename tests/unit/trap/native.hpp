#pragma once
// Runs one instruction for real, in this process, from a register state that the test made, and says what came out.
//
// One writable and executable mapping holds everything that the instruction can reach:
//   +0x1000  the instruction at `pc`, then a landing; further landings at pc+0x40, pc+0x400 and pc-0x40
//   +0x2000  data, two pages ([rip+0x1000] is here)
//   +0x5000  a stack, two pages
//   +0x8000  the slot
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "proto/words/addr.hpp"

namespace trapline::trap {

inline constexpr std::size_t data_size = 0x2000;

enum class Landing : std::uint64_t { none = 0, next = 1, near = 2, far = 3, back = 4, indirect = 5 };

struct State {
  arch::GeneralRegisters regs;  // general registers and eflags; rip is where it starts, or landed
  alignas(16) std::array<std::byte, 512> fx{};
  std::vector<std::byte> data;
  std::vector<std::byte> stack;
};

class Native {
 public:
  Native();
  ~Native();
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;

  LoadAddr pc() const { return LoadAddr{base_ + 0x1000}; }
  LoadAddr slot() const { return LoadAddr{base_ + 0x8000}; }
  LoadAddr data() const { return LoadAddr{base_ + 0x2000}; }
  LoadAddr stack() const { return LoadAddr{base_ + 0x5000}; }
  LoadAddr address_of(Landing landing, std::size_t instruction_size) const;

  void place(LoadAddr at, std::span<const std::byte> code);
  // The program's instruction with its landings around it.
  void place_program(std::span<const std::byte> instruction);

  // Registers, flags and memory drawn from `seed`; pointers lead into the data, rsp into the stack.
  State state(unsigned seed) const;
  // Starts at `entry`; regs.rip of the answer is the landing's address.
  State run(const State& from, LoadAddr entry);

 private:
  std::uint64_t base_ = 0;
  std::size_t instruction_size_ = 0;
};

}  // namespace trapline::trap
