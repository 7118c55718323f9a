#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "daemon/trap/decoder.hpp"
#include "daemon/trap/displaced.hpp"

namespace trapline::trap {
namespace {

constexpr std::byte int3{0xcc};

std::unexpected<Error> refuse(LoadAddr pc, std::string_view why,
                              std::source_location where = std::source_location::current()) {
  return fail(Errc::unsupported, fmt::format("the instruction at {:#x} cannot run elsewhere: {}", pc.value, why), 0,
              where);
}

const ZydisDecodedOperand* rip_relative(const Instruction& instruction) {
  for (const auto& operand : instruction.visible())
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
        (operand.mem.base == ZYDIS_REGISTER_RIP || operand.mem.base == ZYDIS_REGISTER_EIP))
      return &operand;
  return nullptr;
}

Result<void> check_flow(const Instruction& instruction, Flow flow, LoadAddr pc, Finish finish) {
  if (instruction.raw.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return refuse(pc, "a far branch");
  switch (flow) {
    case Flow::trap: return refuse(pc, "it traps, and the signal would name another address");
    case Flow::call: return refuse(pc, "a call would push another return address; it is emulated");
    case Flow::conditional: return refuse(pc, "a conditional branch; it is emulated");
    case Flow::jump:
    case Flow::ret:
      if (branch_target(instruction, pc)) return refuse(pc, "a direct jump; it is emulated");
      // Leaves the slot by itself and to the right place. Only a trap behind it would never be met.
      if (finish == Finish::trap_back) return refuse(pc, "it does not come to the trap behind it; it is emulated");
      // iret has no branch type in Zydis.
      if (instruction.raw.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR) return refuse(pc, "a far return");
      return {};
    case Flow::straight:
    case Flow::syscall: break;
  }
  // xbegin: the address of the abort handler is relative to rip.
  if (branch_target(instruction, pc)) return refuse(pc, "it names an address relative to itself");
  return {};
}

Result<void> relocate(const Instruction& instruction, std::vector<std::byte>& code, LoadAddr pc, LoadAddr slot) {
  const auto* operand = rip_relative(instruction);
  if (operand == nullptr) return {};
  // With an address size prefix the sum is cut to 32 bits, and the slot would have to be in the low 4 GB.
  if (operand->mem.base == ZYDIS_REGISTER_EIP) return refuse(pc, "an operand relative to eip");
  const std::uint64_t wanted = pc.value + static_cast<std::uint64_t>(operand->mem.disp.value);
  const auto displacement = static_cast<std::int64_t>(wanted - slot.value);  // both ends are equally long
  if (displacement < std::numeric_limits<std::int32_t>::min() ||
      displacement > std::numeric_limits<std::int32_t>::max())
    return refuse(pc, fmt::format("its operand relative to rip is not within 2 GB of the slot at {:#x}", slot.value));
  const auto narrow = static_cast<std::int32_t>(displacement);
  std::memcpy(code.data() + instruction.raw.raw.disp.offset, &narrow, sizeof narrow);
  return {};
}

// jmp [rip+0]; .quad target: reaches everywhere and changes no register.
void append_jump(std::vector<std::byte>& code, LoadAddr target) {
  constexpr std::array<unsigned char, 6> jump{0xff, 0x25, 0, 0, 0, 0};
  const auto opcode = std::as_bytes(std::span(jump));
  const auto address = std::as_bytes(std::span(&target.value, 1));
  code.insert(code.end(), opcode.begin(), opcode.end());
  code.insert(code.end(), address.begin(), address.end());
}

}  // namespace

Result<Displaced> displace(std::span<const std::byte> bytes, LoadAddr pc, LoadAddr slot, Finish finish) {
  const auto instruction = decode_instruction(bytes);
  if (!instruction) return refuse(pc, "no valid instruction");
  TL_TRY_VOID(check_flow(*instruction, flow_of(*instruction), pc, finish));
  Displaced plan;
  plan.instruction_size = plan.relocated_size = instruction->size();
  plan.next = pc + ByteCount{plan.instruction_size};
  plan.code.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(plan.instruction_size));
  TL_TRY_VOID(relocate(*instruction, plan.code, pc, slot));
  // The way back follows a trap as well: a thread that goes on after our death finds valid code there.
  if (finish == Finish::trap_back) plan.code.push_back(int3);
  append_jump(plan.code, plan.next);
  TL_ASSERT(plan.code.size() <= slot_size);
  return plan;
}

}  // namespace trapline::trap
