// Sessions as clients see them: launched, attached, joined, several at once, left.
#include "tests/live/daemon_support.hpp"

using namespace trapline::test;

TEST_CASE("a script launches, breaks, looks, steps and sees the exit code") {
  Daemon daemon;
  RpcClient client(daemon);
  const auto opened = client.call("session.launch", {{"program", fixture("run_threads")}, {"args", {"1", "2", "1"}}});
  CHECK(opened["session"] == "1");
  CHECK(process_lives(opened["pid"].get<pid_t>()));
  const auto entry = client.call("execution.wait", {{"timeoutMs", 5000}});
  CHECK(entry["reason"] == "entry");

  const auto line = mark("run_threads.cpp", "counted");
  const auto breakpoint = client.call("breakpoint.set", {{"file", fixture_source("run_threads.cpp")}, {"line", line}});
  CHECK(breakpoint["id"] == 1);
  CHECK(breakpoint["verified"] == true);
  REQUIRE(breakpoint["locations"].size() == 1);
  CHECK(breakpoint["locations"][0]["line"] == line);
  CHECK(breakpoint["locations"][0]["function"] == "counted");
  CHECK(breakpoint["locations"][0]["address"].get<std::string>().starts_with("0x"));

  client.call("execution.continue");
  const auto stop = client.call("execution.wait", {{"timeoutMs", 20000}});
  CHECK(stop["reason"] == "breakpoint");
  CHECK(stop["breakpoints"] == json{1});
  CHECK(stop["line"] == line);
  CHECK(stop["function"] == "counted");
  // Twice the same, while it stands still.
  CHECK(client.call("execution.wait") == stop);

  const auto stack = client.call("thread.stack", {{"count", 2}});
  REQUIRE(stack["frames"].size() == 2);
  CHECK(stack["frames"][0]["function"] == "counted");
  CHECK(stack["frames"][0]["line"] == line);
  CHECK(client.call("evaluate", {{"expression", "x * 2"}})["value"] == "2");
  const auto scopes = client.call("frame.scopes");
  CHECK(client.call("value.children", {{"ref", scopes[0]["ref"]}})[0]["name"] == "x");
  client.call("value.set", {{"ref", scopes[0]["ref"]}, {"name", "x"}, {"value", "5"}});
  CHECK(client.call("evaluate", {{"expression", "x"}})["value"] == "5");
  client.call("value.set", {{"ref", scopes[0]["ref"]}, {"name", "x"}, {"value", "1"}});

  const auto pc = stack["frames"][0]["address"];
  CHECK(client.call("disassemble", {{"address", pc}, {"count", 3}}).size() == 3);
  const auto bytes = client.call("memory.read", {{"address", pc}, {"count", 4}});
  CHECK(bytes["data"].get<std::string>().size() == 8);
  CHECK_FALSE(bytes["data"].get<std::string>().starts_with("cc"));  // our trap is hidden
  CHECK(client.call("register.read", {{"names", {"rip"}}})[0]["value"] == pc);
  CHECK(client.call("symbols.find", {{"query", "counted"}}).size() >= 1);
  CHECK(client.call("source.read", {{"path", fixture_source("run_threads.cpp")}})["text"] ==
        read_file(fixture_source("run_threads.cpp")));

  client.call("execution.stepOut");
  CHECK(client.call("execution.wait", {{"timeoutMs", 20000}})["function"] == "work");
  client.call("breakpoint.remove", {{"id", 1}});
  CHECK(client.call("breakpoint.list") == json::array());
  CHECK(client.refused("breakpoint.remove", {{"id", 1}})["code"] == 1100);
  client.call("execution.continue");
  const auto end = client.call("execution.wait", {{"timeoutMs", 20000}});
  CHECK(end["reason"] == "exited");
  CHECK(end["exitCode"] == 7);
  CHECK(client.event("exited")["exitCode"] == 7);
}

TEST_CASE("stopOnEntry false runs at once; hold waits for session.start") {
  Daemon daemon;
  {
    RpcClient client(daemon);
    client.call("session.launch",
                {{"program", fixture("run_threads")}, {"args", {"1", "1", "1"}}, {"stopOnEntry", false}});
    CHECK(client.call("execution.wait", {{"timeoutMs", 20000}})["exitCode"] == 7);
  }
  RpcClient client(daemon);
  CHECK(client.call("session.launch", {{"program", fixture("run_threads")}, {"hold", true}})["state"] == "held");
  client.call("session.start");
  CHECK(client.call("execution.wait", {{"timeoutMs", 20000}})["exitCode"] == 7);
}

TEST_CASE("two clients on one session see the same stop; the session outlives the first") {
  Daemon daemon;
  auto first = std::make_unique<RpcClient>(daemon);
  const auto opened = first->call("session.launch", {{"program", fixture("run_threads")}, {"args", {"1", "50", "1"}}});
  RpcClient second(daemon);
  const auto joined = second.call("session.join", {{"session", opened["session"]}});
  CHECK(joined["session"] == opened["session"]);
  CHECK(joined["pid"] == opened["pid"]);
  DapClient editor(daemon);
  editor.initialize();
  const int attach = editor.send("attach", {{"session", opened["session"]}});
  editor.ok("configurationDone");
  CHECK(editor.response(attach)["success"] == true);

  second.call("breakpoint.set", {{"function", "counted"}});
  first->call("execution.continue");
  const auto stop = first->call("execution.wait", {{"timeoutMs", 20000}});
  CHECK(stop["reason"] == "breakpoint");
  CHECK(second.event("stopped")["address"] == stop["address"]);
  json seen;
  do seen = editor.event("stopped");
  while (seen["reason"] != "breakpoint" && seen["reason"] != "function breakpoint");
  CHECK(seen["threadId"] == stop["thread"]);
  eventually("three clients", [&] { return second.call("session.list")[0]["clients"] == 3; });

  first.reset();
  eventually("two clients", [&] { return second.call("session.list")[0]["clients"] == 2; });
  CHECK(second.call("thread.stack", {{"count", 1}})["frames"][0]["function"] == "counted");
  CHECK(editor.ok("threads")["threads"].size() >= 1);
}

TEST_CASE("several sessions at once, each with its own debuggee; the list has them all") {
  Daemon daemon;
  Checked target;
  RpcClient one(daemon);
  RpcClient two(daemon);
  RpcClient three(daemon);
  one.call("session.launch", {{"program", fixture("run_threads")}});
  two.call("session.launch", {{"program", fixture("run_threads")}});
  three.call("session.attach", {{"pid", target.pid()}});
  RpcClient watcher(daemon);
  json list;
  eventually("the states", [&] {
    list = watcher.call("session.list");
    return list.size() == 3 && list[0]["state"] == "stopped" && list[1]["state"] == "stopped" &&
           list[2]["state"] == "running";
  });
  CHECK(list[2]["pid"] == target.pid());
  CHECK(list[0]["host"] != list[1]["host"]);
  // A session answers for all of them, too.
  CHECK(two.call("session.list").size() == 3);
  one.call("session.kill");
  CHECK(one.call("execution.wait", {{"timeoutMs", 20000}})["signal"] == "SIGKILL");
  CHECK(two.call("thread.list").size() == 1);
  three.call("session.detach");
  CHECK(target.intact());
}

TEST_CASE("SIGTERM: launched debuggees end, attached ones run on as they were, exit 0") {
  Daemon daemon;
  Checked target;
  RpcClient launcher(daemon);
  const auto launched = launcher.call("session.launch", {{"program", fixture("run_checksum")}, {"stopOnEntry", false}});
  RpcClient attacher(daemon);
  attacher.call("session.attach", {{"pid", target.pid()}});
  attacher.call("breakpoint.set", {{"function", "work"}});
  DapClient editor(daemon);
  editor.initialize();
  const int launch = editor.send("launch", {{"program", fixture("run_checksum")}});
  editor.ok("configurationDone");
  CHECK(editor.response(launch)["success"] == true);
  const auto process = editor.event("process")["systemProcessId"].get<pid_t>();
  daemon.signal(SIGTERM);
  CHECK(daemon.wait_exit() == 0);
  eventually("the end of the launched ones",
             [&] { return !process_lives(launched["pid"].get<pid_t>()) && !process_lives(process); });
  CHECK(launcher.peer.closed());
  CHECK(target.intact());
}

TEST_CASE("execution.wait has a limit, hears of the exit, and pause reaches a waiting client") {
  Daemon daemon;
  Checked target;
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", target.pid()}});
  const auto late = client.refused("execution.wait", {{"timeoutMs", 50}});
  CHECK(late["code"] == 1403);
  const int waiting = client.send("execution.wait");
  const int pausing = client.send("execution.pause");
  CHECK(client.answer(pausing).contains("result"));
  CHECK(client.answer(waiting)["result"]["reason"] == "pause");
  client.call("execution.continue");
  const int end = client.send("execution.wait");
  target.signal(SIGKILL);
  CHECK(client.answer(end)["result"]["signal"] == "SIGKILL");
  target.wait();
}

TEST_CASE("one attempt that fails leaves the connection good for the next") {
  Daemon daemon;
  RpcClient client(daemon);
  CHECK(client.refused("session.launch", {{"program", "/no/such/program"}})["code"] == 1200);
  CHECK(client.refused("session.attach", {{"pid", 1 << 22}})["code"] == 1201);
  CHECK(client.refused("session.launch", {{"program", 5}})["code"] == -32602);
  CHECK(client.refused("execution.wait")["code"] == 1004);
  CHECK(client.call("session.launch", {{"program", fixture("run_threads")}})["state"] == "stopped");
}

TEST_CASE("a batch runs in its order: what follows a launch finds its debuggee") {
  Daemon daemon;
  Peer peer(daemon);
  const json batch = {
      {{"jsonrpc", "2.0"}, {"id", 1}, {"method", "session.launch"}, {"params", {{"program", fixture("run_threads")}}}},
      {{"jsonrpc", "2.0"}, {"id", 2}, {"method", "breakpoint.set"}, {"params", {{"function", "counted"}}}},
      {{"jsonrpc", "2.0"}, {"id", 3}, {"method", "execution.continue"}},
      {{"jsonrpc", "2.0"}, {"id", 4}, {"method", "execution.wait"}, {"params", {{"timeoutMs", 20000}}}}};
  peer.send(batch.dump() + "\n");
  peer.half_close();
  json answer;
  do answer = json::parse(peer.line().value());
  while (!answer.is_array());
  REQUIRE(answer.size() == 4);
  CHECK(answer[1]["result"]["verified"] == true);
  CHECK(answer[3]["result"]["reason"] == "breakpoint");
  CHECK(peer.closed());
}

TEST_CASE("stats.subscribe sends event.stats until it is ended") {
  Daemon daemon;
  RpcClient client(daemon);
  client.call("session.launch", {{"program", fixture("run_threads")}});
  CHECK(client.refused("stats.subscribe", {{"intervalMs", 1}})["code"] == -32602);
  client.call("stats.subscribe", {{"intervalMs", 20}});
  CHECK(client.event("stats")["clients"] == 1);
  CHECK(client.event("stats")["clients"] == 1);
  client.call("stats.subscribe", {{"intervalMs", 0}});
  client.events.clear();
  client.call("session.list");
  CHECK(client.events.empty());
}

TEST_CASE("a request of many times a packet's size goes through the hand-over whole") {
  Daemon daemon;
  RpcClient client(daemon);
  json environment = json::object();
  for (int i = 0; i < 200; ++i) environment[fmt::format("LARGE_{}", i)] = std::string(1000, 'x');
  client.call("session.launch", {{"program", fixture("run_threads")}, {"env", environment}});
  CHECK(client.call("thread.list").size() == 1);
  DapClient editor(daemon);
  editor.initialize({{"clientName", std::string(100000, 'n')}});
  const int launch = editor.send("launch", {{"program", fixture("run_threads")}, {"env", environment}});
  editor.ok("configurationDone");
  CHECK(editor.response(launch)["success"] == true);
}
