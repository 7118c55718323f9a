#pragma once
// Types that several messages of the Debug Adapter Protocol share. Names follow the specification; the JSON key of a
// field stands once, in types.cpp.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trapline::wire {
class In;
template <class E>
struct EnumName;
}  // namespace trapline::wire

namespace trapline::proto::dap {

struct Checksum {
  std::string algorithm{};
  std::string checksum{};
  bool operator==(const Checksum&) const = default;
};

struct Source {
  std::string name{};
  std::string path{};  // as the client wants it: a path or a URI
  std::int32_t source_reference = 0;
  std::string presentation_hint{};
  std::string origin{};
  std::vector<Checksum> checksums{};  // as the client gave them
  bool operator==(const Source&) const = default;
};

struct SourceBreakpoint {
  std::int64_t line = 0;
  std::optional<std::int64_t> column{};
  std::string condition{};
  std::string hit_condition{};
  std::string log_message{};
  std::string mode{};
};

struct FunctionBreakpoint {
  std::string name{};
  std::string condition{};
  std::string hit_condition{};
};

struct InstructionBreakpoint {
  std::string instruction_reference{};
  std::int64_t offset = 0;
  std::string condition{};
  std::string hit_condition{};
  std::string mode{};
};

struct Breakpoint {
  std::optional<std::int32_t> id{};
  bool verified = false;
  std::string message{};
  std::optional<Source> source{};
  std::optional<std::int64_t> line{};
  std::optional<std::int64_t> column{};
  std::string instruction_reference{};
  std::string reason{};  // "pending" | "failed"
  bool operator==(const Breakpoint&) const = default;
};

struct Thread {
  std::int64_t id = 0;
  std::string name{};
};

struct StackFrame {
  std::int32_t id = 0;
  std::string name{};
  std::optional<Source> source{};
  std::int64_t line = 0;
  std::int64_t column = 0;
  std::string instruction_pointer_reference{};
  std::optional<std::int64_t> module_id{};
  std::string presentation_hint{};
};

struct StackFrameFormat {
  bool hex = false;
  std::optional<bool> parameters{};
  bool parameter_types = false;
  bool parameter_names = false;
  bool parameter_values = false;
  bool line = false;
  bool module = false;
};

struct Scope {
  std::string name{};
  std::string presentation_hint{};
  std::int32_t variables_reference = 0;
  std::optional<std::int64_t> named_variables{};
  std::optional<std::int64_t> indexed_variables{};
  bool expensive = false;
};

struct ValueFormat {
  std::optional<bool> hex{};
};

struct VariablePresentationHint {
  std::string kind{};
  std::vector<std::string> attributes{};
  bool empty() const { return kind.empty() && attributes.empty(); }
};

// The value part that Variable, EvaluateResponse and SetVariableResponse have in common.
struct Value {
  std::string text{};
  std::string type{};
  std::int32_t variables_reference = 0;
  std::optional<std::int64_t> named_variables{};
  std::optional<std::int64_t> indexed_variables{};
  std::string memory_reference{};
};

struct Variable {
  std::string name{};
  Value value{};
  std::string evaluate_name{};
  VariablePresentationHint presentation_hint{};
};

struct Module {
  std::int64_t id = 0;
  std::string name{};
  std::string path{};
  std::optional<bool> is_optimized{};
  std::string symbol_status{};
  std::string symbol_file_path{};
  std::string address_range{};
};

struct ExceptionDetails {
  std::string message{};
  std::string type_name{};
};

struct DisassembledInstruction {
  std::string address{};
  std::string instruction_bytes{};
  std::string instruction{};
  std::string symbol{};
  std::optional<Source> location{};
  std::optional<std::int64_t> line{};
  std::string presentation_hint{};  // "invalid"
};

enum class SteppingGranularity : std::uint8_t { statement, line, instruction };
std::span<const wire::EnumName<SteppingGranularity>> enum_names(SteppingGranularity);

void from_json(const wire::In& in, Source& out);
void from_json(const wire::In& in, SourceBreakpoint& out);
void from_json(const wire::In& in, FunctionBreakpoint& out);
void from_json(const wire::In& in, InstructionBreakpoint& out);
void from_json(const wire::In& in, StackFrameFormat& out);
void from_json(const wire::In& in, ValueFormat& out);

void to_json(nlohmann::json& j, const Source& v);
void to_json(nlohmann::json& j, const Breakpoint& v);
void to_json(nlohmann::json& j, const Thread& v);
void to_json(nlohmann::json& j, const StackFrame& v);
void to_json(nlohmann::json& j, const Scope& v);
void to_json(nlohmann::json& j, const VariablePresentationHint& v);
void to_json(nlohmann::json& j, const Variable& v);
void to_json(nlohmann::json& j, const Module& v);
void to_json(nlohmann::json& j, const ExceptionDetails& v);
void to_json(nlohmann::json& j, const DisassembledInstruction& v);

// Adds the value's fields to `j`; the text's own key differs between messages ("value", "result").
void put_value(nlohmann::json& j, const char* text_key, const Value& value);

}  // namespace trapline::proto::dap
