// A stop is invisible to system calls: nobody gets EINTR, timeouts go on.
#include <charconv>

#include "tests/live/run_support.hpp"

using namespace trapline;
using namespace trapline::test;
using run::StepGoal;

namespace {

// Waits until the process sleeps in a system call.
void settle(Pid pid) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    const auto status = os::process_status(Tid{pid.value});
    const auto call = slurp(fmt::format("/proc/{}/syscall", pid.value));
    if (status && status->state == 'S' && !call.starts_with("running")) return;
    short_nap();
  }
  FAIL("the fixture does not come to its wait");
}

}  // namespace

TEST_CASE("a wait without a timeout survives attach, stops, resumes and detach") {
  for (const std::string how : {"epoll", "sigwait", "read"}) {
    CAPTURE(how);
    Folder folder;
    Plain plain(folder, "run_waits", {how});
    REQUIRE(plain.says("waiting"));
    settle(plain.pid());
    for (int round = 0; round < 3; ++round) {
      Ride ride;
      ride.attach(plain.pid());
      ride.go();
      for (int i = 0; i < 5; ++i) {
        REQUIRE(ride.inferior->interrupt());
        ride.stop();
        ride.go();
      }
      REQUIRE(ride.inferior->detach());
    }
    CHECK(plain.output() == "waiting\n");
    settle(plain.pid());
    if (how == "sigwait")
      plain.signal(SIGUSR1);
    else
      plain.type("x");
    REQUIRE(plain.wait());
    CHECK(plain.output() == (how == "epoll"     ? "waiting\nreadable\n"
                             : how == "sigwait" ? fmt::format("waiting\nsignal {}\n", SIGUSR1)
                                                : "waiting\n"));
  }
}

TEST_CASE("timeouts go on over stops") {
  for (const std::string how : {"epoll_timeout", "nanosleep", "poll", "semtimed"}) {
    CAPTURE(how);
    Folder folder;
    Plain plain(folder, "run_waits", {how});
    REQUIRE(plain.says("waiting"));
    settle(plain.pid());
    Ride ride;
    ride.attach(plain.pid());
    ride.go();
    for (int i = 0; i < 10 && !ride.exit; ++i) {
      REQUIRE(ride.inferior->interrupt());
      ride.stop();
      ride.go();
      for (int nap = 0; nap < 100; ++nap) short_nap();
    }
    CHECK(ride.wait_exit() == 0);
    plain.reaped(0);
    const auto text = plain.output();
    REQUIRE(text.starts_with("waiting\ntimeout "));
    long took = 0;
    std::from_chars(text.data() + 16, text.data() + text.size(), took);
    CHECK(took >= 950);
    CHECK(took < 3000);
  }
}

TEST_CASE("a signal without a handler does not interrupt") {
  Folder folder;
  Plain plain(folder, "run_waits", {"epoll"});
  REQUIRE(plain.says("waiting"));
  settle(plain.pid());
  Ride ride;
  ride.attach(plain.pid());
  ride.go();
  for (int i = 0; i < 5; ++i) {
    plain.signal(SIGCHLD);
    const auto seen = static_cast<std::size_t>(i) + 1;
    REQUIRE(ride.until([&] { return ride.signals.size() == seen; }));
  }
  plain.type("x");
  CHECK(ride.wait_exit() == 0);
  plain.reaped(0);
  CHECK(plain.output() == "waiting\nreadable\n");
}

TEST_CASE("a real signal still interrupts") {
  Folder folder;
  Plain plain(folder, "run_waits", {"epoll_signal"});
  REQUIRE(plain.says("waiting"));
  settle(plain.pid());
  Ride ride;
  ride.attach(plain.pid());
  ride.go();
  REQUIRE(ride.inferior->interrupt());
  ride.stop();
  plain.signal(SIGUSR1);
  ride.go();
  CHECK(ride.wait_exit() == 0);
  plain.reaped(0);
  CHECK(plain.output() == "waiting\neintr\n");
}

TEST_CASE(
    "an instruction step that sleeps in the kernel can be interrupted and let go: its SIGTRAP is not the program's") {
  for (const std::string how : {"poll", "read", "epoll"}) {
    CAPTURE(how);
    Folder folder;
    Plain plain(folder, "run_waits", {how});
    REQUIRE(plain.says("waiting"));
    settle(plain.pid());
    for (int round = 0; round < 5; ++round) {
      Ride ride;
      ride.attach(plain.pid());
      REQUIRE(ride.inferior->step(
          {.thread = Tid{plain.pid().value}, .goal = StepGoal::over, .unit = run::StepUnit::instruction, .skip = {}}));
      settle(plain.pid());
      CHECK(ride.stops.empty());
      REQUIRE(ride.inferior->interrupt());
      CHECK(ride.stop().cause == run::StopCause::interrupted);
      REQUIRE(ride.inferior->detach());
      CHECK(ride.signals.empty());
    }
    settle(plain.pid());
    plain.type("x");
    CHECK(plain.wait() == 0);
    CHECK(plain.output() == (how == "epoll" ? "waiting\nreadable\n" : "waiting\n"));
  }
}
