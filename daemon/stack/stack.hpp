#pragma once
// The frames of one thread at one stop, unwound as far as somebody asked and no further.
// Thread: the loop's. Valid until the debuggee resumes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/arch/registers.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::stack {

enum class FrameKind : std::uint8_t {
  normal,
  inlined,         // an inlined call, shown as a frame of its own; shares registers and CFA with its concrete frame
  signal_handler,  // the kernel's signal frame (the trampoline that called the handler)
  no_symbols,      // code that no symbol names
  broken,          // the end of a stack that could not be followed; `reason` says why
};

struct Frame {
  FrameKind kind = FrameKind::normal;
  LoadAddr pc;         // as execution will continue here
  LoadAddr lookup_pc;  // pc - 1 where this is a caller, so that a call at a function's end names the right line
  LoadAddr cfa;        // psABI: rsp before the call that made this frame
  arch::RegisterSet registers;  // as this frame sees them
  bool innermost = false;       // the thread's own registers (vector registers are known only here)
  std::string function;         // demangled; for `broken` empty
  LoadAddr function_begin;
  std::string file;
  Line line;
  std::uint32_t column = 0;
  std::optional<ModuleId> module;
  std::string module_name;
  sym::DieRef scope;               // subprogram or inlined_subroutine; none without DWARF
  std::uint32_t inline_depth = 0;  // 0: the concrete function's own frame; n: nth level inlined into it
  std::string reason;              // of `broken`
};

class Stack {
 public:
  // `memory` and `modules` must outlive the Stack.
  Stack(const arch::RegisterFile& registers, const util::Memory& memory, const image::Modules& modules);
  Stack(Stack&&) noexcept;
  Stack& operator=(Stack&&) noexcept;
  ~Stack();
  // The nth frame, or nullptr past the end. Unwinds at most up to it, and finds names for it alone. References stay
  // valid as long as the Stack.
  const Frame* frame(std::size_t n);
  std::optional<std::size_t> depth_if_known() const;  // known once the end was reached

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One physical step, without names: the caller's registers, or why there is none. The step planner uses it too (CFA,
// return address).
struct Unwound {
  LoadAddr cfa;              // of the frame just left; of an outermost one it may be 0
  arch::RegisterSet caller;  // rip is the return address
  bool signal_frame =
      false;  // the frame just left was the kernel's signal trampoline: the caller was interrupted, not calling
  bool outermost = false;  // CFI marks the return address undefined, or it is 0
};
// `is_caller`: the registers are those of a frame that called another; false for the innermost frame, and for one that
// a signal interrupted.
// Errors: bad_address (the stack cannot be read, or its return address is in no code), not_available (a register that
// is needed is unknown, or nothing describes this code); the message names the addresses.
Result<Unwound> unwind(const arch::RegisterSet& registers, bool is_caller, const util::Memory& memory,
                       const image::Modules& modules);

}  // namespace trapline::stack
