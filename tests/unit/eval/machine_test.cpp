// The DWARF machine on hand-built operations.
#include <dwarf.h>

#include "daemon/sym/location.hpp"
#include "tests/unit/eval/support.hpp"

namespace trapline::sym {
namespace {

class FakeContext final : public LocationContext {
 public:
  eval::FakeMemory memory;
  std::map<std::uint32_t, std::uint64_t> registers{{5, 0x55}, {6, 0x1000}, {7, 0x2000}};
  Result<std::vector<std::byte>> register_bytes(std::uint32_t number) const override {
    const auto found = registers.find(number);
    if (found == registers.end()) return fail(Errc::not_available, "not saved");
    const auto bytes = std::as_bytes(std::span(&found->second, 1));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override { return memory.read(at, out); }
  Result<LoadAddr> cfa() const override { return LoadAddr{0x3000}; }
  Result<std::uint64_t> frame_base() const override { return 0x4000; }
  Result<LoadAddr> load_address(std::uint64_t file) const override { return LoadAddr{file + 0x10000}; }
  Result<LoadAddr> tls_address(std::uint64_t offset) const override { return LoadAddr{0x700000 + offset}; }
  Result<std::vector<std::byte>> entry_value(const Expression& what) const override {
    if (what.size() == 1 && what[0].code == DW_OP_GNU_parameter_ref)
      return std::vector<std::byte>{std::byte{0x66}, {}, {}, {}, {}, {}, {}, {}};
    if (what.size() != 1 || what[0].code != DW_OP_reg5) return fail(Errc::not_available, "another register");
    return std::vector<std::byte>{std::byte{0x77}, {}, {}, {}, {}, {}, {}, {}};
  }
  Result<LoadAddr> object_address() const override { return LoadAddr{0x9000}; }
};

Op op(std::uint8_t code, std::uint64_t a = 0, std::uint64_t b = 0) {
  Op made;
  made.code = code;
  made.a = a;
  made.b = b;
  return made;
}

Expression program(std::vector<Op> ops) {
  for (std::size_t i = 0; i < ops.size(); ++i) ops[i].offset = i * 3;  // skip and bra have three bytes
  return ops;
}

std::uint64_t number(std::vector<Op> ops) {
  const FakeContext context;
  const auto value = run_to_number(program(std::move(ops)), context);
  REQUIRE_MESSAGE(value.has_value(), (value ? "" : value.error().message));
  return *value;
}

std::string problem(std::vector<Op> ops) {
  const FakeContext context;
  const auto value = run_to_number(program(std::move(ops)), context);
  return value ? "no error" : value.error().message;
}

TEST_CASE("generic arithmetic: 64 bits, division with sign, remainder without") {
  CHECK(number({op(DW_OP_lit5), op(DW_OP_lit3), op(DW_OP_minus)}) == 2);
  CHECK(number({op(DW_OP_lit3), op(DW_OP_lit5), op(DW_OP_minus)}) == ~std::uint64_t{1});
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-7)), op(DW_OP_lit2), op(DW_OP_div)}) ==
        static_cast<std::uint64_t>(-3));
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-7)), op(DW_OP_lit2), op(DW_OP_mod)}) == 1);
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-8)), op(DW_OP_lit1), op(DW_OP_shr)}) ==
        0x7ffffffffffffffc);
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-8)), op(DW_OP_lit1), op(DW_OP_shra)}) ==
        static_cast<std::uint64_t>(-4));
  CHECK(number({op(DW_OP_lit1), op(DW_OP_const1u, 64), op(DW_OP_shl)}) == 0);
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-1)), op(DW_OP_lit1), op(DW_OP_lt)}) == 1);
  CHECK(number({op(DW_OP_const8s, static_cast<std::uint64_t>(-5)), op(DW_OP_abs)}) == 5);
  CHECK(number({op(DW_OP_lit5), op(DW_OP_neg), op(DW_OP_not)}) == 4);
  CHECK(number({op(DW_OP_lit5), op(DW_OP_plus_uconst, 10)}) == 15);
  CHECK(problem({op(DW_OP_lit5), op(DW_OP_lit0), op(DW_OP_div)}) == "DWARF expression divides by zero");
}

TEST_CASE("the stack: dup, over, pick, swap, rot, drop") {
  CHECK(number({op(DW_OP_lit7), op(DW_OP_dup), op(DW_OP_mul)}) == 49);
  CHECK(number({op(DW_OP_lit7), op(DW_OP_lit2), op(DW_OP_over), op(DW_OP_minus)}) == static_cast<std::uint64_t>(-5));
  CHECK(number({op(DW_OP_lit7), op(DW_OP_lit2), op(DW_OP_lit1), op(DW_OP_pick, 2)}) == 7);
  CHECK(number({op(DW_OP_lit7), op(DW_OP_lit2), op(DW_OP_swap), op(DW_OP_minus)}) == static_cast<std::uint64_t>(-5));
  // DWARF 5, 2.5.1.3: the top becomes the third, the second the top.
  CHECK(number({op(DW_OP_lit1), op(DW_OP_lit2), op(DW_OP_lit3), op(DW_OP_rot)}) == 2);
  CHECK(number({op(DW_OP_lit1), op(DW_OP_lit2), op(DW_OP_lit3), op(DW_OP_rot), op(DW_OP_drop)}) == 1);
  CHECK(problem({op(DW_OP_drop)}) == "DWARF expression: the stack is empty");
  CHECK(problem({op(DW_OP_lit1), op(DW_OP_pick, 5)}) == "DWARF expression: picks below the stack");
}

TEST_CASE("jumps, forward and backward; a loop without end is ended") {
  // if (0) 1 else 2
  CHECK(number({op(DW_OP_lit0), op(DW_OP_bra, 6), op(DW_OP_lit2), op(DW_OP_skip, 3), op(DW_OP_lit1), op(DW_OP_nop)}) ==
        2);
  CHECK(number({op(DW_OP_lit1), op(DW_OP_bra, 6), op(DW_OP_lit2), op(DW_OP_skip, 3), op(DW_OP_lit1), op(DW_OP_nop)}) ==
        1);
  // n = 5; while (n) n--;
  CHECK(number({op(DW_OP_lit5), op(DW_OP_lit1), op(DW_OP_minus), op(DW_OP_dup),
                op(DW_OP_bra, static_cast<std::uint16_t>(-12))}) == 0);
  CHECK(problem({op(DW_OP_lit1), op(DW_OP_skip, static_cast<std::uint16_t>(-6))}) ==
        "DWARF expression: the stack is deeper than any sane expression's");
  CHECK(problem({op(DW_OP_skip, static_cast<std::uint16_t>(-3))}) == "DWARF expression: it does not end");
  CHECK(problem({op(DW_OP_skip, 1), op(DW_OP_lit1), op(DW_OP_lit1)}) ==
        "DWARF expression: a jump into the middle of an operation");
}

TEST_CASE("registers, frame base, CFA, addresses, thread-local storage, entry values") {
  CHECK(number({op(DW_OP_breg6, static_cast<std::uint64_t>(-16))}) == 0xff0);
  CHECK(number({op(DW_OP_bregx, 7, 8)}) == 0x2008);
  CHECK(number({op(DW_OP_fbreg, static_cast<std::uint64_t>(-8))}) == 0x3ff8);
  CHECK(number({op(DW_OP_call_frame_cfa), op(DW_OP_lit8), op(DW_OP_minus)}) == 0x2ff8);
  CHECK(number({op(DW_OP_addr, 0x500)}) == 0x10500);
  CHECK(number({op(DW_OP_const1u, 0x20), op(DW_OP_form_tls_address)}) == 0x700020);
  CHECK(number({op(DW_OP_const1u, 0x20), op(DW_OP_GNU_push_tls_address)}) == 0x700020);
  CHECK(number({op(DW_OP_push_object_address)}) == 0x9000);
  CHECK(number({op(DW_OP_reg5)}) == 0x55);
  Op entry = op(DW_OP_entry_value);
  entry.inner = program({op(DW_OP_reg5)});
  CHECK(number({entry, op(DW_OP_lit1), op(DW_OP_plus)}) == 0x78);
  CHECK(number({op(DW_OP_GNU_parameter_ref), op(DW_OP_lit2), op(DW_OP_plus)}) == 0x68);
  CHECK(problem({op(DW_OP_breg3, 0)}) == "not saved");
}

TEST_CASE("memory of every width, zero extended") {
  FakeContext context;
  context.memory.set(0x1000, std::uint64_t{0xfedcba9876543210});
  const auto read = [&](std::vector<Op> ops) {
    return run_to_number(program(std::move(ops)), context).value_or(0xbad);
  };
  CHECK(read({op(DW_OP_breg6, 0), op(DW_OP_deref)}) == 0xfedcba9876543210);
  CHECK(read({op(DW_OP_breg6, 0), op(DW_OP_deref_size, 1)}) == 0x10);
  CHECK(read({op(DW_OP_breg6, 4), op(DW_OP_deref_size, 4)}) == 0xfedcba98);
  CHECK(read({op(DW_OP_breg6, 16), op(DW_OP_deref)}) == 0xbad);
}

TEST_CASE("typed values keep their width, their sign and their format") {
  Op small = op(DW_OP_const_type);
  small.type = builtin(Builtin::signed_char);
  small.block = {std::byte{0x80}};
  Op widen = op(DW_OP_convert);
  widen.type = builtin(Builtin::int_);
  Op generic = op(DW_OP_convert);
  CHECK(number({small, widen, generic}) == static_cast<std::uint64_t>(-128));
  CHECK(number({small, generic}) == static_cast<std::uint64_t>(-128));
  Op real = op(DW_OP_const_type);
  real.type = builtin(Builtin::double_);
  const double value = 2.5;
  const auto bytes = std::as_bytes(std::span(&value, 1));
  real.block.assign(bytes.begin(), bytes.end());
  CHECK(number({real, real, op(DW_OP_mul), widen, generic}) == 6);
  CHECK(number({real, real, op(DW_OP_eq)}) == 1);
  CHECK(problem({real, op(DW_OP_lit1), op(DW_OP_plus)}) == "DWARF expression: operands of different types");
  CHECK(problem({real, real, op(DW_OP_and)}) == "DWARF expression: bit operation on a floating value");
  Op bits = op(DW_OP_reinterpret);
  bits.type = builtin(Builtin::unsigned_long);
  CHECK(number({real, bits, generic}) == 0x4004000000000000);
}

TEST_CASE("where an object is: memory, register, value, pieces, nowhere") {
  const FakeContext context;
  const auto at = [&](std::vector<Op> ops) {
    const auto location = run(program(std::move(ops)), context);
    REQUIRE(location);
    return *location;
  };
  CHECK(at({op(DW_OP_fbreg, 8)}).in_memory());
  CHECK(at({op(DW_OP_reg3)}).pieces[0].kind == Piece::Kind::register_);
  CHECK(at({op(DW_OP_regx, 17)}).pieces[0].reg == 17);
  CHECK(at({op(DW_OP_lit5), op(DW_OP_stack_value)}).pieces[0].bytes[0] == std::byte{5});
  CHECK(at({}).gone());
  const auto pieces =
      at({op(DW_OP_reg0), op(DW_OP_piece, 8), op(DW_OP_piece, 4), op(DW_OP_fbreg, 0), op(DW_OP_piece, 4)});
  REQUIRE(pieces.pieces.size() == 3);
  CHECK(pieces.pieces[0].kind == Piece::Kind::register_);
  CHECK(pieces.pieces[0].bit_size == 64);
  CHECK(pieces.pieces[1].kind == Piece::Kind::gone);
  CHECK(pieces.pieces[2].kind == Piece::Kind::memory);
  CHECK_FALSE(pieces.gone());
  const auto bits = at({op(DW_OP_reg0), op(DW_OP_bit_piece, 3, 5)});
  CHECK(bits.pieces[0].bit_size == 3);
  CHECK(bits.pieces[0].bit_offset == 5);
  Op literal = op(DW_OP_implicit_value);
  literal.block = {std::byte{1}, std::byte{2}};
  CHECK(at({literal}).pieces[0].bytes.size() == 2);
}

TEST_CASE("random operations neither crash nor run on") {
  const FakeContext context;
  std::uint64_t state = 42;
  const auto next = [&] {
    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 33;
  };
  const Type* types[] = {nullptr,
                         builtin(Builtin::int_),
                         builtin(Builtin::double_),
                         builtin(Builtin::unsigned_char),
                         builtin(Builtin::float128),
                         builtin(Builtin::int128)};
  for (int round = 0; round < 20000; ++round) {
    std::vector<Op> ops(next() % 12);
    for (Op& each : ops) {
      each = op(static_cast<std::uint8_t>(next()), next() % 3 == 0 ? next() : next() % 40, next() % 40);
      each.type = types[next() % 6];
      each.block.resize(next() % 20);
    }
    const auto location = run(program(std::move(ops)), context);
    if (location) REQUIRE_FALSE(location->pieces.empty());
  }
}

}  // namespace
}  // namespace trapline::sym
