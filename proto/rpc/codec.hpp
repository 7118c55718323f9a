#pragma once
// One description of a struct gives its JSON writer, its reader and its JSON schema, so that none of the three can lie
// about the others. A struct is described once, as Shape<T>: a name and a tuple of field("key", &T::member).
//
// Read errors leave as CodecError (an exception that stays within proto/rpc: read_as() turns it into a Result).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "proto/wire/nearest.hpp"
#include "proto/words/addr.hpp"
#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::rpc {

using Json = nlohmann::json;

struct CodecError {
  std::string message;
};

// strict: a key that the Shape does not name is an error (what a caller sends). lenient: it is skipped (what a newer
// daemon answers).
enum class Reading : std::uint8_t { strict, lenient };

// Schemas of named structs, collected while the schema of a method is built; they end as OpenRPC components.
using Components = std::map<std::string, Json>;

enum class Presence : std::uint8_t {
  required,   // always written; an error where it is not there on reading
  always,     // always written; may be missing on reading
  when_given  // written where it differs from the default
};

template <class Owner, class Member>
struct Field {
  std::string_view name;
  Member Owner::*member;
  Presence presence;
  std::string_view about;
};
template <class Owner, class Member>
constexpr auto must(std::string_view name, Member Owner::*member, std::string_view about = "") {
  return Field<Owner, Member>{name, member, Presence::required, about};
}
template <class Owner, class Member>
constexpr auto field(std::string_view name, Member Owner::*member, std::string_view about = "") {
  return Field<Owner, Member>{name, member, Presence::always, about};
}
template <class Owner, class Member>
constexpr auto maybe(std::string_view name, Member Owner::*member, std::string_view about = "") {
  return Field<Owner, Member>{name, member, Presence::when_given, about};
}

template <class T>
struct Shape;  // { static constexpr std::string_view name; static constexpr auto fields = std::tuple{...}; }
template <class E>
struct Names;  // { static constexpr std::array<std::pair<E, std::string_view>, N> table; }

template <class T>
struct Codec;

std::string_view type_name(const Json& value);  // "an object", "a string"

template <class T>
concept Shaped = requires {
  Shape<T>::name;
  Shape<T>::fields;
};
template <class T>
concept Named = std::is_enum_v<T> && requires {
  Names<T>::table;
};

template <>
struct Codec<bool> {
  static Json write(bool value) { return value; }
  static void read(const Json& from, bool& into, Reading) {
    if (!from.is_boolean()) throw CodecError{fmt::format("must be true or false, not {}", type_name(from))};
    into = from.get<bool>();
  }
  static Json schema(Components&) { return {{"type", "boolean"}}; }
};

template <std::integral T>
requires(!std::same_as<T, bool>) struct Codec<T> {
  static Json write(T value) { return value; }
  static void read(const Json& from, T& into, Reading) {
    if (!from.is_number_integer()) throw CodecError{fmt::format("must be an integer, not {}", type_name(from))};
    const bool fits = from.is_number_unsigned() ? std::in_range<T>(from.get<std::uint64_t>())
                                                : std::in_range<T>(from.get<std::int64_t>());
    if (!fits) throw CodecError{fmt::format("{} is out of range", from.dump())};
    into = from.get<T>();
  }
  static Json schema(Components&) {
    Json schema{{"type", "integer"}};
    if (std::is_unsigned_v<T>) schema["minimum"] = 0;
    return schema;
  }
};

template <>
struct Codec<double> {
  static Json write(double value) { return value; }
  static void read(const Json& from, double& into, Reading) {
    if (!from.is_number()) throw CodecError{fmt::format("must be a number, not {}", type_name(from))};
    into = from.get<double>();
  }
  static Json schema(Components&) { return {{"type", "number"}}; }
};

template <>
struct Codec<std::string> {
  static Json write(const std::string& value) { return value; }
  static void read(const Json& from, std::string& into, Reading) {
    if (!from.is_string()) throw CodecError{fmt::format("must be a string, not {}", type_name(from))};
    into = from.get<std::string>();
  }
  static Json schema(Components&) { return {{"type", "string"}}; }
};

template <>
struct Codec<Json> {
  static Json write(const Json& value) { return value; }
  static void read(const Json& from, Json& into, Reading) { into = from; }
  static Json schema(Components&) { return Json::object(); }
};

// Written "0x7ffe12"; a plain number is read too.
template <>
struct Codec<LoadAddr> {
  static Json write(LoadAddr at) { return fmt::format("{:#x}", at.value); }
  static void read(const Json& from, LoadAddr& into, Reading);
  static Json schema(Components&) {
    return {{"oneOf", Json::array({{{"type", "string"}, {"pattern", "^(0[xX][0-9a-fA-F]+|[0-9]+)$"}},
                                   {{"type", "integer"}, {"minimum", 0}}})},
            {"description", "an address of the debuggee, \"0x...\" or a number"}};
  }
};

// Two hexadecimal digits a byte; blanks between bytes are read over.
template <>
struct Codec<std::vector<std::byte>> {
  static Json write(const std::vector<std::byte>& bytes);
  static void read(const Json& from, std::vector<std::byte>& into, Reading);
  static Json schema(Components&) {
    return {{"type", "string"}, {"description", "bytes, two hexadecimal digits each"}};
  }
};

// An id is its number.
template <class Id>
concept NumberWord = requires(Id id) {
  id.value;
}
&&sizeof(Id) == sizeof(Id::value) && std::integral<decltype(Id::value)> && !std::same_as<Id, LoadAddr>;
template <NumberWord Id>
struct Codec<Id> {
  using Value = decltype(Id::value);
  static Json write(Id id) { return id.value; }
  static void read(const Json& from, Id& into, Reading reading) { Codec<Value>::read(from, into.value, reading); }
  static Json schema(Components& components) { return Codec<Value>::schema(components); }
};

template <class Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>> {
  static Json write(std::chrono::duration<Rep, Period> time) { return time.count(); }
  static void read(const Json& from, std::chrono::duration<Rep, Period>& into, Reading reading) {
    std::uint32_t count = 0;
    Codec<std::uint32_t>::read(from, count, reading);
    into = std::chrono::duration<Rep, Period>(count);
  }
  static Json schema(Components& components) { return Codec<std::uint32_t>::schema(components); }
};

template <Named E>
struct Codec<E> {
  static std::string_view name(E value) {
    for (const auto& [known, text] : Names<E>::table)
      if (known == value) return text;
    return "?";
  }
  static Json write(E value) { return name(value); }
  static void read(const Json& from, E& into, Reading) {
    std::string all;
    for (const auto& [known, text] : Names<E>::table) {
      if (from.is_string() && from.get_ref<const std::string&>() == text) {
        into = known;
        return;
      }
      all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", text);
    }
    throw CodecError{fmt::format("must be one of {}, not {}", all, from.is_string() ? from.dump() : type_name(from))};
  }
  static Json schema(Components&) {
    Json all = Json::array();
    for (const auto& entry : Names<E>::table) all.push_back(entry.second);
    return {{"type", "string"}, {"enum", all}};
  }
};

template <class T>
struct Codec<std::optional<T>> {
  static Json write(const std::optional<T>& value) { return value ? Codec<T>::write(*value) : Json(nullptr); }
  static void read(const Json& from, std::optional<T>& into, Reading reading) {
    if (from.is_null()) {
      into.reset();
      return;
    }
    T value{};
    Codec<T>::read(from, value, reading);
    into = std::move(value);
  }
  static Json schema(Components& components) { return Codec<T>::schema(components); }
};

template <class T>
struct Codec<std::vector<T>> {
  static Json write(const std::vector<T>& values) {
    Json all = Json::array();
    for (const auto& value : values) all.push_back(Codec<T>::write(value));
    return all;
  }
  static void read(const Json& from, std::vector<T>& into, Reading reading) {
    if (!from.is_array()) throw CodecError{fmt::format("must be an array, not {}", type_name(from))};
    into.clear();
    for (std::size_t i = 0; i < from.size(); ++i) {
      T value{};
      try {
        Codec<T>::read(from[i], value, reading);
      } catch (const CodecError& error) {
        throw CodecError{fmt::format("[{}]: {}", i, error.message)};
      }
      into.push_back(std::move(value));
    }
  }
  static Json schema(Components& components) { return {{"type", "array"}, {"items", Codec<T>::schema(components)}}; }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static Json write(const std::map<std::string, T>& values) {
    Json all = Json::object();
    for (const auto& [key, value] : values) all[key] = Codec<T>::write(value);
    return all;
  }
  static void read(const Json& from, std::map<std::string, T>& into, Reading reading) {
    if (!from.is_object()) throw CodecError{fmt::format("must be an object, not {}", type_name(from))};
    into.clear();
    for (const auto& [key, value] : from.items()) Codec<T>::read(value, into[key], reading);
  }
  static Json schema(Components& components) {
    return {{"type", "object"}, {"additionalProperties", Codec<T>::schema(components)}};
  }
};

// What `when_given` leaves out. A struct has no default to compare with, and is always written.
template <class T>
bool is_default(const T& value) {
  if constexpr (requires { value.empty(); })
    return value.empty();
  else if constexpr (requires { value.has_value(); })
    return !value.has_value();
  else if constexpr (std::equality_comparable<T>)
    return value == T{};
  else
    return false;
}

template <Shaped T>
struct Codec<T> {
  static Json write(const T& value) {
    Json all = Json::object();
    std::apply([&](const auto&... fields) { (write_field(all, value, fields), ...); }, Shape<T>::fields);
    return all;
  }
  static void read(const Json& from, T& into, Reading reading) {
    if (!from.is_object()) throw CodecError{fmt::format("must be an object, not {}", type_name(from))};
    std::apply([&](const auto&... fields) { (read_field(from, into, fields, reading), ...); }, Shape<T>::fields);
    if (reading == Reading::strict) refuse_unknown(from);
  }
  static Json schema(Components& components) {
    const std::string name(Shape<T>::name);
    if (name.empty()) return own_schema(components);
    if (!components.contains(name)) {
      components[name] = nullptr;  // breaks the circle of a struct that contains itself
      components[name] = own_schema(components);
    }
    return {{"$ref", "#/components/schemas/" + name}};
  }
  static Json own_schema(Components& components) {
    Json properties = Json::object();
    Json required = Json::array();
    std::apply([&](const auto&... fields) { (schema_field(properties, required, components, fields), ...); },
               Shape<T>::fields);
    Json schema{{"type", "object"}, {"properties", properties}};
    if (!required.empty()) schema["required"] = required;
    return schema;
  }

 private:
  template <class Member>
  static void write_field(Json& all, const T& value, const Field<T, Member>& f) {
    if (f.presence == Presence::when_given && is_default(value.*f.member)) return;
    all[std::string(f.name)] = Codec<Member>::write(value.*f.member);
  }
  template <class Member>
  static void read_field(const Json& from, T& into, const Field<T, Member>& f, Reading reading) {
    const auto found = from.find(f.name);
    if (found == from.end()) {
      if (f.presence == Presence::required) throw CodecError{fmt::format("\"{}\" is missing", f.name)};
      return;
    }
    try {
      Codec<Member>::read(*found, into.*f.member, reading);
    } catch (const CodecError& error) {
      throw CodecError{fmt::format("\"{}\" {}", f.name, error.message)};
    }
  }
  template <class Member>
  static void schema_field(Json& properties, Json& required, Components& components, const Field<T, Member>& f) {
    Json schema = Codec<Member>::schema(components);
    if (!f.about.empty()) schema["description"] = f.about;
    if (f.presence == Presence::required) required.push_back(f.name);
    properties[std::string(f.name)] = std::move(schema);
  }
  static void refuse_unknown(const Json& from) {
    std::vector<std::string_view> known;
    std::apply([&](const auto&... fields) { (known.push_back(fields.name), ...); }, Shape<T>::fields);
    for (const auto& entry : from.items()) {
      if (std::ranges::find(known, entry.key()) != known.end()) continue;
      const auto near = wire::nearest(entry.key(), known);
      throw CodecError{near ? fmt::format("\"{}\" is not known here; did you mean \"{}\"?", entry.key(), *near)
                            : fmt::format("\"{}\" is not known here", entry.key())};
    }
  }
};

template <class T>
Json write(const T& value) {
  return Codec<T>::write(value);
}
template <class T>
Result<T> read_as(const Json& from, Reading reading = Reading::lenient) {
  T value{};
  try {
    Codec<T>::read(from, value, reading);
  } catch (const CodecError& error) {
    return fail(Errc::bad_request, error.message);
  }
  return value;
}

}  // namespace trapline::rpc
