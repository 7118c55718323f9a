// Modules of real processes: at the first instruction, while libraries come and go, after the file was deleted.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "daemon/image/modules.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/spawn.hpp"
#include "tests/live/os_support.hpp"

using namespace trapline;

namespace {

class TraceeMemory final : public util::Memory {
 public:
  explicit TraceeMemory(Pid pid) : memory_(open(pid)) {}
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override { return memory_.read(at, out); }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override { return memory_.read_some(at, out); }
  void write(LoadAddr at, std::byte value) { REQUIRE(memory_.write(at, std::span(&value, 1))); }

 private:
  static os::ProcessMemory open(Pid pid) {
    auto opened = os::ProcessMemory::open(pid);
    REQUIRE(opened);
    return *std::move(opened);
  }
  os::ProcessMemory memory_;
};

std::string fixture(std::string_view name) { return fmt::format("{}/{}", FIXTURES, name); }

Line mark(std::string_view file, std::string_view name) {
  std::ifstream source(fmt::format("{}/{}", FIXTURE_SOURCES, file));
  std::uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.ends_with(fmt::format("MARK: {}", name))) return {number};
  }
  FAIL("no mark " << name);
  return {};
}

const os::TracerThread& tracer() {
  static const os::TracerThread thread;
  return thread;
}

// A process stopped at its exec, and the modules as a session would keep them: refreshed whenever the loader calls its
// hook, where an int3 is put.
struct Process {
  explicit Process(std::vector<std::string> argv) : pid(spawn(std::move(argv))), tracee(tracer(), pid), memory(pid) {}

  static Pid spawn(std::vector<std::string> argv) {
    os::SpawnPlan plan;
    plan.argv = std::move(argv);
    plan.env = {"PATH=/usr/bin:/bin"};
    plan.stdout_path = "/dev/null";
    auto spawned = os::spawn_seized(tracer().token(), std::move(plan), os::exit_kill);
    REQUIRE_MESSAGE(spawned, (spawned ? "" : spawned.error().message));
    return spawned->pid;
  }

  image::Changes load() {
    auto changes = modules.load_process(pid, memory);
    REQUIRE_MESSAGE(changes, (changes ? "" : changes.error().message));
    return *changes;
  }
  std::uint64_t pc() const {
    const auto registers = os::general_registers(tracer().token(), tracee.tid());
    REQUIRE(registers);
    return registers->rip;
  }
  // To the program's next own int3; the loader's hook is served on the way.
  void run_to_stop() {
    const auto hook = modules.loader_breakpoint();
    REQUIRE(hook);
    std::byte original{};
    REQUIRE(memory.read(*hook, std::span(&original, 1)));
    for (;;) {
      memory.write(*hook, std::byte{0xcc});
      tracee.go();
      const auto event = tracee.next();
      const auto* stop = std::get_if<os::SignalStop>(&event.what);
      REQUIRE(stop);
      REQUIRE(stop->signal == SIGTRAP);
      memory.write(*hook, original);
      if (pc() != hook->value + 1) return;
      ++hook_calls;
      auto registers = os::general_registers(tracer().token(), tracee.tid());
      REQUIRE(registers);
      registers->rip = hook->value;
      REQUIRE(os::set_general_registers(tracer().token(), tracee.tid(), *registers));
      REQUIRE(os::single_step(tracer().token(), tracee.tid(), 0));
      static_cast<void>(tracee.next());
      const auto changes = modules.refresh(pid, memory);
      REQUIRE(changes);
      for (const auto id : changes->added) CHECK(modules.find(id));
      for (const auto& gone : changes->removed) {
        CHECK_FALSE(modules.find(gone.id));
        removed.push_back(gone.path);
      }
    }
  }
  std::size_t count(std::string_view base_name) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        modules.all(), [&](const auto* m) { return std::filesystem::path(m->path).filename() == base_name; }));
  }
  // Every executable mapping of a file belongs to a module, at the right bias; and no module is not mapped.
  void check_against_maps() const {
    const auto maps = os::mappings(pid);
    REQUIRE(maps);
    std::set<std::uint32_t> mapped;
    for (const auto& mapping : *maps) {
      if (!mapping.executable || (mapping.inode == 0 && mapping.path != "[vdso]")) continue;
      CAPTURE(mapping.path);
      const auto* module = modules.find(mapping.range.begin);
      REQUIRE(module);
      CHECK(std::filesystem::path(module->path).filename() == std::filesystem::path(mapping.path).filename());
      CHECK(modules.find(LoadAddr{mapping.range.end.value - 1}) == module);
      mapped.insert(module->id.value);
      for (const auto& segment : module->symbols->segments())
        if (segment.executable && segment.file_offset / 4096 * 4096 == mapping.offset)
          CHECK(segment.range.begin / 4096 * 4096 + module->bias == mapping.range.begin.value);
    }
    CHECK(mapped.size() == modules.all().size());
  }

  Pid pid;
  os::Tracee tracee;
  TraceeMemory memory;
  image::Modules modules{sym::SearchOptions{}};
  int hook_calls = 0;
  std::vector<std::string> removed;
};

}  // namespace

TEST_CASE("at the first instruction program, loader and vdso are known, and where the loader will call") {
  for (const auto* name : {"dlopen_rounds", "dlopen_rounds.nopie"}) {
    CAPTURE(std::string(name));
    Process process({fixture(name)});
    const auto changes = process.load();
    CHECK(changes.added.size() == 3);
    CHECK(changes.removed.empty());
    const auto all = process.modules.all();
    REQUIRE(all.size() == 3);
    CHECK(all[0]->path == fixture(name));
    CHECK(process.count("[vdso]") == 1);
    process.check_against_maps();
    // The first instruction is the loader's.
    CHECK(process.modules.in_dynamic_loader({process.pc()}));
    const auto hook = process.modules.loader_breakpoint();
    REQUIRE(hook);
    CHECK(process.modules.in_dynamic_loader(*hook));
    CHECK(process.modules.symbol_at(*hook)->first == "_dl_debug_state");
    const auto entry = process.modules.entry_of_program();
    REQUIRE(entry);
    const auto auxv = os::auxiliary_vector(process.pid);
    REQUIRE(auxv);
    CHECK(entry->value == auxv->entry);
    CHECK(process.modules.place(*entry)->function == "_start");
    CHECK(all[0]->bias == (std::string_view(name).ends_with("nopie") ? 0 : entry->value - all[0]->symbols->entry()));
    const auto gettime = process.modules.symbol_address("__vdso_clock_gettime");
    REQUIRE(gettime);
    CHECK(process.modules.find(*gettime)->path == "[vdso]");
  }
}

TEST_CASE("libraries are followed through dlopen, dlmopen and dlclose, and lines in them bind and go") {
  Process process({fixture("dlopen_rounds"), fixture("plugin.so")});
  process.load();
  const auto line = mark("plugin.c", "plugin-answer");
  const auto resolve = [&] { return process.modules.resolve_line("plugin.c", line, 0); };
  const auto answer = [&] { return process.modules.resolve_function("plugin_answer").locations; };

  process.run_to_stop();  // 1
  CHECK(process.hook_calls >= 1);
  CHECK(process.count("plugin.so") == 0);
  CHECK(process.count("libc.so.6") == 1);
  CHECK(resolve().locations.empty());
  CHECK(resolve().message.find("plugin.c") != std::string::npos);
  process.check_against_maps();

  process.run_to_stop();  // 2
  CHECK(process.count("plugin.so") == 1);
  process.check_against_maps();
  auto found = resolve();
  REQUIRE(found.locations.size() == 1);
  CHECK(found.locations[0].line == line);
  CHECK(found.locations[0].function == "plugin_answer");
  const auto first = found.locations[0].module;
  CHECK(answer().size() == 1);
  const auto* module = process.modules.find(found.locations[0].address);
  REQUIRE(module);
  CHECK(module->id == first);
  const auto file_address = process.modules.to_file(found.locations[0].address);
  REQUIRE(file_address);
  CHECK(process.modules.to_load(*file_address) == found.locations[0].address);

  process.run_to_stop();  // 3
  CHECK(process.count("plugin.so") == 2);
  CHECK(process.count("libc.so.6") == 2);
  process.check_against_maps();
  found = resolve();
  REQUIRE(found.locations.size() == 2);
  CHECK(found.locations[0].module != found.locations[1].module);
  CHECK(found.locations[0].address != found.locations[1].address);

  SUBCASE("a debugger that comes now sees the same") {
    image::Modules late{sym::SearchOptions{}};
    REQUIRE(late.load_process(process.pid, process.memory));
    std::set<std::pair<std::string, std::uint64_t>> theirs, ours;
    for (const auto* m : late.all()) theirs.emplace(m->path, m->range.begin.value);
    for (const auto* m : process.modules.all()) ours.emplace(m->path, m->range.begin.value);
    CHECK(theirs == ours);
    CHECK(late.loader_breakpoint() == process.modules.loader_breakpoint());
  }

  process.run_to_stop();  // 4
  CHECK(process.count("plugin.so") == 1);
  CHECK_FALSE(process.modules.find(first));
  CHECK_FALSE(process.modules.to_load(*file_address));
  CHECK(resolve().locations.size() == 1);

  process.run_to_stop();  // 5
  CHECK(process.count("plugin.so") == 0);
  CHECK(resolve().locations.empty());
  CHECK(answer().empty());
  CHECK(std::ranges::count_if(process.removed, [](const auto& p) { return p.ends_with("/plugin.so"); }) == 2);
  process.check_against_maps();
  const auto end = process.tracee.run_to_end();
  REQUIRE(std::holds_alternative<os::Exited>(end.what));
  CHECK(std::get<os::Exited>(end.what).code == 3);
}

TEST_CASE("a second run of the same program parses nothing again") {
  Process first({fixture("dlopen_rounds"), fixture("plugin.so")});
  first.load();
  const auto symbols = first.modules.all()[0]->symbols.get();
  const auto id = first.modules.all()[0]->id;
  first.modules.clear();
  CHECK(first.modules.all().empty());
  CHECK_FALSE(first.modules.loader_breakpoint());
  Process second({fixture("dlopen_rounds"), fixture("plugin.so")});
  second.load();
  CHECK(second.modules.all()[0]->symbols.get() == symbols);
  CHECK(second.modules.all()[0]->id == id);
}

TEST_CASE("a program whose file was deleted or replaced is read as it runs") {
  os::TemporaryFolder folder;
  const auto path = folder.path("program");
  for (const bool replaced : {false, true}) {
    CAPTURE(replaced);
    std::filesystem::copy_file(fixture("dlopen_rounds"), path);
    Process process({path, fixture("plugin.so")});
    std::filesystem::remove(path);
    if (replaced) std::filesystem::copy_file(fixture("code_shapes"), path);
    process.load();
    const auto& program = *process.modules.all()[0];
    CHECK(program.path == path);
    CHECK(program.symbols->has_debug_info());
    CHECK(process.modules.resolve_function("main").locations.size() == 1);
    CHECK(process.modules.resolve_function("main").locations[0].file.ends_with("dlopen_rounds.c"));
    std::filesystem::remove(path);
  }
}

TEST_CASE("a static program is one module beside the vdso") {
  Process process({fixture("code_shapes.static")});
  process.load();
  REQUIRE(process.modules.all().size() == 2);
  process.check_against_maps();
  CHECK(process.modules.find(LoadAddr{process.pc()}) == process.modules.all()[0]);
  CHECK(process.modules.resolve_line("code_shapes.cpp", mark("code_shapes.cpp", "exit"), 0).locations.size() == 1);
  const auto changes = process.modules.refresh(process.pid, process.memory);
  REQUIRE(changes);
  CHECK(changes->added.empty());
  CHECK(changes->removed.empty());
}

TEST_CASE("places, spans and chains are given by load address") {
  Process process({fixture("code_shapes.O2")});
  process.load();
  const auto& modules = process.modules;
  const auto line = mark("code_shapes.cpp", "twice");
  const auto found = modules.resolve_line("code_shapes.cpp", line, 0);
  REQUIRE_FALSE(found.locations.empty());
  for (const auto& location : found.locations) {
    CHECK(location.function == "shapes::twice");
    const auto place = modules.place(location.address);
    REQUIRE(place);
    CHECK(place->has_line_info);
    CHECK(place->module_name == "code_shapes.O2");
    const auto chain = modules.inline_chain(location.address);
    REQUIRE(chain.size() >= 2);
    CHECK(chain.back().function == place->function);
    CHECK(chain[0].line == place->line);
    for (std::size_t i = 1; i < chain.size(); ++i) CHECK(chain[i].line.value > 0);
    for (const auto& level : chain)
      CHECK(std::ranges::any_of(level.ranges, [&](const auto& r) { return r.contains(location.address); }));
    const auto span = modules.line_span(location.address);
    REQUIRE(span);
    CHECK(span->range.contains(location.address));
    const auto range = modules.function_range(location.address);
    REQUIRE(range);
    CHECK(range->contains(span->range.begin));
  }
  const auto nowhere = LoadAddr{0x10};
  CHECK_FALSE(modules.place(nowhere));
  CHECK(modules.inline_chain(nowhere).empty());
  CHECK_FALSE(modules.line_span(nowhere));
  CHECK_FALSE(modules.function_range(nowhere));
  CHECK_FALSE(modules.in_plt(nowhere));
  CHECK(modules.after_prologue(nowhere) == nowhere);
  CHECK_FALSE(modules.to_file(nowhere));
  const auto& program = *modules.all()[0];
  const auto plt = program.symbols->section(".plt");
  REQUIRE(plt);
  CHECK(modules.in_plt({plt->begin + program.bias + 20}));
  CHECK(modules.resolve_function("no_such_function").message.find("no_such_function") != std::string::npos);
}
