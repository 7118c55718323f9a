#pragma once
// Inside the room only: what stands behind a dot, within brackets, and at the end of a path, for expressions of Rust.
#include "daemon/eval/rust_expression.hpp"

namespace trapline::eval {

// Field or tuple field, through references and smart pointers; of an enum those of the variant that is there.
Result<Value> rust_field(const FrameView& frame, const Value& object, std::string_view name);
// `.len()`, `.is_empty()`, `.is_some()` ...: what a value tells by itself.
Result<Value> rust_method(const FrameView& frame, const Value& object, std::string_view name);
Result<Value> rust_dereference(const FrameView& frame, const Value& pointer);
Result<Value> rust_address(const Value& object);
// An element; of maps the value for a key.
Result<Value> rust_element(const FrameView& frame, const Value& object, const Value& index);
// [begin, end) of a slice, array or Vec, as an array.
Result<Value> rust_slice(const FrameView& frame, const Value& object, std::optional<std::uint64_t> begin,
                         std::optional<std::uint64_t> end, bool inclusive);
// A variable, static, constant or variant of an enum without data; `crate`, `self` and `super` are the function's.
Result<Value> rust_path(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                        std::vector<std::string> parts);

}  // namespace trapline::eval
