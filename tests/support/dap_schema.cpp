#include "tests/support/dap_schema.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "proto/wire/schema.hpp"

namespace trapline::tests {
namespace {

using nlohmann::json;

// The DAP schema inherits by allOf [$ref base, {own}]. Merged into one object, `additionalProperties` can be strict.
json merged(const json& definitions, const json& schema) {
  json all = json::object();
  const auto merge = [&](const json& part) {
    for (const auto& [key, item] : part.items()) {
      if (key == "properties")
        all["properties"].update(item);
      else if (key == "required")
        for (const auto& name : item) all["required"].push_back(name);
      else
        all[key] = item;
    }
  };
  for (const auto& part : schema.at("allOf")) {
    if (!part.contains("$ref")) {
      merge(part);
      continue;
    }
    const auto& base = definitions.at(part["$ref"].get<std::string>().substr(sizeof("#/definitions/") - 1));
    merge(base.contains("allOf") ? merged(definitions, base) : base);
  }
  return all;
}

void make_strict(json& schema) {
  if (schema.is_object()) {
    if (schema.contains("properties") && schema["properties"].is_object() && !schema.contains("additionalProperties") &&
        schema.contains("type"))
      schema["additionalProperties"] = false;
    for (auto& [key, item] : schema.items()) make_strict(item);
  } else if (schema.is_array()) {
    for (auto& item : schema) make_strict(item);
  }
}

const json* schema_document() {
  static const std::optional<json> document = []() -> std::optional<json> {
    const char* path = std::getenv("TRAPLINE_DAP_SCHEMA");
    if (!path || !*path) return std::nullopt;
    std::ifstream file(path);
    if (!file) throw std::runtime_error(std::string("TRAPLINE_DAP_SCHEMA: cannot read ") + path);
    json loaded = json::parse(file);
    json& definitions = loaded["definitions"];
    json flat = json::object();
    for (const auto& [name, one] : definitions.items())
      flat[name] = one.contains("allOf") ? merged(definitions, one) : one;
    make_strict(flat);
    definitions = std::move(flat);
    return loaded;
  }();
  return document ? &*document : nullptr;
}

std::string capitalised(std::string name) {
  if (!name.empty() && name.front() >= 'a' && name.front() <= 'z') name.front() = static_cast<char>(name.front() - 32);
  return name;
}

std::string definition_for(const json& message) {
  const auto type = message.value("type", "");
  if (type == "event") return capitalised(message.value("event", "")) + "Event";
  if (type == "request") return capitalised(message.value("command", "")) + "Request";
  if (!message.value("success", false)) return "ErrorResponse";
  return capitalised(message.value("command", "")) + "Response";
}

}  // namespace

bool has_dap_schema() { return schema_document() != nullptr; }

std::optional<std::string> dap_schema_problem(const nlohmann::json& message) {
  const json* document = schema_document();
  if (!document) return std::nullopt;
  const auto name = definition_for(message);
  const auto found = document->at("definitions").find(name);
  if (found == document->at("definitions").end()) return "the protocol has no " + name + ": " + message.dump();
  const auto fits = wire::check_schema(*found, message, name, *document);
  if (fits) return std::nullopt;
  return fits.error().message + " in " + message.dump();
}

}  // namespace trapline::tests
