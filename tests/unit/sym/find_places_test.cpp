// Where debug information is looked for besides the file itself and /usr/lib/debug: what debuginfod's client fetched
// before, symbols in .gnu_debugdata, the target's own root; and what the user leaves out.
#include <algorithm>

#include "daemon/sym/unit_image.hpp"
#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr const char* source = "find_shapes.cpp";

std::string program(std::string_view kind) { return fixture(fmt::format("find_shapes.{}", kind)); }
void run(const std::string& command) { lines_of(command + " 2>&1"); }

}  // namespace

TEST_CASE("a file that debuginfod's client fetched before is found by its build-id") {
  TemporaryFolder folder;
  run(fmt::format("objcopy --only-keep-debug {} {}", program("gcc.5"), folder / "debuginfo"));
  run(fmt::format("strip -o {} {}", folder / "program", program("gcc.5")));
  const auto id = open(folder / "program", {.debug_dirs = {}})->build_id();
  std::filesystem::create_directories(folder / ("cache/" + id));
  std::filesystem::rename(folder / "debuginfo", folder / fmt::format("cache/{}/debuginfo", id));
  CHECK_FALSE(open(folder / "program", {.debug_dirs = {}})->has_debug_info());
  const auto module = open(folder / "program", {.debug_dirs = {}, .fetched_dirs = {folder / "cache"}});
  CHECK(module->has_debug_info());
  CHECK(module->functions_named("shapes::stops").at(0).die);

  SUBCASE("what is there but is another build's is refused") {
    run(fmt::format("objcopy --only-keep-debug {} {}", program("clang.5"),
                    folder / fmt::format("cache/{}/debuginfo", id)));
    const auto other = open(folder / "program", {.debug_dirs = {}, .fetched_dirs = {folder / "cache"}});
    CHECK_FALSE(other->has_debug_info());
    CHECK(other->debug_problem().find("another build") != std::string::npos);
  }
}

TEST_CASE("MiniDebugInfo: a stripped file's functions have names") {
  if (std::system("xz --version > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: xz is not installed");
    return;
  }
  TemporaryFolder folder;
  const auto full = open(program("gcc.5"), {.debug_dirs = {}});
  const auto entry = full->functions_named("shapes::stops").at(0).entry;
  run(fmt::format("cd {0} && objcopy --only-keep-debug {1} mini && objcopy -g mini && xz mini", folder.path(),
                  program("gcc.5")));
  run(fmt::format("strip -o {} {}", folder / "bare", program("gcc.5")));
  CHECK(open(folder / "bare", {.debug_dirs = {}})->functions_named("shapes::stops").empty());
  run(fmt::format("cd {} && objcopy --add-section .gnu_debugdata=mini.xz bare program", folder.path()));
  const auto module = open(folder / "program", {.debug_dirs = {}});
  CHECK(module->has_symbols());
  CHECK_FALSE(module->has_debug_info());
  const auto found = module->functions_named("shapes::stops");
  REQUIRE(found.size() == 1);
  CHECK(found[0].entry == entry);
  CHECK(module->symbol_at(entry + 1)->name == "_ZN6shapes5stopsENS_3BoxIiLi2EEEi");

  SUBCASE("damaged, it is as if it were not there") {
    std::ofstream(folder / "mini.xz", std::ios::in | std::ios::out).seekp(40) << "damage in the middle of it";
    run(fmt::format("cd {} && objcopy --add-section .gnu_debugdata=mini.xz bare program", folder.path()));
    const auto damaged = open(folder / "program", {.debug_dirs = {}});
    CHECK(damaged->functions_named("shapes::stops").empty());
    CHECK_FALSE(damaged->symbols_named("main").size() > 1);
  }
}

TEST_CASE("the target's root is looked into: .dwo and .dwp files, named as they are there") {
  TemporaryFolder folder;
  const auto root = folder / "root";
  std::filesystem::create_directories(root + "/opt/bin");
  std::filesystem::create_directories(root + "/usr/debug");
  std::filesystem::copy(program("gcc.5.dwp"), root + "/opt/bin/packed");
  std::filesystem::copy(program("gcc.5.dwp") + ".dwp", root + "/opt/bin/packed.dwp");
  const auto packed = open("/opt/bin/packed", {.debug_dirs = {}, .root = root});
  CHECK(packed->functions_named("shapes::far_away").at(0).die);
  CHECK(packed->debug_problem() == "");
  CHECK(packed->addresses_of(source, mark(source, "sum"), 0).matches.size() >= 1);
  std::filesystem::rename(root + "/opt/bin/packed.dwp", root + "/usr/debug/unused.dwp");
  const auto lacking = open("/opt/bin/packed", {.debug_dirs = {"/usr/debug"}, .root = root});
  CHECK_FALSE(lacking->functions_named("shapes::far_away").at(0).die);
  CHECK(lacking->debug_problem().find("not found: looked in " + root) != std::string::npos);
  std::filesystem::create_directories(root + "/usr/debug/opt/bin");
  std::filesystem::rename(root + "/usr/debug/unused.dwp", root + "/usr/debug/opt/bin/packed.dwp");
  const auto moved = open("/opt/bin/packed", {.debug_dirs = {"/usr/debug"}, .root = root});
  CHECK(moved->functions_named("shapes::far_away").at(0).die);
}

TEST_CASE("modules that the user leaves out have symbols, and no debug information") {
  for (const auto* glob : {"find_shapes.gcc.5", "find_shapes*", "*/tests/fixtures/*"}) {
    const auto module = open(program("gcc.5"), {.debug_dirs = {}, .exclude = {glob}});
    CHECK_FALSE(module->has_debug_info());
    CHECK(module->debug_problem().find("symbols.exclude") != std::string::npos);
    CHECK(module->functions_named("shapes::stops").size() == 1);
  }
  CHECK(open(program("gcc.5"), {.debug_dirs = {}, .exclude = {"find", "*.so"}})->has_debug_info());
}

TEST_CASE("a unit's image holds the same bytes mapped and read") {
  for (const auto* kind : {"gcc.4.split", "clang.5.split", "gcc.5.split.gz"}) {
    CAPTURE(std::string(kind));
    const auto file = sym::SplitFile::open(program(kind) + ".d/unit1.dwo");
    REQUIRE(file);
    sym::UnitImage::Parts parts;
    for (const auto* name : {".debug_info", ".debug_abbrev", ".debug_loc", ".debug_loclists", ".debug_str"})
      if (const auto found = (*file)->parts(name); !found.empty()) parts[name].assign(found.begin(), found.end());
    const std::vector<std::byte> addresses(24, std::byte{7});
    const auto mapped = sym::UnitImage::make(**file, parts, addresses, sym::UnitImage::Storage::mapped);
    const auto read = sym::UnitImage::make(**file, parts, addresses, sym::UnitImage::Storage::read);
    REQUIRE(mapped);
    REQUIRE(read);
    parts[".debug_addr"];
    for (const auto& [name, part] : parts) {
      const auto a = (*mapped)->section(name), b = (*read)->section(name);
      CHECK(a.size() > 0);
      CHECK(std::ranges::equal(a, b));
    }
  }
}
