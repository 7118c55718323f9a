// Functions called from expressions, in a session: the same answers as the compiler's own calls, what may call, what
// goes wrong, and what functions returned that a step came out of.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/support/child.hpp"
#include "tests/support/live.hpp"

namespace trapline::test {
namespace {

constexpr auto source = "calls.cpp";

std::unique_ptr<Live> at_here(std::string_view variant) {
  auto live = Live::start(variant);
  live->break_at(source, "here");
  live->go_to_stop();
  return live;
}

Result<proto::ValueInfo> ask(Live& live, const std::string& expression,
                             proto::EvaluateContext context = proto::EvaluateContext::repl) {
  const auto stop = live.control().current_stop();
  REQUIRE(stop);
  const auto page = live.control().stack(stop->thread, 0, 1);
  REQUIRE(page);
  return live.control().evaluate(
      {.expression = expression, .frame = page->frames.at(0).id, .context = context, .format = {}});
}

std::string text(Live& live, const std::string& expression) {
  const auto value = ask(live, expression);
  return value ? value->value : value.error().message;
}

bool same(const std::string& said, const std::string& got) {
  if (said == got) return true;
  char* end = nullptr;
  const double a = std::strtod(said.c_str(), &end);
  if (end == said.c_str() || *end != '\0') return false;
  const double b = std::strtod(got.c_str(), &end);
  return end != got.c_str() && *end == '\0' && a == b;
}

std::size_t events_invalidated(const Live& live) {
  return static_cast<std::size_t>(std::ranges::count_if(
      live.events(), [](const proto::Event& event) { return std::holds_alternative<proto::InvalidatedEvent>(event); }));
}

}  // namespace

TEST_CASE("calls answer what the program's own calls do") {
  for (const char* variant : {"calls", "calls.O2", "calls.dwarf4", "calls.clang", "calls.clang-O2"}) {
    CAPTURE(variant);
    const auto live = at_here(variant);
    REQUIRE(live->run_until([&] { return live->output().find("end\n") != std::string::npos; }));
    std::istringstream lines(live->output());
    int asked = 0;
    for (std::string line; std::getline(lines, line) && !line.starts_with("end");) {
      if (line.ends_with('\r')) line.pop_back();
      const auto tab = line.find('\t');
      REQUIRE(tab != std::string::npos);
      const std::string expression = line.substr(0, tab), said = line.substr(tab + 1);
      const std::string got = text(*live, expression);
      CHECK_MESSAGE(same(said, got), expression, ": the program says ", said, ", the debugger ", got);
      ++asked;
    }
    CHECK(asked > 250);
    CHECK(live->go_to_exit().code == 7);
    CHECK(events_invalidated(*live) > 0);
    CHECK(live->output().find("sum=169.5 touched=0") != std::string::npos);
  }
}

TEST_CASE("what a call returns can be looked into, and passed on") {
  const auto live = at_here("calls");
  const auto moved = ask(*live, "p.moved(1, 2)");
  REQUIRE_MESSAGE(moved, (moved ? "" : moved.error().message));
  CHECK(moved->value == "{x=4, y=6}");
  const auto members = live->control().children(moved->ref, 0, 0, {});
  REQUIRE(members);
  CHECK(members->at(1).value == "6");
  CHECK(text(*live, "give33().b[2]") == text(*live, "g33.b[2]"));
  CHECK(text(*live, "give33().b[2] == g33.b[2]") == "true");
  CHECK(text(*live, "made(3).n") == "3");
  CHECK(text(*live, "*name_of(1)") == "109 'm'");
  CHECK(text(*live, "name_of(0)").ends_with("\"zero\""));
  CHECK(text(*live, "corner(5)") == "{x=5, y=10}");
  // An object of an earlier call is still there when a later one was made.
  const auto big = ask(*live, "give33()");
  REQUIRE(big);
  CHECK(text(*live, "plus(1, 1)") == "2");
  const auto later = live->control().children(big->ref, 0, 0, {});
  REQUIRE(later);
  CHECK(later->at(0).value == text(*live, "g33.a"));
  // References that a function returns are places.
  CHECK(text(*live, "place(2) = 33") == "33");
  CHECK(text(*live, "place(2)") == "33");
  CHECK(text(*live, "p.shift(1).x") == "4");
  CHECK(text(*live, "p.x") == "4");
  CHECK(text(*live, "(set_to(five, 8), five)") == "8");
  CHECK(text(*live, "string_length(\"made by the debugger\")") == "20");
  CHECK(text(*live, "last_of(1, \"view\")") == "119 'w'");
  CHECK(text(*live, "((int (*)(int, int))plus)(20, 22)") == "42");
  CHECK(text(*live, "((int (*)(const char *))puts)(\"from outside\") > 0") == "true");
}

TEST_CASE("what is passed by value is copied, and its copies end with the call") {
  for (const char* variant : {"calls", "calls.O2", "calls.clang", "calls.clang-O2"}) {
    CAPTURE(variant);
    const auto live = at_here(variant);
    const auto alive = text(*live, "Counted::alive");
    CHECK(text(*live, "by_value(counted)") == "6");
    CHECK(text(*live, "both(counted, 3, counted)") == "636");
    CHECK(text(*live, "by_value(Counted(9))") == "9");
    CHECK(text(*live, "by_value(made(3))") == "3");
    CHECK(text(*live, "both(made(1), 2, counted)") == "126");
    CHECK(text(*live, "Counted::alive") == alive);
    CHECK(text(*live, "counted.n") == "5");
    // The destructor of a complete object, not the one that deletes.
    CHECK(text(*live, "by_value(polymorphic)") == "6");
    CHECK(text(*live, "by_value(Polymorphic(9))") == "9");
    CHECK(text(*live, "Polymorphic::alive") == "1");
    // Also where the call comes to nothing: a later argument has no value, or the function does not return.
    for (const char* expression :
         {"both(counted, *nowhere, counted)", "both(counted, throws(0), made(3))", "throws_with(counted, 1)",
          "throws_with(made(2), 0)", "crashes_with(counted, nowhere)", "never_with(Counted(1))"}) {
      CAPTURE(expression);
      CHECK_FALSE(ask(*live, expression));
      CHECK(text(*live, "Counted::alive") == alive);
    }
    // What is made is an object like others: it can be looked into, and passed on.
    const auto made = ask(*live, "Counted(4, 2.5)");
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    CHECK(made->value == "{n=6}");
    CHECK(text(*live, "geometry::Point(1, 2)") == "{x=1, y=2}");
    // Nothing is called for a class that is made of its parts.
    CHECK(ask(*live, "geometry::Point{8, 9}.y", proto::EvaluateContext::hover)->value == "9");
    const auto hover = ask(*live, "Counted(1).n", proto::EvaluateContext::hover);
    REQUIRE_FALSE(hover.has_value());
    CHECK(hover.error().message.find("calls a function") != std::string::npos);
  }
  {
    const auto live = at_here("calls.clang");  // says nothing of where the library's destructor is
    CHECK(text(*live, "owns(greeting(1))") == text(*live, "string_length(greeting(1))"));
  }
  const auto live = at_here("calls");
  CHECK(text(*live, "owns(\"literal\")") == "7");
  CHECK(text(*live, "owns(word)") == text(*live, "string_length(word)"));
  CHECK(text(*live, "owns(greeting(1))") == text(*live, "string_length(greeting(1))"));
}

TEST_CASE("in a method, its own class's functions are called without an object") {
  const auto live = at_here("calls");
  live->break_at(source, "in-method");
  live->go_to_stop();
  CHECK(text(*live, "helper(7)") == "107");
  CHECK(text(*live, "this->helper(8)") == "108");
  CHECK(text(*live, "Host::helper(9)") == "109");
}

TEST_CASE("calls that cannot be made say why") {
  const auto live = at_here("calls");
  const auto says = [&](const std::string& expression, std::string_view part) {
    const auto value = ask(*live, expression);
    CHECK_FALSE(value.has_value());
    if (value) return;
    const std::string message = value.error().message + " / " + value.error().hint;
    CHECK_MESSAGE(message.find(part) != std::string::npos, expression, ": ", message);
  };
  says("plus(1)", "default ones");
  says("plus(1, 2, 3)", "plus(int, int) cannot be called with (int, int, int)");
  says("vague(1, 2)", "the call is ambiguous: vague(");
  says("which(counted)", "no `which` can be called with (Counted)");
  says("puts(\"x\")", "cast it");
  says("geometry::Point{1}", "is made of 2 values, and these are 1");
  says("Counted(p)", "no `Counted` can be called with (geometry::Point)");
  says("twice(3L)", "no `twice` can be called with (long)");
  says("five(3)", "is no function");
  says("p.nothing()", "no member `nothing`");
  says("q.shift(1)", "cannot be called");
  says("p - q", "no such function");
  says("noname(1)", "noname");
}

TEST_CASE("what lies in registers is passed by value and as const, and never changed in a copy") {
  const auto live = at_here("calls.O2");
  const auto refused = [&](const std::string& expression, std::string_view part) {
    const auto value = ask(*live, expression);
    REQUIRE_MESSAGE(!value, expression);
    CHECK_MESSAGE(value.error().message.find(part) != std::string::npos, value.error().message);
  };
  refused("set_to(g20.a, 1)", "cannot be called with");  // a bit-field
  live->break_at(source, "in-register");
  live->break_at(source, "in-pieces");
  live->go_to_stop();
  refused("set_to(kept, 8)", "`kept` is in register rbx: the function would change a copy of it");
  CHECK(text(*live, "kept") == "4");
  CHECK(text(*live, "plus(kept, 1)") == "5");
  CHECK(text(*live, "twice<int>(kept)") == "8");
  live->go_to_stop();
  const auto stop = live->control().current_stop();
  REQUIRE(stop);
  REQUIRE(stop->line == mark(source, "in-pieces"));
  refused("local.shift(1)", "would change a copy of it");
  refused("set_to(local.y, 1)", "would change a copy of it");
  CHECK(text(*live, "local") == "{x=15, y=10}");
  CHECK(text(*live, "local.sum()") == "25");
  CHECK(text(*live, "manhattan(local)") == "25");
  CHECK(text(*live, "(local + p).x") == "18");
  CHECK(live->go_to_exit().code == 7);
}

TEST_CASE("calls that fail are told, and nothing of the stop is lost") {
  const auto live = at_here("calls");
  const auto before = live->frames();
  const auto says = [&](const std::string& expression, std::string_view part) {
    const auto value = ask(*live, expression);
    CHECK_FALSE(value.has_value());
    if (!value) CHECK_MESSAGE(value.error().message.find(part) != std::string::npos, value.error().message);
  };
  says("crashes(nullptr)", "SIGSEGV in crashes");
  says("crashes(nullptr)", "calls.cpp:");
  says("throws(0)", "threw std::runtime_error: not today");
  says("throws(1)", "threw int: 42");
  says("throws(2)", "threw char const*: plain text");
  says("throws(3)", "threw std::out_of_range: far out");
  says("promises(0)", "threw std::runtime_error: not today");
  says("catches_first(0)", "ended in std::terminate");
  says("catches_first(1)", "threw std::out_of_range: far out");
  says("catches_first(2)", "threw int: 42");
  says("catches_first(3)", "ended in std::terminate");
  says("aborts()", "SIGABRT");
  says("never()", "did not return within 1000 ms");
  CHECK(text(*live, "throws(9)") == "9");
  const auto after = live->frames();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].pc == before[i].pc);
    CHECK(after[i].cfa == before[i].cfa);
  }
  CHECK(live->go_to_exit().code == 7);
}

TEST_CASE("hovers never call, and who says `never` gets no calls at all") {
  const auto live = at_here("calls");
  const auto hover = ask(*live, "touch()", proto::EvaluateContext::hover);
  REQUIRE_FALSE(hover.has_value());
  CHECK(hover.error().message.find("place for looking only") != std::string::npos);
  CHECK(text(*live, "touched") == "0");
  REQUIRE(ask(*live, "touch()", proto::EvaluateContext::watch));
  CHECK(text(*live, "touched") == "1");
  proto::LaunchSpec spec;
  spec.program = fixture("calls");
  spec.evaluation.allow_calls = proto::CallsAllowed::never;
  const auto strict = Live::start(std::move(spec));
  strict->break_at(source, "here");
  strict->go_to_stop();
  const auto refused = ask(*strict, "plus(1, 2)");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("allowCalls") != std::string::npos);
  CHECK(text(*strict, "1 + 2") == "3");
}

TEST_CASE("a call that ends the program is its end") {
  const auto live = at_here("calls");
  const auto value = ask(*live, "quits(9)");
  REQUIRE_FALSE(value.has_value());
  CHECK(value.error().message.find("ended the program") != std::string::npos);
  CHECK(live->wait_exit().code == 9);
}

TEST_CASE("a call that unloads a library takes along what was known of its values") {
  const auto live = Live::start("calls_host", {fixture("calls_plugin.so")});
  live->break_at("calls_plugin.cpp", "in-make");
  live->go_to_stop();
  CHECK(live->step(proto::StepKind::out).returned == "{first=5, second=10}");
  const auto pair = ask(*live, "plugin_pair");
  REQUIRE_MESSAGE(pair, (pair ? "" : pair.error().message));
  CHECK(pair->value == "{first=11, second=22}");
  REQUIRE(live->control().children(pair->ref, 0, 0, {}));
  const auto locals = [&] {
    const auto scopes = live->control().scopes(live->frames(1).at(0).id);
    REQUIRE(scopes);
    const auto found = std::ranges::find(*scopes, proto::ScopeKind::locals, &proto::ScopeInfo::kind);
    REQUIRE(found != scopes->end());
    const auto values = live->control().children(found->ref, 0, 0, {});
    REQUIRE(values);
    return *values;
  };
  CHECK(locals().at(0).name == "Return value");
  CHECK(ask(*live, "let_go(3)", proto::EvaluateContext::watch)->value == "3");
  const auto gone = live->control().children(pair->ref, 0, 0, {});
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Errc::stale_reference);
  CHECK(locals().at(0).name == "make");
  CHECK(live->run_until([&] { return events_invalidated(*live) == 1; }));
  CHECK_FALSE(ask(*live, "plugin_pair"));
  CHECK(live->go_to_exit().code == 15);
}

TEST_CASE("after an attach and before start(), a call makes what was known of the stop be asked for anew") {
  Child child({fixture("run_calls"), "sleeps"});
  REQUIRE(child.wait_for("ready"));
  const auto live = Live::attach(child.pid(), true);
  REQUIRE(live->control().state() == proto::RunState::held);
  const auto counted = live->control().evaluate(
      {.expression = "count()", .frame = std::nullopt, .context = proto::EvaluateContext::repl, .format = {}});
  REQUIRE_MESSAGE(counted, (counted ? "" : counted.error().message));
  CHECK(counted->value == "1");
  CHECK(live->run_until([&] { return events_invalidated(*live) == 1; }));
  CHECK(live->control().state() == proto::RunState::held);
  REQUIRE(live->control().detach());
  CHECK(child.wait() == W_EXITCODE(7, 0));
  CHECK(child.output() == "ready\nslept 0\n");
}

TEST_CASE("a step out of a function shows what it returned") {
  for (const char* variant : {"calls", "calls.clang"}) {
    CAPTURE(variant);
    const auto live = at_here(variant);
    const auto returned = [&](const char* mark_name) {
      live->break_at(source, mark_name);
      live->go_to_stop();
      return live->step(proto::StepKind::out);
    };
    const auto local = [&]() -> proto::ValueInfo {
      const auto page = live->frames(1);
      const auto scopes = live->control().scopes(page.at(0).id);
      REQUIRE(scopes);
      const auto locals = std::ranges::find(*scopes, proto::ScopeKind::locals, &proto::ScopeInfo::kind);
      REQUIRE(locals != scopes->end());
      const auto values = live->control().children(locals->ref, 0, 0, {});
      REQUIRE(values);
      REQUIRE(values->size() == locals->named);
      return values->at(0);
    };
    CHECK(returned("in-pair").returned == "{a=1.5, b=2.5}");
    CHECK(local().name == "Return value");
    CHECK(local().value == "{a=1.5, b=2.5}");
    CHECK(local().kind == proto::ValueKind::return_value);
    CHECK(returned("in-corner").returned == "{x=7, y=14}");
    const auto big = returned("in-big");
    CHECK(big.returned.starts_with("{a=11, "));
    CHECK(big.returned_function == "big");
    CHECK(returned("in-answer").returned == "42");
    CHECK(local().value == "42");
    live->step(proto::StepKind::over);
    CHECK(local().name != "Return value");
    CHECK(live->control().current_stop()->returned.empty());
    CHECK(live->go_to_exit().code == 7);
  }
}

TEST_CASE("an exception that nobody catches is named with its text") {
  const auto live = Live::start("calls", {"fail"});
  const auto stop = live->go_to_stop();
  REQUIRE(stop.reason == proto::StopReason::signal);
  const auto info = live->control().exception_info(stop.thread);
  REQUIRE(info);
  CHECK(info->id == "SIGABRT");
  CHECK(info->type_name == "std::out_of_range");
  CHECK(info->what == "far out");
  // And as a value of its type: the type that its type_info names.
  const auto exception = ask(*live, "$_exception", proto::EvaluateContext::hover);
  REQUIRE_MESSAGE(exception, (exception ? "" : exception.error().message));
  CHECK(exception->type == "std::out_of_range");
  CHECK(text(*live, "typeid($_exception).name()").ends_with("\"St12out_of_range\""));
  CHECK(text(*live, "$_exception.what()").ends_with("\"far out\""));
}

TEST_CASE("where nothing was thrown there is no $_exception") {
  const auto live = at_here("calls");
  CHECK(text(*live, "$_exception") == "$_exception: this thread was not ended by an exception that nobody caught");
}

}  // namespace trapline::test
