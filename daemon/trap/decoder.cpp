#include "daemon/trap/decoder.hpp"

#include <fmt/format.h>

namespace trapline::trap {
namespace {

using Slot = std::uint64_t arch::GeneralRegisters::*;
using G = arch::GeneralRegisters;

// In the order of the encoding (Intel SDM vol. 2, table 2-2 with REX bits).
constexpr std::array<Slot, 16> by_encoding{&G::rax, &G::rcx, &G::rdx, &G::rbx, &G::rsp, &G::rbp, &G::rsi, &G::rdi,
                                           &G::r8,  &G::r9,  &G::r10, &G::r11, &G::r12, &G::r13, &G::r14, &G::r15};

const ZydisDecoder& decoder() {
  static const ZydisDecoder made = [] {
    ZydisDecoder d;
    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return d;
  }();
  return made;
}

}  // namespace

std::optional<Instruction> decode_instruction(std::span<const std::byte> bytes) {
  Instruction instruction;
  if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder(), bytes.data(), bytes.size(), &instruction.raw,
                                         instruction.operands.data())))
    return std::nullopt;
  return instruction;
}

Flow flow_of(const Instruction& instruction) {
  const auto& raw = instruction.raw;
  switch (raw.mnemonic) {
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INT: return Flow::trap;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ: return Flow::ret;
    default: break;
  }
  switch (raw.meta.category) {
    case ZYDIS_CATEGORY_CALL: return Flow::call;
    case ZYDIS_CATEGORY_RET: return Flow::ret;
    case ZYDIS_CATEGORY_UNCOND_BR: return Flow::jump;
    case ZYDIS_CATEGORY_COND_BR: return Flow::conditional;
    case ZYDIS_CATEGORY_SYSCALL: return Flow::syscall;
    default: return Flow::straight;
  }
}

std::optional<LoadAddr> branch_target(const Instruction& instruction, LoadAddr pc) {
  for (const auto& operand : instruction.visible()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE || operand.imm.is_relative == 0) continue;
    return LoadAddr{pc.value + instruction.size() + operand.imm.value.u};
  }
  return std::nullopt;
}

std::uint64_t* general_register(arch::GeneralRegisters& regs, ZydisRegister reg) {
  if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) return nullptr;
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return nullptr;
  const auto number = ZydisRegisterGetId(whole);
  if (number < 0 || static_cast<std::size_t>(number) >= by_encoding.size()) return nullptr;
  return &(regs.*by_encoding[static_cast<std::size_t>(number)]);
}

std::optional<LoadAddr> effective_address(const Instruction& instruction, const ZydisDecodedOperand& operand,
                                          const arch::GeneralRegisters& regs, bool with_segment) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) return std::nullopt;
  if (operand.mem.type != ZYDIS_MEMOP_TYPE_MEM && operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN) return std::nullopt;
  arch::GeneralRegisters copy = regs;
  const auto value_of = [&](ZydisRegister reg) -> std::optional<std::uint64_t> {
    if (reg == ZYDIS_REGISTER_NONE) return 0;
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return regs.rip + instruction.size();
    const auto* slot = general_register(copy, reg);
    return slot == nullptr ? std::nullopt : std::optional(*slot);
  };
  const auto base = value_of(operand.mem.base);
  const auto index = value_of(operand.mem.index);
  if (!base || !index) return std::nullopt;
  std::uint64_t address = *base + *index * operand.mem.scale;
  if (operand.mem.disp.has_displacement != 0) address += static_cast<std::uint64_t>(operand.mem.disp.value);
  if (instruction.raw.address_width == 32) address &= 0xffffffff;
  if (with_segment && operand.mem.segment == ZYDIS_REGISTER_FS) address += regs.fs_base;
  if (with_segment && operand.mem.segment == ZYDIS_REGISTER_GS) address += regs.gs_base;
  return LoadAddr{address};
}

Result<Decoded> decode(std::span<const std::byte> bytes, LoadAddr pc) {
  const auto instruction = decode_instruction(bytes);
  if (!instruction) return fail(Errc::unsupported, fmt::format("no valid instruction at {:#x}", pc.value));
  return Decoded{.size = instruction->size(), .flow = flow_of(*instruction), .target = branch_target(*instruction, pc)};
}

std::string disassemble_one(std::span<const std::byte> bytes, LoadAddr pc, std::size_t* size) {
  ZydisDisassembledInstruction instruction;
  const bool good = ZYAN_SUCCESS(
      ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, pc.value, bytes.data(), bytes.size(), &instruction));
  if (size != nullptr) *size = good ? instruction.info.length : 1;
  return good ? instruction.text : "(bad)";
}

}  // namespace trapline::trap
