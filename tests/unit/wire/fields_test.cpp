#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "proto/wire/base64.hpp"
#include "proto/wire/fields.hpp"
#include "proto/wire/nearest.hpp"
#include "proto/wire/schema.hpp"

using namespace trapline;
using nlohmann::json;

namespace {

enum class Colour : std::uint8_t { red, green };
std::span<const wire::EnumName<Colour>> enum_names(Colour) {
  static constexpr std::array<wire::EnumName<Colour>, 2> names{{{Colour::red, "red"}, {Colour::green, "green"}}};
  return names;
}

struct Inner {
  int number = 0;
};
void from_json(const wire::In& in, Inner& out) { in.required("number", out.number); }

struct Outer {
  std::string name;
  std::optional<bool> flag;
  std::uint32_t small = 5;
  std::vector<Inner> list;
  std::map<std::string, double> map;
  Colour colour = Colour::red;
};
void from_json(const wire::In& in, Outer& out) {
  in.required("name", out.name);
  in.optional("flag", out.flag);
  in.optional("small", out.small);
  in.optional("list", out.list);
  in.optional("map", out.map);
  in.optional("colour", out.colour);
}

std::string problem(const char* text) {
  auto read = wire::read<Outer>(json::parse(text), "arguments");
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == Errc::bad_request);
  return read.error().message;
}

}  // namespace

TEST_CASE("fields are read, unknown ones ignored, null stands for absent") {
  const auto read = wire::read<Outer>(
      json::parse(
          R"({"name":"n","flag":true,"small":3.0,"list":[{"number":-1}],"map":{"a":1.5},"colour":"green","x":[]})"),
      "arguments");
  REQUIRE(read.has_value());
  CHECK(read->name == "n");
  CHECK(read->flag == true);
  CHECK(read->small == 3);
  CHECK(read->list.at(0).number == -1);
  CHECK(read->map.at("a") == 1.5);
  CHECK(read->colour == Colour::green);
  const auto sparse = wire::read<Outer>(json::parse(R"({"name":"n","flag":null,"small":null})"), "arguments");
  REQUIRE(sparse.has_value());
  CHECK(sparse->flag == std::nullopt);
  CHECK(sparse->small == 5);
}

TEST_CASE("a wrong value is named with its way") {
  CHECK(problem("{}") == "arguments.name: is missing");
  CHECK(problem(R"({"name":null})") == "arguments.name: is missing");
  CHECK(problem(R"({"name":7})") == "arguments.name: expected string, got integer");
  CHECK(problem(R"({"name":"n","list":[{"number":1},{"number":"x"}]})") ==
        "arguments.list[1].number: expected integer, got string");
  CHECK(problem(R"({"name":"n","list":{}})") == "arguments.list: expected array, got object");
  CHECK(problem(R"({"name":"n","list":[3]})") == "arguments.list[0]: expected object, got integer");
  CHECK(problem(R"({"name":"n","map":{"a":true}})") == "arguments.map.a: expected number, got boolean");
  CHECK(problem(R"({"name":"n","small":-1})") == "arguments.small: -1 is not between 0 and 4294967295");
  CHECK(problem(R"({"name":"n","small":4294967296})") == "arguments.small: 4294967296 is not between 0 and 4294967295");
  CHECK(problem(R"({"name":"n","small":1.5})") == "arguments.small: expected integer, got number");
  CHECK(problem(R"({"name":"n","small":1e300})") == "arguments.small: expected integer, got number");
  CHECK(problem(R"({"name":"n","flag":"yes"})") == "arguments.flag: expected boolean, got string");
  CHECK(problem(R"({"name":"n","colour":"blue"})") == "arguments.colour: 'blue' is none of red, green");
  CHECK(problem("[]") == "arguments: expected object, got array");
}

TEST_CASE("a schema names the first value that does not fit") {
  const auto schema = json::parse(R"({"type":"object","required":["a"],"additionalProperties":false,"properties":{
    "a":{"type":"string"}, "n":{"type":"integer","minimum":1,"maximum":9}, "l":{"type":"array","items":{"$ref":"#/definitions/T"}},
    "e":{"enum":["x","y"]}, "u":{"anyOf":[{"type":"boolean"},{"type":"array","items":{"type":"string"}}]}},
    "definitions":{"T":{"type":["string","null"]}}})");
  const auto check = [&](const char* text) {
    auto result = wire::check_schema(schema, json::parse(text), "it", schema);
    return result ? std::string("fits") : result.error().message;
  };
  CHECK(check(R"({"a":"s","n":3,"l":["x",null],"e":"y","u":["t"]})") == "fits");
  CHECK(check(R"({"a":"s","u":false})") == "fits");
  CHECK(check("{}") == "it.a: is missing");
  CHECK(check(R"({"a":1})") == "it.a: expected string, got integer");
  CHECK(check(R"({"a":"s","b":1})") == "it.b: is not known here");
  CHECK(check(R"({"a":"s","n":0})") == "it.n: 0 is below 1");
  CHECK(check(R"({"a":"s","n":10})") == "it.n: 10 is above 9");
  CHECK(check(R"({"a":"s","n":1.5})") == "it.n: expected integer, got number");
  CHECK(check(R"({"a":"s","l":["x",3]})") == "it.l[1]: expected string or null, got integer");
  CHECK(check(R"({"a":"s","e":"z"})") == "it.e: \"z\" is none of x, y");
  CHECK(check(R"({"a":"s","u":[1]})") == "it.u[0]: expected string, got integer");
  CHECK(check(R"({"a":"s","u":1})") == "it.u: expected boolean or array, got integer");
  CHECK(wire::check_schema(json::parse(R"({"$ref":"#/definitions/None"})"), json(1), "it", schema).error().code ==
        Errc::internal);
}

TEST_CASE("the nearest known name is found where one is near") {
  constexpr auto known = std::to_array<std::string_view>({"program", "args", "stopOnEntry", "cwd"});
  CHECK(wire::nearest("progam", known) == "program");
  CHECK(wire::nearest("stoponentry", known) == "stopOnEntry");
  CHECK(wire::nearest("agrs", known) == "args");
  CHECK(wire::nearest("stopOnEnrty", known) == "stopOnEntry");
  CHECK(wire::nearest("somethingElse", known) == std::nullopt);
  CHECK(wire::nearest(std::string(1000, 'a'), known) == std::nullopt);
}

TEST_CASE("base64 of RFC 4648, both ways") {
  const auto bytes = [](std::string_view text) {
    std::vector<std::byte> all;
    for (const char c : text) all.push_back(static_cast<std::byte>(c));
    return all;
  };
  for (const auto& [plain, coded] : std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                                                     {"f", "Zg=="},
                                                                                     {"fo", "Zm8="},
                                                                                     {"foo", "Zm9v"},
                                                                                     {"foob", "Zm9vYg=="},
                                                                                     {"fooba", "Zm9vYmE="},
                                                                                     {"foobar", "Zm9vYmFy"},
                                                                                     {"\xff\xfe", "//4="}}) {
    CHECK(wire::to_base64(bytes(plain)) == coded);
    CHECK(wire::from_base64(coded).value() == bytes(plain));
  }
  for (const char* wrong : {"Zg", "Zg=", "Z===", "====", "Zm9v\n", "Z-9v", "Zg==Zg=="})
    CHECK_MESSAGE(!wire::from_base64(wrong).has_value(), wrong);
}
