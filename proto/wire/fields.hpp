#pragma once
// Reading typed fields out of a message, with one clear error that names the way to the wrong value:
// "arguments.lines[2]: expected integer, got string". No exceptions.
//
// A struct is readable when its room has `void from_json(const wire::In&, T&)`, found by its namespace; an enum when it
// has `std::span<const wire::EnumName<T>> enum_names(T)`. Unknown fields are ignored; null stands for an absent field.
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "proto/words/result.hpp"

namespace trapline::wire {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

std::string_view type_name(const nlohmann::json& value);  // "integer", "string", ...

// One value of a message and where it stands. Lives on the stack while the message is read.
class In {
 public:
  using Problem = std::optional<std::string>;
  In(const nlohmann::json& value, std::string_view name, Problem& problem)
      : value_(value), name_(name), problem_(problem) {}
  In(const In&) = delete;
  In& operator=(const In&) = delete;

  const nlohmann::json& value() const { return value_; }
  bool failed() const { return problem_.has_value(); }
  // Notes the first problem only: what follows it is a consequence.
  void expected(std::string_view what) const;
  void wrong(std::string_view what) const;

  template <class T>
  void required(std::string_view key, T& out) const;
  template <class T>
  void optional(std::string_view key, T& out) const;  // absent: `out` keeps what it has
  template <class T>
  void optional(std::string_view key, std::optional<T>& out) const;

  const nlohmann::json* find(std::string_view key) const;  // null and absent: nullptr
  In at(const nlohmann::json& value, std::string_view key) const { return In(value, key, no_index, this, problem_); }
  In at(const nlohmann::json& value, std::size_t index) const { return In(value, {}, index, this, problem_); }
  std::string path() const;

 private:
  static constexpr std::size_t no_index = ~std::size_t{0};
  In(const nlohmann::json& value, std::string_view name, std::size_t index, const In* parent, Problem& problem)
      : value_(value), name_(name), index_(index), parent_(parent), problem_(problem) {}

  const nlohmann::json& value_;
  std::string_view name_;
  std::size_t index_ = no_index;
  const In* parent_ = nullptr;
  Problem& problem_;
};

void from_json(const In& in, bool& out);
void from_json(const In& in, double& out);
void from_json(const In& in, std::string& out);
void from_json(const In& in, nlohmann::json& out);
std::optional<std::int64_t> read_integer(const In& in, std::int64_t least, std::uint64_t most, std::uint64_t& bits);

template <std::integral T>
requires(!std::same_as<T, bool>) void from_json(const In& in, T& out) {
  std::uint64_t bits = 0;
  if (read_integer(in, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                   static_cast<std::uint64_t>(std::numeric_limits<T>::max()), bits))
    out = static_cast<T>(bits);
}

template <class E>
requires std::is_enum_v<E>
void from_json(const In& in, E& out) {
  if (!in.value().is_string()) return in.expected("string");
  const auto& text = in.value().get_ref<const std::string&>();
  std::string known;
  for (const auto& [value, name] : enum_names(E{})) {
    if (name == text) {
      out = value;
      return;
    }
    known += (known.empty() ? "" : ", ");
    known += name;
  }
  in.wrong("'" + text + "' is none of " + known);
}

template <class T>
void from_json(const In& in, std::vector<T>& out) {
  if (!in.value().is_array()) return in.expected("array");
  out.clear();
  out.reserve(in.value().size());
  std::size_t index = 0;
  for (const auto& element : in.value()) {
    T item{};
    from_json(in.at(element, index++), item);
    if (in.failed()) return;
    out.push_back(std::move(item));
  }
}

template <class T>
void from_json(const In& in, std::map<std::string, T>& out) {
  if (!in.value().is_object()) return in.expected("object");
  out.clear();
  for (const auto& [key, element] : in.value().items()) {
    T item{};
    from_json(in.at(element, key), item);
    if (in.failed()) return;
    out.emplace(key, std::move(item));
  }
}

template <class T>
void In::required(std::string_view key, T& out) const {
  if (failed()) return;
  if (!value_.is_object()) return expected("object");
  const auto* field = find(key);
  static const nlohmann::json nothing;
  if (!field) return at(nothing, key).wrong("is missing");
  from_json(at(*field, key), out);
}

template <class T>
void In::optional(std::string_view key, T& out) const {
  if (failed()) return;
  if (!value_.is_object()) return expected("object");
  if (const auto* field = find(key)) from_json(at(*field, key), out);
}

template <class T>
void In::optional(std::string_view key, std::optional<T>& out) const {
  if (failed()) return;
  if (!value_.is_object()) return expected("object");
  if (const auto* field = find(key)) from_json(at(*field, key), out.emplace());
}

// Reads a whole value. `name` stands first in the path of an error. Errors: bad_request.
template <class T>
Result<T> read(const nlohmann::json& value, std::string_view name) {
  In::Problem problem;
  T out{};
  from_json(In(value, name, problem), out);
  if (problem) return fail(Errc::bad_request, std::move(*problem));
  return out;
}

template <class E>
requires std::is_enum_v<E> std::string_view name_in(E value, std::span<const EnumName<E>> names) {
  for (const auto& entry : names)
    if (entry.value == value) return entry.name;
  return {};
}

// Writing: a field that has no value is left out.
template <class T>
void put(nlohmann::json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}
inline void put_text(nlohmann::json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

}  // namespace trapline::wire
