// Instructions that are simpler to do than to move: branches, whose meaning is their address, and a few that touch one
// register. Exact or not at all: what would fault, or differs between processors, is left to the processor.
// Source: Intel SDM vol. 2; flags in appendix B of vol. 1.
#include <cstring>

#include "daemon/trap/decoder.hpp"
#include "daemon/trap/displaced.hpp"

namespace trapline::trap {
namespace {

constexpr std::uint64_t carry = 1U << 0, parity = 1U << 2, zero = 1U << 6, sign = 1U << 7, trap_flag = 1U << 8,
                        overflow = 1U << 11;
constexpr std::uint64_t word_bytes = 8;
constexpr unsigned user_address_bits = 47;

struct Machine {
  const Instruction& instruction;
  const arch::GeneralRegisters& before;
  ReadWord read;
  void* context;
  Emulated result;

  LoadAddr next() const { return LoadAddr{before.rip + instruction.size()}; }
  arch::GeneralRegisters& after() { return result.after; }

  // A read that fails would have been a fault of the program: nullopt, so that the program meets it.
  std::optional<std::uint64_t> load(LoadAddr at) const {
    const auto word = read(context, at);
    return word ? std::optional(*word) : std::nullopt;
  }
  void push(std::uint64_t value) {
    after().rsp -= word_bytes;
    result.store = Emulated::Store{LoadAddr{after().rsp}, value};
  }
  std::optional<std::uint64_t> pop() {
    const auto word = load(LoadAddr{after().rsp});
    if (word) after().rsp += word_bytes;
    return word;
  }
  // A 64-bit source: register, immediate (sign extended by the decoder) or memory.
  std::optional<std::uint64_t> value_of(const ZydisDecodedOperand& operand) {
    if (operand.size != 64 && operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return std::nullopt;
    if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) return operand.imm.value.u;
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
      arch::GeneralRegisters copy = before;
      const auto* slot = general_register(copy, operand.reg.value);
      return slot == nullptr ? std::nullopt : std::optional(*slot);
    }
    const auto at = effective_address(instruction, operand, before, true);
    return at ? load(*at) : std::nullopt;
  }
  // Writes of 32 bits clear the upper half, of 16 bits keep the rest.
  bool assign(ZydisRegister reg, unsigned bits, std::uint64_t value) {
    auto* slot = general_register(after(), reg);
    if (slot == nullptr) return false;
    if (bits == 64) *slot = value;
    if (bits == 32) *slot = value & 0xffffffff;
    if (bits == 16) *slot = (*slot & ~std::uint64_t{0xffff}) | (value & 0xffff);
    return bits == 64 || bits == 32 || bits == 16;
  }
};

bool condition_holds(ZydisMnemonic mnemonic, std::uint64_t flags) {
  const bool c = (flags & carry) != 0, p = (flags & parity) != 0, z = (flags & zero) != 0, s = (flags & sign) != 0,
             o = (flags & overflow) != 0;
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_JO: return o;
    case ZYDIS_MNEMONIC_JNO: return !o;
    case ZYDIS_MNEMONIC_JB: return c;
    case ZYDIS_MNEMONIC_JNB: return !c;
    case ZYDIS_MNEMONIC_JZ: return z;
    case ZYDIS_MNEMONIC_JNZ: return !z;
    case ZYDIS_MNEMONIC_JBE: return c || z;
    case ZYDIS_MNEMONIC_JNBE: return !c && !z;
    case ZYDIS_MNEMONIC_JS: return s;
    case ZYDIS_MNEMONIC_JNS: return !s;
    case ZYDIS_MNEMONIC_JP: return p;
    case ZYDIS_MNEMONIC_JNP: return !p;
    case ZYDIS_MNEMONIC_JL: return s != o;
    case ZYDIS_MNEMONIC_JNL: return s == o;
    case ZYDIS_MNEMONIC_JLE: return z || s != o;
    case ZYDIS_MNEMONIC_JNLE: return !z && s == o;
    default: return false;
  }
}

// jrcxz and loop count in ecx where an address size prefix says so; the write then clears the upper half.
bool counted_branch_taken(Machine& m) {
  const bool wide = m.instruction.raw.address_width == 64;
  std::uint64_t count = wide ? m.before.rcx : m.before.rcx & 0xffffffff;
  const bool z = (m.before.eflags & zero) != 0;
  switch (m.instruction.raw.mnemonic) {
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ: return count == 0;
    default: break;
  }
  count = wide ? count - 1 : (count - 1) & 0xffffffff;
  m.after().rcx = count;
  switch (m.instruction.raw.mnemonic) {
    case ZYDIS_MNEMONIC_LOOPE: return count != 0 && z;
    case ZYDIS_MNEMONIC_LOOPNE: return count != 0 && !z;
    default: return count != 0;
  }
}

// The rip after a branch instruction; nullopt: not done.
std::optional<LoadAddr> branch(Machine& m, Flow flow, std::optional<LoadAddr> target) {
  const auto& raw = m.instruction.raw;
  // Intel ignores an operand size prefix on near branches, AMD cuts rip to 16 bits.
  if (raw.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || (raw.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0)
    return std::nullopt;
  const auto to_operand = [&]() -> std::optional<LoadAddr> {
    if (target) return target;
    const auto value = m.value_of(m.instruction.operand(0));
    return value ? std::optional(LoadAddr{*value}) : std::nullopt;
  };
  switch (flow) {
    case Flow::jump: return to_operand();
    case Flow::call: {
      const auto to = to_operand();  // before the push: call [rsp+8] means the old rsp
      if (to) m.push(m.next().value);
      return to;
    }
    case Flow::ret: {
      if (raw.mnemonic != ZYDIS_MNEMONIC_RET) return std::nullopt;
      const auto to = m.pop();
      if (raw.operand_count_visible == 1) m.after().rsp += m.instruction.operand(0).imm.value.u;
      return to ? std::optional(LoadAddr{*to}) : std::nullopt;
    }
    case Flow::conditional:
      switch (raw.mnemonic) {
        case ZYDIS_MNEMONIC_JRCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_LOOP:
        case ZYDIS_MNEMONIC_LOOPE:
        case ZYDIS_MNEMONIC_LOOPNE: return counted_branch_taken(m) ? target : m.next();
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_XBEGIN:
        case ZYDIS_MNEMONIC_JKZD:
        case ZYDIS_MNEMONIC_JKNZD: return std::nullopt;
        default: return condition_holds(raw.mnemonic, m.before.eflags) ? target : m.next();
      }
    case Flow::straight:
    case Flow::syscall:
    case Flow::trap: break;
  }
  return std::nullopt;
}

// False: not done.
bool straight(Machine& m) {
  const auto& raw = m.instruction.raw;
  const auto& first = m.instruction.operand(0);
  const auto& second = m.instruction.operand(1);
  switch (raw.mnemonic) {
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_PAUSE:
    case ZYDIS_MNEMONIC_ENDBR64: return true;
    case ZYDIS_MNEMONIC_PUSH: {
      if (raw.operand_width != 64) return false;
      const auto value = m.value_of(first);
      if (value) m.push(*value);
      return value.has_value();
    }
    case ZYDIS_MNEMONIC_POP: {
      if (raw.operand_width != 64 || first.type != ZYDIS_OPERAND_TYPE_REGISTER) return false;
      const auto value = m.pop();  // before the assignment: pop rsp keeps what was read
      return value && m.assign(first.reg.value, 64, *value);
    }
    case ZYDIS_MNEMONIC_LEAVE: {
      if (raw.operand_width != 64) return false;
      m.after().rsp = m.before.rbp;
      const auto value = m.pop();
      if (value) m.after().rbp = *value;
      return value.has_value();
    }
    case ZYDIS_MNEMONIC_LEA: {
      const auto at = effective_address(m.instruction, second, m.before, false);
      return at && m.assign(first.reg.value, first.size, at->value);
    }
    case ZYDIS_MNEMONIC_MOV: {
      // Register or immediate to a register: loads and stores are moved, not done, so that they fault where they
      // should.
      if (first.type != ZYDIS_OPERAND_TYPE_REGISTER || first.size < 32) return false;
      if (second.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) return m.assign(first.reg.value, first.size, second.imm.value.u);
      if (second.type != ZYDIS_OPERAND_TYPE_REGISTER) return false;
      arch::GeneralRegisters copy = m.before;
      const auto* source = general_register(copy, second.reg.value);
      return source != nullptr && m.assign(first.reg.value, first.size, *source);
    }
    default: return false;
  }
}

}  // namespace

Result<std::optional<Emulated>> emulate(std::span<const std::byte> bytes, const arch::GeneralRegisters& regs,
                                        ReadWord read, void* context) {
  const auto instruction = decode_instruction(bytes);
  if (!instruction) return std::nullopt;
  if ((regs.eflags & trap_flag) != 0) return std::nullopt;  // the program steps itself: it is owed a SIGTRAP
  const Flow flow = flow_of(*instruction);
  Machine m{*instruction, regs, read, context, Emulated{.after = regs, .store = std::nullopt}};
  if (flow == Flow::straight) {
    if (!straight(m)) return std::nullopt;
    m.after().rip = m.next().value;
    return m.result;
  }
  const auto to = branch(m, flow, branch_target(*instruction, LoadAddr{regs.rip}));
  // A jump out of the user's half faults, on the branch or on its target depending on the maker.
  if (!to || (to->value >> user_address_bits) != 0) return std::nullopt;
  m.after().rip = to->value;
  return m.result;
}

}  // namespace trapline::trap
