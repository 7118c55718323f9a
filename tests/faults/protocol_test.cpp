// Clients that do not keep to the protocol, or not to good manners: each gets one clear answer, and nobody else
// notices.
#include <poll.h>
#include <sys/socket.h>

#include <random>

#include "tests/faults/subject.hpp"

using namespace trapline::test;
using namespace std::chrono_literals;

namespace {

std::size_t resident_kib(pid_t pid) {
  const auto status = read_file(fmt::format("/proc/{}/status", pid));
  const auto at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : std::stoul(status.substr(at + 6));
}

// The daemon serves others as if nothing had happened.
void check_serves(const Daemon& daemon) {
  RpcClient other(daemon);
  CHECK(other.call("session.list").is_array());
}

std::string content(std::string_view body) { return fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body); }

// Sends as much as the daemon takes without a look at its answers; bytes that went out before it took no more.
std::size_t pour(Peer& peer, const std::string& what, std::size_t most, std::chrono::milliseconds patience_for_room) {
  std::size_t sent = 0;
  while (sent < most) {
    const ssize_t put = ::send(peer.fd(), what.data(), what.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
      sent += static_cast<std::size_t>(put);
      continue;
    }
    if (errno != EAGAIN) break;
    pollfd about{.fd = peer.fd(), .events = POLLOUT, .revents = 0};
    if (::poll(&about, 1, static_cast<int>(patience_for_room.count())) != 1) break;
  }
  return sent;
}

}  // namespace

TEST_CASE("a message over the limit is refused before it is read") {
  Daemon daemon;
  const auto before = resident_kib(daemon.pid());
  {
    Peer editor(daemon);
    editor.send("Content-Length: 99999999999\r\n\r\n{");
    const auto answer = editor.frame();
    REQUIRE(answer);
    CHECK(answer->find("99999999999") != std::string::npos);
    CHECK(json::parse(*answer)["event"] == "output");
    CHECK(editor.closed());
  }
  {
    Peer script(daemon);
    script.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.list\"}\n");
    CHECK(json::parse(script.line().value())["result"].is_array());
    // A line over the limit is skipped as it comes, and the stream goes on behind it.
    const std::string megabyte(1 << 20, 'x');
    for (int i = 0; i < 66; ++i) script.send(megabyte);
    script.send("\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"session.list\"}\n");
    CHECK(json::parse(script.line().value())["error"]["message"].get<std::string>().find("limit") != std::string::npos);
    CHECK(json::parse(script.line().value())["id"] == 2);
  }
  check_serves(daemon);
  // The line was kept up to the limit and given back.
  CHECK(resident_kib(daemon.pid()) < before + (160U << 10));
}

TEST_CASE("headers without an end, without a length, or with nonsense for one") {
  Daemon daemon;
  for (const auto& bytes :
       {std::string("Content-Length: 5\r\n") + std::string(20000, 'A'), std::string("Content-Length: -1\r\n\r\n"),
        std::string("Content-Length: 12abc\r\n\r\n{}"), std::string("Content-Type: x\r\n\r\n{}"),
        std::string("Content-Length: 3\r\nContent-Length: 2\r\n\r\n{}")}) {
    INFO(bytes.substr(0, 40));
    Peer peer(daemon);
    peer.send(bytes);
    const auto answer = peer.frame();
    REQUIRE(answer);
    CHECK(json::parse(*answer)["event"] == "output");
    CHECK(peer.closed());
  }
  check_serves(daemon);
}

TEST_CASE("half a message and a hang-up: said where somebody still listens, no harm where nobody does") {
  Daemon daemon;
  const std::string half = content(R"({"seq":1,"type":"request","command":"initialize"})").substr(0, 50);
  {
    Peer peer(daemon);
    peer.send(half);
    peer.half_close();
    CHECK(peer.frame().value_or("").find("ended in the middle of a message") != std::string::npos);
    CHECK(peer.closed());
  }
  {
    Peer peer(daemon);
    peer.send(R"({"jsonrpc":"2.0","id":1,)");
    peer.half_close();
    CHECK(json::parse(peer.line().value())["error"]["code"] == -32700);
    CHECK(peer.closed());
  }
  for (int i = 0; i < 50; ++i) {
    Peer peer(daemon);
    peer.send(half.substr(0, static_cast<std::size_t>(i)));
  }
  RpcClient client(daemon);
  eventually("the visitors to be gone", [&] { return client.call("stats.get")["visitors"] == 1; });
}

TEST_CASE("garbage of any kind ends at most the connection that sent it, in lobby and session") {
  std::mt19937_64 random(seed());
  Daemon daemon;
  for (int i = 0; i < 60; ++i) {
    std::string bytes(std::uniform_int_distribution<std::size_t>(1, 400)(random), '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    if (i % 3 == 1) bytes = content(bytes);
    if (i % 3 == 2) bytes = "{" + bytes + "\n";
    INFO("seed ", seed(), ", round ", i);
    Peer peer(daemon);
    peer.send(bytes);
    peer.half_close();
    CHECK(peer.closed());
  }
  Subject subject;
  RpcClient owner(daemon);
  const auto opened = owner.call("session.attach", {{"pid", subject.pid()}});
  for (int i = 0; i < 20; ++i) {
    Peer peer(daemon);
    peer.send(
        json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "session.join"}, {"params", {{"session", opened["session"]}}}}
            .dump() +
        "\n");
    REQUIRE(peer.line());
    std::string bytes(300, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    peer.send(bytes);
    peer.half_close();
    CHECK(peer.closed());
  }
  check_serves(daemon);
  CHECK(owner.call("session.list")[0]["state"] == "running");
  owner.call("session.detach");
  subject.check_untouched();
}

TEST_CASE("ten thousand small messages at once are answered in their order") {
  Daemon daemon;
  constexpr int count = 10000;
  RpcClient client(daemon);
  const auto pipeline = [&](std::string_view method) {
    std::string all;
    for (int i = 0; i < count; ++i)
      all += json{{"jsonrpc", "2.0"}, {"id", i}, {"method", method}, {"params", json::object()}}.dump() + "\n";
    std::thread sender([&] { client.peer.send(all); });
    int right = 0;
    for (int i = 0; i < count; ++i) {
      auto next = client.message();
      while (next && next->contains("method")) next = client.message();  // an event
      if (!next) break;
      if ((*next)["id"] == i && next->contains("result")) ++right;
    }
    sender.join();
    CHECK(right == count);
  };
  SUBCASE("in the lobby") { pipeline("session.list"); }
  SUBCASE("in a session") {
    client.call("session.launch", {{"program", fixture("run_threads")}});
    pipeline("thread.list");
  }
  SUBCASE("in a session, which asks the lobby") {
    client.call("session.launch", {{"program", fixture("run_threads")}});
    pipeline("session.list");
  }
  SUBCASE("an editor's") {
    DapClient editor(daemon);
    editor.initialize();
    const int launch = editor.send("launch", {{"program", fixture("run_threads")}, {"stopOnEntry", true}});
    editor.ok("configurationDone");
    REQUIRE(editor.response(launch)["success"] == true);
    std::string all;
    for (int i = 0; i < count; ++i)
      all += content(json{{"seq", 100 + i}, {"type", "request"}, {"command", "threads"}}.dump());
    std::thread sender([&] { editor.peer.send(all); });
    int right = 0;
    for (int i = 0; i < count;) {
      const auto next = editor.message();
      if (next["type"] != "response") continue;
      if (next["request_seq"] == 100 + i && next["success"] == true) ++right;
      ++i;
    }
    sender.join();
    CHECK(right == count);
  }
}

TEST_CASE("calls that had to wait are answered one after another, however many") {
  Daemon daemon;
  RpcClient client(daemon);
  client.call("session.launch", {{"program", fixture("run_threads")}});
  client.call("session.kill");
  constexpr int count = 4000;
  // The first keeps all behind it waiting; each of those is refused at once.
  const int waiting =
      client.send("session.attach", {{"name", "no-such-program-anywhere"}, {"waitFor", true}, {"timeout", 1}});
  std::string all;
  for (int i = 0; i < count; ++i)
    all +=
        json{{"jsonrpc", "2.0"}, {"id", 10'000 + i}, {"method", "session.launch"}, {"params", json::object()}}.dump() +
        "\n";
  client.peer.send(all);
  CHECK(client.answer(waiting).contains("error"));
  int right = 0;
  for (int i = 0; i < count; ++i) right += client.answer(10'000 + i).contains("error") ? 1 : 0;
  CHECK(right == count);
  check_serves(daemon);
}

TEST_CASE("a client that never reads is not read any more, and slows nobody down") {
  Daemon daemon;
  const std::string ask = R"({"jsonrpc":"2.0","id":1,"method":"rpc.discover"})"
                          "\n";
  std::string many;
  for (int i = 0; i < 1000; ++i) many += ask;
  SUBCASE("in the lobby") {
    const auto before = resident_kib(daemon.pid());
    Peer deaf(daemon);
    // Its answers are hundreds of times the size of the questions: it may not go on asking.
    CHECK(pour(deaf, many, 64U << 20, 500ms) < (4U << 20));
    check_serves(daemon);
    CHECK(resident_kib(daemon.pid()) < before + (96U << 10));
  }
  SUBCASE("in a session") {
    RpcClient good(daemon);
    const auto opened = good.call("session.launch", {{"program", fixture("run_threads")}});
    const auto host = pid_of_session(good.call("session.list"), opened["session"]);
    const auto before = resident_kib(host);
    RpcClient deaf(daemon);
    deaf.call("session.join", {{"session", opened["session"]}});
    CHECK(pour(deaf.peer, many, 64U << 20, 500ms) < (4U << 20));
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i) good.call("thread.list");
    CHECK(std::chrono::steady_clock::now() - began < 5s);
    CHECK(resident_kib(host) < before + (96U << 10));
  }
}

TEST_CASE("events that a client does not read are bounded: it is dropped, the others see everything") {
  Daemon daemon;
  RpcClient good(daemon);
  const auto opened = good.call("session.launch", {{"program", "/usr/bin/yes"}, {"args", {std::string(4000, 'y')}}});
  const auto host = pid_of_session(good.call("session.list"), opened["session"]);
  RpcClient deaf(daemon);
  deaf.call("session.join", {{"session", opened["session"]}});
  good.send("execution.continue");
  // The deaf one is gone once the list has one client; until then `good` keeps reading.
  std::size_t output = 0;
  std::size_t most = 0;
  bool dropped = false;
  const auto end = std::chrono::steady_clock::now() + 30s;
  for (int i = 0; !dropped && std::chrono::steady_clock::now() < end; ++i) {
    const auto next = good.message();
    REQUIRE(next);
    if (next->contains("method") && (*next)["method"] == "event.output") ++output;
    if (next->contains("result") && (*next)["result"].is_array()) dropped = (*next)["result"][0]["clients"] == 1;
    if (i % 500 == 0) good.send("session.list");
    most = std::max(most, resident_kib(host));
  }
  CHECK(dropped);
  CHECK(output > 0);
  CHECK(most < (200U << 10));
  CHECK(deaf.peer.closed());
  good.send("session.kill");
  json exited;
  do exited = good.message().value();
  while (!exited.contains("method") || exited["method"] != "event.exited");
  CHECK(exited["params"]["signal"] == "SIGKILL");
}

TEST_CASE("connections over the limit are told so, and there is room again when others go") {
  Daemon daemon;
  std::vector<std::unique_ptr<Peer>> crowd;
  for (int i = 0; i < 256; ++i) crowd.push_back(std::make_unique<Peer>(daemon));
  {
    RpcClient late(daemon);
    const auto error = late.refused("session.list");
    CHECK(error["message"].get<std::string>().find("256 connections") != std::string::npos);
    CHECK(error["data"].contains("hint"));
  }
  crowd.resize(100);
  eventually("room", [&] {
    RpcClient client(daemon);
    return client.answer(client.send("session.list")).contains("result");
  });
}

TEST_CASE("clients over a session's limit are told so") {
  Daemon daemon;
  RpcClient owner(daemon);
  const auto opened = owner.call("session.launch", {{"program", fixture("run_threads")}});
  std::vector<std::unique_ptr<RpcClient>> crowd;
  for (int i = 0; i < 63; ++i) {
    crowd.push_back(std::make_unique<RpcClient>(daemon));
    crowd.back()->call("session.join", {{"session", opened["session"]}});
  }
  RpcClient late(daemon);
  CHECK(late.refused("session.join", {{"session", opened["session"]}})["message"].get<std::string>().find("64") !=
        std::string::npos);
  crowd.clear();
  eventually("room", [&] { return owner.call("session.list")[0]["clients"] == 1; });
  eventually("the lobby to know", [&] {
    RpcClient client(daemon);
    return client.call("session.list")[0]["clients"] == 1;
  });
  CHECK(late.peer.closed());
  RpcClient next(daemon);
  CHECK(next.call("session.join", {{"session", opened["session"]}})["session"] == opened["session"]);
  DapClient editor(daemon);
  editor.initialize();
  const int attach = editor.send("attach", {{"session", opened["session"]}});
  editor.ok("configurationDone");
  CHECK(editor.response(attach)["success"] == true);
}

TEST_CASE("a wrong token costs the connection, whatever it is, and nothing else") {
  Daemon daemon({.arguments = {"--listen", "tcp:127.0.0.1:0"}, .listeners = 2});
  const auto token = [&] {
    const auto text = read_file((daemon.house() / "token").string());
    return text.substr(0, text.find('\n'));
  }();
  REQUIRE(token.size() == 64);
  for (const json& wrong : {json(""), json(token.substr(1)), json(token + "0"), json(std::string(64, 'f')), json(5),
                            json(nullptr), json({token}), json(std::string(1 << 20, 'a'))}) {
    RpcClient client(daemon.addresses()[1]);
    CHECK(client.refused("session.list", {{"token", wrong}})["code"] == 1204);
    CHECK(client.peer.closed());
    DapClient editor(daemon.addresses()[1]);
    const auto answer = editor.response(editor.send("initialize", {{"adapterID", "x"}, {"token", wrong}}));
    CHECK(answer["success"] == false);
    CHECK(editor.peer.closed());
  }
  RpcClient right(daemon.addresses()[1]);
  CHECK(right.call("session.list", {{"token", token}}) == json::array());
  CHECK(daemon.log().find(token) == std::string::npos);
}
