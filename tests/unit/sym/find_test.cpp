// Debug information in every shape and place: what is asked of find_shapes has one answer, wherever it lies.
//
// The builds of one compiler at one level have the same code, so all that can be said about them is compared as text
// with what the plain build says: every line, inlined call, variable, location and type, at every address.
#include <array>
#include <map>
#include <set>

#include "daemon/sym/location.hpp"
#include "daemon/sym/variable.hpp"
#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr const char* source = "find_shapes.cpp";

std::string program(std::string_view kind) { return fixture(fmt::format("find_shapes.{}", kind)); }

std::string text_of(const sym::Expression& expression) {
  std::string text;
  for (const auto& op : expression) {
    // What names an address by its place in a table means the address.
    const bool indexed = op.code == 0xa1 || op.code == 0xa2 || op.code == 0xfb || op.code == 0xfc;
    const int code = op.code == 0xa1 || op.code == 0xfb ? 0x03 : indexed ? 0x0e : op.code;
    text += fmt::format("{:x}:{:x}", code, op.inner.empty() ? op.a : 0);
    // libdw gives a pointer to an expression within, or to a block.
    const bool pointer = !op.inner.empty() || !op.block.empty();
    if (code != 0x03 && code != 0x0e && !pointer) text += fmt::format(",{:x}", op.b);
    text += fmt::format("[{}]({}){} ", op.block.size(), text_of(op.inner), op.type ? op.type->name() : "");
  }
  return text;
}

std::string text_of(const sym::Type* type, int depth = 0) {
  type = type->complete();
  std::string text = fmt::format("{} of {}", type->name(), type->size().value_or(0));
  if (depth > 4) return text;
  for (const auto& member : type->members())
    text +=
        fmt::format("\n{:{}}{} @{}.{}:{} kind {} {}", "", depth * 2 + 2, member.name, member.offset, member.bit_offset,
                    member.bit_size, static_cast<int>(member.kind), text_of(member.type, depth + 1));
  for (const auto& one : type->enumerators()) text += fmt::format(" {}={}", one.name, one.value);
  for (const auto& one : type->template_arguments())
    text += fmt::format(" <{} {} {}>", one.name, one.type->name(), one.value.value_or(0));
  if (type->kind() == sym::TypeKind::pointer) text += " -> " + type->target()->name();
  return text;
}

std::string text_of(const Result<sym::Expression>& found) { return found ? text_of(*found) : found.error().message; }

std::string text_of(const Result<sym::LocationList>& list, std::uint64_t at) {
  if (!list) return list.error().message;
  const auto* entry = list->at(at);
  return entry == nullptr ? "" : text_of(entry->expression);
}

// What is read for one pc, and the whole list that is read once, say the same.
std::string location(const sym::Variable& variable, std::uint64_t at) {
  auto found = text_of(sym::location_of(variable.die, at));
  if (const auto listed = text_of(sym::locations_of(variable.die), at); listed != found)
    FAIL_CHECK(variable.name << " at " << at << ": " << found << " and in the list " << listed);
  return found;
}

std::string scope_text(const sym::DieRef& scope, std::uint64_t at) {
  std::string text;
  const auto add = [&](const char* what, const sym::Variable& one) {
    text += fmt::format("  {} {}: {} line {}{}{} at {}\n", what, one.name, one.type->name(), one.declared.value,
                        one.gone ? " gone" : "", one.is_static ? " static" : "", location(one, at));
  };
  for (const auto& one : sym::parameters_of(scope)) add("parameter", one);
  for (const auto& one : sym::locals_of(scope, at)) add("local", one);
  const auto base = text_of(sym::frame_base_of(scope, at));
  CHECK(text_of(sym::frame_bases_of(scope), at) == base);
  return text + "  frame base " + base + "\n";
}

// Names mean the same from one end of the stretch to the other.
void check_stretch(const sym::DieRef& scope, std::uint64_t at) {
  const auto stretch = sym::same_blocks_around(scope, at);
  REQUIRE(stretch.contains(at));
  const auto dies = [&](std::uint64_t pc) {
    std::vector<sym::DieRef> all;
    for (const auto& one : sym::locals_of(scope, pc)) all.push_back(one.die);
    return all;
  };
  const auto here = dies(at);
  CHECK(dies(stretch.begin) == here);
  CHECK(dies(stretch.end - 1) == here);
}

std::string function_text(const sym::Module& module, std::string_view name) {
  std::string text;
  for (const auto& function : module.functions_named(name)) {
    text += fmt::format("{} {} {:#x} after {:#x}", function.name, function.linkage_name, function.entry,
                        module.after_prologue(function.entry));
    for (const auto& range : function.ranges) {
      text += fmt::format(" [{:#x},{:#x})", range.begin, range.end);
      for (auto at = range.begin; at < range.end; ++at) {
        const auto line = module.line_at(at);
        text += fmt::format("\n{:#x} {}", at, line ? line->line.value : 0);
        for (const auto& level : module.inline_chain(at)) {
          text += fmt::format(" {} from {}:{}\n", level.name, level.call_file, level.call_line.value);
          text += scope_text(level.die, at);
          check_stretch(level.die, at);
        }
      }
    }
  }
  return text;
}

std::string lookup_text(const sym::Module& module, const std::vector<std::string>& parts) {
  const std::array<const sym::Module*, 1> modules{&module};
  std::string text;
  for (const auto& symbol :
       sym::lookup({.scope = {}, .pc = 0, .modules = modules}, {.parts = parts, .global = false, .file = {}})) {
    text += fmt::format("{} {}{}{} {}", symbol.name, static_cast<int>(symbol.kind), symbol.gone ? " gone" : "",
                        symbol.declaration ? " declared" : "", symbol.type ? text_of(symbol.type) : "");
    if (symbol.kind == sym::Symbol::Kind::variable)
      if (const auto place = sym::location_of(symbol.die, 0)) text += " at " + text_of(*place);
    text += "\n";
  }
  return text;
}

// All of it, by question.
std::map<std::string, std::string> answers(const sym::Module& module) {
  std::map<std::string, std::string> all;
  all["problem"] = module.debug_problem();
  for (const auto* name : {"main", "shapes::stops", "far_away", "take", "sum"}) all[name] = function_text(module, name);
  for (const auto* name : {"squared", "shapes::sum_of_squares"}) {
    std::set<std::string> places;
    for (const auto& one : module.inlined_instances(name)) places.insert(fmt::format("{} {:#x}", one.name, one.entry));
    for (const auto& place : places) all[std::string("inlined ") + name] += place + "\n";
  }
  for (const auto* name : {"squared", "sum", "stop", "call", "take", "far"})
    for (const auto& match : module.addresses_of(source, mark(source, name), 0).matches)
      all[std::string("line ") + name] += fmt::format("{:#x} {}\n", match.address, match.line.value);
  const std::vector<std::vector<std::string>> names{{"shapes", "counter"},
                                                    {"shapes", "Pair"},
                                                    {"shapes", "Base", "made"},
                                                    {"shapes", "depth"},
                                                    {"shapes", "spare"},
                                                    {"shapes", "there"},
                                                    {"shapes", "hidden"},
                                                    {"shapes", "Either"},
                                                    {"shapes", "Color"},
                                                    {"shapes", "OnlyThere"},
                                                    {"shapes", "Box<int, 2>"},
                                                    {"shapes", "Color", "green"},
                                                    {"shapes", "OnlyThere", "link"},
                                                    {"shapes", "nowhere"}};
  for (const auto& parts : names) all["name " + parts.back()] = lookup_text(module, parts);
  for (const auto& file : module.source_files()) all["files"] += file + "\n";
  all["optimized"] = module.optimized().value_or(false) ? "yes" : "no";
  return all;
}

std::string plain_build_of(const std::string& kind) {
  const auto plain = kind.substr(0, kind.find('.') + 2);
  return kind.find(".O2") == std::string::npos ? plain : plain + ".O2";
}

// Questions that begin with `about`.
void compare(const std::string& kind, const sym::Module& module, std::string_view about = "") {
  CAPTURE(kind);
  const auto expected = answers(*open(program(plain_build_of(kind)), {.debug_dirs = {}}));
  const auto got = answers(module);
  for (const auto& [question, answer] : expected) {
    if (!question.starts_with(about)) continue;
    CAPTURE(question);
    const auto found = got.find(question);
    REQUIRE(found != got.end());
    if (found->second == answer) continue;
    std::size_t at = 0;
    while (at < answer.size() && at < found->second.size() && answer[at] == found->second[at]) ++at;
    const auto from = at > 300 ? at - 300 : 0;
    FAIL_CHECK("it says\n..." << found->second.substr(from, 700) << "\n--- where the plain build says\n..."
                              << answer.substr(from, 700));
  }
}

}  // namespace

TEST_CASE("the plain builds say what the source does") {
  for (const auto* kind : {"gcc.4", "gcc.5", "clang.4", "clang.5"}) {
    CAPTURE(std::string(kind));
    const auto module = open(program(kind), {.debug_dirs = {}});
    auto all = answers(*module);
    CHECK(all["problem"] == "");
    CHECK(module->functions_named("shapes::stops").size() == 1);
    CHECK(module->inlined_instances("squared").size() == 4);
    CHECK(module->inlined_instances("sum_of_squares").size() == 2);
    const auto inside = module->addresses_of(source, mark(source, "squared"), 0).matches;
    REQUIRE(inside.size() == 4);
    const auto chain = module->inline_chain(inside[0].address);
    REQUIRE(chain.size() == 3);
    CHECK(chain[0].name == "shapes::squared");
    CHECK(chain[1].name == "shapes::sum_of_squares");
    CHECK(all["name counter"].find("shapes::counter 0 int of 4 at 3:") == 0);
    CHECK(all["name Box<int, 2>"].find("color @16.0:4 kind 0 shapes::Color of 1 red=0 green=7") != std::string::npos);
    CHECK(all["name depth"].find("at e:") != std::string::npos);
    CHECK(all["name there"].find("shapes::OnlyThere of 16") != std::string::npos);
  }
}

TEST_CASE("wherever it lies, the debug information says the same") {
  for (const auto* kind : {"gcc.4.split",         "gcc.5.split",         "clang.4.split",
                           "clang.5.split",       "gcc.4.dwp",           "gcc.5.dwp",
                           "clang.4.dwp",         "clang.5.dwp",         "gcc.4.types",
                           "gcc.5.types",         "gcc.4.types.split",   "gcc.5.types.split",
                           "clang.4.types.split", "clang.5.types.split", "gcc.4.types.dwp",
                           "gcc.5.types.dwp",     "clang.5.types.dwp",   "gcc.5.gz",
                           "gcc.5.zstd",          "gcc.5.split.gz",      "clang.5.dwp.gz",
                           "gcc.5.dwz",           "gcc.5.shared",        "gcc.5.stripped",
                           "gcc.4.O2.split",      "gcc.5.O2.split",      "clang.4.O2.split",
                           "clang.5.O2.split",    "gcc.4.O2.dwp",        "clang.5.O2.dwp"}) {
    compare(kind, *open(program(kind), {.debug_dirs = {}}));
  }
}

// As a session opens a large program whose index is being built.
const sym::SearchOptions before_its_index{.debug_dirs = {}, .index_worth = 1, .index_comes = true};

TEST_CASE("names are answered before there is an index, from the units that have them, and no index is built for it") {
  for (const auto* kind : {"gcc.4", "gcc.5", "clang.4", "clang.5", "gcc.4.types", "gcc.5.types", "gcc.4.O2", "gcc.5.O2",
                           "clang.4.O2", "clang.5.O2", "gcc.5.gz", "gcc.5.zstd", "clang.5.names", "gcc.5.gdbindex"}) {
    const auto module = open(program(kind), before_its_index);
    compare(kind, *module, "name ");
    CHECK(module->wants_index());
  }
}

TEST_CASE("what a table of names has elsewhere hides nothing that it leaves out") {
  const TemporaryFolder folder;
  // .debug_names has variables, and no enumerators.
  std::ofstream(folder / "a.cpp") << "namespace other { int RED = 3; }\nint main() { return other::RED; }\n";
  std::ofstream(folder / "b.cpp") << "namespace ns { enum Color { RED = 1 }; Color held = RED; }\n";
  const auto built = folder / "program";
  CHECK(lines_of(
            fmt::format("clang++ -g -gdwarf-5 -gpubnames {} {} -o {} 2>&1", folder / "a.cpp", folder / "b.cpp", built))
            .empty());
  CHECK(lookup_text(*open(built, before_its_index), {"other", "RED"}).find("other::RED") == 0);
  const auto text = lookup_text(*open(built, {.debug_dirs = {}}), {"ns", "RED"});
  CHECK(text.find("ns::RED") == 0);
  CHECK(lookup_text(*open(built, before_its_index), {"ns", "RED"}) == text);
}

// Without the symbols that would name functions too.
std::string without_symbols(const TemporaryFolder& folder, std::string_view kind) {
  const auto path = folder / "program";
  lines_of(fmt::format("objcopy -w --strip-symbol='*' {} {} 2>&1", program(kind), path));
  return path;
}

TEST_CASE("functions are answered before there is an index where the file has a table of names") {
  for (const auto* kind : {"clang.5.names", "clang.5.O2.names", "gcc.5.gdbindex", "gcc.5.O2.gdbindex"}) {
    CAPTURE(std::string(kind));
    const TemporaryFolder folder;
    const auto path = without_symbols(folder, kind);
    const auto module = open(path, before_its_index);
    CHECK(module->symbols_named("far_away").empty());
    for (const auto* question : {"main", "shapes::stops", "far_away", "take", "sum", "name "})
      compare(kind, *module, question);
    if (std::string_view(kind).ends_with("names")) compare(kind, *module, "inlined");
    CHECK(module->functions_named("no_such_function").empty());
    CHECK(module->functions_named("shapes::main").empty());
    CHECK(module->wants_index());
  }
}

TEST_CASE("a table of names that is damaged or another file's is not believed") {
  for (const auto& [kind, section, other] : {std::tuple("clang.5.names", ".debug_names", "clang.5.O2.names"),
                                             std::tuple("gcc.5.gdbindex", ".gdb_index", "gcc.5.O2.gdbindex")}) {
    CAPTURE(std::string(kind));
    const TemporaryFolder folder;
    const auto path = without_symbols(folder, kind);
    lines_of(fmt::format("objcopy --dump-section {}={} {} /dev/null 2>&1", section, folder / "other", program(other)));
    std::ofstream(folder / "noise") << std::string(4096, '\xff');
    for (const auto* from : {"other", "noise"}) {
      CAPTURE(std::string(from));
      lines_of(
          fmt::format("objcopy --update-section {}={} {} {} 2>&1", section, folder / from, path, folder / "changed"));
      const auto module = open(folder / "changed", before_its_index);
      const auto found = module->functions_named("shapes::far_away");
      CHECK(found.size() <= 1);
      for (const auto& function : found) CHECK(function.name == "shapes::far_away");
      if (std::string_view(from) == "noise") CHECK(found.empty());
      compare(kind, *module, "name ");
      CHECK(module->wants_index());
    }
  }
}

std::uint32_t line_with(std::string_view text) {
  std::ifstream file(fmt::format("{}/{}", TL_FIXTURE_SOURCES, source));
  std::uint32_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find(text) != std::string::npos) return number;
  }
  FAIL("no line with " << text);
  return 0;
}

using Named = sym::Module::Named;

// "shapes::Color type 7", in the order of the answer.
std::vector<std::string> named(const sym::Module& module, std::string_view query) {
  std::vector<std::string> found;
  for (const auto& one : module.find_named(query, 50)) {
    CHECK(one.file.ends_with(source));
    CHECK(one.die);
    const char* kinds[] = {"type", "variable", "enumerator"};
    found.push_back(fmt::format("{} {} {}", one.name, kinds[static_cast<int>(one.kind)], one.line.value));
    if (one.address) found.back() += " placed";
  }
  return found;
}

TEST_CASE("types, variables and enumerators are found by name, by a part of it, by a regular expression") {
  const auto color = line_with("enum class Color"), box = line_with("struct Box"),
             there = line_with("struct OnlyThere");
  using List = std::vector<std::string>;
  for (const auto* kind : {"gcc.4", "gcc.5", "clang.4", "clang.5", "gcc.5.split", "clang.4.dwp", "gcc.5.dwz",
                           "gcc.5.shared", "gcc.5.zstd", "gcc.4.types"}) {
    CAPTURE(std::string(kind));
    const auto module = open(program(kind), {.debug_dirs = {}});
    CHECK(named(*module, "Color") == List{fmt::format("shapes::Color type {}", color)});
    CHECK(named(*module, "shapes::Color::green") == List{fmt::format("shapes::Color::green enumerator {}", color)});
    CHECK(named(*module, "Color::gree") == List{fmt::format("shapes::Color::green enumerator {}", color)});
    CHECK(named(*module, "Box<int, 2>") == List{fmt::format("shapes::Box<int, 2> type {}", box)});
    CHECK(named(*module, "Box") == List{fmt::format("shapes::Box<int, 2> type {}", box)});
    CHECK(named(*module, "nlyTher") == List{fmt::format("shapes::OnlyThere type {}", there)});
    CHECK(named(*module, "/^shapes::Only.*e$/") == List{fmt::format("shapes::OnlyThere type {}", there)});
    const auto members = module->find_named("Base::made", 50);
    REQUIRE(members.size() == 1);
    CHECK(members[0].kind == Named::Kind::variable);
    CHECK(members[0].address == module->symbols_named("_ZN6shapes4Base4madeE").at(0).address);
    const auto counters = module->find_named("shapes::counter", 50);
    REQUIRE(counters.size() == 1);
    CHECK(counters[0].address == module->symbols_named("_ZN6shapes7counterE").at(0).address);
    CHECK(module->find_named("", 3).size() == 3);
    CHECK(named(*module, "far_away").empty());  // a function
    CHECK(named(*module, "Color(int)").empty());
    CHECK(named(*module, "no_such_thing").empty());
  }
  const auto module = open(program("gcc.5"), before_its_index);
  CHECK(named(*module, "Either").size() == 1);
  CHECK(module->wants_index());
}

TEST_CASE("the function and the file that were nearly written") {
  for (const auto* kind : {"gcc.5", "clang.4", "gcc.5.O2"}) {
    CAPTURE(std::string(kind));
    const auto module = open(program(kind), {.debug_dirs = {}});
    CHECK(module->similar_function("shapes::stop").name == "shapes::stops");
    CHECK(module->similar_function("far_awya").name == "shapes::far_away");
    CHECK(module->similar_function("SUM_of_square").name == "shapes::sum_of_squares");
    CHECK(module->similar_function("far_awya(int)").distance == 1);
    CHECK(module->similar_function("quite_another_name").name == "");
    CHECK(module->similar_function("/stop/").name == "");
    const auto lines = module->addresses_of("somewhere/find_shape.cpp", {20}, 0);
    CHECK(lines.near_match.ends_with("/find_shapes.cpp"));
    CHECK(module->addresses_of("nothing_like_it.cpp", {20}, 0).near_match == "");
  }
  CHECK(open(program("gcc.5"), before_its_index)->similar_function("far_awya").name == "");  // not known yet
}

TEST_CASE("a .dwo file that is missing is told by name, and the rest goes on") {
  TemporaryFolder folder;
  std::filesystem::copy(program("gcc.5.split"), folder / "program");
  std::filesystem::create_directories(folder / "found");
  const auto objects = program("gcc.5.split") + ".d";
  // Where the compiler left them they are found: the build's folder is named in the program. Under another root they
  // are not.
  const auto module = open(program("gcc.5.split"), {.debug_dirs = {}});
  CHECK(module->functions_named("far_away").size() == 1);
  CHECK(module->debug_problem() == "");
  std::filesystem::copy(objects + "/unit1.dwo", folder / "unit1.dwo");
  const auto part = std::filesystem::path(objects) / "unit2.dwo";
  std::filesystem::rename(part, folder / "away.dwo");
  struct Back {
    std::filesystem::path from, to;
    ~Back() { std::filesystem::rename(from, to); }
  } const back{folder / "away.dwo", part};
  const auto lacking = open(program("gcc.5.split"), {.debug_dirs = {}});
  CHECK(lacking->inline_chain(lacking->functions_named("stops").at(0).entry).size() == 1);
  const auto there = lacking->functions_named("shapes::far_away");
  REQUIRE(there.size() == 1);  // its symbol
  CHECK_FALSE(there[0].die);
  CHECK(lacking->line_at(there[0].entry)->line.value > 0);  // the line table stays in the program
  CHECK(lacking->debug_problem().find("unit2.dwo not found: looked in ") != std::string::npos);
  CHECK(lacking->functions_named("shapes::stops").at(0).die);

  SUBCASE("another build's is refused") {
    std::filesystem::copy(objects + "/unit1.dwo", part);
    const auto wrong = open(program("gcc.5.split"), {.debug_dirs = {}});
    CHECK_FALSE(wrong->functions_named("shapes::far_away").at(0).die);
    CHECK(wrong->debug_problem().find("another build") != std::string::npos);
    std::filesystem::remove(part);
  }
  SUBCASE("in a debug folder it is found") {
    std::filesystem::copy(folder / "away.dwo", folder / "found/unit2.dwo");
    const auto found = open(program("gcc.5.split"), {.debug_dirs = {folder / "found"}});
    CHECK(found->functions_named("shapes::far_away").at(0).die);
    CHECK(found->debug_problem() == "");
  }
}
