// Requests that cannot be served: each gets one clear answer.
#include <algorithm>
#include <set>

#include "dap/dispatch.hpp"
#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;

TEST_CASE("requests in the wrong state say what the state is and what to do") {
  DapTester c;
  CHECK(c.refused("threads")["format"] == "threads: initialize comes first");
  c.initialize();
  CHECK(c.refused("threads") == json{{"id", 1004},
                                     {"format", "threads: no program is being debugged; send launch or attach first"},
                                     {"showUser", true}});
  c.send("launch", {{"program", "/bin/app"}});
  CHECK(c.refused("continue", {{"threadId", 1}})["format"] ==
        "continue: the program has not been started; send configurationDone first");
  c.ok("threads");
  c.ok("configurationDone");
  const auto response = c.request("stackTrace", {{"threadId", 4242}});
  CHECK(response["message"] == "notStopped");
  CHECK(response["body"]["error"] ==
        json{{"id", 1003}, {"format", "stackTrace: the program is running; pause it first"}, {"showUser", false}});
  c.control().exit_with({0, 0, false});
  c.control().deliver();
  CHECK(c.refused("pause", {{"threadId", 4242}})["format"] ==
        "pause: the program has ended; restart it, or disconnect");
}

TEST_CASE("threads of a program that is being started are none, which is no error to show") {
  DapTester c;
  c.initialize();
  c.control().answers_later = true;
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  CHECK(c.ok("threads")["threads"] == json::array());
  CHECK(c.refused("modules")["id"] == 1004);
  c.control().answer(fail(Errc::not_executable, "/bin/app: no such file"));
  CHECK(c.response_to(launch)["success"] == false);
  CHECK(c.refused("threads")["format"] == "threads: no program is being debugged; send launch or attach first");
}

TEST_CASE("every request that needs a stop is refused while the program runs, and touches nothing") {
  DapTester c;
  c.launch();
  const auto calls = c.control().calls;
  int refused = 0;
  for (const auto& route : dap::routes()) {
    if (route.needs != proto::dap::Needs::stopped) continue;
    const json arguments{{"threadId", 4242}, {"frameId", 1}, {"variablesReference", 1},
                         {"name", "a"},      {"value", "1"}, {"expression", "n"}};
    CHECK_MESSAGE(c.refused(std::string(route.command), arguments)["id"] == 1003, std::string(route.command));
    ++refused;
  }
  CHECK(refused == 12);
  CHECK(c.control().calls == calls);
}

TEST_CASE("unknown requests are named with the nearest known one") {
  DapTester c;
  c.initialize();
  CHECK(c.refused("stackTrce")["format"] == "unknown request 'stackTrce'; did you mean 'stackTrace'?");
  const auto error = c.refused("gotoTargets");
  CHECK(error["id"] == 1001);
  CHECK(error["format"] == "unknown request 'gotoTargets'");
}

TEST_CASE("wrong types name the field") {
  DapTester c;
  c.launch_and_stop();
  CHECK(c.refused("stackTrace", {{"threadId", "main"}})["format"] ==
        "arguments.threadId: expected integer, got string");
  CHECK(c.refused("stackTrace")["format"] == "arguments.threadId: is missing");
  CHECK(c.refused("stackTrace", json::array({1}))["format"] == "arguments: expected object, got array");
  CHECK(c.refused("setBreakpoints", {{"source", {{"path", "/a"}}}, {"lines", {1, 2, "3"}}})["format"] ==
        "arguments.lines[2]: expected integer, got string");
}

TEST_CASE("messages that are none are answered where they can be, else reported once") {
  DapTester c;
  c.initialize();
  c.give({{"seq", 70}, {"type", "request"}});
  CHECK(c.received.back()["request_seq"] == 70);
  CHECK(c.received.back()["body"]["error"]["format"] == "request.command: is missing");
  c.give({{"seq", 71}, {"type", "event"}, {"event", "x"}});
  CHECK(c.outputs("important").find("neither \"request\" nor \"response\"") != std::string::npos);
  c.give(json::array());
  c.give("text");
  c.give({{"seq", 72}, {"type", "response"}, {"request_seq", 5}, {"success", true}, {"command", "x"}});  // to nothing
  c.session->on_garbage(an_error(Errc::bad_request, "'xyz' is no header line", "Send frames"));
  CHECK(c.received.back()["body"] ==
        json{{"category", "important"},
             {"output", "trapline could not read a message: 'xyz' is no header line; Send frames\n"}});
  c.ok("setExceptionBreakpoints", {{"filters", json::array()}});  // and the session goes on
  const auto garbage = dap::error_event_for_garbage(an_error(Errc::too_large, "too large"), 5);
  CHECK(garbage["seq"] == 5);
  CHECK_FALSE(dap_schema_problem(garbage).has_value());
}

TEST_CASE("a seq that is waiting already is refused, and the waiting one is still answered") {
  DapTester c;
  c.initialize();
  c.control().answers_later = true;
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  c.give({{"seq", launch}, {"type", "request"}, {"command", "threads"}});
  CHECK(c.received.back()["success"] == false);
  CHECK(c.received.back()["command"] == "threads");
  c.ok("configurationDone");
  c.control().answer(c.control().process_info(proto::StartMethod::launch));
  CHECK(c.received.back()["command"] == "launch");
  CHECK(c.received.back()["success"] == true);
}

TEST_CASE("after disconnect nothing is answered and nothing is said") {
  DapTester c;
  c.launch();
  c.ok("disconnect", {{"terminateDebuggee", false}});
  const auto count = c.received.size();
  c.send("threads");
  c.session->on_garbage(an_error(Errc::bad_request, "x"));
  c.control().emit(proto::OutputEvent{proto::OutputCategory::out, "x", "", {}});
  c.control().deliver();
  CHECK(c.received.size() == count);
}

TEST_CASE("who has to act decides what the user is shown") {
  const auto answer = [](Errc code, std::string_view command = "next") {
    return dap::error_answer(1, command, an_error(code, "text", "do it"))["body"]["error"];
  };
  CHECK(answer(Errc::not_found) == json{{"id", 1100}, {"format", "text; do it"}, {"showUser", true}});
  CHECK(answer(Errc::no_permission)["showUser"] == true);
  CHECK(answer(Errc::thread_gone)["showUser"] == false);
  CHECK(answer(Errc::cancelled)["showUser"] == false);
  CHECK(answer(Errc::not_found, "evaluate")["showUser"] == false);
  const auto ours = answer(Errc::internal);
  CHECK(ours["showUser"] == true);
  CHECK(ours["format"].get<std::string>().find("a bug in trapline") != std::string::npos);
}

TEST_CASE("an exception below a handler is answered as a bug and ends there") {
  struct Throwing : FakeControl {
    Result<std::vector<proto::ThreadInfo>> threads() override { throw std::runtime_error("boom"); }
  };
  DapTester c(std::make_shared<Throwing>());
  c.launch();
  const auto error = c.refused("threads");
  CHECK(error["id"] == 1500);
  CHECK(error["format"].get<std::string>().starts_with("threads: boom"));
  c.ok("modules");
}

TEST_CASE("a capability is advertised because its handler is registered") {
  const auto capabilities = dap::capabilities();
  const std::set<std::string> expected{"supportsConfigurationDoneRequest",
                                       "supportsRestartRequest",
                                       "supportTerminateDebuggee",
                                       "supportsTerminateRequest",
                                       "supportsCancelRequest",
                                       "supportsConditionalBreakpoints",
                                       "supportsHitConditionalBreakpoints",
                                       "supportsLogPoints",
                                       "supportsFunctionBreakpoints",
                                       "supportsInstructionBreakpoints",
                                       "supportsSingleThreadExecutionRequests",
                                       "supportsSteppingGranularity",
                                       "supportsDelayedStackTraceLoading",
                                       "supportsValueFormattingOptions",
                                       "supportsSetVariable",
                                       "supportsSetExpression",
                                       "supportsCompletionsRequest",
                                       "supportsEvaluateForHovers",
                                       "supportsClipboardContext",
                                       "supportsExceptionInfoRequest",
                                       "supportsModulesRequest",
                                       "supportsLoadedSourcesRequest",
                                       "supportsReadMemoryRequest",
                                       "supportsWriteMemoryRequest",
                                       "supportsDisassembleRequest"};
  std::set<std::string> advertised;
  for (const auto& [key, value] : capabilities.items())
    if (value == true) advertised.insert(key);
  CHECK(advertised == expected);
  CHECK(capabilities["breakpointModes"][0]["mode"] == "auto");
  std::set<std::string> from_routes;
  for (const auto& route : dap::routes()) from_routes.insert(route.capabilities.begin(), route.capabilities.end());
  CHECK(from_routes == advertised);
}

TEST_CASE("an error response can be made without a session") {
  const auto response = dap::error_response({{"seq", 8}, {"type", "request"}, {"command", "attach"}},
                                            an_error(Errc::no_process, "no process 9"), 3);
  CHECK(response["request_seq"] == 8);
  CHECK(response["command"] == "attach");
  CHECK(response["seq"] == 3);
  CHECK(response["body"]["error"]["id"] == 1201);
  CHECK_FALSE(dap_schema_problem(response).has_value());
}

TEST_CASE("the check against the protocol's schema finds what is wrong") {
  if (!has_dap_schema()) {
    MESSAGE("TRAPLINE_DAP_SCHEMA is not set: messages are not held against the schema in this run");
    return;
  }
  const json good{{"seq", 1}, {"type", "event"}, {"event", "exited"}, {"body", {{"exitCode", 3}}}};
  CHECK_FALSE(dap_schema_problem(good).has_value());
  for (const auto& [pointer, wrong] : std::vector<std::pair<std::string, json>>{
           {"/body/exitCode", "3"}, {"/body/exitcode", 3}, {"/extra", 1}, {"/event", "exitted"}, {"/type", "evnt"}}) {
    json bad = good;
    bad[json::json_pointer(pointer)] = wrong;
    CHECK_MESSAGE(dap_schema_problem(bad).has_value(), pointer);
  }
}

TEST_CASE("every request with every field of every wrong type gets exactly one answer") {
  DapTester c;
  c.launch_and_stop();
  const json good{{"threadId", 4242},
                  {"frameId", 1},
                  {"variablesReference", 1},
                  {"name", "a"},
                  {"value", "1"},
                  {"expression", "n"},
                  {"source", {{"path", "/a"}}},
                  {"breakpoints", json::array()},
                  {"filters", json::array()},
                  {"memoryReference", "0x7000"},
                  {"count", 1},
                  {"data", "AA=="},
                  {"instructionCount", 1},
                  {"sourceReference", 1},
                  {"format", json::object()},
                  {"levels", 1},
                  {"startFrame", 0},
                  {"offset", 0},
                  {"granularity", "line"},
                  {"arguments", json::object()},
                  {"requestId", 1}};
  const std::vector<json> values{nullptr, -1, 1e300, 18446744073709551615ULL, "\xff", json::array({1})};
  int sent = 0;
  for (const auto& route : dap::routes()) {
    if (route.command == "disconnect") continue;
    for (const auto& [key, unused] : good.items()) {
      for (const auto& value : values) {
        json arguments = good;
        arguments[key] = value;
        const auto before = c.received.size();
        const int seq = c.send(std::string(route.command), std::move(arguments));
        const auto answers = std::ranges::count_if(
            c.received.begin() + static_cast<std::ptrdiff_t>(before), c.received.end(),
            [&](const json& one) { return one["type"] == "response" && one["request_seq"] == seq; });
        CHECK_MESSAGE(answers == 1, std::string(route.command), " ", key);
        c.received.clear();
        c.control().run_state = proto::RunState::stopped;
        ++sent;
      }
    }
  }
  CHECK(sent > 3000);
}
