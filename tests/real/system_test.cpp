// What every machine has: a program of the distribution as it comes, a crowd of threads, and traplined itself.
#include <set>

#include "tests/real/real_support.hpp"

using namespace trapline::test;

namespace {

// As packages ship them: -O2, no debug information.
void as_it_comes(const std::string& program, std::vector<std::string> args) {
  Scratch scratch;
  Daemon daemon;
  pid_t pid = 0;
  {
    RpcClient client(daemon);
    const auto opened = client.call("session.launch",
                                    {{"program", program}, {"args", args}, {"stdio", {"/dev/null", scratch / "out"}}});
    pid = opened["pid"].get<pid_t>();
    const auto entry = wait_stop(client);
    CHECK(entry["reason"] == "entry");
    CHECK(functions(client).size() == 1);

    client.call("execution.continue");
    eventually("the program's first words", [&] { return read_file(scratch / "out") == "ready\n"; });
    CHECK(client.refused("thread.stack")["data"]["blame"] == "user");
    client.call("execution.pause");
    auto stop = wait_stop(client);
    CHECK(stop["reason"] == "pause");
    const auto frames = client.call("thread.stack")["frames"];
    REQUIRE(frames.size() >= 3);
    CHECK_MESSAGE(frames.back()["kind"] != "broken", frames.dump());
    const auto names = functions(client);
    CHECK_MESSAGE(names.back() == "_start", frames.dump());
    client.call("execution.stepIn", {{"unit", "instruction"}});
    CHECK(wait_stop(client)["reason"] == "step");
    client.call("session.detach");
    check_untouched(pid);
    CHECK(process_lives(pid));
  }
  CHECK(::kill(pid, SIGKILL) == 0);
}

}  // namespace

TEST_CASE("bash as it comes: main by its exported name, pause, stack, left running") {
  as_it_comes("/bin/bash", {"--norc", "-c", "echo ready; while :; do x=${x:-0}; done"});
  Scratch scratch;
  Daemon daemon;
  RpcClient client(daemon);
  // Its streams are files; its controlling terminal is ours all the same.
  client.call("session.launch", {{"program", "/bin/bash"},
                                 {"args", {"--norc", "-c", "echo here; echo there >/dev/tty; exit 4"}},
                                 {"stdio", {"/dev/null", scratch / "out", scratch / "err"}}});
  wait_stop(client);
  const auto id = break_at(client, {{"function", "main"}});
  auto stop = go(client);
  CHECK(stop["breakpoints"] == json{id});
  CHECK(stop["function"] == "main");
  CHECK(functions(client).back() == "_start");
  CHECK(value_of(client, "(int)$rdi") == "4");  // argc
  stop = go(client);
  CHECK(stop["exitCode"] == 4);
  CHECK(read_file(scratch / "out") == "here\n");
  CHECK(read_file(scratch / "err").empty());
  CHECK(client.event("output")["text"].get<std::string>().find("there") != std::string::npos);
}

TEST_CASE("a program at fixed addresses as it comes") {
  if (!std::filesystem::exists("/usr/bin/python3")) {
    MESSAGE("no /usr/bin/python3");
    return;
  }
  as_it_comes("/usr/bin/python3", {"-S", "-c", "print('ready', flush=True)\nwhile True: pass"});
}

TEST_CASE("a thousand threads: listed, every stack its own, left as they were") {
  Outsider crowd({CROWD, "1000"});
  REQUIRE(crowd.line() == "ready");
  Daemon daemon;
  {
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", crowd.pid()}});
    client.call("execution.pause");
    CHECK(wait_stop(client)["reason"] == "pause");
    const auto threads = client.call("thread.list");
    CHECK(threads.size() == 1001);
    std::set<long> numbers;
    std::size_t sleepers = 0;
    for (const auto& thread : threads) {
      CHECK(thread["stopped"] == true);
      const auto frames = client.call("thread.stack", {{"thread", thread["id"]}})["frames"];
      for (const auto& frame : frames) {
        if (frame["function"] != "sleep_as") continue;
        ++sleepers;
        numbers.insert(std::stol(value_of(client, "number", frame["id"])));
      }
      CHECK(frames.size() >= 4);
    }
    CHECK(sleepers == 1000);
    CHECK(numbers.size() == 1000);
    CHECK(*numbers.begin() == 1);
    CHECK(*numbers.rbegin() == 1000);
    client.call("session.detach");
  }
  check_untouched(crowd.pid());
  crowd.signal(SIGUSR1);
  CHECK(crowd.line() == "500500");
  CHECK(crowd.wait() == 0);
}

TEST_CASE("traplined debugs traplined, which debugs a program") {
  Daemon inner;
  Checked target;
  RpcClient user(inner);
  const auto session = user.call("session.attach", {{"pid", target.pid()}})["session"];
  user.call("breakpoint.set", {{"function", "churned"}});
  CHECK(wait_stop(user)["function"] == "churned");

  Daemon outer;
  RpcClient client(outer);
  const auto host = pid_of_session(user.call("session.list"), session.get<std::string>());
  CHECK(client.call("session.attach", {{"pid", host}})["pid"] == host);
  const auto id = break_at(client, {{"function", "trapline::stack::Stack::frame"}, {"temporary", false}});
  const auto asked = user.send("thread.stack");  // of the inner one, whose answer the outer one holds up
  auto stop = wait_stop(client);
  CHECK(stop["breakpoints"] == json{id});
  CHECK(stop["function"].get<std::string>().find("Stack::frame") != std::string::npos);
  const auto names = functions(client);
  CHECK(contains(names, "main"));
  CHECK(names.back() == "_start");
  CHECK(step(client, "next")["reason"] == "step");
  CHECK(variables(client, 0).contains("this"));
  client.call("breakpoint.remove", {{"id", id}});
  client.call("execution.continue");
  CHECK(user.answer(asked)["result"]["frames"][0]["function"] == "churned");

  // The inner one goes on to do its work under the outer one, and after it.
  user.call("execution.continue");
  CHECK(wait_stop(user)["function"] == "churned");
  client.call("session.detach");
  check_untouched(host);
  user.call("execution.continue");
  CHECK(wait_stop(user)["reason"] == "breakpoint");
  user.call("session.detach");
  CHECK(target.intact());
}
