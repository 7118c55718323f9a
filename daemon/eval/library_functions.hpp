#pragma once
// Inside the room only: the functions that a visualiser's expression may call though no code of the program runs: what
// natvis knows (strlen, strcmp, memcmp, __findnonnull, __log2 ...), and ours for rings of nodes. They read memory, up
// to a limit.
#include <optional>
#include <span>
#include <string_view>

#include "daemon/eval/value.hpp"

namespace trapline::eval {

struct LibraryFunction {
  enum class Argument : std::uint8_t { text, address, number };
  std::string_view name;
  std::span<const Argument> parameters;
  sym::Builtin result;
};

// nullptr: there is none of that name with so many arguments.
const LibraryFunction* library_function(std::string_view name, std::size_t arguments);

// What an argument of a call is: the place of an address or text, the number, or a literal's bytes with its ending
// zero.
struct LibraryArgument {
  std::uint64_t word = 0;
  std::span<const std::byte> literal{};
};
// Errors: bad_address; too_large.
Result<std::int64_t> run_library_function(std::string_view name, std::span<const LibraryArgument> arguments,
                                          const util::Memory& memory);

}  // namespace trapline::eval
