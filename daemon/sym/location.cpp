// The DWARF machine. Operations work on a stack of slots; what stands at the end (or before a piece) says where the
// object is. Backward jumps are allowed by the standard, so the number of operations is bounded, not the time.
#include "daemon/sym/location.hpp"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/sym/location_slot.hpp"

namespace trapline::sym {

bool Location::gone() const {
  return std::ranges::all_of(pieces, [](const Piece& piece) { return piece.kind == Piece::Kind::gone; });
}

namespace {

std::unexpected<Error> malformed(std::string text) {
  return fail(Errc::bad_debug_info, "DWARF expression: " + std::move(text));
}

class Machine {
 public:
  Machine(const LocationContext& context, const RunLimits& limits, std::size_t& operations, std::size_t nesting)
      : context_(context), limits_(limits), operations_(operations), nesting_(nesting) {}

  Result<Location> run(const Expression& expression, std::optional<std::uint64_t> start);
  Result<std::vector<std::byte>> run_to_bytes(const Expression& expression, std::optional<std::uint64_t> start);
  // Runs `expression` on the stack of this machine (DW_OP_call*).
  Result<void> execute(const Expression& expression);
  std::vector<Slot>& stack() { return stack_; }

 private:
  Result<void> step(const Op& op, bool& jumped, std::int64_t& target);
  Result<bool> control(const Op& op, bool& jumped, std::int64_t& target);
  Result<bool> stack_operation(const Op& op);
  Result<bool> constant(const Op& op);
  Result<bool> register_operation(const Op& op);
  Result<bool> arithmetic(const Op& op);
  Result<bool> memory(const Op& op);
  Result<bool> place(const Op& op);
  Result<bool> frame(const Op& op);
  Result<void> variable_value(const Op& op);

  Result<Slot> pop();
  Result<void> push(Slot slot);
  Result<std::uint64_t> register_word(std::uint64_t number) const;
  Result<void> read_slot(LoadAddr at, std::size_t size, const Type* type);
  void end_piece(std::uint64_t bits, std::uint64_t offset);
  Piece current() const;

  const LocationContext& context_;
  const RunLimits& limits_;
  std::size_t& operations_;
  std::size_t nesting_;
  std::vector<Slot> stack_;
  std::optional<Piece> place_;  // a register, a value or an implicit pointer was named
  Location result_;
};

Result<Slot> Machine::pop() {
  if (stack_.empty()) return malformed("the stack is empty");
  const Slot top = stack_.back();
  stack_.pop_back();
  return top;
}

Result<void> Machine::push(Slot slot) {
  if (stack_.size() >= limits_.depth) return malformed("the stack is deeper than any sane expression's");
  stack_.push_back(slot);
  return {};
}

Result<std::uint64_t> Machine::register_word(std::uint64_t number) const {
  TL_TRY(const std::vector<std::byte> bytes, context_.register_bytes(static_cast<std::uint32_t>(number)));
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
  return word;
}

Result<void> Machine::read_slot(LoadAddr at, std::size_t size, const Type* type) {
  if (size == 0 || size > 16) return malformed(fmt::format("a read of {} bytes", size));
  std::array<std::byte, 16> bytes{};
  TL_TRY_VOID(context_.read(at, std::span(bytes).first(size)));
  if (type != nullptr) return push(Slot::typed(type, std::span(bytes).first(size)));
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), 8);
  return push(Slot::generic(word));
}

Result<bool> Machine::constant(const Op& op) {
  if (op.code >= DW_OP_lit0 && op.code <= DW_OP_lit31) {
    TL_TRY_VOID(push(Slot::generic(op.code - DW_OP_lit0)));
    return true;
  }
  switch (op.code) {
    case DW_OP_addr:
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index: {
      TL_TRY(const LoadAddr at, context_.load_address(op.a));
      TL_TRY_VOID(push(Slot::generic(at.value)));
      return true;
    }
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
    case DW_OP_constx:
    case DW_OP_GNU_const_index: {
      TL_TRY_VOID(push(Slot::generic(op.a)));
      return true;
    }
    case DW_OP_const_type:
    case DW_OP_GNU_const_type: {
      TL_TRY_VOID(push(Slot::typed(op.type, op.block)));
      return true;
    }
    default: return false;
  }
}

Result<bool> Machine::register_operation(const Op& op) {
  if (op.code >= DW_OP_breg0 && op.code <= DW_OP_breg31) {
    TL_TRY(const std::uint64_t base, register_word(op.code - DW_OP_breg0));
    TL_TRY_VOID(push(Slot::generic(base + op.a)));
    return true;
  }
  if ((op.code >= DW_OP_reg0 && op.code <= DW_OP_reg31) || op.code == DW_OP_regx) {
    place_ = Piece{};
    place_->kind = Piece::Kind::register_;
    place_->reg = op.code == DW_OP_regx ? static_cast<std::uint32_t>(op.a) : std::uint32_t{op.code} - DW_OP_reg0;
    return true;
  }
  switch (op.code) {
    case DW_OP_bregx: {
      TL_TRY(const std::uint64_t base, register_word(op.a));
      TL_TRY_VOID(push(Slot::generic(base + op.b)));
      return true;
    }
    case DW_OP_fbreg: {
      TL_TRY(const std::uint64_t base, context_.frame_base());
      TL_TRY_VOID(push(Slot::generic(base + op.a)));
      return true;
    }
    case DW_OP_regval_type:
    case DW_OP_GNU_regval_type: {
      TL_TRY(const std::vector<std::byte> bytes, context_.register_bytes(static_cast<std::uint32_t>(op.a)));
      TL_TRY_VOID(push(Slot::typed(op.type, bytes)));
      return true;
    }
    default: return false;
  }
}

Result<bool> Machine::stack_operation(const Op& op) {
  const auto pick = [&](std::size_t from_top) -> Result<void> {
    if (from_top >= stack_.size()) return malformed("picks below the stack");
    return push(stack_[stack_.size() - 1 - from_top]);
  };
  const std::size_t depth = stack_.size();
  switch (op.code) {
    case DW_OP_dup: {
      TL_TRY_VOID(pick(0));
      return true;
    }
    case DW_OP_over: {
      TL_TRY_VOID(pick(1));
      return true;
    }
    case DW_OP_pick: {
      TL_TRY_VOID(pick(op.a));
      return true;
    }
    case DW_OP_drop: {
      TL_TRY_VOID(pop());
      return true;
    }
    case DW_OP_swap:
      if (depth < 2) return malformed("swap needs two values");
      std::swap(stack_[depth - 1], stack_[depth - 2]);
      return true;
    case DW_OP_rot:
      if (depth < 3) return malformed("rot needs three values");
      std::rotate(stack_.end() - 3, stack_.end() - 1, stack_.end());
      return true;
    case DW_OP_nop: return true;
    default: return false;
  }
}

Result<bool> Machine::arithmetic(const Op& op) {
  switch (op.code) {
    case DW_OP_neg:
    case DW_OP_not:
    case DW_OP_abs: {
      TL_TRY(const Slot a, pop());
      TL_TRY(const Slot result, slot_unary(op.code, a));
      TL_TRY_VOID(push(result));
      return true;
    }
    case DW_OP_plus_uconst: {
      TL_TRY(const Slot a, pop());
      const Slot b = a.type == nullptr ? Slot::generic(op.a) : Slot::typed(a.type, std::as_bytes(std::span(&op.a, 1)));
      TL_TRY(const Slot result, slot_binary(DW_OP_plus, a, b));
      TL_TRY_VOID(push(result));
      return true;
    }
    case DW_OP_and:
    case DW_OP_div:
    case DW_OP_minus:
    case DW_OP_mod:
    case DW_OP_mul:
    case DW_OP_or:
    case DW_OP_plus:
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
    case DW_OP_xor:
    case DW_OP_eq:
    case DW_OP_ge:
    case DW_OP_gt:
    case DW_OP_le:
    case DW_OP_lt:
    case DW_OP_ne: {
      TL_TRY(const Slot b, pop());
      TL_TRY(const Slot a, pop());
      TL_TRY(const Slot result, slot_binary(op.code, a, b));
      TL_TRY_VOID(push(result));
      return true;
    }
    case DW_OP_convert:
    case DW_OP_GNU_convert:
    case DW_OP_reinterpret:
    case DW_OP_GNU_reinterpret: {
      TL_TRY(const Slot a, pop());
      const bool convert = op.code == DW_OP_convert || op.code == DW_OP_GNU_convert;
      TL_TRY(const Slot result, convert ? slot_convert(a, op.type) : slot_reinterpret(a, op.type));
      TL_TRY_VOID(push(result));
      return true;
    }
    default: return false;
  }
}

Result<bool> Machine::memory(const Op& op) {
  switch (op.code) {
    case DW_OP_deref: {
      TL_TRY(const Slot at, pop());
      TL_TRY_VOID(read_slot(LoadAddr{at.word()}, 8, nullptr));
      return true;
    }
    case DW_OP_deref_size: {
      TL_TRY(const Slot at, pop());
      if (op.a > 8) return malformed("deref_size wider than an address");
      TL_TRY_VOID(read_slot(LoadAddr{at.word()}, op.a, nullptr));
      return true;
    }
    case DW_OP_deref_type:
    case DW_OP_GNU_deref_type: {
      TL_TRY(const Slot at, pop());
      TL_TRY_VOID(read_slot(LoadAddr{at.word()}, op.a, op.type));
      return true;
    }
    default: return false;
  }
}

Result<bool> Machine::frame(const Op& op) {
  switch (op.code) {
    case DW_OP_call_frame_cfa: {
      TL_TRY(const LoadAddr cfa, context_.cfa());
      TL_TRY_VOID(push(Slot::generic(cfa.value)));
      return true;
    }
    case DW_OP_form_tls_address:
    case DW_OP_GNU_push_tls_address: {
      TL_TRY(const Slot offset, pop());
      TL_TRY(const LoadAddr at, context_.tls_address(offset.word()));
      TL_TRY_VOID(push(Slot::generic(at.value)));
      return true;
    }
    case DW_OP_push_object_address: {
      TL_TRY(const LoadAddr at, context_.object_address());
      TL_TRY_VOID(push(Slot::generic(at.value)));
      return true;
    }
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value: {
      TL_TRY(const std::vector<std::byte> bytes, context_.entry_value(op.inner));
      const Type* type = op.inner.size() == 1 ? op.inner[0].type : nullptr;
      Slot slot = Slot::typed(type, bytes);
      TL_TRY_VOID(push(slot));
      return true;
    }
    case DW_OP_GNU_parameter_ref: {
      TL_TRY(const std::vector<std::byte> bytes, context_.entry_value({op}));
      TL_TRY_VOID(push(Slot::typed(nullptr, bytes)));
      return true;
    }
    case DW_OP_call2:
    case DW_OP_call4:
    case DW_OP_call_ref: {
      if (nesting_ >= limits_.nesting) return malformed("calls nest too deep");
      ++nesting_;
      TL_TRY_VOID(execute(op.inner));
      --nesting_;
      return true;
    }
    case DW_OP_GNU_variable_value: {
      TL_TRY_VOID(variable_value(op));
      return true;
    }
    default: return false;
  }
}

// Pushes the value of an integer variable, wherever it is (bounds of variable length arrays at -O2).
Result<void> Machine::variable_value(const Op& op) {
  if (nesting_ >= limits_.nesting) return malformed("calls nest too deep");
  if (op.inner.empty()) return fail(Errc::not_available, "a variable that this depends on is optimised out");
  Machine nested(context_, limits_, operations_, nesting_ + 1);
  TL_TRY(const Location at, nested.run(op.inner, std::nullopt));
  if (!at.whole()) return fail(Errc::not_available, "a variable that this depends on is in pieces");
  const std::size_t size = op.type != nullptr ? static_cast<std::size_t>(op.type->size().value_or(8)) : 8;
  const Piece& piece = at.pieces[0];
  switch (piece.kind) {
    case Piece::Kind::memory: return read_slot(piece.address, std::min<std::size_t>(size, 8), nullptr);
    case Piece::Kind::register_: {
      TL_TRY(const std::uint64_t word, register_word(piece.reg));
      return push(Slot::generic(size >= 8 ? word : word & ((std::uint64_t{1} << (size * 8)) - 1)));
    }
    case Piece::Kind::value: return push(Slot::typed(nullptr, piece.bytes));
    default: return fail(Errc::not_available, "a variable that this depends on is optimised out");
  }
}

// Operations that name a place other than memory, and those that end a piece.
Result<bool> Machine::place(const Op& op) {
  switch (op.code) {
    case DW_OP_stack_value: {
      TL_TRY(const Slot top, pop());
      place_ = Piece{};
      place_->kind = Piece::Kind::value;
      place_->bytes.assign(top.raw.begin(), top.raw.begin() + static_cast<std::ptrdiff_t>(top.size()));
      // A narrow typed value may stand for a wider object: it keeps its sign.
      if (top.type != nullptr && top.size() < 8 && !top.is_float()) {
        const std::uint64_t word = top.word();
        const auto bytes = std::as_bytes(std::span(&word, 1));
        place_->bytes.assign(bytes.begin(), bytes.end());
      }
      return true;
    }
    case DW_OP_implicit_value:
      place_ = Piece{};
      place_->kind = Piece::Kind::value;
      place_->bytes = op.block;
      return true;
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
      place_ = Piece{};
      place_->kind = Piece::Kind::implicit_pointer;
      place_->pointee = op.die;
      place_->pointee_offset = static_cast<std::int64_t>(op.b);
      return true;
    case DW_OP_piece: end_piece(op.a * 8, 0); return true;
    case DW_OP_bit_piece: end_piece(op.a, op.b); return true;
    case DW_OP_GNU_uninit: return true;
    default: return false;
  }
}

Piece Machine::current() const {
  if (place_) return *place_;
  Piece piece;
  if (stack_.empty()) return piece;  // nothing was said: this part is gone
  piece.kind = Piece::Kind::memory;
  piece.address = LoadAddr{stack_.back().word()};
  return piece;
}

void Machine::end_piece(std::uint64_t bits, std::uint64_t offset) {
  Piece piece = current();
  piece.bit_size = bits;
  piece.bit_offset = offset;
  result_.pieces.push_back(std::move(piece));
  place_.reset();
  if (!stack_.empty()) stack_.pop_back();
}

Result<bool> Machine::control(const Op& op, bool& jumped, std::int64_t& target) {
  if (op.code != DW_OP_skip && op.code != DW_OP_bra) return false;
  if (op.code == DW_OP_bra) {
    TL_TRY(const Slot condition, pop());
    if (condition.word() == 0) return true;
  }
  jumped = true;
  target = static_cast<std::int64_t>(op.offset) + 3 + static_cast<std::int16_t>(op.a);
  return true;
}

Result<void> Machine::step(const Op& op, bool& jumped, std::int64_t& target) {
  using Handler = Result<bool> (Machine::*)(const Op&);
  static constexpr Handler handlers[] = {&Machine::constant, &Machine::register_operation, &Machine::arithmetic,
                                         &Machine::memory,   &Machine::stack_operation,    &Machine::frame,
                                         &Machine::place};
  for (const Handler handler : handlers) {
    TL_TRY(const bool done, (this->*handler)(op));
    if (done) return {};
  }
  TL_TRY(const bool done, control(op, jumped, target));
  if (done) return {};
  return fail(Errc::bad_debug_info, fmt::format("DWARF operation {:#x} is not known", op.code));
}

Result<void> Machine::execute(const Expression& expression) {
  std::size_t at = 0;
  while (at < expression.size()) {
    if (++operations_ > limits_.operations) return malformed("it does not end");
    bool jumped = false;
    std::int64_t target = 0;
    TL_TRY_VOID(step(expression[at], jumped, target));
    if (!jumped) {
      ++at;
      continue;
    }
    const auto found = std::ranges::lower_bound(expression, target, {},
                                                [](const Op& op) { return static_cast<std::int64_t>(op.offset); });
    const bool at_end = found == expression.end() && target > static_cast<std::int64_t>(expression.back().offset);
    if (!at_end && (found == expression.end() || static_cast<std::int64_t>(found->offset) != target))
      return malformed("a jump into the middle of an operation");
    at = static_cast<std::size_t>(found - expression.begin());
  }
  return {};
}

Result<Location> Machine::run(const Expression& expression, std::optional<std::uint64_t> start) {
  if (expression.empty() && !start) return Location{{Piece{}}};
  if (start) stack_.push_back(Slot::generic(*start));
  TL_TRY_VOID(execute(expression));
  if (result_.pieces.empty()) result_.pieces.push_back(current());
  return std::move(result_);
}

Result<std::vector<std::byte>> Machine::run_to_bytes(const Expression& expression, std::optional<std::uint64_t> start) {
  if (start) stack_.push_back(Slot::generic(*start));
  TL_TRY_VOID(execute(expression));
  if (!result_.pieces.empty()) return malformed("pieces where one value is meant");
  if (place_) {
    if (place_->kind == Piece::Kind::register_) return context_.register_bytes(place_->reg);
    if (place_->kind == Piece::Kind::value) return place_->bytes;
    return fail(Errc::not_available, "a pointer that the optimiser removed");
  }
  if (stack_.empty()) return fail(Errc::not_available, "optimised out");
  const Slot& top = stack_.back();
  return std::vector<std::byte>(top.raw.begin(), top.raw.begin() + static_cast<std::ptrdiff_t>(top.size()));
}

}  // namespace

Result<Location> run(const Expression& expression, const LocationContext& context, std::optional<std::uint64_t> start,
                     const RunLimits& limits) {
  std::size_t operations = 0;
  return Machine(context, limits, operations, 0).run(expression, start);
}

Result<std::vector<std::byte>> run_to_bytes(const Expression& expression, const LocationContext& context,
                                            std::optional<std::uint64_t> start, const RunLimits& limits) {
  std::size_t operations = 0;
  return Machine(context, limits, operations, 0).run_to_bytes(expression, start);
}

Result<std::uint64_t> run_to_number(const Expression& expression, const LocationContext& context,
                                    std::optional<std::uint64_t> start, const RunLimits& limits) {
  TL_TRY(const std::vector<std::byte> bytes, run_to_bytes(expression, context, start, limits));
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
  return word;
}

}  // namespace trapline::sym
