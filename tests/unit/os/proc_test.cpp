// /proc of this very process: no other is needed to read it right.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon/os/proc.hpp"
#include "daemon/os/proc_files.hpp"
#include "daemon/util/fd.hpp"
#include "tests/live/os_support.hpp"

namespace trapline::os {
namespace {

const Pid self{::getpid()};
constexpr Pid nobody{0x3ffffff};  // above the largest pid the kernel gives (PID_MAX_LIMIT is 4 Mi)

TEST_CASE("our own status") {
  const auto status = process_status(Tid{self.value});
  REQUIRE(status);
  CHECK(status->tgid == self);
  CHECK(status->parent.value == ::getppid());
  CHECK(status->tracer.value == 0);
  CHECK(status->real_uid == ::getuid());
  CHECK(status->effective_uid == ::geteuid());
  CHECK(status->state == 'R');
  CHECK_FALSE(status->kernel_thread);
  CHECK(executable_of(self).value() == std::filesystem::read_symlink("/proc/self/exe").string());
  CHECK(command_line(self).value().front().find("unit_os") != std::string::npos);
}

TEST_CASE("names with spaces, parentheses, line feeds and backslashes survive") {
  char before[16] = {};
  ::prctl(PR_GET_NAME, before);
  ::prctl(PR_SET_NAME, "a) R 1\n\\b");
  const auto status = process_status(Tid{self.value});
  const auto name = thread_name(self, Tid{self.value});
  const auto time = start_time(self);
  ::prctl(PR_SET_NAME, before);
  REQUIRE(status);
  CHECK(status->comm == "a) R 1\n\\b");
  CHECK(name.value() == "a) R 1\n\\b");
  CHECK(status->tgid == self);
  CHECK(time.value() == start_time(self).value());
  CHECK(time.value() > 0);
}

TEST_CASE("what does not exist is no_process everywhere") {
  CHECK(process_status(Tid{nobody.value}).error().code == Errc::no_process);
  CHECK(threads_of(nobody).error().code == Errc::no_process);
  CHECK(thread_name(nobody, Tid{nobody.value}).error().code == Errc::no_process);
  CHECK(executable_of(nobody).error().code == Errc::no_process);
  CHECK(command_line(nobody).error().code == Errc::no_process);
  CHECK(mappings(nobody).error().code == Errc::no_process);
  CHECK(auxiliary_vector(nobody).error().code == Errc::no_process);
  CHECK(start_time(nobody).error().code == Errc::no_process);
  CHECK(check_attachable(nobody).error().code == Errc::no_process);
}

TEST_CASE("threads come ascending and complete") {
  std::barrier meet(5);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      meet.arrive_and_wait();
      meet.arrive_and_wait();
    });
  meet.arrive_and_wait();
  const auto listed = threads_of(self);
  meet.arrive_and_wait();
  REQUIRE(listed);
  CHECK(listed->size() >= 5);
  CHECK(std::ranges::is_sorted(*listed));
  CHECK(listed->front() == Tid{self.value});
}

TEST_CASE("mappings say what is mapped how, deleted files and odd names too") {
  const TemporaryFolder folder;
  const std::string odd = folder.path("with space\nand line (deleted)x");
  const util::Fd file(::open(odd.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(file);
  REQUIRE(::ftruncate(file.get(), 8192) == 0);
  void* mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 4096);
  REQUIRE(mapped != MAP_FAILED);
  const auto find = [&]() -> Mapping {
    const auto all = mappings(self);
    REQUIRE(all);
    const auto found = std::ranges::find_if(
        *all, [&](const Mapping& m) { return m.range.contains(LoadAddr{reinterpret_cast<std::uint64_t>(mapped)}); });
    REQUIRE(found != all->end());
    return *found;
  };
  const auto before = find();
  CHECK(before.path == odd);
  CHECK_FALSE(before.deleted);
  CHECK(before.readable);
  CHECK_FALSE(before.writable);
  CHECK_FALSE(before.executable);
  CHECK(before.shared);
  CHECK(before.offset == 4096);
  CHECK(before.range.size() == ByteCount{4096});
  struct stat info {};
  ::fstat(file.get(), &info);
  CHECK(before.inode == info.st_ino);
  ::unlink(odd.c_str());
  const auto after = find();
  CHECK(after.path == odd);
  CHECK(after.deleted);
  ::munmap(mapped, 4096);
}

TEST_CASE("the vdso, and where the kernel put things") {
  const auto all = mappings(self).value();
  const auto vdso = std::ranges::find(all, "[vdso]", &Mapping::path);
  REQUIRE(vdso != all.end());
  const auto aux = auxiliary_vector(self);
  REQUIRE(aux);
  CHECK(aux->vdso == vdso->range.begin.value);
  CHECK(aux->phdr == ::getauxval(AT_PHDR));
  CHECK(aux->entry == ::getauxval(AT_ENTRY));
  CHECK(aux->base == ::getauxval(AT_BASE));
  CHECK(aux->phent == sizeof(Elf64_Phdr));
}

TEST_CASE("processes are found by a glob on their program's or their own name") {
  const auto found = processes_named("unit_o?");
  CHECK(std::ranges::find(found, self) != found.end());
  CHECK(processes_named("no such program *").empty());
  CHECK(std::ranges::is_sorted(all_processes()));
}

TEST_CASE("we are not attachable, nor is who started us") {
  const auto us = check_attachable(self);
  REQUIRE(!us);
  CHECK(us.error().message.find("itself") != std::string::npos);
  const auto parent = check_attachable(Pid{::getppid()});
  REQUIRE(!parent);
  CHECK(parent.error().message.find("ancestor") != std::string::npos);
}

TEST_CASE("kernel threads are known") {
  const auto status = process_status(Tid{2});
  if (!status || status->comm != "kthreadd") {
    MESSAGE("skipped: no kernel threads visible here (a container?)");
    return;
  }
  CHECK(status->kernel_thread);
  CHECK(check_attachable(Pid{2}).error().code == Errc::kernel_thread);
  CHECK(executable_of(Pid{2}).error().code == Errc::not_available);
}

TEST_CASE("fields and words of /proc files") {
  CHECK(proc_field("Name:\tx y\nUid:\t1\t2\n", "Uid:") == "1\t2");
  CHECK(proc_field("Name:\tx y\nUid:\t1\t2", "Name:") == "x y");
  CHECK(proc_field("AUid:\t1\n", "Uid:").empty());
  CHECK(proc_field("Empty:\nUid:\t1\n", "Empty:").empty());
  CHECK(nth_word("a b\tc\n", 2) == "c");
  CHECK(nth_word("a b", 5).empty());
  CHECK(to_number("123abc") == 123);
  CHECK(to_number("ff-", 16) == 255);
  CHECK(to_number("x") == 0);
}

}  // namespace
}  // namespace trapline::os
