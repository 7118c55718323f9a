// Rows out of a real file: this test's own, whose functions gcc described.
#include <doctest/doctest.h>

#include <string>

#include "daemon/sym/cfi.hpp"

using namespace trapline;
using sym::CfiRuleKind;

namespace {

struct Self {
  std::shared_ptr<const sym::Module> module;
  std::unique_ptr<const sym::CfiTable> table;
  std::uint64_t begin_of(const char* name) const {
    const auto found = module->symbols_named(name);
    REQUIRE(found.size() == 1);
    return found.front().address;
  }
};

Self self() {
  auto opened = sym::Module::open("/proc/self/exe", ModuleId{1}, {});
  REQUIRE(opened);
  return {*opened, sym::CfiTable::of(*opened)};
}

}  // namespace

extern "C" {
__attribute__((noinline)) int trapline_described_function(int x);
int trapline_described_function(int x) {
  volatile int keep[4] = {x, x, x, x};
  return keep[2] * 3;
}
// Has a cleanup.
__attribute__((noinline)) int trapline_cleaning_function(int x);
int trapline_cleaning_function(int x) {
  const std::string text(static_cast<std::size_t>(x), 'x');
  return trapline_described_function(static_cast<int>(text.size()));
}
// Keeps its return address in a register for a while, saves rbx at an address that an expression computes, and leaves
// r12 to be found in r13. Never called.
void trapline_odd_rules();
void trapline_signal_frame();
}
asm(".text\n.globl trapline_odd_rules\n.type trapline_odd_rules,@function\ntrapline_odd_rules:\n"
    ".cfi_startproc\n nop\n"
    ".cfi_register %rip, %rdi\n.cfi_register %r12, %r13\n"
    ".cfi_escape 0x10,0x03,0x02,0x77,0x30\n"  // DW_CFA_expression rbx: breg7 48
    ".cfi_escape 0x16,0x0e,0x02,0x77,0x38\n"  // DW_CFA_val_expression r14: breg7 56
    ".cfi_undefined %rbp\n nop\n"
    ".cfi_escape 0x0f,0x04,0x77,0xa0,0x01,0x06\n"  // DW_CFA_def_cfa_expression: breg7 160; deref
    " ret\n.cfi_endproc\n.size trapline_odd_rules, .-trapline_odd_rules\n"
    ".globl trapline_signal_frame\n.type trapline_signal_frame,@function\ntrapline_signal_frame:\n"
    ".cfi_startproc\n.cfi_signal_frame\n ret\n.cfi_endproc\n"
    ".size trapline_signal_frame, .-trapline_signal_frame\n");

TEST_CASE("at a function's first instruction the caller is one word up, and its registers are as they were") {
  const Self own = self();
  CHECK(trapline_described_function(2) == 6);
  const auto begin = own.begin_of("trapline_described_function");
  const auto row = own.table->row_at(begin);
  REQUIRE(row);
  CHECK(row->range.begin == begin);
  CHECK(row->range.end > begin);
  CHECK_FALSE(row->cfa_is_expression);
  CHECK(row->cfa_register == 7);
  CHECK(row->cfa_offset == 8);
  CHECK(row->return_column == 16);
  CHECK_FALSE(row->signal_frame);
  CHECK(row->rules[16].kind == CfiRuleKind::offset);
  CHECK(row->rules[16].offset == -8);
  for (const int kept : {3, 6, 12, 13, 14, 15}) CHECK(row->rules[kept].kind == CfiRuleKind::same);
  for (const int lost : {0, 1, 2, 4, 5, 8, 9, 10, 11}) CHECK(row->rules[lost].kind == CfiRuleKind::undefined);
  CHECK(row->rules[7].kind == CfiRuleKind::val_offset);
}

TEST_CASE("behind the prologue of an unoptimised function the frame pointer finds the frame") {
  const Self own = self();
  const auto begin = own.begin_of("trapline_described_function");
  const auto row = own.table->row_at(begin + 12);
  REQUIRE(row);
  CHECK(row->cfa_register == 6);
  CHECK(row->cfa_offset == 16);
  CHECK(row->rules[6].kind == CfiRuleKind::offset);
  CHECK(row->rules[6].offset == -16);
}

TEST_CASE("registers, expressions and undefined values are told apart") {
  const Self own = self();
  const auto begin = own.begin_of("trapline_odd_rules");
  const auto row = own.table->row_at(begin + 1);
  REQUIRE(row);
  CHECK(row->rules[16].kind == CfiRuleKind::in_register);
  CHECK(row->rules[16].index == 5);
  CHECK(row->rules[12].kind == CfiRuleKind::in_register);
  CHECK(row->rules[12].index == 13);
  CHECK(row->rules[6].kind == CfiRuleKind::undefined);
  REQUIRE(row->rules[3].kind == CfiRuleKind::expression);
  REQUIRE(row->rules[14].kind == CfiRuleKind::val_expression);
  std::array<std::optional<std::uint64_t>, sym::cfi_registers> registers{};
  registers[7] = 0x1000;
  const sym::CfiInputs inputs{.registers = registers, .cfa = 0x9000, .memory = nullptr, .bias = 0};
  CHECK(*sym::evaluate_cfi(row->expressions[row->rules[3].index], inputs) == 0x1030);
  CHECK(*sym::evaluate_cfi(row->expressions[row->rules[14].index], inputs) == 0x1038);
  const auto by_expression = own.table->row_at(begin + 2);
  REQUIRE(by_expression);
  REQUIRE(by_expression->cfa_is_expression);
  CHECK(by_expression->expressions[by_expression->cfa_register].size() == 2);
}

TEST_CASE("code that an exception does not pass unseen is told from other code") {
  const Self own = self();
  CHECK(trapline_cleaning_function(2) == 6);
  CHECK(own.table->may_have_personality(own.begin_of("trapline_cleaning_function")));
  CHECK_FALSE(own.table->may_have_personality(own.begin_of("trapline_described_function")));
  CHECK_FALSE(own.table->may_have_personality(own.begin_of("trapline_odd_rules")));
  CHECK_FALSE(own.table->may_have_personality(own.begin_of("trapline_signal_frame")));
  CHECK(own.table->may_have_personality(0));  // nothing is known there
}

TEST_CASE("a signal frame says so, and no address outside the code has a row") {
  const Self own = self();
  const auto row = own.table->row_at(own.begin_of("trapline_signal_frame"));
  REQUIRE(row);
  CHECK(row->signal_frame);
  const auto none = own.table->row_at(0);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::not_found);
}
