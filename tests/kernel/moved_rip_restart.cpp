// A thread that a stop pulled out of a restarting system call (rax -512..-516, orig_rax the number) has its rip moved
// by the kernel when it goes on: 2 back. Whoever sets another rip must set orig_rax to -1, or the thread runs from 2
// bytes before it. At an int3 orig_rax is -1 already and rip is one past it. Relied on by: run/ (goto, calls, slots).
#include "tests/kernel/fact.hpp"

extern "C" void landing_pad();
asm(R"(
  .globl landing_pad
  mov $60, %eax        # "2 before" lands here or in the middle: any exit code but 7
  mov $9, %edi
  syscall
  nop
  nop
landing_pad:
  mov $60, %eax
  mov $7, %edi
  syscall
)");

namespace {

bool lands_at(bool forget_system_call) {
  const pid_t pid = child([] {
    for (;;) ::pause();
  });
  wait_asleep(pid);
  seize(pid);
  interrupt(pid);
  wait_of(pid);
  auto regs = registers(pid);
  expect(static_cast<long>(regs.rax) <= -512 && static_cast<long>(regs.rax) >= -516, "rax says that it restarts");
  expect(static_cast<long>(regs.orig_rax) >= 0, "orig_rax is the number of the system call");
  const auto target = reinterpret_cast<unsigned long>(&landing_pad);
  regs.rip = target;
  if (forget_system_call) regs.orig_rax = ~0ULL;
  set_registers(pid, regs);
  expect(::ptrace(PTRACE_SINGLESTEP, pid, 0L, 0L) == 0, "step");
  const int status = wait_of(pid);
  expect(WIFSTOPPED(status), "stepped");
  const auto after = registers(pid).rip;
  ::kill(pid, SIGKILL);
  wait_of(pid);
  return after > target;  // "mov" is 5 bytes; from 2 before only a nop is done
}

}  // namespace

int main() {
  expect(lands_at(true), "with orig_rax -1 the new rip is where it goes on");
  expect(!lands_at(false), "without, the kernel moves the new rip 2 bytes back");
  const pid_t pid = child([] {
    ::raise(SIGSTOP);
    asm volatile("int3");
  });
  int status = 0;
  expect(::waitpid(pid, &status, WUNTRACED) == pid, "stopped");
  seize(pid);
  wait_of(pid);
  ::kill(pid, SIGCONT);
  go(pid);
  for (;;) {
    status = wait_of(pid);
    expect(WIFSTOPPED(status), "alive until its int3");
    if (status >> 8 == SIGTRAP) break;
    go(pid, status >> 16 == 0 ? WSTOPSIG(status) : 0);
  }
  const auto regs = registers(pid);
  expect(static_cast<long>(regs.orig_rax) == -1, "orig_rax is -1 at an int3");
  errno = 0;
  const long before = ::ptrace(PTRACE_PEEKTEXT, pid, regs.rip - 1, 0L);
  expect(errno == 0 && (before & 0xff) == 0xcc, "rip is one past the int3");
}
