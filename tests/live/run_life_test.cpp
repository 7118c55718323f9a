// Launch, ends of every kind, kill, exec, wrappers, attach.
#include "tests/live/run_support.hpp"

using namespace trapline;
using namespace trapline::test;

TEST_CASE("a launched program is held at its first instruction, and its exit code is told") {
  Ride ride;
  ride.launch("run_ends", {"exit", "42"});
  CHECK(ride.inferior->all_stopped());
  const auto entry = ride.inferior->registers(Tid{ride.inferior->pid().value});
  REQUIRE(entry);
  CHECK(slurp(fmt::format("/proc/{}/syscall", ride.inferior->pid().value)).size() > 0);
  CHECK(ride.go_to_exit() == 42);
  CHECK_FALSE(ride.inferior->alive());
  CHECK(ride.inferior->resume_all().error().code == Errc::process_gone);
}

TEST_CASE("death by a signal is not an exit code") {
  for (const int number : {SIGTERM, SIGKILL, SIGSEGV, SIGABRT}) {
    Ride ride;
    ride.launch("run_ends", {"signal", std::to_string(number)});
    CHECK(ride.go_to_exit() == 1000 + number);
  }
}

TEST_CASE("kill ends a running and a stopped program") {
  for (const bool running : {true, false}) {
    Ride ride;
    ride.launch("run_ends", {"loop"});
    if (running) {
      ride.go();
      REQUIRE(ride.until([&] { return ride.output().find("ready") != std::string::npos; }));
    }
    REQUIRE(ride.inferior->kill());
    CHECK(ride.wait_exit() == 1000 + SIGKILL);
  }
}

TEST_CASE("a SIGKILL from elsewhere while everything is stopped is an exit") {
  Ride ride;
  ride.launch("run_threads", {"6", "1000000", "1"});
  ride.site(ride.symbol("counted"));
  ride.go_to_stop();
  ::kill(ride.inferior->pid().value, SIGKILL);
  CHECK(ride.wait_exit() == 1000 + SIGKILL);
}

TEST_CASE("the leader ends, the others go on, and the process ends with their code") {
  Ride ride;
  ride.launch("run_ends", {"leader"});
  ride.stop_at_sites = false;
  ride.site(ride.symbol("passed_by"));
  CHECK(ride.go_to_exit() == 21);
  CHECK(ride.hits(1) == 200);
}

TEST_CASE("with the leader ended, a stop shows the thread that is left") {
  Ride ride;
  ride.launch("run_ends", {"leader"});
  ride.site(ride.symbol("passed_by"));
  const auto report = ride.go_to_stop();
  CHECK(report.thread.value != ride.inferior->pid().value);
  REQUIRE(ride.inferior->step({.thread = report.thread, .unit = run::StepUnit::instruction, .skip = {}}));
  CHECK(ride.stop().cause == run::StopCause::step_done);
  ride.site(report.pc, 1, false);
  ride.go();
  REQUIRE(ride.inferior->interrupt());
  CHECK(ride.stop().cause == run::StopCause::interrupted);
  CHECK(ride.go_to_exit() == 21);
}

TEST_CASE("wrappers are followed through their execs and forks") {
  for (const auto& wrapper : std::vector<std::vector<std::string>>{
           {"/usr/bin/env", "A=B"}, {"/bin/sh", "-c", "\"$0\" \"$@\"; exit $?"}, {"/usr/bin/nice"}}) {
    CAPTURE(wrapper.front());
    Ride ride;
    ride.launch("run_ends", {"exit", "17"}, wrapper);
    CHECK(std::filesystem::read_symlink(fmt::format("/proc/{}/exe", ride.inferior->pid().value)) ==
          std::filesystem::canonical(fixture_path("run_ends")));
    CHECK(ride.go_to_exit() == 17);
  }
}

TEST_CASE("a wrapper that never starts the program is an error that says so") {
  Folder folder;
  image::Modules modules{sym::SearchOptions{}};
  Ride observer;
  run::LaunchOrder order;
  order.program = fixture_path("run_ends");
  order.plan.argv = {"/bin/true"};
  const auto made = run::Inferior::launch(tracer(), std::move(order), modules, folder.path(), observer);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::not_executable);
  CHECK(made.error().message.find("exited with code 0") != std::string::npos);
}

TEST_CASE("an exec is followed, sites are gone, and new ones can be placed from within") {
  for (const std::string how : {"exec", "thread_exec"}) {
    CAPTURE(how);
    Ride ride;
    ride.launch("run_family", {how});
    ride.stop_at_sites = false;
    ride.site(ride.symbol("shared"));
    ride.on_exec = [&] {
      CHECK(ride.inferior->sites().size() == 0);
      ride.load();
      ride.site(ride.symbol("shared"), 2);
    };
    const auto report = ride.go_to_stop();
    CHECK(report.cause == run::StopCause::exec);
    CHECK(ride.executions.size() == 1);
    CHECK(ride.inferior->threads() == std::vector{Tid{ride.inferior->pid().value}});
    CHECK(ride.go_to_exit() == 13);
    CHECK(ride.hits(1) == 1);
    CHECK(ride.hits(2) == 1);
    CHECK(ride.output() == "leaf=13\n");
  }
}

TEST_CASE("attach takes all threads, and they count every pass from then on") {
  Folder folder;
  Plain plain(folder, "run_signals", {"6"});
  REQUIRE(plain.says("ready"));
  Ride ride;
  ride.attach(plain.pid());
  CHECK(ride.inferior->all_stopped());
  CHECK(ride.inferior->threads().size() == 7);
  for (const auto tid : ride.inferior->threads()) {
    CHECK(ride.inferior->is_stopped(tid));
    const auto status = slurp(fmt::format("/proc/{}/task/{}/status", plain.pid().value, tid.value));
    CHECK(status.find("State:\tt") != std::string::npos);
  }
  ride.stop_at_sites = false;
  ride.site(ride.symbol("spun"));
  ride.go();
  REQUIRE(ride.until([&] { return ride.hits(1) > 500; }));
  REQUIRE(ride.inferior->detach());
  CHECK_FALSE(ride.inferior->alive());
  plain.signal(SIGUSR2);
  const auto status = plain.wait();
  REQUIRE(status);
  CHECK(*status == 0);
}

TEST_CASE("attach in a storm of threads leaves nobody out") {
  for (int round = 0; round < 5; ++round) {
    Folder folder;
    Plain plain(folder, "run_threads", {"20", "20", "100000"});
    Ride ride;
    ride.attach(plain.pid());
    // Second path: nobody of the process is in a state but t (tracing stop), or dead.
    const auto all = os::threads_of(plain.pid());
    REQUIRE(all);
    for (const auto tid : *all) {
      const auto status = slurp(fmt::format("/proc/{}/task/{}/status", plain.pid().value, tid.value));
      const bool still = status.empty() || status.find("State:\tt") != std::string::npos ||
                         status.find("State:\tZ") != std::string::npos || status.find("State:\tX") != std::string::npos;
      CHECK_MESSAGE(still, status);
    }
    ride.stop_at_sites = false;
    ride.site(ride.symbol("counted"));
    ride.go();
    REQUIRE(ride.until([&] { return ride.hits(1) > 300; }));
    REQUIRE(ride.inferior->interrupt());
    CHECK(ride.stop().cause == run::StopCause::interrupted);
    CHECK(ride.left_running.empty());
    ride.go();
    REQUIRE(ride.inferior->detach());
    const auto alive = plain.wait(std::chrono::seconds(0));
    CHECK_FALSE(alive);
  }
}

TEST_CASE("a program in a group stop stays in it through attach, resume and detach") {
  Folder folder;
  Plain plain(folder, "run_signals", {"3"});
  REQUIRE(plain.says("ready"));
  plain.signal(SIGSTOP);
  const auto state = [&] { return os::process_status(Tid{plain.pid().value})->state; };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (state() != 'T' && std::chrono::steady_clock::now() < end) short_nap();
  {
    Ride ride;
    ride.attach(plain.pid());
    ride.go();
    CHECK(ride.warnings.size() == 1);
    REQUIRE(ride.inferior->detach());
  }
  while (state() != 'T' && std::chrono::steady_clock::now() < end) short_nap();
  CHECK(state() == 'T');
  const auto all = os::threads_of(plain.pid());
  REQUIRE(all);
  CHECK(all->size() == 4);
  for (const auto tid : *all) CHECK(os::process_status(tid)->state == 'T');
  {
    Ride ride;
    ride.attach(plain.pid());
    ride.stop_at_sites = false;
    ride.site(ride.symbol("spun"));
    ride.go();
    plain.signal(SIGCONT);
    REQUIRE(ride.until([&] { return ride.hits(1) > 20; }));
    plain.signal(SIGSTOP);
    REQUIRE(ride.until([&] { return ride.warnings.size() == 1; }));
    plain.signal(SIGCONT);
    const auto seen = ride.hits(1);
    REQUIRE(ride.until([&] { return ride.hits(1) > seen + 20; }));
  }  // the destructor detaches
  plain.signal(SIGUSR2);
  const auto status = plain.wait();
  REQUIRE(status);
  CHECK(*status == 0);
}

TEST_CASE("a pause is answered at once, and again, and costs no time of the program's") {
  Ride ride;
  ride.launch("run_signals", {"4"});
  ride.go();
  REQUIRE(ride.until([&] { return ride.output().find("ready") != std::string::npos; }));
  for (int i = 0; i < 50; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(ride.inferior->interrupt());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500));
    CHECK(ride.stop().cause == run::StopCause::interrupted);
    CHECK(ride.left_running.empty());
    CHECK(ride.inferior->threads().size() == 5);
    ride.go();
  }
  REQUIRE(ride.inferior->send_signal(SIGUSR2));
  CHECK(ride.wait_exit() == 0);
  CHECK(ride.output() == "ready\ngot=0 sum=0\n");
}

TEST_CASE("attach to nobody, to itself and twice is refused with a reason") {
  Folder folder;
  image::Modules modules{sym::SearchOptions{}};
  Ride observer;
  CHECK_FALSE(run::Inferior::attach(tracer(), Pid{::getpid()}, modules, folder.path(), observer));
  const auto nobody = run::Inferior::attach(tracer(), Pid{1 << 22}, modules, folder.path(), observer);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == Errc::no_process);
  Ride ride;
  ride.launch("run_ends", {"loop"});
  const auto twice = run::Inferior::attach(tracer(), ride.inferior->pid(), modules, folder.path(), observer);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Errc::already_traced);
}
