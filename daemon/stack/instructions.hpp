#pragma once
// What unwinding wants to know of x86-64 instructions where no call frame information says it.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "daemon/sym/cfi.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"

namespace trapline::stack {

struct CallBefore {
  std::optional<LoadAddr> target;  // of a direct call
};
// The call instruction that ends at `at`, where there is one. Variable-length code read backwards can deceive: this is
// evidence, not proof.
std::optional<CallBefore> call_before(LoadAddr at, const util::Memory& memory);

// `mov $15, %eax|%rax; syscall` begins at `at`, or its syscall does: the trampoline that ends a signal handler.
bool is_signal_trampoline(LoadAddr at, const util::Memory& memory);

// Follows the stack pointer from the first instruction of a function to `pc` and says where the caller's registers are
// then. `begin` and `pc` are load addresses; the row's range is left empty. `initial_cfa`: CFA - rsp at `begin` (8
// behind a call). nullopt: `pc` was not reached on an instruction's begin, or the stack pointer got lost.
std::optional<sym::CfiRow> analyse_function(LoadAddr begin, LoadAddr pc, std::int64_t initial_cfa,
                                            const util::Memory& memory);

}  // namespace trapline::stack
