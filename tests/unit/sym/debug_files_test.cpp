// Debug information that lies in another file: by build-id, by .gnu_debuglink, in a dwz file; and files that are not
// the program's.
#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

constexpr const char* source = "code_shapes.cpp";

void run(const std::string& command) { lines_of(command + " 2>&1"); }

// The fixture taken apart: DIR/program without debug information, DIR/program.debug with nothing else.
struct Split {
  explicit Split(const std::string& link_options = {}) {
    run(fmt::format("objcopy --only-keep-debug {} {}", fixture("code_shapes"), folder / "program.debug"));
    run(fmt::format("objcopy --strip-all {} {} {}", link_options, fixture("code_shapes"), folder / "program"));
  }
  void add_link() const {
    run(fmt::format("cd {} && objcopy --add-gnu-debuglink=program.debug program", folder.path()));
  }
  TemporaryFolder folder;
};

bool complete(const sym::Module& module) {
  return module.has_debug_info() && module.debug_problem().empty() && module.has_symbols() &&
         module.addresses_of(source, mark(source, "run-end"), 0).matches.size() == 1 &&
         module.functions_named("shapes::run").size() == 2 && module.symbols_named("main").size() == 1;
}

}  // namespace

TEST_CASE("a stripped program without its debug file has neither lines nor its own symbols") {
  const Split split;
  const auto module = open(split.folder / "program", {.debug_dirs = {split.folder / "none"}});
  CHECK_FALSE(module->has_debug_info());
  CHECK(module->functions_named("shapes::run").empty());
  CHECK(module->debug_file() == "");
}

TEST_CASE("a debug file is found by its build-id") {
  const Split split;
  const auto id = open(split.folder / "program")->build_id();
  REQUIRE(id.size() == 40);
  const auto folder = split.folder / ("debug/.build-id/" + id.substr(0, 2));
  std::filesystem::create_directories(folder);
  const auto place = fmt::format("{}/{}.debug", folder, id.substr(2));
  std::filesystem::rename(split.folder / "program.debug", place);
  const auto module = open(split.folder / "program", {.debug_dirs = {"/nowhere", split.folder / "debug"}});
  CHECK(complete(*module));
  CHECK(module->debug_file() == place);

  SUBCASE("under the target's root") {
    std::filesystem::create_directories(split.folder / "root/usr");
    std::filesystem::rename(split.folder / "debug", split.folder / "root/usr/debug");
    std::filesystem::create_directories(split.folder / "root/bin");
    std::filesystem::rename(split.folder / "program", split.folder / "root/bin/program");
    const auto rooted = open("/bin/program", {.debug_dirs = {"/usr/debug"}, .root = split.folder / "root"});
    CHECK(complete(*rooted));
    CHECK(rooted->path() == "/bin/program");
  }
}

TEST_CASE("a debug file is found by .gnu_debuglink in all its places") {
  // Without a build-id only the CRC tells.
  const Split split("--remove-section=.note.gnu.build-id");
  split.add_link();
  const auto debug_dir = split.folder / "debug";
  for (const auto& place : {split.folder / "program.debug", split.folder / ".debug/program.debug",
                            fmt::format("{}{}/program.debug", debug_dir, split.folder.path())}) {
    CAPTURE(place);
    std::filesystem::create_directories(std::filesystem::path(place).parent_path());
    static std::string before;
    if (place != split.folder / "program.debug") std::filesystem::rename(before, place);
    before = place;
    const auto module = open(split.folder / "program", {.debug_dirs = {debug_dir}});
    CHECK(complete(*module));
    CHECK(module->debug_file() == place);
  }
}

TEST_CASE("a debug file of another build is refused, and the reason told") {
  const Split split("--remove-section=.note.gnu.build-id");
  split.add_link();
  std::ofstream(split.folder / "program.debug", std::ios::app) << "one byte more";
  const auto module = open(split.folder / "program", {.debug_dirs = {}});
  CHECK_FALSE(module->has_debug_info());
  CHECK(module->debug_problem().find("CRC") != std::string::npos);
}

TEST_CASE("a debug file with another build-id is refused") {
  const Split split;
  split.add_link();
  // Another program's debug file under this one's name, its CRC made to fit by a fresh link.
  run(fmt::format("objcopy --only-keep-debug {} {}", fixture("code_shapes.O2"), split.folder / "program.debug"));
  run(fmt::format(
      "cd {} && objcopy --remove-section=.gnu_debuglink program && objcopy --add-gnu-debuglink=program.debug program",
      split.folder.path()));
  const auto module = open(split.folder / "program", {.debug_dirs = {}});
  CHECK_FALSE(module->has_debug_info());
  CHECK(module->debug_problem().find("build-id") != std::string::npos);
}

TEST_CASE("dwz: what two programs share lies in a third file") {
  if (std::system("dwz --version > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: dwz is not installed");
    return;
  }
  TemporaryFolder folder;
  // dwz reads DWARF 4 and 5, but no .debug_types: plain builds, and two of them so that something is shared.
  std::filesystem::copy(fixture("code_shapes.dwarf4"), folder / "a");
  std::filesystem::copy(fixture("code_shapes.nopie"), folder / "b");
  std::filesystem::copy(fixture("code_shapes.dwarf4"), folder / "c");
  run(fmt::format("cd {} && dwz -m shared.dwz a c", folder.path()));
  REQUIRE(std::filesystem::exists(folder / "shared.dwz"));
  const auto module = open(folder / "a", {.debug_dirs = {}});
  CHECK(complete(*module));
  CHECK(module->functions_named("shapes::run")[0].name == "shapes::run");
  CHECK(module->functions_named("Box<int>::get").size() == 1);

  SUBCASE("and where it is missing, that is said") {
    std::filesystem::remove(folder / "shared.dwz");
    const auto alone = open(folder / "a", {.debug_dirs = {}});
    CHECK(alone->has_debug_info());
    CHECK(alone->debug_problem().find("shared.dwz") != std::string::npos);
    CHECK(alone->addresses_of(source, mark(source, "run-end"), 0).matches.size() == 1);
    CHECK(alone->functions_named("main").size() == 1);
  }
}

TEST_CASE("files that are no x86-64 programs are refused by name") {
  TemporaryFolder folder;
  const auto refused = [](const std::string& path, Errc code, std::string_view word) {
    const auto module = sym::Module::open(path, ModuleId{1}, {});
    REQUIRE_FALSE(module);
    CHECK(module.error().code == code);
    CHECK(module.error().message.find(path) != std::string::npos);
    CHECK_MESSAGE(module.error().message.find(word) != std::string::npos, module.error().message);
  };
  refused(folder / "missing", Errc::not_found, "No such file");
  refused(folder.path(), Errc::bad_debug_info, "not a regular file");
  std::ofstream(folder / "text") << "#!/bin/sh\n";
  refused(folder / "text", Errc::bad_debug_info, "not an ELF file");
  std::ofstream(folder / "empty");
  refused(folder / "empty", Errc::bad_debug_info, "not an ELF file");
  const auto changed = [&](const char* name, std::streamoff at, char value) {
    std::filesystem::copy(fixture("code_shapes"), folder / name);
    std::fstream file(folder / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.put(value);
  };
  changed("arm", 18, static_cast<char>(183));  // e_machine: EM_AARCH64
  refused(folder / "arm", Errc::bad_debug_info, "another machine");
  changed("small", 4, 1);  // EI_CLASS: ELFCLASS32
  refused(folder / "small", Errc::bad_debug_info, "32-bit");
  changed("object", 16, 1);  // e_type: ET_REL
  refused(folder / "object", Errc::bad_debug_info, "neither a program nor a shared library");
}
