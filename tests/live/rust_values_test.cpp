// Values and expressions of a Rust program, as its own people would write them.
#include <algorithm>
#include <set>

#include "daemon/natvis/engine.hpp"
#include "tests/live/values_look.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

// One for each rustc of this machine; each at both levels.
const std::vector<std::string> programs{RUST_PROGRAMS};

// Runs `test` on the programs of these levels, with the program's name.
template <class Test>
void each(std::initializer_list<const char*> of, const Test& test) {
  for (const auto& program : programs)
    for (const auto* level : of) {
      SUBCASE((program + level).c_str()) { test(program + level); }
    }
}

// With the visualisers in the box.
class Seen : public Look {
 public:
  void add(std::string_view text) { engine_.add_text("test.natvis", text); }
  explicit Seen(std::string_view build) : Look(fmt::format("{}/{}", FIXTURES, build), "all") {
    CHECK(engine_.take_complaints().empty());
    visualizers = &engine_;
  }

 private:
  natvis::Engine engine_;
};

struct Expected {
  const char* name;
  const char* text;
  bool both = true;     // at -O2 too: else the optimiser removes it
  bool may_go = false;  // at -O2: the compiler of Debian 12 says nowhere where it is, newer ones do
};

constexpr Expected expected[] = {
    {"small", "-8"},
    {"byte", "200"},
    {"wide", "170141183460469231731687303715884105727", true, true},
    {"letter", "'é'"},
    {"yes", "true"},
    {"real", "1.5"},
    {"unit", "()", false},
    {"tuple", "(1, \"a\", 2.5)"},
    {"array", "[1, 2, 3, 4]"},
    {"matrix", "[[1, 2], [3, 4]]"},
    {"slice", "[2, 3]", false},
    {"text", "\"héllo\""},
    {"empty", "\"\""},
    {"point", "Point {x: 1, y: 2}"},
    {"meters", "Meters(3.5)"},
    {"unit_struct", "Unit", false},
    {"color", "Green"},
    {"red", "Red"},
    {"circle", "Circle(1.5)"},
    {"rect", "Rect {width: 3, height: 4}"},
    {"nothing", "Nothing"},
    {"some", "Some(3)"},
    {"none", "None"},
    {"some_ref", "Some(Point {x: 1, y: 2})"},
    {"no_ref", "None"},
    {"some_text", "Some(\"x\")"},
    {"nested", "Some(None)"},
    {"ok", "Ok(5)"},
    {"bad", "Err(\"bad\")"},
    {"reference", "Point {x: 1, y: 2}"},
    {"string", "\"grüße\""},
    {"os", "\"os\""},
    {"path", "\"/tmp/x\""},
    {"vector", "[10, 20, 30]"},
    {"grown", "[1, 2, 3, 4]"},
    {"no_vector", "[]"},
    {"ring", "[3, 4, 5]"},
    {"boxed", "9", true, true},
    {"boxed_slice", "[7, 8]"},
    {"speaker", "Point {x: 5, y: 6}"},
    {"dynamic", "Point {x: 1, y: 2}", false},
    {"shared", "Rc {value: 11, strong: 2, weak: 1}", true, true},
    {"weak", "Weak {value: 11, strong: 2, weak: 1}", true, true},
    {"atomic_shared", "Arc {value: \"arc\", strong: 1, weak: 0}", true, true},
    {"cell", "Cell(12)"},
    {"ref_cell", "RefCell {value: 13, borrow: 0}"},
    {"mutex", "Mutex {data: 14, poisoned: false}"},
    {"map", "{1: \"one\"}"},
    {"set", "[77]"},
    {"tree",
     "{0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25, 6: 36, 7: 49, 8: 64, 9: 81, 10: 100, 11: 121, 12: 144, 13: 169, 14: 196, "
     "15: 225, 16: 256, 17: 289, 18: 324, 19: 361}"},
    {"rows", "[[1, 2], [], [3]]"},
    {"wrapped", "[4, 5, 0, 1, 2, 3]"},
    {"gone", "Weak (its value is gone)", true, true},
    {"never", "Weak (never had a value)", true, true},
    {"tree_set", "['a', 'b']"},
    {"range", "1..5"},
    {"inclusive", "1..=5"},
    {"duration", "1s 500ms"},
    {"points", "[Point {x: 1, y: 2}, Point {x: 3, y: 4}]"},
    {"exclusive", "2", false},
    {"type", "6"},
};

std::vector<std::string> child_texts(const eval::FrameView& view, std::string_view name, std::uint64_t start,
                                     std::uint64_t count) {
  for (const auto& variable : eval::locals(view)) {
    if (variable.name != name) continue;
    const auto page = eval::children(view, variable.value, variable.expression, start, count);
    REQUIRE(page);
    std::vector<std::string> texts;
    for (const auto& child : *page) texts.push_back(child.name + "=" + eval::summary(view, child.value));
    return texts;
  }
  return {};
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Rust values read as Rust writes them") {
  each({"-O0", "-O2"}, [](const std::string& build) {
    Seen look(build);
    const bool optimised = build.ends_with("O2");
    for (const auto& [name, text, both, may_go] : expected) {
      CAPTURE(std::string(name));
      if (optimised && !both) continue;
      const auto seen = look.local(name);
      if (!optimised || !may_go || seen != "<optimized out>") CHECK(seen == text);
    }
  });
}

TEST_CASE("children of Rust values are fields, elements and entries, page by page") {
  each({"-O0"}, [](const std::string& build) {
    Seen look(build);
    const auto view = look.view();
    CHECK(child_texts(view, "point", 0, 0) == Texts{"x=1", "y=2"});
    CHECK(child_texts(view, "tuple", 0, 0) == Texts{"0=1", "1=\"a\"", "2=2.5"});
    CHECK(child_texts(view, "rect", 0, 0) == Texts{"width=3", "height=4"});
    CHECK(child_texts(view, "some", 0, 0) == Texts{"0=3"});
    CHECK(child_texts(view, "none", 0, 0).empty());
    CHECK(child_texts(view, "vector", 1, 2) == Texts{"[1]=20", "[2]=30"});
    CHECK(child_texts(view, "ring", 0, 0) == Texts{"[0]=3", "[1]=4", "[2]=5"});
    CHECK(child_texts(view, "map", 0, 0) == Texts{"[1]=\"one\""});
    CHECK(child_texts(view, "tree", 11, 3) == Texts{"[11]=121", "[12]=144", "[13]=169"});
    CHECK(child_texts(view, "reference", 0, 0) == Texts{"x=1", "y=2"});
    CHECK(child_texts(view, "speaker", 0, 0) == Texts{"x=5", "y=6"});
    CHECK(child_texts(view, "text", 0, 0).empty());
  });
}

TEST_CASE("a page of a large map is what stands there, from wherever it is asked") {
  each({"-O0"}, [](const std::string& build) {
    Seen look(build);
    const Texts whole = child_texts(look.view(), "many", 0, 0);
    REQUIRE(whole.size() == 5000);
    std::set<std::string> expected;
    for (int i = 0; i < 5000; ++i) expected.insert(fmt::format("[{}]={}", i, i * 2));
    CHECK(std::set<std::string>(whole.begin(), whole.end()) == expected);
    for (const std::uint64_t start : {4990, 3001, 64, 0}) {
      look.visualizers->forget_memory();  // nor what lies before
      const auto page = child_texts(look.view(), "many", start, 5);
      CHECK(page == Texts(whole.begin() + static_cast<long>(start), whole.begin() + static_cast<long>(start) + 5));
      for (const std::uint64_t each : {start * 4, start * 4 + 1}) {
        look.visualizers->forget_memory();
        CHECK(child_texts(look.view(), "deep", each, 1) == Texts{fmt::format("[{}]=\"{}\"", each, each)});
      }
    }
    for (const std::uint64_t start : {0, 10'000, 19'000}) {
      const auto page = child_texts(look.view(), "deep", start, 1000);
      REQUIRE(page.size() == 1000);
      for (std::uint64_t i = 0; i < 1000; ++i) CHECK(page[i] == fmt::format("[{}]=\"{}\"", start + i, start + i));
    }
    CHECK(look.show("many[4321]") == "8642");
    CHECK(look.show("deep[1234]") == "\"1234\"");
  });
}

TEST_CASE("a user's natvis is for Rust's types too") {
  each({"-O0"}, [](const std::string& build) {
    Seen look(build);
    look.add(R"(<AutoVisualizer><Type Name="views_rust::Point"><DisplayString>at {x},{y}</DisplayString>
      <Expand HideRawView="true"><Item Name="sum">x + y</Item></Expand></Type></AutoVisualizer>)");
    CHECK(look.local("point") == "at 1,2");
    CHECK(look.local("points") == "[at 1,2, at 3,4]");
    CHECK(look.show("point.x") == "1");
    CHECK(child_texts(look.view(), "point", 0, 0) == Texts{"sum=3"});
  });
}

TEST_CASE("Rust types have Rust's names") {
  each({"-O0"}, [](const std::string& build) {
    Seen look(build);
    const auto view = look.view();
    const auto type = [&](std::string_view name) -> std::string {
      for (const auto& variable : eval::locals(view))
        if (variable.name == name) return eval::type_name(variable.value);
      return "(no such variable)";
    };
    CHECK(type("matrix") == "[[u8; 2]; 2]");
    CHECK(type("exclusive") == "&mut i32");
    CHECK(type("slice") == "&[i32]");
    CHECK(type("tuple") == "(i32, &str, f32)");
    CHECK(type("vector") == "alloc::vec::Vec<i32, alloc::alloc::Global>");
    CHECK(type("pointer") == "*const views_rust::Point");
    CHECK(type("function") == "fn(&[i32]) -> i32");
    CHECK(type("unit") == "()");
  });
}

TEST_CASE("expressions in frames of Rust are read in Rust's way") {
  each({"-O0"}, [](const std::string& build) {
    Seen look(build);
    const auto show = [&](std::string_view text) { return look.show(text); };
    SUBCASE("paths") {
      CHECK(show("ANSWER") == "42");
      CHECK(show("crate::ANSWER") == "42");
      CHECK(show("self::ANSWER + 1") == "43");
      CHECK(show("views_rust::ANSWER") == "42");
      CHECK(show("::views_rust::ANSWER") == "42");  // as the globals' own expressions are
      CHECK(show("color == Color::Green") == "true");
      CHECK(show("color == crate::Color::Red") == "false");
      CHECK(show("pointt") == "no `pointt` in views_rust::main; did you mean `point`?");
      CHECK(show("r#type") == "6");
    }
    SUBCASE("fields and what is behind references") {
      CHECK(show("point.x") == "1");
      CHECK(show("tuple.0") == "1");
      CHECK(show("tuple.1") == "\"a\"");
      CHECK(show("reference.y") == "2");
      CHECK(show("(*reference).y") == "2");
      CHECK(show("*exclusive") == "2");
      CHECK(show("*boxed + 1") == "10");
      CHECK(show("(*pointer).x") == "1");
      CHECK(show("some.0") == "3");
      CHECK(show("rect.height") == "4");
      CHECK(show("speaker.x") == "5");
      CHECK(show("*shared") == "11");
      CHECK(show("points[1].y") == "4");
      CHECK(show("point.z").find("no field `z` on `views_rust::Point`; did you mean `x`?") == 0);
      CHECK(show("*&point.y") == "2");
    }
    SUBCASE("indexes and ranges") {
      CHECK(show("array[2]") == "3");
      CHECK(show("matrix[1][0]") == "3");
      CHECK(show("slice[0]") == "2");
      CHECK(show("vector[1..3]") == "[20, 30]");
      CHECK(show("vector[..=1]") == "[10, 20]");
      CHECK(show("vector[..]") == "[10, 20, 30]");
      CHECK(show("ring[0]") == "3");
      CHECK(show("map[&1]").find("`&` of what is") == 0);
      CHECK(show("map[1]") == "\"one\"");
      CHECK(show("tree[7]") == "49");
      CHECK(show("vector[3]") == "index 3 is out of bounds: there are 3");
      CHECK(show("vector[2..9]") == "2..9 is out of bounds: there are 3");
    }
    SUBCASE("numbers are converted by `as` only, and do not overflow") {
      CHECK(show("10_u8") == "10");
      CHECK(look.type("10_u8") == "u8");
      CHECK(look.type("1 + 2") == "i32");
      CHECK(show("byte + 55") == "255");
      CHECK(show("byte + 56") == "`+` overflows u8");
      CHECK(show("byte + small") == "`+` of a `u8` and a `i8`");
      CHECK(show("byte as i8") == "-56");
      CHECK(show("byte as i32 + 100") == "300");
      CHECK(show("-1.5 as u8") == "0");  // `-` binds tighter
      CHECK(show("(-1.5) as u8") == "0");
      CHECK(show("300.7 as u8") == "255");
      CHECK(show("real as i32") == "1");
      CHECK(show("letter as u32") == "233");
      CHECK(show("97_u8 as char") == "'a'");
      CHECK(show("color as u8") == "7");
      CHECK(show("wide") == "170141183460469231731687303715884105727");
      CHECK(show("wide as u64") == "18446744073709551615");
      CHECK(show("0xff_u8 & 0b1010") == "10");
      CHECK(show("1_000 * 3 % 7") == "4");
      CHECK(show("1 << 4 | 1") == "17");
      CHECK(show("1 / 0").find("division") != std::string::npos);
      CHECK(show("2 + 3 * 4") == "14");
      CHECK(show("!0_u8") == "255");
      CHECK(show("!yes") == "false");
      CHECK(show("real * 2.0") == "3");
    }
    SUBCASE("comparisons and logic") {
      CHECK(show("text == \"héllo\"") == "true");
      CHECK(show("string != \"grüße\"") == "false");
      CHECK(show("letter == 'é'") == "true");
      CHECK(show("letter == '\\u{e9}'") == "true");
      CHECK(show("yes && point.x < 2") == "true");
      CHECK(show("false && vector[99] == 0") == "false");
      CHECK(show("true || vector[99] == 0") == "true");
      CHECK(show("reference.x == 1 && *boxed == 9") == "true");
      CHECK(show("vector.len()") == "3");
      CHECK(show("text.len()") == "6");
      CHECK(show("string.len()") == "7");
      CHECK(show("no_vector.is_empty()") == "true");
      CHECK(show("some.is_some() && none.is_none()") == "true");
      CHECK(show("point.area()").find("call nothing") != std::string::npos);
    }
    SUBCASE("what is wrong is said with its place") {
      CHECK(show("point.") == "the end at column 7, where a field was expected");
      CHECK(show("vector[1") == "the end at column 9, where `]` was expected");
      CHECK(show("1 +") == "the end at column 4, where a value was expected");
      CHECK(show("mutable = 5").find("would change the program") != std::string::npos);
      CHECK(show(std::string(500, '(')) == "the expression is nested too deep");
    }
    SUBCASE("assignments") {
      CHECK(look.show("mutable = 40 + 2", 0, true) == "42");
      CHECK(show("mutable") == "42");
      CHECK(look.show("point.x = 256 as i32", 0, true) == "256");
      CHECK(look.show("byte = 256", 0, true) == "256 does not fit into u8");
      CHECK(look.show("some.0 = 8", 0, true) == "8");
      CHECK(show("some") == "Some(8)");
    }
  });
}

TEST_CASE("functions of Rust are found by the names that its people use") {
  each({"-O0", "-O2"}, [](const std::string& build) {
    Seen look(build);
    const auto view = look.view();
    const auto found = [&](std::string_view name) {
      std::vector<std::string> names;
      for (const auto& location : view.modules->resolve_function(name).locations) names.push_back(location.function);
      return names;
    };
    CHECK(found("main") == Texts{"views_rust::main"});  // and not C's main, which is a shim
    CHECK(found("views_rust::main") == Texts{"views_rust::main"});
    CHECK(found("Point::area").size() == 1);
    CHECK(found("Point::speak").size() == 1);
    CHECK(found("<Point as Speak>::speak").size() == 1);
    CHECK(found("Speak::speak").size() == 1);
    CHECK(found("largest").size() == 1);
    CHECK(found("/^views_rust::(main|largest)($|<)/").size() == 2);
    CHECK(view.modules->resolve_function("/(/").message.find("missing closing parenthesis") != std::string::npos);
    CHECK(found("views_rust::largest").size() == 1);
  });
}

TEST_CASE("conditions in frames of Rust") {
  each({"-O2"}, [](const std::string& build) {
    Seen look(build);
    const auto cache = eval::make_condition_cache();
    const auto view = look.view();
    const auto holds = [&](std::string_view text) {
      const auto truth = eval::condition(view, text, *cache);
      return truth ? (*truth ? "true" : "false") : truth.error().message;
    };
    CHECK(holds("byte == 200_u8 && vector[0] == 10") == "true");
    CHECK(holds("byte > 200") == "false");
    CHECK(holds("byte") == "a `u8` is no bool");
  });
}
