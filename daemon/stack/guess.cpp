// Callers without any description: code of a JIT, assembly without symbols, a jump to nowhere.
//
// Two places can hold the return address: the top of the stack (at a function's first instruction, and in functions
// that keep nothing on the stack) and the word above the saved frame pointer. Neither proves itself. So each is
// checked: it must lead into code, behind a call; where that call is a direct one its target is the function's begin,
// and the instructions from there to pc must lead to the same place; and where the caller is described exactly, the
// frame above it must be sound too. What was not seen to be saved is not claimed to be known.
#include <fmt/format.h>

#include "daemon/stack/instructions.hpp"
#include "daemon/stack/step.hpp"

namespace trapline::stack {
namespace {

using arch::dwarf_rbp;
using arch::dwarf_rip;
using arch::dwarf_rsp;

constexpr std::uint64_t longest_frame = 16 * 1024 * 1024;

class Guess {
 public:
  Guess(const arch::RegisterSet& registers, PcKind kind, const CodeFacts& facts, const Surroundings& around)
      : registers_(registers), kind_(kind), facts_(facts), around_(around), rsp_(*registers[dwarf_rsp]) {}

  Result<Unwound> best() {
    if (nothing_ran_here()) {
      if (auto caller = at_top(); caller && accepted(*caller)) {
        keep_all(*caller);
        return *caller;
      }
      return fail(Errc::bad_address, fmt::format("pc {:#x} is not in executable memory, and the word at the top of the "
                                                 "stack ({:#x}) is no return address",
                                                 facts_.pc.value, rsp_));
    }
    if (auto caller = by_call_target()) return *caller;
    auto top = at_top();
    auto chained = by_frame_pointer();
    // Of a function that is running, the top of the stack is its own; of one that has just begun, the caller's.
    const bool top_first = kind_ == PcKind::exact;
    for (const bool use_top : {top_first, !top_first}) {
      auto& candidate = use_top ? top : chained;
      if (candidate && accepted(*candidate) && caller_is_sound(*candidate)) return *candidate;
    }
    if (registers_[dwarf_rbp] == std::uint64_t{0}) return end_of_chain();
    return fail(Errc::bad_address, reason());
  }

 private:
  bool nothing_ran_here() const { return kind_ == PcKind::exact && !facts_.executable; }

  std::optional<Unwound> return_address_at(std::uint64_t slot) const {
    std::uint64_t address = 0;
    if (slot + 8 < slot || !around_.memory.word(slot, address)) return std::nullopt;
    Unwound unwound;
    unwound.cfa = LoadAddr{slot + 8};
    unwound.caller.values[dwarf_rip] = address;
    unwound.caller.values[dwarf_rsp] = slot + 8;
    return unwound;
  }

  // A function that keeps nothing on the stack uses no frame pointer either: rbp is the caller's.
  std::optional<Unwound> at_top() const {
    auto unwound = return_address_at(rsp_);
    if (unwound) unwound->caller.values[dwarf_rbp] = registers_[dwarf_rbp];
    return unwound;
  }

  std::optional<Unwound> by_frame_pointer() const {
    const auto rbp = registers_[dwarf_rbp];
    if (!rbp || *rbp < rsp_ || *rbp - rsp_ > longest_frame || *rbp % 8 != 0) return std::nullopt;
    auto unwound = return_address_at(*rbp + 8);
    std::uint64_t saved = 0;
    if (!unwound || !around_.memory.word(*rbp, saved)) return std::nullopt;
    unwound->caller.values[dwarf_rbp] = saved;
    return unwound;
  }

  bool accepted(const Unwound& caller) const {
    const LoadAddr pc{*caller.caller[dwarf_rip]};
    return around_.code.at(pc, PcKind::return_address).executable && call_before(pc, around_.memory).has_value();
  }

  // Exactly described callers tell in one step more whether this one can be true.
  bool caller_is_sound(const Unwound& caller) const {
    const CodeFacts& facts = around_.code.at(LoadAddr{*caller.caller[dwarf_rip]}, PcKind::return_address);
    if (facts.source != RowSource::cfi) return true;
    const auto next = step(caller.caller, PcKind::return_address, around_);
    return next.has_value() || next.error().code == Errc::not_available;
  }

  // Where one of the two return addresses stands behind a direct call, this function begins at the call's target.
  std::optional<Unwound> by_call_target() const {
    for (const auto& candidate : {at_top(), by_frame_pointer()}) {
      if (!candidate || !accepted(*candidate)) continue;
      const auto call = call_before(LoadAddr{*candidate->caller[dwarf_rip]}, around_.memory);
      if (!call->target || *call->target > facts_.pc) continue;
      const auto row = analyse_function(*call->target, facts_.pc, 8, around_.memory);
      if (!row) continue;
      auto unwound = apply_row(*row, registers_, facts_.bias, around_.memory);
      if (unwound && unwound->cfa == candidate->cfa) return *std::move(unwound);
    }
    return std::nullopt;
  }

  // The call has just happened: no instruction changed anything since.
  void keep_all(Unwound& caller) const {
    for (arch::DwarfReg reg = 0; reg < arch::unwound_registers; ++reg)
      if (reg != dwarf_rsp && reg != dwarf_rip) caller.caller.values[reg] = registers_[reg];
  }

  // psABI 3.4.1: rbp is unspecified at process entry, and code that starts a stack sets it to zero.
  Unwound end_of_chain() const {
    Unwound last;
    last.outermost = true;
    last.cfa = LoadAddr{rsp_};
    return last;
  }

  std::string reason() const {
    const std::string module = facts_.module_name.empty() ? "no module" : facts_.module_name;
    const auto rbp = registers_[dwarf_rbp];
    return fmt::format(
        "nothing describes the code at {:#x} ({}){}{}, and neither rbp ({}) nor the top of the stack "
        "({:#x}) leads to a caller",
        facts_.pc.value, module, facts_.problem.empty() ? "" : ": ", facts_.problem,
        rbp ? fmt::format("{:#x}", *rbp) : "unknown", rsp_);
  }

  const arch::RegisterSet& registers_;
  PcKind kind_;
  const CodeFacts& facts_;
  const Surroundings& around_;
  std::uint64_t rsp_;
};

}  // namespace

Result<Unwound> guess_caller(const arch::RegisterSet& registers, PcKind kind, const CodeFacts& facts,
                             const Surroundings& around) {
  return Guess(registers, kind, facts, around).best();
}

}  // namespace trapline::stack
