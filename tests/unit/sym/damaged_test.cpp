// Damaged files: whatever the bytes are, no question crashes or hangs. Each round runs in a child with an alarm,
// because a crash is what is looked for. The damage is pseudo-random with fixed seeds: a failure names its round.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <random>

#include "tests/unit/sym/support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

using Bytes = std::vector<char>;

Bytes read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void ask_everything(const sym::Module& module) {
  static_cast<void>(module.build_id());
  static_cast<void>(module.optimized());
  static_cast<void>(module.source_files());
  for (const auto* name : {"main", "run", "shapes::run(int)", "Box::Box", "operator()", "twice"}) {
    for (const auto& function : module.functions_named(name)) {
      static_cast<void>(module.after_prologue(function.entry));
      static_cast<void>(module.lines_in(function.ranges.front()));
    }
    static_cast<void>(module.inlined_instances(name));
  }
  static_cast<void>(module.search_functions("a", 50));
  for (std::uint32_t line = 1; line < 120; line += 7)
    static_cast<void>(module.addresses_of("code_shapes.cpp", Line{line}, 0));
  for (const auto& segment : module.segments()) {
    const auto end = std::min(segment.range.end, segment.range.begin + 0x4000);
    for (auto at = segment.range.begin; at < end; at += 61) {
      static_cast<void>(module.line_at(at));
      static_cast<void>(module.function_at(at));
      static_cast<void>(module.inline_chain(at));
      static_cast<void>(module.symbol_at(at));
    }
  }
}

void open_and_ask(const std::string& path) {
  if (const auto opened = sym::Module::open(path, ModuleId{1}, {})) ask_everything(**opened);
}

// "" where the child ended by itself; else how it did not.
std::string fate_of(const std::string& path, const std::function<void(const std::string&)>& ask = open_and_ask) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(20);
    ask(path);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("status {}", status);
}

struct Place {
  std::size_t offset = 0;
  std::size_t size = 0;
};
// Where a section's bytes lie in the file, by readelf.
Place section_in(const std::string& path, const std::string& name) {
  for (const auto& line : lines_of(fmt::format("readelf -SW {}", path))) {
    const auto at = line.find(" " + name + " ");
    if (at == std::string::npos) continue;
    char type[64];
    unsigned long long address = 0, offset = 0, size = 0;
    if (std::sscanf(line.c_str() + at + name.size() + 1, "%63s %llx %llx %llx", type, &address, &offset, &size) == 4)
      return {offset, size};
  }
  return {};
}

}  // namespace

TEST_CASE("an undamaged file answers within the bound") { CHECK(fate_of(fixture("code_shapes")) == ""); }

TEST_CASE("truncated files do no harm") {
  TemporaryFolder folder;
  for (const auto* name : {"code_shapes", "code_shapes.O2-dwarf4"}) {
    const Bytes whole = read_all(fixture(name));
    for (std::size_t i = 0; i < 40; ++i) {
      const std::size_t size = whole.size() * i / 40 + i;
      CAPTURE(std::string(name));
      CAPTURE(size);
      write_all(folder / "cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      CHECK(fate_of(folder / "cut") == "");
    }
  }
}

// What was mapped behind the new end is gone: the kernel answers with SIGBUS.
TEST_CASE("files that are truncated while they are open do no harm, and it is told") {
  TemporaryFolder folder;
  for (const auto* name : {"code_shapes", "code_shapes.O2-dwarf4", "find_shapes.gcc.5.zstd"})
    for (const std::uintmax_t size : {0, 4096, 12288})
      for (const bool known_before : {true, false}) {
        CAPTURE(std::string(name));
        CAPTURE(size);
        write_all(folder / "cut", read_all(fixture(name)));
        CHECK(fate_of(folder / "cut", [&](const std::string& path) {
                const auto opened = sym::Module::open(path, ModuleId{1}, {});
                if (!opened) ::_exit(2);
                if (known_before) ask_everything(**opened);
                std::filesystem::resize_file(path, size);
                ask_everything(**opened);
                if ((*opened)->debug_problem().find("was truncated") == std::string::npos) ::_exit(3);
                if ((*opened)->index_source()) ::_exit(4);  // of what is there now
              }) == "");
      }
}

TEST_CASE("flipped bytes in debug sections do no harm") {
  TemporaryFolder folder;
  for (const auto* name : {"code_shapes", "code_shapes.O2-dwarf4", "code_shapes.O2", "code_shapes.types"}) {
    const Bytes whole = read_all(fixture(name));
    for (const auto* section : {".debug_info", ".debug_abbrev", ".debug_line", ".debug_line_str", ".debug_str",
                                ".debug_rnglists", ".debug_ranges", ".debug_aranges", ".debug_types", ".symtab"}) {
      const Place place = section_in(fixture(name), section);
      if (place.size == 0) continue;
      for (unsigned round = 0; round < 12; ++round) {
        CAPTURE(std::string(name));
        CAPTURE(std::string(section));
        CAPTURE(round);
        std::mt19937 random(round * 7919 + 1);
        Bytes damaged = whole;
        // Few flips reach deep before something is noticed; many hit every path.
        for (unsigned flips = round % 3 == 0 ? 1 : round % 3 == 1 ? 20 : 400; flips > 0; --flips)
          damaged[place.offset + random() % place.size] = static_cast<char>(random());
        write_all(folder / "flipped", damaged);
        CHECK(fate_of(folder / "flipped") == "");
      }
    }
  }
}

TEST_CASE("flipped bytes in the headers do no harm") {
  TemporaryFolder folder;
  const Bytes whole = read_all(fixture("code_shapes"));
  for (unsigned round = 0; round < 120; ++round) {
    CAPTURE(round);
    std::mt19937 random(round + 77);
    Bytes damaged = whole;
    const std::size_t headers = 64 + 14 * 56;             // the ELF header and the segments
    const std::size_t sections = whole.size() - 40 * 64;  // section headers lie at the end
    for (unsigned flips = 1 + round % 4; flips > 0; --flips) {
      const std::size_t at = round % 2 == 0 ? random() % headers : sections + random() % (whole.size() - sections);
      damaged[at] = static_cast<char>(random());
    }
    write_all(folder / "headers", damaged);
    CHECK(fate_of(folder / "headers") == "");
  }
}

TEST_CASE("damage in .debug_info is said, and leaves symbols usable") {
  TemporaryFolder folder;
  Bytes damaged = read_all(fixture("code_shapes"));
  const Place place = section_in(fixture("code_shapes"), ".debug_info");
  REQUIRE(place.size > 0);
  std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(place.offset), place.size, '\xff');
  write_all(folder / "broken", damaged);
  const auto module = open(folder / "broken");
  CHECK(module->debug_problem() != "");  // opens it
  CHECK_FALSE(module->has_debug_info());
  CHECK(module->debug_problem().find("unreadable") != std::string::npos);
  CHECK(module->symbols_named("main").size() == 1);
  CHECK(module->functions_named("shapes::run").size() == 2);
}
