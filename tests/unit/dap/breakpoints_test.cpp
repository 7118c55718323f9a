#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;

namespace {

json lines(DapTester& c, json breakpoints, const std::string& file = "/src/app.cpp") {
  return c.ok("setBreakpoints", {{"source", {{"path", file}}}, {"breakpoints", std::move(breakpoints)}})["breakpoints"];
}

}  // namespace

TEST_CASE("setBreakpoints answers in the order of the request and keeps what stays") {
  DapTester c;
  c.initialize();
  const auto before = lines(c, {{{"line", 7}}, {{"line", 3}}, {{"line", 9}, {"condition", "n > 2"}}});
  REQUIRE(before.size() == 3);
  CHECK(before[0]["line"] == 7);
  CHECK(before[1]["line"] == 3);
  CHECK(before[2]["line"] == 9);
  for (const auto& one : before) CHECK(one["verified"] == true);
  CHECK(before[0]["instructionReference"] == "0x401070");
  CHECK(before[0]["source"]["path"] == "/src/app.cpp");

  const auto after = lines(c, {{{"line", 9}, {"condition", "n > 2"}}, {{"line", 20}}, {{"line", 7}}});
  CHECK(after[0]["id"] == before[2]["id"]);
  CHECK(after[2]["id"] == before[0]["id"]);
  CHECK(after[1]["id"] != before[1]["id"]);
  CHECK(c.control().calls.back() == "edit_breakpoints -1 +1");

  const auto changed = lines(c, {{{"line", 9}, {"condition", "n > 3"}}, {{"line", 20}}, {{"line", 7}}});
  CHECK(changed[0]["id"] != after[0]["id"]);
  CHECK(changed[1]["id"] == after[1]["id"]);

  const auto calls = c.control().calls.size();
  CHECK(lines(c, {{{"line", 9}, {"condition", "n > 3"}}, {{"line", 20}}, {{"line", 7}}}) == changed);
  CHECK(c.control().calls.size() == calls);  // nothing changed: the debuggee is not bothered
  CHECK(lines(c, json::array()).empty());
  CHECK(c.control().breakpoint_list.empty());
  CHECK(c.events("breakpoint").empty());
}

TEST_CASE("all that can be asked of a line reaches the Control") {
  DapTester c;
  c.initialize();
  lines(c, {{{"line", 7},
             {"column", 3},
             {"condition", "n"},
             {"hitCondition", ">= 3"},
             {"logMessage", "n={n}"},
             {"mode", "trap"}}});
  const auto& spec = c.control().breakpoint_list.at(0).spec;
  CHECK(std::get<proto::LinePlace>(spec.place) == proto::LinePlace{"/src/app.cpp", Line{7}, 3});
  CHECK(spec.condition == "n");
  CHECK(spec.hit_condition == ">= 3");
  CHECK(spec.log_message == "n={n}");
  CHECK(spec.mode == proto::BreakpointMode::trap);
  const auto wrong = lines(c, {{{"line", 7}, {"mode", "magic"}}, {{"line", 8}}});
  CHECK(wrong[0] == json{{"verified", false},
                         {"line", 7},
                         {"reason", "failed"},
                         {"message", "mode 'magic' is none of auto, inline, trap, hardware"}});
  CHECK(wrong[1]["verified"] == true);
  const auto hardware = lines(c, {{{"line", 7}, {"mode", "hardware"}}});
  CHECK(hardware[0]["message"] == "placed as trap, not as hardware");
}

TEST_CASE("lines of a group are told apart from those of others, and equal ones are kept apart") {
  DapTester c;
  c.initialize();
  const auto twice = lines(c, {{{"line", 7}}, {{"line", 7}}});
  CHECK(twice[0]["id"] != twice[1]["id"]);
  const auto functions = c.ok("setFunctionBreakpoints",
                              {{"breakpoints", {{{"name", "main"}, {"hitCondition", "2"}}, {{"name", "later"}}}}});
  CHECK(functions["breakpoints"][0]["verified"] == true);
  CHECK(functions["breakpoints"][1] ==
        json{{"id", 4}, {"verified", false}, {"reason", "pending"}, {"message", "no function 'later' yet"}});
  const auto addresses = c.ok(
      "setInstructionBreakpoints",
      {{"breakpoints",
        {{{"instructionReference", "0x401000"}, {"offset", 16}}, {{"instructionReference", "here"}}}}})["breakpoints"];
  CHECK(addresses[0]["instructionReference"] == "0x401010");
  CHECK(addresses[1]["verified"] == false);
  CHECK(addresses[1]["message"] == "'here' is no memory reference; write an address as 0x401000");
  CHECK(lines(c, {{{"line", 7}}})[0]["id"] == twice[0]["id"]);
  CHECK(c.control().breakpoint_list.size() == 4);  // one line, two functions, one address
  CHECK(c.ok("setFunctionBreakpoints", {{"breakpoints", {{{"name", ""}}}}})["breakpoints"][0]["reason"] == "failed");
}

TEST_CASE("a breakpoint on code to come is pending, and binds with an event") {
  DapTester c;
  c.launch();
  const auto pending = lines(c, {{{"line", 5}}}, "/src/plugin.cpp");
  CHECK(pending[0]["verified"] == false);
  CHECK(pending[0]["reason"] == "pending");
  CHECK(pending[0]["line"] == 5);
  CHECK_FALSE(pending[0]["message"].get<std::string>().empty());
  c.control().bind({pending[0]["id"].get<int>()});
  c.control().deliver();
  const auto event = c.last_event("breakpoint");
  CHECK(event["reason"] == "changed");
  CHECK(event["breakpoint"]["id"] == pending[0]["id"]);
  CHECK(event["breakpoint"]["verified"] == true);
  CHECK_FALSE(event["breakpoint"].contains("reason"));
  // It stays known as bound.
  CHECK(lines(c, {{{"line", 5}}}, "/src/plugin.cpp")[0] == event["breakpoint"]);
  // News that a client cannot see is no event: a hit counted, another's breakpoint.
  const auto count = c.events("breakpoint").size();
  auto hit = c.control().breakpoint_list.at(0);
  hit.hits = 9;
  c.control().emit(proto::BreakpointEvent{proto::Change::changed, hit});
  hit.id = {77};
  c.control().emit(proto::BreakpointEvent{proto::Change::added, hit});
  c.control().deliver();
  CHECK(c.events("breakpoint").size() == count);
  // One that somebody else took away is reported, and set anew when asked for again.
  hit = c.control().breakpoint_list.at(0);
  c.control().breakpoint_list.clear();
  c.control().emit(proto::BreakpointEvent{proto::Change::removed, hit});
  c.control().deliver();
  CHECK(c.last_event("breakpoint")["reason"] == "removed");
  CHECK(lines(c, {{{"line", 5}}}, "/src/plugin.cpp")[0]["id"] != pending[0]["id"]);
}

TEST_CASE("a breakpoint that fails says why") {
  DapTester c;
  c.initialize();
  const auto answer = lines(c, {{{"line", 500}}, {{"line", 7}, {"condition", "("}}, {{"line", 0}}, {{"line", -3}}});
  CHECK(answer[0]["message"] == "no code at or after this line");
  CHECK(answer[0]["reason"] == "failed");
  CHECK(answer[1]["message"] == "condition: '(' does not end");
  CHECK(answer[2]["message"] == "line 0 does not exist; the first is 1");
  CHECK(answer[2]["line"] == 0);
  CHECK_FALSE(answer[3].contains("id"));
  c.control().failures["edit_breakpoints"] = an_error(Errc::process_gone, "gone");
  const auto error =
      c.refused("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", {{{"line", 1}}}}});
  CHECK(error == json{{"id", 1301}, {"format", "gone"}, {"showUser", false}});
  c.control().failures.clear();
  CHECK(lines(c, {{{"line", 7}}})[0]["verified"] == true);  // the failed edit changed nothing here
}

TEST_CASE("the client's counting and its paths are used both ways") {
  DapTester c;
  c.initialize({{"linesStartAt1", false}, {"columnsStartAt1", false}, {"pathFormat", "uri"}});
  const auto answer = lines(c, {{{"line", 6}, {"column", 0}}, {{"line", -1}}}, "file:///src/app.cpp");
  const auto& place = std::get<proto::LinePlace>(c.control().breakpoint_list.at(0).spec.place);
  CHECK(place == proto::LinePlace{"/src/app.cpp", Line{7}, 1});
  CHECK(answer[0]["line"] == 6);
  CHECK(answer[0]["column"] == 0);
  CHECK(answer[0]["source"]["path"] == "file:///src/app.cpp");
  CHECK(answer[1]["message"] == "line -1 does not exist; the first is 0");
  lines(c, {{{"line", 1}}}, "file:///src/a%20b%23.cpp");
  CHECK(std::get<proto::LinePlace>(c.control().breakpoint_list.back().spec.place).file == "/src/a b#.cpp");
  CHECK(c.refused("setBreakpoints", {{"source", {{"path", "file:///a%2"}}}, {"breakpoints", json::array()}})["id"] ==
        1000);
}

TEST_CASE("a source may be named by its reference or its name alone") {
  DapTester c;
  c.launch_and_stop();
  const int reference = c.ok("stackTrace", {{"threadId", 4242}})["stackFrames"][0]["source"]["sourceReference"];
  c.ok("setBreakpoints", {{"source", {{"sourceReference", reference}}}, {"breakpoints", {{{"line", 7}}}}});
  CHECK(std::get<proto::LinePlace>(c.control().breakpoint_list.back().spec.place).file == "/src/app.cpp");
  c.ok("setBreakpoints", {{"source", {{"name", "app.cpp"}}}, {"lines", {4}}});
  CHECK(std::get<proto::LinePlace>(c.control().breakpoint_list.back().spec.place).file == "app.cpp");
  CHECK(c.refused("setBreakpoints", {{"source", json::object()}, {"breakpoints", json::array()}})["id"] == 1000);
  CHECK(c.refused("setBreakpoints", {{"source", {{"sourceReference", 99}}}, {"breakpoints", json::array()}})["id"] ==
        1100);
}

TEST_CASE("setExceptionBreakpoints is accepted empty; filters that were never offered fail by name") {
  DapTester c;
  c.initialize();
  CHECK(c.ok("setExceptionBreakpoints", {{"filters", json::array()}})["breakpoints"].empty());
  const auto answer = c.ok("setExceptionBreakpoints", {{"filters", {"cpp_throw"}}})["breakpoints"];
  CHECK(answer[0]["verified"] == false);
  CHECK(answer[0]["message"] == "there is no exception filter 'cpp_throw'");
}

TEST_CASE("a stop names the breakpoints that were hit, and their kind is the reason") {
  DapTester c;
  c.launch();
  const int line = lines(c, {{{"line", 7}}})[0]["id"];
  const int function = c.ok("setFunctionBreakpoints", {{"breakpoints", {{{"name", "main"}}}}})["breakpoints"][0]["id"];
  const int address = c.ok("setInstructionBreakpoints",
                           {{"breakpoints", {{{"instructionReference", "0x401000"}}}}})["breakpoints"][0]["id"];
  const auto stop = [&](std::vector<BreakpointId> hit) {
    c.control().stop_at(proto::StopReason::breakpoint, {4243}, std::move(hit));
    c.control().deliver();
    return c.last_event("stopped");
  };
  CHECK(stop({{line}}) == json{{"reason", "breakpoint"},
                               {"description", "Paused on breakpoint"},
                               {"threadId", 4243},
                               {"allThreadsStopped", true},
                               {"hitBreakpointIds", {line}}});
  CHECK(stop({{function}})["reason"] == "function breakpoint");
  CHECK(stop({{address}})["reason"] == "instruction breakpoint");
  CHECK(stop({{line}, {function}})["reason"] == "breakpoint");
  CHECK(stop({{line}, {function}})["hitBreakpointIds"] == json{line, function});
  CHECK(stop({{99}})["reason"] == "breakpoint");  // another client's
}

TEST_CASE("ten thousand breakpoints cost what they are, also when one is added") {
  DapTester c;
  c.initialize();
  json many = json::array();
  for (int i = 1; i <= 10000; ++i) many.push_back({{"line", i}});
  const auto first = lines(c, many);
  CHECK(first.size() == 10000);
  many.insert(many.begin(), json{{"line", 20000}});
  const auto second = lines(c, many);
  CHECK(second[10000]["id"] == first[9999]["id"]);
  CHECK(c.control().calls.back() == "edit_breakpoints -0 +1");
}
