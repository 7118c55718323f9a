// Steps by line, over, into and out, as users know them.
#include "tests/live/run_support.hpp"

using namespace trapline;
using namespace trapline::test;
using run::StepGoal;

namespace {

constexpr auto source = "run_steps.cpp";

struct Walk : Ride {
  explicit Walk(const std::string& which, const std::string& build = "run_steps") {
    launch(build, {which});
    // To main, by when the libraries are there.
    const auto main_at = modules.after_prologue(symbol("main"));
    site(main_at, 99);
    REQUIRE(go_to_stop().cause == run::StopCause::site);
    site(main_at, 99, false);
    static_cast<void>(modules.refresh(inferior->pid(), inferior->memory()));
  }
  // Runs to a mark's line.
  run::StopReport to(const std::string& name) {
    const auto where = modules.resolve_line(source, mark_line(source, name), 0);
    REQUIRE_MESSAGE(!where.locations.empty(), name);
    const auto at = where.locations.front().address;
    site(at, 98);
    const auto report = go_to_stop();
    REQUIRE(report.cause == run::StopCause::site);
    site(at, 98, false);
    return last = report;
  }
  run::StopReport step(StepGoal goal, std::uint32_t inline_depth = 0) {
    auto begun = inferior->step({.thread = last.thread, .goal = goal, .inline_depth = inline_depth, .skip = skip});
    REQUIRE_MESSAGE(begun, (begun ? "" : begun.error().message));
    return last = stop();
  }
  // The line that a front end shows for the last stop.
  Line line() const {
    const auto chain = modules.inline_chain(last.pc);
    if (chain.size() > last.inline_depth) return chain[last.inline_depth].line;
    const auto place = modules.place(last.pc);
    return place ? place->line : Line{};
  }
  bool at(const std::string& name, const std::string& file = source) const {
    const bool here = line() == mark_line(file, name);
    if (!here) MESSAGE("at line ", line().value, " instead of ", name, " (", mark_line(file, name).value, ")");
    return here;
  }
  void finish() {
    CHECK(inferior->sites().size() == 0);
    CHECK(go_to_exit() == 0);
  }
  run::StopReport last;
  std::function<bool(LoadAddr)> skip;
};

}  // namespace

TEST_CASE("over goes line by line and passes calls") {
  Walk walk("calls");
  walk.to("calls_first");
  CHECK(walk.step(StepGoal::over).cause == run::StopCause::step_done);
  CHECK(walk.at("calls_twice"));
  walk.step(StepGoal::over);
  CHECK(walk.at("calls_end"));
  walk.finish();
}

TEST_CASE("into enters each call behind its prologue, and comes back into the middle of the line") {
  for (const std::string build : {"run_steps", "run_steps.nopie"}) {
    Walk walk("calls", build);
    walk.to("calls_twice");
    for (int call = 0; call < 2; ++call) {
      walk.step(StepGoal::into);
      CHECK(walk.at("leaf_first"));
      walk.step(StepGoal::into);
      CHECK(walk.at("leaf_second"));
      walk.step(StepGoal::over);
      CHECK(walk.at("leaf_end"));
      walk.step(StepGoal::over);
      CHECK(walk.at("calls_twice"));
    }
    walk.step(StepGoal::into);
    CHECK(walk.at("calls_end"));
    walk.finish();
  }
}

TEST_CASE("out ends in the caller's middle of a line, and the outermost frame has no way out") {
  Walk walk("calls");
  walk.to("leaf_first");
  walk.step(StepGoal::out);
  CHECK(walk.at("calls_first"));
  walk.step(StepGoal::out);
  CHECK(walk.at("main_calls"));
  walk.finish();
}

TEST_CASE("over a recursive call ends in the same frame, not in a deeper one") {
  Walk walk("fib");
  walk.to("fib_first");
  const auto frame = walk.inferior->registers(walk.last.thread)->general.rbp;
  walk.step(StepGoal::over);
  CHECK(walk.at("fib_second"));
  CHECK(walk.inferior->registers(walk.last.thread)->general.rbp == frame);
  walk.step(StepGoal::over);
  CHECK(walk.at("fib_sum"));
  CHECK(walk.inferior->registers(walk.last.thread)->general.rbp == frame);
  walk.step(StepGoal::out);
  CHECK(walk.at("main_fib"));
  walk.finish();
}

TEST_CASE("out of a deep recursion ends one frame further out") {
  Walk walk("fib");
  walk.to("fib_test");
  walk.to("fib_test");
  walk.to("fib_test");
  const auto inner = walk.inferior->registers(walk.last.thread)->general.rsp;
  walk.step(StepGoal::out);
  CHECK(walk.at("fib_first"));
  CHECK(walk.inferior->registers(walk.last.thread)->general.rsp > inner);
  walk.finish();
}

TEST_CASE("loops are walked round by round, and a loop on one line runs at full speed") {
  Walk walk("loops");
  walk.to("loop_before");
  walk.step(StepGoal::over);
  CHECK(walk.at("loop_head"));
  for (int i = 0; i < 3; ++i) {
    walk.step(StepGoal::over);
    CHECK(walk.at("loop_body"));
    walk.step(StepGoal::over);
    CHECK(walk.at("loop_head"));
  }
  walk.step(StepGoal::over);
  CHECK(walk.at("loop_oneline"));
  const auto begin = std::chrono::steady_clock::now();
  walk.step(StepGoal::over);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
  CHECK(walk.at("loop_after"));
  walk.finish();
}

TEST_CASE("inlined calls: over, into and out of them") {
  for (const std::string build : {"run_steps", "run_steps.O2"}) {
    CAPTURE(build);
    Walk walk("inlined", build);
    walk.to("inline_before");
    walk.step(StepGoal::over, walk.last.inline_depth);
    CHECK(walk.at("inline_call"));
    walk.step(StepGoal::over, walk.last.inline_depth);
    CHECK(walk.at("inline_after"));
    walk.finish();
  }
  Walk walk("inlined");
  walk.to("inline_before");
  walk.step(StepGoal::into, walk.last.inline_depth);
  CHECK(walk.at("inline_call"));
  CHECK(walk.last.inline_depth == 1);
  const auto pc = walk.last.pc;
  walk.step(StepGoal::into, walk.last.inline_depth);
  CHECK(walk.last.pc == pc);  // inside now: the same instruction, one frame deeper
  CHECK(walk.at("inlined_first"));
  walk.step(StepGoal::into, walk.last.inline_depth);
  CHECK(walk.at("inlined_second"));
  walk.step(StepGoal::out, walk.last.inline_depth);
  CHECK(walk.at("inline_call"));
  walk.finish();
}

TEST_CASE("an exception ends a step where it is caught") {
  {
    Walk walk("catches");
    walk.to("throw_call");
    CHECK(walk.step(StepGoal::over).cause == run::StopCause::step_done);
    CHECK(walk.at("catch_line"));
    walk.step(StepGoal::over);
    CHECK(walk.at("catch_body"));
    walk.step(StepGoal::over);
    walk.finish();
  }
  Walk walk("catches");  // further out than the frame that steps
  walk.to("throw_here");
  walk.step(StepGoal::over);
  CHECK(walk.line() != mark_line(source, "throw_here"));
  walk.finish();
}

TEST_CASE("a longjmp ends a step where it lands") {
  for (const std::string from : {"jump_call", "jump_here"}) {
    CAPTURE(from);
    Walk walk("jumps");
    walk.to(from);
    CHECK(walk.step(StepGoal::over).cause == run::StopCause::step_done);
    CHECK(walk.at("setjmp_line"));
    walk.step(StepGoal::over);
    CHECK(walk.at("after_jump"));
    walk.finish();
  }
}

TEST_CASE("into goes through the PLT, bound or not, and over what is not the user's") {
  for (const std::string build : {"run_steps", "run_steps.now", "run_steps.nopie"}) {
    CAPTURE(build);
    Walk walk("plt", build);
    walk.skip = [&](LoadAddr pc) {
      const auto place = walk.modules.place(pc);
      return place && place->file.find("run_steps") == std::string::npos;
    };
    walk.to("plt_first");
    walk.step(StepGoal::into);
    CHECK(walk.at("lib_first", "run_steps_lib.c"));
    walk.step(StepGoal::out);
    CHECK(walk.at("plt_first"));
    walk.step(StepGoal::over);
    CHECK(walk.at("plt_second"));
    walk.step(StepGoal::into);
    CHECK(walk.at("lib_first", "run_steps_lib.c"));
    walk.step(StepGoal::out);
    walk.step(StepGoal::into);
    CHECK(walk.at("plt_nolines"));
    walk.step(StepGoal::into);
    CHECK(walk.at("plt_end"));
    walk.finish();
  }
}

TEST_CASE("code that the user skips is gone through") {
  Walk walk("plt");
  walk.skip = [&](LoadAddr pc) {
    const auto place = walk.modules.place(pc);
    return place && place->file.ends_with("run_steps_lib.c");
  };
  walk.to("plt_first");
  walk.step(StepGoal::into);
  CHECK(walk.at("plt_second"));
  walk.finish();
}

TEST_CASE("a breakpoint met on the way wins, and the step is over") {
  Walk walk("calls");
  walk.to("calls_first");
  const auto at = walk.modules.after_prologue(walk.symbol("_ZL4leafi"));
  walk.site(at, 5);
  const auto report = walk.step(StepGoal::over);
  CHECK(report.cause == run::StopCause::site);
  CHECK(report.owners.size() == 1);
  CHECK(report.pc == at);
  walk.site(at, 5, false);
  walk.finish();
}

TEST_CASE("a step that ends on a breakpoint reports the breakpoint, once") {
  Walk walk("calls");
  walk.to("calls_first");
  const auto where = walk.modules.resolve_line(source, mark_line(source, "calls_twice"), 0);
  walk.site(where.locations.at(0).address, 6);
  CHECK(walk.step(StepGoal::over).cause == run::StopCause::site);
  CHECK(walk.at("calls_twice"));
  CHECK(walk.hits(6) == 1);
  walk.step(StepGoal::over);
  CHECK(walk.at("calls_end"));
  CHECK(walk.hits(6) == 1);
  walk.site(where.locations.at(0).address, 6, false);
  walk.finish();
}

TEST_CASE("instruction by instruction: the same way as a plain run, through calls and system calls") {
  Walk walk("calls");
  walk.to("calls_first");
  int steps = 0;
  const auto goal = mark_line(source, "main_calls");
  while (walk.line() != goal && steps < 500) {
    auto begun = walk.inferior->step(
        {.thread = walk.last.thread, .goal = StepGoal::into, .unit = run::StepUnit::instruction, .skip = {}});
    REQUIRE(begun);
    const auto before = walk.last.pc;
    walk.last = walk.stop();
    CHECK(walk.last.cause == run::StopCause::step_done);
    CHECK(walk.last.pc != before);
    ++steps;
  }
  CHECK(steps > 20);
  CHECK(steps < 500);
  walk.finish();
  CHECK(walk.output() == "r=24\n");
}

TEST_CASE("an instruction step over a call runs it") {
  Walk walk("calls");
  walk.to("calls_first");
  for (int i = 0; i < 4; ++i) {
    REQUIRE(walk.inferior->step(
        {.thread = walk.last.thread, .goal = StepGoal::over, .unit = run::StepUnit::instruction, .skip = {}}));
    walk.last = walk.stop();
    CHECK(walk.modules.place(walk.last.pc)->function.find("calls") != std::string::npos);
  }
  walk.finish();
}

TEST_CASE("the stepped thread ends: somebody else is shown") {
  Walk walk("thread");
  // Debian's libc6-dbg gives the C library lines; here it is somebody else's code, with it or without.
  walk.skip = [&](LoadAddr pc) {
    const auto place = walk.modules.place(pc);
    return !place || !place->file.ends_with(source);
  };
  walk.to("thread_first");
  walk.step(StepGoal::over);
  CHECK(walk.at("thread_last"));
  walk.step(StepGoal::over);
  CHECK(walk.at("thread_end"));
  const auto stepped = walk.last.thread;
  const auto report = walk.step(StepGoal::over);
  CHECK(report.cause == run::StopCause::interrupted);
  CHECK(report.thread != stepped);
  walk.finish();
}

TEST_CASE("other threads run over a step's traps and do not end it") {
  Walk walk("workers");
  walk.to("work_call");
  for (int i = 0; i < 20; ++i) {
    const auto thread = walk.last.thread;
    walk.step(StepGoal::into);
    CHECK(walk.last.thread == thread);
    CHECK(walk.at("leaf_first"));
    walk.step(StepGoal::out);
    CHECK(walk.last.thread == thread);
    walk.step(StepGoal::over);
    CHECK(walk.at("work_after"));
    walk.step(StepGoal::over);
    walk.step(StepGoal::over);
    CHECK(walk.at("work_call"));
  }
  walk.finish();
}

TEST_CASE("a step of one thread alone leaves the others where they are") {
  Walk walk("workers");
  walk.to("work_call");
  std::map<Tid, std::uint64_t> before;
  for (const auto tid : walk.inferior->threads())
    if (tid != walk.last.thread) before[tid] = walk.inferior->registers(tid)->general.rip;
  REQUIRE(walk.inferior->step({.thread = walk.last.thread, .single_thread = true, .skip = {}}));
  walk.last = walk.stop();
  CHECK(walk.at("work_after"));
  for (const auto& [tid, rip] : before) CHECK(walk.inferior->registers(tid)->general.rip == rip);
  walk.finish();
}

TEST_CASE("run_to ends at its target, or when the frame returns") {
  Walk walk("calls");
  walk.to("calls_first");
  auto where = walk.modules.resolve_line(source, mark_line(source, "calls_end"), 0).locations.at(0).address;
  REQUIRE(walk.inferior->run_to(walk.last.thread, std::span(&where, 1)));
  walk.last = walk.stop();
  CHECK(walk.at("calls_end"));
  where = walk.modules.resolve_line(source, mark_line(source, "calls_first"), 0).locations.at(0).address;
  REQUIRE(walk.inferior->run_to(walk.last.thread, std::span(&where, 1)));
  walk.last = walk.stop();
  CHECK(walk.at("main_calls"));
  walk.finish();
}

TEST_CASE("from a callback out into code with lines, and interrupts end a step") {
  Walk walk("backs");
  walk.to("leaf_first");
  walk.step(StepGoal::out);
  CHECK(walk.at("lib_back_call", "run_steps_lib.c"));
  walk.step(StepGoal::out);
  CHECK(walk.at("back_call"));
  walk.finish();
}
