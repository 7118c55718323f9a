#include "bench/floor.hpp"

#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace trapline::bench {
namespace {

template <class T>
const T* at(const std::vector<char>& file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) throw std::runtime_error("the ELF file is cut off");
  return reinterpret_cast<const T*>(file.data() + offset);
}

struct Facts {
  std::uint64_t entry = 0;
  std::uint64_t main = 0;
};

Facts facts_of(const std::string& program) {
  std::ifstream in(program, std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
  const auto* header = at<Elf64_Ehdr>(file, 0);
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto* section = at<Elf64_Shdr>(file, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (section->sh_type != SHT_SYMTAB) continue;
    const auto* strings = at<Elf64_Shdr>(file, header->e_shoff + section->sh_link * sizeof(Elf64_Shdr));
    for (std::uint64_t offset = 0; offset < section->sh_size; offset += sizeof(Elf64_Sym)) {
      const auto* symbol = at<Elf64_Sym>(file, section->sh_offset + offset);
      if (std::strcmp(at<char>(file, strings->sh_offset + symbol->st_name), "main") == 0)
        return {header->e_entry, symbol->st_value};
    }
  }
  throw std::runtime_error(program + " has no symbol main");
}

void wait_stop(int pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) throw std::runtime_error("the program did not stop");
}

// The program's entry as the kernel told it (AT_ENTRY), from which the load bias follows.
std::uint64_t entry_of(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/auxv", std::ios::binary);
  for (Elf64_auxv_t word; in.read(reinterpret_cast<char*>(&word), sizeof(word));)
    if (word.a_type == AT_ENTRY) return word.a_un.a_val;
  throw std::runtime_error("no AT_ENTRY");
}

Seconds launch_once(const std::string& program, const Facts& facts) {
  const auto begin = std::chrono::steady_clock::now();
  const int pid = ::fork();
  if (pid == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  wait_stop(pid);
  auto* where = reinterpret_cast<void*>(entry_of(pid) - facts.entry + facts.main);
  const long word = ::ptrace(PTRACE_PEEKTEXT, pid, where, nullptr);
  ::ptrace(PTRACE_POKETEXT, pid, where, (word & ~0xffL) | 0xcc);
  ::ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  wait_stop(pid);
  const auto took = std::chrono::steady_clock::now() - begin;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return took;
}

}  // namespace

std::vector<Seconds> launch_floor(const std::string& program, int rounds) {
  const auto facts = facts_of(program);
  std::vector<Seconds> times;
  for (int i = 0; i < rounds; ++i) times.push_back(launch_once(program, facts));
  return times;
}

}  // namespace trapline::bench
