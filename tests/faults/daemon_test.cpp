// The daemon in bad places: two of it at once, no room, no rights, and every way of being asked to end.
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "tests/faults/subject.hpp"

using namespace trapline::test;

namespace {

json place_of(std::string_view mark_name) {
  return {{"file", fixture_source("faults_subject.cpp")}, {"line", mark("faults_subject.cpp", mark_name)}};
}

bool somebody_listens(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::snprintf(name.sun_path, sizeof name.sun_path, "%s", path.c_str());
  const trapline::util::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

// A file system of a few pages, where the machine lets us have one.
class SmallDisk {
 public:
  explicit SmallDisk(const char* options) {
    char name[] = "/tmp/trapline-small-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
    there_ = ::mount("tmpfs", name, "tmpfs", 0, options) == 0;
    if (!there_) MESSAGE("no small file system: mount(2) says " << strerror(errno));
  }
  ~SmallDisk() {
    if (there_) ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  explicit operator bool() const { return there_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool there_ = false;
};

}  // namespace

TEST_CASE("daemons that start at once over a stale socket: one serves, the others say why not") {
  for (int i = 0; i < 5; ++i) {
    Daemon first;
    first.signal(SIGKILL);
    first.wait_exit();
    REQUIRE(std::filesystem::exists(first.socket()));
    std::vector<std::unique_ptr<Daemon>> racers;
    for (int k = 0; k < 3; ++k)
      racers.push_back(std::make_unique<Daemon>(
          Daemon::Setup{.arguments = {"--listen", "unix:" + first.socket()}, .unix_socket = false, .starts = false}));
    int refused = 0;
    eventually("two of three to give up", [&] {
      for (const auto& racer : racers)
        if (racer->running() && !process_lives(racer->pid())) {
          CHECK(WEXITSTATUS(racer->wait_exit()) == 1);
          CHECK(racer->log().find(first.socket()) != std::string::npos);
          ++refused;
        }
      return refused == 2;
    });
    eventually("the third to serve", [&] { return somebody_listens(first.socket()); });
    RpcClient client(first.socket());
    CHECK(client.call("session.list") == json::array());
  }
}

TEST_CASE("a place that cannot be had is refused by name") {
  char name[] = "/tmp/trapline-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string folder = name;
  const auto refuses = [](const std::string& path, const std::string& word) {
    Daemon daemon({.arguments = {"--listen", "unix:" + path}, .unix_socket = false, .starts = false});
    CHECK(WEXITSTATUS(daemon.wait_exit()) == 1);
    CHECK_MESSAGE(daemon.log().find(word) != std::string::npos, daemon.log());
  };
  std::ofstream(folder + "/file") << "x";
  refuses(folder + "/file", "is no socket");
  refuses(folder + "/file/d.sock", folder + "/file");
  refuses("/proc/trapline-no-such/d.sock", "/proc/trapline-no-such");
  CHECK(read_file(folder + "/file") == "x");
  // Somebody else's folder where ours should be.
  std::filesystem::create_symlink("/etc", folder + "/d.sock.d");
  refuses(folder + "/d.sock", "d.sock.d");
  CHECK_FALSE(std::filesystem::exists("/etc/journals"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("no room for a journal: the attach is refused, the program untouched, the daemon well") {
  const SmallDisk disk("size=8k");
  if (!disk) return;
  Daemon daemon({.arguments = {"--listen", "unix:" + disk.path() + "/d.sock"}, .unix_socket = false});
  Subject subject;
  RpcClient client(daemon.addresses()[0]);
  const auto error = client.refused("session.attach", {{"pid", subject.pid()}});
  CHECK_MESSAGE(error["message"].get<std::string>().find("journal") != std::string::npos, error.dump());
  CHECK(error["data"]["blame"] == "environment");
  CHECK(subject.runs_free());
  CHECK(client.call("session.list").size() <= 1);
  subject.check_untouched();
}

TEST_CASE("the journal's disk is full while breakpoints are set: what cannot be noted is not placed") {
  const SmallDisk disk("size=44k");
  if (!disk) return;
  Daemon daemon({.arguments = {"--listen", "unix:" + disk.path() + "/d.sock"}, .unix_socket = false});
  Subject subject;
  RpcClient client(daemon.addresses()[0]);
  client.call("session.attach", {{"pid", subject.pid()}});
  // Room for 255 records, not for twice that: whoever fills the rest of the disk.
  std::ofstream filler(disk.path() + "/filler");
  filler << std::string(1 << 20, 'x') << std::flush;
  const auto code = client.call("symbols.find", {{"query", "main"}});
  REQUIRE(code.size() >= 1);
  json main_at;
  for (const auto& one : code)
    if (one["name"] == "main") main_at = one["address"];
  REQUIRE(main_at.is_string());
  const auto instructions = client.call("disassemble", {{"address", main_at}, {"count", 300}});
  int placed = 0;
  int refused = 0;
  for (const auto& one : instructions) {
    const auto answer =
        client.answer(client.send("breakpoint.set", {{"address", one["address"]}, {"condition", "1 == 2"}}));
    if (answer.contains("result") && answer["result"]["verified"] == true)
      ++placed;
    else
      ++refused;
  }
  CHECK(placed > 100);
  CHECK(refused > 0);
  client.call("session.detach");
  subject.check_untouched();
}

TEST_CASE("SIGTERM, SIGINT and SIGHUP end it in order: visited programs run on, launched ones end") {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    INFO("signal ", number);
    Daemon daemon;
    Subject subject;
    RpcClient visitor(daemon);
    visitor.call("session.attach", {{"pid", subject.pid()}});
    auto wanted = place_of("add");
    wanted["condition"] = "x == -1";
    visitor.call("breakpoint.set", wanted);
    RpcClient launcher(daemon);
    const auto launched =
        launcher.call("session.launch", {{"program", fixture("run_checksum")}, {"stopOnEntry", false}});
    daemon.signal(number);
    const int status = daemon.wait_exit();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK_FALSE(std::filesystem::exists(daemon.socket()));
    eventually("the launched one's end", [&] { return !process_lives(launched["pid"].get<pid_t>()); });
    subject.check_untouched();
  }
}

TEST_CASE("a session process that does not end is killed with the daemon, and its program put right") {
  Daemon daemon;
  Subject subject;
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", subject.pid()}});
  CHECK(client.call("breakpoint.set", {{"function", "verdict"}})["verified"] == true);
  const auto host = pid_of_session(client.call("session.list"), "1");
  ::kill(host, SIGSTOP);
  daemon.signal(SIGTERM);
  CHECK(WEXITSTATUS(daemon.wait_exit()) == 0);
  CHECK(daemon.log().find("does not end; killed") != std::string::npos);
  CHECK(daemon.journals().empty());
  subject.check_untouched(Subject::Left::by_a_dead_session);
}

TEST_CASE("a spare session process that died unseen is replaced when it is needed") {
  Daemon daemon;
  for (int i = 0; i < 5; ++i) {
    RpcClient client(daemon);
    std::vector<pid_t> spare;
    eventually("a spare process", [&] { return !(spare = children_of(daemon.pid())).empty(); });
    for (const auto process : spare) {
      ::kill(process, SIGKILL);
      eventually("its end", [&] { return !process_lives(process); });
    }
    CHECK(client.call("session.launch", {{"program", fixture("run_threads")}})["state"] == "stopped");
  }
}
