// Functions that a visualiser's expressions may use, and what they say of a ring.
#include "daemon/natvis/names.hpp"
#include "tests/unit/natvis/support.hpp"

using namespace trapline;
using namespace trapline::natvis;

TEST_CASE("functions of natvis' expressions read, and call nothing") {
  const auto* type = sym::make_record(
      "S", sym::RecordKey::struct_, 32,
      {field("text", char_type()->pointer_to(), 0), field("n", long_type(), 8),
       field("slots", int_type()->pointer_to()->pointer_to(), 16), field("bad", char_type()->pointer_to(), 24)});
  const auto shown = [&](std::string_view expression) {
    Desk desk(fmt::format("<Type Name=\"S\"><DisplayString>{{{}}}</DisplayString></Type>", expression));
    desk.memory.set(0x1000, std::uint64_t{0x2000});
    desk.memory.set(0x1008, std::int64_t{3});
    desk.memory.set(0x1010, std::uint64_t{0x3000});
    desk.memory.set(0x1018, std::uint64_t{0xdead0000});
    desk.memory.text(0x2000, std::string_view("abcDef\0", 7));
    for (int i = 0; i < 3; ++i) desk.memory.set(0x3000 + static_cast<std::uint64_t>(i) * 8, std::uint64_t{0});
    desk.memory.set(0x3018, std::uint64_t{0x77});
    // A ring of three nodes: 0x4000 -> 0x4020 -> 0x4040 -> 0x4000
    for (int i = 0; i < 3; ++i) {
      const auto at = 0x4000 + static_cast<std::uint64_t>(i) * 32;
      desk.memory.set(at, std::uint64_t{i == 2 ? 0x4000U : at + 32});
      desk.memory.set(at + 16, std::uint64_t{i == 1 ? 2U : 9U});
    }
    // A text longer than what is read of one, and one that differs at its end; then one whose end cannot be read.
    desk.memory.text(0x100000, std::string(70000, 'x') + '\0');
    desk.memory.text(0x200000, std::string(69999, 'x') + "y\0");
    desk.memory.text(0x300ffd, "abc");
    // One in which two have the number 1, and one that is longer than a glance.
    for (const std::uint64_t at : {0x5000U, 0x5020U}) {
      desk.memory.set(at, std::uint64_t{at ^ 0x20});
      desk.memory.set(at + 16, std::uint64_t{1});
    }
    for (std::uint64_t i = 0; i < 4097; ++i) {
      desk.memory.set(0x10000 + i * 32, std::uint64_t{i == 4096 ? 0x10000 : 0x10020 + i * 32});
      desk.memory.set(0x10010 + i * 32, std::uint64_t{i == 0 ? 4096U : 9U});
    }
    std::string out = desk.show(type, 0x1000);
    const std::string wrong = desk.complaints();
    return wrong.empty() ? out : wrong;
  };
  static constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"strlen(text)", "6"},
      {"strnlen(text, 4)", "4"},
      {"strlen(text) + n", "9"},
      {"strcmp(text, &quot;abcDef&quot;)", "0"},
      {"strcmp(text, &quot;abd&quot;)", "-1"},
      {"strcmp(&quot;b&quot;, text)", "1"},
      {"strncmp(text, &quot;abcXXX&quot;, n)", "0"},
      {"strcasecmp(text, &quot;ABCDEF&quot;)", "0"},
      {"_stricmp(text, &quot;abcdeg&quot;)", "-1"},
      {"memcmp(text, text + 1, 2)", "-1"},
      {"memcmp(text, text, 6)", "0"},
      {"__findnonnull(slots, 4)", "3"},
      {"__findnonnull(slots, 3)", "-1"},
      {"__findnonnull(slots, 0)", "-1"},
      {"__log2(n)", "1"},
      {"__log2(0)", "-1"},
      {"__log2(1024)", "10"},
      {"__ring_end((void*)0x4000, 16)", "0"},
      {"__ring_end((void*)0x4020, 16)", "1"},
      {"__ring_end((void*)0x4000, 8)", "-1"},
      {"__ring_end((void*)0x5000, 16)", "-1"},
      {"__ring_end((void*)0x10000, 16)", "-1"},
      {"__ring_end(slots, 16)", "-1"},
      {"n,errno", "3 ESRCH"},
  };
  for (const auto& [expression, expected] : table) {
    CAPTURE(std::string(expression));
    CHECK(shown(expression) == expected);
  }
  CHECK(shown("strlen(bad)").find("0xdead0000") != std::string::npos);
  CHECK(shown("strlen(n)").find("`strlen` takes a pointer") != std::string::npos);
  CHECK(shown("strlen(text, 1)").find("strlen") != std::string::npos);  // no such function: told
  CHECK(shown("memcmp(&quot;a&quot;, text, 1)").find("lies nowhere") != std::string::npos);
  // What is longer than what is read has no length that could be shown, and is equal to nothing.
  for (const char* expression :
       {"strlen((char*)0x100000)", "strnlen((char*)0x100000, 69000)", "strnlen((char*)0x100000, 1000000)",
        "strcmp((char*)0x100000, (char*)0x200000)", "strncmp((char*)0x100000, (char*)0x200000, 70000)"}) {
    CAPTURE(expression);
    CHECK(shown(expression).find("a text of more than 65536 bytes") != std::string::npos);
  }
  CHECK(shown("strnlen((char*)0x100000, 65536)") == "65536");
  CHECK(shown("strncmp((char*)0x100000, (char*)0x200000, 65536)") == "0");
  // What differs before that is known to differ.
  CHECK(shown("strcmp((char*)0x100000, text)") == "1");
  CHECK(shown("strcmp((char*)0x300ffd, &quot;abd&quot;)") == "-1");
  CHECK(shown("strncmp((char*)0x300ffd, text, 3)") == "0");
  CHECK(shown("strcmp((char*)0x300ffd, &quot;abc&quot;)").find("0x301000") != std::string::npos);
  CHECK(shown("strlen((char*)0x300ffd)").find("0x301000") != std::string::npos);
  CHECK(shown("__findnonnull(slots, 1000000000)").find("to look at") != std::string::npos);
}

TEST_CASE("names of functions and objects, and what they name") {
  const auto found = [](std::string_view pattern, std::string_view symbol) {
    std::string out;
    const auto captures = match_symbol(pattern, symbol);
    if (!captures) return std::string("no");
    for (const Capture& each : *captures) out += each.text + ";";
    return out;
  };
  CHECK(found("std::any::_Manager_internal<*>::_S_manage",
              "std::any::_Manager_internal<int>::_S_manage(std::any::_Op, std::any const*, std::any::_Arg*)") ==
        "int;");
  CHECK(found("std::any::_Manager_internal<*>::_S_manage", "std::any::_Manager_external<int>::_S_manage(int)") == "no");
  CHECK(found("std::_Function_handler<*,*>::_M_invoke",
              "std::_Function_handler<int (int), f()::{lambda(int)#1}>::_M_invoke(std::_Any_data const&, int&&)") ==
        "int(int);f()::{lambda(int)#1};");
  CHECK(found("typeinfo for *", "typeinfo for box::Failure") == "box::Failure;");
  CHECK(found("typeinfo for *", "vtable for box::Failure") == "no");
  CHECK(found("vtable for F<*>", "vtable for F<(anonymous namespace)::X>") == "(anonymous namespace)::X;");
  CHECK(found("f", "f() const") == "");
}
