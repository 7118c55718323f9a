#pragma once
// Zydis, set up once. Private to this room.
#include <Zydis/Zydis.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "daemon/arch/registers.hpp"
#include "daemon/trap/displaced.hpp"
#include "proto/words/addr.hpp"

namespace trapline::trap {

struct Instruction {
  ZydisDecodedInstruction raw;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;

  std::size_t size() const { return raw.length; }
  const ZydisDecodedOperand& operand(std::size_t i) const { return operands[i]; }
  std::span<const ZydisDecodedOperand> visible() const { return std::span(operands).first(raw.operand_count_visible); }
};

std::optional<Instruction> decode_instruction(std::span<const std::byte> bytes);

Flow flow_of(const Instruction& instruction);

// Of a relative branch or call.
std::optional<LoadAddr> branch_target(const Instruction& instruction, LoadAddr pc);

// The 64-bit register that holds `reg` (rax for eax, ax, al); nullptr where it is no general register, or ah..bh.
std::uint64_t* general_register(arch::GeneralRegisters& regs, ZydisRegister reg);

// The address of a memory operand, segment base included (not for lea: `with_segment` false). nullopt: a form that
// needs more than the general registers.
std::optional<LoadAddr> effective_address(const Instruction& instruction, const ZydisDecodedOperand& operand,
                                          const arch::GeneralRegisters& regs, bool with_segment);

}  // namespace trapline::trap
