// One program, compiled in every way that changes its debug information; answers are held against marks in its source,
// and against addr2line and nm.
#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr const char* source = "code_shapes.cpp";

struct Build {
  const char* name;
  bool optimized;
};
constexpr Build with_debug_info[] = {
    {"code_shapes", false},
    {"code_shapes.O2", true},
    {"code_shapes.nopie", false},
    {"code_shapes.O2-nopie", true},
    {"code_shapes.dwarf4", false},
    {"code_shapes.O2-dwarf4", true},
    {"code_shapes.compressed", false},
    {"code_shapes.static", false},
    {"code_shapes.types", false},
    {"code_shapes.lto", true},
    {"code_shapes.clang", false},
    {"code_shapes.clang-O2", true},
};

std::set<std::string> names_at(const sym::Module& module, const std::vector<sym::LineMatch>& matches) {
  std::set<std::string> names;
  for (const auto& match : matches)
    for (const auto& scope : module.inline_chain(match.address))
      if (scope.die == match.function) names.insert(scope.name);
  return names;
}

std::uint64_t symbol_by_nm(const std::string& file, const std::string& mangled) {
  for (const auto& line : lines_of(fmt::format("nm {}", file)))
    if (line.ends_with(" " + mangled)) return std::stoull(line.substr(0, 16), nullptr, 16);
  FAIL("nm does not know " << mangled << " in " << file);
  return 0;
}

// addr2line's "file:line" for each address; "??:0" for none.
std::vector<std::string> by_addr2line(const std::string& file, const std::vector<std::uint64_t>& addresses) {
  TemporaryFolder folder;
  std::ofstream list(folder / "addresses");
  for (const auto at : addresses) list << fmt::format("{:#x}\n", at);
  list.close();
  auto lines = lines_of(fmt::format("addr2line -e {} < {}", file, folder / "addresses"));
  for (auto& line : lines) {
    if (const auto more = line.find(" (disc"); more != std::string::npos) line.resize(more);
    line = std::filesystem::path(line).lexically_normal().string();
  }
  return lines;
}

}  // namespace

TEST_CASE("a module says what it is") {
  const auto pie = open_fixture("code_shapes");
  CHECK(pie->position_independent());
  CHECK(pie->has_debug_info());
  CHECK(pie->debug_problem() == "");
  CHECK(pie->has_symbols());
  CHECK(pie->optimized() == false);
  const auto fixed = open_fixture("code_shapes.O2-nopie");
  CHECK_FALSE(fixed->position_independent());
  CHECK(fixed->optimized() == true);
  for (const auto& line : lines_of(fmt::format("readelf -hn {}", fixture("code_shapes")))) {
    if (line.find("Entry point address:") != std::string::npos)
      CHECK(pie->entry() == std::stoull(line.substr(line.find("0x")), nullptr, 16));
    if (const auto at = line.find("Build ID: "); at != std::string::npos)
      CHECK(pie->build_id() == line.substr(at + 10));
  }
  CHECK(pie->section(".plt"));
  CHECK_FALSE(pie->section(".none"));
  CHECK(std::ranges::any_of(pie->segments(),
                            [&](const auto& s) { return s.executable && s.range.contains(pie->entry()); }));
}

TEST_CASE("every address has addr2line's line") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    if (std::string_view(build.name) == "code_shapes.static") continue;  // its libc has no lines
    const auto module = open_fixture(build.name);
    const auto text = module->section(".text");
    REQUIRE(text);
    std::vector<std::uint64_t> addresses;
    for (auto at = text->begin; at < text->end; ++at) addresses.push_back(at);
    const auto expected = by_addr2line(fixture(build.name), addresses);
    REQUIRE(expected.size() == addresses.size());
    std::size_t known = 0, different = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const auto row = module->line_at(addresses[i]);
      if (row) CHECK((row->address <= addresses[i] && addresses[i] < row->end));
      auto theirs = expected[i];
      if (theirs.ends_with(":?") || theirs.starts_with("?") || !row) theirs.clear();  // padding
      if (theirs.empty()) continue;
      ++known;
      // Of the file tables of DWARF 5, binutils 2.40 reads entry 1 as entry 0: there only the line is compared.
      const bool by_line = std::string_view(build.name).find("dwarf4") == std::string_view::npos;
      const auto fits = [&](const sym::LineRow& r) {
        const auto line = fmt::format(":{}", r.line.value);
        return by_line ? theirs.ends_with(line) : theirs == std::string(r.file) + line;
      };
      if (fits(*row)) continue;
      // Of several rows for one address addr2line takes the last, we (as gdb) the last that begins a statement.
      const auto rows = module->lines_in({row->address, row->address + 1});
      CHECK_MESSAGE(std::ranges::any_of(rows, fits),
                    fmt::format("{:#x}: {}:{} and not {}", addresses[i], row->file, row->line.value, theirs));
      ++different;
    }
    CHECK(known > 100);
    CHECK(different * 20 < addresses.size());
  }
}

TEST_CASE("every function symbol is found at its address and by its name") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    const auto module = open_fixture(build.name);
    std::size_t seen = 0;
    for (const auto& line : lines_of(fmt::format("nm -S --defined-only {}", fixture(build.name)))) {
      // "address size type name"
      if (line.size() < 37 || (line[34] != 'T' && line[34] != 't' && line[34] != 'W')) continue;
      const auto name = line.substr(36);
      if (name.find("shapes") == std::string::npos && name != "main" && name != "plain_c") continue;
      if (name.find(".cold") != std::string::npos || name.starts_with("_ZT")) continue;  // parts, thunks, tables
      const auto at = std::stoull(line.substr(0, 16), nullptr, 16);
      const auto size = std::stoull(line.substr(17, 16), nullptr, 16);
      CAPTURE(std::string(name));
      const auto function = module->function_at(at + size - 1);
      REQUIRE(function);
      CHECK(function->entry == at);
      CHECK(function->die);
      const auto named = module->functions_named(function->name);
      CHECK(std::ranges::any_of(named, [&](const auto& f) { return f.entry == at; }));
      const auto mangled = module->functions_named(name);
      CHECK(std::ranges::any_of(mangled, [&](const auto& f) { return f.entry == at; }));
      ++seen;
    }
    CHECK(seen > 4);
  }
}

TEST_CASE("functions are found by plain, qualified and overloaded names") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    const auto module = open_fixture(build.name);
    const auto file = fixture(build.name);
    const auto run_int = symbol_by_nm(file, "_ZN6shapes3runEi");
    const auto entries = [&](std::string_view name) {
      std::set<std::uint64_t> found;
      for (const auto& function : module->functions_named(name)) found.insert(function.entry);
      return found;
    };
    CHECK(entries("shapes::run").size() == 2);
    CHECK(entries("run").contains(run_int));
    CHECK(entries("run(int)") == std::set{run_int});
    CHECK(entries("shapes::run(int)") == std::set{run_int});
    CHECK(entries("run(const std::string&)").size() == 1);
    CHECK_FALSE(entries("run(const std::string&)").contains(run_int));
    CHECK(entries("::run").empty());
    CHECK(entries("shapes::largest").size() == 2);
    CHECK(entries("largest<int>").size() == 1);
    if (std::string_view(build.name) != "code_shapes.lto")  // which specialises it to plain_c.constprop.0
      CHECK(entries("plain_c") == std::set{symbol_by_nm(file, "plain_c")});
    CHECK(entries("main") == std::set{symbol_by_nm(file, "main")});
    CHECK(entries("nowhere").empty());
    CHECK(entries("").empty());
    CHECK(entries("::").empty());
    if (build.optimized) continue;
    CHECK(entries("Box::Box").size() == 1);
    CHECK(entries("Box<int>::~Box").size() == 1);
    CHECK(entries("Box::operator+").size() == 1);
    CHECK(entries("operator bool").size() == 1);
    CHECK(entries("shapes::hidden").size() == 1);
    CHECK(entries("Local::times").size() == 1);
    // In charge of the virtual base and not: only the one in charge is needed here, gcc emits that one.
    CHECK(entries("Derived::Derived").size() >= 1);
    CHECK(entries("Derived::shape").size() >= 1);
  }
}

TEST_CASE("qualified names are those of the source") {
  const auto module = open_fixture("code_shapes");
  const auto name_of = [&](std::string_view query) {
    const auto found = module->functions_named(query);
    return found.empty() ? std::string{} : found.front().name;
  };
  CHECK(name_of("hidden") == "shapes::(anonymous namespace)::hidden");
  CHECK(name_of("run(int)") == "shapes::run");
  CHECK(name_of("largest<int>") == "shapes::largest<int>");
  CHECK(name_of("Box::get") == "shapes::Box<int>::get");
  CHECK(name_of("times") == "(anonymous namespace)::local_class::Local::times");
  CHECK(name_of("operator()") == "shapes::run::{lambda}::operator()");
}

TEST_CASE("a marked line is found once in each function that holds it") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    const auto module = open_fixture(build.name);
    const auto at = [&](std::string_view name) { return module->addresses_of(source, mark(source, name), 0); };
    for (const auto* name : {"first-call", "largest", "exit"}) {
      CAPTURE(std::string(name));
      const auto query = at(name);
      CHECK(query.file_known);
      CHECK_FALSE(query.matches.empty());
      for (const auto& match : query.matches) {
        const auto rows = module->lines_in({match.address, match.address + 1});
        CHECK(std::ranges::any_of(rows, [&](const auto& r) { return r.line == match.line; }));
        CHECK(match.file.ends_with("tests/fixtures/code_shapes.cpp"));
      }
    }
    if (std::string_view(build.name) == "code_shapes.lto") continue;  // one of the two is computed away
    CHECK(at("largest").matches.size() == 2);                         // one an instantiation
    CHECK(names_at(*module, at("largest").matches) ==
          std::set<std::string>{"shapes::largest<double>", "shapes::largest<int>"});
    if (build.optimized) continue;
    CHECK(at("loop").matches.size() == 1);
    CHECK(at("run-end").matches.size() == 1);
    CHECK(at("lambda").matches.size() == 1);
    CHECK(at("constructor").matches.size() >= 1);
    CHECK(names_at(*module, at("hidden").matches) == std::set<std::string>{"shapes::(anonymous namespace)::hidden"});
    // always_inline: no function of its own even at -O0, one place for each caller
    CHECK(at("twice").matches.size() == 2);
    CHECK(names_at(*module, at("twice").matches) == std::set<std::string>{"shapes::twice"});
  }
}

TEST_CASE("a function's opening line means its body") {
  const auto module = open_fixture("code_shapes");
  const auto query = module->addresses_of(source, mark(source, "run"), 0);
  REQUIRE(query.matches.size() == 1);
  const auto run = module->functions_named("run(int)");
  REQUIRE(run.size() == 1);
  CHECK(query.matches[0].address == module->after_prologue(run[0].entry));
  CHECK(query.matches[0].address > run[0].entry);
  CHECK(query.matches[0].line == mark(source, "run"));
  // The body's first statement, behind push, mov and the arguments' stores.
  const auto row = module->line_at(query.matches[0].address);
  REQUIRE(row);
  CHECK(row->line.value == mark(source, "run").value + 1);
}

TEST_CASE("the prologue ends where clang says, and before it begins in optimised code of gcc") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    const auto module = open_fixture(build.name);
    const auto run = module->functions_named("run(int)");
    REQUIRE(run.size() == 1);
    const auto body = module->after_prologue(run[0].entry);
    CHECK(run[0].entry <= body);
    CHECK(body < run[0].ranges[0].end);
    if (!build.optimized) CHECK(body > run[0].entry);
    if (build.optimized && std::string_view(build.name).find("clang") == std::string_view::npos)
      CHECK(body == run[0].entry);
  }
}

TEST_CASE("a line without code moves on within its function, and never out of it") {
  for (const auto* name : {"code_shapes", "code_shapes.dwarf4", "code_shapes.clang"}) {
    CAPTURE(std::string(name));
    const auto module = open_fixture(name);
    const auto gap = module->addresses_of(source, mark(source, "gap"), 0);
    REQUIRE(gap.matches.size() == 1);
    CHECK(gap.moved_to == mark(source, "loop"));
    CHECK(gap.matches[0].line == mark(source, "loop"));
    const auto between = module->addresses_of(source, mark(source, "between"), 0);
    CHECK(between.file_known);
    CHECK(between.matches.empty());
    CHECK(between.refusal.find("shapes::run") != std::string::npos);
    const auto first = module->addresses_of(source, Line{1}, 0);  // before all code
    CHECK(first.matches.size() == 1);
    CHECK(first.moved_to > Line{1});
    const auto behind = module->addresses_of(source, Line{100000}, 0);
    CHECK(behind.file_known);
    CHECK(behind.matches.empty());
  }
}

TEST_CASE("a file is named by the end of its path") {
  const auto module = open_fixture("code_shapes");
  const auto line = mark(source, "run-end");
  for (const auto* name : {"code_shapes.cpp", "fixtures/code_shapes.cpp", "tests/fixtures/./code_shapes.cpp",
                           "../fixtures/code_shapes.cpp"}) {
    CAPTURE(std::string(name));
    CHECK(module->addresses_of(name, line, 0).matches.size() == 1);
  }
  CHECK(module->addresses_of(fmt::format("{}/code_shapes.cpp", TL_FIXTURE_SOURCES), line, 0).matches.size() == 1);
  const auto other = module->addresses_of("elsewhere/code_shapes.cpp", line, 0);
  CHECK_FALSE(other.file_known);
  CHECK(other.matches.empty());
  CHECK(other.near_match.ends_with("tests/fixtures/code_shapes.cpp"));
  CHECK_FALSE(module->addresses_of("shapes.cpp", line, 0).file_known);
  CHECK_FALSE(module->addresses_of("CODE_SHAPES.CPP", line, 0).file_known);
  CHECK_FALSE(module->addresses_of("", line, 0).file_known);
}

TEST_CASE("a symbolic link in the editor's path does not hide a file") {
  TemporaryFolder folder;
  std::filesystem::create_directory_symlink(TL_FIXTURE_SOURCES, folder / "linked");
  const auto module = open_fixture("code_shapes");
  CHECK(module->addresses_of(folder / "linked/code_shapes.cpp", mark(source, "run-end"), 0).matches.size() == 1);
}

TEST_CASE("a column picks one of a line's statements") {
  const auto module = open_fixture("code_shapes");
  const auto line = mark(source, "loop");
  const auto whole = module->addresses_of(source, line, 0);
  REQUIRE(whole.matches.size() == 1);
  const auto condition = module->addresses_of(source, line, 21);  // `i < n`
  REQUIRE(condition.matches.size() == 1);
  CHECK(condition.matches[0].address != whole.matches[0].address);
  CHECK(condition.matches[0].column >= 21);
}

TEST_CASE("inlined calls are found, each with its call") {
  for (const auto* name : {"code_shapes", "code_shapes.O2", "code_shapes.clang", "code_shapes.O2-dwarf4"}) {
    CAPTURE(std::string(name));
    const auto module = open_fixture(name);
    const auto instances = module->inlined_instances("shapes::twice");
    REQUIRE(instances.size() >= 2);
    std::set<std::uint32_t> calls;
    for (const auto& instance : instances) {
      CHECK(instance.name == "shapes::twice");
      const auto chain = module->inline_chain(instance.entry);
      REQUIRE(chain.size() >= 2);
      const auto level = std::ranges::find(chain, instance.die, &sym::InlineScope::die);
      REQUIRE(level != chain.end());
      CHECK(level->call_file.ends_with("code_shapes.cpp"));
      calls.insert(level->call_line.value);
      CHECK(chain.back().call_line.value == 0);
    }
    CHECK(calls == std::set{mark(source, "first-call").value, mark(source, "second-call").value});
  }
}

TEST_CASE("without DWARF there are still symbols") {
  const auto module = open_fixture("code_shapes.stripped");
  CHECK_FALSE(module->has_debug_info());
  CHECK(module->debug_problem() == "");
  CHECK(module->inline_chain(module->entry()).empty());
  CHECK_FALSE(module->line_at(module->entry()));
  CHECK(module->addresses_of(source, Line{10}, 0).matches.empty());
  CHECK(module->source_files().empty());
  const auto libc = open("/lib/x86_64-linux-gnu/libc.so.6", {.debug_dirs = {}});
  const auto puts = libc->functions_named("puts");
  REQUIRE(puts.size() == 1);
  CHECK_FALSE(puts[0].die);
  const auto symbol = libc->symbol_at(puts[0].entry + 3);
  REQUIRE(symbol);
  CHECK(symbol->address == puts[0].entry);
  CHECK(symbol->function);
}

TEST_CASE("symbols cover their size, and the PLT belongs to none") {
  const auto module = open_fixture("code_shapes.nopie");
  const auto main = module->symbols_named("main");
  REQUIRE(main.size() == 1);
  CHECK(module->symbol_at(main[0].address)->name == "main");
  CHECK(module->symbol_at(main[0].address + main[0].size - 1)->name == "main");
  const auto plt = module->section(".plt");
  REQUIRE(plt);
  CHECK_FALSE(module->symbol_at(plt->begin + 16));
  CHECK_FALSE(module->symbol_at(0));
  CHECK_FALSE(module->symbol_at(~std::uint64_t{0}));
  CHECK(module->symbols_named("shapes::run").size() == 2);
}

TEST_CASE("source files are listed, and functions searched") {
  const auto module = open_fixture("code_shapes");
  const auto files = module->source_files();
  CHECK(std::ranges::is_sorted(files));
  CHECK(std::ranges::any_of(files, [](const auto& f) { return f.ends_with("tests/fixtures/code_shapes.cpp"); }));
  CHECK(std::ranges::all_of(files, [](const auto& f) { return f.starts_with('/'); }));
  const auto found = module->search_functions("shapes::ru", 10);
  CHECK(found.size() == 3);  // two functions, and a lambda within one
  CHECK(module->search_functions("a", 3).size() == 3);
  CHECK(module->search_functions("no such function", 3).empty());
}

TEST_CASE("rows of a function follow one another without a gap") {
  for (const auto& build : with_debug_info) {
    CAPTURE(std::string(build.name));
    const auto module = open_fixture(build.name);
    const auto run = module->functions_named("run(int)");
    REQUIRE(run.size() == 1);
    const auto rows = module->lines_in(run[0].ranges[0]);
    REQUIRE(rows.size() > 3);
    CHECK(rows.front().address == run[0].entry);
    for (std::size_t i = 1; i < rows.size(); ++i) CHECK(rows[i - 1].end == rows[i].address);
    CHECK(rows.back().end >= run[0].ranges[0].end);
  }
}
