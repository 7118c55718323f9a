// spawn_seized on real programs: what the child inherits, and how each failure reads.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "daemon/os/memory.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/spawn.hpp"
#include "daemon/os/wait.hpp"
#include "tests/live/os_support.hpp"

namespace trapline::os {
namespace {

SpawnPlan shell(const std::string& script) {
  SpawnPlan plan;
  plan.argv = {"sh", "-c", script};
  plan.env = {"PATH=/usr/bin:/bin", "HOME=/"};
  return plan;
}

// Runs `plan` to its end and gives what it wrote to stdout (a file of the test's).
struct Outcome {
  WaitEvent end;
  std::string out;
};
Outcome run_to_end(const TracerThread& thread, SpawnPlan plan) {
  TemporaryFolder folder;
  plan.stdout_path = folder.path("out");
  auto spawned = spawn_seized(thread.token(), std::move(plan), trace_exec);
  if (!spawned) FAIL(spawned.error().message);
  Tracee tracee(thread, spawned->pid);
  return {tracee.run_to_end(), folder.read("out")};
}

TEST_CASE("a spawned program stands at its exec stop, in its own image, before its first instruction") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  auto spawned = spawn_seized(tracer, shell("exit 7"), trace_exec | trace_clone);
  REQUIRE(spawned);
  Tracee tracee(thread, spawned->pid);
  CHECK(spawned->aslr_disabled);
  const auto status = process_status(Tid{spawned->pid.value});
  REQUIRE(status);
  CHECK(status->state == 't');
  CHECK(status->tracer.value == ::getpid());
  CHECK(status->comm == "sh");
  CHECK(executable_of(spawned->pid).value() == std::filesystem::canonical("/bin/sh").string());
  // The first instruction is the loader's entry: the program's own entry is still ahead.
  const auto regs = general_registers(tracer, Tid{spawned->pid.value});
  const auto aux = auxiliary_vector(spawned->pid);
  REQUIRE(regs);
  REQUIRE(aux);
  CHECK(aux->base != 0);
  CHECK(regs->rip > aux->base);
  CHECK(regs->rip < aux->base + (1U << 20));
  const auto end = tracee.run_to_end();
  REQUIRE(std::holds_alternative<Exited>(end.what));
  CHECK(std::get<Exited>(end.what).code == 7);
}

TEST_CASE("death by a signal is told apart from an exit code") {
  const TracerThread thread;
  const auto end = run_to_end(thread, shell("kill -TERM $$")).end;
  REQUIRE(std::holds_alternative<Killed>(end.what));
  CHECK(std::get<Killed>(end.what).signal == SIGTERM);
}

TEST_CASE("the child has default signals, an empty mask and no file of ours, whatever the daemon did") {
  const TracerThread thread;
  const auto old_pipe = ::signal(SIGPIPE, SIG_IGN);
  sigset_t block, before;
  ::sigemptyset(&block);
  ::sigaddset(&block, SIGCHLD);
  ::sigaddset(&block, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &block, &before);
  const int leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  const auto outcome = run_to_end(
      thread,
      shell("grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status; for f in /proc/self/fd/*; do echo ${f##*/}; done"));
  ::close(leak);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, old_pipe);
  CHECK(outcome.out.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(outcome.out.find("SigIgn:\t0000000000000000") != std::string::npos);
  // The shell's own: 0, 1, 2, and the folder that it lists.
  CHECK(outcome.out.ends_with("\n0\n1\n2\n3\n"));
}

TEST_CASE("address space randomisation is off, or on, as asked") {
  const TracerThread thread;
  const auto first_mapping = [&](bool disable) {
    auto plan = shell("head -1 /proc/self/maps; cat /proc/self/personality");
    plan.disable_aslr = disable;
    return run_to_end(thread, std::move(plan)).out;
  };
  const auto fixed = first_mapping(true);
  CHECK(fixed == first_mapping(true));
  CHECK(fixed.starts_with("555555554000"));
  CHECK(fixed.ends_with("00040000\n"));  // ADDR_NO_RANDOMIZE
  // On also where the daemon itself runs without.
  const int ours = ::personality(0xffffffff);
  ::personality(static_cast<unsigned long>(ours) | ADDR_NO_RANDOMIZE);
  const auto random = first_mapping(false);
  ::personality(static_cast<unsigned long>(ours));
  CHECK(random.ends_with("00000000\n"));
}

TEST_CASE("standard files: given ones are opened, stdin is empty otherwise, one name for both outputs is one file") {
  const TracerThread thread;
  TemporaryFolder folder;
  folder.write("in", "from a file\n");
  auto plan = shell("cat; echo out; echo err >&2; echo out again");
  plan.stdin_path = folder.path("in");
  plan.stdout_path = plan.stderr_path = folder.path("both");
  auto spawned = spawn_seized(thread.token(), std::move(plan), 0);
  REQUIRE(spawned);
  Tracee(thread, spawned->pid).run_to_end();
  CHECK(folder.read("both") == "from a file\nout\nerr\nout again\n");
  CHECK(run_to_end(thread, shell("cat; echo done")).out == "done\n");
}

TEST_CASE("stderr goes through its own pipe where one is given") {
  const TracerThread thread;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const util::Fd reader(ends[0]);
  auto plan = shell("echo to err >&2; echo to out");
  plan.stderr_pipe = util::Fd(ends[1]);
  const auto outcome = run_to_end(thread, std::move(plan));
  CHECK(outcome.out == "to out\n");
  CHECK(read_until_end(reader.get()) == "to err\n");  // ends: no copy of the write end is left with us
}

TEST_CASE("with a pty the program has a session and a controlling terminal, and its lines are not doubled") {
  const TracerThread thread;
  auto pty = open_pty();
  REQUIRE(pty);
  auto plan = shell("tty; ps -o sid=,pgid=,tpgid= -p $$; read word; echo got $word; echo now > /dev/tty");
  plan.pty_slave = pty->slave_path;
  auto spawned = spawn_seized(thread.token(), std::move(plan), 0);
  REQUIRE(spawned);
  Tracee tracee(thread, spawned->pid);
  REQUIRE(::write(pty->master.get(), "word\n", 5) == 5);
  const auto end = tracee.run_to_end();
  CHECK(std::holds_alternative<Exited>(end.what));
  const std::string text = read_until_end(pty->master.get());
  const auto pid = std::to_string(spawned->pid.value);
  std::istringstream words(text);
  std::string tty, sid, pgid, tpgid, rest;
  words >> tty >> sid >> pgid >> tpgid;
  CHECK(tty == pty->slave_path);
  CHECK(sid == pid);
  CHECK(pgid == pid);
  CHECK(tpgid == pid);
  CHECK(text.ends_with("\ngot word\nnow\n"));
  CHECK(text.find('\r') == std::string::npos);
}

TEST_CASE("a program is found through PATH of its own environment, relative names from its own folder") {
  const TracerThread thread;
  TemporaryFolder folder;
  folder.write("tool", "#!/bin/sh\necho I am $0 in $(pwd)\n", 0755);
  SpawnPlan plan;
  plan.argv = {"tool"};
  plan.env = {"PATH=" + folder.path("") + ":/bin"};
  CHECK(run_to_end(thread, std::move(plan)).out.find("I am " + folder.path("tool")) == 0);
  SpawnPlan relative;
  relative.argv = {"./tool"};
  relative.cwd = folder.path("");
  CHECK(run_to_end(thread, std::move(relative))
            .out.find(" in " + folder.path("").substr(0, folder.path("").size() - 1)) != std::string::npos);
}

TEST_CASE("failures in the child come back with their reason, and leave no child behind") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  const auto fails = [&](SpawnPlan plan, unsigned options = trace_exec | trace_exit) {
    const auto spawned = spawn_seized(tracer, std::move(plan), options);
    REQUIRE(!spawned);
    CHECK(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1);
    CHECK(errno == ECHILD);
    return spawned.error();
  };
  auto plan = shell("true");
  plan.cwd = "/no/such/folder";
  auto error = fails(std::move(plan));
  CHECK(error.code == Errc::not_executable);
  CHECK(error.message.find("/no/such/folder") != std::string::npos);
  CHECK(error.os_errno == ENOENT);

  plan = shell("true");
  plan.stdout_path = "/no/such/out";
  CHECK(fails(std::move(plan), 0).message.find("standard output") != std::string::npos);

  plan = shell("true");
  plan.user = "no-such-user";
  CHECK(fails(std::move(plan)).code == Errc::not_found);

  plan = shell("true");
  plan.pty_slave = "/dev/null";
  CHECK(fails(std::move(plan)).message.find("terminal") != std::string::npos);

  plan = shell("true");
  plan.argv.emplace_back(3 << 20, 'x');  // one string may have 128 kB
  error = fails(std::move(plan));
  CHECK(error.os_errno == E2BIG);
  CHECK(error.message.find("too large") != std::string::npos);

  plan = shell("true");
  plan.argv.clear();
  CHECK(fails(std::move(plan)).code == Errc::not_executable);
}

TEST_CASE("a standard file that does not open in time ends the launch; one whose other end comes does not") {
  const TracerThread thread;
  TemporaryFolder folder;
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  auto plan = shell("cat");
  plan.stdin_path = folder.path("fifo");
  plan.limit = std::chrono::milliseconds(100);
  const auto late = spawn_seized(thread.token(), std::move(plan), trace_exec | trace_exit);
  REQUIRE(!late);
  CHECK(late.error().code == Errc::timeout);
  CHECK(late.error().hint.find("FIFO") != std::string::npos);
  CHECK(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1);  // killed and collected
  plan = shell("cat");
  plan.stdin_path = folder.path("fifo");
  std::jthread writer([&] { folder.write("fifo", "through the fifo\n", 0600); });
  CHECK(run_to_end(thread, std::move(plan)).out == "through the fifo\n");
}

TEST_CASE("a program that the kernel cannot load says so") {
  const TracerThread thread;
  TemporaryFolder folder;
  // A well-formed header whose only segment cannot be mapped: past the point of no return, the kernel kills.
  folder.write("broken", elf_with_unmappable_segment(), 0755);
  SpawnPlan plan;
  plan.argv = {folder.path("broken")};
  const auto spawned = spawn_seized(thread.token(), std::move(plan), trace_exit);
  REQUIRE(!spawned);
  CHECK(spawned.error().code == Errc::not_executable);
  CHECK(spawned.error().message.find("broken") != std::string::npos);
}

TEST_CASE("a launch as another user takes his groups too") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root may start programs as another user");
    return;
  }
  const TracerThread thread;
  auto plan = shell("id -un; id -gn");
  plan.user = "nobody";
  plan.cwd = "/";
  TemporaryFolder folder;
  ::chmod(folder.path("").c_str(), 0777);
  plan.stdout_path = folder.path("out");
  auto spawned = spawn_seized(thread.token(), std::move(plan), 0);
  REQUIRE(spawned);
  Tracee(thread, spawned->pid).run_to_end();
  CHECK(folder.read("out") == "nobody\nnogroup\n");
}

TEST_CASE("a daemon with busy threads can spawn: the child never touches a lock") {
  const TracerThread thread;
  std::atomic<bool> stop = false;
  std::vector<std::jthread> busy;
  for (int i = 0; i < 3; ++i)
    busy.emplace_back([&] {
      while (!stop) std::string(5000, 'x').append(std::to_string(::getpid()));
    });
  for (int i = 0; i < 40; ++i) {
    auto spawned = spawn_seized(thread.token(), shell("exit 3"), trace_exec);
    REQUIRE(spawned);
    const auto end = Tracee(thread, spawned->pid).run_to_end();
    CHECK(std::get<Exited>(end.what).code == 3);
  }
  stop = true;
}

}  // namespace
}  // namespace trapline::os
