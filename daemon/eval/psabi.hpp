#pragma once
// How values are passed to functions and returned from them: System V ABI x86-64 psABI 1.0, 3.2.3, and the Itanium C++
// ABI's rule for classes that are not trivial for the purposes of calls. Pure but for reading types.
// Errors: unsupported, where compilers disagree or the type's layout is not known.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/arch/call_frame.hpp"
#include "daemon/sym/type.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

enum class AbiClass : std::uint8_t { none, integer, sse, sse_up, x87, x87_up, complex_x87, memory };

struct Passing {
  bool by_reference = false;      // a copy's address instead
  std::vector<AbiClass> classes;  // one an eightbyte; empty: the value has no bits (void, an empty class)
  bool in_memory() const { return !classes.empty() && classes[0] == AbiClass::memory; }
};
using Modules = std::span<const sym::Module* const>;  // where declared types are completed from
Result<Passing> classify(const sym::Type* type, Modules modules);

struct CallArgument {
  const sym::Type* type = nullptr;  // of the parameter
  std::vector<std::byte> bytes;
  bool as_object = false;  // `bytes` become an object of the call, and its address is what is passed
  // Another object of the call whose address belongs at byte `text_at` of `bytes`; empty: none.
  std::vector<std::byte> text{};
  std::size_t text_at = 0;
};
struct CallPlan {
  arch::CallFrame frame;
  std::size_t result_at = 0;  // in frame.objects, where the result is returned in memory
  bool result_in_memory = false;
  Passing result;
  std::vector<std::size_t> placed;  // of each argument: where in frame.objects it lies, if it is `as_object`
};
// `arguments`: of prototyped parameters converted to their types, of others promoted. A method's `this` is the first.
Result<CallPlan> plan_call(LoadAddr function, const sym::Type* result, std::span<const CallArgument> arguments,
                           Modules modules);
// A result in registers, as it would lie in memory; empty for void.
Result<std::vector<std::byte>> result_in_registers(const Passing& passing, std::size_t size,
                                                   const arch::RegisterFile& registers);

}  // namespace trapline::eval
