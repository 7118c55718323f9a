#include "proto/wire/schema.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "proto/wire/fields.hpp"

namespace trapline::wire {
namespace {

using nlohmann::json;

bool has_type(const json& value, std::string_view type) {
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_number_integer() ||
           (value.is_number_float() &&
            value.get<double>() == static_cast<double>(static_cast<long long>(value.get<double>())));
  return type_name(value) == type;
}

std::string join(const json& names, std::string_view between) {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += between;
    text += name.is_string() ? name.get<std::string>() : name.dump();
  }
  return text;
}

class Check {
 public:
  explicit Check(const json& document) : document_(document) {}

  Result<void> value(const json& schema, const json& value, const std::string& path) const {
    if (const auto ref = schema.find("$ref"); ref != schema.end()) return reference(*ref, value, path);
    TL_TRY_VOID(type(schema, value, path));
    TL_TRY_VOID(choices(schema, value, path));
    TL_TRY_VOID(range(schema, value, path));
    if (value.is_object()) TL_TRY_VOID(object(schema, value, path));
    if (value.is_array() && schema.contains("items")) {
      std::size_t index = 0;
      for (const auto& item : value)
        TL_TRY_VOID(this->value(schema["items"], item, fmt::format("{}[{}]", path, index++)));
    }
    if (const auto all = schema.find("allOf"); all != schema.end())
      for (const auto& part : *all) TL_TRY_VOID(this->value(part, value, path));
    return {};
  }

 private:
  Result<void> reference(const json& ref, const json& value, const std::string& path) const {
    const auto pointer = ref.get<std::string>().substr(1);  // without '#'
    const json::json_pointer where(pointer);
    if (!document_.contains(where)) return fail(Errc::internal, fmt::format("{}: no definition {}", path, pointer));
    return this->value(document_.at(where), value, path);
  }

  static Result<void> type(const json& schema, const json& value, const std::string& path) {
    const auto found = schema.find("type");
    if (found == schema.end()) return {};
    const json types = found->is_array() ? *found : json::array({*found});
    for (const auto& one : types)
      if (has_type(value, one.get<std::string>())) return {};
    return fail(Errc::bad_request, fmt::format("{}: expected {}, got {}", path, join(types, " or "), type_name(value)));
  }

  Result<void> choices(const json& schema, const json& value, const std::string& path) const {
    if (const auto fixed = schema.find("enum"); fixed != schema.end()) {
      bool known = false;
      for (const auto& one : *fixed) known = known || one == value;
      if (!known)
        return fail(Errc::bad_request,
                    fmt::format("{}: {} is none of {}", path,
                                value.dump(-1, ' ', false, json::error_handler_t::replace), join(*fixed, ", ")));
    }
    for (const char* key : {"anyOf", "oneOf"}) {
      const auto options = schema.find(key);
      if (options == schema.end()) continue;
      TL_TRY_VOID(one_of(*options, value, path));
    }
    return {};
  }

  // The error of the option whose type fits tells most ("args[1]: ..."); where none fits, all are named.
  Result<void> one_of(const json& options, const json& value, const std::string& path) const {
    std::string expected;
    std::optional<Error> closest;
    for (const auto& option : options) {
      auto fits = this->value(option, value, path);
      if (fits) return {};
      if (type(option, value, path)) closest = std::move(fits).error();
      if (option.contains("type"))
        expected += (expected.empty() ? "" : " or ") + join(json::array({option["type"]}), " or ");
    }
    if (closest) return std::unexpected(std::move(*closest));
    return fail(Errc::bad_request, fmt::format("{}: expected {}, got {}", path, expected, type_name(value)));
  }

  static Result<void> range(const json& schema, const json& value, const std::string& path) {
    if (!value.is_number()) return {};
    if (const auto least = schema.find("minimum"); least != schema.end() && value < *least)
      return fail(Errc::bad_request, fmt::format("{}: {} is below {}", path, value.dump(), least->dump()));
    if (const auto most = schema.find("maximum"); most != schema.end() && value > *most)
      return fail(Errc::bad_request, fmt::format("{}: {} is above {}", path, value.dump(), most->dump()));
    return {};
  }

  Result<void> object(const json& schema, const json& value, const std::string& path) const {
    const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
    if (const auto required = schema.find("required"); required != schema.end())
      for (const auto& key : *required)
        if (!value.contains(key.get<std::string>()))
          return fail(Errc::bad_request, fmt::format("{}: is missing", below(key.get<std::string>())));
    const auto properties = schema.find("properties");
    const auto others = schema.find("additionalProperties");
    for (const auto& [key, item] : value.items()) {
      if (properties != schema.end() && properties->contains(key)) {
        TL_TRY_VOID(this->value((*properties)[key], item, below(key)));
      } else if (others != schema.end() && others->is_object()) {
        TL_TRY_VOID(this->value(*others, item, below(key)));
      } else if (others != schema.end() && *others == false) {
        return fail(Errc::bad_request, fmt::format("{}: is not known here", below(key)));
      }
    }
    return {};
  }

  const json& document_;
};

}  // namespace

Result<void> check_schema(const nlohmann::json& schema, const nlohmann::json& value, std::string_view name,
                          const nlohmann::json& document) {
  try {
    return Check(document).value(schema, value, std::string(name));
  } catch (const nlohmann::json::exception& e) {  // a schema that is none
    return fail(Errc::internal, fmt::format("{}: schema cannot be used: {}", name, e.what()));
  }
}

}  // namespace trapline::wire
