// The lobby dies and a new one comes: sessions are adopted, and what dead sessions left in a program is put right.
#include <fstream>

#include "tests/faults/subject.hpp"

using namespace trapline::test;

namespace {

json place_of(std::string_view mark_name) {
  return {{"file", fixture_source("faults_subject.cpp")}, {"line", mark("faults_subject.cpp", mark_name)}};
}

void kill_and_start(Daemon& daemon) {
  daemon.signal(SIGKILL);
  daemon.wait_exit();
  daemon.start();
}

json only_session(RpcClient& client) {
  json list;
  eventually("the session in the new lobby's list", [&] {
    list = client.call("session.list");
    return list.size() == 1 && list[0]["state"] != "none" && list[0].contains("pid");
  });
  return list[0];
}

// What a command of the client's prints.
std::string output_of(std::vector<std::string> words, int& status) {
  Outsider command(std::move(words));
  std::string text;
  for (std::string line = command.line(); !line.empty(); line = command.line()) text += line + "\n";
  status = command.wait();
  return text;
}

}  // namespace

TEST_CASE("a new lobby adopts a living session: its clients stay, others join, SIGTERM lets the program go") {
  Daemon daemon;
  Subject subject;
  RpcClient first(daemon);
  const auto opened = first.call("session.attach", {{"pid", subject.pid()}});
  first.call("breakpoint.set", place_of("xor"));
  const auto stop = first.call("execution.wait", {{"timeoutMs", 20000}});

  kill_and_start(daemon);
  RpcClient second(daemon);
  const auto found = only_session(second);
  CHECK(found["session"] == opened["session"]);
  CHECK(found["pid"] == subject.pid());
  CHECK(found["state"] == "stopped");
  CHECK(found["clients"] == 1);

  // The old client never noticed; a new one sees the same stop, and both the next one.
  CHECK(first.call("execution.wait") == stop);
  const auto joined = second.call("session.join", {{"session", opened["session"]}});
  CHECK(joined["pid"] == subject.pid());
  CHECK(second.call("execution.wait") == stop);
  first.events.clear();
  second.call("execution.continue");
  CHECK(second.event("stopped")["reason"] == "breakpoint");
  CHECK(first.event("stopped")["reason"] == "breakpoint");

  // A session that is opened now gets a number of its own.
  RpcClient third(daemon);
  const auto other = third.call("session.launch", {{"program", fixture("run_threads")}});
  CHECK(other["session"] != opened["session"]);
  CHECK(third.call("session.list").size() == 2);

  daemon.signal(SIGTERM);
  CHECK(daemon.wait_exit() == 0);
  CHECK(first.peer.closed());
  subject.check_untouched();
}

TEST_CASE("the client's commands find a session that was adopted") {
  Daemon daemon;
  Subject subject;
  RpcClient client(daemon);
  const auto opened = client.call("session.attach", {{"pid", subject.pid()}});
  kill_and_start(daemon);
  RpcClient watcher(daemon);
  only_session(watcher);
  int status = 0;
  const auto listed = output_of({TRAPLINE, "sessions", "--json", "--socket", "unix:" + daemon.socket()}, status);
  CHECK(status == 0);
  CHECK_MESSAGE(listed.find(std::to_string(subject.pid())) != std::string::npos, listed);
  CHECK(client.call("session.list").size() == 1);
  client.call("session.detach");
  subject.check_untouched();
}

TEST_CASE("the lobby dies twice, and dies while sessions open") {
  Daemon daemon;
  Subject subject;
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", subject.pid()}});
  for (int i = 0; i < 2; ++i) {
    kill_and_start(daemon);
    RpcClient other(daemon);
    only_session(other);
    const int launch = other.send("session.launch", {{"program", fixture("run_threads")}});
    if (i == 1) CHECK(other.answer(launch)["result"]["state"] == "stopped");
  }
  // Opened or not, it is over with its client; the attached one goes on.
  RpcClient watcher(daemon);
  eventually("one session", [&] { return watcher.call("session.list").size() == 1; });
  client.call("session.detach");
  client.peer.close();
  eventually("no session", [&] { return watcher.call("session.list").empty(); });
  subject.check_untouched();
}

TEST_CASE("traps that a dead session left while no lobby ran are taken out by the next one") {
  Daemon daemon;
  Subject subject;
  {
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", subject.pid()}});
    // Nothing runs there before the end: nobody can have put the byte back but the guardian.
    CHECK(client.call("breakpoint.set", {{"function", "verdict"}})["verified"] == true);
    CHECK_FALSE(subject.text_is_the_files());
    const auto sessions = children_of(daemon.pid());
    daemon.signal(SIGKILL);
    for (const auto session : sessions) ::kill(session, SIGKILL);
    daemon.wait_exit();
  }
  eventually("the session's end", [&] { return subject.runs_free(); });
  CHECK_FALSE(subject.text_is_the_files());
  REQUIRE(daemon.journals().size() == 1);
  daemon.start();
  CHECK(daemon.journals().empty());
  CHECK(daemon.log().find("left by a session that died while no daemon ran") != std::string::npos);
  subject.check_untouched(Subject::Left::by_a_dead_session);
}

TEST_CASE("journals of programs that are gone, of no journal's shape and of another kind are no trouble") {
  Daemon daemon;
  Subject gone;
  {
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", gone.pid()}});
    const auto sessions = children_of(daemon.pid());
    daemon.signal(SIGKILL);
    for (const auto session : sessions) ::kill(session, SIGKILL);
    daemon.wait_exit();
  }
  REQUIRE(daemon.journals().size() == 1);
  gone.signal(SIGKILL);
  gone.wait();
  const auto folder = daemon.house() / "journals";
  std::ofstream(folder / "1-1.journal") << "no journal at all";
  std::ofstream(folder / "2-2.journal") << "";
  std::ofstream(folder / "3-3.journal") << std::string(100000, '\xcc');
  std::filesystem::create_directory(folder / "4-4.journal");
  std::filesystem::create_symlink("/etc/passwd", folder / "5-5.journal");
  std::ofstream(folder / "notes.txt") << "somebody's";
  std::ofstream(daemon.house() / "sessions" / "77.sock") << "no socket";
  daemon.start();
  CHECK(std::filesystem::exists(folder / "notes.txt"));
  CHECK(std::filesystem::exists("/etc/passwd"));
  CHECK_FALSE(std::filesystem::exists(folder / "1-1.journal"));
  CHECK_FALSE(std::filesystem::exists(folder / "3-3.journal"));
  RpcClient client(daemon);
  CHECK(client.call("session.list") == json::array());
  CHECK(client.call("session.launch", {{"program", fixture("run_threads")}})["session"] == "78");
}

TEST_CASE("a program that outlived three sessions is left by the fourth as it was at first") {
  Daemon daemon;
  Subject subject;
  for (int i = 0; i < 3; ++i) {
    RpcClient client(daemon);
    client.call("session.attach", {{"pid", subject.pid()}});
    auto wanted = place_of("add");
    wanted["condition"] = "x == -1";
    client.call("breakpoint.set", wanted);
    eventually("passes", [&] { return client.call("breakpoint.list")[0]["evaluations"] > 10; });
    for (const auto session : children_of(daemon.pid())) ::kill(session, SIGKILL);
    eventually("the program to run free", [&] {
      REQUIRE(subject.lives());
      return subject.runs_free() && subject.text_is_the_files();
    });
    CHECK(subject.catches_sigtrap());
  }
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", subject.pid()}});
  client.call("session.detach");
  subject.check_untouched();
}
