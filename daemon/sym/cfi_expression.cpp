// DWARF expressions as call frame information may use them (DWARF 5 section 6.4.2: no operation that needs a
// compilation unit, a frame base or a location description).
#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/sym/cfi.hpp"

namespace trapline::sym {
namespace {

// An expression may branch backwards; a corrupt one must still end.
constexpr std::size_t most_operations = 10'000;
constexpr std::size_t deepest_stack = 256;

class Machine {
 public:
  Machine(std::span<const CfiOp> code, const CfiInputs& inputs) : code_(code), inputs_(inputs) {}

  Result<std::uint64_t> run() {
    for (std::size_t done = 0; next_ < code_.size(); ++done) {
      if (done == most_operations) return fail(Errc::bad_debug_info, "the CFI expression does not end");
      const CfiOp& op = code_[next_++];
      if (op.opcode == DW_OP_stack_value) break;  // libdw ends val_expression with it
      TL_TRY_VOID(execute(op));
      if (depth_ > deepest_stack) return fail(Errc::bad_debug_info, "the CFI expression needs too deep a stack");
    }
    return pop();
  }

 private:
  Result<void> execute(const CfiOp& op) {
    if (op.opcode >= DW_OP_lit0 && op.opcode <= DW_OP_lit31) return push(op.opcode - DW_OP_lit0);
    if (op.opcode >= DW_OP_breg0 && op.opcode <= DW_OP_breg31) return push_register(op.opcode - DW_OP_breg0, op.number);
    switch (op.opcode) {
      case DW_OP_nop: return {};
      case DW_OP_bregx: return push_register(op.number, op.number2);
      case DW_OP_addr: return push(op.number + inputs_.bias);
      case DW_OP_const1u: return push(static_cast<std::uint8_t>(op.number));
      case DW_OP_const2u: return push(static_cast<std::uint16_t>(op.number));
      case DW_OP_const4u: return push(static_cast<std::uint32_t>(op.number));
      // libdw sign-extends these while decoding; doing it again is harmless and does not depend on that.
      case DW_OP_const1s: return push(sign_extend<std::int8_t>(op.number));
      case DW_OP_const2s: return push(sign_extend<std::int16_t>(op.number));
      case DW_OP_const4s: return push(sign_extend<std::int32_t>(op.number));
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts: return push(op.number);
      case DW_OP_call_frame_cfa:
        if (!inputs_.cfa) return fail(Errc::bad_debug_info, "the expression of the CFA refers to the CFA");
        return push(*inputs_.cfa);
      case DW_OP_deref: return dereference(8);
      case DW_OP_deref_size: return dereference(op.number);
      case DW_OP_bra: {
        TL_TRY(const auto condition, pop());
        return condition != 0 ? branch(op) : Result<void>{};
      }
      case DW_OP_skip: return branch(op);
      case DW_OP_dup: return pick(0);
      case DW_OP_over: return pick(1);
      case DW_OP_pick: return pick(op.number);
      case DW_OP_drop: return drop();
      case DW_OP_swap: return rotate(2);
      case DW_OP_rot: return rotate(3);
      default: return arithmetic(op);
    }
  }

  Result<void> arithmetic(const CfiOp& op) {
    switch (op.opcode) {
      case DW_OP_abs:
      case DW_OP_neg:
      case DW_OP_not:
      case DW_OP_plus_uconst: {
        TL_TRY(const auto value, pop());
        const bool negative = static_cast<std::int64_t>(value) < 0;
        if (op.opcode == DW_OP_plus_uconst) return push(value + op.number);
        if (op.opcode == DW_OP_not) return push(~value);
        return push(op.opcode == DW_OP_neg || negative ? 0 - value : value);
      }
      default: break;
    }
    if (!is_binary(op.opcode))
      return fail(Errc::bad_debug_info, fmt::format("DWARF operation {:#x} is not one that CFI may use", op.opcode));
    TL_TRY(const auto right, pop());
    TL_TRY(const auto left, pop());
    TL_TRY(const auto value, binary(op.opcode, left, right));
    return push(value);
  }

  static bool is_binary(std::uint8_t opcode) {
    return opcode == DW_OP_and || opcode == DW_OP_div || opcode == DW_OP_minus || opcode == DW_OP_mod ||
           opcode == DW_OP_mul || opcode == DW_OP_or || opcode == DW_OP_plus || opcode == DW_OP_shl ||
           opcode == DW_OP_shr || opcode == DW_OP_shra || opcode == DW_OP_xor ||
           (opcode >= DW_OP_eq && opcode <= DW_OP_ne);
  }

  static Result<std::uint64_t> binary(std::uint8_t opcode, std::uint64_t left, std::uint64_t right) {
    const auto a = static_cast<std::int64_t>(left), b = static_cast<std::int64_t>(right);
    switch (opcode) {
      case DW_OP_and: return left & right;
      case DW_OP_or: return left | right;
      case DW_OP_xor: return left ^ right;
      case DW_OP_plus: return left + right;
      case DW_OP_minus: return left - right;
      case DW_OP_mul: return left * right;
      case DW_OP_div:
      case DW_OP_mod:
        if (right == 0) return fail(Errc::bad_debug_info, "division by zero in a CFI expression");
        if (opcode == DW_OP_mod) return left % right;
        if (b == -1) return 0 - left;  // the one quotient that does not fit would trap
        return static_cast<std::uint64_t>(a / b);
      case DW_OP_shl: return right < 64 ? left << right : 0;
      case DW_OP_shr: return right < 64 ? left >> right : 0;
      case DW_OP_shra: return static_cast<std::uint64_t>(a >> std::min<std::uint64_t>(right, 63));
      case DW_OP_eq: return left == right;
      case DW_OP_ne: return left != right;
      case DW_OP_lt: return a < b;
      case DW_OP_le: return a <= b;
      case DW_OP_gt: return a > b;
      default: return a >= b;  // DW_OP_ge: is_binary() admits nothing else
    }
  }

  template <class Narrow>
  static std::uint64_t sign_extend(std::uint64_t value) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<Narrow>(value)));
  }

  Result<void> push(std::uint64_t value) {
    if (depth_ >= deepest_stack) return fail(Errc::bad_debug_info, "the CFI expression needs too deep a stack");
    stack_[depth_++] = value;
    return {};
  }

  Result<std::uint64_t> pop() {
    if (depth_ == 0) return fail(Errc::bad_debug_info, "the CFI expression takes more values than it has");
    return stack_[--depth_];
  }

  Result<void> drop() {
    TL_TRY_VOID(pop());
    return {};
  }

  Result<void> pick(std::uint64_t index) {
    if (index >= depth_) return fail(Errc::bad_debug_info, "the CFI expression takes more values than it has");
    return push(stack_[depth_ - 1 - index]);
  }

  // The top value moves under `count` - 1 others.
  Result<void> rotate(std::size_t count) {
    if (count > depth_) return fail(Errc::bad_debug_info, "the CFI expression takes more values than it has");
    auto* end = stack_.data() + depth_;
    std::rotate(end - count, end - 1, end);
    return {};
  }

  Result<void> push_register(std::uint64_t number, std::uint64_t offset) {
    if (number >= cfi_registers)
      return fail(Errc::bad_debug_info, fmt::format("the CFI expression uses DWARF register {}", number));
    const auto value = inputs_.registers[number];
    if (!value) return fail(Errc::not_available, fmt::format("DWARF register {} is not known in this frame", number));
    return push(*value + offset);
  }

  Result<void> dereference(std::uint64_t size) {
    if (size == 0 || size > 8 || inputs_.memory == nullptr)
      return fail(Errc::bad_debug_info, fmt::format("a CFI expression reads {} bytes", size));
    TL_TRY(const auto at, pop());
    std::uint64_t value = 0;
    static_assert(std::endian::native == std::endian::little);
    auto bytes = std::as_writable_bytes(std::span(&value, 1)).first(size);
    if (!inputs_.memory->read(LoadAddr{at}, bytes))
      return fail(Errc::bad_address, fmt::format("memory at {:#x} cannot be read", at));
    return push(value);
  }

  // The operand counts from the end of this operation, which is three bytes long.
  Result<void> branch(const CfiOp& op) {
    const std::uint64_t target = op.offset + 3 + op.number;
    for (std::size_t i = 0; i < code_.size(); ++i) {
      if (code_[i].offset != target) continue;
      next_ = i;
      return {};
    }
    if (target > code_.back().offset) {  // to the end: done
      next_ = code_.size();
      return {};
    }
    return fail(Errc::bad_debug_info, "a branch of a CFI expression leads into an operation");
  }

  std::span<const CfiOp> code_;
  const CfiInputs& inputs_;
  std::array<std::uint64_t, deepest_stack> stack_{};
  std::size_t depth_ = 0;
  std::size_t next_ = 0;
};

}  // namespace

Result<std::uint64_t> evaluate_cfi(std::span<const CfiOp> expression, const CfiInputs& inputs) {
  return Machine(expression, inputs).run();
}

}  // namespace trapline::sym
