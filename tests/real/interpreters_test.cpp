// Lua and the sqlite3 shell: launched, stopped inside, looked at, stepped, left. (beside_gdb.py compares them with
// gdb.)
#include "tests/real/real_support.hpp"

using namespace trapline::test;

namespace {

std::string source(std::string_view name) { return fmt::format("{}/{}", REAL_SOURCES, name); }

const std::string lua_output = "fib\t144\npcall\tfalse\t" + source("real.lua") +
                               ":7: boom\nsorted\t1\t50\t100\nindex\thello!\t 3.14\ncoroutine\t1\t2\t3\n";
const std::string sqlite_output = "66|8291.25|part 104|part 88\n1\n3\npart 0\npart 163\npart 126\n";

void lua(std::string_view level) {
  Scratch scratch;
  Daemon daemon;
  RpcClient client(daemon);
  client.call("session.launch",
              {{"program", real(level, "lua")}, {"args", {source("real.lua")}}, {"stdio", {nullptr, scratch / "out"}}});
  CHECK(wait_stop(client)["reason"] == "entry");

  // A C function that Lua calls, and the interpreter several frames up.
  const auto print = break_at(client, {{"function", "luaB_print"}});
  auto stop = go(client);
  CHECK(stop["reason"] == "breakpoint");
  CHECK(stop["function"] == "luaB_print");
  CHECK(stop["file"].get<std::string>().ends_with("/lbaselib.c"));
  const auto names = functions(client);
  for (const auto* name :
       {"precallC", "luaD_precall", "luaV_execute", "ccall", "lua_pcallk", "docall", "pmain", "main"})
    CHECK_MESSAGE(contains(names, name), name);
  CHECK(names.back() == "_start");
  const auto frames = client.call("thread.stack")["frames"];
  CHECK(frames[1]["kind"] == (level == "O2" ? "inlined" : "normal"));
  CHECK(value_of(client, "f", frames[1]["id"]).ends_with("<luaB_print>"));
  CHECK(value_of(client, "nresults", frames[2]["id"]) == "0");
  std::uint32_t outermost = 0;
  while (frames[outermost]["function"] != "main") ++outermost;
  CHECK(value_of(client, "argc", frames[outermost]["id"]) == "2");

  // Each variable once, though the abstract function and its copy both have it.
  for (std::uint32_t frame = 0; frame < 4; ++frame)
    for (const auto& [name, value] : variables(client, frame))
      if (name.ends_with(" (outer)")) CHECK_MESSAGE(value["value"] != "<optimized out>", name << " of frame " << frame);
  std::uint32_t loop = 0;
  while (frames[loop]["function"] != "luaV_execute") ++loop;
  CHECK(variables(client, loop)["disptab"]["type"] == "const void *const[83]");
  client.call("breakpoint.remove", {{"id", print}});

  // error() goes through longjmp to pcall: a step over it arrives there.
  const auto thrown = break_at(client, {{"function", "luaD_throw"}, {"temporary", true}});
  stop = go(client);
  CHECK(stop["function"] == "luaD_throw");
  CHECK(value_of(client, "errcode") == "2");
  for (int i = 0; i < 4 && stop["function"] == "luaD_throw"; ++i) stop = step(client, "next");
  CHECK(stop["reason"] == "step");
  CHECK(stop["function"] == "luaD_rawrunprotected");
  CHECK(functions(client)[1] == "luaD_pcall");
  CHECK(step(client, "stepOut")["function"] == "luaD_pcall");

  const auto end = go(client);
  CHECK(end["reason"] == "exited");
  CHECK(end["exitCode"] == 3);
  CHECK(read_file(scratch / "out") == lua_output);
}

void sqlite(std::string_view level) {
  Scratch scratch;
  Daemon daemon;
  RpcClient client(daemon);
  const auto opened = client.call("session.launch", {{"program", real(level, "sqlite3")},
                                                     {"args", {"-batch", ":memory:", ".read " + source("real.sql")}},
                                                     {"stdio", {nullptr, scratch / "out"}}});
  wait_stop(client);
  const auto program = break_at(client, {{"function", "sqlite3VdbeExec"}});
  auto stop = go(client);
  CHECK(stop["function"] == "sqlite3VdbeExec");
  CHECK(stop["line"].get<int>() > 0xFFFF);  // a unit of 240,000 lines
  const auto names = functions(client);
  for (const auto* name : {"sqlite3Step", "sqlite3_step", "main"}) CHECK_MESSAGE(contains(names, name), name);
  CHECK(names.back() == "_start");
  const auto frames = client.call("thread.stack", {{"count", 3}})["frames"];
  CHECK(frames[1]["line"].get<int>() > 0xFFFF);
  // The same statement, seen from three frames; the middle one is inlined at -O2 and knows it by an entry value.
  const auto p = value_of(client, "p");
  CHECK(value_of(client, "p", frames[1]["id"]) == p);
  CHECK(value_of(client, "(Vdbe *)pStmt", frames[2]["id"]) == p);
  // Bit-fields and unions.
  CHECK(value_of(client, "p->readOnly <= 1 && p->bIsReader <= 1") == "1");
  CHECK(value_of(client, "p->db->aDb[0].zDbSName").ends_with("\"main\""));
  CHECK(value_of(client, "sizeof(p->aMem[0].u)") == "8");
  client.call("breakpoint.remove", {{"id", program}});

  // The third time that a condition holds; all passes are counted.
  const auto conditional = break_at(
      client,
      {{"function", "sqlite3VdbeMemGrow"}, {"condition", "n > 20 && pMem->szMalloc < n"}, {"hitCondition", "3"}});
  stop = go(client);
  CHECK(stop["reason"] == "breakpoint");
  CHECK(value_of(client, "n > 20 && pMem->szMalloc < n") == "1");
  const auto counts = client.call("breakpoint.list")[0];
  CHECK(counts["hits"] == 3);
  CHECK(counts["evaluations"].get<int>() >= 3);
  const auto flags = std::stoi(value_of(client, "pMem->flags"));
  CHECK(value_of(client, fmt::format("(pMem->flags & 0x3f) == {}", flags & 0x3f)) == "1");
  const auto members =
      client.call("value.children", {{"ref", client.call("evaluate", {{"expression", "pMem->u"}})["ref"]}});
  REQUIRE(members.size() == 5);
  CHECK(members[1]["name"] == "i");
  CHECK(value_of(client, "pMem->u.i") == members[1]["value"]);

  // Left in the middle of the work: the answer is right.
  CHECK(process_lives(opened["pid"].get<pid_t>()));
  client.call("session.detach");
  eventually("the end of the query", [&] { return !process_lives(opened["pid"].get<pid_t>()); });
  CHECK(read_file(scratch / "out") == sqlite_output);
}

}  // namespace

TEST_CASE("lua -O0: stops, frames, values, a step over longjmp, output, exit code") { lua("O0"); }
TEST_CASE("lua -O2: stops, frames, values, a step over longjmp, output, exit code") { lua("O2"); }
TEST_CASE("sqlite3 -O0: the loop, conditions, unions and bit-fields; left in the middle") { sqlite("O0"); }
TEST_CASE("sqlite3 -O2: the loop, conditions, unions and bit-fields; left in the middle") { sqlite("O2"); }
