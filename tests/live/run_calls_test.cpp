// Functions called by stopped threads: what they return, what ends them, and that nothing of the thread is changed.
#include <bit>
#include <cstring>

#include "daemon/guard/journal.hpp"
#include "tests/live/run_support.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

struct Caller : Ride {
  Tid thread;

  void begin(const std::string& mode, const std::string& symbol_name) {
    launch("run_calls", {mode});
    signal_verdict = [](const siginfo_t& info) {
      const bool fault = info.si_signo == SIGSEGV || info.si_signo == SIGFPE || info.si_signo == SIGABRT;
      return run::SignalVerdict{.stop = fault || info.si_signo == SIGUSR1, .pass = true};
    };
    site(symbol(symbol_name));
    thread = go_to_stop().thread;
    REQUIRE(modules.refresh(inferior->pid(), inferior->memory()));
  }
  run::CallOrder order(const std::string& name, std::vector<std::uint64_t> integers = {}) {
    run::CallOrder made;
    made.thread = thread;
    made.frame.function = symbol(name);
    for (std::size_t i = 0; i < integers.size() && i < 6; ++i) made.frame.integers[i] = integers[i];
    for (std::size_t i = 6; i < integers.size(); ++i) {
      const auto bytes = std::as_bytes(std::span(&integers[i], 1));
      made.frame.stack.insert(made.frame.stack.end(), bytes.begin(), bytes.end());
    }
    for (const char* runtime : {"_ZSt9terminatev", "_ZN9__gnu_cxx27__verbose_terminate_handlerEv"})
      if (const auto at = modules.symbol_address(runtime)) made.terminate.push_back(*at);
    if (const auto at = modules.symbol_address("__cxa_throw")) made.throwing.push_back(*at);
    made.timeout = std::chrono::seconds(20);
    return made;
  }
  run::CallReport call(const run::CallOrder& made) {
    auto report = inferior->call(made);
    REQUIRE_MESSAGE(report, (report ? "" : report.error().message));
    return *report;
  }
  std::int64_t returns(const std::string& name, std::vector<std::uint64_t> integers = {}) {
    const auto report = call(order(name, std::move(integers)));
    REQUIRE_MESSAGE(report.end == run::CallEnd::returned, name, " ended otherwise: ", static_cast<int>(report.end), " ",
                    report.problem);
    return static_cast<std::int64_t>(report.answer.registers.general.rax);
  }

  // Everything that a call has to leave alone.
  struct Image {
    arch::RegisterFile registers;
    std::vector<std::byte> stack;
    std::string status;
    bool operator==(const Image& other) const {
      return registers.general == other.registers.general && registers.xstate == other.registers.xstate &&
             stack == other.stack && status == other.status;
    }
  };
  Image image() {
    auto file = inferior->registers(thread, true);
    REQUIRE(file);
    Image now{.registers = *file, .stack = std::vector<std::byte>(8 << 10), .status = {}};
    REQUIRE(inferior->memory().read(LoadAddr{file->general.rsp - (7 << 10)}, now.stack));
    std::istringstream lines(slurp(fmt::format("/proc/{}/task/{}/status", inferior->pid().value, thread.value)));
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("SigBlk") || line.starts_with("SigPnd")) now.status += line;
    return now;
  }
};

}  // namespace

TEST_CASE("a call returns what the function does, and leaves registers, vectors, red zone and stack as they were") {
  Caller c;
  c.begin("here", "stand_stop");
  const auto before = c.image();
  CHECK(c.returns("add6", {1, 2, 3, 4, 5, 6}) == 654321);
  CHECK(c.image() == before);
  CHECK(c.returns("ninth", {0, 0, 0, 0, 0, 0, 7, 8, 9}) == 70809);
  CHECK(c.returns("count") == 1);
  CHECK(c.returns("count") == 2);
  auto halves = c.order("halves");
  const std::array<double, 2> given{5.0, 0.25};
  for (std::size_t i = 0; i < 2; ++i) std::memcpy(halves.frame.vectors[i].data(), &given[i], 8);
  halves.frame.vectors_used = 2;
  const auto half = c.call(halves);
  REQUIRE(half.end == run::CallEnd::returned);
  const auto xmm0 = arch::read_register(half.answer.registers, "xmm0");
  REQUIRE(xmm0);
  double got = 0;
  std::memcpy(&got, xmm0->data(), 8);
  CHECK(got == 2.75);
  // The x87 stack was full of the program's; the function needs all of it.
  const auto busy = c.call(c.order("busy", {3}));
  REQUIRE(busy.end == run::CallEnd::returned);
  const auto st0 = arch::read_register(busy.answer.registers, "st0");
  REQUIRE(st0);
  long double sum = 0, expected = 0;
  std::memcpy(&sum, st0->data(), 10);
  for (int i = 1; i < 50; ++i) expected += 3.0L / i;
  CHECK(sum == expected);
  CHECK(c.returns("catches") == 9);
  CHECK(c.returns("handles") == 42);
  CHECK(c.returns("forks") == 3);
  CHECK(c.returns("runs_shell") == 5);
  CHECK(c.image() == before);
  CHECK(c.stops.empty());
  c.site(c.symbol("stand_stop"), 1, false);
  CHECK(c.go_to_exit() == 7);
  CHECK(c.output() == "intact=1 counter=2 text=\n");
}

TEST_CASE("objects of a call lie in memory while it runs, and are read there until the program goes on") {
  Caller c;
  c.begin("here", "stand_stop");
  const auto before = c.image();
  const auto with_text = [&](const std::string& name, const std::string& text) {
    auto made = c.order(name);
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    made.frame.objects.assign(bytes.begin(), bytes.end());
    return made;
  };
  auto length = with_text("length", "eleven long");
  length.frame.pointers.push_back({.at = 0, .object = 0});
  const auto first = c.call(length);
  REQUIRE(first.end == run::CallEnd::returned);
  CHECK(first.answer.registers.general.rax == 11);
  auto copy = with_text("write_to", "of the call");
  copy.frame.integers[0] = c.symbol("text").value;
  copy.frame.pointers.push_back({.at = 1, .object = 0});
  const auto second = c.call(copy);
  REQUIRE(second.end == run::CallEnd::returned);
  std::array<char, 12> seen{};
  REQUIRE(c.inferior->memory().read(first.answer.objects, std::as_writable_bytes(std::span(seen))));
  CHECK(std::string(seen.data()) == "eleven long");
  REQUIRE(c.inferior->memory().read(second.answer.objects, std::as_writable_bytes(std::span(seen))));
  CHECK(std::string(seen.data()) == "of the call");
  // An object of an earlier call is given to a later one.
  const auto third = c.call(c.order("length", {first.answer.objects.value + 7}));
  CHECK(third.answer.registers.general.rax == 4);
  CHECK(c.image().registers.general == before.registers.general);
  c.site(c.symbol("stand_stop"), 1, false);
  CHECK(c.go_to_exit() == 7);
  CHECK(c.output() == "intact=1 counter=0 text=of the call\n");
}

TEST_CASE("what ends a call early is told, and the thread stands as before") {
  Caller c;
  c.begin("here", "stand_stop");
  const auto before = c.image();
  auto crash = c.call(c.order("crash", {0}));
  CHECK(crash.end == run::CallEnd::signal);
  CHECK(crash.signal.si_signo == SIGSEGV);
  CHECK(crash.signal.si_addr == nullptr);
  const auto place = c.modules.symbol_at(crash.pc);
  REQUIRE(place);
  CHECK(place->first == "crash");
  auto divide = c.call(c.order("divide", {1, 0}));
  CHECK(divide.end == run::CallEnd::signal);
  CHECK(divide.signal.si_signo == SIGFPE);
  auto aborts = c.call(c.order("do_abort"));
  CHECK(aborts.end == run::CallEnd::signal);
  CHECK(aborts.signal.si_signo == SIGABRT);
  for (const char* throws : {"throws_up", "promises"}) {
    auto throwing = c.order(throws, {0});
    std::vector<run::CallOrder::Throw> seen;
    throwing.gives_up = [&](std::span<const run::CallOrder::Throw> all) { seen.assign(all.begin(), all.end()); };
    CHECK(c.call(throwing).end == run::CallEnd::terminated);
    REQUIRE(seen.size() == 1);
    const auto type = c.modules.symbol_at(seen[0].type_info);
    REQUIRE(type);
    CHECK(type->first == (std::string(throws) == "promises" ? "typeinfo for int" : "typeinfo for std::runtime_error"));
  }
  // With arguments on the stack an unwinder finds one frame more, and then the end just so.
  CHECK(c.call(c.order("throws_eighth", {0, 0, 0, 0, 0, 0, 0, 1})).end == run::CallEnd::terminated);
  CHECK(c.returns("throws_eighth", {0, 0, 0, 0, 0, 0, 0, 2}) == 2);
  auto slow = c.order("forever");
  slow.timeout = std::chrono::milliseconds(60);
  CHECK(c.call(slow).end == run::CallEnd::timeout);
  auto sleepy = c.order("sleeps_long");
  sleepy.timeout = std::chrono::milliseconds(60);
  CHECK(c.call(sleepy).end == run::CallEnd::timeout);
  CHECK(c.image() == before);
  CHECK(c.returns("count") == 1);
  CHECK(c.stops.empty());
  c.site(c.symbol("stand_stop"), 1, false);
  CHECK(c.go_to_exit() == 7);
  CHECK(c.output() == "intact=1 counter=1 text=\n");
}

TEST_CASE("a function that jumps out of its call runs the program: that is told") {
  Caller c;
  c.begin("here", "here");
  auto jumps = c.order("jumps");
  jumps.timeout = std::chrono::milliseconds(60);
  const auto jumped = c.call(jumps);
  CHECK(jumped.end == run::CallEnd::timeout);
  CHECK(jumped.jumped_out);
}

TEST_CASE("breakpoints inside a call are passed by; the same ones stop the program afterwards") {
  Caller c;
  c.begin("here", "here");
  c.site(c.symbol("count"), 2);
  const auto report = c.call(c.order("count"));
  CHECK(report.end == run::CallEnd::returned);
  CHECK(report.passed == 1);
  CHECK(c.hits(2) == 0);
  // A call of the very function that the thread stands in: its site is passed by too, and is no second hit.
  const auto again = c.call(c.order("here"));
  CHECK(again.end == run::CallEnd::returned);
  CHECK(again.passed == 1);
  CHECK(c.hits(1) == 1);
  const auto next = c.go_to_stop();
  CHECK(next.cause == run::StopCause::site);
  CHECK(c.hits(1) == 2);
  CHECK(c.go_to_exit() == 7);
  CHECK(c.output() == "intact=1 counter=1 text=\n");
}

TEST_CASE("a call that ends the program, or makes it another, says so") {
  {
    Caller c;
    c.begin("here", "here");
    CHECK(c.call(c.order("leaves", {5})).end == run::CallEnd::exited);
    CHECK(c.exit == 5);
  }
  {
    Caller c;
    c.begin("here", "here");
    CHECK(c.call(c.order("becomes")).end == run::CallEnd::executed);
    CHECK(c.executions.size() == 1);
    CHECK(c.go_to_exit() == 0);
  }
}

TEST_CASE("with eight threads: one thread runs, then all where the function waits for another") {
  Caller c;
  c.begin("threads", "here");
  const auto before = c.image();
  const auto alone = c.call(c.order("count"));
  CHECK(alone.end == run::CallEnd::returned);
  CHECK_FALSE(alone.others_ran);
  for (int i = 0; i < 100; ++i) CHECK(c.returns("count") == i + 2);
  auto stubborn = c.order("waits_for_tick");
  stubborn.only_this_thread = true;
  stubborn.timeout = std::chrono::milliseconds(150);
  CHECK(c.call(stubborn).end == run::CallEnd::timeout);
  auto waits = c.order("waits_for_tick");
  waits.alone = std::chrono::milliseconds(20);
  const auto together = c.call(waits);
  CHECK(together.end == run::CallEnd::returned);
  CHECK(together.others_ran);
  auto makes = c.order("makes_a_thread");
  makes.alone = std::chrono::milliseconds(20);
  const auto made = c.call(makes);
  CHECK(made.end == run::CallEnd::returned);
  CHECK(made.answer.registers.general.rax == 99);
  CHECK(c.image() == before);
  for (const auto tid : c.inferior->threads()) CHECK(c.inferior->is_stopped(tid));
  // A breakpoint of other threads, met while they run for the call, stops them when the program goes on.
  c.site(c.symbol("stand_intact"), 3);
  auto again = c.order("waits_for_tick");
  again.alone = std::chrono::milliseconds(0);
  again.timeout = std::chrono::milliseconds(300);
  static_cast<void>(c.call(again));
  CHECK(c.hits(3) == 0);
  c.site(c.symbol("here"), 1, false);
  c.go();
  CHECK(c.stop().cause == run::StopCause::site);
  CHECK(c.hits(3) >= 1);
  c.site(c.symbol("stand_intact"), 3, false);
  c.stops.clear();
  c.go();
  CHECK(c.wait_exit() == 7);
  CHECK(c.output() == "counter=101\n");
}

TEST_CASE("a thread that ends inside its call is gone, the others stand") {
  Caller c;
  c.begin("threads", "stand_stop");
  const auto count = c.inferior->threads().size();
  const auto report = c.call(c.order("ends_thread"));
  CHECK(report.end == run::CallEnd::thread_gone);
  CHECK(c.inferior->threads().size() == count - 1);
  for (const auto tid : c.inferior->threads()) CHECK(c.inferior->is_stopped(tid));
}

TEST_CASE("a system call that was interrupted goes on after a call as if nothing had been") {
  for (const char* mode : {"reads", "sleeps"}) {
    CAPTURE(mode);
    Folder folder;
    Plain plain(folder, "run_calls", {mode});
    REQUIRE(plain.says("ready"));
    Caller c;
    c.attach(plain.pid());
    c.thread = Tid{plain.pid().value};
    const auto before = c.image();
    for (int i = 1; i <= 5; ++i) CHECK(c.returns("count") == i);
    CHECK(c.image() == before);
    REQUIRE(c.inferior->detach());
    if (std::string(mode) == "reads") plain.type("typed\n");
    CHECK(plain.says(std::string(mode) == "reads" ? "read 6 typed" : "slept 0"));
    CHECK(plain.wait());
  }
}

TEST_CASE("a session that is killed during a call: the function returns, and the thread goes on where it was") {
  for (const bool on_stack : {false, true}) {
    CAPTURE(on_stack);
    Folder folder;
    Plain plain(folder, "run_calls", {"reads"});
    REQUIRE(plain.says("ready"));
    Ride ride;  // its folder is ours to clear away, the rest is the child's
    const pid_t session = ::fork();
    if (session == 0) {
      auto made = run::Inferior::attach(tracer(), plain.pid(), ride.modules, ride.folder.path(), ride);
      if (!made || !ride.modules.load_process(plain.pid(), (*made)->memory())) ::_exit(1);
      run::CallOrder order;
      order.thread = Tid{plain.pid().value};
      order.frame.function = ride.modules.symbol_address(on_stack ? "tells_ninth" : "tells").value_or(LoadAddr{});
      if (on_stack)
        for (const std::uint64_t word : {3, 4}) {
          const auto bytes = std::as_bytes(std::span(&word, 1));
          order.frame.stack.insert(order.frame.stack.end(), bytes.begin(), bytes.end());
        }
      order.timeout = std::chrono::seconds(20);
      static_cast<void>((*made)->call(order));
      ::_exit(1);  // not reached: it is killed before
    }
    REQUIRE(session > 0);
    const bool inside = plain.says("inside");
    ::kill(session, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(session, &status, 0) == session);
    REQUIRE(inside);
    CHECK(WIFSIGNALED(status));
    const auto recovered = guard::recover_all(ride.folder.path());
    REQUIRE(recovered.size() == 1);
    CHECK(recovered[0].alive);
    CHECK(recovered[0].failed == 0);
    plain.type("go\n");  // the function ends when it has read this; the rest is the program's own
    plain.type("typed\n");
    CHECK(plain.says(on_stack ? "counter=305 read 6 typed" : "counter=1 read 6 typed"));
    const auto end = plain.wait();
    REQUIRE(end);
    CHECK(WIFEXITED(*end));
    CHECK(WEXITSTATUS(*end) == 7);
  }
}

TEST_CASE("signals for the program that come during a call are its own afterwards") {
  Caller c;
  c.begin("here", "here");
  c.signals.clear();
  // SIGUSR1 stops by this test's policy, and was sent by somebody else.
  auto slow = c.order("sleeps_long");
  slow.timeout = std::chrono::milliseconds(200);
  REQUIRE(::kill(c.inferior->pid().value, SIGUSR1) == 0);
  const auto report = c.call(slow);
  CHECK(report.end == run::CallEnd::timeout);
  CHECK(report.signals_kept == std::vector<int>{SIGUSR1});
  CHECK(c.returns("count") == 1);
  c.signals.clear();
  const auto stop = c.go_to_stop();
  CHECK(stop.cause == run::StopCause::signal);
  CHECK(stop.signal.si_signo == SIGUSR1);
  CHECK(stop.signal.si_pid == ::getpid());
  // In the stop for the signal itself: it is still there after a call.
  CHECK(c.returns("count") == 2);
  REQUIRE(c.inferior->stop_signal(c.thread));
  CHECK(c.inferior->stop_signal(c.thread)->si_signo == SIGUSR1);
  CHECK(c.go_to_exit() == 1000 + SIGUSR1);
}
