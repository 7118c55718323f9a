// Mutated real files: debug information in every shape, with bytes of its sections changed. No question crashes, hangs,
// or takes more memory than a file of that size may cost. Each round runs in a child with an alarm and a limit on its
// address space. The damage is the same each time; TRAPLINE_FUZZ_ROUNDS asks for more than the default suites run.
#include <doctest/doctest.h>
#include <elf.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "daemon/sym/location.hpp"
#include "daemon/sym/variable.hpp"
#include "tests/fuzz/mutate.hpp"

using namespace trapline;

namespace {

constexpr rlim_t max_address_space = rlim_t{2} << 30;

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Part {
  std::string name;
  std::size_t offset = 0, size = 0;
};

// The sections that hold debug information, and indexes of packages.
std::vector<Part> debug_sections(const std::string& file) {
  std::vector<Part> parts;
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  const auto section = [&](std::size_t i) {
    Elf64_Shdr one;
    std::memcpy(&one, file.data() + header.e_shoff + i * sizeof one, sizeof one);
    return one;
  };
  const auto names = section(header.e_shstrndx);
  for (std::size_t i = 1; i < header.e_shnum; ++i) {
    const auto one = section(i);
    const std::string name = file.data() + names.sh_offset + one.sh_name;
    if (name.starts_with(".debug_") && one.sh_size > 0) parts.push_back({name, one.sh_offset, one.sh_size});
  }
  return parts;
}

void ask(const sym::Module& module, const sym::DieRef& scope, std::uint64_t at) {
  const auto look = [&](const sym::Variable& variable) {
    static_cast<void>(sym::location_of(variable.die, at));
    const auto* type = variable.type->complete();
    static_cast<void>(type->name());
    static_cast<void>(type->members().size());
    static_cast<void>(type->size());
  };
  for (const auto& one : sym::parameters_of(scope)) look(one);
  for (const auto& one : sym::locals_of(scope, at)) look(one);
  static_cast<void>(sym::frame_base_of(scope, at));
  static_cast<void>(module.line_at(at));
}

void ask_everything(const std::string& path) {
  const auto opened = sym::Module::open(path, ModuleId{1}, {.debug_dirs = {}});
  if (!opened) return;
  const auto& module = **opened;
  static_cast<void>(module.optimized());
  static_cast<void>(module.source_files());
  for (const auto* name : {"main", "shapes::stops", "far_away", "take", "sum"})
    for (const auto& function : module.functions_named(name)) {
      if (function.ranges.empty()) continue;
      static_cast<void>(module.after_prologue(function.entry));
      const auto end = std::min(function.ranges[0].end, function.ranges[0].begin + 256);
      for (auto at = function.ranges[0].begin; at < end; at += 13)
        for (const auto& level : module.inline_chain(at)) ask(module, level.die, at);
    }
  for (const auto* name : {"squared", "sum_of_squares"}) static_cast<void>(module.inlined_instances(name));
  for (std::uint32_t line = 20; line < 110; line += 9)
    static_cast<void>(module.addresses_of("find_shapes.cpp", Line{line}, 0));
  const std::array<const sym::Module*, 1> modules{&module};
  for (const auto* name : {"Pair", "depth", "there", "Box<int, 2>", "Color"})
    for (const auto& found : sym::lookup({.scope = {}, .pc = 0, .modules = modules},
                                         {.parts = {"shapes", name}, .global = false, .file = {}}))
      if (found.type != nullptr) static_cast<void>(found.type->complete()->members().size());
  static_cast<void>(module.debug_problem());
}

std::string fate_of(const std::string& path) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit bound{max_address_space, max_address_space};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ::setrlimit(RLIMIT_AS, &bound);
#else
    static_cast<void>(bound);  // their shadow memory is larger than any limit
#endif
    ::alarm(20);
    ask_everything(path);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("status {}", status);
}

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "trapline-fuzz-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

unsigned rounds() {
  const char* set = std::getenv("TRAPLINE_FUZZ_ROUNDS");
  return set ? static_cast<unsigned>(std::atoi(set)) : 3;
}

// Which file of the kind is damaged: the program, its .dwp, or one of its .dwo files.
void damage(const std::string& kind, const std::string& file) {
  const Folder folder;
  const std::string program = fmt::format("{}/find_shapes.{}", TL_FIXTURES, kind);
  const std::string copy = folder.path + "/program";
  std::filesystem::copy(program, copy);
  // Beside the program comes after the place that the compiler noted, so the note is made to lead nowhere.
  std::string bytes = read_all(copy);
  const std::string noted = fmt::format("find_shapes.{}.d/", kind);
  for (auto at = bytes.find(noted); at != std::string::npos; at = bytes.find(noted, at + 1)) bytes[at] = 'F';
  write_all(copy, bytes);
  for (const auto* unit : {"unit1.dwo", "unit2.dwo"})
    if (const auto dwo = fmt::format("{}.d/{}", program, unit); std::filesystem::exists(dwo))
      std::filesystem::copy(dwo, folder.path + "/" + unit);
  if (std::filesystem::exists(program + ".dwp")) std::filesystem::copy(program + ".dwp", copy + ".dwp");
  CHECK(fate_of(copy) == "");  // undamaged
  const std::string victim = folder.path + "/" + file;
  const std::string whole = read_all(victim);
  REQUIRE(whole.size() > sizeof(Elf64_Ehdr));
  fuzz::Random random(20261122);
  for (const auto& part : debug_sections(whole))
    for (unsigned round = 0; round < rounds(); ++round) {
      std::string damaged = whole;
      // Few changes reach deep before something is noticed; many hit every path.
      for (unsigned flips = round % 3 == 0 ? 1 : round % 3 == 1 ? 12 : 200; flips > 0; --flips)
        damaged[part.offset + fuzz::below(random, part.size)] = static_cast<char>(random());
      write_all(victim, damaged);
      const auto fate = fate_of(copy);
      CHECK_MESSAGE(fate == "", kind, " ", file, " ", part.name, " round ", round);
    }
  for (unsigned round = 0; round < rounds() * 4; ++round) {
    std::string damaged = whole.substr(0, whole.size() * (round + 1) / (rounds() * 4 + 1));
    write_all(victim, damaged);
    CHECK_MESSAGE(fate_of(copy) == "", kind, " ", file, " cut, round ", round);
  }
}

}  // namespace

TEST_CASE("damaged programs do no harm") {
  for (const auto* kind : {"gcc.4", "gcc.5", "clang.5.O2", "gcc.5.types", "gcc.5.gz", "gcc.5.zstd", "gcc.5.dwz"})
    damage(kind, "program");
}

TEST_CASE("damaged .dwo files do no harm") {
  for (const auto* kind : {"gcc.4.O2.split", "gcc.5.O2.split", "clang.5.types.split"}) {
    damage(kind, "unit1.dwo");
    damage(kind, "program");
  }
}

TEST_CASE("damaged .dwp files do no harm") {
  for (const auto* kind : {"gcc.4.O2.dwp", "gcc.4.types.dwp", "clang.5.O2.dwp", "clang.5.types.dwp"})
    damage(kind, "program.dwp");
}
