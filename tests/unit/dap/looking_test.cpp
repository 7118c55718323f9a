// Stack, values, memory, modules, sources, and the verbs that move the program.
#include "tests/support/dap_tester.hpp"

using namespace trapline;
using namespace trapline::tests;

namespace {

using Calls = std::vector<std::string>;

json variables(DapTester& c, int reference, json more = json::object()) {
  more["variablesReference"] = reference;
  return c.ok("variables", std::move(more))["variables"];
}

}  // namespace

TEST_CASE("threads") {
  DapTester c;
  c.launch();
  c.control().thread_list[1].name.clear();
  CHECK(c.ok("threads")["threads"] == json{{{"id", 4242}, {"name", "app"}}, {{"id", 4243}, {"name", "thread 4243"}}});
  c.control().emit(proto::ThreadEvent{{4244}, true});
  c.control().emit(proto::ThreadEvent{{4244}, false});
  c.control().deliver();
  CHECK(c.events("thread") ==
        std::vector<json>{{{"reason", "started"}, {"threadId", 4244}}, {{"reason", "exited"}, {"threadId", 4244}}});
}

TEST_CASE("stackTrace: pages, kinds of frames, sources with and without a file") {
  DapTester c;
  c.control().frames[1].file = "/proc/self/exe";  // the one file that is surely there
  proto::FrameInfo end;
  end.id = {4};
  end.level = 3;
  end.function = "the stack ends here: no CFI";
  end.kind = proto::FrameKind::broken;
  c.control().frames.push_back(end);
  c.launch_and_stop();
  const auto all = c.ok("stackTrace", {{"threadId", 4242}});
  CHECK(all["totalFrames"] == 4);
  const auto& frames = all["stackFrames"];
  CHECK(frames[0]["name"] == "compute(int)");
  CHECK(frames[0]["line"] == 7);
  CHECK(frames[0]["column"] == 3);
  CHECK(frames[0]["instructionPointerReference"] == "0x401010");
  CHECK(frames[0]["moduleId"] == 1);
  CHECK(frames[0]["source"] == json{{"name", "app.cpp"},
                                    {"path", "/src/app.cpp"},
                                    {"sourceReference", 1},
                                    {"presentationHint", "deemphasize"},
                                    {"origin", "not on disk"}});
  CHECK(frames[1]["source"] == json{{"name", "exe"}, {"path", "/proc/self/exe"}});
  CHECK_FALSE(frames[1].contains("presentationHint"));
  CHECK(frames[2]["presentationHint"] == "subtle");
  CHECK_FALSE(frames[2].contains("source"));
  CHECK(frames[2]["line"] == 0);
  CHECK(frames[3]["presentationHint"] == "label");
  CHECK_FALSE(frames[3].contains("instructionPointerReference"));

  const auto page = c.ok("stackTrace", {{"threadId", 4242}, {"startFrame", 1}, {"levels", 2}});
  CHECK(page["stackFrames"].size() == 2);
  CHECK(page["stackFrames"][0]["id"] == frames[1]["id"]);  // the same frame has the same id
  CHECK_FALSE(page.contains("totalFrames"));
  CHECK(c.control().calls.back() == "stack 4242 1 2");
  const auto beyond = c.ok("stackTrace", {{"threadId", 4242}, {"startFrame", 50}, {"levels", 2}});
  CHECK(beyond["stackFrames"].empty());
  CHECK(c.refused("stackTrace", {{"threadId", 9}})["id"] == 1100);
  CHECK(c.refused("stackTrace", {{"threadId", 0}})["id"] == 1000);
}

TEST_CASE("stackTrace: names as the format asks") {
  DapTester c;
  c.control().frames[1].function = "run(int, (anonymous namespace)::T) const";
  c.control().frames[2].function = "A::operator()";
  c.launch_and_stop();
  const auto names = [&](json format) {
    std::vector<std::string> all;
    const json body = c.ok("stackTrace", {{"threadId", 4242}, {"format", std::move(format)}});
    for (const auto& frame : body["stackFrames"]) all.push_back(frame["name"]);
    return all;
  };
  CHECK(names(json::object())[0] == "compute(int)");
  const auto bare = names({{"parameters", false}});
  CHECK(bare[0] == "compute");
  CHECK(bare[1] == "run");
  CHECK(bare[2] == "A::operator()");
  CHECK(names({{"parameters", true}})[0] == "compute(int)");
  CHECK(
      names({{"parameters", true}, {"parameterTypes", true}, {"parameterNames", true}, {"parameterValues", true}})[1] ==
      "run(int n=3)");
  CHECK(names({{"parameters", true}, {"parameterValues", true}})[1] == "run(3)");
  CHECK(names({{"module", true}, {"line", true}})[0] == "app!compute(int) Line 7");
}

TEST_CASE("lines and columns from 0 for clients that count so") {
  DapTester c;
  c.launch_and_stop({}, {{"linesStartAt1", false}, {"columnsStartAt1", false}});
  const auto frames = c.ok("stackTrace", {{"threadId", 4242}, {"format", {{"line", true}}}})["stackFrames"];
  CHECK(frames[0]["line"] == 6);
  CHECK(frames[0]["column"] == 2);
  CHECK(frames[0]["name"] == "compute(int) Line 6");
  CHECK(frames[2]["line"] == 0);
  c.control().emit(proto::OutputEvent{proto::OutputCategory::console, "n=3\n", "/src/app.cpp", {7}});
  c.control().deliver();
  CHECK(c.last_event("output")["line"] == 6);
}

TEST_CASE("scopes and variables, by pages and filters") {
  DapTester c;
  c.launch_and_stop();
  const int main = c.main_frame();
  const auto scopes = c.ok("scopes", {{"frameId", main}})["scopes"];
  REQUIRE(scopes.size() == 4);
  CHECK(scopes[0]["presentationHint"] == "arguments");
  CHECK(scopes[1] == json{{"name", "Locals"},
                          {"presentationHint", "locals"},
                          {"variablesReference", scopes[1]["variablesReference"]},
                          {"namedVariables", 3},
                          {"expensive", false}});
  CHECK(scopes[2]["expensive"] == true);
  CHECK_FALSE(scopes[2].contains("presentationHint"));
  CHECK(scopes[3]["presentationHint"] == "registers");

  const auto locals = variables(c, scopes[1]["variablesReference"]);
  REQUIRE(locals.size() == 3);
  const int list = locals[0]["variablesReference"];
  CHECK(locals[0] == json{{"name", "list"},
                          {"value", "{10, 11, 12}"},
                          {"type", "int [3]"},
                          {"evaluateName", "list"},
                          {"variablesReference", list},
                          {"indexedVariables", 3},
                          {"memoryReference", "0x7000"}});
  CHECK(locals[2] == json{{"name", "gone"},
                          {"value", "<optimized out>"},
                          {"type", "int"},
                          {"variablesReference", 0},
                          {"presentationHint", {{"attributes", {"readOnly"}}}}});
  const auto members = variables(c, locals[1]["variablesReference"]);
  CHECK(members[0]["presentationHint"] == json{{"kind", "baseClass"}});
  CHECK(members[1]["presentationHint"] == json{{"attributes", {"static"}}});

  CHECK(variables(c, list).size() == 3);
  CHECK(variables(c, list, {{"filter", "indexed"}, {"start", 1}, {"count", 1}})[0]["name"] == "[1]");
  CHECK(c.control().calls.back() == "children 20 1 1");
  CHECK(variables(c, list, {{"filter", "indexed"}, {"start", 2}, {"count", 100}}).size() == 1);
  CHECK(c.control().calls.back() == "children 20 2 1");
  CHECK(variables(c, list, {{"filter", "indexed"}, {"start", 2}}).size() == 1);
  const auto calls = c.control().calls.size();
  CHECK(variables(c, list, {{"filter", "named"}}).empty());
  CHECK(variables(c, list, {{"start", 3}, {"count", 1}}).empty());
  CHECK(variables(c, list, {{"filter", "indexed"}, {"start", 1000}}).empty());
  CHECK(c.control().calls.size() == calls);  // nothing was read for a page that is empty
  variables(c, list, {{"format", {{"hex", true}}}});
  CHECK(c.control().calls.back() == "children 20 0 3 hex");
}

TEST_CASE("a value with both named and indexed children: the filters are windows on one row") {
  DapTester c;
  auto both = FakeControl::value("v", "{...}", "V");
  both.ref = {30};
  both.named = 2;
  both.indexed = 3;
  c.control().children_of[10] = {both};
  c.control().children_of[30] = {FakeControl::value("a", "1", "int"), FakeControl::value("b", "2", "int"),
                                 FakeControl::value("[0]", "3", "int"), FakeControl::value("[1]", "4", "int"),
                                 FakeControl::value("[2]", "5", "int")};
  c.launch_and_stop();
  const auto v = variables(c, c.scope("Arguments"))[0];
  CHECK(v["namedVariables"] == 2);
  CHECK(v["indexedVariables"] == 3);
  const auto names = [&](json more) {
    std::string all;
    for (const auto& one : variables(c, v["variablesReference"], std::move(more)))
      all += one["name"].get<std::string>() + " ";
    return all;
  };
  CHECK(names(json::object()) == "a b [0] [1] [2] ");
  CHECK(names({{"filter", "named"}}) == "a b ");
  CHECK(names({{"filter", "named"}, {"start", 1}, {"count", 9}}) == "b ");
  CHECK(names({{"filter", "indexed"}, {"start", 1}, {"count", 2}}) == "[1] [2] ");
  CHECK(names({{"start", 1}, {"count", 2}}) == "b [0] ");
}

TEST_CASE("scopes can be hidden, and numbers be hex, by launch arguments") {
  DapTester c;
  c.launch_and_stop({{"presentation", {{"hex", true}, {"registers", false}}}, {"showGlobalVariables", false}});
  const auto scopes = c.ok("scopes", {{"frameId", c.main_frame()}})["scopes"];
  CHECK(scopes.size() == 2);
  const int locals = scopes[1]["variablesReference"];
  variables(c, locals);
  CHECK(c.control().calls.back() == "children 11 0 3 hex");
  variables(c, locals, {{"format", {{"hex", false}}}});
  CHECK(c.control().calls.back() == "children 11 0 3");
  c.ok("evaluate", {{"expression", "n"}});
  CHECK(c.control().evaluated.format.hex);
}

TEST_CASE("frames and values are void after a resume, and never become something else") {
  DapTester c;
  c.launch_and_stop();
  const int frame = c.main_frame();
  const int locals = c.scope("Locals");
  c.ok("next", {{"threadId", 4242}});
  CHECK(c.last_event("stopped")["reason"] == "step");
  const auto error = c.refused("scopes", {{"frameId", frame}});
  CHECK(error == json{{"id", 1101},
                      {"format", "frame " + std::to_string(frame) + " belongs to an earlier stop"},
                      {"showUser", false}});
  CHECK(c.refused("variables", {{"variablesReference", locals}})["id"] == 1101);
  CHECK(c.refused("evaluate", {{"expression", "n"}, {"frameId", frame}})["id"] == 1101);
  CHECK(c.refused("scopes", {{"frameId", 9999}})["id"] == 1100);
  CHECK(c.refused("variables", {{"variablesReference", 0}})["id"] == 1100);
  CHECK(c.main_frame() != frame);
  CHECK(c.scope("Locals") != locals);
}

TEST_CASE("setVariable") {
  DapTester c;
  c.launch_and_stop();
  const int arguments = c.scope("Arguments");
  CHECK(c.ok("setVariable", {{"variablesReference", arguments}, {"name", "n"}, {"value", "5"}}) ==
        json{{"value", "5"}, {"type", "int"}, {"variablesReference", 0}});
  CHECK(c.control().calls.back() == "set_value 10 n 5");
  CHECK(c.refused("setVariable", {{"variablesReference", arguments}, {"name", "q"}, {"value", "5"}})["id"] == 1100);
}

TEST_CASE("setExpression") {
  DapTester c;
  c.launch_and_stop();
  const int frame = c.main_frame();
  CHECK(c.ok("setExpression", {{"expression", "n"}, {"value", "5"}, {"frameId", frame}, {"format", {{"hex", true}}}}) ==
        json{{"value", "5"}, {"type", "int"}, {"variablesReference", 0}});
  CHECK(c.control().calls.back() == "set_expression n 5");
  CHECK(c.control().evaluated.format.hex);
  CHECK(c.control().evaluated.frame == FrameId{2});
  CHECK(c.refused("setExpression", {{"expression", "zz"}, {"value", "5"}})["id"] == 1102);
}

TEST_CASE("completions: the client's columns are UTF-16 units, the Control's are bytes") {
  DapTester c;
  c.launch_and_stop();
  c.control().completion = {.start = 6, .length = 2, .items = {{"count", "name", ""}, {"copy", "member", "int"}}};
  // Two bytes and one unit each; the cursor is behind "co".
  CHECK(c.ok("completions", {{"text", "\u00e4\u00e4 +co * 2"}, {"column", 7}}) ==
        json{{"targets",
              {{{"label", "count"}, {"type", "variable"}, {"start", 5}, {"length", 2}},
               {{"label", "copy"}, {"type", "field"}, {"detail", "int"}, {"start", 5}, {"length", 2}}}}});
  CHECK(c.control().calls.back() == "completions \u00e4\u00e4 +co * 2 8");
  c.control().completion.items.clear();
  CHECK(c.ok("completions", {{"text", "\U0001F600x"}, {"column", 3}}) == json{{"targets", json::array()}});
  CHECK(c.control().calls.back() == "completions \U0001F600x 4");
  c.ok("completions", {{"text", "one\ntwo"}, {"column", 3}, {"line", 2}, {"frameId", c.main_frame()}});
  CHECK(c.control().calls.back() == "completions two 2");
  c.ok("completions", {{"text", "x"}, {"column", 99}});
  CHECK(c.control().calls.back() == "completions x 1");
}

TEST_CASE("evaluate: every context, with and without a frame") {
  DapTester c;
  c.launch_and_stop();
  const int frame = c.main_frame();
  CHECK(c.ok("evaluate", {{"expression", "n"}, {"frameId", frame}, {"context", "watch"}}) ==
        json{{"result", "3"}, {"type", "int"}, {"variablesReference", 0}});
  CHECK(c.control().evaluated.frame == FrameId{2});
  const auto list = c.ok("evaluate", {{"expression", "list"}});
  CHECK(list["indexedVariables"] == 3);
  CHECK(variables(c, list["variablesReference"]).size() == 3);
  CHECK(c.control().evaluated.frame == std::nullopt);
  using enum proto::EvaluateContext;
  for (const auto& [text, context] :
       std::vector<std::pair<std::string, proto::EvaluateContext>>{{"watch", watch},
                                                                   {"hover", hover},
                                                                   {"repl", repl},
                                                                   {"clipboard", clipboard},
                                                                   {"variables", variables},
                                                                   {"other", watch}}) {
    c.ok("evaluate", {{"expression", "n"}, {"context", text}});
    CHECK_MESSAGE(c.control().evaluated.context == context, text);
  }
  c.ok("evaluate", {{"expression", "/nat n"}, {"format", {{"hex", true}}}});
  CHECK(c.control().evaluated.expression == "n");
  CHECK(c.control().evaluated.format.hex);
  // An expression's error is shown in its place, without a dialog.
  CHECK(c.refused("evaluate", {{"expression", "zz"}, {"context", "watch"}}) ==
        json{{"id", 1102}, {"format", "no symbol 'zz' in this frame"}, {"showUser", false}});
  CHECK(c.refused("evaluate", {{"expression", "n = 4"}, {"context", "hover"}})["id"] == 1102);
  for (const char* command : {"`bt", "-exec info threads", "dlv config"})
    CHECK_MESSAGE(c.refused("evaluate", {{"expression", command}, {"context", "repl"}})["id"] == 1007, command);
}

TEST_CASE("continue and the steps: what is asked of the Control, and what the client hears") {
  DapTester c;
  c.launch_and_stop();
  CHECK(c.ok("continue", {{"threadId", 4242}}) == json{{"allThreadsContinued", true}});
  CHECK(c.control().calls.back() == "resume all");
  CHECK(c.events("continued").empty());
  c.ok("pause", {{"threadId", 4242}});
  CHECK(c.last_event("stopped")["reason"] == "pause");
  c.ok("pause", {{"threadId", 4242}});  // stopped already: what it wanted
  CHECK(c.events("stopped").size() == 2);
  CHECK(c.ok("continue", {{"threadId", 4243}, {"singleThread", true}}) == json{{"allThreadsContinued", false}});
  CHECK(c.control().calls.back() == "resume 4243");
  c.ok("pause", {{"threadId", 1}});
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"next", "over"}, {"stepIn", "into"}, {"stepOut", "out"}};
  for (const auto& [command, kind] : kinds) {
    CHECK(c.ok(command, {{"threadId", 4242}}).is_null());
    CHECK(c.control().calls.back() == "step 4242 " + kind + " statement");
    for (const std::string unit : {"line", "statement", "instruction"}) {
      c.ok(command, {{"threadId", 4243}, {"granularity", unit}, {"singleThread", true}});
      CHECK(c.control().calls.back() == "step 4243 " + kind + " " + unit + " alone");
    }
  }
  CHECK(c.events("continued").empty());
  c.control().run_state = proto::RunState::running;  // somebody else's doing is news
  c.control().emit(proto::ContinuedEvent{{4242}, true});
  c.control().deliver();
  CHECK(c.events("continued").size() == 1);
}

TEST_CASE("a signal stops as an exception, with its story") {
  DapTester c;
  c.launch();
  proto::Stop stop;
  stop.reason = proto::StopReason::signal;
  stop.thread = {4243};
  stop.signal = 11;
  stop.text = "address 0x0 is not mapped";
  c.control().stop_with(stop);
  c.control().deliver();
  CHECK(c.last_event("stopped") == json{{"reason", "exception"},
                                        {"description", "Paused on SIGSEGV"},
                                        {"text", "address 0x0 is not mapped"},
                                        {"threadId", 4243},
                                        {"allThreadsStopped", true}});
  CHECK(c.ok("exceptionInfo", {{"threadId", 4243}}) ==
        json{{"exceptionId", "SIGSEGV"},
             {"description", "Segmentation fault: address 0x0 is not mapped"},
             {"breakMode", "unhandled"},
             {"details", {{"message", "Segmentation fault: address 0x0 is not mapped"}}}});
  c.control().exception = {"SIGUSR1", "User signal 1", "siginfo_t", false};
  const auto info = c.ok("exceptionInfo", {{"threadId", 4243}});
  CHECK(info["breakMode"] == "always");
  CHECK(info["details"]["typeName"] == "siginfo_t");
  c.control().failures["exception_info"] = an_error(Errc::not_available, "no signal stopped this thread");
  CHECK(c.refused("exceptionInfo", {{"threadId", 4243}})["id"] == 1104);
  for (const auto reason : {proto::StopReason::exec, proto::StopReason::error}) {
    c.control().stop_at(reason);
    c.control().deliver();
    CHECK_FALSE(c.last_event("stopped")["description"].get<std::string>().empty());
  }
}

TEST_CASE("source text, by reference and by path") {
  DapTester c;
  c.launch_and_stop();
  const int reference = c.ok("stackTrace", {{"threadId", 4242}})["stackFrames"][0]["source"]["sourceReference"];
  CHECK(c.ok("source", {{"sourceReference", reference}}) ==
        json{{"content", "int main() { return 0; }\n"}, {"mimeType", "text/x-c++"}});
  CHECK(c.ok("source", {{"sourceReference", 0}, {"source", {{"path", "/src/app.cpp"}}}})["content"] ==
        "int main() { return 0; }\n");
  CHECK(c.ok("source", {{"sourceReference", 0}, {"source", {{"sourceReference", reference}}}})["content"] ==
        "int main() { return 0; }\n");
  CHECK(c.refused("source", {{"sourceReference", 77}})["id"] == 1100);
  CHECK(c.refused("source", {{"sourceReference", 0}})["id"] == 1000);
  CHECK(c.refused("source", {{"sourceReference", 0}, {"source", {{"path", "/no"}}}})["format"] ==
        "no source text for /no");
}

TEST_CASE("modules, by pages and by events; loaded sources") {
  DapTester c;
  c.launch();
  const auto all = c.ok("modules");
  CHECK(all["totalModules"] == 2);
  CHECK(all["modules"][0] == json{{"id", 1},
                                  {"name", "app"},
                                  {"path", "/bin/app"},
                                  {"isOptimized", false},
                                  {"symbolStatus", "debug information"},
                                  {"symbolFilePath", "/bin/app"},
                                  {"addressRange", "0x400000-0x402000"}});
  CHECK(all["modules"][1]["symbolStatus"] == "symbols only");
  CHECK_FALSE(all["modules"][1].contains("isOptimized"));
  CHECK(c.ok("modules", {{"startModule", 1}, {"moduleCount", 5}})["modules"][0]["id"] == 2);
  CHECK(c.ok("modules", {{"startModule", 9}})["modules"].empty());
  c.control().emit(proto::ModuleEvent{proto::Change::added, c.control().module_list[1]});
  c.control().emit(proto::ModuleEvent{proto::Change::changed, c.control().module_list[1]});
  c.control().emit(proto::ModuleEvent{proto::Change::removed, c.control().module_list[1]});
  c.control().deliver();
  const auto events = c.events("module");
  REQUIRE(events.size() == 3);
  CHECK(events[0]["reason"] == "new");
  CHECK(events[1]["reason"] == "changed");
  CHECK(events[2]["reason"] == "removed");
  CHECK(events[2]["module"]["name"] == "libc.so.6");
  const auto sources = c.ok("loadedSources")["sources"];
  REQUIRE(sources.size() == 1);
  CHECK(sources[0]["path"] == "/src/app.cpp");
}

TEST_CASE("memory: read, read beyond, write, write beyond") {
  DapTester c;
  c.launch();
  CHECK(c.ok("readMemory", {{"memoryReference", "0x7000"}, {"count", 3}}) ==
        json{{"address", "0x7000"}, {"data", "q6ur"}});
  CHECK(c.ok("readMemory", {{"memoryReference", "0x7000"}, {"offset", 14}, {"count", 10}}) ==
        json{{"address", "0x700e"}, {"data", "q6s="}, {"unreadableBytes", 8}});
  CHECK(c.ok("readMemory", {{"memoryReference", "28672"}, {"offset", -1}, {"count", 4}}) ==
        json{{"address", "0x6fff"}, {"unreadableBytes", 4}});
  CHECK(c.ok("readMemory", {{"memoryReference", "0x7000"}, {"count", 0}}) == json{{"address", "0x7000"}});
  CHECK(c.refused("readMemory", {{"memoryReference", "x"}, {"count", 1}})["id"] == 1000);
  CHECK(c.refused("readMemory", {{"memoryReference", "0x0"}, {"offset", -1}, {"count", 1}})["id"] == 1000);
  CHECK(c.refused("readMemory", {{"memoryReference", "0x7000"}, {"count", 1ULL << 40}})["id"] == 1000);
  CHECK(c.ok("writeMemory", {{"memoryReference", "0x7000"}, {"offset", 1}, {"data", "AQI="}}) ==
        json{{"bytesWritten", 2}});
  CHECK(c.control().memory[1] == std::byte{1});
  CHECK(c.control().memory[2] == std::byte{2});
  CHECK(c.refused("writeMemory", {{"memoryReference", "0x700f"}, {"data", "AQI="}})["format"] ==
        "only 1 of 2 bytes at 0x700f could be written");
  CHECK(c.ok("writeMemory", {{"memoryReference", "0x700f"}, {"allowPartial", true}, {"data", "AQI="}}) ==
        json{{"bytesWritten", 1}});
  CHECK(
      c.refused("writeMemory", {{"memoryReference", "0x7000"}, {"data", "?"}})["format"].get<std::string>().starts_with(
          "arguments.data: "));
}

TEST_CASE("disassemble gives as many instructions as asked, invalid ones where there is no code") {
  DapTester c;
  c.launch();
  const auto list = c.ok("disassemble", {{"memoryReference", "0x401010"},
                                         {"instructionOffset", -2},
                                         {"instructionCount", 5},
                                         {"resolveSymbols", true}})["instructions"];
  REQUIRE(list.size() == 5);
  CHECK(list[0]["presentationHint"] == "invalid");
  CHECK(list[1]["address"] == "0x40100f");
  CHECK(list[2]["address"] == "0x401010");
  CHECK(list[2]["instruction"] == "push rbp");
  CHECK(list[2]["instructionBytes"] == "55");
  CHECK(list[2]["symbol"] == "compute(int)");
  CHECK(list[2]["line"] == 6);
  CHECK(list[2]["location"]["path"] == "/src/app.cpp");
  CHECK(list[3]["instructionBytes"] == "48 89 e5");
  CHECK(list[4] == json{{"address", "0x401014"}, {"instruction", "??"}, {"presentationHint", "invalid"}});
  c.control().failures["disassemble"] = an_error(Errc::bad_address, "not mapped");
  const auto nothing = c.ok("disassemble", {{"memoryReference", "0x10"}, {"instructionCount", 2}})["instructions"];
  CHECK(nothing.size() == 2);
  CHECK(nothing[1]["address"] == "0x11");
  CHECK(c.refused("disassemble", {{"memoryReference", "0x10"}, {"instructionCount", 2000000}})["id"] == 1000);
  CHECK(c.ok("disassemble", {{"memoryReference", "0x10"}, {"instructionCount", 0}})["instructions"].empty());
}

TEST_CASE("output: categories, log points with their place, characters cut in two") {
  DapTester c;
  c.launch();
  const auto say = [&](proto::OutputCategory category, std::string text, std::string file = "", Line line = {}) {
    c.control().emit(proto::OutputEvent{category, std::move(text), std::move(file), line});
    c.control().deliver();
  };
  say(proto::OutputCategory::out, "one\n");
  say(proto::OutputCategory::err, "two\n");
  say(proto::OutputCategory::console, "n=3\n", "/src/app.cpp", {7});
  say(proto::OutputCategory::important, "mind\n");
  CHECK(c.outputs("stdout") == "one\n");
  CHECK(c.outputs("stderr") == "two\n");
  CHECK(c.outputs("important") == "mind\n");
  const auto log = c.events("output")[2];
  CHECK(log["category"] == "console");
  CHECK(log["source"]["path"] == "/src/app.cpp");
  CHECK(log["line"] == 7);
  // "ü" and "€" in pieces; the two streams do not mix.
  say(proto::OutputCategory::out, "a\xc3");
  say(proto::OutputCategory::err, "\xe2\x82");
  say(proto::OutputCategory::out, "\xbc");
  say(proto::OutputCategory::err, "\xac!");
  CHECK(c.outputs("stdout") == "one\naü");
  CHECK(c.outputs("stderr") == "two\n€!");
  say(proto::OutputCategory::out, "\xff ok");  // never was a character: passed on
  CHECK(c.outputs("stdout") == "one\naü\xff ok");
  say(proto::OutputCategory::out, "\xf0\x9f");
  c.control().exit_with({0, 0, false});
  c.control().deliver();
  CHECK(c.outputs("stdout") == "one\naü\xff ok\xf0\x9f");  // what the program left unfinished is not lost
}
