#include "proto/dap/types.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "proto/wire/fields.hpp"

namespace trapline::proto::dap {

using wire::put;
using wire::put_text;

std::span<const wire::EnumName<SteppingGranularity>> enum_names(SteppingGranularity) {
  using enum SteppingGranularity;
  static constexpr std::array<wire::EnumName<SteppingGranularity>, 3> names{
      {{statement, "statement"}, {line, "line"}, {instruction, "instruction"}}};
  return names;
}

void from_json(const wire::In& in, Checksum& out) {
  in.required("algorithm", out.algorithm);
  in.required("checksum", out.checksum);
}

void from_json(const wire::In& in, Source& out) {
  in.optional("name", out.name);
  in.optional("path", out.path);
  in.optional("sourceReference", out.source_reference);
  in.optional("checksums", out.checksums);
}

void from_json(const wire::In& in, SourceBreakpoint& out) {
  in.required("line", out.line);
  in.optional("column", out.column);
  in.optional("condition", out.condition);
  in.optional("hitCondition", out.hit_condition);
  in.optional("logMessage", out.log_message);
  in.optional("mode", out.mode);
}

void from_json(const wire::In& in, FunctionBreakpoint& out) {
  in.required("name", out.name);
  in.optional("condition", out.condition);
  in.optional("hitCondition", out.hit_condition);
}

void from_json(const wire::In& in, InstructionBreakpoint& out) {
  in.required("instructionReference", out.instruction_reference);
  in.optional("offset", out.offset);
  in.optional("condition", out.condition);
  in.optional("hitCondition", out.hit_condition);
  in.optional("mode", out.mode);
}

void from_json(const wire::In& in, StackFrameFormat& out) {
  bool include_all = false;
  in.optional("hex", out.hex);
  in.optional("parameters", out.parameters);
  in.optional("parameterTypes", out.parameter_types);
  in.optional("parameterNames", out.parameter_names);
  in.optional("parameterValues", out.parameter_values);
  in.optional("line", out.line);
  in.optional("module", out.module);
  in.optional("includeAll", include_all);  // about frames that an adapter hides; we hide none
}

void from_json(const wire::In& in, ValueFormat& out) { in.optional("hex", out.hex); }

void to_json(nlohmann::json& j, const Source& v) {
  j = nlohmann::json::object();
  put_text(j, "name", v.name);
  put_text(j, "path", v.path);
  if (v.source_reference > 0) j["sourceReference"] = v.source_reference;
  put_text(j, "presentationHint", v.presentation_hint);
  put_text(j, "origin", v.origin);
}

void to_json(nlohmann::json& j, const Breakpoint& v) {
  j = {{"verified", v.verified}};
  put(j, "id", v.id);
  put_text(j, "message", v.message);
  put(j, "source", v.source);
  put(j, "line", v.line);
  put(j, "column", v.column);
  put_text(j, "instructionReference", v.instruction_reference);
  put_text(j, "reason", v.reason);
}

void to_json(nlohmann::json& j, const Thread& v) { j = {{"id", v.id}, {"name", v.name}}; }

void to_json(nlohmann::json& j, const StackFrame& v) {
  j = {{"id", v.id}, {"name", v.name}, {"line", v.line}, {"column", v.column}};
  put(j, "source", v.source);
  put_text(j, "instructionPointerReference", v.instruction_pointer_reference);
  put(j, "moduleId", v.module_id);
  put_text(j, "presentationHint", v.presentation_hint);
}

void to_json(nlohmann::json& j, const Scope& v) {
  j = {{"name", v.name}, {"variablesReference", v.variables_reference}, {"expensive", v.expensive}};
  put_text(j, "presentationHint", v.presentation_hint);
  put(j, "namedVariables", v.named_variables);
  put(j, "indexedVariables", v.indexed_variables);
}

void to_json(nlohmann::json& j, const VariablePresentationHint& v) {
  j = nlohmann::json::object();
  put_text(j, "kind", v.kind);
  if (!v.attributes.empty()) j["attributes"] = v.attributes;
}

void put_value(nlohmann::json& j, const char* text_key, const Value& value) {
  j[text_key] = value.text;
  put_text(j, "type", value.type);
  j["variablesReference"] = value.variables_reference;
  put(j, "namedVariables", value.named_variables);
  put(j, "indexedVariables", value.indexed_variables);
  put_text(j, "memoryReference", value.memory_reference);
}

void to_json(nlohmann::json& j, const Variable& v) {
  j = {{"name", v.name}};
  put_value(j, "value", v.value);
  put_text(j, "evaluateName", v.evaluate_name);
  if (!v.presentation_hint.empty()) j["presentationHint"] = v.presentation_hint;
}

void to_json(nlohmann::json& j, const Module& v) {
  j = {{"id", v.id}, {"name", v.name}};
  put_text(j, "path", v.path);
  put(j, "isOptimized", v.is_optimized);
  put_text(j, "symbolStatus", v.symbol_status);
  put_text(j, "symbolFilePath", v.symbol_file_path);
  put_text(j, "addressRange", v.address_range);
}

void to_json(nlohmann::json& j, const ExceptionDetails& v) {
  j = nlohmann::json::object();
  put_text(j, "message", v.message);
  put_text(j, "typeName", v.type_name);
}

void to_json(nlohmann::json& j, const DisassembledInstruction& v) {
  j = {{"address", v.address}, {"instruction", v.instruction}};
  put_text(j, "instructionBytes", v.instruction_bytes);
  put_text(j, "symbol", v.symbol);
  put(j, "location", v.location);
  put(j, "line", v.line);
  put_text(j, "presentationHint", v.presentation_hint);
}

}  // namespace trapline::proto::dap
