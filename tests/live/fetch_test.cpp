// Debug information from debuginfod servers: a real one, and bad ones. Nothing ever waits for them.
#include "tests/live/fetch_servers.hpp"
#include "tests/support/folder.hpp"

using namespace trapline::test;

namespace {

void run_command(const std::string& command) {
  REQUIRE_MESSAGE(std::system(("timeout 60 " + command).c_str()) == 0, command);
}

// run_threads without its debug information, and that apart.
struct Stripped {
  Folder folder;
  std::filesystem::path program = folder / "bin" / "run_threads";
  std::filesystem::path debug_file = folder / "debug" / "run_threads.debug";
  std::filesystem::path cache = folder / "cache";
  std::string build_id;

  Stripped() {
    for (const auto* name : {"bin", "debug", "cache", "house"}) std::filesystem::create_directories(folder / name);
    run_command(fmt::format("objcopy --only-keep-debug {} {}", fixture("run_threads"), debug_file.string()));
    run_command(fmt::format("objcopy --strip-all {} {}", fixture("run_threads"), program.string()));
    build_id = id_of(program);
  }
  std::string id_of(const std::filesystem::path& file) const {
    run_command(fmt::format("sh -c \"readelf -n {} 2>/dev/null | sed -n 's/.*Build ID: //p' >{}\"", file.string(),
                            (folder / "id").string()));
    auto id = read_file(folder / "id");
    while (id.ends_with('\n')) id.pop_back();
    REQUIRE(id.size() == 40);
    return id;
  }
  json debuginfod(const std::string& url, json more = json::object()) const {
    more["urls"] = url;
    more["cache"] = cache.string();
    return more;
  }
  std::string fetched() const { return (cache / build_id / "debuginfo").string(); }
};

struct Editor {
  Daemon daemon;
  DapClient client{daemon};
  int launch = 0;
  json bound, line_bound;

  // Held at the program's first instruction, with two breakpoints that need debug information.
  explicit Editor(const Stripped& subject, const json& debuginfod, const json& more = json::object()) {
    client.initialize({{"supportsProgressReporting", true}, {"supportsInvalidatedEvent", true}});
    json arguments{{"program", subject.program.string()},
                   {"args", {"1", "2", "1"}},
                   {"stopOnEntry", "entry"},
                   {"console", "internalConsole"},
                   {"debuginfod", debuginfod}};
    arguments.update(more);
    launch = client.send("launch", std::move(arguments));
    bound = client.ok("setFunctionBreakpoints", {{"breakpoints", {{{"name", "also_counted"}}}}})["breakpoints"][0];
    line_bound = client.ok("setBreakpoints",
                           {{"source", {{"path", fixture_source("run_threads.cpp")}}},
                            {"breakpoints", {{{"line", mark("run_threads.cpp", "counted")}}}}})["breakpoints"][0];
    client.ok("configurationDone");
    CHECK(client.response(launch)["success"] == true);
    CHECK(take("stopped")["reason"] == "entry");
  }
  // The first event that fits of those that nobody took yet; the others stay.
  json take(
      std::string_view name, const std::function<bool(const json&)>& fits = [](const json&) { return true; }) {
    for (std::size_t at = 0;; ++at) {
      while (at == client.events.size()) {
        auto next = client.message();
        (next["type"] == "response" ? client.responses : client.events).push_back(std::move(next));
      }
      if (client.events[at]["event"] != name) continue;
      auto body = client.events[at].value("body", json::object());
      if (!fits(body)) continue;
      client.events.erase(client.events.begin() + static_cast<std::ptrdiff_t>(at));
      return body;
    }
  }
  json module_event(std::string_view reason) {  // about the program
    return take("module", [&](const json& body) {
      return body["reason"] == reason && body["module"]["name"] == "run_threads";
    })["module"];
  }
  json changed_breakpoint(const json& which) {
    return take("breakpoint", [&](const json& body) {
      return body["breakpoint"]["id"] == which["id"] && body["breakpoint"]["verified"] == true;
    })["breakpoint"];
  }
  json progress(std::string_view name) { return take(name); }
  // It runs to its breakpoint on a line, and names what it is in.
  void stops_at_the_line() {
    const auto threads = client.ok("threads")["threads"];
    client.ok("continue", {{"threadId", threads[0]["id"]}});
    const auto stop = take("stopped");
    CHECK(stop["hitBreakpointIds"] == json{line_bound["id"]});
    const auto frames = client.ok("stackTrace", {{"threadId", stop["threadId"]}})["stackFrames"];
    REQUIRE(frames.size() >= 2);
    CHECK(frames[0]["name"].get<std::string>().starts_with("counted"));
    CHECK(frames[0]["line"] == mark("run_threads.cpp", "counted"));
    CHECK(frames[1]["name"].get<std::string>().starts_with("work"));
  }
  void runs_to_its_end() {
    client.ok("setFunctionBreakpoints", {{"breakpoints", json::array()}});
    client.ok("setBreakpoints",
              {{"source", {{"path", fixture_source("run_threads.cpp")}}}, {"breakpoints", json::array()}});
    client.ok("continue", {{"threadId", client.ok("threads")["threads"][0]["id"]}});
    CHECK(take("exited")["exitCode"] == 7);
  }
  bool says(const std::string& text) {
    take("output", [&](const json& body) { return body["output"].get<std::string>().find(text) != std::string::npos; });
    return true;
  }
  void log_says(const std::string& text) {
    eventually("the log's `" + text + "`", [&] { return daemon.log().find(text) != std::string::npos; });
  }
};

bool has_unfinished_files(const std::filesystem::path& cache) {
  for (const auto& file : std::filesystem::recursive_directory_iterator(cache))
    if (file.is_regular_file() && file.path().filename().string().starts_with("debuginfo")) return true;
  return false;
}

}  // namespace

TEST_CASE(
    "a debug file that a server has is fetched behind: breakpoints bind, the module changes, sessions to come have "
    "it") {
  Stripped subject;
  {
    RealServer server(subject.folder / "debug", subject.folder / "house");
    server.serves("/buildid/" + subject.build_id + "/debuginfo");
    Editor editor(subject, subject.debuginfod(server.url()));
    CHECK(editor.bound["verified"] == false);
    CHECK(editor.line_bound["verified"] == false);
    const auto before = editor.module_event("new");
    CHECK(before["symbolStatus"] != "debug information");
    const auto after = editor.module_event("changed");
    CHECK(after["id"] == before["id"]);
    CHECK(after["symbolStatus"] == "debug information");
    CHECK(after["symbolFilePath"] == subject.fetched());
    CHECK(editor.take("invalidated")["areas"] == json{"all"});
    CHECK(editor.changed_breakpoint(editor.bound)["line"].get<int>() > 0);
    CHECK(editor.changed_breakpoint(editor.line_bound)["line"] == mark("run_threads.cpp", "counted"));
    editor.stops_at_the_line();
    // Who looks at modules and frames sees one module, by the id that it had.
    const auto modules = editor.client.ok("modules");
    for (const auto& module : modules["modules"])
      if (module["name"] == "run_threads")
        for (const auto& [key, value] : after.items()) CHECK(module[key] == value);  // an index may tell more
    editor.runs_to_its_end();
  }
  // No server is left, and none is asked.
  Editor editor(subject, {{"enabled", "cached"}, {"cache", subject.cache.string()}});
  CHECK(editor.module_event("new")["symbolFilePath"] == subject.fetched());
  editor.stops_at_the_line();
  editor.runs_to_its_end();
}

TEST_CASE("what a debug file has in a dwz file is fetched too") {
  Stripped subject;
  const auto debug = (subject.folder / "debug").string();
  for (const auto* name : {"run_steps", "calls"})
    run_command(fmt::format("objcopy --only-keep-debug {} {}/{}.debug", fixture(name), debug, name));
  run_command(fmt::format("sh -c \"cd {} && dwz -m common -M /nowhere/common *.debug\"", debug));
  const auto common = subject.id_of(subject.folder / "debug" / "common");
  RealServer server(subject.folder / "debug", subject.folder / "house");
  server.serves("/buildid/" + subject.build_id + "/debuginfo");
  server.serves("/buildid/" + common + "/debuginfo");
  Editor editor(subject, subject.debuginfod(server.url()));
  CHECK(editor.module_event("changed")["symbolFilePath"] == subject.fetched());
  CHECK(std::filesystem::file_size(subject.cache / common / "debuginfo") > 0);
  editor.stops_at_the_line();
  editor.runs_to_its_end();
}

TEST_CASE("a source that this machine does not have comes from the server; the stop stands meanwhile") {
  Stripped subject;
  const auto sources = std::filesystem::path(FIXTURE_SOURCES).lexically_normal().string();
  RealServer server(subject.folder / "debug", subject.folder / "house");
  server.serves("/buildid/" + subject.build_id + "/debuginfo");
  server.serves("/buildid/" + subject.build_id + "/source" + sources + "/run_threads.cpp");  // found later
  Editor editor(subject, subject.debuginfod(server.url()), {{"sourceMap", {{sources, "/nowhere"}}}});
  editor.module_event("changed");
  editor.client.ok("continue", {{"threadId", editor.client.ok("threads")["threads"][0]["id"]}});
  const auto stop = editor.take("stopped");
  const auto source = editor.client.ok("stackTrace", {{"threadId", stop["threadId"]}})["stackFrames"][0]["source"];
  CHECK(source["path"] == "/nowhere/run_threads.cpp");
  REQUIRE(source["sourceReference"].get<int>() > 0);
  const json wanted{{"source", source}, {"sourceReference", source["sourceReference"]}};
  CHECK(editor.client.ok("source", wanted)["content"] == read_file(fixture_source("run_threads.cpp")));
  const auto refused =
      editor.client.refused("source", {{"source", {{"path", "/nowhere/never_was.cpp"}}}, {"sourceReference", 0}});
  CHECK(refused.dump().find("is not on this machine") != std::string::npos);
  editor.runs_to_its_end();
}

TEST_CASE("a slow server holds nobody up: progress is told, and the program can be debugged meanwhile") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::half, read_file(subject.debug_file));
  Editor editor(subject, subject.debuginfod(server.url()));
  const auto begun = editor.progress("progressStart");
  CHECK(begun["title"] == "Downloading debug information of run_threads");
  CHECK(begun["cancellable"] == true);
  const auto update = editor.progress("progressUpdate");
  CHECK(update["progressId"] == begun["progressId"]);
  CHECK(editor.client.ok("threads")["threads"].size() == 1);
  CHECK(editor.client.ok("evaluate", {{"expression", "1 + 1"}, {"context", "repl"}})["result"] == "2");
  server.let_go();
  editor.module_event("changed");
  const auto ended = editor.progress("progressEnd");
  CHECK(ended["progressId"] == begun["progressId"]);
  CHECK(ended["message"] == "done");
  editor.stops_at_the_line();
  editor.runs_to_its_end();
}

TEST_CASE("a download is cancelled by its progress id, and leaves nothing behind") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::half, read_file(subject.debug_file));
  Editor editor(subject, subject.debuginfod(server.url()));
  const auto begun = editor.progress("progressStart");
  editor.client.ok("cancel", {{"progressId", begun["progressId"]}});
  const auto ended = editor.progress("progressEnd");
  CHECK(ended["progressId"] == begun["progressId"]);
  CHECK(ended["message"] == "cancelled");
  eventually("the unfinished file's end", [&] { return !has_unfinished_files(subject.cache); });
  editor.client.ok("cancel", {{"progressId", begun["progressId"]}});  // nothing to do any more, and no error
  editor.runs_to_its_end();
}

TEST_CASE("a session that ends takes its download along") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::half, read_file(subject.debug_file));
  {
    Editor editor(subject, subject.debuginfod(server.url()));
    editor.progress("progressStart");
    editor.client.ok("disconnect", {{"terminateDebuggee", true}});
  }
  eventually("the unfinished file's end", [&] { return !has_unfinished_files(subject.cache); });
}

TEST_CASE("what no server has is no news; a server that is gone is told once") {
  Stripped subject;
  {
    RealServer server(subject.folder / "house", subject.folder / "house");
    eventually("the debuginfod server", [&] {
      return http_status(std::stoi(server.url().substr(server.url().rfind(':') + 1)), "/metrics") == 200;
    });
    Editor editor(subject, subject.debuginfod(server.url()));
    editor.log_says("debug information of run_threads: no debuginfod server has it");
    editor.runs_to_its_end();
    CHECK(editor.daemon.log().find("No debug information is fetched") == std::string::npos);
  }
  subject.cache = subject.folder / "another";  // the first one has noted what is not there
  int port = 0;
  listener_on_any_port(port);
  Editor editor(subject, subject.debuginfod(url_of(port)));
  CHECK(editor.says("No debug information is fetched: "));
  editor.runs_to_its_end();
}

TEST_CASE("a server that says nothing is given up after the time that was set") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::silent);
  Editor editor(subject, subject.debuginfod(server.url(), {{"timeout", 1}}));
  CHECK(editor.says("did not answer in time"));
  editor.runs_to_its_end();
}

TEST_CASE("a file of another build is not taken") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::half, read_file(fixture("run_steps")));
  server.let_go();
  Editor editor(subject, subject.debuginfod(server.url()));
  CHECK(editor.says("is of another build"));
  editor.runs_to_its_end();
}

TEST_CASE("nobody is asked where it is off, or for what the user leaves out, and no session ever loads libcurl") {
  Stripped subject;
  SlowServer server(SlowServer::Answer::silent);
  for (const auto& debuginfod : {subject.debuginfod(server.url(), {{"enabled", false}}),
                                 subject.debuginfod(server.url(), {{"enabled", "cached"}})}) {
    CAPTURE(debuginfod.dump());
    Editor editor(subject, debuginfod);
    RpcClient observer(editor.daemon);
    const auto sessions = observer.call("session.list");
    REQUIRE(sessions.size() == 1);
    const auto maps = read_file(fmt::format("/proc/{}/maps", sessions[0]["host"].get<pid_t>()));
    CHECK(maps.find("traplined") != std::string::npos);
    CHECK(maps.find("libcurl") == std::string::npos);
    CHECK(maps.find("libdebuginfod") == std::string::npos);
    editor.runs_to_its_end();
  }
  CHECK(server.requests() == 0);
}

TEST_CASE(
    "servers that DEBUGINFOD_URLS names are asked without a launch argument, and the program's environment is as it "
    "was") {
  Stripped subject;
  RealServer server(subject.folder / "debug", subject.folder / "house");
  server.serves("/buildid/" + subject.build_id + "/debuginfo");
  Daemon daemon({.environment = {"DEBUGINFOD_URLS=" + server.url(), "XDG_CACHE_HOME=" + subject.cache.string()}});
  RpcClient client(daemon);
  const auto opened = client.call("session.launch", {{"program", subject.program.string()}, {"args", {"1", "2", "1"}}});
  client.call("breakpoint.set", {{"function", "counted"}});
  json module;
  do module = client.event("module");
  while (module["reason"] != "changed");
  CHECK(module["module"]["debugFile"].get<std::string>().starts_with(subject.cache.string()));
  const auto environment = read_file(fmt::format("/proc/{}/environ", opened["pid"].get<pid_t>()));
  CHECK(environment.find("DEBUGINFOD_URLS=" + server.url()) != std::string::npos);
  CHECK(environment.find("DEBUGINFOD_TIMEOUT") == std::string::npos);
  client.call("execution.continue");
  CHECK(client.call("execution.wait", {{"timeoutMs", 20000}})["function"] == "counted");
}
