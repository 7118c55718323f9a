// A session from initialize to its end, over a debuggee that is not there.
#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;
using proto::RunState;

namespace {

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("initialize answers with the capabilities, then says initialized") {
  DapTester c;
  const auto body = c.ok("initialize", {{"adapterID", "trapline"}});
  CHECK(body == dap::capabilities());
  CHECK(c.received.size() == 2);
  CHECK(c.received[1]["event"] == "initialized");
  CHECK(c.refused("initialize", {{"adapterID", "x"}})["id"] == 1002);
}

TEST_CASE("an initialize that is refused can be sent again") {
  DapTester c;
  CHECK(c.refused("initialize", {{"adapterID", "x"}, {"pathFormat", "dos"}})["format"] ==
        "arguments.pathFormat: 'dos' is none of path, uri");
  CHECK(c.events("initialized").empty());
  c.initialize();
  CHECK(c.events("initialized").size() == 1);
}

TEST_CASE("the lobby can answer initialize, and the session goes on from there") {
  const json request{{"seq", 1},
                     {"type", "request"},
                     {"command", "initialize"},
                     {"arguments", {{"adapterID", "trapline"}, {"linesStartAt1", false}, {"clientName", "ed"}}}};
  const auto answer = dap::answer_initialize(request);
  REQUIRE(answer.has_value());
  REQUIRE(answer->messages.size() == 2);
  for (const auto& message : answer->messages) CHECK_FALSE(dap_schema_problem(message).has_value());
  CHECK(answer->messages[0]["body"] == dap::capabilities());
  CHECK(answer->messages[0]["seq"] == 1);
  CHECK(answer->messages[1]["event"] == "initialized");
  CHECK(answer->messages[1]["seq"] == 2);
  REQUIRE(answer->initialized.has_value());
  CHECK(answer->initialized->client.client_name == "ed");

  DapTester c({.initialized = answer->initialized, .others = nullptr});
  const int seq = c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  CHECK(c.response_to(seq)["success"] == true);
  CHECK(c.received[0]["seq"] == 3);
  CHECK(c.session->coordinates().line(Line{5}) == 4);
  CHECK(c.refused("initialize", {{"adapterID", "x"}})["id"] == 1002);

  json wrong = request;
  wrong["arguments"]["linesStartAt1"] = "no";
  const auto refusal = dap::answer_initialize(wrong);
  REQUIRE(refusal.has_value());
  CHECK_FALSE(refusal->initialized.has_value());
  CHECK(refusal->messages.at(0)["success"] == false);
  wrong["command"] = "launch";
  CHECK_FALSE(dap::answer_initialize(wrong).has_value());
}

TEST_CASE("launch is answered after configurationDone, with the breakpoints in place before") {
  DapTester c;
  c.initialize();
  const int launch = c.send("launch", {{"program", "/bin/app"}, {"args", {"x"}}, {"stopOnEntry", true}});
  CHECK(c.response_to(launch).is_null());
  CHECK(c.control().state() == RunState::held);
  c.ok("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", {{{"line", 7}}}}});
  CHECK(c.response_to(launch).is_null());
  const int done = c.send("configurationDone");
  CHECK(c.response_to(done)["success"] == true);
  CHECK(c.response_to(launch)["success"] == true);
  CHECK_FALSE(c.response_to(launch).contains("body"));
  CHECK(c.position("response", "configurationDone") < c.position("response", "launch"));
  CHECK(c.position("response", "launch") < c.position("event", "process"));
  CHECK(c.control().calls == Calls{"launch /bin/app", "edit_breakpoints -0 +1", "start"});
  CHECK(c.control().launched.args == std::vector<std::string>{"x"});
  CHECK(c.last_event("process") == json{{"name", "/bin/app"},
                                        {"systemProcessId", 4242},
                                        {"isLocalProcess", true},
                                        {"startMethod", "launch"},
                                        {"pointerSize", 64}});
  CHECK(c.last_event("stopped") ==
        json{{"reason", "entry"}, {"description", "Paused on entry"}, {"threadId", 4242}, {"allThreadsStopped", true}});
}

TEST_CASE("configurationDone may come first, and the debuggee late") {
  DapTester c;
  c.initialize();
  c.control().answers_later = true;
  c.ok("configurationDone");
  CHECK(c.refused("configurationDone")["id"] == 1002);
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  CHECK(c.response_to(launch).is_null());
  c.control().answer(c.control().process_info(proto::StartMethod::launch));
  c.control().deliver();
  CHECK(c.response_to(launch)["success"] == true);
  CHECK(c.control().state() == RunState::running);
}

TEST_CASE("a launch that fails is answered at once, and may be tried again") {
  DapTester c;
  c.initialize();
  c.control().failures["launch"] = an_error(Errc::not_executable, "/bin/app: no such file", "Build it");
  const auto error = c.refused("launch", {{"program", "/bin/app"}});
  CHECK(error == json{{"id", 1200}, {"format", "/bin/app: no such file; Build it"}, {"showUser", true}});
  c.control().failures.clear();
  const int again = c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  CHECK(c.response_to(again)["success"] == true);
  CHECK(c.refused("launch", {{"program", "/bin/app"}})["id"] == 1002);
}

TEST_CASE("a start that fails after all takes the debuggee away and is the launch's answer") {
  DapTester c;
  c.initialize();
  c.control().failures["start"] = an_error(Errc::process_gone, "gone");
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  CHECK(c.response_to(launch)["success"] == false);
  CHECK(c.control().calls.back() == "kill");
}

TEST_CASE("launch arguments: warnings are output, errors are shown") {
  DapTester c;
  c.initialize();
  CHECK(c.refused("launch", {{"program", 5}}) ==
        json{{"id", 1000}, {"format", "launch: program: expected string, got integer"}, {"showUser", true}});
  c.send("launch", {{"program", "/bin/app"}, {"stopOnEntri", true}, {"MIMode", "gdb"}});
  CHECK(c.outputs("important") == "unknown launch argument 'stopOnEntri' has no effect; did you mean 'stopOnEntry'?\n");
  CHECK(c.outputs("console") == "ignored, since they mean nothing to trapline: MIMode\n");
}

TEST_CASE("attach: answered when configured; disconnect leaves the process as found") {
  DapTester c;
  c.initialize();
  const int attach = c.send("attach", {{"pid", 4242}, {"stopOnAttach", true}});
  CHECK(c.response_to(attach).is_null());
  c.ok("configurationDone");
  CHECK(c.response_to(attach)["success"] == true);
  CHECK(c.control().attached.pid == Pid{4242});
  CHECK(c.last_event("process")["startMethod"] == "attach");
  CHECK(c.last_event("stopped")["description"] == "Paused after attach");
  c.ok("disconnect");
  CHECK(c.session->ended());
  CHECK(c.control().calls == Calls{"attach 4242", "start", "detach"});
  CHECK(c.received.back()["command"] == "disconnect");
}

TEST_CASE("disconnect: who dies and who lives") {
  DapTester launched;
  launched.launch();
  launched.ok("disconnect");
  CHECK(launched.control().calls.back() == "kill");
  // The client hears of the end before the answer.
  CHECK(launched.position("event", "exited") < launched.position("response", "disconnect"));
  CHECK(launched.position("event", "terminated") < launched.position("response", "disconnect"));
  CHECK(launched.session->ended());

  DapTester left;
  left.launch();
  left.ok("disconnect", {{"terminateDebuggee", false}});
  CHECK(left.control().calls.back() == "detach");

  DapTester killed;
  killed.initialize();
  killed.send("attach", {{"pid", 4242}});
  killed.ok("configurationDone");
  killed.ok("disconnect", {{"terminateDebuggee", true}});
  CHECK(killed.control().calls.back() == "kill");

  DapTester by_argument;
  by_argument.initialize();
  by_argument.send("attach", {{"pid", 4242}, {"onDisconnect", "terminate"}});
  by_argument.ok("configurationDone");
  by_argument.ok("disconnect");
  CHECK(by_argument.control().calls.back() == "kill");

  DapTester nothing;
  nothing.initialize();
  nothing.ok("disconnect");
  CHECK(nothing.control().calls.empty());
  CHECK(nothing.session->ended());

  DapTester over;
  over.launch();
  over.control().exit_with({3, 0, false});
  over.control().deliver();
  over.ok("disconnect");
  CHECK(over.control().calls.back() == "start");
}

TEST_CASE("a disconnect that cannot be done is said, and one whose debuggee is gone is done") {
  DapTester c;
  c.launch();
  c.control().failures["kill"] = an_error(Errc::os, "kill: Operation not permitted");
  CHECK(c.refused("disconnect")["format"] == "kill: Operation not permitted");
  CHECK_FALSE(c.session->ended());
  c.control().failures["detach"] = an_error(Errc::process_gone, "gone");
  c.ok("disconnect", {{"terminateDebuggee", false}});
  CHECK(c.session->ended());
}

TEST_CASE("terminate asks the program, which ends in its own time") {
  DapTester c;
  c.initialize();
  CHECK(c.refused("terminate")["id"] == 1004);
  c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  c.ok("terminate");
  CHECK(c.control().calls.back() == "terminate");
  CHECK(c.events("terminated").empty());
  c.control().exit_with({0, 15, false});
  c.control().deliver();
  CHECK(c.last_event("exited") == json{{"exitCode", 143}});
  CHECK(c.events("terminated").size() == 1);
  CHECK(c.outputs("console") == "/bin/app was killed by SIGTERM\n");
}

TEST_CASE("exit codes and deaths are told apart") {
  DapTester c;
  c.launch();
  c.control().exit_with({139, 0, false});
  c.control().deliver();
  CHECK(c.last_event("exited") == json{{"exitCode", 139}});
  CHECK(c.outputs("console").empty());
  DapTester d;
  d.launch();
  d.control().exit_with({0, 11, true});
  d.control().deliver();
  CHECK(d.last_event("exited") == json{{"exitCode", 139}});
  CHECK(d.outputs("console") == "/bin/app was killed by SIGSEGV (core dumped)\n");
}

TEST_CASE("restart: the old process's end is not the session's") {
  DapTester c;
  c.launch();
  c.control().stop_at(proto::StopReason::pause);
  c.control().deliver();
  c.ok("restart");
  CHECK(c.control().calls.back() == "start");
  CHECK(c.events("exited").empty());
  CHECK(c.events("terminated").empty());
  CHECK(c.events("process").size() == 2);
  // With the newest arguments.
  c.ok("restart", {{"arguments", {{"program", "/bin/app"}, {"args", {"new"}}}}});
  CHECK(c.control().launched.args == std::vector<std::string>{"new"});
  CHECK(c.refused("restart", {{"arguments", {{"program", 1}}}})["id"] == 1000);
  c.control().exit_with({0, 0, false});
  c.control().deliver();
  CHECK(c.events("terminated").size() == 1);
  c.ok("restart");  // a program that has ended can be started again
  c.control().exit_with({0, 0, false});
  c.control().deliver();
  CHECK(c.events("terminated").size() == 2);
}

TEST_CASE("restart answers late, once, and not where there is nothing to restart") {
  DapTester c;
  c.initialize();
  CHECK(c.refused("restart")["id"] == 1004);
  c.send("launch", {{"program", "/bin/app"}});
  c.ok("configurationDone");
  c.control().answers_later = true;
  const int first = c.send("restart");
  CHECK(c.response_to(first).is_null());
  CHECK(c.refused("restart")["id"] == 1002);
  c.control().answer(fail(Errc::not_executable, "/bin/app: no such file"));
  CHECK(c.response_to(first)["success"] == false);

  DapTester attached;
  attached.initialize();
  attached.send("attach", {{"pid", 4242}});
  attached.ok("configurationDone");
  CHECK(attached.last_event("capabilities") == json{{"capabilities", {{"supportsRestartRequest", false}}}});
  CHECK(attached.refused("restart")["id"] == 1002);
  CHECK(c.events("capabilities").empty());
}

TEST_CASE("runInTerminal: asked where the client has a terminal, and its refusal is the launch's error") {
  DapTester c;
  c.initialize({{"supportsRunInTerminalRequest", true}});
  c.control().answers_later = true;
  const int launch = c.send("launch", {{"program", "/bin/app"}, {"console", "externalTerminal"}});
  REQUIRE(c.control().launched.open_terminal != nullptr);
  CHECK(c.control().launched.console == proto::Console::external);
  std::vector<Result<void>> opened;
  c.control().launched.open_terminal(
      {.kind = proto::Console::external, .title = "app", .cwd = "/w", .args = {"helper", "x"}, .env = {{"A", "1"}}},
      [&](Result<void> result) { opened.push_back(std::move(result)); });
  const json asked = c.received.back();
  CHECK(asked["type"] == "request");
  CHECK(asked["command"] == "runInTerminal");
  CHECK(asked["arguments"] ==
        json{{"kind", "external"}, {"title", "app"}, {"cwd", "/w"}, {"args", {"helper", "x"}}, {"env", {{"A", "1"}}}});
  CHECK(opened.empty());
  const json yes{{"seq", 90},
                 {"type", "response"},
                 {"success", true},
                 {"request_seq", asked["seq"]},
                 {"command", "runInTerminal"},
                 {"body", {{"processId", 1}}}};
  c.give(yes);
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].has_value());
  c.give(yes);  // a second answer answers nothing
  CHECK(opened.size() == 1);

  c.control().launched.open_terminal({}, [&](Result<void> result) { opened.push_back(std::move(result)); });
  c.give({{"seq", 91},
          {"type", "response"},
          {"success", false},
          {"request_seq", c.received.back()["seq"]},
          {"command", "runInTerminal"},
          {"message", "no tty"}});
  REQUIRE(opened.size() == 2);
  CHECK(opened[1].error().message == "the editor opened no terminal: no tty");
  CHECK(c.response_to(launch).is_null());
}

TEST_CASE("the console: the client's terminal by default, a pty where it has none") {
  DapTester with;
  with.launch({}, {{"supportsRunInTerminalRequest", true}});
  CHECK(with.control().launched.console == proto::Console::integrated);
  DapTester chosen;
  chosen.launch({{"console", "internalConsole"}}, {{"supportsRunInTerminalRequest", true}});
  CHECK(chosen.control().launched.console == proto::Console::internal);
  CHECK(chosen.control().launched.open_terminal == nullptr);
  DapTester without;
  without.launch({{"console", "integratedTerminal"}});
  CHECK(without.control().launched.console == proto::Console::internal);
  CHECK(without.outputs("console").starts_with("this editor cannot open a terminal"));
  DapTester quiet;
  quiet.launch();
  CHECK(quiet.outputs("console").empty());
}

TEST_CASE("cancel: a waiting launch is answered as cancelled, and what comes of it is let go") {
  DapTester c;
  c.initialize();
  c.control().answers_later = true;
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  c.ok("cancel", {{"requestId", launch}});
  CHECK(c.response_to(launch)["message"] == "cancelled");
  CHECK(c.response_to(launch)["body"]["error"]["showUser"] == false);
  CHECK(c.control().calls.back() == "kill");
  c.ok("cancel", {{"requestId", launch}});  // over already
  c.ok("cancel", {{"requestId", 999}});     // never was
  c.ok("cancel", {{"progressId", "p"}});
  c.ok("cancel");

  DapTester held;
  held.initialize();
  const int attach = held.send("attach", {{"pid", 4242}});
  held.ok("cancel", {{"requestId", attach}});
  CHECK(held.control().calls.back() == "detach");
  const int again = held.send("attach", {{"pid", 4242}});
  held.ok("configurationDone");
  CHECK(held.response_to(again)["success"] == true);
}

TEST_CASE("cancel, when the Control does not give up: the late debuggee is let go all the same") {
  DapTester c;
  c.initialize();
  c.control().answers_later = true;
  c.control().failures["kill"] = an_error(Errc::no_debuggee, "nothing to kill");
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  c.ok("cancel", {{"requestId", launch}});
  CHECK(c.refused("launch", {{"program", "/bin/app"}})["id"] == 1002);
  c.control().failures.clear();
  c.control().answer(c.control().process_info(proto::StartMethod::launch));
  CHECK(c.control().calls.back() == "kill");
  CHECK(c.control().state() == RunState::exited);
}

TEST_CASE("cancel reaches a terminal that is being opened") {
  DapTester c;
  c.initialize({{"supportsRunInTerminalRequest", true}});
  c.control().answers_later = true;
  const int launch = c.send("launch", {{"program", "/bin/app"}});
  std::optional<Result<void>> opened;
  c.control().launched.open_terminal({}, [&](Result<void> result) { opened = std::move(result); });
  c.ok("cancel", {{"requestId", launch}});
  REQUIRE(opened.has_value());
  CHECK(opened->error().code == Errc::cancelled);
}

TEST_CASE("disconnect and terminate give up a start that is waiting") {
  for (const char* command : {"disconnect", "terminate"}) {
    DapTester c;
    c.initialize();
    c.control().answers_later = true;
    const int launch = c.send("launch", {{"program", "/bin/app"}});
    c.ok(command);
    CHECK(c.response_to(launch)["message"] == "cancelled");
    CHECK(c.control().calls.back() == "kill");
  }
}

TEST_CASE("the client vanishes: what becomes of the debuggee") {
  const auto last_call = [](DapTester& c, dap::Others others) {
    const auto before = c.control().calls.size();
    const auto sent = c.received.size();
    c.session->on_closed(others);
    c.control().deliver();
    CHECK(c.received.size() == sent);  // nobody is there to be told
    return c.control().calls.size() == before ? std::string() : c.control().calls.back();
  };
  DapTester launched;
  launched.launch();
  CHECK(last_call(launched, dap::Others::none) == "detach");
  DapTester strict;
  strict.launch({{"detachOnError", false}});
  CHECK(last_call(strict, dap::Others::none) == "kill");
  DapTester attached;
  attached.initialize();
  attached.send("attach", {{"pid", 4242}});
  attached.ok("configurationDone");
  CHECK(last_call(attached, dap::Others::none) == "detach");
  DapTester not_last;
  not_last.launch();
  not_last.ok("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", {{{"line", 7}}}}});
  CHECK(last_call(not_last, dap::Others::some) == "edit_breakpoints -1 +0");
  DapTester exited;
  exited.launch();
  exited.control().exit_with({0, 0, false});
  exited.control().deliver();
  CHECK(last_call(exited, dap::Others::none).empty());
  DapTester held;  // it has never run: there is nothing to leave running
  held.initialize();
  held.send("launch", {{"program", "/bin/app"}});
  CHECK(last_call(held, dap::Others::none) == "kill");
  DapTester nothing;
  CHECK(last_call(nothing, dap::Others::none).empty());
}

TEST_CASE("a debuggee that arrives after the session has died is let go") {
  for (const bool launch : {true, false}) {
    DapTester c;
    c.initialize();
    c.control().answers_later = true;
    if (launch)
      c.send("launch", {{"program", "/bin/app"}});
    else
      c.send("attach", {{"pid", 4242}});
    c.session.reset();
    c.control().calls.clear();
    c.control().answer(c.control().process_info(proto::StartMethod::launch));
    CHECK(c.control().calls == Calls{launch ? "kill" : "detach"});
    c.control().deliver();
  }
}

TEST_CASE("a second client joins a live session, sees its state and leaves it alone") {
  DapTester first;
  first.launch();
  first.control().stop_at(proto::StopReason::pause);
  first.control().deliver();
  DapTester second(first.shared(), {.initialized = std::nullopt, .others = [] { return dap::Others::some; }});
  second.initialize();
  CHECK(second.refused("attach", {{"pid", 1}})["id"] == 1002);
  const int join = second.send("attach", {{"session", "s1"}});
  CHECK(second.response_to(join).is_null());
  second.ok("configurationDone");
  CHECK(second.response_to(join)["success"] == true);
  CHECK(second.last_event("process")["systemProcessId"] == 4242);
  CHECK(second.last_event("stopped")["reason"] == "pause");
  CHECK(second.position("response", "attach") < second.position("event", "process"));

  // The first client's continue is news to the second alone.
  first.ok("continue", {{"threadId", 4242}});
  CHECK(first.events("continued").empty());
  CHECK(second.events("continued") == std::vector<json>{{{"threadId", 4242}, {"allThreadsContinued", true}}});
  // Both see the stop; each has its own breakpoints.
  const auto ours =
      first.ok("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", {{{"line", 7}}}}});
  const auto theirs =
      second.ok("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", {{{"line", 7}}}}});
  CHECK(ours["breakpoints"][0]["id"] != theirs["breakpoints"][0]["id"]);
  second.ok("setBreakpoints", {{"source", {{"path", "/src/app.cpp"}}}, {"breakpoints", json::array()}});
  CHECK(first.control().breakpoint_list.size() == 1);
  CHECK(first.events("breakpoint").empty());
  first.control().stop_at(proto::StopReason::breakpoint, {4242}, {{ours["breakpoints"][0]["id"].get<int>()}});
  first.control().deliver();
  CHECK(second.last_event("stopped")["hitBreakpointIds"] == json::array({ours["breakpoints"][0]["id"]}));

  second.ok("setFunctionBreakpoints", {{"breakpoints", {{{"name", "main"}}}}});
  second.ok("disconnect");
  CHECK(second.session->ended());
  CHECK(first.control().state() == RunState::stopped);
  CHECK(first.control().breakpoint_list.size() == 1);
  CHECK(first.events("terminated").empty());
}

TEST_CASE("joining a session that has ended tells its end; joining none is refused") {
  DapTester first;
  first.launch();
  first.control().exit_with({3, 0, false});
  first.control().deliver();
  DapTester late(first.shared());
  late.initialize();
  late.send("attach", {{"session", "s1"}});
  late.ok("configurationDone");
  CHECK(late.last_event("exited")["exitCode"] == 3);
  CHECK(late.events("terminated").size() == 1);
  DapTester nowhere;
  nowhere.initialize();
  CHECK(nowhere.refused("attach", {{"session", "s9"}})["format"] == "there is no session 's9' to join");
}

TEST_CASE("a client that has not started or joined hears nothing of the debuggee") {
  DapTester first;
  first.launch();
  DapTester idle(first.shared());
  idle.initialize();
  const auto before = idle.received.size();
  first.control().emit(proto::OutputEvent{proto::OutputCategory::out, "hello\n", "", {}});
  first.control().stop_at(proto::StopReason::pause);
  first.control().deliver();
  CHECK(first.outputs("stdout") == "hello\n");
  CHECK(idle.received.size() == before);
}
