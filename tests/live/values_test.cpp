// Variables and expressions of real programs: each kind of type, each kind of place, as gcc and clang write them in
// DWARF 4 and 5, with and without optimisation.
#include "daemon/eval/bound_trees.hpp"
#include "tests/live/values_look.hpp"

using namespace trapline;
using test::Look;

namespace {

std::string build(std::string_view variant) {
  return fmt::format("{}/values{}{}", FIXTURES, variant.empty() ? "" : ".", variant);
}

const std::vector<std::string_view> plain_builds{"",       "dwarf4", "types",        "types5",      "nopie",
                                                 "static", "clang",  "clang-dwarf4", "clang-types", "clang-types5"};
const std::vector<std::string_view> all_builds{
    "",       "O2",    "dwarf4",   "O2-dwarf4",    "types",           "types5",      "nopie",
    "static", "clang", "clang-O2", "clang-dwarf4", "clang-O2-dwarf4", "clang-types", "clang-types5"};

template <class Body>
void in_each(const std::vector<std::string_view>& builds, const std::string& part, Body&& body) {
  for (const std::string_view name : builds) {
    CAPTURE(name);
    Look look(build(name), part);
    body(look);
  }
}

}  // namespace

TEST_CASE("every scalar type") {
  in_each(all_builds, "scalars", [](Look& look) {
    CHECK(look.local("yes") == "true");
    CHECK(look.local("letter") == "65 'A'");
    CHECK(look.local("small") == "-3 '\\375'");
    CHECK(look.local("byte") == "200 '\\310'");
    CHECK(look.local("wide") == "228 L'ä'");
    CHECK(look.local("unit") == "8364 u'€'");
    CHECK(look.local("point") == "128512 U'😀'");
    CHECK(look.local("eight") == "101 u8'e'");
    CHECK(look.local("s") == "-12345");
    CHECK(look.local("us") == "54321");
    CHECK(look.local("i") == "-7");
    CHECK(look.local("u") == "4000000000");
    CHECK(look.local("l") == "-1234567890123");
    CHECK(look.local("ul") == "18446744073709551615");
    CHECK(look.local("ll") == "-5");
    CHECK(look.local("huge") == "1267650600228229401496703205376");
    CHECK(look.local("uhuge") == "340282366920938463463374607431768211455");
    CHECK(look.local("f") == "0.1");
    CHECK(look.local("d") == "-2.5e-300");
    CHECK(look.local("ld") == "0.1");
    CHECK(look.local("quad") == "0.25");
    CHECK(look.local("z") == "1.5 + 0.5i");
    CHECK(look.local("zf") == "1 + 0i");
    CHECK(look.local("zld") == "2.25 - 0.5i");
    if (const auto half = look.local("half"); half != "(no such variable)") CHECK(half == "0.5");  // not in clang 14
    CHECK(look.local("null") == "nullptr");
    CHECK(look.local("plain") == "two");
    CHECK(look.local("negative") == "minus");
    CHECK(look.local("scoped") == "Scoped::green");
    CHECK(look.local("flags") == "can_read | can_exec");
    CHECK(look.local("everything") == "all");
    CHECK(look.local("odd") == "can_read | 0x8");
    CHECK(look.type("ul") == "unsigned long");
    CHECK(look.type("us") == "unsigned short");
    CHECK(look.type("uhuge") == "unsigned __int128");
    CHECK(look.type("scoped") == "shapes::Scoped");
    CHECK(look.show("__imag__ z * 2") == "1");
    CHECK(look.show("i + u") == "3999999993");
    CHECK(look.show("huge >> 98") == "4");
    CHECK(look.show("plain == shapes::two && scoped != Scoped::red") == "true");
    CHECK(look.show("(Scoped)8") == "Scoped::blue");
    CHECK(look.show("flags & can_exec") == "4");
    CHECK(look.show("f * 10") == "1");
    CHECK(look.show("sizeof(ld) + alignof(quad)") == "32");
  });
}

TEST_CASE("records, arrays, pointers, references, member pointers, functions") {
  in_each(plain_builds, "compounds", [](Look& look) {
    CHECK(look.local("bits") == "{a=5, b=-3, c=true, d=78187493530, e=Scoped::green}");
    CHECK(look.local("number").starts_with("{i=1069547520, f=1.5, bytes="));
    CHECK(look.local("empty") == "{}");
    CHECK(look.local("array") == "{10, 20, 30, 40, 50}");
    CHECK(look.local("matrix") == "{{1, 2, 3}, {4, 5, 6}}");
    CHECK(look.local("zeros") == "{1, 0 <repeats 299 times>}");
    CHECK(look.local("text") == "\"text\\tin array\"");
    CHECK(look.local("string").ends_with(" \"a \\\"quoted\\\" string\""));
    CHECK(look.local("wide_string").ends_with(" L\"wïde\""));
    CHECK(look.local("utf16").ends_with(" u\"😀!\""));
    CHECK(look.local("null_string") == "0x0");
    CHECK(look.local("reference").ends_with(": 31"));
    CHECK(look.local("rvalue").ends_with(": 31"));
    CHECK(look.local("array_reference").ends_with(": {10, 20, 30, 40, 50}"));
    CHECK(look.local("anything").ends_with(" <shapes::global_number>"));
    CHECK(look.local("function").ends_with(" <shapes::add(int, int)>"));
    CHECK(look.local("member") == "&shapes::Plainly::x");
    CHECK(look.local("no_member") == "nullptr");
    CHECK(look.local("method").ends_with(" <shapes::Derived::sum(int)>"));
    CHECK(look.local("virtual_method").starts_with("virtual function at vtable offset 16 of shapes::Base"));
    CHECK(look.type("function") == "shapes::Binary");
    CHECK(look.type("array_pointer") == "int (*)[3]");
    CHECK(look.type("virtual_method") == "int (shapes::Base::*)() const");
    CHECK(look.type("string") == "const char *");
    CHECK(look.type("changing") == "volatile int");

    CHECK(look.show("derived.x + derived.inner_b + derived.nested.deep") == "10");
    CHECK(look.show("derived.reference") == "31");
    CHECK(look.show("derived.halves") == "{1, 2}");
    CHECK(look.show("derived.s") == "9");
    CHECK(look.show("(shapes::Second&)derived") == "{s=9}");
    CHECK(look.show("diamond.base_value + diamond.left + diamond.right + diamond.bottom") == "106");
    CHECK(look.show("as_base->base_value") == "100");
    CHECK(look.show("as_left.base_value") == "100");
    CHECK(look.show("(Base*)&diamond == as_base") == "true");
    CHECK(look.show("&diamond == as_base") == "true");
    CHECK(look.show("as_base->shared + Base::shared") == "10");
    CHECK(look.show("Base::fixed") == "77");
    CHECK(look.show("head->next->next->value") == "3");
    CHECK(look.show("head->next->next->next") == "0x0");
    CHECK(look.show("array_pointer[0][2] + (*array_pointer)[0]") == "10");
    CHECK(look.show("derived.*member") == "1");
    CHECK(look.show("derived.*&Plainly::x") == "1");
    CHECK(look.show("*pointer_to_pointer == &array[1] && **pointer_to_pointer == 20") == "true");
    CHECK(look.show("pointer[-1]@3") == "{10, 20, 30}");
    CHECK(look.show("function == add") == "true");
    CHECK(look.show("functions[1] == &shapes::subtract") == "true");
    CHECK(look.show("string == \"a \\\"quoted\\\" string\"") == "true");
    CHECK(look.show("bits.d - 1") == "78187493529");
    CHECK(look.show("sizeof(Diamond) == sizeof diamond") == "true");
    CHECK(look.show("*unknown") == "<incomplete type>");
    CHECK(look.show("unknown->x") ==
          "shapes::Forward is only declared in the debug information at hand: its members are not known");
    CHECK(look.show("unknown + 1").find("the size of shapes::Forward is not known") != std::string::npos);
    CHECK(look.show("derived.nestde").find("did you mean `nested`?") != std::string::npos);
    CHECK(look.show("null_string[0]").find("nothing to read at 0x0") != std::string::npos);
    CHECK(look.show("arary") == "no symbol `arary` in stops::compounds; did you mean `array`?");
  });
}

TEST_CASE("each child's expression finds the child again") {
  in_each({"", "clang", "types", "clang-types"}, "compounds", [](Look& look) {
    std::size_t visited = 0;
    const std::function<void(const eval::Value&, const std::string&, int)> walk =
        [&](const eval::Value& value, const std::string& expression, int depth) {
          const auto view = look.view();
          const auto count = eval::child_count(view, value);
          if (depth > 3 || count.named + count.indexed == 0) return;
          const auto page = eval::children(view, value, expression, 0, 8);
          REQUIRE(page);
          for (const auto& child : *page) {
            CAPTURE(child.evaluate_name);
            const auto again = eval::evaluate(view, child.evaluate_name);
            REQUIRE_MESSAGE(again.has_value(), again.error().message);
            ++visited;
            if (child.name.starts_with("<anonymous")) continue;  // its expression is its parent's
            CHECK(eval::address_of(*again).has_value() == eval::address_of(child.value).has_value());
            // A reference's own place is not what its name means.
            if (!child.value.type->is_reference())
              CHECK(eval::summary(view, *again) == eval::summary(view, child.value));
            walk(child.value, child.evaluate_name, depth + 1);
          }
        };
    for (const auto& variable : eval::locals(look.view())) walk(variable.value, variable.name, 0);
    CHECK(visited > 100);
  });
}

TEST_CASE("names: blocks, statics, namespaces, using directives and declarations, aliases, files") {
  in_each(plain_builds, "scopes", [](Look& look) {
    CHECK(look.show("shadow") == "3");
    CHECK(look.show("innermost") == "4");
    CHECK(look.show("outer + argument") == "43");
    CHECK(look.show("calls") == "6");
    CHECK(look.show("stops::scopes::calls") == "6");
    CHECK(look.show("only_inner") == "44");
    CHECK(look.show("hidden") == "99");
    CHECK(look.show("::global_number") == "41");
    CHECK(look.show("shapes::global_number") == "42");
    CHECK(look.show("shapes::inner::global_number") == "43");
    CHECK(look.show("shapes::versioned + shapes::v1::versioned") == "90");
    CHECK(look.show("shapes::file_static") == "-5");
    CHECK(look.show("'values.cpp'::shapes::file_static") == "-5");
    // clang leaves out what nothing needs as an object.
    const std::string greeting = look.show("shapes::greeting");
    CHECK_MESSAGE((greeting.ends_with("\"hello\"") || greeting == "`shapes::greeting`: optimized out"), greeting);
    CHECK(look.show("shapes::box.items[1]") == "8");
    CHECK(look.show("shapes::Box<int, 3>::total") == "3");
    CHECK(look.show("sizeof(shapes::Box<int,3>)") == "12");
    CHECK(look.show("table[1][2]") == "6");
    CHECK(look.show("sizeof(struct S9)").find("S9") != std::string::npos);  // nothing uses it: in no DWARF
    const auto locals = eval::locals(look.view());
    REQUIRE(locals.size() >= 4);
    CHECK(locals[0].name == "shadow");
    CHECK(locals[0].scope_note.empty());
    bool shadowed = false;
    for (const auto& local : locals) shadowed = shadowed || (local.name == "shadow" && local.scope_note == "shadowed");
    CHECK(shadowed);
    const auto globals = eval::globals(look.view());
    bool found = false;
    for (const auto& global : globals)
      found = found || (global.name == "shapes::global_number" && eval::summary(look.view(), global.value) == "42");
    CHECK(found);
    // A frame up: main's own names.
    CHECK(look.show("n", 1) == "42");
    CHECK(look.show("words[1] == \"scopes\"", 1) == "true");
    CHECK(look.show("$rip == $pc && $sp != 0", 1) == "true");
  });
}

TEST_CASE("this: members by their own name, in the class and its bases") {
  in_each({"", "dwarf4", "types", "types5", "clang", "clang-types"}, "method", [](Look& look) {
    CHECK(look.show("x") == "1");
    CHECK(look.show("this->x + by + whole") == "131077");
    CHECK(look.show("s") == "9");
    CHECK(look.show("Second::s") == "9");
    CHECK(look.show("halves[1]") == "2");
    CHECK(look.show("nested") == "{deep=5}");
    CHECK(look.show("sizeof(Nested)") == "4");
    CHECK(look.show("*this").starts_with("{Plainly={...}, Second={...}, text="));
    CHECK(look.show("reference = 5", 0, true) == "5");
    CHECK(look.show("target", 1) == "5");
  });
}

TEST_CASE("an array whose length the program computed") {
  in_each(all_builds, "vla", [](Look& look) {
    CHECK(look.local("vla") == "{0, 1, 4, 9, 16}");
    CHECK(look.show("vla[3]") == "9");
    CHECK(look.show("sizeof vla") == "20");
    CHECK(look.type("vla") == "int[5]");
  });
}

TEST_CASE("values in registers: read, and written back into the running program") {
  in_each(all_builds, "registers", [](Look& look) {
    CHECK(look.local("product") == "126");
    CHECK(look.show("a") == "42");
    CHECK(look.show("b / 1000") == "1000000000");
    CHECK(look.show("c * 2") == "5");
    CHECK(look.show("product = 99", 0, true) == "99");
    CHECK(look.show("product") == "99");
    CHECK(look.show("c = 7.5", 0, true) == "7.5");
    CHECK(look.show("c") == "7.5");
    CHECK(look.show("$rax = 0x1234", 0, true) == "4660");
    CHECK(look.show("$al") == "52 '4'");
    CHECK(look.show("$eax == $rax") == "true");
    CHECK(look.show("$xmm15.v4_float[2] = 1.25f", 0, true) == "1.25");
    CHECK(look.show("$xmm15.v4_float[2]") == "1.25");
    CHECK(look.show("product = 1") == "`product = 1` would change the program, and this is a place for looking only");
  });
}

TEST_CASE("an object in two registers, and one whose halves are elsewhere") {
  in_each({"", "dwarf4", "clang", "clang-O2", "clang-O2-dwarf4"}, "pieces", [](Look& look) {
    CHECK(look.local("pair") == "{first=42, second=43}");
    CHECK(look.show("pair.second - pair.first") == "1");
    const auto pair = eval::evaluate(look.view(), "pair");
    REQUIRE(pair);
    const auto parts = eval::children(look.view(), *pair, "pair", 0, 0);
    REQUIRE(parts);
    CHECK(eval::summary(look.view(), (*parts)[1].value) == "43");
  });
}

TEST_CASE("an object of which one half is there") {
  in_each({"O2", "O2-dwarf4", "clang-O2", "clang-O2-dwarf4"}, "half", [](Look& look) {
    CHECK(look.local("pair") == "{first=43, second=<optimized out>}");
    CHECK(look.show("pair.first") == "43");
    CHECK(look.show("pair.second") == "<optimized out>");
    CHECK(look.show("pair.second = 1", 0, true).find("optimized out") != std::string::npos);
    CHECK(look.show("pair.second + 1").find("optimized out") != std::string::npos);
  });
}

TEST_CASE("what was lost says so; what the caller knows is taken from there") {
  for (const bool clang : {false, true})
    in_each(clang ? std::vector<std::string_view>{"clang-O2", "clang-O2-dwarf4"}
                  : std::vector<std::string_view>{"O2", "O2-dwarf4"},
            "entry", [&](Look& look) {
              CHECK(look.local("x") == "1111");
              const std::string lost = look.local("lost", look.level_of("stops::entry_values"));
              CHECK_MESSAGE((lost == "1111" || lost == "<not available>" || lost == "<optimized out>"), lost);
              look.go_on();
              CHECK(look.function() == "stops::entry_values");
              // In no register any more: gcc says that main's call site tells, clang that it is lost.
              CHECK(look.local("lost") == (clang ? "<optimized out>" : "1111"));
              CHECK(look.local("kept") == "2222");
            });
}

TEST_CASE("inlined calls: their parameters and locals") {
  in_each(all_builds, "inlined", [](Look& look) {
    CHECK(look.function() == "stops::inlined");
    CHECK(look.local("local") == "104");
    CHECK(look.local("mine", 1) == "52");
    CHECK(look.show("local + 1") == "105");
    CHECK(look.show("mine").find("no symbol `mine` in stops::inlined") == 0);
  });
}

TEST_CASE("constants that exist in the debug information only") {
  in_each(all_builds, "constants", [](Look& look) {
    CHECK(look.local("known") == "1234");
    CHECK(look.local("sum") == "1276");
    CHECK(look.local("n") == "42");
    CHECK(look.local("removed") == "294");
  });
  in_each({"O2", "O2-dwarf4"}, "constants", [](Look& look) {
    CHECK(look.show("known = 1", 0, true).find("computes and keeps nowhere") != std::string::npos);
    CHECK(look.show("&known").find("has no address") != std::string::npos);
  });
}

TEST_CASE("a pointer that the optimiser removed still leads to its object") {
  in_each(all_builds, "removed", [](Look& look) {
    const std::string pointer = look.local("pointer"), object = look.local("object");
    if (pointer != "<optimized out>" && object != "<optimized out>") CHECK(look.show("*pointer") == object);
    if (object != "<optimized out>") CHECK(object == look.show("object"));
  });
}

TEST_CASE("a removed pointer is not shown as an address, and is followed all the same") {
  in_each({"O2", "O2-dwarf4"}, "removed", [](Look& look) {
    CHECK(look.local("pointer") == "(synthetic pointer)");
    CHECK(look.show("*pointer") == "361");
    CHECK(look.show("object") == "361");
    const auto pointer = eval::evaluate(look.view(), "pointer");
    if (!pointer) return;
    const auto below = eval::children(look.view(), *pointer, "pointer", 0, 0);
    REQUIRE(below);
    REQUIRE(below->size() == 1);
    CHECK(eval::summary(look.view(), below->at(0).value) == "361");
  });
}

TEST_CASE("thread-local variables, of this thread") {
  in_each({"", "O2", "nopie", "static", "clang", "clang-O2"}, "thread", [](Look& look) {
    CHECK(look.show("shapes::per_thread") == "22");
    CHECK(look.show("&shapes::per_thread == 0") == "false");
  });
  in_each({"", "static"}, "scalars", [](Look& look) { CHECK(look.show("shapes::per_thread") == "11"); });
}

TEST_CASE(
    "a condition is bound once for all the code in which its names mean the same, and its tree names no process") {
  for (const char* variant : {"", "O2", "nopie", "clang", "clang-O2", "O2-dwarf4"}) {
    CAPTURE(variant);
    Look look(build(variant), "scopes");
    eval::ConditionCache cache;
    const auto here = eval::place_of(look.view());
    const auto block = sym::same_blocks_around(here.scope, here.file_pc);
    CHECK(block.contains(here.file_pc));
    CHECK(block.end - block.begin > 1);
    for (auto place = here; place.file_pc < block.end; ++place.file_pc) {
      const auto& tree = cache.find(look.view(), place, "shadow + innermost + argument");
      REQUIRE(tree);
      // Where its variables are is in the tree: nothing more of the debug information is wanted to run it.
      const auto check = [&](const eval::Node& node, const auto& self) -> std::size_t {
        std::size_t variables = 0;
        if (node.kind == eval::NodeKind::variable) {
          ++variables;
          REQUIRE(node.place);
          const auto* entry = node.place->locations.at(place.file_pc);
          const auto read = sym::location_of(node.symbol.die, place.file_pc);
          REQUIRE(read);
          CHECK((entry == nullptr ? 0 : entry->expression->size()) == read->size());
        }
        for (const auto& kid : node.kids) variables += self(*kid, self);
        return variables;
      };
      CHECK(check(**tree, check) == 3);
    }
    CHECK(cache.bound() == 1);
    auto outside = here;
    outside.file_pc = block.begin - 1;
    static_cast<void>(cache.find(look.view(), outside, "shadow + innermost + argument"));
    CHECK(cache.bound() == 2);
    CHECK(eval::condition(look.view(), "shadow == 3 && argument == 42", cache).value());
    CHECK(cache.bound() == 3);
    // What is wrong now may be right later: an index comes, a visualiser changes.
    for (std::size_t times = 1; times <= 2; ++times) {
      CHECK_FALSE(cache.find(look.view(), here, "nonsense"));
      CHECK(cache.bound() == 3 + times);
    }
  }
}

TEST_CASE("conditions say what is wrong with them") {
  Look look(build(""), "scopes");
  const auto cache = eval::make_condition_cache();
  for (int i = 0; i < 3; ++i) {
    CHECK(eval::condition(look.view(), "argument == 42 && shadow < 4", *cache).value());
    CHECK_FALSE(eval::condition(look.view(), "argument > 42", *cache).value());
    const auto bad = eval::condition(look.view(), "argumnt > 42", *cache);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message == "no symbol `argumnt` in stops::scopes; did you mean `argument`?");
    CHECK_FALSE(eval::condition(look.view(), "argument = 1", *cache));
  }
  CHECK(eval::condition(look.view(1), "n == 42", *cache).value());
  CHECK(look.show("argument") == "42");
}

TEST_CASE("log texts") {
  Look look(build(""), "scopes");
  const auto text = [&](std::string_view message) { return eval::log_text(look.view(), message); };
  CHECK(text("argument is {argument}, twice {argument * 2}") == "argument is 42, twice 84");
  CHECK(text("{{literal}} {outer}") == "{literal} 1");
  CHECK(text("{nonsense}") == "<error: no symbol `nonsense` in stops::scopes>");
  CHECK(text("{ } and {unclosed") == "{ } and {unclosed");
  CHECK(text("{*{int}&argument} {'}'}").find("125 '}'") != std::string::npos);
}

TEST_CASE("an ELF symbol without debug information asks for a cast") {
  Look look(build("static"), "scalars");
  CHECK(look.show("_dl_pagesize") == "<data variable, no debug information>");
  CHECK(look.show("_dl_pagesize + 1") == "`_dl_pagesize` has no debug information, so its type is not known");
  CHECK(look.show("(long)_dl_pagesize") == "4096");
  CHECK(look.show("*(int*)&_dl_pagesize") == "4096");
}
