#include "proto/wire/fields.hpp"

#include <fmt/format.h>

#include <cmath>

namespace trapline::wire {

std::string_view type_name(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null: return "null";
    case nlohmann::json::value_t::boolean: return "boolean";
    case nlohmann::json::value_t::string: return "string";
    case nlohmann::json::value_t::array: return "array";
    case nlohmann::json::value_t::object: return "object";
    case nlohmann::json::value_t::number_float: return "number";
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned: return "integer";
    case nlohmann::json::value_t::binary:
    case nlohmann::json::value_t::discarded: break;
  }
  return "nothing";
}

const nlohmann::json* In::find(std::string_view key) const {
  const auto found = value_.find(std::string(key));
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

std::string In::path() const {
  const std::string before = parent_ ? parent_->path() : std::string();
  if (index_ != no_index) return fmt::format("{}[{}]", before, index_);
  if (before.empty()) return std::string(name_);
  return fmt::format("{}.{}", before, name_);
}

void In::wrong(std::string_view what) const {
  if (!problem_) problem_ = fmt::format("{}: {}", path(), what);
}

void In::expected(std::string_view what) const { wrong(fmt::format("expected {}, got {}", what, type_name(value_))); }

void from_json(const In& in, bool& out) {
  if (!in.value().is_boolean()) return in.expected("boolean");
  out = in.value().get<bool>();
}

void from_json(const In& in, double& out) {
  if (!in.value().is_number()) return in.expected("number");
  out = in.value().get<double>();
}

void from_json(const In& in, std::string& out) {
  if (!in.value().is_string()) return in.expected("string");
  out = in.value().get_ref<const std::string&>();
}

void from_json(const In& in, nlohmann::json& out) { out = in.value(); }

// A client may write a whole number as 3.0 (JavaScript has no integers); 3.5 is refused.
std::optional<std::int64_t> read_integer(const In& in, std::int64_t least, std::uint64_t most, std::uint64_t& bits) {
  const auto& value = in.value();
  const auto out_of_range = [&]() -> std::optional<std::int64_t> {
    in.wrong(fmt::format("{} is not between {} and {}", value.dump(), least, most));
    return std::nullopt;
  };
  if (value.is_number_unsigned()) {
    bits = value.get<std::uint64_t>();
    if (bits > most) return out_of_range();
    return static_cast<std::int64_t>(bits);
  }
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (number < least || (number > 0 && static_cast<std::uint64_t>(number) > most)) return out_of_range();
    bits = static_cast<std::uint64_t>(number);
    return number;
  }
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    constexpr double exact = 9007199254740992.0;  // 2^53: above it a double skips integers
    if (std::nearbyint(number) == number && std::abs(number) <= exact) {
      const auto whole = static_cast<std::int64_t>(number);
      if (whole < least || (whole > 0 && static_cast<std::uint64_t>(whole) > most)) return out_of_range();
      bits = static_cast<std::uint64_t>(whole);
      return whole;
    }
  }
  in.expected("integer");
  return std::nullopt;
}

}  // namespace trapline::wire
