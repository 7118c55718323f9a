#pragma once
// For the live tests of daemon/os: a folder that goes with the test, and a tracee that is killed with it.
#include <doctest/doctest.h>
#include <elf.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"

namespace trapline::os {

inline constexpr std::chrono::seconds test_patience{20};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "trapline-os-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& bytes, unsigned mode = 0644) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    REQUIRE(::chmod(path(name).c_str(), mode) == 0);
  }

 private:
  std::string path_;
};

// A traced process of the test's, killed with it. Every wait for it is bounded.
class Tracee {
 public:
  Tracee(const TracerThread& thread, Pid pid) : tracer_(thread.token()), waiter_(tracer_), pid_(pid) {}
  ~Tracee() {
    if (done_) return;
    ::kill(pid_.value, SIGKILL);
    while (!done_) {
      const auto event = waiter_.of(tid(), Waiter::Mode::block);
      if (!event) return;
      note_end(**event);
      go();  // out of an exit stop, where one was asked for
    }
  }
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;
  Tid tid() const { return Tid{pid_.value}; }

  // The next event of `tid` (or of the main thread).
  WaitEvent next(Tid tid) {
    const auto deadline = std::chrono::steady_clock::now() + test_patience;
    for (;;) {
      auto event = waiter_.of(tid, Waiter::Mode::poll);
      if (!event) FAIL(event.error().message);
      if (*event) {
        note_end(**event);
        return **event;
      }
      if (std::chrono::steady_clock::now() > deadline) {
        ::kill(pid_.value, SIGKILL);
        FAIL("no event of the tracee in time");
      }
      ::usleep(200);
    }
  }
  WaitEvent next() { return next(tid()); }

  void go(int signal = 0) { static_cast<void>(resume(tracer_, tid(), signal)); }

  // Resumes through every stop, delivering every signal, until the process is gone.
  WaitEvent run_to_end() {
    go();
    for (;;) {
      const WaitEvent event = next();
      if (done_) return event;
      const auto* signal = std::get_if<SignalStop>(&event.what);
      go(signal != nullptr ? signal->signal : 0);
    }
  }

 private:
  void note_end(const WaitEvent& event) {
    if (event.tid == tid() &&
        (std::holds_alternative<Exited>(event.what) || std::holds_alternative<Killed>(event.what)))
      done_ = true;
  }
  const OnTracer& tracer_;
  Waiter waiter_;
  Pid pid_;
  bool done_ = false;
};

// Everything until end of file (or EIO, which is a pty's).
inline std::string read_until_end(int fd) {
  std::string text;
  for (;;) {
    pollfd ask{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&ask, 1, static_cast<int>(std::chrono::milliseconds(test_patience).count())) != 1)
      FAIL("no end of file");
    char chunk[4096];
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(n));
  }
}

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline Elf64_Ehdr program_header(std::uint16_t type, std::uint16_t machine = EM_X86_64) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = type;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_entry = 0x401000;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  return header;
}

inline std::string elf_with_unmappable_segment() {
  auto header = program_header(ET_EXEC);
  header.e_phnum = 1;
  Elf64_Phdr load{};
  load.p_type = PT_LOAD;
  load.p_flags = PF_R | PF_X;
  load.p_vaddr = 0xffff800000000000;  // the kernel's half
  load.p_filesz = load.p_memsz = 0x1000;
  load.p_align = 0x1000;
  return bytes_of(header) + bytes_of(load) + std::string(0x2000, '\0');
}

}  // namespace trapline::os
