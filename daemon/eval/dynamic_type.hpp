#pragma once
// What a polymorphic object really is, from its vptr: never by calling anything. A vptr is believed where it points
// into the ELF symbol of a vtable, the vtable's offset to top leads to an object that has room for the one at hand, and
// that object has a base of the declared type at that place. Else nothing is said: a wild vptr shows nothing wrong.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/evaluator.hpp"

namespace trapline::eval {

struct MostDerived {
  const sym::Type* type = nullptr;  // complete
  LoadAddr address;
};
// Of an object in memory whose declared class has a vtable; nullopt: not known. During construction and destruction it
// is the class whose constructor or destructor runs, as in C++.
std::optional<MostDerived> most_derived(const FrameView& frame, const Value& object);
// The same where it tells more than the declared type does, and nobody asked for that one (,nd).
std::optional<MostDerived> derived_view(const FrameView& frame, const Value& object);
// Where in `object` the subobjects of class `base` begin, itself included.
std::vector<LoadAddr> subobjects(const FrameView& frame, const Value& object, const sym::Type* base);
// "Base *" as its user wants to read it: "Base * {Derived}".
std::string shown_type(const FrameView& frame, const Value& value);

}  // namespace trapline::eval
