// The daemon's face: how it listens, whom it lets in, what it answers without a debuggee, how it ends.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <set>

#include "tests/live/daemon_support.hpp"

using namespace trapline::test;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 0777;
}

}  // namespace

TEST_CASE("it says where it listens, and the socket is the owner's alone") {
  Daemon daemon({.arguments = {"--listen", "tcp:127.0.0.1:0"}, .listeners = 2});
  CHECK(daemon.addresses()[0] == "unix:" + daemon.socket());
  CHECK(daemon.addresses()[1].starts_with("tcp:127.0.0.1:"));
  CHECK(daemon.addresses()[1] != "tcp:127.0.0.1:0");
  CHECK(mode_of(daemon.socket()) == 0600);
  CHECK(mode_of(daemon.house()) == 0700);
}

TEST_CASE("the default socket lies in a private folder below XDG_RUNTIME_DIR") {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  {
    Daemon daemon({.environment = {std::string("XDG_RUNTIME_DIR=") + name}, .unix_socket = false});
    const auto socket = std::string(name) + "/trapline/trapline.sock";
    CHECK(daemon.addresses()[0] == "unix:" + socket);
    CHECK(mode_of(std::string(name) + "/trapline") == 0700);
    RpcClient client(daemon.addresses()[0]);
    CHECK(client.call("session.list") == json::array());
    daemon.signal(SIGTERM);
    CHECK(daemon.wait_exit() == 0);
    CHECK_FALSE(std::filesystem::exists(socket));
  }
  std::filesystem::remove_all(name);
}

TEST_CASE("rpc.discover lists every method with the schemas of parameters and result") {
  Daemon daemon;
  RpcClient client(daemon);
  const auto document = client.call("rpc.discover");
  std::set<std::string> names;
  for (const auto& method : document["methods"]) {
    names.insert(method["name"].get<std::string>());
    CHECK(method["params"].is_array());
    CHECK(method["result"]["schema"].is_object());
    CHECK_FALSE(method["summary"].get<std::string>().empty());
  }
  for (const char* promised :
       {"session.launch",     "session.attach",  "session.list",    "session.join",      "session.detach",
        "session.kill",       "session.restart", "breakpoint.set",  "breakpoint.remove", "breakpoint.list",
        "execution.continue", "execution.pause", "execution.next",  "execution.stepIn",  "execution.stepOut",
        "execution.until",    "execution.wait",  "thread.list",     "thread.stack",      "frame.scopes",
        "value.children",     "value.set",       "evaluate",        "memory.read",       "memory.write",
        "register.read",      "register.write",  "disassemble",     "symbols.find",      "modules.list",
        "source.read",        "stats.get",       "stats.subscribe", "rpc.discover"})
    CHECK_MESSAGE(names.contains(promised), promised);
  const auto launch =
      *std::ranges::find(document["methods"], "session.launch", [](const json& m) { return m["name"]; });
  const auto has = [&](const char* key) {
    return std::ranges::any_of(launch["params"], [&](const json& p) { return p["name"] == key; });
  };
  CHECK(has("program"));
  CHECK(has("stopOnEntry"));
  CHECK(has("hold"));
  CHECK(document["components"]["schemas"].contains("Frame"));
}

TEST_CASE("the lobby refuses what needs a session, and names what was meant by a mistyped method") {
  Daemon daemon;
  RpcClient client(daemon);
  const auto none = client.refused("thread.list");
  CHECK(none["code"] == 1004);
  CHECK(none["data"]["blame"] == "user");
  CHECK(none["data"]["hint"].get<std::string>().find("session.launch") != std::string::npos);
  const auto mistyped = client.refused("sesion.list");
  CHECK(mistyped["code"] == -32601);
  CHECK(mistyped["data"]["hint"].get<std::string>().find("session.list") != std::string::npos);
  const auto nowhere = client.refused("session.join", {{"session", "17"}});
  CHECK(nowhere["code"] == 1100);
  CHECK(client.refused("session.join", {{"session", 17}})["code"] == -32602);
  CHECK(client.refused("session.list", {{"all", true}})["code"] == -32602);
  CHECK(client.call("stats.get")["sessions"] == 0);
}

TEST_CASE("JSON-RPC comes framed or by line, alone or in batches, and is answered in the same form") {
  Daemon daemon;
  Peer framed(daemon);
  const std::string ask = R"({"jsonrpc":"2.0","id":"a","method":"session.list"})";
  framed.send(fmt::format("Content-Length: {}\r\n\r\n{}", ask.size(), ask));
  CHECK(json::parse(framed.frame().value()) == json{{"jsonrpc", "2.0"}, {"id", "a"}, {"result", json::array()}});

  Peer lines(daemon);
  lines.send(R"([{"jsonrpc":"2.0","id":1,"method":"session.list"},{"jsonrpc":"2.0","method":"session.list"},)"
             R"({"jsonrpc":"2.0","id":null,"method":"nope"},7])"
             "\n");
  const auto batch = json::parse(lines.line().value());
  REQUIRE(batch.size() == 3);  // the notification has no answer
  CHECK(batch[0]["id"] == 1);
  CHECK(batch[0]["result"] == json::array());
  CHECK(batch[1]["id"].is_null());
  CHECK(batch[1]["error"]["code"] == -32601);
  CHECK(batch[2]["error"]["code"] == -32600);
  lines.send("[]\n");
  CHECK(json::parse(lines.line().value())["error"]["code"] == -32600);
  lines.send("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"session.list\"}\n");
  CHECK(json::parse(lines.line().value())["error"]["code"] == -32600);
  lines.send("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"session.list\",\"params\":[1]}\n");
  CHECK(json::parse(lines.line().value())["error"]["code"] == -32602);
}

TEST_CASE("a client that ends its side still gets its answers") {
  Daemon daemon;
  Peer peer(daemon);
  peer.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.list\"}\n");
  peer.half_close();
  CHECK(json::parse(peer.line().value())["id"] == 1);
  CHECK(peer.closed());
}

TEST_CASE("tcp demands the token: as a call, with a call, and in DAP's initialize") {
  Daemon daemon({.arguments = {"--listen", "tcp:127.0.0.1:0"}, .unix_socket = false});
  // Without a unix socket the house lies in the default folder; ours is named explicitly here.
  INFO("addresses: ", daemon.addresses()[0]);
  const auto log = daemon.log();
  const auto at = log.find("the token of tcp connections is in ");
  REQUIRE(at != std::string::npos);
  const auto file = log.substr(at + 35, log.find('\n', at) - at - 35);
  CHECK(mode_of(file) == 0600);
  auto token = read_file(file);
  token.pop_back();
  CHECK(token.size() == 64);
  const auto& address = daemon.addresses()[0];
  {
    RpcClient client(address);
    CHECK(client.refused("session.list")["code"] == 1204);
    CHECK(client.peer.closed());
  }
  {
    RpcClient client(address);
    CHECK(client.refused("session.authenticate", {{"token", token.substr(1) + "x"}})["code"] == 1204);
    CHECK(client.peer.closed());
  }
  {
    RpcClient client(address);
    CHECK(client.call("session.authenticate", {{"token", token}}) == json::object());
    CHECK(client.call("session.list") == json::array());
  }
  {
    RpcClient client(address);
    CHECK(client.call("session.list", {{"token", token}}) == json::array());
  }
  {
    DapClient client(address);
    CHECK(client.refused("initialize", {{"adapterID", "x"}})["id"] == 1204);
    CHECK(client.peer.closed());
  }
  for (const char* key : {"token", "__token"}) {
    DapClient client(address);
    CHECK(client.initialize({{key, token}})["supportsConfigurationDoneRequest"] == true);
  }
}

TEST_CASE("--token-file: used where it is there, refused where others may read it") {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const auto file = std::string(name) + "/token";
  std::ofstream(file) << "correct horse battery staple\n";
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  {
    Daemon daemon({.arguments = {"--listen", "tcp:127.0.0.1:0", "--token-file", file}, .starts = false});
    CHECK(WEXITSTATUS(daemon.wait_exit()) == 1);
    CHECK(daemon.log().find("chmod 600 " + file) != std::string::npos);
  }
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  {
    Daemon daemon({.arguments = {"--listen", "tcp:127.0.0.1:0", "--token-file", file}, .listeners = 2});
    RpcClient client(daemon.addresses()[1]);
    CHECK(client.call("session.authenticate", {{"token", "correct horse battery staple"}}) == json::object());
  }
  std::filesystem::remove_all(name);
}

TEST_CASE("a stale socket is replaced, a live one refused") {
  Daemon daemon;
  {
    Daemon second({.arguments = {"--listen", "unix:" + daemon.socket()}, .unix_socket = false, .starts = false});
    CHECK(WEXITSTATUS(second.wait_exit()) == 1);
    CHECK(second.log().find("somebody listens on " + daemon.socket()) != std::string::npos);
  }
  daemon.signal(SIGKILL);
  daemon.wait_exit();
  CHECK(std::filesystem::exists(daemon.socket()));
  daemon.start();
  RpcClient client(daemon);
  CHECK(client.call("session.list") == json::array());
}

TEST_CASE("wrong addresses and wrong options are refused with what is right") {
  for (const auto* address : {"tcp:127.0.0.1", "udp:1", "unix:", "tcp:127.0.0.1:99999", "tcp:no.such.host.invalid:1"}) {
    Daemon daemon({.arguments = {"--listen", address}, .unix_socket = false, .starts = false});
    CHECK(WEXITSTATUS(daemon.wait_exit()) == 1);
    CHECK(daemon.log().starts_with("traplined: "));
  }
  Daemon daemon({.arguments = {"--no-such-option"}, .starts = false});
  CHECK(WEXITSTATUS(daemon.wait_exit()) == 2);
}

TEST_CASE("sockets of a service manager are taken over") {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const auto path = std::string(name) + "/activated.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
  {
    const trapline::util::Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 8) == 0);
    Daemon daemon({.unix_socket = false, .in_child = [&] {
                     ::dup2(listener.get(), 3);
                     ::setenv("LISTEN_FDS", "1", 1);
                     ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
                   }});
    CHECK(daemon.addresses()[0] == "unix:" + path);
    RpcClient client(daemon.addresses()[0]);
    CHECK(client.call("session.list") == json::array());
    daemon.signal(SIGTERM);
    CHECK(daemon.wait_exit() == 0);
    CHECK(std::filesystem::exists(path));  // the manager's, not ours to remove
  }
  std::filesystem::remove_all(name);
}

TEST_CASE("another user is told whose daemon this is") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  Daemon daemon;
  REQUIRE(::chmod(daemon.folder().c_str(), 0755) == 0);
  REQUIRE(::chmod(daemon.socket().c_str(), 0666) == 0);
  int out[2];
  REQUIRE(::pipe(out) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::snprintf(name.sun_path, sizeof name.sun_path, "%s", daemon.socket().c_str());
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) ::_exit(2);
    const std::string ask = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.list\"}\n";
    if (::send(fd, ask.data(), ask.size(), 0) < 0) ::_exit(3);
    char chunk[4096];
    for (ssize_t got = 0; (got = ::recv(fd, chunk, sizeof chunk, 0)) > 0;)
      if (::write(out[1], chunk, static_cast<std::size_t>(got)) < 0) ::_exit(4);
    ::_exit(0);
  }
  ::close(out[1]);
  std::string text;
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(out[0], chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(got));
  ::close(out[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  REQUIRE_FALSE(text.empty());
  CHECK(std::ranges::count(text, '\n') == 1);
  const auto error = json::parse(text)["error"];
  CHECK(error["code"] == 1204);
  CHECK(error["data"]["blame"] == "environment");
  CHECK(error["message"].get<std::string>().find("65534") != std::string::npos);
}

TEST_CASE("SIGTERM with nobody there ends with 0 and takes the socket along") {
  Daemon daemon;
  daemon.signal(SIGTERM);
  CHECK(daemon.wait_exit() == 0);
  CHECK_FALSE(std::filesystem::exists(daemon.socket()));
}

TEST_CASE("JSON logs are one object a line with the promised keys, in lobby and session") {
  Daemon daemon({.arguments = {"--log-format", "json"}, .environment = {"TRAPLINE_LOG=info,rpc:debug"}});
  {
    RpcClient client(daemon);
    client.call("session.launch", {{"program", fixture("run_threads")}});
    client.call("session.kill");
    client.event("exited");
  }
  daemon.signal(SIGTERM);
  CHECK(daemon.wait_exit() == 0);
  std::istringstream lines(daemon.log());
  std::set<std::string> rooms;
  bool traced = false;
  for (std::string line; std::getline(lines, line);) {
    const auto entry = json::parse(line, nullptr, false);
    REQUIRE_MESSAGE(entry.is_object(), line);
    for (const char* key : {"ts", "level", "room", "msg", "trace"}) CHECK_MESSAGE(entry.contains(key), line);
    rooms.insert(entry["room"].get<std::string>());
    if (entry["room"] == "rpc" && entry["msg"] == "session.launch")
      traced = entry["trace"].get<std::string>().starts_with("c1:");
  }
  CHECK(rooms.contains("lobby"));
  CHECK(rooms.contains("rpc"));
  CHECK(traced);
}

TEST_CASE("--wire-log has every message of both directions, and no token") {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const auto file = std::string(name) + "/wire.jsonl";
  {
    Daemon daemon({.arguments = {"--wire-log", file}});
    RpcClient client(daemon);
    client.call("session.list");
    client.peer.send(
        "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"session.authenticate\",\"params\":{\"token\":\"secret\"}}\n");
    client.message();
    client.peer.send("this is no json\n");
    client.message();
    client.call("session.launch", {{"program", fixture("run_threads")}});
    client.call("session.kill");
  }
  CHECK(mode_of(file) == 0600);
  std::istringstream lines(read_file(file));
  std::vector<json> entries;
  for (std::string line; std::getline(lines, line);) {
    entries.push_back(json::parse(line, nullptr, false));
    REQUIRE_MESSAGE(entries.back().is_object(), line);
    for (const char* key : {"ts", "dir", "conn", "msg"}) CHECK(entries.back().contains(key));
  }
  const auto count = [&](const char* dir, const char* method) {
    return std::ranges::count_if(entries, [&](const json& e) {
      return e["dir"] == dir && e["msg"].is_object() && e["msg"].value("method", "") == method;
    });
  };
  CHECK(count("in", "session.list") == 1);
  CHECK(count("in", "session.kill") == 1);
  CHECK(count("out", "event.stopped") >= 1);
  CHECK(std::ranges::any_of(entries, [](const json& e) { return e["msg"] == "this is no json"; }));
  CHECK(read_file(file).find("secret") == std::string::npos);
  std::filesystem::remove_all(name);
}
