#pragma once
// A value: a type, and the bytes or where they lie. Data; copies are cheap but for values that are computed.
// Valid until the debuggee resumes; bytes in memory are read when somebody looks.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/sym/module.hpp"
#include "daemon/sym/type.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

// How a value is to be written: natvis' format specifiers (format_suffix.hpp) and the protocols' `hex`.
struct Format {
  enum class Radix : std::uint8_t { natural, decimal, unsigned_decimal, hexadecimal, octal, binary };
  enum class Text : std::uint8_t { natural, bytes, utf8, utf16, utf32 };  // natural: by the type; bytes: as UTF-8
  enum class Real : std::uint8_t { natural, scientific };
  Radix radix = Radix::natural;
  Text text = Text::natural;
  Real real = Real::natural;
  bool upper = false;                    // 0xFF
  bool bare = false;                     // no 0x, no 0b
  bool padded = false;                   // with leading zeros
  bool quoted = true;                    // of `text`: with quotes, prefix and escapes
  bool character = false;                // an integer with its character
  bool address = false;                  // an integer as an address with its symbol
  bool enumerator = false;               // ,en
  bool error_number = false;             // ,errno: an integer with errno's name for it
  bool raw = false;                      // ,!: of this value no visualiser is asked
  bool no_address = false;               // ,na: a pointer without its address
  bool no_derived = false;               // ,nd: as declared, whatever the object is
  bool no_raw_view = false;              // ,nr
  std::optional<std::uint64_t> count{};  // elements, or units of a string; evaluated
  std::string view{};                    // ,view(name)

  // What holds for the children of a value shown so.
  Format inherited() const;
};

// One stretch of an object that the compiler keeps in several places.
struct Part {
  enum class Kind : std::uint8_t { memory, bytes, implicit_pointer, missing };
  Kind kind = Kind::missing;
  std::uint64_t bit_size = 0;    // of the object; 0: all of it
  std::uint64_t bit_offset = 0;  // where in the memory or bytes it begins
  LoadAddr address;
  std::vector<std::byte> bytes;
  std::string register_name;  // that `bytes` were read from, whole; empty: they are computed
  sym::DieRef pointee;        // what the pointer, which the optimiser removed, would point to
  std::int64_t pointee_offset = 0;
  std::string reason;  // of missing: "optimized out", "not available: ..."
};

// How a visualiser shows this value other than its type would be shown (a synthetic node). Opaque: the visualiser's.
struct Visual {
  Visual() = default;
  Visual(const Visual&) = delete;
  Visual& operator=(const Visual&) = delete;
  virtual ~Visual() = default;
};

struct Value {
  enum class Place : std::uint8_t {
    none,       // computed: `bytes`
    memory,     // `address`
    register_,  // `bytes` were read from `register_name` at byte `register_offset`
    parts,
    problem,  // `problem` says why there is no value
  };
  const sym::Type* type = sym::builtin(sym::Builtin::unknown);
  Place place = Place::none;
  LoadAddr address;
  std::vector<std::byte> bytes;
  std::string register_name;
  std::size_t register_offset = 0;
  bool register_writable = false;  // of the innermost frame; of `parts`: theirs are
  std::shared_ptr<const std::vector<Part>> parts;
  std::uint64_t part_offset = 0;  // bytes: where in the object of `parts` this value begins
  std::uint32_t bit_size = 0;     // of a bit-field; 0: none
  std::uint32_t bit_offset = 0;   // 0..7, in the byte at the value's begin
  Error problem;
  bool raw = false;          // to be shown as its members, without a visualiser; they are shown with theirs
  bool as_declared = false;  // its declared type is what is meant: a base's part, ,nd
  std::string view_name;     // natvis's view(...); empty: the usual one
  std::shared_ptr<const Visual> visual;

  bool is_problem() const { return place == Place::problem; }
};

Value computed(const sym::Type* type, std::vector<std::byte> bytes);
Value in_memory(const sym::Type* type, LoadAddr address);
Value no_value(const sym::Type* type, Error problem);
Value optimized_out(const sym::Type* type);

// `size` bytes from byte `offset` on. Errors: bad_address with the address; not_available for parts that are gone.
Result<std::vector<std::byte>> read_bytes(const util::Memory& memory, const Value& value, std::uint64_t offset,
                                          std::uint64_t size);
// The whole of a scalar (at most 64 bytes); a bit-field's bits are shifted down and extended by its sign.
Result<std::vector<std::byte>> scalar_bytes(const util::Memory& memory, const Value& value);
Result<std::uint64_t> pointer_bits(const util::Memory& memory, const Value& value);
// How the whole is to be shown says nothing of its parts.
void forget_looks(Value& value);
// The part of `value` that begins at byte `offset`.
Result<Value> part_of(const Value& value, std::uint64_t offset, const sym::Type* type);
// nullptr, or the removed pointer that stands here.
const Part* implicit_pointer_at(const Value& value);
void copy_bits(std::span<const std::byte> from, std::uint64_t from_bit, std::span<std::byte> to, std::uint64_t to_bit,
               std::uint64_t count);
// Where it is, for refusals: "in register rax", "optimized out".
std::string where(const Value& value);

}  // namespace trapline::eval
