// What is written reaches the program (the program itself says so), names that hide one another, pages of children, and
// thread-local variables of modules that came late.
#include <algorithm>

#include "tests/live/values_look.hpp"

using namespace trapline;
using test::Look;

namespace {

std::string build(std::string_view variant) {
  return fmt::format("{}/values_places{}{}", FIXTURES, variant.empty() ? "" : ".", variant);
}

const std::vector<std::string_view> builds{"", "O2", "nopie"};

// As setVariable does it: the variable's own value, and a text.
std::string set(Look& look, std::string_view expression, std::string_view text) {
  eval::Options options;
  options.allow_side_effects = true;
  const auto target = eval::evaluate(look.view(), expression, options);
  if (!target) return target.error().message;
  const auto now = eval::assign(look.view(), *target, text, options);
  return now ? eval::summary(look.view(), *now) : now.error().message;
}

}  // namespace

TEST_CASE("registers: read as the processor has them, and written back into it") {
  for (const auto name : builds) {
    CAPTURE(name);
    Look look(build(name), "registers");
    CHECK(look.show("$rbx") == "1234605616436508552");
    CHECK(look.show("$bl == 0x88 - 256 && $bx == 0x7788 && $ebx == 0x55667788") == "true");
    CHECK(look.show("$eflags & 1") == "1");
    CHECK(look.show("$xmm3.v16_int8[15]") == "15 '\\017'");
    CHECK(look.show("$xmm3.v2_int64[0]") == "506097522914230528");
    CHECK(look.show("$xmm3.uint128 >> 120") == "15");
    CHECK(look.show("$st0") == "3.3219280948873623478");
    CHECK(look.show("$fs_base == 0") == "false");
    CHECK(look.show("*(unsigned long*)$fs_base == $fs_base") == "true");  // the thread pointer points to itself
    CHECK(look.show("$gs_base") == "0");
    CHECK(look.show("$pc == $rip && $sp == $rsp && $fp == $rbp") == "true");
    CHECK(look.type("$rip") == "void (*)()");
    CHECK(look.type("$eflags") == "int");
    const bool avx = look.show("has_avx") == "1";
    if (avx) CHECK(look.show("$ymm5.v32_int8[31]") == "31 '\\037'");
    if (avx) CHECK(look.show("$ymm5.v32_int8[0] == $xmm5.v16_int8[0]") == "true");

    CHECK(look.show("$rbx = 0x99", 0, true) == "153");
    CHECK(look.show("$bh = 1", 0, true) == "1 '\\001'");
    CHECK(look.show("$eflags = $eflags & ~1", 0, true).find("error") == std::string::npos);
    CHECK(look.show("$xmm3.v4_int32[1] = -2", 0, true) == "-2");
    CHECK(look.show("$st0 = 1.5", 0, true) == "1.5");
    if (avx) CHECK(look.show("$ymm5.v8_int32[7] = 77", 0, true) == "77");
    CHECK(look.show("$fs_base = (long)&other_base[1]", 0, true) == look.show("(long)&other_base[1]"));
    CHECK(look.show("$gs_base = (long)&other_base[2]", 0, true) == look.show("(long)&other_base[2]"));
    look.go_on();
    CHECK(look.show("seen_rbx") == "409");
    CHECK(look.show("seen_flags & 1") == "0");
    CHECK(look.show("((int*)&seen_xmm3)[1] == -2 && ((int*)&seen_xmm3)[2] == 0x0b0a0908") == "true");
    CHECK(look.show("seen_st0") == "1.5");
    if (avx) CHECK(look.show("((int*)&seen_ymm5)[7] == 77 && ((int*)&seen_ymm5)[6] == 0x1b1a1918") == "true");
    CHECK(look.show("seen_fs == (unsigned long)&other_base[1]") == "true");
    CHECK(look.show("seen_gs == (unsigned long)&other_base[2]") == "true");
    // A caller's registers are what it will find, and are not written.
    CHECK(look.show("$rip = 0", 1, true).find("only known as it will be restored") != std::string::npos);
  }
}

TEST_CASE("assignment reaches the program, for every kind of value that can be set") {
  struct Change {
    std::string_view what, text, now;  // `now` empty: an address
  };
  const std::vector<Change> changes{{"yes", "true", "true"},
                                    {"letter", "'Z'", "90 'Z'"},
                                    {"small", "-5", "-5 '\\373'"},
                                    {"byte", "200 '\\310'", "200 '\\310'"},  // as it was shown
                                    {"wide", "L'\u00e4'", "228 L'\u00e4'"},
                                    {"unit", "u'\u20ac'", "8364 u'\u20ac'"},
                                    {"point", "U'\U0001F600'", "128512 U'\U0001F600'"},
                                    {"eight", "u8'x'", "120 u8'x'"},
                                    {"s", "-300", "-300"},
                                    {"u", "4000000000", "4000000000"},
                                    {"l", "-1234567890123", "-1234567890123"},
                                    {"ul", "~0ul", "18446744073709551615"},
                                    {"huge", "((__int128)1 << 100) + 1", "1267650600228229401496703205377"},
                                    {"f", "0.5", "0.5"},
                                    {"d", "-2.5e-300", "-2.5e-300"},
                                    {"ld", "0.25", "0.25"},
                                    {"quad", "1.0 / 8", "0.125"},
                                    {"__real__ z", "2.5", "2.5"},
                                    {"plain", "two", "two"},
                                    {"scoped", "green", "Scoped::green"},
                                    {"flags", "can_read | can_exec", "can_read | can_exec"},
                                    {"bits.a", "6", "6"},
                                    {"bits.b", "-7", "-7"},
                                    {"bits.c", "true", "true"},
                                    {"bits.d", "0x123456789a", "78187493530"},
                                    {"record", "other", "{x=9, y=9.5, inner={...}}"},
                                    {"special", "nan", "nan"},
                                    {"number.f", "1.5", "1.5"},
                                    {"array[1]", "-20", "-20"},
                                    {"text[0]", "'X'", "88 'X'"},
                                    {"string", "&text[1]", ""},
                                    {"pointer", "&array[2]", ""},
                                    {"function", "subtract", ""},
                                    {"member", "&Record::x", "&Record::x"},
                                    {"reference", "77", ""},
                                    {"global", "55", "55"},
                                    {"file_static", "-66", "-66"},
                                    {"of_program", "88", "88"}};
  for (const std::string_view name : {"", "nopie"}) {
    CAPTURE(name);
    Look look(build(name), "assign");
    for (const Change& change : changes) {
      CAPTURE(change.what);
      const std::string now = set(look, change.what, change.text);
      if (!change.now.empty()) CHECK(now == change.now);
    }
    CHECK(set(look, "text[2]", "'t'") == "116 't'");
    CHECK(set(look, "string", "&text[2]").ends_with(" \"t\""));
    CHECK(set(look, "bits.a", "14") == "6");  // as an assignment of C++ does
    CHECK(set(look, "pointer", "1.5") != "0x1");
    CHECK(set(look, "record", "5").find("Record") != std::string::npos);
    CHECK(set(look, "s", "nonsense").find("no symbol `nonsense`") == 0);
    look.go_on();
    CHECK(look.show("verdict") == "68719476735");  // 36 bits
    CHECK(look.show("(verdict + 1) & verdict") == "0");
  }
}

TEST_CASE("an object in two registers is set, as a whole and by its members") {
  for (const std::string_view name : {"values.clang-O2", "values.clang-O2-dwarf4"}) {
    CAPTURE(name);
    Look look(fmt::format("{}/{}", FIXTURES, name), "pieces");
    CHECK(set(look, "pair.second", "7") == "7");
    CHECK(look.show("pair") == "{first=42, second=7}");
    CHECK(set(look, "pair.first", "-1") == "-1");
    CHECK(look.show("pair") == "{first=-1, second=7}");
    CHECK(look.show("pair.first = pair.second * 2", 0, true) == "14");
    CHECK(look.show("pair") == "{first=14, second=7}");
  }
  Look look(fmt::format("{}/values.O2", FIXTURES), "pieces");
  CHECK(look.show("pair") == "`pair`: optimized out");  // gdb says so too
}

TEST_CASE("every register that is listed has a name for expressions, with the same bytes") {
  Look look(build(""), "registers");
  std::size_t seen = 0;
  for (const auto& listed : arch::register_list(look.view().machine->xstate)) {
    CAPTURE(listed.name);
    const auto value = eval::evaluate(look.view(), fmt::format("${}", listed.name));
    REQUIRE_MESSAGE(value, value.error().message);
    const auto held = arch::read_register(*look.view().machine, listed.name);
    REQUIRE(held);
    CHECK(std::equal(held->begin(),
                     held->begin() + static_cast<std::ptrdiff_t>(std::min(held->size(), value->bytes.size())),
                     value->bytes.begin()));
    CHECK(value->bytes.size() >= held->size());
    ++seen;
  }
  CHECK(seen > 40);
}

TEST_CASE("memory references: where a value lies, and only then") {
  Look look(fmt::format("{}/values", FIXTURES), "compounds");
  const auto at = [&](std::string_view expression) {
    const auto value = eval::evaluate(look.view(), expression);
    REQUIRE_MESSAGE(value, value.error().message);
    return eval::address_of(*value);
  };
  REQUIRE(at("array"));
  CHECK(look.tracee().memory().get<int>(*at("array[3]")) == 40);
  CHECK(at("array[3]")->value == at("array")->value + 12);
  CHECK(look.show("&array[3]") == fmt::format("{:#x}", at("array[3]")->value));
  CHECK(look.tracee().memory().get<int>(*at("head->next->value")) == 2);
  CHECK_FALSE(at("bits.a"));
  CHECK_FALSE(at("$rax"));
  CHECK_FALSE(at("array[0] + 1"));
}

TEST_CASE("a variable's expression means it, whatever hides it") {
  Look look(build(""), "hidden");
  const auto of = [&](const std::vector<eval::Variable>& list, std::string_view name) {
    const auto found = std::ranges::find(list, name, &eval::Variable::name);
    REQUIRE(found != list.end());
    return *found;
  };
  const auto check_all = [&](const std::vector<eval::Variable>& list) {
    for (const auto& variable : list) {
      if (variable.expression.empty()) continue;
      CAPTURE(variable.expression);
      const auto again = eval::evaluate(look.view(), variable.expression);
      if (variable.value.is_problem()) {
        CHECK_FALSE(again);
        continue;
      }
      REQUIRE_MESSAGE(again, again.error().message);
      CHECK(eval::summary(look.view(), *again) == eval::summary(look.view(), variable.value));
      CHECK(eval::address_of(*again) == eval::address_of(variable.value));
      CHECK(eval::type_name(*again) == eval::type_name(variable.value));
    }
  };
  CHECK(of(eval::arguments(look.view()), "global").expression == "global");
  CHECK(of(eval::globals(look.view()), "global").expression == "::global");
  CHECK(look.show("global") == "42");
  CHECK(look.show("::global") == "5");
  check_all(eval::arguments(look.view()));
  check_all(eval::locals(look.view()));
  check_all(eval::globals(look.view()));
  look.go_on();
  CHECK(of(eval::arguments(look.view()), "global").expression.empty());
  CHECK(of(eval::locals(look.view()), "global").expression == "global");
  CHECK(look.show("global") == "3");
  check_all(eval::locals(look.view()));
  check_all(eval::globals(look.view()));
  // Every kind of scalar, and the globals of a bigger program.
  for (const std::string part : {"scalars", "scopes"})
    for (const std::string_view variant : {"values", "values.types", "values.clang"}) {
      CAPTURE(variant);
      Look other(fmt::format("{}/{}", FIXTURES, variant), part);
      std::size_t checked = 0;
      for (const auto& list : {eval::arguments(other.view()), eval::locals(other.view()), eval::globals(other.view())})
        for (const auto& variable : list) {
          if (variable.expression.empty() || variable.value.is_problem()) continue;
          CAPTURE(variable.expression);
          const auto again = eval::evaluate(other.view(), variable.expression);
          REQUIRE_MESSAGE(again, again.error().message);
          CHECK(eval::summary(other.view(), *again) == eval::summary(other.view(), variable.value));
          CHECK(eval::address_of(*again) == eval::address_of(variable.value));
          ++checked;
        }
      CHECK(checked > 15);
    }
}

TEST_CASE("children come by the page") {
  Look look(fmt::format("{}/values", FIXTURES), "compounds");
  const auto page = [&](std::string_view expression, std::uint64_t start, std::uint64_t count) {
    const auto value = eval::evaluate(look.view(), expression);
    REQUIRE_MESSAGE(value, value.error().message);
    return eval::children(look.view(), *value, expression, start, count);
  };
  const auto last = page("zeros", 298, 10);
  REQUIRE(last);
  REQUIRE(last->size() == 2);
  CHECK((*last)[1].name == "[299]");
  CHECK((*last)[1].evaluate_name == "zeros[299]");
  CHECK(page("zeros", 300, 10)->empty());
  CHECK(page("zeros", 0, 0)->size() == 300);
  const auto row = page("matrix", 1, 1);
  REQUIRE(row);
  CHECK(row->at(0).evaluate_name == "matrix[1]");
  CHECK(eval::summary(look.view(), row->at(0).value) == "{4, 5, 6}");
  const auto members = page("derived", 1, 2);
  REQUIRE(members);
  CHECK(members->size() == 2);
  CHECK(members->at(0).name == "Second");
  CHECK(members->at(0).base_class);
  const auto all = page("*(int(*)[100001])zeros", 0, 0);
  REQUIRE_FALSE(all);
  CHECK(all.error().code == Errc::too_large);
  CHECK(page("*(int(*)[100001])zeros", 2, 2)->size() == 2);
}

TEST_CASE("thread-local variables of a library that was loaded late, thread by thread") {
  for (const auto name : builds) {
    CAPTURE(name);
    Look look(build(name), "tls");
    CHECK(look.show("plugin_counter").find("this thread has not used it yet") != std::string::npos);
    CHECK(look.show("of_program") == "7");
    CHECK(look.show("aligned_one") == "97 'a'");
    look.go_on();  // the other thread
    CHECK(look.show("plugin_counter") == "501");
    CHECK(look.show("plugin_zero") == "5");
    CHECK(look.show("padding[4]") == "5");
    CHECK(look.show("of_program") == "70");
    CHECK(look.show("aligned_one") == "98 'b'");
    CHECK(look.show("plugin_counter = 1000", 0, true) == "1000");
    look.go_on();  // the main thread
    CHECK(look.show("plugin_counter") == "510");
    CHECK(look.show("of_program") == "7");
    CHECK(look.show("(unsigned long)&aligned_one % 64") == "0");
  }
}
