// One program (lua -O2) as packages ship it: stripped to its dynamic symbols, its debug information in a file apart
// that is found by .gnu_debuglink or by build-id, or not at all.
#include "tests/real/real_support.hpp"

using namespace trapline::test;

namespace {

std::string source() { return fmt::format("{}/real.lua", REAL_SOURCES); }

int run(std::vector<std::string> words) {
  Outsider tool(std::move(words));
  return tool.wait();
}

struct Stripped {
  Stripped() {
    std::filesystem::copy_file(real("O2", "lua"), scratch / "whole");
    REQUIRE(run({"/usr/bin/objcopy", "--only-keep-debug", scratch / "whole", scratch / "lua.debug"}) == 0);
    REQUIRE(run({"/usr/bin/strip", "-o", scratch / "lua", scratch / "whole"}) == 0);
    std::filesystem::remove(scratch / "whole");
  }
  std::string program() const { return scratch / "lua"; }
  Scratch scratch;
};

// Stops at a function of the interpreter that Lua exports; the module of the program.
json stop_inside(RpcClient& client, const Stripped& lua, json more = json::object()) {
  more.update({{"program", lua.program()}, {"args", {source()}}, {"stdio", {nullptr, "/dev/null"}}});
  client.call("session.launch", more);
  wait_stop(client);
  break_at(client, {{"function", "lua_pcallk"}});
  const auto stop = go(client);
  CHECK(stop["reason"] == "breakpoint");
  CHECK(stop["function"] == "lua_pcallk");
  for (const auto& module : client.call("modules.list"))
    if (module["path"] == lua.program()) return module;
  FAIL("no module " << lua.program());
  return {};
}

void check_whole(RpcClient& client, const json& module, const std::string& debug_file) {
  CHECK(module["hasDebugInfo"] == true);
  CHECK(module["debugFile"] == debug_file);
  const auto frames = client.call("thread.stack")["frames"];
  CHECK(frames[0]["file"].get<std::string>().ends_with("/lapi.c"));
  CHECK(value_of(client, "nargs") == "2");
  CHECK(functions(client)[1] == "main");
  CHECK(frames[1]["line"].get<int>() > 600);
  CHECK(step(client, "next")["function"] == "lua_pcallk");
}

void end_well(RpcClient& client) {
  for (const auto& breakpoint : client.call("breakpoint.list"))
    client.call("breakpoint.remove", {{"id", breakpoint["id"]}});
  CHECK(go(client)["exitCode"] == 3);
}

}  // namespace

TEST_CASE("stripped, no debug information: exported names, frames from .eh_frame, instruction steps") {
  const Stripped lua;
  Daemon daemon;
  RpcClient client(daemon);
  const auto module = stop_inside(client, lua);
  CHECK(module["hasSymbols"] == true);
  CHECK(module["hasDebugInfo"] == false);
  const auto frames = client.call("thread.stack")["frames"];
  REQUIRE(frames.size() == 5);  // lua_pcallk, main, two of libc, _start
  CHECK(frames[0]["kind"] == "normal");
  CHECK_FALSE(frames[0].contains("line"));
  CHECK(functions(client)[2].starts_with("__libc_start"));
  const auto before = frames[0]["address"];
  client.call("execution.stepIn", {{"unit", "instruction"}});
  const auto stepped = wait_stop(client);
  CHECK(stepped["reason"] == "step");
  CHECK(stepped["function"] == "lua_pcallk");
  CHECK(stepped["address"] != before);
  CHECK(value_of(client, "$rsp != 0") == "true");
  end_well(client);
}

TEST_CASE("stripped, with .gnu_debuglink: beside the program and in .debug") {
  for (const bool beside : {true, false}) {
    CAPTURE(beside);
    const Stripped lua;
    REQUIRE(run({"/usr/bin/objcopy", "--remove-section=.note.gnu.build-id",
                 "--add-gnu-debuglink=" + (lua.scratch / "lua.debug"), lua.program()}) == 0);
    auto debug = lua.scratch / "lua.debug";
    if (!beside) {
      std::filesystem::create_directory(lua.scratch / ".debug");
      std::filesystem::rename(debug, lua.scratch / ".debug/lua.debug");
      debug = lua.scratch / ".debug/lua.debug";
    }
    Daemon daemon;
    RpcClient client(daemon);
    check_whole(client, stop_inside(client, lua), debug);
    end_well(client);
  }
}

TEST_CASE("stripped, with a debug file by build-id in a folder that was named") {
  const Stripped lua;
  Daemon daemon;
  std::string id;
  {
    RpcClient client(daemon);
    id = stop_inside(client, lua)["buildId"];
    end_well(client);
  }
  REQUIRE(id.size() == 40);
  const auto folder = lua.scratch / ("debug/.build-id/" + id.substr(0, 2));
  std::filesystem::create_directories(folder);
  const auto debug = folder + "/" + id.substr(2) + ".debug";
  std::filesystem::rename(lua.scratch / "lua.debug", debug);
  RpcClient client(daemon);
  check_whole(client, stop_inside(client, lua, {{"symbols", {{"searchPaths", {lua.scratch / "debug"}}}}}), debug);
  end_well(client);
}

TEST_CASE("a debug file of another build is not taken") {
  const Stripped lua;
  std::filesystem::copy_file(real("O0", "lua"), lua.scratch / "lua.debug",
                             std::filesystem::copy_options::overwrite_existing);
  // The link's checksum is that of the file that was there; what lies there now is another one.
  std::filesystem::copy_file(real("O2", "lua"), lua.scratch / "right");
  REQUIRE(run({"/usr/bin/objcopy", "--only-keep-debug", lua.scratch / "right", lua.scratch / "right.debug"}) == 0);
  REQUIRE(run({"/usr/bin/objcopy", "--remove-section=.note.gnu.build-id",
               "--add-gnu-debuglink=" + (lua.scratch / "right.debug"), lua.program()}) == 0);
  std::filesystem::rename(lua.scratch / "lua.debug", lua.scratch / "right.debug");
  Daemon daemon;
  RpcClient client(daemon);
  const auto module = stop_inside(client, lua);
  CHECK(module["hasDebugInfo"] == false);
  CHECK_FALSE(functions(client).empty());
  end_well(client);
}
