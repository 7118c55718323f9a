// A session on real processes: breakpoints with everything a user may ask of them, pause, restart, ends, values,
// attach and detach.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/personality.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "daemon/os/dispositions.hpp"
#include "tests/support/child.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/live.hpp"

namespace trapline::test {
namespace {

using proto::StepKind;
using proto::StopReason;

constexpr auto subject = "session_subject.cpp";

template <class T>
std::vector<T> events_of(const Live& live) {
  std::vector<T> found;
  for (const auto& event : live.events())
    if (const auto* one = std::get_if<T>(&event)) found.push_back(*one);
  return found;
}

proto::BreakpointInfo info_of(Live& live, BreakpointId id) {
  const auto all = live.control().breakpoints();
  const auto found = std::ranges::find(all, id, &proto::BreakpointInfo::id);
  REQUIRE(found != all.end());
  return *found;
}

void remove(Live& live, BreakpointId id) {
  const auto answer = live.control().edit_breakpoints(std::span(&id, 1), {});
  REQUIRE_MESSAGE(answer.has_value(), answer.error().message);
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// A scope's children by name.
std::vector<proto::ValueInfo> scope_values(Live& live, FrameId frame, proto::ScopeKind kind) {
  const auto scopes = live.control().scopes(frame);
  REQUIRE_MESSAGE(scopes.has_value(), scopes.error().message);
  const auto scope = std::ranges::find(*scopes, kind, &proto::ScopeInfo::kind);
  if (scope == scopes->end()) return {};
  const auto values = live.control().children(scope->ref, 0, 0, {});
  REQUIRE_MESSAGE(values.has_value(), values.error().message);
  return *values;
}

std::string value_of(const std::vector<proto::ValueInfo>& values, std::string_view name) {
  const auto found = std::ranges::find(values, name, &proto::ValueInfo::name);
  return found == values.end() ? fmt::format("<no {}>", name) : found->value;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a launched program that met its first breakpoint lives on without us: the way past our traps is in it") {
  const auto live = Live::start("session_subject", {"threads", "1", "5"});
  live->break_at(subject, "add");
  const auto stop = live->go_to_stop();
  const auto now = os::dispositions(Tid{stop.thread.value});
  REQUIRE(now.has_value());
  CHECK(now->catches(SIGTRAP));
}

// ---- breakpoints

TEST_CASE("a condition over many threads stops exactly where it holds") {
  const auto live = Live::start("session_subject", {"threads", "4", "60"});
  proto::BreakpointSpec spec;
  spec.condition = "i == 17 || i == 42";
  const auto id = live->break_at(subject, "add", spec);
  std::multiset<std::string> seen;
  std::set<std::int32_t> threads;
  for (int round = 0; round < 8; ++round) {
    const auto stop = live->go_to_stop();
    CHECK(stop.reason == StopReason::breakpoint);
    CHECK(stop.breakpoints == std::vector{id});
    CHECK(stop.line == mark(subject, "add"));
    seen.insert(live->evaluate("i"));
    threads.insert(stop.thread.value);
  }
  CHECK(seen == std::multiset<std::string>{"17", "17", "17", "17", "42", "42", "42", "42"});
  CHECK(threads.size() == 4);
  CHECK(live->go_to_exit().code == 5);
  CHECK(live->output() == fmt::format("total={}\n", 4 * (59 * 60 + 60 * 7)));
}

TEST_CASE("the counts of a breakpoint are exact: passes, and passes with a true condition") {
  const auto live = Live::start("session_subject", {"threads", "3", "40"});
  proto::BreakpointSpec never;
  never.condition = "i % 4 == 1 && i > 1000";
  proto::BreakpointSpec some;
  some.condition = "i % 4 == 1";
  some.hit_condition = ">= 30";
  const auto quiet = live->break_at(subject, "add", never);
  const auto counted = live->break_at(subject, "tally-end", some);
  live->go_to_stop();
  CHECK(info_of(*live, counted).hits == 30);
  remove(*live, counted);
  // The 30th is the last of three threads at i == 37: each has passed the line before 38 times at least.
  const auto so_far = info_of(*live, quiet);
  CHECK(so_far.hits == 0);
  CHECK(so_far.evaluations >= 114);
  CHECK(live->go_to_exit().code == 5);
}

TEST_CASE("a hit condition `% n` stops every n-th time, whichever thread it is") {
  const auto live = Live::start("session_subject", {"threads", "4", "50"});
  proto::BreakpointSpec spec;
  spec.hit_condition = "% 50";
  const auto id = live->break_at(subject, "add", spec);
  for (std::uint64_t round = 1; round <= 4; ++round) {
    live->go_to_stop();
    CHECK(info_of(*live, id).hits == 50 * round);
  }
  CHECK(live->go_to_exit().code == 5);
  CHECK(live->output() == fmt::format("total={}\n", 4 * (49 * 50 + 50 * 7)));
}

TEST_CASE("each form of a hit condition") {
  const auto stops = [](std::string text) {
    const auto live = Live::start("session_subject", {"sum", "6"});
    proto::BreakpointSpec spec;
    spec.hit_condition = std::move(text);
    live->break_at(subject, "add", spec);
    std::string passes;
    REQUIRE(live->control().resume({}));
    while (live->run_until([&] {
      return live->control().state() == proto::RunState::stopped || live->control().exit_status().has_value();
    })) {
      if (live->control().exit_status()) break;
      live->next_stop();
      passes += live->evaluate("i");
      REQUIRE(live->control().resume({}));
    }
    CHECK(live->wait_exit().code == 5);
    return passes;
  };
  CHECK(stops("3") == "2");
  CHECK(stops("== 3") == "2");
  CHECK(stops("> 4") == "45");
  CHECK(stops(">= 4") == "345");
  CHECK(stops("< 3") == "01");
  CHECK(stops("<= 3") == "012");
  CHECK(stops("% 2") == "135");
}

TEST_CASE("a hit condition that makes no sense is refused in the breakpoint's message, and never stops") {
  const auto live = Live::start("session_subject", {"sum", "3"});
  proto::BreakpointSpec spec;
  spec.hit_condition = "now and then";
  const auto id = live->break_at(subject, "add", spec);
  CHECK_FALSE(info_of(*live, id).verified);
  CHECK(info_of(*live, id).message.find("now and then") != std::string::npos);
  CHECK(live->go_to_exit().code == 5);
}

TEST_CASE("a log point writes one line a pass with its values, and stops nobody") {
  const auto live = Live::start("session_subject", {"threads", "4", "25"});
  proto::BreakpointSpec spec;
  spec.log_message = "pass {i} of {point->x}";
  const auto id = live->break_at(subject, "add", spec);
  CHECK(live->go_to_exit().code == 5);
  CHECK(live->run_until([&] { return count_of(live->console(), " of 7\n") >= 100; }));
  CHECK(count_of(live->console(), "pass ") == 100);
  for (int i = 0; i < 25; ++i) CHECK(count_of(live->console(), fmt::format("pass {} of 7\n", i)) == 4);
  CHECK(live->output() == fmt::format("total={}\n", 4 * (24 * 25 + 25 * 7)));
  for (const auto& output : events_of<proto::OutputEvent>(*live)) {
    if (!output.text.starts_with("pass ")) continue;
    CHECK(output.line == mark(subject, "add"));
    CHECK(output.file.ends_with(subject));
  }
  CHECK(info_of(*live, id).spec.log_message == "pass {i} of {point->x}");
}

TEST_CASE("a condition that cannot be evaluated says so once, and stops") {
  const auto live = Live::start("session_subject", {"sum", "3"});
  proto::BreakpointSpec spec;
  spec.condition = "no_such_thing > 3";
  live->break_at(subject, "add", spec);
  for (int pass = 0; pass < 3; ++pass) {
    live->go_to_stop();
    CHECK(live->evaluate("i") == std::to_string(pass));
  }
  CHECK(live->go_to_exit().code == 5);
  CHECK(count_of(live->console(), "no_such_thing > 3") == 1);
}

TEST_CASE("two breakpoints at one place are both reported, and each can go alone") {
  const auto live = Live::start("session_subject", {"sum", "4"});
  const auto first = live->break_at(subject, "add");
  const auto second = live->break_at(subject, "add");
  proto::BreakpointSpec odd;
  odd.condition = "i % 2 == 1";
  const auto third = live->break_at(subject, "add", odd);
  auto stop = live->go_to_stop();
  CHECK(std::set(stop.breakpoints.begin(), stop.breakpoints.end()) == std::set{first, second});
  stop = live->go_to_stop();
  CHECK(std::set(stop.breakpoints.begin(), stop.breakpoints.end()) == std::set{first, second, third});
  remove(*live, first);
  stop = live->go_to_stop();
  CHECK(stop.breakpoints == std::vector{second});
  remove(*live, second);
  stop = live->go_to_stop();
  CHECK(stop.breakpoints == std::vector{third});
  CHECK(live->evaluate("i") == "3");
  CHECK(live->go_to_exit().code == 5);
}

TEST_CASE("a temporary breakpoint stops once and is gone, with an event") {
  const auto live = Live::start("session_subject", {"sum", "4"});
  proto::BreakpointSpec once;
  once.temporary = true;
  const auto id = live->break_at(subject, "add", once);
  CHECK(live->go_to_stop().breakpoints == std::vector{id});
  CHECK(live->control().breakpoints().empty());
  CHECK(live->go_to_exit().code == 5);
  const auto told = events_of<proto::BreakpointEvent>(*live);
  CHECK(std::ranges::any_of(
      told, [&](const auto& event) { return event.change == proto::Change::removed && event.breakpoint.id == id; }));
}

TEST_CASE("a breakpoint of one thread lets the others pass") {
  const auto live = Live::start("session_subject", {"threads", "3", "20"});
  const auto first = live->break_at(subject, "add");
  const auto stop = live->go_to_stop();
  remove(*live, first);
  proto::BreakpointSpec mine;
  mine.thread = stop.thread;
  live->break_at(subject, "tally-end", mine);
  for (int pass = 0; pass < 20; ++pass) {
    CHECK(live->go_to_stop().thread == stop.thread);
    CHECK(live->evaluate("i") == std::to_string(pass));
  }
  CHECK(live->go_to_exit().code == 5);
}

TEST_CASE("a breakpoint in a library that is loaded later is pending, binds with an event, and unbinds again") {
  const auto live = Live::start("dlopen_rounds", {fixture("plugin.so")});
  const auto id = live->break_at("plugin.c", "plugin-answer");
  CHECK_FALSE(info_of(*live, id).verified);
  CHECK(info_of(*live, id).pending);
  CHECK_FALSE(info_of(*live, id).message.empty());
  const auto by_name = live->break_on("plugin_answer");
  CHECK(info_of(*live, by_name).pending);
  int in_plugin = 0;
  int own_traps = 0;
  std::size_t most = 0;
  for (int round = 0; round < 7 + 2; ++round) {
    const auto stop = live->go_to_stop();
    if (stop.reason == StopReason::signal) {
      ++own_traps;
      continue;
    }
    if (std::ranges::find(stop.breakpoints, id) == stop.breakpoints.end()) {
      CHECK(stop.breakpoints == std::vector{by_name});
      continue;
    }
    ++in_plugin;
    CHECK(stop.file.ends_with("plugin.c"));
    CHECK(live->evaluate("a") == "1");
    most = std::max(most, info_of(*live, id).locations.size());
  }
  CHECK(in_plugin == 2);
  CHECK(own_traps == 5);
  CHECK(most == 2);
  const auto at_end = info_of(*live, id);
  CHECK(at_end.pending);
  CHECK(at_end.locations.empty());
  CHECK(live->go_to_exit().code == 3);
  // What it says while it is pending may change, too: an index that has come knows better which file was meant.
  std::vector<std::size_t> told{0};
  for (const auto& event : events_of<proto::BreakpointEvent>(*live))
    if (event.change == proto::Change::changed && event.breakpoint.id == id &&
        event.breakpoint.locations.size() != told.back())
      told.push_back(event.breakpoint.locations.size());
  REQUIRE(told.size() >= 5);
  CHECK(std::vector(told.begin(), told.begin() + 5) == std::vector<std::size_t>{0, 1, 2, 1, 0});
}

TEST_CASE("breakpoints are set and removed while the program runs") {
  const auto live = Live::start("run_ends", {"loop"});
  REQUIRE(live->control().start());
  REQUIRE(live->run_until([&] { return live->output().find("ready") != std::string::npos; }));
  for (int round = 0; round < 5; ++round) {
    const auto id = live->break_on("passed_by");
    REQUIRE(info_of(*live, id).verified);
    const auto stop = live->next_stop();
    CHECK(stop.breakpoints == std::vector{id});
    CHECK(stop.function == "passed_by");
    REQUIRE(live->control().resume({}));
    remove(*live, id);  // it runs, or stands at the next pass already
    REQUIRE(live->control().breakpoints().empty());
    if (live->control().state() == proto::RunState::stopped) {
      live->next_stop();
      REQUIRE(live->control().resume({}));
    }
    REQUIRE(live->control().state() == proto::RunState::running);
  }
}

// ---- life

TEST_CASE("pause is answered in a busy program of many threads, and all of them stand still") {
  const auto live = Live::start("run_checksum", {"6"});
  REQUIRE(live->control().start());
  REQUIRE(live->run_until([&] { return live->output().find("ready") != std::string::npos; }));
  for (int round = 0; round < 10; ++round) {
    REQUIRE(live->control().pause());
    CHECK(live->next_stop().reason == StopReason::pause);
    const auto threads = live->control().threads();
    REQUIRE(threads.has_value());
    CHECK(threads->size() == 7);
    for (const auto& thread : *threads) {
      CHECK(thread.stopped);
      const auto stack = live->control().stack(thread.id, 0, 0);
      REQUIRE(stack.has_value());
      CHECK(!stack->frames.empty());  // one that was never scheduled yet has clone3 only
    }
    REQUIRE(live->control().resume({}));
  }
  ::kill(live->pid(), SIGUSR1);
  const auto stop = live->next_stop();  // SIGUSR1 stops by default
  CHECK(stop.signal == SIGUSR1);
  CHECK(live->go_to_exit().code == 0);
  CHECK(live->output().find("intact") != std::string::npos);
}

TEST_CASE("pause of a program that waits in a system call") {
  const auto live = Live::start("run_waits", {"read"});
  REQUIRE(live->control().start());
  REQUIRE(live->run_until([&] { return live->output().find("waiting") != std::string::npos; }));
  const auto asked = std::chrono::steady_clock::now();
  REQUIRE(live->control().pause());
  const auto stop = live->next_stop();
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::milliseconds(100));
  CHECK(stop.reason == StopReason::pause);
  const auto functions = live->functions();
  CHECK(std::ranges::find(functions, "main") != functions.end());
}

TEST_CASE("restart keeps the breakpoints and starts another process") {
  const auto live = Live::start("session_subject", {"sum", "2"});
  proto::BreakpointSpec spec;
  spec.condition = "i == 1";
  const auto id = live->break_at(subject, "add", spec);
  CHECK(live->go_to_stop().breakpoints == std::vector{id});
  for (int round = 0; round < 3; ++round) {
    const auto before = live->pid();
    bool answered = false;
    live->control().restart({}, [&](const Result<proto::ProcessInfo>& info) {
      answered = true;
      CHECK_MESSAGE(info.has_value(), info.error().message);
    });
    REQUIRE(live->run_until([&] { return answered; }));
    CHECK(live->control().state() == proto::RunState::held);
    CHECK(live->pid() != before);
    CHECK(info_of(*live, id).verified);
    CHECK(info_of(*live, id).hits == 0);
    REQUIRE(live->control().start());
    const auto stop = live->next_stop();
    CHECK(stop.breakpoints == std::vector{id});
    CHECK(live->evaluate("i") == "1");
  }
  CHECK(live->go_to_exit().code == 5);
  CHECK(events_of<proto::ExitedEvent>(*live).size() == 1);  // a restart is no exit of the session
}

TEST_CASE("an exit code and a death by signal are told apart") {
  {
    const auto live = Live::start("run_ends", {"exit", "42"});
    const auto status = live->go_to_exit();
    CHECK(status.code == 42);
    CHECK(status.signal == 0);
  }
  {
    const auto live = Live::start("run_ends", {"signal", "9"});
    const auto status = live->go_to_exit();
    CHECK(status.signal == SIGKILL);
  }
  {
    const auto live = Live::start("run_ends", {"signal", "15"});
    const auto stop = live->go_to_stop();
    CHECK(stop.reason == StopReason::signal);
    CHECK(stop.signal == SIGTERM);
    const auto status = live->go_to_exit();
    CHECK(status.signal == SIGTERM);
  }
}

TEST_CASE("terminate sends its signal through: no stop, the end") {
  const auto live = Live::start("run_ends", {"loop"});
  REQUIRE(live->control().start());
  REQUIRE(live->run_until([&] { return live->output().find("ready") != std::string::npos; }));
  REQUIRE(live->control().terminate());
  CHECK(live->wait_exit().signal == SIGTERM);
}

TEST_CASE("terminate of a stopped program ends it too") {
  const auto live = Live::start("run_ends", {"loop"});
  live->break_on("passed_by");
  live->go_to_stop();
  const auto all = live->control().breakpoints();
  remove(*live, all.front().id);
  REQUIRE(live->control().terminate());
  CHECK(live->wait_exit().signal == SIGTERM);
}

TEST_CASE("a segmentation fault stops where it happens and is explained") {
  const auto live = Live::start("session_subject", {"crash"});
  const auto stop = live->go_to_stop();
  CHECK(stop.reason == StopReason::signal);
  CHECK(stop.signal == SIGSEGV);
  CHECK(stop.line == mark(subject, "crash"));
  CHECK(stop.description == "Paused on SIGSEGV");
  CHECK(stop.text == "Segmentation fault: address 0x0 is not mapped");
  const auto info = live->control().exception_info(stop.thread);
  REQUIRE_MESSAGE(info.has_value(), info.error().message);
  CHECK(info->id == "SIGSEGV");
  CHECK(info->description == "Segmentation fault: address 0x0 is not mapped");
  CHECK(info->unhandled);
  CHECK(live->functions(2) == std::vector<std::string>{"crash", "main"});
  CHECK(live->evaluate("where") == "0x0");
  CHECK(live->go_to_exit().signal == SIGSEGV);
}

TEST_CASE("address space randomisation is off by default, and on when asked") {
  const auto first = Live::start("session_subject", {"sum", "1"});
  const auto second = Live::start("session_subject", {"sum", "1"});
  const auto id = first->break_on("tally");
  const auto again = second->break_on("tally");
  CHECK(info_of(*first, id).locations.at(0).address == info_of(*second, again).locations.at(0).address);
  const auto flags = [](pid_t pid) {
    return std::stoul(text_of(fmt::format("/proc/{}/personality", pid)), nullptr, 16) & ADDR_NO_RANDOMIZE;
  };
  CHECK(flags(first->pid()) != 0);
  proto::LaunchSpec spec;
  spec.program = fixture("session_subject");
  spec.args = {"sum", "1"};
  spec.disable_aslr = false;
  const auto third = Live::start(spec);
  CHECK(flags(third->pid()) == 0);
}

// ---- values

TEST_CASE("arguments, locals, registers, frames above, and setting them") {
  const auto live = Live::start("session_subject", {"sum", "3"});
  live->break_at(subject, "add");
  live->go_to_stop();
  auto stack = live->frames();
  REQUIRE(stack.size() >= 3);
  CHECK(stack[0].function == "tally");
  CHECK(stack[1].function == "work");
  CHECK(stack[2].function == "main");
  CHECK(stack[1].line == mark(subject, "call"));
  const auto arguments = scope_values(*live, stack[0].id, proto::ScopeKind::arguments);
  CHECK(value_of(arguments, "i") == "0");
  CHECK(arguments.size() == 2);
  CHECK(value_of(scope_values(*live, stack[0].id, proto::ScopeKind::locals), "doubled") == "0");
  const auto above = scope_values(*live, stack[1].id, proto::ScopeKind::locals);
  CHECK(value_of(above, "ratio") == "0.5");
  CHECK(value_of(above, "label").find("\"work\"") != std::string::npos);
  CHECK(value_of(scope_values(*live, stack[2].id, proto::ScopeKind::arguments), "argc") == "3");
  CHECK(live->evaluate("argv[1]", 2).find("\"sum\"") != std::string::npos);

  CHECK(live->evaluate("point->x + point->y") == "16");
  CHECK(live->evaluate("point->x = 100") == "100");
  CHECK(live->evaluate("point.x", 1) == "100");
  const auto scopes = live->control().scopes(live->frames(1)[0].id);
  REQUIRE(scopes.has_value());
  const auto locals = std::ranges::find(*scopes, proto::ScopeKind::locals, &proto::ScopeInfo::kind);
  REQUIRE(locals != scopes->end());
  const auto written = live->control().set_value(locals->ref, "doubled", "1000", {});
  REQUIRE_MESSAGE(written.has_value(), written.error().message);
  CHECK(written->value == "1000");
  CHECK(live->evaluate("doubled") == "1000");
  const auto refused = live->control().set_value(locals->ref, "doubled", "\"text\"", {});
  CHECK_FALSE(refused.has_value());
  CHECK(live->evaluate("doubled") == "1000");

  stack = live->frames();
  const auto registers = live->control().registers(stack[0].id);
  REQUIRE(registers.has_value());
  const auto rip = std::ranges::find(*registers, "rip", &proto::RegisterInfo::name);
  REQUIRE(rip != registers->end());
  std::uint64_t pc = 0;
  REQUIRE(rip->bytes.size() == 8);
  std::memcpy(&pc, rip->bytes.data(), 8);
  CHECK(pc == stack[0].pc.value);
  CHECK(live->control().write_register(stack[0].id, "rbx", "0x1234"));
  CHECK(live->evaluate("$rbx == 0x1234") == "true");

  // Twice more through the loop: 1000+100, 2+100, 4+100.
  live->go_to_stop();
  CHECK(live->evaluate("i") == "1");
  live->go_to_stop();
  CHECK(live->go_to_exit().code == 5);
  CHECK(live->output() == "total=1306\n");
}

TEST_CASE("each evaluateName means its variable; what is hidden has none, and can be set all the same") {
  const auto live = Live::start("session_subject", {"hides"});
  live->break_at(subject, "hides");
  live->go_to_stop();
  const auto frame = live->frames(1)[0].id;
  for (const auto kind : {proto::ScopeKind::arguments, proto::ScopeKind::locals, proto::ScopeKind::globals})
    for (const auto& variable : scope_values(*live, frame, kind)) {
      CAPTURE(variable.name);
      if (variable.evaluate_name.empty()) continue;
      const auto again = live->control().evaluate({.expression = variable.evaluate_name,
                                                   .frame = frame,
                                                   .context = proto::EvaluateContext::watch,
                                                   .format = {}});
      REQUIRE_MESSAGE(again.has_value(), again.error().message);
      CHECK(again->value == variable.value);
      CHECK(again->memory == variable.memory);
    }
  CHECK(value_of(scope_values(*live, frame, proto::ScopeKind::locals), "total") == "2");
  CHECK(value_of(scope_values(*live, frame, proto::ScopeKind::arguments), "total (outer)") == "2");
  const auto scopes = live->control().scopes(frame);
  REQUIRE(scopes.has_value());
  const auto arguments = std::ranges::find(*scopes, proto::ScopeKind::arguments, &proto::ScopeInfo::kind);
  REQUIRE(arguments != scopes->end());
  const auto written = live->control().set_value(arguments->ref, "total (outer)", "10", {});
  REQUIRE_MESSAGE(written.has_value(), written.error().message);
  CHECK(written->value == "10");
  CHECK(live->evaluate("total") == "2");
  CHECK(live->go_to_exit().code == 14);
}

TEST_CASE("hover and clipboard never write; the prompt may") {
  const auto live = Live::start("session_subject", {"sum", "1"});
  live->break_at(subject, "add");
  live->go_to_stop();
  const auto frame = live->frames(1)[0].id;
  const auto hover = live->control().evaluate(
      {.expression = "doubled = 5", .frame = frame, .context = proto::EvaluateContext::hover, .format = {}});
  CHECK_FALSE(hover.has_value());
  CHECK(live->evaluate("doubled") == "0");
}

TEST_CASE("frames and values of an earlier stop are refused as stale") {
  const auto live = Live::start("session_subject", {"sum", "3"});
  live->break_at(subject, "add");
  live->go_to_stop();
  const auto frame = live->frames(1)[0].id;
  const auto scopes = live->control().scopes(frame);
  REQUIRE(scopes.has_value());
  live->step(StepKind::over);
  const auto late = live->control().scopes(frame);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Errc::stale_reference);
  const auto values = live->control().children(scopes->front().ref, 0, 0, {});
  REQUIRE_FALSE(values.has_value());
  CHECK(values.error().code == Errc::stale_reference);
  const auto evaluated = live->control().evaluate(
      {.expression = "i", .frame = frame, .context = proto::EvaluateContext::watch, .format = {}});
  REQUIRE_FALSE(evaluated.has_value());
  CHECK(evaluated.error().code == Errc::stale_reference);
}

TEST_CASE("questions that need a stop are refused while the program runs") {
  const auto live = Live::start("run_ends", {"loop"});
  REQUIRE(live->control().start());
  REQUIRE(live->run_until([&] { return live->output().find("ready") != std::string::npos; }));
  const auto answer = live->control().evaluate(
      {.expression = "1 + 1", .frame = {}, .context = proto::EvaluateContext::repl, .format = {}});
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Errc::not_stopped);
  CHECK_FALSE(live->control().stack(Tid{live->pid()}, 0, 0).has_value());
  CHECK_FALSE(live->control().resume({}).has_value());
  CHECK_FALSE(live->control().step({.thread = Tid{live->pid()}}).has_value());
}

TEST_CASE("steps by line: over a call, into it, out of it") {
  const auto live = Live::start("session_subject", {"sum", "2"});
  live->break_at(subject, "call");
  live->go_to_stop();
  auto stop = live->step(StepKind::into);
  CHECK(stop.function == "tally");
  CHECK(stop.line == mark(subject, "tally"));
  stop = live->step(StepKind::over);
  CHECK(stop.line == mark(subject, "add"));
  stop = live->step(StepKind::over);
  CHECK(stop.line == mark(subject, "tally-end"));
  stop = live->step(StepKind::out);
  CHECK(stop.function == "work");
  CHECK(stop.line == mark(subject, "call"));
}

// ---- attach and detach

TEST_CASE("attach by pid: breakpoints, steps, detach, and the program finds nothing changed") {
  Child child({fixture("run_checksum"), "4"});
  REQUIRE(child.wait_for("ready"));
  for (int round = 0; round < 3; ++round) {
    const auto live = Live::attach(child.pid());
    CHECK(live->control().process()->start_method == proto::StartMethod::attach);
    const auto id = live->break_on("churned");
    const auto other = live->break_on("churned_more");
    for (int stops = 0; stops < 4; ++stops) {
      const auto stop = stops == 0 ? live->next_stop() : live->go_to_stop();
      CHECK(stop.reason == StopReason::breakpoint);
      CHECK((stop.breakpoints == std::vector{id} || stop.breakpoints == std::vector{other}));
      CHECK(live->frames().size() >= 2);
    }
    live->step(StepKind::over);
    if (round == 1) remove(*live, id);
    REQUIRE(live->control().detach());
  }
  child.send(SIGUSR1);
  const auto status = child.wait();
  REQUIRE_MESSAGE(status.has_value(), child.output());
  CHECK(*status == 0);
  CHECK(child.output() == "ready\nintact\n");
}

TEST_CASE("attach that stops: every thread stands, and start() reports it") {
  Child child({fixture("run_checksum"), "4"});
  REQUIRE(child.wait_for("ready"));
  const auto live = Live::attach(child.pid(), true);
  REQUIRE(live->control().start());
  CHECK(live->next_stop().reason == StopReason::attach);
  const auto threads = live->control().threads();
  REQUIRE(threads.has_value());
  CHECK(threads->size() == 5);
  CHECK(std::ranges::all_of(*threads, &proto::ThreadInfo::stopped));
  REQUIRE(live->control().detach());
  child.send(SIGUSR1);
  CHECK(child.wait() == 0);
}

TEST_CASE("attach by name finds the one process that bears it") {
  const Folder folder;
  const auto program = folder.path() / fmt::format("tl{}", ::getpid());
  std::filesystem::copy_file(fixture("run_checksum"), program);
  Child child({program.string(), "1"});
  REQUIRE(child.wait_for("ready"));
  Live live;
  std::optional<Result<proto::ProcessInfo>> answer;
  proto::AttachSpec spec;
  spec.name = program.filename().string();
  live.control().attach(spec, [&](Result<proto::ProcessInfo> info) { answer = std::move(info); });
  REQUIRE(live.run_until([&] { return answer.has_value(); }));
  REQUIRE_MESSAGE(answer->has_value(), answer->error().message);
  CHECK((*answer)->pid.value == child.pid());
  REQUIRE(live.control().start());
  REQUIRE(live.control().pause());
  CHECK(live.next_stop().reason == StopReason::pause);
  REQUIRE(live.control().detach());
  child.send(SIGUSR1);
  CHECK(child.wait() == 0);
}

TEST_CASE("attach waits for a program that is not there yet") {
  const Folder folder;
  const auto program = folder.path() / fmt::format("tw{}", ::getpid());
  std::filesystem::copy_file(fixture("run_checksum"), program);
  Live live;
  std::optional<Result<proto::ProcessInfo>> answer;
  proto::AttachSpec spec;
  spec.name = program.filename().string();
  spec.wait_for = true;
  live.control().attach(spec, [&](Result<proto::ProcessInfo> info) { answer = std::move(info); });
  CHECK_FALSE(answer.has_value());
  Child child({program.string(), "1"});
  REQUIRE(live.run_until([&] { return answer.has_value(); }));
  REQUIRE_MESSAGE(answer->has_value(), answer->error().message);
  CHECK((*answer)->pid.value == child.pid());
  REQUIRE(live.control().start());
  REQUIRE(child.wait_for("ready"));
  REQUIRE(live.control().detach());
  child.send(SIGUSR1);
  CHECK(child.wait() == 0);
}

}  // namespace trapline::test
