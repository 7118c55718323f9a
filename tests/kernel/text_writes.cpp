// /proc/PID/mem writes read-only executable pages of a process that runs and is not traced (FOLL_FORCE), and even a
// page without any access; process_vm_writev does neither (EFAULT). After an exec an old descriptor reads nothing: it
// belongs to the address space that is gone. Relied on by: os::ProcessMemory.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <initializer_list>

#include "tests/kernel/fact.hpp"

int main() {
  auto* text = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  auto* guard = static_cast<char*>(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  int gate[2];
  expect(::pipe(gate) == 0, "pipe");
  const pid_t pid = child([&] {
    char go_on;
    if (::read(gate[0], &go_on, 1) == 1) ::execl("/bin/sleep", "sleep", "20", nullptr);
  });
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const int mem = ::open(path, O_RDWR);
  expect(mem >= 0, "the memory of a child can be opened");
  char byte = 'x';
  const auto offset = [](char* at) { return reinterpret_cast<off_t>(at); };
  expect(::pwrite(mem, &byte, 1, offset(text)) == 1, "/proc/PID/mem writes r-x pages");
  expect(::pwrite(mem, &byte, 1, offset(guard)) == 1, "/proc/PID/mem writes even where the program has no access");
  for (char* at : {text, guard}) {
    const iovec local{.iov_base = &byte, .iov_len = 1}, remote{.iov_base = at, .iov_len = 1};
    expect(::process_vm_writev(pid, &local, 1, &remote, 1, 0) == -1 && errno == EFAULT,
           "process_vm_writev keeps to the program's own rights");
  }
  expect(::pread(mem, &byte, 1, offset(text)) == 1 && byte == 'x', "the byte is there");
  expect(::write(gate[1], "g", 1) == 1, "write");
  while (::pread(mem, &byte, 1, offset(text)) == 1) ::usleep(500);  // until the exec; bounded by the alarm
  expect(::pread(mem, &byte, 1, offset(text)) == 0, "after the exec the old descriptor reads 0 bytes");
  ::kill(pid, SIGKILL);
  wait_of(pid);
}
