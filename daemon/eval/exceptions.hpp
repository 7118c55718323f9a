#pragma once
// Thrown C++ objects, read without calling anything: their type by std::type_info, and the text of those that keep it
// where we know (std::runtime_error, std::logic_error and what is derived from them, of libstdc++ and libc++).
// Source: Itanium C++ ABI: Exception Handling, 2.2.1; unwind-cxx.h of libstdc++, cxa_exception.h of libc++abi.
#include <optional>
#include <span>
#include <string>

#include "daemon/image/modules.hpp"
#include "daemon/stack/stack.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"

namespace trapline::eval {

struct Thrown {
  LoadAddr object;
  std::string type;                 // demangled; empty: it could not be read
  std::optional<std::string> what;  // nullopt: it has none, or nobody but its own what() knows
  std::string text() const;         // "std::runtime_error: no such file", "an exception"
};
Thrown describe_thrown(const util::Memory& memory, const image::Modules& modules, LoadAddr object, LoadAddr type_info);
// A throw that was watched: the stack pointer at the entry of __cxa_throw, and its first two arguments.
struct SeenThrow {
  LoadAddr stack_pointer, object, type_info;
};
// The exception that nobody caught, of a thread that std::terminate ended: its stack has a throw below the terminate.
// nullopt: std::terminate was called for another reason, or not at all. `seen`: throws of this thread, also such as
// were caught; the one on the stack is looked for among them first.
std::optional<Thrown> uncaught(stack::Stack& stack, const util::Memory& memory, const image::Modules& modules,
                               std::span<const SeenThrow> seen = {});

}  // namespace trapline::eval
