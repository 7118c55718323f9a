// A redis-server that serves a load: attached to, stopped ten times in its command path, stepped, logged, paused, left.
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/real/real_support.hpp"

using namespace trapline::test;

namespace {

class Server {
 public:
  explicit Server(std::string_view level)
      : process_({real(level, "redis-server"), "--port", "0", "--unixsocket", scratch_ / "redis.sock", "--save", "",
                  "--appendonly", "no", "--dir", scratch_ / ".", "--logfile", scratch_ / "log"}) {
    eventually("redis to listen", [&] { return std::filesystem::exists(socket()); });
  }
  pid_t pid() const { return process_.pid(); }
  std::string socket() const { return scratch_ / "redis.sock"; }
  Outsider load(int requests) const {
    return Outsider({real("O2", "redis-benchmark"), "-s", socket(), "-n", std::to_string(requests), "-c", "20", "-t",
                     "set,get", "--csv"});
  }
  // One command over a connection of its own; the reply's first line.
  std::string ask(const std::string& command) const {
    Peer peer(socket());
    peer.send(command + "\r\n");
    return peer.line().value_or("closed");
  }

 private:
  Scratch scratch_;
  Outsider process_;
};

// The load's own account of itself: a line a test, none of them an error.
void check_finished(Outsider& load) {
  std::vector<std::string> lines;
  for (auto line = load.line(); !line.empty(); line = load.line()) lines.push_back(line);
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].starts_with("\"SET\",\""));
  CHECK(lines[2].starts_with("\"GET\",\""));
  CHECK(load.wait() == 0);
}

std::string info(const Server& server, const std::string& section, const std::string& key) {
  Peer peer(server.socket());
  peer.send("INFO " + section + "\r\n");
  while (const auto line = peer.line())
    if (line->starts_with(key + ":")) return line->substr(key.size() + 1, line->find('\r') - key.size() - 1);
  return "none";
}

void serving(std::string_view level) {
  const Server server(level);
  Daemon daemon;
  Outsider load = server.load(250000);
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", server.pid()}});
  const auto command = break_at(client, {{"function", "processCommand"}});
  long last_id = 0;
  for (int i = 0; i < 10; ++i) {
    CAPTURE(i);
    const auto stop = wait_stop(client);
    REQUIRE(stop["reason"] == "breakpoint");
    CHECK(stop["function"] == "processCommand");
    CHECK(stop["file"].get<std::string>().ends_with("/src/server.c"));
    const auto names = functions(client);
    for (const auto* name : {"readQueryFromClient", "connSocketEventHandler", "aeProcessEvents", "aeMain", "main"})
      CHECK_MESSAGE(contains(names, name), name);
    CHECK(names.back() == "_start");
    const auto verb = value_of(client, "(char *)c->argv[0]->ptr");
    const bool known = verb.find("\"SET\"") != std::string::npos || verb.find("\"GET\"") != std::string::npos ||
                       verb.find("\"CONFIG\"") != std::string::npos;
    CHECK_MESSAGE(known, verb);
    CHECK(std::stoi(value_of(client, "c->argc")) >= 2);
    last_id = std::stol(value_of(client, "c->id"));
    CHECK(last_id > 0);
    client.call("execution.continue");
  }

  // The client is the same after a step in the frame, and in the frames around it.
  wait_stop(client);
  const auto c = value_of(client, "c");
  CHECK(step(client, "next")["function"] == "processCommand");
  CHECK(value_of(client, "c") == c);
  CHECK(step(client, "stepIn")["reason"] == "step");
  client.call("breakpoint.remove", {{"id", command}});
  for (int i = 0; i < 8 && !contains(functions(client, {{"count", 1}}), "readQueryFromClient"); ++i)
    CHECK(step(client, "stepOut")["reason"] == "step");
  CHECK(functions(client)[0] == "readQueryFromClient");

  // A log point: every 500th call, and nobody is stopped by it.
  const auto log = break_at(
      client,
      {{"function", "call"}, {"logMessage", "client {c->id} runs {c->cmd->fullname}"}, {"hitCondition", "% 500"}});
  client.call("execution.continue");
  for (int i = 0; i < 3; ++i) {
    json output;
    do output = client.event("output");
    while (output["text"].get<std::string>().find("runs") == std::string::npos);
    CHECK(output["text"].get<std::string>().starts_with("client "));
  }
  client.call("execution.pause");
  const auto paused = wait_stop(client);
  CHECK(paused["reason"] == "pause");
  CHECK(client.call("thread.list").size() >= 4);
  for (const auto& thread : client.call("thread.list")) {
    CHECK(thread["stopped"] == true);
    CHECK(functions(client, {{"thread", thread["id"]}}).size() >= 3);
  }
  client.call("breakpoint.remove", {{"id", log}});
  client.call("execution.continue");

  // Left while another breakpoint waits in the path, and in the middle of the load: nothing of it stays.
  break_at(client, {{"function", "lookupKey"}, {"condition", "key == 0"}});
  client.call("session.detach");
  CHECK(process_lives(load.pid()));
  check_untouched(server.pid());
  CHECK(server.ask("SET trapline here") == "+OK\r");
  CHECK(server.ask("GET trapline") == "$4\r");
  check_finished(load);
  CHECK(info(server, "stats", "rejected_connections") == "0");
  CHECK(info(server, "stats", "unexpected_error_replies") == "0");
  check_untouched(server.pid());
}

}  // namespace

TEST_CASE("redis -O2 under load: ten stops, steps, a log point, a pause; it serves on") { serving("O2"); }
TEST_CASE("redis -O0 under load: ten stops, steps, a log point, a pause; it serves on") { serving("O0"); }

TEST_CASE("redis is found by its name; its daemon ended, it serves on") {
  Scratch scratch;
  // A name that no other redis of this machine has.
  const auto name = fmt::format("redis-{}", ::getpid());
  std::filesystem::copy_file(real("O2", "redis-server"), scratch / name);
  Outsider process({scratch / name, "--port", "0", "--unixsocket", scratch / "sock", "--save", "", "--logfile",
                    scratch / "log", "--dir", scratch / "."});
  eventually("redis to listen", [&] { return std::filesystem::exists(scratch / "sock"); });
  Daemon daemon;
  RpcClient client(daemon);
  CHECK(client.call("session.attach", {{"name", name}})["pid"] == process.pid());
  const auto id = break_at(client, {{"function", "serverCron"}});
  CHECK(wait_stop(client)["breakpoints"] == json{id});
  CHECK(functions(client, {{"count", 1}})[0] == "serverCron");
  daemon.signal(SIGTERM);
  CHECK(daemon.wait_exit() == 0);
  check_untouched(process.pid());
  Peer peer(scratch / "sock");
  peer.send("PING\r\n");
  CHECK(peer.line().value_or("closed") == "+PONG\r");
}
