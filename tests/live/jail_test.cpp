// Processes with a root of their own, as in a container: program, library, debug files and sources are found where the
// process sees them, and symbolic links lead where they lead in there.
#include <sys/stat.h>

#include "tests/live/daemon_support.hpp"
#include "tests/support/folder.hpp"

using namespace trapline::test;
namespace fs = std::filesystem;

namespace {

void run_command(const std::string& command) {
  REQUIRE_MESSAGE(std::system(("timeout 60 " + command).c_str()) == 0, command);
}

std::string build_id(const fs::path& file, const Folder& folder) {
  run_command(
      fmt::format("sh -c \"readelf -n {} | sed -n 's/.*Build ID: //p' >{}\"", file.string(), (folder / "id").string()));
  auto id = read_file(folder / "id");
  while (id.ends_with('\n')) id.pop_back();
  REQUIRE(id.size() == 40);
  return id;
}

// A folder with all that jail_subject needs to run with it as its root.
struct Jail {
  Folder folder;
  fs::path root = folder / "root";

  Jail() {
    for (const auto* name : {"opt/bin", "opt/lib", "usr/lib", "opt/debug"}) fs::create_directories(root / name);
    fs::copy(fixture("jail_subject"), root / "opt/bin/subject");
    fs::copy(fixture("libjail_lib.so"), root / "opt/lib/libjail_lib.so");
    run_command(fmt::format("sh -c \"LD_LIBRARY_PATH={} ldd {} | grep -o '/[^ ]*' >{}\"", FIXTURES,
                            fixture("jail_subject"), (folder / "needed").string()));
    std::ifstream needed(folder / "needed");
    for (std::string path; std::getline(needed, path);) {
      if (path.find("libjail_lib") != std::string::npos) continue;
      fs::create_directories((root / path.substr(1)).parent_path());
      fs::copy(path, root / path.substr(1), fs::copy_options::overwrite_existing);
    }
  }
  // Debug information goes to /opt/debug in there, which /usr/lib/debug leads to by an absolute link.
  void take_debug_information_apart() {
    for (const auto* name : {"opt/bin/subject", "opt/lib/libjail_lib.so"}) {
      const auto id = build_id(root / name, folder);
      const auto place = root / "opt/debug/.build-id" / id.substr(0, 2);
      fs::create_directories(place);
      run_command(fmt::format("objcopy --only-keep-debug {} {}/{}.debug", (root / name).string(), place.string(),
                              id.substr(2)));
      run_command(fmt::format("objcopy --strip-all {}", (root / name).string()));
    }
    fs::create_symlink("/opt/debug", root / "usr/lib/debug");
  }
};

// The process, its library found by LD_LIBRARY_PATH. `prefix`: what its paths begin with in there.
struct Prisoner : Outsider {
  Prisoner(const Jail& jail, const std::string& how, const std::string& prefix)
      : Outsider({"/usr/bin/env", "LD_LIBRARY_PATH=" + prefix + "/opt/lib", fixture("jail"), how, jail.root.string(),
                  prefix + "/opt/bin/subject"}) {
    const auto said = line();
    if (said.starts_with("refused: "))
      MESSAGE("skipped: this machine lets us have no other root (" << how << "): " << said);
    else
      REQUIRE_MESSAGE(said == "ready", said);
    there = said == "ready";
  }
  bool there = false;
};

void debug(pid_t pid, const std::string& prefix) {
  Daemon daemon;
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", pid}});
  const auto own = client.call(
      "breakpoint.set", {{"file", fixture_source("jail_subject.cpp")}, {"line", mark("jail_subject.cpp", "own-turn")}});
  CHECK(own["verified"] == true);
  auto stop = client.call("execution.wait", {{"timeoutMs", 20000}});
  CHECK(stop["function"] == "own_turn");
  client.call("breakpoint.remove", {{"id", own["id"]}});
  const auto library = client.call(
      "breakpoint.set", {{"file", fixture_source("jail_lib.cpp")}, {"line", mark("jail_lib.cpp", "jail-turn")}});
  CHECK(library["verified"] == true);
  client.call("execution.continue");
  stop = client.call("execution.wait", {{"timeoutMs", 20000}});
  CHECK(stop["function"] == "jail_turn");
  const auto frames = client.call("thread.stack", {{"count", 3}})["frames"];
  REQUIRE(frames.size() == 3);
  CHECK(frames[0]["function"] == "jail_turn");
  CHECK(frames[0]["line"] == mark("jail_lib.cpp", "jail-turn"));
  CHECK(frames[1]["function"] == "own_turn");
  CHECK(frames[1]["line"] == mark("jail_subject.cpp", "own-turn"));
  CHECK(frames[2]["function"] == "main");
  CHECK(client.call("evaluate", {{"expression", "more - x"}})["value"] == "1");
  std::vector<std::string> paths;
  for (const auto& module : client.call("modules.list"))
    if (module["name"] == "subject" || module["name"] == "libjail_lib.so")
      paths.push_back(module["path"].get<std::string>());
  CHECK(paths == std::vector<std::string>{prefix + "/opt/bin/subject", prefix + "/opt/lib/libjail_lib.so"});
  client.call("session.detach");
}

}  // namespace

TEST_CASE("a process in a mount namespace of its own, or with another root, is debugged by what it sees") {
  for (const auto& [how, prefix] : {std::pair("pivot", ""), {"chroot", ""}, {"bind", "/mnt"}}) {
    CAPTURE(how);
    const Jail jail;
    const Prisoner prisoner(jail, how, prefix);
    if (prisoner.there) debug(prisoner.pid(), prefix);
  }
}

TEST_CASE("debug files in there are found by build-id, through an absolute link that leads nowhere out here") {
  for (const auto* how : {"pivot", "chroot"}) {
    CAPTURE(how);
    Jail jail;
    jail.take_debug_information_apart();
    const Prisoner prisoner(jail, how, "");
    if (prisoner.there) debug(prisoner.pid(), "");
  }
}

TEST_CASE("a source that only lies in there is served from there") {
  Jail jail;
  const auto source = (jail.root / fixture_source("jail_subject.cpp").substr(1)).lexically_normal();
  fs::create_directories(source.parent_path());
  std::ofstream(source.parent_path() / "only_inside.cpp") << "int inside;\n";
  const Prisoner prisoner(jail, "pivot", "");
  if (!prisoner.there) return;
  Daemon daemon;
  RpcClient client(daemon);
  client.call("session.attach", {{"pid", prisoner.pid()}});
  const auto path = (fs::path(fixture_source("jail_subject.cpp")).parent_path() / "only_inside.cpp").string();
  CHECK(client.call("source.read", {{"path", path}})["text"] == "int inside;\n");
  client.call("session.detach");
}
