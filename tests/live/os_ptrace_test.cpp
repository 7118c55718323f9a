// The wrapped ptrace calls, waiting and memory, on processes of the test's own.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "daemon/arch/registers.hpp"
#include "daemon/os/memory.hpp"
#include "daemon/os/proc.hpp"
#include "daemon/os/ptrace.hpp"
#include "daemon/os/wait.hpp"
#include "tests/live/os_support.hpp"

namespace trapline::os {
namespace {

// What test and child share: a page that both see.
struct Shared {
  std::atomic<unsigned> ready = 0;
  std::atomic<unsigned> go = 0;
  std::atomic<std::uint64_t> value = 0;
};

class SharedPage {
 public:
  SharedPage()
      : page_(static_cast<Shared*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(page_ != MAP_FAILED);
    new (page_) Shared;
  }
  ~SharedPage() { ::munmap(page_, 4096); }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  Shared* operator->() const { return page_; }

 private:
  Shared* page_;
};

template <class Body>
Pid fork_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    std::_Exit(0);
  }
  REQUIRE(pid > 0);
  return Pid{pid};
}

void wait_for(const std::atomic<unsigned>& flag, unsigned value) {
  const auto deadline = std::chrono::steady_clock::now() + test_patience;
  while (flag < value) {
    if (std::chrono::steady_clock::now() > deadline) FAIL("the child did not come so far in time");
    ::usleep(200);
  }
}

void stop(const OnTracer& tracer, Tracee& tracee) {
  REQUIRE(interrupt(tracer, tracee.tid()));
  const auto event = tracee.next();
  REQUIRE(std::holds_alternative<InterruptStop>(event.what));
}

Pid busy_child(const SharedPage& page) {
  return fork_child([&] {
    page->ready = 1;
    while (page->go == 0) page->value = page->value + 1;
  });
}

TEST_CASE("seize does not stop, interrupt does, registers go both ways, the process ends as it would have") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = busy_child(page);
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, trace_exit));
  Tracee tracee(thread, pid);
  Waiter waiter(tracer);
  const auto nothing = waiter.of(tracee.tid(), Waiter::Mode::poll);
  REQUIRE(nothing);
  CHECK(!nothing->has_value());
  stop(tracer, tracee);
  auto regs = general_registers(tracer, tracee.tid());
  REQUIRE(regs);
  CHECK(mappings(pid).has_value());
  CHECK(peek_user(tracer, tracee.tid(), {offsetof(user_regs_struct, rip)}).value() == regs->rip);
  const auto before = *regs;
  regs->r15 = 0x123456789abcdef0;
  REQUIRE(set_general_registers(tracer, tracee.tid(), *regs));
  CHECK(general_registers(tracer, tracee.tid())->r15 == 0x123456789abcdef0);
  REQUIRE(set_general_registers(tracer, tracee.tid(), before));
  CHECK(*general_registers(tracer, tracee.tid()) == before);
  page->go = 1;
  tracee.go();
  const auto exiting = tracee.next();
  REQUIRE(std::holds_alternative<EventStop>(exiting.what));
  CHECK(std::get<EventStop>(exiting.what).event == TraceEvent::exit);
  CHECK(event_message(tracer, tracee.tid()).value() == 0);  // the wait status to come
  tracee.go();
  CHECK(std::get<Exited>(tracee.next().what).code == 0);
  CHECK(waiter.of(tracee.tid(), Waiter::Mode::poll).error().code == Errc::thread_gone);
}

TEST_CASE("requests to a running, foreign or dead thread are thread_gone, and permission is told apart") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = busy_child(page);
  wait_for(page->ready, 1);
  CHECK(general_registers(tracer, Tid{pid.value}).error().code == Errc::thread_gone);  // not ours
  REQUIRE(seize(tracer, Tid{pid.value}, 0));
  Tracee tracee(thread, pid);
  CHECK(general_registers(tracer, tracee.tid()).error().code == Errc::thread_gone);  // runs
  CHECK(seize(tracer, tracee.tid(), 0).error().code == Errc::no_permission);         // ours already
  CHECK(explain_refusal(pid, EPERM).code == Errc::already_traced);
  CHECK(check_attachable(pid).error().message.find(std::to_string(::getpid())) != std::string::npos);
  stop(tracer, tracee);
  REQUIRE(::kill(pid.value, SIGKILL) == 0);
  CHECK(std::get<Killed>(tracee.next().what).signal == SIGKILL);
  CHECK(resume(tracer, tracee.tid(), 0).error().code == Errc::thread_gone);
  CHECK(seize(tracer, tracee.tid(), 0).error().code == Errc::thread_gone);
}

TEST_CASE("the vector registers of a stopped thread read and write by name, and the program computes with them") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = fork_child([&] {
    // Holds a number in xmm7 through a loop, and gives it away at the end.
    std::uint64_t out = 0;
    page->ready = 1;
    __asm__ volatile(
        "mov $0x1122334455667788, %%rax\n\t"
        "movq %%rax, %%xmm7\n\t"
        "1: cmpl $0, (%[go])\n\t"
        "je 1b\n\t"
        "movq %%xmm7, %[out]\n\t"
        : [out] "=r"(out)
        : [go] "r"(&page->go)
        : "rax", "xmm7", "memory");
    page->value = out;
    page->ready = 2;
  });
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, 0));
  Tracee tracee(thread, pid);
  arch::RegisterFile file;
  std::vector<std::byte> xmm7;
  const auto shown = [](std::span<const std::byte> bytes) { return arch::format_register("xmm7", bytes); };
  for (int tries = 0; tries < 100 && shown(xmm7) != "{0x1122334455667788, 0x0}"; ++tries) {  // it may not be there yet
    stop(tracer, tracee);
    auto area = xstate(tracer, tracee.tid());
    REQUIRE(area);
    file.xstate = *area;
    xmm7 = arch::read_register(file, "xmm7").value();
    if (shown(xmm7) != "{0x1122334455667788, 0x0}") tracee.go();
  }
  CHECK(shown(xmm7) == "{0x1122334455667788, 0x0}");
  CHECK(arch::register_list(file.xstate).size() > 60);
  xmm7[0] = std::byte{0x99};
  REQUIRE(arch::write_register(file, "xmm7", xmm7));
  // Every register that the list names can be written as it is, and the kernel takes the area.
  for (const auto& described : arch::register_list(file.xstate)) {
    if (described.group == "general" || described.group == "segment" || described.group == "flags") continue;
    REQUIRE(arch::write_register(file, described.name, arch::read_register(file, described.name).value()));
  }
  REQUIRE(set_xstate(tracer, tracee.tid(), file.xstate));
  CHECK(xstate(tracer, tracee.tid()).value().size() == file.xstate.size());
  page->go = 1;
  tracee.go();
  wait_for(page->ready, 2);
  CHECK(page->value == 0x1122334455667799);
  // A part of the area is refused, not half taken.
  CHECK(!set_xstate(tracer, tracee.tid(), std::span(file.xstate).first(512)));
}

TEST_CASE("a signal stop tells its signal; its information, the mask and the delivery can be changed") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = fork_child([&] {
    static Shared* shared;
    shared = &*page.operator->();
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
      shared->value = static_cast<std::uint64_t>(info->si_value.sival_int);
    };
    ::sigaction(SIGUSR1, &action, nullptr);
    page->ready = 1;
    while (page->go == 0) ::usleep(100);
  });
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, 0));
  Tracee tracee(thread, pid);
  REQUIRE(::sigqueue(pid.value, SIGUSR1, sigval{.sival_int = 5}) == 0);
  auto event = tracee.next();
  REQUIRE(std::holds_alternative<SignalStop>(event.what));
  CHECK(std::get<SignalStop>(event.what).signal == SIGUSR1);
  auto info = signal_info(tracer, tracee.tid());
  REQUIRE(info);
  CHECK(info->si_value.sival_int == 5);
  CHECK(info->si_pid == ::getpid());
  info->si_value.sival_int = 6;
  REQUIRE(set_signal_info(tracer, tracee.tid(), *info));
  tracee.go(SIGUSR1);
  const auto deadline = std::chrono::steady_clock::now() + test_patience;
  while (page->value != 6 && std::chrono::steady_clock::now() < deadline) ::usleep(200);
  CHECK(page->value == 6);
  // Blocked, a signal makes no stop.
  stop(tracer, tracee);
  const auto mask = signal_mask(tracer, tracee.tid());
  REQUIRE(mask);
  REQUIRE(set_signal_mask(tracer, tracee.tid(), *mask | (1U << (SIGUSR1 - 1))));
  REQUIRE(::kill(pid.value, SIGUSR1) == 0);
  tracee.go();
  stop(tracer, tracee);  // its next event is our interrupt, not the signal
  REQUIRE(set_signal_mask(tracer, tracee.tid(), *mask));
  tracee.go();
  event = tracee.next();
  REQUIRE(std::holds_alternative<SignalStop>(event.what));
  page->go = 1;
  tracee.go(0);  // swallowed
  CHECK(std::holds_alternative<Exited>(tracee.next().what));
}

TEST_CASE("new threads are ours from birth; clone's message is their tid") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = fork_child([&] {
    page->ready = 1;
    while (page->go == 0) ::usleep(100);
    for (int i = 0; i < 8; ++i) std::thread([&] { page->value = page->value + 1; }).join();
  });
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, trace_clone));
  Tracee tracee(thread, pid);
  page->go = 1;
  for (int i = 0; i < 8; ++i) {
    const auto event = tracee.next();
    REQUIRE(std::holds_alternative<EventStop>(event.what));
    CHECK(std::get<EventStop>(event.what).event == TraceEvent::clone);
    const Tid fresh{static_cast<pid_t>(event_message(tracer, tracee.tid()).value())};
    const auto first = tracee.next(fresh);
    CHECK(std::holds_alternative<InterruptStop>(first.what));
    const auto listed = threads_of(pid);
    REQUIRE(listed);
    CHECK(std::ranges::find(*listed, fresh) != listed->end());
    REQUIRE(resume(tracer, fresh, 0));
    tracee.go();
    CHECK(std::holds_alternative<Exited>(tracee.next(fresh).what));
  }
  CHECK(std::holds_alternative<Exited>(tracee.next().what));
  CHECK(page->value == 8);
}

TEST_CASE("memory: text and data, across pages, to the last byte before a hole; nothing of it needs an attach") {
  const TracerThread thread;
  SharedPage page;
  const std::size_t size = 1 << 20;
  auto* area =
      static_cast<std::byte*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(area != MAP_FAILED);
  for (std::size_t i = 0; i < size; ++i) area[i] = static_cast<std::byte>(i * 7 >> 3);
  ::munmap(area + size - 4096, 4096);
  ::mprotect(area, 4096, PROT_READ | PROT_EXEC);
  ::mprotect(area + 4096, 4096, PROT_NONE);
  const Pid pid = busy_child(page);
  Tracee tracee(thread, pid);  // for its end only
  wait_for(page->ready, 1);
  auto memory = ProcessMemory::open(pid);
  REQUIRE(memory);
  const LoadAddr base{reinterpret_cast<std::uint64_t>(area)};
  const auto expected = [&](std::size_t from, std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((from + i) * 7 >> 3);
    return bytes;
  };
  for (const auto& [from, count] : {std::pair{0UL, 16UL},
                                    {4090UL, 20UL},
                                    {8180UL, 100000UL},
                                    {0UL, size - 4096},
                                    {5UL, 300000UL},
                                    {size - 4097, 1UL}}) {
    std::vector<std::byte> got(count);
    CAPTURE(from);
    REQUIRE(memory->read(base + ByteCount{from}, got));
    CHECK(got == expected(from, count));
  }
  // Into the hole.
  std::vector<std::byte> got(200000);
  CHECK(memory->read_some(base + ByteCount{size - 4096 - 100}, got) == 100);
  CHECK(memory->read_some(base + ByteCount{size - 4096 - 150000}, got) == 150000);
  const auto hole = memory->read(base + ByteCount{size - 4096 - 100}, got);
  REQUIRE(!hole);
  CHECK(hole.error().code == Errc::bad_address);
  CHECK(hole.error().message.find(fmt::format("{:#x}", base.value + size - 4096)) != std::string::npos);
  for (const std::uint64_t nowhere : {0ULL, 0x7fffffffffffffffULL, 0x8000000000000000ULL, ~0ULL}) {
    CHECK(memory->read_some(LoadAddr{nowhere}, std::span(got).first(8)) == 0);
    CHECK(memory->read(LoadAddr{nowhere}, std::span(got).first(8)).error().code == Errc::bad_address);
    CHECK(memory->write(LoadAddr{nowhere}, std::span(got).first(8)).error().code == Errc::bad_address);
  }
  // Writes: r-x, and what the program itself may not write.
  const std::byte mark[2] = {std::byte{0xcc}, std::byte{0x90}};
  REQUIRE(memory->write(base + ByteCount{4095}, mark));  // from an r-x page into one without access
  REQUIRE(memory->read(base + ByteCount{4095}, std::span(got).first(2)));
  CHECK(std::memcmp(got.data(), mark, 2) == 0);
  CHECK(area[4095] != mark[0]);  // the child's copy became its own
  CHECK(memory->store_as_program(base, mark).error().code == Errc::bad_address);
  CHECK(memory->store_as_program(base + ByteCount{4096}, mark).error().code == Errc::bad_address);
  REQUIRE(memory->store_as_program(base + ByteCount{8192}, mark));
  CHECK(memory->write(base + ByteCount{size - 4097}, mark).error().code == Errc::bad_address);
  CHECK(memory->read(base, {}).has_value());
  // Gone.
  page->go = 1;
  int status = 0;
  REQUIRE(::waitpid(pid.value, &status, 0) == pid.value);
  CHECK(memory->read(base, std::span(got).first(1)).error().code == Errc::process_gone);
  CHECK(memory->write(base, mark).error().code == Errc::process_gone);
  CHECK(memory->store_as_program(base, mark).error().code == Errc::process_gone);
  CHECK(ProcessMemory::open(pid).error().code == Errc::process_gone);
  ::munmap(area, size - 4096);
}

TEST_CASE("a zombie is not attachable, and its parent is named") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Pid pid = fork_child([] {});
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pid.value), &info, WEXITED | WNOWAIT) == 0);
  const auto refused = check_attachable(pid);
  REQUIRE(!refused);
  CHECK(refused.error().message.find("zombie") != std::string::npos);
  CHECK(executable_of(pid).error().code == Errc::not_available);
  CHECK(::waitpid(pid.value, nullptr, 0) == pid.value);
  CHECK(check_attachable(pid).error().code == Errc::no_process);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a thread's tid is no process; the answer says which") {
  SharedPage page;
  const Pid pid = fork_child([&] {
    std::thread worker([&] {
      page->ready = static_cast<unsigned>(::gettid());
      while (page->go == 0) ::usleep(100);
    });
    worker.join();
  });
  wait_for(page->ready, 1);
  const Pid tid{static_cast<pid_t>(page->ready.load())};
  const auto refused = check_attachable(tid);
  CHECK(check_attachable(pid).has_value());
  page->go = 1;
  ::waitpid(pid.value, nullptr, 0);
  REQUIRE(!refused);
  CHECK(refused.error().hint.find(std::to_string(pid.value)) != std::string::npos);
}

TEST_CASE("the sweep finds what no known tid explains, and nothing where there is nothing") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  Waiter waiter(tracer);
  CHECK(!waiter.any().value());
  SharedPage page;
  const Pid pid = busy_child(page);
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, 0));
  Tracee tracee(thread, pid);
  CHECK(!waiter.any().value());
  REQUIRE(interrupt(tracer, tracee.tid()));
  const auto deadline = std::chrono::steady_clock::now() + test_patience;
  std::optional<WaitEvent> found;
  while (!found && std::chrono::steady_clock::now() < deadline) found = waiter.any().value();
  REQUIRE(found);
  CHECK(found->tid == tracee.tid());
  CHECK(std::holds_alternative<InterruptStop>(found->what));
}

TEST_CASE("an interrupt overtakes the SIGTRAP of a step through a system call: trap_pending tells") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  const Pid pid = fork_child([] { ::pause(); });
  REQUIRE(seize(tracer, Tid{pid.value}, trace_sysgood));
  Tracee tracee(thread, pid);
  stop(tracer, tracee);
  CHECK(trap_pending(tracer, tracee.tid()).value() == false);
  // To the entry of pause(): from there a step ends behind the call, and an interrupt ends the call.
  for (std::uint64_t call = 0; call != SYS_pause;) {
    REQUIRE(resume_to_syscall(tracer, tracee.tid(), 0));
    REQUIRE(std::holds_alternative<SyscallStop>(tracee.next().what));
    const auto registers = general_registers(tracer, tracee.tid());
    REQUIRE(registers);
    call = registers->orig_rax;
  }
  REQUIRE(single_step(tracer, tracee.tid(), 0));
  stop(tracer, tracee);
  CHECK(trap_pending(tracer, tracee.tid()).value() == true);
  REQUIRE(resume(tracer, tracee.tid(), 0));
  const auto event = tracee.next();
  const auto* signal = std::get_if<SignalStop>(&event.what);
  REQUIRE(signal != nullptr);
  CHECK(signal->signal == SIGTRAP);
  CHECK(trap_pending(tracer, tracee.tid()).value() == false);
}

TEST_CASE("debug registers are reached through the user area") {
  const TracerThread thread;
  const auto& tracer = thread.token();
  SharedPage page;
  const Pid pid = busy_child(page);
  wait_for(page->ready, 1);
  REQUIRE(seize(tracer, Tid{pid.value}, 0));
  Tracee tracee(thread, pid);
  stop(tracer, tracee);
  const auto dr = [](std::size_t n) { return UserOffset{offsetof(user, u_debugreg) + n * 8}; };
  const auto value = reinterpret_cast<std::uint64_t>(&page->value);
  REQUIRE(poke_user(tracer, tracee.tid(), dr(0), value));
  REQUIRE(poke_user(tracer, tracee.tid(), dr(7), 0x90001));  // DR0 local, write, 8 bytes: RW0=01 LEN0=10
  CHECK(peek_user(tracer, tracee.tid(), dr(0)).value() == value);
  tracee.go();
  const auto event = tracee.next();
  REQUIRE(std::holds_alternative<SignalStop>(event.what));
  CHECK(std::get<SignalStop>(event.what).signal == SIGTRAP);
  CHECK((peek_user(tracer, tracee.tid(), dr(6)).value() & 0xf) == 1);
  CHECK(!poke_user(tracer, tracee.tid(), dr(0), ~0ULL));  // the kernel's half is refused
  REQUIRE(poke_user(tracer, tracee.tid(), dr(7), 0));
  page->go = 1;
}

}  // namespace
}  // namespace trapline::os
