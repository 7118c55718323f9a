// One frame up. In order of trust:
//   1. call frame information, which compilers and the linker write for every instruction;
//   2. the kernel's signal frame, recognised by the trampoline's bytes (the kernel laid the registers out);
//   3. the code between the function's begin and pc, followed instruction by instruction;
//   4. guess_caller(): frame pointers and return addresses with a call before them.
// A return address is followed only into code. The first two are exact; where they lead nowhere the stack is broken,
// and nothing else is tried.
#include "daemon/stack/step.hpp"

#include <fmt/format.h>

#include <array>

#include "daemon/stack/instructions.hpp"

namespace trapline::stack {
namespace {

using arch::dwarf_rip;
using arch::dwarf_rsp;

std::optional<std::uint64_t> value_by_rule(const sym::CfiRow& row, std::uint32_t reg, const sym::CfiInputs& inputs,
                                           const PageCache& memory) {
  const sym::CfiRule& rule = row.rules[reg];
  const auto read = [&](std::uint64_t at) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    if (!memory.word(at, value)) return std::nullopt;
    return value;
  };
  switch (rule.kind) {
    case sym::CfiRuleKind::undefined: return std::nullopt;
    case sym::CfiRuleKind::same: return inputs.registers[reg];
    case sym::CfiRuleKind::offset: return read(*inputs.cfa + static_cast<std::uint64_t>(rule.offset));
    case sym::CfiRuleKind::val_offset: return *inputs.cfa + static_cast<std::uint64_t>(rule.offset);
    case sym::CfiRuleKind::in_register: return inputs.registers[rule.index];
    case sym::CfiRuleKind::expression:
    case sym::CfiRuleKind::val_expression: {
      const auto value = sym::evaluate_cfi(row.expressions[rule.index], inputs);
      if (!value) return std::nullopt;
      return rule.kind == sym::CfiRuleKind::expression ? read(*value) : *value;
    }
  }
  return std::nullopt;
}

Result<std::uint64_t> canonical_frame_address(const sym::CfiRow& row, const sym::CfiInputs& inputs) {
  if (row.cfa_is_expression) return sym::evaluate_cfi(row.expressions[row.cfa_register], inputs);
  const auto base = inputs.registers[row.cfa_register];
  if (!base)
    return fail(Errc::not_available, fmt::format("the frame is found through {}, whose value is not known here",
                                                 arch::dwarf_name(row.cfa_register)));
  return *base + static_cast<std::uint64_t>(row.cfa_offset);
}

std::string no_return_address(const sym::CfiRow& row, std::uint64_t cfa) {
  const auto& rule = row.rules[row.return_column];
  if (rule.kind == sym::CfiRuleKind::offset)
    return fmt::format("the return address at {:#x} cannot be read", cfa + static_cast<std::uint64_t>(rule.offset));
  return fmt::format("the return address of the frame with CFA {:#x} cannot be found", cfa);
}

// The kernel's struct rt_sigframe (arch/x86/include/asm/sigframe.h): the handler's return has taken `pretcode` off, so
// rsp points to the ucontext. uc_mcontext is at 40 and is a struct sigcontext_64 (asm/sigcontext.h).
Result<Unwound> leave_signal_frame(const arch::RegisterSet& registers, const util::Memory& memory) {
  constexpr std::uint64_t mcontext = 40;
  // r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip
  constexpr std::array<arch::DwarfReg, 17> order{8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16};
  const std::uint64_t ucontext = *registers[dwarf_rsp];
  std::array<std::uint64_t, order.size()> saved;
  if (!memory.read(LoadAddr{ucontext + mcontext}, std::as_writable_bytes(std::span(saved))))
    return fail(Errc::bad_address,
                fmt::format("the registers that the kernel saved for a signal, at {:#x}, cannot be read", ucontext));
  Unwound result{.cfa = {}, .caller = {}, .signal_frame = true, .outermost = false};
  for (std::size_t i = 0; i < order.size(); ++i) result.caller.values[order[i]] = saved[i];
  result.cfa = LoadAddr{*result.caller[dwarf_rsp]};  // as the C library's own description of this frame has it
  return result;
}

Unwound end_at(const arch::RegisterSet& registers) {
  Unwound last;
  last.outermost = true;
  last.cfa = LoadAddr{*registers[dwarf_rsp]};
  return last;
}

std::string where_from(const Unwound& unwound) {
  return fmt::format("the return address {:#x} (of the frame with CFA {:#x})", *unwound.caller[dwarf_rip],
                     unwound.cfa.value);
}

// Exact rules led here: to code, or the stack is broken. What is wrong; nullopt: nothing.
std::optional<std::string> leads_nowhere(const Unwound& unwound, const Surroundings& around) {
  if (unwound.outermost || unwound.signal_frame) return std::nullopt;  // who was interrupted may stand anywhere
  const CodeFacts& caller = around.code.at(LoadAddr{*unwound.caller[dwarf_rip]}, PcKind::return_address);
  if (caller.executable) return std::nullopt;
  const char* why = caller.module     ? "lies in a module's data"
                    : caller.readable ? "lies in no module, and no call instruction stands before it"
                                      : "lies in no mapped memory";
  return fmt::format("{} {}", where_from(unwound), why);
}

}  // namespace

Result<Unwound> apply_row(const sym::CfiRow& row, const arch::RegisterSet& registers, std::uint64_t bias,
                          const PageCache& memory) {
  static_assert(sym::cfi_registers == arch::unwound_registers);
  sym::CfiInputs inputs{.registers = registers.values, .cfa = {}, .memory = &memory, .bias = bias};
  Result<Unwound> answer(std::in_place);  // filled in place: it is large, and made for every frame
  Unwound& result = *answer;
  const bool has_return = row.rules[row.return_column].kind != sym::CfiRuleKind::undefined;
  auto cfa = canonical_frame_address(row, inputs);
  if (!cfa && has_return) return std::unexpected(cfa.error());
  result.outermost = !has_return;
  if (!cfa) return answer;
  result.cfa = LoadAddr{*cfa};
  if (result.outermost) return answer;
  inputs.cfa = *cfa;
  for (std::uint32_t reg = 0; reg < sym::cfi_registers; ++reg)
    result.caller.values[reg] = value_by_rule(row, reg, inputs, memory);
  // psABI 6.3: the CFA is the caller's rsp, unless the rules say otherwise.
  if (row.rules[dwarf_rsp].kind == sym::CfiRuleKind::undefined) result.caller.values[dwarf_rsp] = *cfa;
  const auto return_address = result.caller.values[row.return_column];
  if (!return_address || !result.caller[dwarf_rsp]) return fail(Errc::bad_address, no_return_address(row, *cfa));
  result.caller.values[dwarf_rip] = return_address;
  result.signal_frame = row.signal_frame;
  result.outermost = *return_address == 0 && !row.signal_frame;
  return answer;
}

Result<Unwound> step(const arch::RegisterSet& registers, PcKind kind, const Surroundings& around) {
  if (!registers[dwarf_rip] || !registers[dwarf_rsp])
    return fail(Errc::not_available, "the frame's pc or stack pointer is not known");
  const CodeFacts& facts = around.code.at(LoadAddr{*registers[dwarf_rip]}, kind);
  if (facts.source == RowSource::cfi) {
    auto unwound = apply_row(facts.row, registers, facts.bias, around.memory);
    if (unwound)
      if (auto problem = leads_nowhere(*unwound, around)) unwound = fail(Errc::bad_address, *std::move(problem));
    // glibc describes makecontext()'s last function as if it had a caller.
    if (!unwound && facts.never_called) unwound = end_at(registers);
    return unwound;
  }
  if (facts.trampoline) return leave_signal_frame(registers, around.memory);
  if (facts.program_start) return end_at(registers);
  if (facts.source == RowSource::analysed)
    if (auto unwound = apply_row(facts.row, registers, facts.bias, around.memory);
        unwound && unwound->cfa.value > *registers[dwarf_rsp]) {
      // The begin of the function may be another's, where symbols are missing.
      const LoadAddr caller{unwound->caller[dwarf_rip].value_or(0)};
      if (unwound->outermost ||
          (around.code.at(caller, PcKind::return_address).executable && call_before(caller, around.memory)))
        return unwound;
    }
  return guess_caller(registers, kind, facts, around);
}

Result<Unwound> unwind(const arch::RegisterSet& registers, bool is_caller, const util::Memory& memory,
                       const image::Modules& modules) {
  const PageCache cache(memory);
  CodeMap code(cache, modules);
  return step(registers, is_caller ? PcKind::return_address : PcKind::exact, {cache, code});
}

}  // namespace trapline::stack
