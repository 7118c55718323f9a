#pragma once
// One physical frame up, on memory and code that are cached by the caller. stack.hpp's unwind() is this with nothing
// cached.
#include "daemon/arch/registers.hpp"
#include "daemon/stack/code_map.hpp"
#include "daemon/stack/page_cache.hpp"
#include "daemon/stack/stack.hpp"
#include "proto/words/result.hpp"

namespace trapline::stack {

struct Surroundings {
  const PageCache& memory;
  CodeMap& code;
};

// `registers` are those of the frame to leave, rip included; `kind` says how it came to its pc.
// Errors: bad_address (the stack cannot be read, or leads to no code), not_available (a register that is needed is
// unknown here, or nothing says how to unwind this code). The message names the addresses.
Result<Unwound> step(const arch::RegisterSet& registers, PcKind kind, const Surroundings& around);

// Where no call frame information and no analysis of the code leads on: frame pointers and return addresses, each
// checked before it is believed.
Result<Unwound> guess_caller(const arch::RegisterSet& registers, PcKind kind, const CodeFacts& facts,
                             const Surroundings& around);

// By the rules of one row; the return address is not judged.
Result<Unwound> apply_row(const sym::CfiRow& row, const arch::RegisterSet& registers, std::uint64_t bias,
                          const PageCache& memory);

}  // namespace trapline::stack
