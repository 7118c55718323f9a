#pragma once
// Names, types and values of a frame, and expressions over them: the room's face. Parse and bind make a typed tree that
// knows no process (expression.hpp); the interpreter runs it on a FrameView. Types come from sym/type.hpp. Thread: the
// loop's. A Value is data: it keeps its bytes, or where they lie, and stays readable until the debuggee resumes.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/arch/call_frame.hpp"
#include "daemon/arch/registers.hpp"
#include "daemon/eval/value.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/stack/stack.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/result.hpp"

namespace trapline::eval {

class Visualizer;

// What an evaluation may look at. `stack` and `level` give the frame and, for DW_OP_entry_value, its callers.
struct FrameView {
  stack::Stack* stack = nullptr;  // nullptr: globals only
  std::size_t level = 0;
  const arch::RegisterFile* machine = nullptr;  // with xstate: the thread's own registers
  util::WritableMemory* memory = nullptr;       // never null
  const image::Modules* modules = nullptr;      // never null
  // Writes registers of the innermost frame; unset: registers are read-only.
  std::function<Result<void>(const arch::RegisterFile&)> write_registers;
  std::uint64_t thread_pointer = 0;  // fs base, for TLS
  // Calls a function of the debuggee on the frame's thread; unset: none is called, `no_call` says what to do instead.
  // Errors: bad_expression, timeout (the function did not return, the thread is as it was); others: no more calls.
  std::function<Result<arch::CallReturn>(const arch::CallFrame&)> call{};
  std::string no_call{};
  Visualizer* visualizers = nullptr;  // nullptr: every value is shown as its members
};

struct Limits {
  std::size_t max_string = 1024;      // bytes shown of a string
  std::size_t max_children = 100000;  // beyond that a page is refused, not the value
  std::size_t summary_depth = 1;      // how deep a one-line summary looks
};

struct Options {
  Format format;
  Limits limits;
  bool allow_side_effects = false;  // assignment, ++, --
};

struct Variable {
  std::string name;
  std::string expression;  // evaluates to it in this frame; empty: an inner variable of the same name hides it
  Value value;             // may be an error or optimised out: then it says so
  std::string scope_note;  // "shadowed" and the like
  bool artificial = false;
  bool not_yet_constructed = false;  // an object whose declaration the frame has not reached
};

// In order of declaration; inner blocks' variables first where they shadow. Only blocks that hold the frame's pc.
std::vector<Variable> arguments(const FrameView& frame);
std::vector<Variable> locals(const FrameView& frame);
std::vector<Variable> globals(const FrameView& frame);  // of the frame's compile unit: globals and statics

// C++ alone; no format specifiers.
Result<Value> evaluate(const FrameView& frame, std::string_view expression, const Options& options = {});
// With format specifiers (format_suffix.hpp): "p,10", "x,x", "buf,[len]s". `format`: of the suffix over that of
// `options`; `expression`: without the suffix, for the names of children.
struct Formatted {
  Value value;
  Format format;
  std::string expression;
};
Result<Formatted> evaluate_formatted(const FrameView& frame, std::string_view text, const Options& options = {});
// `value` seen as `count` elements: a pointer becomes an array, an array is cut or continued; where `format` reads it
// as text, and for classes (whose visualisers know), the count goes into `format`. Errors: bad_expression.
Result<Value> counted(const FrameView& frame, Value value, std::uint64_t count, Format& format);
// True, false, or the condition's error. Bound trees are kept in the cache that the caller owns (bound_trees.hpp).
class ConditionCache;
std::shared_ptr<ConditionCache> make_condition_cache();
Result<bool> condition(const FrameView& frame, std::string_view expression, ConditionCache& cache);
// "a = {a}, {b+1}" with {{ and }} as braces. An expression's error is shown in its place: <error: ...>.
std::string log_text(const FrameView& frame, std::string_view message, const Options& options = {});

struct ChildCount {
  std::uint64_t named = 0;
  std::uint64_t indexed = 0;
};
ChildCount child_count(const FrameView& frame, const Value& value);
struct Child {
  std::string name;           // "x", "[3]", "Base"
  std::string evaluate_name;  // full expression, given the parent's
  Value value;
  std::optional<Format> format;  // how a visualiser wants it and what is below it shown
  bool base_class = false, virtual_base = false, static_member = false;
  bool by_position = false;  // its name is its number among the indexed ones: no other of them can have it
};
// Children [start, start+count) (count 0: all): named first, then indexed. Cost is the page's.
Result<std::vector<Child>> children(const FrameView& frame, const Value& value, std::string_view parent_expression,
                                    std::uint64_t start, std::uint64_t count);
// One line for a variables view: "42", "0x5555… \"text\"", "{x=1, y=2}", "<optimized out>".
std::string summary(const FrameView& frame, const Value& value, const Options& options = {});
// The same within `depth` others: what is deeper than Limits::summary_depth is {...}.
std::string summary_within(const FrameView& frame, const Value& value, const Options& options, std::size_t depth);
std::string type_name(const Value& value);
std::optional<LoadAddr> address_of(const Value& value);
// Parses `text` as an expression, converts to the value's type, writes. The answer is what is there now.
Result<Value> assign(const FrameView& frame, const Value& value, std::string_view text, const Options& options = {});

}  // namespace trapline::eval
