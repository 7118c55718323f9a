// libdw finds the entry and runs its instructions; here its answer becomes a CfiRow.
//
// libdw hands out each rule as a location description. The common rules have fixed shapes (libdw.h,
// dwarf_frame_register), and are taken apart again so that unwinding needs no expression machine:
//   offset      DW_OP_call_frame_cfa [, DW_OP_plus_uconst N]      val_offset   the same, then DW_OP_stack_value
//   register    DW_OP_regN or DW_OP_regx N                         expression   anything else
#include "daemon/sym/cfi.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fmt/format.h>

#include <cstdlib>

#include "daemon/sym/cfi_personality.hpp"
#include "daemon/sym/dwarf_handle.hpp"

namespace trapline::sym {
namespace {

constexpr std::uint32_t dwarf_rax = 0;
constexpr std::uint32_t dwarf_rbx = 3;

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};
using FramePtr = std::unique_ptr<Dwarf_Frame, FreeFrame>;

struct EndCfi {
  void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
};

CfiExpression copy_expression(std::span<const Dwarf_Op> ops) {
  CfiExpression copy;
  copy.reserve(ops.size());
  for (const auto& op : ops) copy.push_back({op.atom, op.number, op.number2, op.offset});
  // libdw puts "push the CFA" before what the file says; no branch may find it in place of the file's first operation.
  if (!copy.empty() && copy.front().opcode == DW_OP_call_frame_cfa) copy.front().offset = ~std::uint64_t{0};
  return copy;
}

std::uint32_t add_expression(CfiRow& row, std::span<const Dwarf_Op> ops) {
  row.expressions.push_back(copy_expression(ops));
  return static_cast<std::uint32_t>(row.expressions.size() - 1);
}

bool read_cfa(Dwarf_Frame* frame, CfiRow& row) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0) return false;
  const bool single = count == 1;
  const bool short_form = ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31;
  if (single && (short_form || ops[0].atom == DW_OP_bregx)) {
    const auto number = short_form ? ops[0].atom - DW_OP_breg0 : ops[0].number;
    const auto offset = short_form ? ops[0].number : ops[0].number2;
    if (number >= cfi_registers) return false;
    row.cfa_register = static_cast<std::uint32_t>(number);
    row.cfa_offset = static_cast<std::int64_t>(offset);
    return true;
  }
  row.cfa_is_expression = true;
  row.cfa_register = add_expression(row, {ops, count});
  return true;
}

CfiRule rule_of(std::span<const Dwarf_Op> ops, CfiRow& row) {
  const bool is_value = ops.back().atom == DW_OP_stack_value;
  if (is_value) ops = ops.first(ops.size() - 1);
  if (ops.size() == 1 && !is_value) {
    if (ops[0].atom == DW_OP_regx && ops[0].number < cfi_registers)
      return {CfiRuleKind::in_register, static_cast<std::uint32_t>(ops[0].number), 0};
    if (ops[0].atom >= DW_OP_reg0 && ops[0].atom < DW_OP_reg0 + cfi_registers)
      return {CfiRuleKind::in_register, static_cast<std::uint32_t>(ops[0].atom - DW_OP_reg0), 0};
  }
  const auto plain = is_value ? CfiRuleKind::val_offset : CfiRuleKind::offset;
  if (!ops.empty() && ops[0].atom == DW_OP_call_frame_cfa) {
    if (ops.size() == 1) return {plain, 0, 0};
    if (ops.size() == 2 && ops[1].atom == DW_OP_plus_uconst)
      return {plain, 0, static_cast<std::int64_t>(ops[1].number)};
  }
  return {is_value ? CfiRuleKind::val_expression : CfiRuleKind::expression, add_expression(row, ops), 0};
}

bool read_rule(Dwarf_Frame* frame, std::uint32_t reg, CfiRow& row) {
  Dwarf_Op memory[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, static_cast<int>(reg), memory, &ops, &count) != 0) return false;
  if (count != 0)
    row.rules[reg] = rule_of({ops, count}, row);
  else
    row.rules[reg].kind = ops == nullptr ? CfiRuleKind::same : CfiRuleKind::undefined;
  // What the entry does not mention follows the ABI, which libdw knows by a table that numbers rbx 0, as i386 does
  // (elfutils 0.188, backends/x86_64_cfi.c; tests/unit/stack/cfi_rows_test.cpp shows it): rax would be kept by every
  // function and rbx by none. No compiler describes either so on purpose.
  if (reg == dwarf_rax && row.rules[reg].kind == CfiRuleKind::same) row.rules[reg].kind = CfiRuleKind::undefined;
  if (reg == dwarf_rbx && row.rules[reg].kind == CfiRuleKind::undefined) row.rules[reg].kind = CfiRuleKind::same;
  return true;
}

class ElfCfi final : public CfiTable {
 public:
  explicit ElfCfi(std::shared_ptr<const Module> module) : module_(std::move(module)) {
    loaded_.reset(dwarf_getcfi_elf(elf_module(*module_).elf()));
  }

  Result<CfiRow> row_at(std::uint64_t at) const override {
    Dwarf_Frame* found = nullptr;
    if (loaded_ && dwarf_cfi_addrframe(loaded_.get(), at, &found) == 0) return row_of(FramePtr(found), at);
    if (Dwarf_CFI* more = debug_frame(); more && dwarf_cfi_addrframe(more, at, &found) == 0)
      return row_of(FramePtr(found), at);
    return fail(Errc::not_found, fmt::format("no call frame information covers {:#x}", at));
  }

  bool may_have_personality(std::uint64_t at) const override {
    return sym::may_have_personality(elf_module(*module_).elf(), at);
  }

 private:
  // Few files have one, and asking for it opens all debug information.
  Dwarf_CFI* debug_frame() const {
    const ElfModule& elf = elf_module(*module_);
    if (!debug_frame_asked_ && elf.has_debug_frame())
      if (Dwarf* dwarf = elf.dwarf()) debug_ = dwarf_getcfi(dwarf);
    debug_frame_asked_ = true;
    return debug_;
  }

  Result<CfiRow> row_of(const FramePtr& frame, std::uint64_t at) const {
    CfiRow row;
    Dwarf_Addr begin = 0, end = 0;
    bool signal = false;
    const int column = dwarf_frame_info(frame.get(), &begin, &end, &signal);
    if (column < 0 || static_cast<std::size_t>(column) >= cfi_registers || !read_cfa(frame.get(), row))
      return damaged(at);
    // One damaged rule costs that register; without the return address there is no caller.
    for (std::uint32_t reg = 0; reg < cfi_registers; ++reg)
      if (!read_rule(frame.get(), reg, row) && reg == static_cast<std::uint32_t>(column)) return damaged(at);
    row.range = {begin, end};
    row.return_column = static_cast<std::uint32_t>(column);
    row.signal_frame = signal;
    return row;
  }

  std::unexpected<Error> damaged(std::uint64_t at) const {
    const char* detail = dwarf_errmsg(-1);
    return fail(Errc::bad_debug_info, fmt::format("the call frame information of {} for {:#x} cannot be used: {}",
                                                  module_->path(), at, detail ? detail : "unknown register or rule"));
  }

  std::shared_ptr<const Module> module_;       // first: libdw reads from its file until the sections are closed
  std::unique_ptr<Dwarf_CFI, EndCfi> loaded_;  // .eh_frame
  mutable bool debug_frame_asked_ = false;
  mutable Dwarf_CFI* debug_ = nullptr;  // .debug_frame; the Dwarf owns it
};

}  // namespace

std::unique_ptr<const CfiTable> CfiTable::of(std::shared_ptr<const Module> module) {
  return std::make_unique<ElfCfi>(std::move(module));
}

}  // namespace trapline::sym
