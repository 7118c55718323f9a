#pragma once
// Inside the room only: what a Rust value is to a person. Enums by their variant, tuples, slices, strings, references
// and the standard library's types, told by their qualified names and by members that they had since Rust 1.60 or so.
// Nothing of it is guessed: where a member is missing or a size impossible, the value is shown as its members.
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/eval/evaluator.hpp"

namespace trapline::eval {

struct RustView {
  enum class Shape : std::uint8_t {
    word,    // `word` says it all, `parts` may say more below
    fields,  // word {name: value}
    tuple,   // word(value, value)
    list,    // [value, value]
    map,     // {key: value}
    inner,   // shown as the one part: Box, references, UnsafeCell
  };
  Shape shape = Shape::word;
  std::string word{};
  std::vector<std::pair<std::string, Value>> parts{};
  std::uint64_t count = 0;  // of a list or map
  struct Entry {
    Value value;
    std::string key{};  // of a map's: as it is written
  };
  // Elements [start, start + wanted).
  std::function<Result<std::vector<Entry>>(std::uint64_t start, std::uint64_t wanted)> page{};
  std::optional<Value> visualized{};  // of this a visualiser knows the children
};

// None: not of Rust, or shown like any other value.
std::optional<RustView> rust_view(const FrameView& frame, const Value& value);
// The same without what a person does not see: references and smart pointers followed.
std::optional<RustView> rust_content(const FrameView& frame, const Value& value);
// As Rust writes a string: quotes, escapes; `cut`: it goes on.
std::string rust_quoted(std::span<const std::byte> bytes, bool cut);

// As child_count() and children(); none: as for any other value.
std::optional<ChildCount> rust_child_count(const FrameView& frame, const Value& value);
std::optional<Result<std::vector<Child>>> rust_children(const FrameView& frame, const Value& value,
                                                        std::string_view expression, std::uint64_t start,
                                                        std::uint64_t count);

// For the files that share the work.
std::optional<RustView> rust_library_view(const FrameView& frame, const Value& value, const sym::Type* type);
// What a visualiser (daemon/natvis/box/rust.natvis, a user's file) says it is.
std::optional<RustView> rust_visualized(const FrameView& frame, const Value& value, const sym::Type* type);
std::string rust_bare_name(const sym::Type* type);  // "RefCell"
RustView rust_sequence(const FrameView& frame, const sym::Type* element, std::uint64_t at, std::uint64_t count);
const sym::Type* rust_whole(const FrameView& frame, const sym::Type* type);  // complete, without aliases
std::optional<Value> rust_member(const FrameView& frame, const Value& value, std::string_view name);
std::optional<std::uint64_t> rust_number(const FrameView& frame, const Value& value);
// The first pointer in the value or in its members, as a person finds it: NonNull within Unique within RawVec.
std::optional<Value> rust_pointer(const FrameView& frame, const Value& value);
const sym::Type* rust_argument(const sym::Type* type, std::string_view name);  // of generics; nullptr: none
// The first integer in the value or its members, read.
std::optional<std::uint64_t> rust_integer(const FrameView& frame, const Value& value);

}  // namespace trapline::eval
