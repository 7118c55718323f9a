#pragma once
// A fact of the kernel that the code relies on, as a program: it ends with 0 while the fact holds, and says what is
// different otherwise. Raw system calls on purpose: nothing of ours stands between.
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

inline void expect(bool holds, const char* fact) {
  if (holds) return;
  std::fprintf(stderr, "no longer so: %s (errno %d)\n", fact, errno);
  std::_Exit(1);
}

// A child that runs `body`; it dies with us. Everything is over in 20 s, whatever hangs.
template <class Body>
pid_t child(Body body) {
  ::alarm(20);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::alarm(20);
  body();
  std::_Exit(0);
}

inline void seize(pid_t pid, long options = 0) {
  expect(::ptrace(PTRACE_SEIZE, pid, 0L, options | PTRACE_O_EXITKILL) == 0, "PTRACE_SEIZE of a child is allowed");
}
inline void go(pid_t pid, long signal = 0) {
  expect(::ptrace(PTRACE_CONT, pid, 0L, signal) == 0, "a stopped tracee can be resumed");
}
inline void interrupt(pid_t pid) { expect(::ptrace(PTRACE_INTERRUPT, pid, 0L, 0L) == 0, "PTRACE_INTERRUPT works"); }
inline int wait_of(pid_t pid) {
  int status = 0;
  expect(::waitpid(pid, &status, __WALL) == pid, "waitpid answers for the tracee");
  return status;
}
inline user_regs_struct registers(pid_t pid) {
  user_regs_struct regs{};
  expect(::ptrace(PTRACE_GETREGS, pid, 0L, &regs) == 0, "registers of a stopped tracee can be read");
  return regs;
}
inline void set_registers(pid_t pid, const user_regs_struct& regs) {
  expect(::ptrace(PTRACE_SETREGS, pid, 0L, &regs) == 0, "registers of a stopped tracee can be set");
}
inline unsigned long message(pid_t pid) {
  unsigned long text = 0;
  expect(::ptrace(PTRACE_GETEVENTMSG, pid, 0L, &text) == 0, "an event has a message");
  return text;
}

inline bool is_event(int status, int event, int signal = SIGTRAP) {
  return WIFSTOPPED(status) && status >> 8 == (signal | event << 8);
}

// Waits until the child sleeps in a system call: its state is S. Not a fixed time, so bounded by the alarm.
inline void wait_asleep(pid_t pid) {
  char path[64], text[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (;;) {
    std::FILE* file = std::fopen(path, "r");
    expect(file != nullptr, "/proc/PID/stat is there");
    char state = '?';
    if (std::fgets(text, sizeof text, file) != nullptr) std::sscanf(text, "%*d (%*[^)]) %c", &state);
    std::fclose(file);
    if (state == 'S') return;
    ::usleep(500);
  }
}
