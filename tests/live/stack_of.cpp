// Unwinds a process that somebody else holds, for stack_against_gdb.py. Argument: the pid. Each line of standard input
// is a thread's registers, DWARF numbers 0 to 16 in hexadecimal; the answer is a line a frame, "pc depth function" (or
// "broken reason"), and an empty line. Nothing is traced here: memory comes from /proc/PID/mem.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "daemon/image/modules.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/stack/stack.hpp"

using namespace trapline;

namespace {

class ProcMemory final : public util::Memory {
 public:
  explicit ProcMemory(os::ProcessMemory memory) : memory_(std::move(memory)) {}
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override { return memory_.read(at, out); }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override { return memory_.read_some(at, out); }

 private:
  os::ProcessMemory memory_;
};

arch::RegisterFile parse(const std::string& line) {
  arch::RegisterFile file;
  std::istringstream words(line);
  words >> std::hex;
  for (arch::DwarfReg reg = 0; reg < arch::unwound_registers; ++reg) words >> *arch::general_slot(file.general, reg);
  return file;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Pid pid{std::atoi(argv[1])};
  auto opened = os::ProcessMemory::open(pid);
  if (!opened) return fmt::print(stderr, "{}\n", opened.error().message), 1;
  const ProcMemory memory(*std::move(opened));
  image::Modules modules{sym::SearchOptions{}};
  if (auto loaded = modules.load_process(pid, memory); !loaded)
    return fmt::print(stderr, "{}\n", loaded.error().message), 1;
  for (std::string line; std::getline(std::cin, line);) {
    static_cast<void>(modules.refresh(pid, memory));
    stack::Stack stack(parse(line), memory, modules);
    for (std::size_t n = 0; const auto* frame = stack.frame(n); ++n) {
      if (frame->kind == stack::FrameKind::broken)
        fmt::print("broken {}\n", frame->reason);
      else
        fmt::print("{:#x} {} {}\n", frame->pc.value, frame->inline_depth, frame->function);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
  return 0;
}
