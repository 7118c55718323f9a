// Expressions against the compiler: tests/fixtures/expressions.cpp notes what the program itself computes, and the same
// texts are evaluated from outside. Dynamic types and dynamic_cast on its objects.
#include <cxxabi.h>

#include <cstring>
#include <set>

#include "daemon/eval/completion.hpp"
#include "daemon/eval/dynamic_type.hpp"
#include "tests/live/values_look.hpp"

using namespace trapline;
using test::Look;

namespace {

const std::vector<std::string_view> builds{"", ".clang", ".dwarf4"};

struct Answer {
  std::uint64_t text, type, size;
  unsigned char bytes[16];
};

std::string string_at(Look& look, std::uint64_t at) {
  std::string text(256, '\0');
  const std::size_t got =
      look.view().memory->read_some(LoadAddr{at}, std::as_writable_bytes(std::span(text.data(), text.size())));
  text.resize(std::min(text.find('\0'), got));
  return text;
}

std::string demangled(const std::string& mangled) {
  int status = 0;
  char* const text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string out = text == nullptr ? mangled : text;
  std::free(text);
  return out;
}

// "char const*" and "const char *": const in front, no blanks.
std::string plain_name(std::string name) {
  const std::string_view anonymous = "(anonymous namespace)::";
  while (name.find(anonymous) != std::string::npos) name.erase(name.find(anonymous), anonymous.size());
  if (const auto at = name.find(" const*"); at != std::string::npos && name.find('(') == std::string::npos)
    name = "const " + name.substr(0, at) + name.substr(at + 6);
  std::erase(name, ' ');
  return name;
}

std::set<std::string> seen;

void compare(Look& look, const Answer& answer) {
  const std::string text = string_at(look, answer.text);
  CAPTURE(text);
  seen.insert(text);
  const auto view = look.view();
  const auto value = eval::evaluate(view, text);
  CHECK_MESSAGE(value.has_value(), (value ? "" : value.error().message));
  if (!value) return;
  auto type = value->type;
  while (type->is_reference()) type = type->strip()->target();
  const auto plain = type->strip()->kind() == sym::TypeKind::enumeration ? type->strip() : type;
  const std::string name = demangled(string_at(look, answer.type));
  const bool same = plain_name(plain->unqualified()->name()) == plain_name(name) ||
                    plain_name(plain->strip()->name()) == plain_name(name);
  CHECK_MESSAGE(same, (plain->name() + " and the compiler's " + name));
  std::vector<std::byte> bytes;
  if (value->bit_size != 0) {
    const auto read = eval::scalar_bytes(*view.memory, *value);
    REQUIRE(read.has_value());
    bytes = *read;
  } else {
    const auto read = eval::read_bytes(*view.memory, *value, 0, answer.size);
    REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
    bytes = *read;
  }
  CHECK(bytes.size() == answer.size);
  const std::size_t significant = name == "long double" ? 10 : std::min<std::size_t>(answer.size, 16);
  CHECK_MESSAGE(std::memcmp(bytes.data(), answer.bytes, significant) == 0, eval::summary(view, *value));
}

std::size_t compare_all(Look& look) {
  const auto view = look.view();
  const auto table = eval::evaluate(view, "::answers");
  const auto count = eval::evaluate(view, "::answer_count");
  REQUIRE(table.has_value());
  REQUIRE(count.has_value());
  const auto total = eval::pointer_bits(*view.memory, *count);
  REQUIRE(total.has_value());
  REQUIRE(*total < 700);
  for (std::uint64_t i = 0; i < *total; ++i) {
    const auto answer = view.memory->get<Answer>(table->address + ByteCount{i * sizeof(Answer)});
    REQUIRE(answer.has_value());
    compare(look, *answer);
  }
  return *total;
}

}  // namespace

TEST_CASE("expressions have the type and the value that the compiler computes") {
  for (const auto build : builds) {
    CAPTURE(build);
    Look look(std::string(FIXTURES) + "/expressions" + std::string(build), "all");
    CHECK(look.function() == "scalars");
    CHECK(compare_all(look) > 400);
    look.go_on();
    CHECK(look.function() == "objects");
    CHECK(compare_all(look) > 100);
    look.go_on();
    CHECK(look.function() == "Holder::method");
    CHECK(compare_all(look) > 80);
    look.go_on();
    CHECK(compare_all(look) == 9);
  }
  CHECK(seen.size() > 600);
}

TEST_CASE("members of this, and what a lambda captured") {
  for (const auto build : builds) {
    CAPTURE(build);
    Look look(std::string(FIXTURES) + "/expressions" + std::string(build), "all");
    look.go_on();
    look.go_on();
    CHECK(look.function() == "Holder::method");
    CHECK(look.show("value") == "1000");
    CHECK(look.show("this->value") == "8");
    CHECK(look.show("Holder::value") == "8");
    CHECK(look.show("calls") == "3");
    CHECK(look.show("anonymous + outer_same") == "20");
    look.go_on();  // in the lambda
    CHECK(look.show("inside") == "12");
    CHECK(look.show("value_") == "4");
    CHECK(look.show("shadow") == "5");
    CHECK(look.show("numbers[2]") == "3");
    CHECK(look.show("this->numbers[1]") == "2");
    CHECK(look.show("bits.a + value_") == "9");
  }
}

TEST_CASE("a pointer or reference to a base shows what the object is") {
  for (const auto build : builds) {
    CAPTURE(build);
    Look look(std::string(FIXTURES) + "/expressions" + std::string(build), "all");
    look.go_on();
    const auto view = look.view();
    const auto type = [&](std::string_view text) {
      const auto value = eval::evaluate_formatted(view, text);
      return value ? eval::shown_type(view, value->value) : value.error().message;
    };
    const auto line = [&](std::string_view text) {
      const auto value = eval::evaluate_formatted(view, text);
      eval::Options options;
      if (value) options.format = value->format;
      return value ? eval::summary(view, value->value, options) : value.error().message;
    };
    CHECK(type("root") == "Root * {Bottom}");
    CHECK(type("right") == "Right {Bottom}");
    CHECK(type("left") == "Left * {Bottom}");
    CHECK(type("root,nd") == "Root *");
    CHECK(type("exact") == "const Root *");
    CHECK(type("second_of_both") == "Second * {Both}");
    CHECK(type("templated") == "First * {Templated<int>}");
    CHECK(type("hidden_object").starts_with("Second * {"));
    CHECK(type("wild") == "Root *");
    CHECK(type("nothing") == "Root *");
    CHECK(type("bottom") == "Bottom");
    CHECK(line("root").starts_with("(Bottom) 0x"));
    CHECK(line("root,nd").starts_with("0x"));
    CHECK(line("wild").starts_with("0x"));
    CHECK(line("wild").find('(') == std::string::npos);
    CHECK(line("*second_of_both").starts_with("(Both) {First={"));
    CHECK(line("*second_of_both,nd") == "{second=22}");
    CHECK(line("*(Root*)garbage").find('(') == std::string::npos);

    const auto pointer = eval::evaluate(view, "second_of_both");
    REQUIRE(pointer.has_value());
    const auto page = eval::children(view, *pointer, "second_of_both", 0, 0);
    REQUIRE(page.has_value());
    REQUIRE(page->size() == eval::child_count(view, *pointer).named);
    CHECK(page->front().name == "[Both]");
    CHECK(page->front().evaluate_name == "*dynamic_cast<Both *>(second_of_both)");
    CHECK(look.show("(" + page->front().evaluate_name + ").both") == "33");
    // Of the object itself only its own members: no view within the view.
    const auto inner = eval::children(view, page->front().value, page->front().evaluate_name, 0, 0);
    REQUIRE(inner.has_value());
    CHECK(inner->front().name == "First");
    const auto base = eval::children(view, inner->front().value, inner->front().evaluate_name, 0, 0);
    REQUIRE(base.has_value());
    CHECK(base->front().name.starts_with("_vptr"));
    // One page of it alone, and without it.
    const auto second = eval::children(view, *pointer, "second_of_both", 1, 1);
    REQUIRE(second.has_value());
    CHECK(second->size() == 1);
    CHECK(second->front().name.starts_with("_vptr"));
    auto declared = *pointer;
    declared.as_declared = true;
    CHECK(eval::child_count(view, declared).named + 1 == eval::child_count(view, *pointer).named);
    // What a user copies back: the address, not a cast.
    const auto target = eval::evaluate(view, "root");
    REQUIRE(target.has_value());
    CHECK(eval::assign(view, *target, eval::summary(view, *target), {}).has_value());
    CHECK(look.show("root == left") == "true");
    CHECK(look.show("dynamic_cast<Bottom*>(wild)").find("really is cannot be told") != std::string::npos);
    CHECK(look.show("dynamic_cast<Bottom&>(*exact)").find("std::bad_cast") != std::string::npos);
  }
}

TEST_CASE("what could stand at the cursor") {
  for (const auto build : builds) {
    CAPTURE(build);
    Look look(std::string(FIXTURES) + "/expressions" + std::string(build), "all");
    look.go_on();
    const auto at = [&](std::string text) {
      // The cursor is where `|` stands.
      const auto cursor = text.find('|');
      text.erase(cursor, 1);
      const auto found = eval::complete(look.view(), text, cursor, 200);
      std::string line = fmt::format("{}+{}:", found.start, found.length);
      for (const auto& item : found.items) line += " " + item.text;
      return line;
    };
    CHECK(at("holder.an|") == "7+2: anonymous");
    CHECK(at("holder.me->mat|") == "11+3: matrix");
    CHECK(at("1 + holder.bits.w| * 2") == "16+1: wide");
    CHECK(at("(&holder)->bits.fl|") == "16+2: flag");
    CHECK(at("subs[1].|") == "8+0: c s x y");
    CHECK(at("sub_pointer->|") == "13+0: c s x y");
    CHECK(at("subs[sub_|") == "5+4: sub_pointer");
    CHECK(at("Scoped::|") == "8+0: green red");
    CHECK(at("ns::coun|") == "4+4: counter");
    CHECK(at("second_of_b|") == "0+11: second_of_both");
    CHECK(at("$eb|") == "0+3: $ebx");
    CHECK(at("\"sub_|") == "1+4:");
    CHECK(at("0x1f|") == "0+4:");
    CHECK(at("nothing_has_this_name.|") == "22+0:");
    CHECK(at("|").find(" holder") != std::string::npos);
  }
}
