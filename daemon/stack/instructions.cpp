// Functions without call frame information: hand-written assembly, the linker's stubs of lld and mold.
//
// The analysis is one linear pass over the instructions between the function's begin and pc. It keeps, relative to the
// CFA, where rsp stands, where rbp stands once it is a frame pointer, and in which slots callee-saved registers were
// put. A forward branch carries its state to its target; behind an unconditional jump or a return, where no branch
// seen so far leads, the code is taken to belong to the function's body again, as it was before the epilogue. Whoever
// uses the result checks the return address that it leads to.
#include "daemon/stack/instructions.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace trapline::stack {
namespace {

constexpr std::uint64_t longest_function = 64 * 1024;

const ZydisDecoder& decoder() {
  static const ZydisDecoder instance = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  return instance;
}

struct Instruction {
  ZydisDecodedInstruction head;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  LoadAddr at;

  bool is_register(std::size_t operand, ZydisRegister reg) const {
    return operand < head.operand_count && operands[operand].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           operands[operand].reg.value == reg;
  }
  bool is_immediate(std::size_t operand) const {
    return operand < head.operand_count && operands[operand].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  }
  // [base + displacement], nothing else.
  std::optional<std::int64_t> displacement_from(std::size_t operand, ZydisRegister base) const {
    if (operand >= head.operand_count || operands[operand].type != ZYDIS_OPERAND_TYPE_MEMORY) return std::nullopt;
    const auto& mem = operands[operand].mem;
    if (mem.base != base || mem.index != ZYDIS_REGISTER_NONE) return std::nullopt;
    return mem.disp.has_displacement ? mem.disp.value : 0;
  }
  std::optional<LoadAddr> target() const {
    if (!is_immediate(0) || !operands[0].imm.is_relative) return std::nullopt;
    ZyanU64 absolute = 0;
    if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&head, operands.data(), at.value, &absolute))) return std::nullopt;
    return LoadAddr{absolute};
  }
  // As an explicit or hidden operand.
  bool writes(ZydisRegister reg) const {
    for (std::size_t i = 0; i < head.operand_count; ++i) {
      if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
          (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 &&
          ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operands[i].reg.value) == reg)
        return true;
    }
    return false;
  }
};

bool decode(std::span<const std::byte> bytes, LoadAddr at, Instruction& out) {
  out.at = at;
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder(), bytes.data(), bytes.size(), &out.head, out.operands.data()));
}

// psABI figure 3.4: rbx, rbp and r12-r15 belong to the caller.
struct CalleeSaved {
  ZydisRegister name;
  std::uint32_t dwarf;
};
constexpr std::array<CalleeSaved, 6> callee_saved{{{ZYDIS_REGISTER_RBX, 3},
                                                   {ZYDIS_REGISTER_RBP, 6},
                                                   {ZYDIS_REGISTER_R12, 12},
                                                   {ZYDIS_REGISTER_R13, 13},
                                                   {ZYDIS_REGISTER_R14, 14},
                                                   {ZYDIS_REGISTER_R15, 15}}};

enum class Where : std::uint8_t { in_place, saved, lost };

struct State {
  std::optional<std::int64_t> rsp;  // CFA - rsp
  std::optional<std::int64_t> rbp;  // CFA - rbp, where rbp is a frame pointer
  struct Slot {
    Where where = Where::in_place;
    std::int64_t offset = 0;  // from the CFA
  };
  std::array<Slot, callee_saved.size()> slots{};
};

class Walk {
 public:
  explicit Walk(std::int64_t initial_cfa) {
    now_.rsp = initial_cfa;
    body_ = now_;
  }

  void arrive(LoadAddr at) {
    if (after_jump_) {
      const auto state = at_target_.find(at);
      now_ = state != at_target_.end() ? state->second : body_;
    }
    after_jump_ = false;
  }

  void execute(const Instruction& instruction) {
    switch (instruction.head.mnemonic) {
      case ZYDIS_MNEMONIC_PUSH:
      case ZYDIS_MNEMONIC_PUSHFQ: push(instruction); break;
      case ZYDIS_MNEMONIC_POP:
      case ZYDIS_MNEMONIC_POPFQ: pop(instruction); break;
      case ZYDIS_MNEMONIC_ADD:
      case ZYDIS_MNEMONIC_SUB:
      case ZYDIS_MNEMONIC_LEA:
      case ZYDIS_MNEMONIC_MOV: move(instruction); break;
      case ZYDIS_MNEMONIC_LEAVE:
        now_.rsp = now_.rbp ? std::optional(*now_.rbp - 8) : std::nullopt;
        restore_rbp();
        break;
      case ZYDIS_MNEMONIC_CALL: call(instruction); break;
      default: forget_written(instruction); break;
    }
    branch(instruction);
  }

  std::optional<sym::CfiRow> row() const {
    sym::CfiRow row;
    if (now_.rbp) {
      row.cfa_register = arch_rbp;
      row.cfa_offset = *now_.rbp;
    } else if (now_.rsp) {
      row.cfa_register = sym::cfi_stack_pointer;
      row.cfa_offset = *now_.rsp;
    } else {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < callee_saved.size(); ++i) {
      auto& rule = row.rules[callee_saved[i].dwarf];
      const auto& slot = now_.slots[i];
      rule.kind = slot.where == Where::saved      ? sym::CfiRuleKind::offset
                  : slot.where == Where::in_place ? sym::CfiRuleKind::same
                                                  : sym::CfiRuleKind::undefined;
      rule.offset = slot.offset;
    }
    row.rules[sym::cfi_stack_pointer] = {sym::CfiRuleKind::val_offset, 0, 0};
    row.rules[row.return_column] = {sym::CfiRuleKind::offset, 0, -8};
    return row;
  }

 private:
  static constexpr std::uint32_t arch_rbp = 6;

  State::Slot* slot_of(ZydisRegister reg) {
    for (std::size_t i = 0; i < callee_saved.size(); ++i)
      if (callee_saved[i].name == reg) return &now_.slots[i];
    return nullptr;
  }

  void push(const Instruction& instruction) {
    if (!now_.rsp) return;
    now_.rsp = *now_.rsp + instruction.head.operand_width / 8;
    for (const auto& reg : callee_saved)
      if (instruction.is_register(0, reg.name)) save(reg.name, -*now_.rsp);
  }

  // Only the first store of a register that still holds the caller's value saves it.
  void save(ZydisRegister reg, std::int64_t offset) {
    auto* slot = slot_of(reg);
    if (slot->where == Where::in_place && !(reg == ZYDIS_REGISTER_RBP && now_.rbp)) *slot = {Where::saved, offset};
  }

  void pop(const Instruction& instruction) {
    for (const auto& reg : callee_saved) {
      if (!instruction.is_register(0, reg.name)) continue;
      auto* slot = slot_of(reg.name);
      const bool restored = slot->where == Where::saved && now_.rsp && slot->offset == -*now_.rsp;
      if (restored)
        *slot = {};
      else if (slot->where == Where::in_place)
        slot->where = Where::lost;
      if (reg.name == ZYDIS_REGISTER_RBP) now_.rbp.reset();
    }
    if (instruction.is_register(0, ZYDIS_REGISTER_RSP)) now_.rsp.reset();
    if (now_.rsp) now_.rsp = *now_.rsp - instruction.head.operand_width / 8;
  }

  void restore_rbp() {
    now_.rbp.reset();
    if (auto* slot = slot_of(ZYDIS_REGISTER_RBP); slot->where == Where::saved) *slot = {};
  }

  void move(const Instruction& instruction) {
    const auto kind = instruction.head.mnemonic;
    if (instruction.is_register(0, ZYDIS_REGISTER_RSP)) {
      now_.rsp = new_stack_pointer(instruction);
      return;
    }
    if (instruction.is_register(0, ZYDIS_REGISTER_RBP)) {
      std::optional<std::int64_t> frame;
      if (kind == ZYDIS_MNEMONIC_MOV && instruction.is_register(1, ZYDIS_REGISTER_RSP)) frame = now_.rsp;
      if (kind == ZYDIS_MNEMONIC_LEA && now_.rsp)
        if (const auto disp = instruction.displacement_from(1, ZYDIS_REGISTER_RSP)) frame = *now_.rsp - *disp;
      forget_written(instruction);
      now_.rbp = frame;
      return;
    }
    if (kind == ZYDIS_MNEMONIC_MOV && now_.rsp)
      if (const auto disp = instruction.displacement_from(0, ZYDIS_REGISTER_RSP))
        for (const auto& reg : callee_saved)
          if (instruction.is_register(1, reg.name)) save(reg.name, *disp - *now_.rsp);
    forget_written(instruction);
  }

  std::optional<std::int64_t> new_stack_pointer(const Instruction& instruction) const {
    const auto kind = instruction.head.mnemonic;
    if (kind == ZYDIS_MNEMONIC_MOV) return instruction.is_register(1, ZYDIS_REGISTER_RBP) ? now_.rbp : std::nullopt;
    if (kind == ZYDIS_MNEMONIC_LEA) {
      if (const auto disp = instruction.displacement_from(1, ZYDIS_REGISTER_RSP); disp && now_.rsp)
        return *now_.rsp - *disp;
      if (const auto disp = instruction.displacement_from(1, ZYDIS_REGISTER_RBP); disp && now_.rbp)
        return *now_.rbp - *disp;
      return std::nullopt;
    }
    if (!now_.rsp || !instruction.is_immediate(1)) return std::nullopt;
    const std::int64_t by = instruction.operands[1].imm.value.s;
    return kind == ZYDIS_MNEMONIC_SUB ? *now_.rsp + by : *now_.rsp - by;
  }

  void forget_written(const Instruction& instruction) {
    if (instruction.writes(ZYDIS_REGISTER_RSP) && instruction.head.mnemonic != ZYDIS_MNEMONIC_RET) now_.rsp.reset();
    if (instruction.writes(ZYDIS_REGISTER_RBP)) now_.rbp.reset();
    for (const auto& reg : callee_saved)
      if (instruction.writes(reg.name))
        if (auto* slot = slot_of(reg.name); slot->where == Where::in_place) slot->where = Where::lost;
  }

  void call(const Instruction& instruction) {
    // What a call pushes is gone when control is back, but for the call of the next instruction, which reads rip.
    const auto to = instruction.target();
    if (now_.rsp && to && *to == instruction.at + ByteCount{instruction.head.length}) now_.rsp = *now_.rsp + 8;
  }

  void branch(const Instruction& instruction) {
    const auto category = instruction.head.meta.category;
    const bool conditional = category == ZYDIS_CATEGORY_COND_BR;
    const bool jumps = category == ZYDIS_CATEGORY_UNCOND_BR;
    if (conditional || jumps)
      if (const auto to = instruction.target(); to && *to > instruction.at) at_target_.try_emplace(*to, now_);
    after_jump_ = jumps || category == ZYDIS_CATEGORY_RET;
    // No epilogue pushes, makes room, calls or decides: what holds behind such an instruction holds in the body.
    const auto mnemonic = instruction.head.mnemonic;
    if (conditional || category == ZYDIS_CATEGORY_PUSH || mnemonic == ZYDIS_MNEMONIC_CALL ||
        mnemonic == ZYDIS_MNEMONIC_SUB || instruction.is_register(0, ZYDIS_REGISTER_RBP))
      if (mnemonic != ZYDIS_MNEMONIC_POP) body_ = now_;
  }

  State now_;
  State body_;  // as it holds outside the epilogue
  bool after_jump_ = false;
  std::map<LoadAddr, State> at_target_;
};

}  // namespace

std::optional<CallBefore> call_before(LoadAddr at, const util::Memory& memory) {
  constexpr std::size_t longest = 8;  // REX, FF, ModRM, SIB, disp32
  if (at.value < longest) return std::nullopt;
  std::array<std::byte, longest> bytes;
  // The bytes before may begin in an unmapped page: take what is there.
  std::size_t have = longest;
  while (have >= 2 && !memory.read(LoadAddr{at.value - have}, std::span(bytes).last(have))) --have;
  for (std::size_t length = 2; length <= have; ++length) {
    Instruction instruction;
    if (!decode(std::span(bytes).last(length), LoadAddr{at.value - length}, instruction)) continue;
    if (instruction.head.mnemonic != ZYDIS_MNEMONIC_CALL || instruction.head.length != length) continue;
    return CallBefore{instruction.target()};
  }
  return std::nullopt;
}

bool is_signal_trampoline(LoadAddr at, const util::Memory& memory) {
  static constexpr unsigned char long_form[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  static constexpr unsigned char short_form[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  const auto matches = [&](std::span<const unsigned char> form, std::size_t skip) {
    std::array<std::byte, sizeof long_form> bytes;
    if (at.value < skip) return false;
    const auto wanted = std::as_bytes(form);
    const auto got = std::span(bytes).first(form.size());
    return memory.read(LoadAddr{at.value - skip}, got).has_value() &&
           std::equal(wanted.begin(), wanted.end(), got.begin());
  };
  return matches(long_form, 0) || matches(short_form, 0) || matches(long_form, 7) || matches(short_form, 5);
}

std::optional<sym::CfiRow> analyse_function(LoadAddr begin, LoadAddr pc, std::int64_t initial_cfa,
                                            const util::Memory& memory) {
  if (pc < begin || (pc - begin).value > longest_function) return std::nullopt;
  std::vector<std::byte> code((pc - begin).value + ZYDIS_MAX_INSTRUCTION_LENGTH);
  code.resize(memory.read_some(begin, code));
  Walk walk(initial_cfa);
  for (LoadAddr at = begin;;) {
    walk.arrive(at);
    if (at == pc) return walk.row();
    if (at > pc || (at - begin).value >= code.size()) return std::nullopt;
    Instruction instruction;
    if (!decode(std::span(code).subspan((at - begin).value), at, instruction)) return std::nullopt;
    walk.execute(instruction);
    at = at + ByteCount{instruction.head.length};
  }
}

}  // namespace trapline::stack
