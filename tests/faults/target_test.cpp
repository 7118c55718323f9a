// The program goes away, or becomes another one, in the middle of our work.
#include "tests/faults/subject.hpp"

using namespace trapline::test;

namespace {

json place_of(std::string_view mark_name, const char* condition = "x == -1") {
  json place{{"file", fixture_source("faults_subject.cpp")}, {"line", mark("faults_subject.cpp", mark_name)}};
  if (*condition != '\0') place["condition"] = condition;
  return place;
}

void pause_for(std::chrono::microseconds time) {
  const timespec length{.tv_sec = 0, .tv_nsec = time.count() * 1000};
  ::nanosleep(&length, nullptr);
}

std::chrono::microseconds moment(std::mt19937_64& random, long longest) {
  return std::chrono::microseconds(std::uniform_int_distribution<long>(0, longest)(random));
}

// Of many calls under way, the last one's answer: those before it came.
void pass_over_to(RpcClient& client, int last) {
  std::optional<json> answer;
  do answer = client.message();
  while (answer && (!answer->contains("id") || (*answer)["id"] != last));
  REQUIRE(answer);
}

// The session tells of the end, once, and serves on.
void check_told_of_the_end(RpcClient& client, const Daemon& daemon) {
  eventually("the exit to be known", [&] {
    const auto list = client.call("session.list");
    return !list.empty() && (list[0]["state"] == "exited" || list[0]["state"] == "none");
  });
  CHECK(daemon.journals().empty());
}

}  // namespace

TEST_CASE("kill -9 of the program while it steps") {
  std::mt19937_64 random(seed());
  for (int i = 0; i < rounds(4); ++i) {
    INFO("seed ", seed(), ", round ", i);
    Daemon daemon;
    Subject subject;
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", subject.pid()}});
    const auto id = client.call("breakpoint.set", place_of("add", ""))["id"];
    client.call("execution.wait", {{"timeoutMs", 20000}});
    client.call("breakpoint.remove", {{"id", id}});
    int last = 0;
    for (int k = 0; k < 100; ++k) last = client.send(k % 2 == 0 ? "execution.next" : "execution.stepIn");
    pause_for(moment(random, 20000));
    subject.signal(SIGKILL);
    pass_over_to(client, last);
    CHECK(WTERMSIG(subject.wait()) == SIGKILL);
    check_told_of_the_end(client, daemon);
    CHECK(client.call("execution.wait", {{"timeoutMs", 20000}})["signal"] == "SIGKILL");
  }
}

TEST_CASE("kill -9 of the program while it is attached to") {
  std::mt19937_64 random(seed() + 1);
  Daemon daemon;
  for (int i = 0; i < rounds(8); ++i) {
    INFO("seed ", seed(), ", round ", i);
    Subject subject;
    RpcClient client(daemon);
    const int attach = client.send("session.attach", {{"pid", subject.pid()}});
    pause_for(moment(random, 20000));
    subject.signal(SIGKILL);
    const auto answer = client.answer(attach);
    if (answer.contains("error"))
      CHECK(answer["error"]["data"]["blame"] != "us");
    else {
      auto ended = client.call("execution.wait", {{"timeoutMs", 20000}});
      CHECK_MESSAGE(ended["signal"] == "SIGKILL", ended.dump(), answer.dump());
    }
    CHECK(WTERMSIG(subject.wait()) == SIGKILL);
    CHECK(client.call("session.launch", {{"program", fixture("run_threads")}})["state"] == "stopped");
  }
  eventually("no journal", [&] { return daemon.journals().empty(); });
}

TEST_CASE("kill -9 of the program while breakpoints are set") {
  std::mt19937_64 random(seed() + 2);
  for (int i = 0; i < rounds(4); ++i) {
    INFO("seed ", seed(), ", round ", i);
    Daemon daemon;
    Subject subject;
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", subject.pid()}});
    int last = 0;
    for (int k = 0; k < 60; ++k) {
      client.send("breakpoint.set", place_of(k % 2 == 0 ? "add" : "next"));
      last = client.send("breakpoint.remove", {{"id", k + 1}});
    }
    pause_for(moment(random, 30000));
    subject.signal(SIGKILL);
    pass_over_to(client, last);
    CHECK(WTERMSIG(subject.wait()) == SIGKILL);
    check_told_of_the_end(client, daemon);
  }
}

TEST_CASE("the program executes itself while breakpoints are set: they move to the new one, and it is left whole") {
  std::mt19937_64 random(seed() + 3);
  for (int i = 0; i < rounds(4); ++i) {
    INFO("seed ", seed(), ", round ", i);
    Daemon daemon;
    Subject subject;
    RpcClient client(daemon);
    client.call("session.attach",
                {{"pid", subject.pid()}, {"signals", {{"SIGUSR2", {{"stop", false}, {"print", false}}}}}});
    client.call("breakpoint.set", place_of("add"));
    int last = 0;
    for (int k = 0; k < 30; ++k) {
      client.send("breakpoint.set", place_of("next"));
      last = client.send("breakpoint.remove", {{"id", k + 2}});
    }
    pause_for(moment(random, 10000));
    subject.signal(SIGUSR2);
    pass_over_to(client, last);
    REQUIRE(subject.line() == "ready");
    CHECK(client.call("session.list")[0]["state"] == "running");
    eventually("passes in the new program", [&] {
      const auto list = client.call("breakpoint.list");
      return list.size() == 1 && list[0]["verified"] == true && list[0]["evaluations"] > 0;
    });
    const auto before = client.call("breakpoint.list")[0]["evaluations"].get<long>();
    eventually("more passes", [&] { return client.call("breakpoint.list")[0]["evaluations"] > before; });
    client.call("session.detach");
    subject.check_untouched();
  }
}
