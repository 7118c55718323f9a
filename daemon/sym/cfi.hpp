#pragma once
// Call frame information of one module: for a code address, where the caller's registers are.
// .eh_frame of the program's file first (loaded files always keep theirs), .debug_frame where that says nothing.
//
// Units:  file addresses in, offsets in bytes. Thread: the loop's (libdw is not thread-safe per Elf).
// Source: DWARF 5 section 6.4; LSB core, "Exception Frames"; System V psABI x86-64, figure 3.36 and section 3.7.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

inline constexpr std::size_t cfi_registers = 17;  // DWARF 0..16: what x86-64 CFI restores
inline constexpr std::uint32_t cfi_stack_pointer = 7;

// One decoded operation of a DWARF expression. Opcodes stay inside the room: evaluate_cfi() reads them.
struct CfiOp {
  std::uint8_t opcode = 0;
  std::uint64_t number = 0;
  std::uint64_t number2 = 0;
  std::uint64_t offset = 0;  // in the expression: what branches name
};
using CfiExpression = std::vector<CfiOp>;

enum class CfiRuleKind : std::uint8_t {
  undefined,       // not saved: unknown in the caller
  same,            // unchanged
  offset,          // saved at CFA + offset
  val_offset,      // is CFA + offset
  in_register,     // is in register `index`
  expression,      // saved at the address that expressions[index] yields
  val_expression,  // is what expressions[index] yields
};

struct CfiRule {
  CfiRuleKind kind = CfiRuleKind::undefined;
  std::uint32_t index = 0;
  std::int64_t offset = 0;
};

// One row of the table, valid for every address of `range`.
struct CfiRow {
  FileRange range;
  bool cfa_is_expression = false;  // then expressions[cfa_register]
  std::uint32_t cfa_register = cfi_stack_pointer;
  std::int64_t cfa_offset = 0;
  std::array<CfiRule, cfi_registers> rules{};
  std::vector<CfiExpression> expressions;
  std::uint32_t return_column = 16;
  bool signal_frame = false;  // augmentation 'S': the "caller" was interrupted, its pc is exact
};

class CfiTable {
 public:
  virtual ~CfiTable() = default;
  // Keeps the module open as long as the table lives. A module without any CFI gives a table without rows.
  static std::unique_ptr<const CfiTable> of(std::shared_ptr<const Module> module);

  // Errors: not_found (no entry covers `at`), bad_debug_info (one does and cannot be decoded).
  // Cost: a binary search where .eh_frame_hdr has a table, else linear the first time. Callers cache rows.
  virtual Result<CfiRow> row_at(std::uint64_t at) const = 0;
  // Whether a C++ runtime that unwinds asks a routine of the language there, which may have handlers or cleanups to
  // go to. False is certain. Cost: linear.
  virtual bool may_have_personality(std::uint64_t at) const = 0;
};

// What an expression of a row may look at.
struct CfiInputs {
  std::span<const std::optional<std::uint64_t>, cfi_registers> registers;  // of the frame that is left
  std::optional<std::uint64_t> cfa;                                        // none while the CFA itself is computed
  const util::Memory* memory = nullptr;
  std::uint64_t bias = 0;  // load address - file address, for DW_OP_addr
};

// Errors: not_available (needs a register that is unknown here), bad_address, bad_debug_info (malformed, or an
// operation that CFI may not use), each with what and where.
Result<std::uint64_t> evaluate_cfi(std::span<const CfiOp> expression, const CfiInputs& inputs);

}  // namespace trapline::sym
