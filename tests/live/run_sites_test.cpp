// Sites: exact counts by many threads, transparent to the program, its signals and its children.
#include <sys/resource.h>

#include <random>

#include "daemon/trap/displaced.hpp"
#include "tests/live/run_support.hpp"

using namespace trapline;
using namespace trapline::test;

TEST_CASE("eight threads in a loop are counted exactly, and none of them loses an instruction") {
  Ride ride;
  ride.launch("run_threads", {"8", "400", "1"});
  ride.stop_at_sites = false;
  ride.site(ride.symbol("counted"), 1);
  ride.site(ride.symbol("also_counted"), 2);
  CHECK(ride.byte_in_proc_mem(ride.symbol("counted")) == std::byte{0xCC});
  CHECK(ride.go_to_exit() == 7);
  CHECK(ride.output() == "passes=3200\n");
  CHECK(ride.hits(1) == 3200);
  CHECK(ride.hits(2) == 3200);
  CHECK(ride.inferior->counters().in_place == 0);
}

TEST_CASE("every instruction of a function can hold a site") {
  Ride ride;
  ride.launch("run_threads", {"4", "20", "2"});
  ride.stop_at_sites = false;
  const auto begin = ride.symbol("counted");
  const auto range = ride.modules.function_range(begin);
  REQUIRE(range);
  std::vector<std::byte> code(range->size().value + 15);
  REQUIRE(ride.inferior->memory().read(begin, code));
  std::uint32_t id = 0;
  for (std::size_t at = 0; at < range->size().value;) {
    const auto decoded = trap::decode(std::span(code).subspan(at, 15), begin + ByteCount{at});
    REQUIRE(decoded);
    ride.site(begin + ByteCount{at}, ++id);
    at += decoded->size;
  }
  // What memory() shows is the program's.
  std::vector<std::byte> seen(code.size());
  REQUIRE(ride.inferior->memory().read(begin, seen));
  CHECK(seen == code);
  CHECK(ride.go_to_exit() == 7);
  CHECK(ride.output() == "passes=160\n");
  for (std::uint32_t i = 1; i <= id; ++i) CHECK(ride.hits(i) == 160);
}

TEST_CASE("stops by many threads: each pass is one stop, at the right place, all threads standing") {
  Ride ride;
  ride.launch("run_threads", {"5", "30", "1"});
  const auto at = ride.symbol("counted");
  ride.site(at);
  int stops = 0;
  ride.go();
  while (ride.until([&] { return !ride.stops.empty() || ride.exit; }) && !ride.exit) {
    const auto report = ride.stop();
    CHECK(report.cause == run::StopCause::site);
    CHECK(report.pc == at);
    const auto registers = ride.inferior->registers(report.thread);
    REQUIRE(registers);
    CHECK(registers->general.rip == at.value);
    ++stops;
    ride.go();
  }
  CHECK(stops == 150);
  CHECK(ride.left_running.empty());
  CHECK(ride.exit == 7);
  CHECK(ride.output() == "passes=150\n");
}

TEST_CASE("without memory for slots sites are gone over in place: every pass counts, nobody is left behind") {
  Ride ride;
  ride.launch("run_nomap", {"4", "100"});
  ride.stop_at_sites = false;
  ride.site(ride.symbol("counted"));
  CHECK(ride.go_to_exit() == 7);
  CHECK(ride.hits(1) == 400);
  CHECK(ride.output() == "passes=400\n");
  CHECK(ride.inferior->counters().in_place > 0);
}

TEST_CASE("an interrupt that overtakes a trap's SIGTRAP: nobody is seen behind the trap, and nothing is lost") {
  Ride ride;
  ride.launch("run_threads", {"4", "6000", "1"});
  ride.stop_at_sites = false;
  const auto at = ride.symbol("counted");
  ride.site(at);
  ride.go();
  for (int i = 0; i < 300 && !ride.exit; ++i) {
    const auto before = ride.hits(1);
    ride.until([&] { return ride.exit || ride.hits(1) > before; });
    if (ride.exit) break;
    REQUIRE(ride.inferior->interrupt());
    if (ride.stops.empty()) break;
    CHECK(ride.stop().cause == run::StopCause::interrupted);
    for (const auto tid : ride.inferior->threads()) {
      const auto registers = ride.inferior->registers(tid);
      REQUIRE(registers);
      CHECK(registers->general.rip != at.value + 1);
    }
    ride.go();
  }
  CHECK(ride.wait_exit() == 7);
  CHECK(ride.hits(1) == 24000);
  CHECK(ride.signals.empty());
  CHECK(ride.output() == "passes=24000\n");
}

TEST_CASE("sites come and go while threads run over them") {
  Ride ride;
  ride.launch("run_threads", {"6", "30000", "1"});
  ride.stop_at_sites = false;
  const auto a = ride.symbol("counted"), b = ride.symbol("also_counted");
  ride.go();
  for (int i = 0; i < 200 && !ride.exit; ++i) {
    ride.site(a, 1, true);
    ride.site(b, 2, true);
    const auto seen = ride.hits(1) + ride.hits(2);
    ride.until([&] { return ride.exit || ride.hits(1) + ride.hits(2) > seen + 5; });
    if (ride.exit) break;
    ride.site(a, 1, false);
    ride.site(b, 2, false);
    CHECK(ride.byte_in_proc_mem(a) != std::byte{0xCC});
  }
  CHECK(ride.wait_exit() == 7);
  CHECK(ride.output() == "passes=180000\n");
}

TEST_CASE("the program's memory shows no trap, and a write to code under one goes where it will be restored") {
  Ride ride;
  ride.launch("run_threads", {"1", "3", "1"});
  ride.stop_at_sites = false;
  const auto at = ride.symbol("counted");
  std::byte original{};
  REQUIRE(ride.inferior->memory().read(at, std::span(&original, 1)));
  ride.site(at);
  std::byte seen{};
  REQUIRE(ride.inferior->memory().read(at, std::span(&seen, 1)));
  CHECK(seen == original);
  const std::byte nop{0x90};
  REQUIRE(ride.inferior->memory().write(at, std::span(&nop, 1)));
  CHECK(ride.byte_in_proc_mem(at) == std::byte{0xCC});
  REQUIRE(ride.inferior->memory().write(at, std::span(&original, 1)));
  CHECK(ride.go_to_exit() == 7);
  CHECK(ride.hits(1) == 3);
}

TEST_CASE("no site can be placed where nothing is mapped") {
  Ride ride;
  ride.launch("run_ends", {"exit", "0"});
  const run::Inferior::SiteEdit edit{.at = LoadAddr{0x10}, .owner = {}, .add = true};
  const auto done = ride.inferior->edit_sites(std::span(&edit, 1));
  REQUIRE_FALSE(done.at(0));
  CHECK(done.at(0).error().code == Errc::bad_address);
  CHECK(ride.inferior->sites().size() == 0);
  CHECK(ride.go_to_exit() == 0);
}

TEST_CASE("the program's own int3 and raise(SIGTRAP) are its signals, a site on the int3 or not") {
  for (const std::string how : {"int3", "raise"})
    for (const bool site_on_it : {false, true}) {
      if (site_on_it && how == "raise") continue;
      CAPTURE(how);
      CAPTURE(site_on_it);
      Ride ride;
      ride.launch("run_ends", {how});
      ride.stop_at_sites = false;
      ride.site(ride.symbol("passed_by"));
      if (site_on_it) {
        const auto begin = ride.symbol("main");
        std::vector<std::byte> code(ride.modules.function_range(begin)->size().value);
        REQUIRE(ride.inferior->memory().read(begin, code));
        for (std::size_t at = 0; at < code.size();) {
          const auto decoded = trap::decode(std::span(code).subspan(at), begin + ByteCount{at});
          REQUIRE(decoded);
          if (code[at] == std::byte{0xCC}) ride.site(begin + ByteCount{at}, 2);
          at += decoded->size;
        }
      }
      CHECK(ride.go_to_exit() == 0);
      CHECK(ride.output() == "traps=5\n");
      CHECK(ride.hits(1) == 5);
      CHECK(ride.hits(2) == (site_on_it ? 5 : 0));
      CHECK(std::count(ride.signals.begin(), ride.signals.end(), SIGTRAP) == 5);
    }
}

TEST_CASE("every queued signal is delivered exactly once, through sites, stops and resumes") {
  Ride ride;
  ride.launch("run_signals", {"4"});
  ride.stop_at_sites = false;
  ride.site(ride.symbol("spun"));
  ride.go();
  REQUIRE(ride.until([&] { return ride.output().find("ready") != std::string::npos; }));
  constexpr int count = 400;
  long sum = 0;
  for (int i = 1; i <= count; ++i) {
    REQUIRE(::sigqueue(ride.inferior->pid().value, SIGRTMIN, sigval{.sival_int = i}) == 0);
    sum += i;
    if (i % 7 == 0) {
      REQUIRE(ride.inferior->interrupt());
      ride.stop();
      ride.go();
    }
    ride.inferior->pump();
  }
  ride.site(ride.symbol("spun"), 1, false);
  REQUIRE(ride.inferior->send_signal(SIGUSR2));
  CHECK(ride.wait_exit() == 0);
  CHECK(ride.output() == fmt::format("ready\ngot={} sum={}\n", count, sum));
}

TEST_CASE("signals reach the program once each across attach and detach") {
  Folder folder;
  Plain plain(folder, "run_signals", {"4"});
  REQUIRE(plain.says("ready"));
  long sum = 0;
  int sent = 0;
  const auto send = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ++sent;
      sum += sent;
      REQUIRE(::sigqueue(plain.pid().value, SIGRTMIN, sigval{.sival_int = sent}) == 0);
    }
  };
  for (int round = 0; round < 15; ++round) {
    Ride ride;
    send(5);
    ride.attach(plain.pid());
    ride.stop_at_sites = false;
    ride.site(ride.symbol("spun"));
    send(5);
    ride.go();
    send(5);
    REQUIRE(ride.until([&] { return ride.hits(1) > 50; }));
    send(5);
    REQUIRE(ride.inferior->detach());
  }
  plain.signal(SIGUSR2);
  const auto status = plain.wait();
  REQUIRE(status);
  CHECK(*status == 0);
  CHECK(plain.output() == fmt::format("ready\ngot={} sum={}\n", sent, sum));
}

TEST_CASE("a signal that stops is held back or passed as the user says") {
  for (const bool pass : {true, false}) {
    Ride ride;
    ride.launch("run_signals", {"2"});
    ride.signal_verdict = [&](const siginfo_t& info) {
      return run::SignalVerdict{.stop = info.si_signo == SIGRTMIN, .pass = info.si_signo == SIGRTMIN ? pass : true};
    };
    ride.go();
    REQUIRE(ride.until([&] { return ride.output().find("ready") != std::string::npos; }));
    REQUIRE(::sigqueue(ride.inferior->pid().value, SIGRTMIN, sigval{.sival_int = 9}) == 0);
    const auto report = ride.stop();
    CHECK(report.cause == run::StopCause::signal);
    CHECK(report.signal.si_value.sival_int == 9);
    CHECK(ride.inferior->stop_signal(report.thread)->si_signo == SIGRTMIN);
    ride.go();
    REQUIRE(ride.inferior->send_signal(SIGUSR2));
    CHECK(ride.wait_exit() == 0);
    CHECK(ride.output() == fmt::format("ready\ngot={} sum={}\n", pass ? 1 : 0, pass ? 9 : 0));
  }
}

TEST_CASE("detach at any moment leaves the program intact") {
  std::mt19937 random(7);
  Folder folder;
  Plain plain(folder, "run_checksum", {"3"});
  REQUIRE(plain.says("ready"));
  for (int round = 0; round < 40; ++round) {
    Ride ride;
    ride.attach(plain.pid());
    ride.stop_at_sites = false;
    ride.site(ride.symbol("churned"), 1);
    ride.site(ride.symbol("churned_more"), 2);
    ride.go();
    const auto goal = random() % 60;
    REQUIRE(ride.until([&] { return ride.hits(1) >= goal; }));
    if (random() % 3 == 0) {
      REQUIRE(ride.inferior->interrupt());
    }
    REQUIRE(ride.inferior->detach());
    CHECK_FALSE(plain.wait(std::chrono::seconds(0)));
  }
  plain.signal(SIGUSR1);
  const auto status = plain.wait();
  REQUIRE(status);
  CHECK(*status == 0);
  CHECK(plain.output() == "ready\nintact\n");
}

TEST_CASE("children of every kind run without our traps, and the parent keeps them") {
  struct Kind {
    std::string how;
    int code;
  };
  for (const auto& kind : std::vector<Kind>{{"fork", 5}, {"vfork", 5}, {"spawn", 13}, {"clone_vm", 5}}) {
    CAPTURE(kind.how);
    Ride ride;
    ride.launch("run_family", {kind.how, "20"});
    ride.stop_at_sites = false;
    ride.site(ride.symbol("shared"));
    CHECK(ride.go_to_exit() == 0);
    CHECK(ride.output().ends_with(fmt::format("child={}\n", kind.code)));
    CHECK(ride.hits(1) == 21);  // the parent's passes only
  }
}

TEST_CASE("a site on every instruction of the function that forks") {
  for (const std::string how : {"fork", "vfork"}) {
    Ride ride;
    ride.launch("run_family", {how, "3"});
    ride.stop_at_sites = false;
    const auto begin = ride.symbol("main");
    std::vector<std::byte> code(ride.modules.function_range(begin)->size().value);
    REQUIRE(ride.inferior->memory().read(begin, code));
    for (std::size_t at = 0; at < code.size();) {
      const auto decoded = trap::decode(std::span(code).subspan(at), begin + ByteCount{at});
      REQUIRE(decoded);
      ride.site(begin + ByteCount{at}, 1);
      at += decoded->size;
    }
    CHECK(ride.go_to_exit() == 0);
    CHECK(ride.output() == "child=5\n");
  }
}
