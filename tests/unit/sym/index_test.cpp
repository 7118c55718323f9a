// What a module answers by an index is what it answers by reading its debug information, name by name.
#include "daemon/index/behind.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "daemon/sym/module.hpp"
#include "daemon/sym/variable.hpp"
#include "tests/support/folder.hpp"
#include "tests/unit/sym/support.hpp"

namespace trapline::sym {
namespace {

using Found = std::set<std::tuple<std::string, std::uint64_t, std::uint64_t>>;

std::shared_ptr<const Module> opened(const std::string& path, const SearchOptions& options) {
  auto module = Module::open(path, {1}, options);
  REQUIRE_MESSAGE(module, path);
  return *module;
}

Found as_set(const std::vector<Function>& functions) {
  Found found;
  for (const auto& f : functions) found.insert({f.name, f.entry, f.die.offset});
  return found;
}

// The files of libraries are not ours to compare: names of the fixtures' own are.
void compare(const std::string& path) {
  CAPTURE(path);
  const auto plain = opened(path, {.index_worth = std::numeric_limits<std::uint64_t>::max()});
  const auto indexed = opened(path, {.index_worth = 1});
  std::set<std::string> names;
  for (const auto& f : plain->search_functions("", 100000)) names.insert(f.name);
  CHECK(names.size() > 5);
  for (const char* more : {"twice", "shapes::twice", "run", "Base", "operator+", "main", "no_such_function"})
    names.insert(more);
  CHECK(plain->index_source());
  indexed->functions_named("no_such_function");
  CHECK_FALSE(indexed->wants_index());  // it has one: else both would read the same
  std::size_t inlined = 0;
  for (const auto& name : names) {
    CAPTURE(name);
    CHECK(as_set(indexed->functions_named(name)) == as_set(plain->functions_named(name)));
    const auto calls = as_set(plain->inlined_instances(name));
    CHECK(as_set(indexed->inlined_instances(name)) == calls);
    inlined += calls.size();
  }
  if (path.find("O2") != std::string::npos) CHECK(inlined > 0);
  CHECK(as_set(indexed->search_functions("", 100000)) == as_set(plain->search_functions("", 100000)));
  auto files = indexed->source_files(), same = plain->source_files();
  std::ranges::sort(files);
  std::ranges::sort(same);
  CHECK(files == same);
  CHECK(indexed->optimized() == plain->optimized());
  const auto at = opened(path, {.index_worth = 1});
  for (const auto& segment : plain->segments())
    for (std::uint64_t pc = segment.range.begin; segment.executable && pc < segment.range.end; pc += 37) {
      const auto a = plain->function_at(pc), b = at->function_at(pc);
      REQUIRE((a ? a->die.offset : 0) == (b ? b->die.offset : 0));
      const auto here = plain->line_at(pc), there = at->line_at(pc);
      REQUIRE(here.has_value() == there.has_value());
      if (here) REQUIRE(std::pair(here->file, here->line) == std::pair(there->file, there->line));
    }
}

TEST_CASE("functions, inlined calls, files and addresses by an index are those of the debug information") {
  for (const char* name :
       {"code_shapes", "code_shapes.O2", "code_shapes.dwarf4", "code_shapes.O2-dwarf4", "code_shapes.compressed",
        "code_shapes.types", "code_shapes.lto", "code_shapes.clang", "code_shapes.clang-O2", "type_shapes.types",
        "type_shapes.types5", "type_shapes.clang-types5"})
    compare(test::fixture(name));
}

TEST_CASE("until the index is there the symbols answer, and then it has more") {
  const test::Folder folder;
  const auto path = test::fixture("code_shapes.O2");
  SearchOptions options{.index_folder = folder.path().string(), .index_worth = 1, .index_comes = true};
  const auto module = opened(path, options);
  CHECK(module->functions_named("shapes::run").size() == 2);
  CHECK(module->inlined_instances("shapes::twice").empty());
  const auto source = module->wants_index();
  REQUIRE(source);
  CHECK(source->path == path);
  CHECK(source->alternate.empty());
  const auto made = index::make_index({.path = source->path, .folder = options.index_folder}, {}, nullptr);
  REQUIRE(made);
  module->use_index(*made);
  CHECK_FALSE(module->wants_index());
  const auto calls = module->inlined_instances("shapes::twice");
  CHECK(calls.size() >= 2);
  CHECK(module->functions_named("shapes::run").size() == 2);
  // Another module of the same file has it from the folder.
  const auto later = opened(path, options);
  CHECK_FALSE(later->wants_index());
  CHECK(as_set(later->inlined_instances("shapes::twice")).size() == calls.size());
}

TEST_CASE("a small program wants no index") {
  const auto module = opened(test::fixture("code_shapes"), {.index_comes = true});
  CHECK_FALSE(module->wants_index());
  CHECK(module->index_source());
  CHECK_FALSE(opened(test::fixture("code_shapes.stripped"), {})->index_source());
}

}  // namespace
}  // namespace trapline::sym
