#pragma once
// Where a variable is: DWARF expressions (DWARF 5 section 2.5, 2.6 and the GNU extensions of DWARF 4) run over an
// abstract context. The evaluator is a bounded machine: it knows no process, and it never guesses - what the context
// cannot tell is Errc::not_available, what the compiler dropped is a piece of kind `gone`.
// Thread: any for run(); the loop's for what reads DWARF.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/sym/type.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::sym {

// One operation, decoded. `offset` is its place in the bytes, which DW_OP_skip and DW_OP_bra count in.
struct Op {
  std::uint8_t code = 0;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t offset = 0;
  std::vector<std::byte> block;  // implicit_value, const_type
  std::vector<Op> inner;         // entry_value, call2, call4
  const Type* type = nullptr;    // typed operations; nullptr: the generic type (64 bits)
  DieRef die;                    // implicit_pointer, GNU_parameter_ref
};
using Expression = std::vector<Op>;

struct Piece {
  enum class Kind : std::uint8_t { memory, register_, value, implicit_pointer, gone };
  Kind kind = Kind::gone;
  LoadAddr address;              // memory
  std::uint32_t reg = 0;         // register_: DWARF number
  std::vector<std::byte> bytes;  // value: little endian; zero extended by who reads it
  DieRef pointee;                // implicit_pointer: the variable that it would point to
  std::int64_t pointee_offset = 0;
  std::uint64_t bit_size = 0;    // 0: the whole object
  std::uint64_t bit_offset = 0;  // within the register, memory or value
};

struct Location {
  std::vector<Piece> pieces;  // at least one
  bool whole() const { return pieces.size() == 1 && pieces[0].bit_size == 0; }
  bool in_memory() const { return whole() && pieces[0].kind == Piece::Kind::memory; }
  bool gone() const;  // every piece
};

// What an expression may ask. Each answer may be Errc::not_available.
class LocationContext {
 public:
  virtual ~LocationContext() = default;
  // Whole registers, little endian: 8 bytes for general ones, 16 for xmm, 10 for x87.
  virtual Result<std::vector<std::byte>> register_bytes(std::uint32_t dwarf_number) const = 0;
  virtual Result<void> read(LoadAddr at, std::span<std::byte> out) const = 0;
  virtual Result<LoadAddr> cfa() const = 0;
  virtual Result<std::uint64_t> frame_base() const = 0;
  virtual Result<LoadAddr> load_address(std::uint64_t file_address) const = 0;
  virtual Result<LoadAddr> tls_address(std::uint64_t offset) const = 0;
  // What `what` (a register, or DW_OP_GNU_parameter_ref) held when the function was entered: little endian, 8 bytes
  // unless typed.
  virtual Result<std::vector<std::byte>> entry_value(const Expression& what) const = 0;
  // DW_OP_push_object_address.
  virtual Result<LoadAddr> object_address() const = 0;
};

struct RunLimits {
  std::size_t operations = 10000;
  std::size_t depth = 256;   // of the stack
  std::size_t nesting = 16;  // of calls and entry values
};
// `start`: pushed before the first operation (member offsets: the object's address).
// Errors: bad_debug_info (malformed), not_available, bad_address.
Result<Location> run(const Expression& expression, const LocationContext& context,
                     std::optional<std::uint64_t> start = {}, const RunLimits& limits = {});
// The same, for expressions that compute a value (frame base, bounds, call values): a register's content, a value, or
// what would be the memory *address*.
Result<std::vector<std::byte>> run_to_bytes(const Expression& expression, const LocationContext& context,
                                            std::optional<std::uint64_t> start = {}, const RunLimits& limits = {});
Result<std::uint64_t> run_to_number(const Expression& expression, const LocationContext& context,
                                    std::optional<std::uint64_t> start = {}, const RunLimits& limits = {});

// ---- from DWARF

// DW_AT_location or DW_AT_const_value at `pc` (file address). A variable without either, or whose list has no entry
// for `pc`, yields an empty expression: optimised out there.
Result<Expression> location_of(DieRef variable, std::uint64_t pc);
// The same for every pc, read once: the first entry that holds a pc is meant (DWARF 5, 2.6.2).
struct LocationList {
  struct Entry {
    FileRange range;  // file addresses; all of them for what is in one place
    Result<Expression> expression;
  };
  std::vector<Entry> entries;
  const Entry* at(std::uint64_t pc) const;  // nullptr, or an empty expression: optimised out there
};
Result<LocationList> locations_of(DieRef variable);
Result<LocationList> frame_bases_of(DieRef scope);
// Of the concrete function that holds `scope`.
Result<Expression> frame_base_of(DieRef scope, std::uint64_t pc);

// A member whose offset is an expression (virtual bases): the member's address in the object at `object`.
Result<LoadAddr> member_address(const Member& member, LoadAddr object, const LocationContext& context);
// Elements of an array whose bound is an expression or a variable, in the frame of `context` at `pc`.
Result<std::uint64_t> array_count(const Type& array, std::uint64_t pc, const LocationContext& context);

// What the caller at `return_pc` (file address in `module`) says about the parameter `what` of the function it calls.
// `callee` is the function now running (DW_TAG_subprogram; concrete), its entry a load address: the call site must be a
// call of exactly it, and it must not reach itself by tail calls, since either would make the answer another call's.
// `target_of` turns a computed call target (a value in the caller's frame) into "is this `callee`?".
struct CallSiteQuery {
  const Module* caller_module = nullptr;
  std::uint64_t return_pc = 0;
  DieRef callee;
  LoadAddr callee_entry;
};
struct CallSiteAnswer {
  Expression value;                           // DW_AT_call_value: to run in the caller's frame
  std::optional<Expression> computed_target;  // run it in the caller's frame; must give callee_entry
};
Result<CallSiteAnswer> call_site_value(const CallSiteQuery& query, const Expression& what);

}  // namespace trapline::sym
