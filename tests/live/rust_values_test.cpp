// Values and expressions of a Rust program, as its own people would write them.
#include <algorithm>

#include "tests/live/values_look.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr std::array<const char*, 2> builds{"views_rust.O0", "views_rust.O2"};

// Where there is no rustc the fixture was not built.
bool skipped() {
  if (HAVE_RUSTC == 1) return false;
  MESSAGE("skipped: there was no rustc when the tests were built");
  return true;
}

std::string fixture_path(std::string_view build) { return fmt::format("{}/{}", FIXTURES, build); }

struct Expected {
  const char* name;
  const char* text;
  bool both = true;  // at -O2 too: else the optimiser removes it
};

constexpr Expected expected[] = {
    {"small", "-8"},
    {"byte", "200"},
    {"wide", "170141183460469231731687303715884105727"},
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
    {"boxed", "9"},
    {"boxed_slice", "[7, 8]"},
    {"speaker", "Point {x: 5, y: 6}"},
    {"dynamic", "Point {x: 1, y: 2}", false},
    {"shared", "Rc {value: 11, strong: 2, weak: 1}"},
    {"weak", "Weak {value: 11, strong: 2, weak: 1}"},
    {"atomic_shared", "Arc {value: \"arc\", strong: 1, weak: 0}"},
    {"cell", "Cell(12)"},
    {"ref_cell", "RefCell {value: 13, borrow: 0}"},
    {"mutex", "Mutex {data: 14, poisoned: false}"},
    {"map", "{1: \"one\"}"},
    {"set", "[77]"},
    {"tree",
     "{0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25, 6: 36, 7: 49, 8: 64, 9: 81, 10: 100, 11: 121, 12: 144, 13: 169, 14: 196, "
     "15: 225, 16: 256, 17: 289, 18: 324, 19: 361}"},
    {"tree_set", "['a', 'b']"},
    {"range", "1..5"},
    {"inclusive", "1..=5"},
    {"duration", "1.5s"},
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
  if (skipped()) return;
  for (const auto* build : builds) {
    CAPTURE(std::string(build));
    Look look(fixture_path(build), "all");
    const bool optimised = std::string_view(build).ends_with("O2");
    for (const auto& [name, text, both] : expected) {
      CAPTURE(std::string(name));
      if (optimised && !both) continue;
      CHECK(look.local(name) == text);
    }
  }
}

TEST_CASE("children of Rust values are fields, elements and entries, page by page") {
  if (skipped()) return;
  Look look(fixture_path("views_rust.O0"), "all");
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
}

TEST_CASE("Rust types have Rust's names") {
  if (skipped()) return;
  Look look(fixture_path("views_rust.O0"), "all");
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
}
