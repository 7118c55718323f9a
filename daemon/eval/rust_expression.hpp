#pragma once
// Expressions in frames of Rust, read in Rust's way: paths, fields and tuple fields, `*` and `&`, indexes and ranges of
// slices and library types, `as`, arithmetic on equal types with overflow refused, comparisons. No calls, but for what
// a value tells by itself (`v.len()`, `o.is_some()`). Evaluated as it is read: it writes nothing.
#include <string_view>

#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/number.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

// Errors: bad_expression with what was meant and where; those of reading the debuggee.
Result<Value> rust_evaluate(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                            std::string_view text);
Result<bool> rust_condition(const FrameView& frame, const FrameScope& scope, sym::DieRef function,
                            std::string_view text);
// `place = value`: nullopt where the text is no assignment.
std::optional<std::pair<std::string_view, std::string_view>> rust_assignment(std::string_view text);
// What an assignment to something of `type` writes.
Result<std::vector<std::byte>> rust_bytes_for(const FrameView& frame, const sym::Type* type, const Value& source);

// ---- numbers; rust_numbers.cpp
struct RustOperand {
  Value value;
  bool untyped = false;  // a literal without a suffix: takes the other's type
};
const sym::Type* rust_primitive(std::string_view name);  // "u8"; nullptr: none
Result<RustOperand> rust_number_literal(std::string_view text, bool floating);
Result<RustOperand> rust_binary(const FrameView& frame, std::string_view op, RustOperand a, RustOperand b);
Result<RustOperand> rust_negate(const FrameView& frame, std::string_view op, const RustOperand& a);
Result<Value> rust_cast(const FrameView& frame, const Value& value, const sym::Type* to);
Result<bool> rust_truth(const FrameView& frame, const Value& value);
// References and Box followed down to what is compared or indexed.
Value rust_peeled(const FrameView& frame, Value value);
Value rust_from(const sym::Type* type, const Number& number);

}  // namespace trapline::eval
