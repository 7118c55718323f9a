#include "dap/launch_arguments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dap/launch_table.hpp"
#include "proto/wire/schema.hpp"

using namespace trapline;
using dap::StartKind;
using dap::StartRequest;
using nlohmann::json;

namespace {

StartRequest parse(StartKind kind, const char* text) {
  auto request = dap::parse_start(kind, json::parse(text));
  REQUIRE_MESSAGE(request.has_value(), (request ? "" : request.error().message));
  return *request;
}
// Launches /p with more arguments.
StartRequest launch(const std::string& more) {
  return parse(StartKind::launch, ("{\"program\":\"/p\"" + (more.empty() ? "" : "," + more) + "}").c_str());
}
StartRequest attach(const std::string& more) {
  return parse(StartKind::attach, ("{\"pid\":7" + (more.empty() ? "" : "," + more) + "}").c_str());
}
Error refused(StartKind kind, const char* text) {
  auto request = dap::parse_start(kind, json::parse(text));
  REQUIRE_FALSE(request.has_value());
  return request.error();
}
std::string notices(const StartRequest& request) {
  std::string all;
  for (const auto& notice : request.notices)
    all += (notice.category == proto::OutputCategory::important ? "! " : "- ") + notice.text + "\n";
  return all;
}
using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;
using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("launch without options has the documented defaults") {
  const auto request = launch("");
  CHECK(request.launch.program == "/p");
  CHECK(request.launch.args.empty());
  CHECK(request.launch.inherit_env);
  CHECK(request.launch.disable_aslr);
  CHECK(request.launch.detach_on_error);
  CHECK(request.launch.stop_at == proto::StopAt::nowhere);
  CHECK(request.launch.graceful_signal == "SIGTERM");
  CHECK(request.launch.timeout == std::chrono::seconds(30));
  CHECK(request.launch.sources.just_my_code);
  CHECK(request.console == std::nullopt);
  CHECK(request.on_disconnect == dap::OnDisconnect::as_started);
  CHECK(notices(request).empty());
}

TEST_CASE("launch: each key of its own reaches the specification") {
  CHECK(launch(R"("args":["a","b c"])").launch.args == Strings{"a", "b c"});
  CHECK(launch(R"("args":"a 'b c' \"d \\\" e\" f\\ g")").launch.args == Strings{"a", "b c", "d \" e", "f g"});
  CHECK(launch(R"("cwd":"/tmp")").launch.cwd == "/tmp");
  CHECK(launch(R"("env":{"A":"1","B":null})").launch.env == Pairs{{"A", "1"}, {"B", std::nullopt}});
  CHECK(launch(R"("env":["B=2","A=x=y"])").launch.env == Pairs{{"B", "2"}, {"A", "x=y"}});
  CHECK(launch(R"("inheritEnv":false)").launch.inherit_env == false);
  CHECK(launch(R"("envFile":"/e")").launch.env_file == "/e");
  CHECK(launch(R"("stopOnEntry":true)").launch.stop_at == proto::StopAt::entry);
  CHECK(launch(R"("stopOnEntry":"entry")").launch.stop_at == proto::StopAt::entry);
  CHECK(launch(R"("stopOnEntry":"main")").launch.stop_at == proto::StopAt::main);
  CHECK(launch(R"("stopOnEntry":false)").launch.stop_at == proto::StopAt::nowhere);
  CHECK(launch(R"("console":"internalConsole")").console == proto::Console::internal);
  CHECK(launch(R"("console":"externalTerminal")").console == proto::Console::external);
  const auto list = launch(R"("stdio":[null,"/o"])").launch.stdio;
  CHECK(list.in.empty());
  CHECK(list.out == "/o");
  const auto named = launch(R"("stdio":{"stdin":"/i","stderr":"/e"})").launch.stdio;
  CHECK(named.in == "/i");
  CHECK(named.out.empty());
  CHECK(named.err == "/e");
  CHECK(launch(R"("disableASLR":false)").launch.disable_aslr == false);
  CHECK(launch(R"("noDebug":true)").launch.no_debug);
  CHECK(launch(R"("wrapper":["numactl","-N0"])").launch.wrapper == Strings{"numactl", "-N0"});
  CHECK(launch(R"("user":"nobody")").launch.user == "nobody");
  CHECK(launch(R"("detachOnError":false)").launch.detach_on_error == false);
  CHECK(launch(R"("gracefulShutdown":"SIGINT")").launch.graceful_signal == "SIGINT");
  CHECK(launch(R"("gracefulShutdown":["quit","USR1","TERM"])").launch.graceful_signal == "SIGUSR1");
  const auto shell = launch(R"("shellExpandArguments":true,"wrapper":["time"])").launch.wrapper;
  REQUIRE(shell.size() == 4);
  CHECK(shell[0] == "time");
  CHECK(shell[1] == "/bin/sh");
}

TEST_CASE("launch: the aliases of other debuggers") {
  CHECK(launch(R"("environment":[{"name":"A","value":"1"}])").launch.env == Pairs{{"A", "1"}});
  CHECK(launch(R"("stopAtEntry":true)").launch.stop_at == proto::StopAt::main);
  CHECK(launch(R"("stopAtEntry":false)").launch.stop_at == proto::StopAt::nowhere);
  CHECK(launch(R"("stopAtBeginningOfMainSubprogram":true)").launch.stop_at == proto::StopAt::main);
  CHECK(launch(R"("terminal":"console")").console == proto::Console::internal);
  CHECK(launch(R"("terminal":"integrated")").console == proto::Console::integrated);
  CHECK(launch(R"("terminal":"external")").console == proto::Console::external);
  CHECK(launch(R"("externalConsole":true)").console == proto::Console::external);
  CHECK(launch(R"("externalConsole":false)").console == std::nullopt);
  CHECK(launch(R"("externalConsole":{"path":"x-term"})").console == proto::Console::external);
  CHECK(launch(R"("runInTerminal":true)").console == proto::Console::integrated);
  CHECK(launch(R"("runInTerminal":false)").console == proto::Console::internal);
  const auto files = launch(R"("stdinFrom":"/i","stdoutTo":"/o","stderrTo":"/e")").launch.stdio;
  CHECK(files.in == "/i");
  CHECK(files.out == "/o");
  CHECK(files.err == "/e");
  CHECK(launch(R"("disableSTDIO":true)").launch.stdio.out == "/dev/null");
  CHECK(launch(R"("disableSTDIO":false)").launch.stdio.out.empty());
  CHECK(launch(R"("onTerminate":"KeyboardInterrupt")").launch.graceful_signal == "SIGINT");
  // The canonical name has the last word.
  CHECK(launch(R"("stopAtEntry":true,"stopOnEntry":"entry")").launch.stop_at == proto::StopAt::entry);
}

TEST_CASE("common: source paths of every dialect") {
  const auto map = [](const std::string& more) { return launch(more).launch.sources.source_map; };
  CHECK(map(R"("sourceMap":{"/a":"/x","/a/b":"/y","/hide":null})") ==
        Pairs{{"/hide", std::nullopt}, {"/a/b", "/y"}, {"/a", "/x"}});
  CHECK(map(R"("sourceMap":[["/a","/x"],["/a/b",null]])") == Pairs{{"/a", "/x"}, {"/a/b", std::nullopt}});
  CHECK(map(R"("sourceFileMap":{"/a":{"editorPath":"/x","useForBreakpoints":true},"/b":"/z"})") ==
        Pairs{{"/a", "/x"}, {"/b", "/z"}});
  CHECK(map(R"("substitutePath":[{"from":"/mine","to":"/built"}])") == Pairs{{"/built", "/mine"}});
  CHECK(map(R"("pathMappings":[{"localRoot":"/mine","remoteRoot":"/built"}])") == Pairs{{"/built", "/mine"}});
  CHECK(refused(StartKind::launch, R"({"program":"/p","sourceMap":[["/a"]]})").message ==
        "launch: sourceMap: each element is a pair [from, to]");
  CHECK(launch(R"("relativePathBase":"/w")").launch.sources.relative_path_base == "/w");
  CHECK(launch(R"("sourcePath":"/w")").launch.sources.relative_path_base == "/w");
  CHECK(attach(R"("debuggerRoot":"/w")").attach.sources.relative_path_base == "/w");
}

TEST_CASE("common: what reaches launch and attach alike") {
  CHECK(attach(R"("justMyCode":false)").attach.sources.just_my_code == false);
  CHECK(launch(R"("ignoreStandardLibrary":false)").launch.sources.just_my_code == false);
  CHECK(launch(R"("skipFiles":["/usr/**"])").launch.sources.skip_files == Strings{"/usr/**"});
  CHECK(launch(R"("visualizers":["a.natvis","b"])").launch.sources.visualizers == Strings{"a.natvis", "b"});
  CHECK(launch(R"("visualizerFile":"c.natvis")").launch.sources.visualizers == Strings{"c.natvis"});
  CHECK(launch(R"("skipFunctions":"std::*")").launch.sources.skip_functions == Strings{"std::*"});
  CHECK(launch(R"("step-avoid-regexp":"^std::")").launch.sources.skip_functions == Strings{"^std::"});
  CHECK(launch(R"("symbols":{"searchPaths":["/d"]})").launch.sources.debug_file_dirs == Strings{"/d"});
  CHECK(launch(R"("symbols":{"exclude":["libc*"]})").launch.sources.symbols_exclude == Strings{"libc*"});
  CHECK(launch(R"("symbolLoadInfo":{"loadAll":true,"exceptionList":"a.so;b*.so"})").launch.sources.symbols_exclude ==
        Strings{"a.so", "b*.so"});
  CHECK(launch("").launch.sources.debuginfod.use == proto::Debuginfod::automatic);
  const auto fetched =
      launch(R"("debuginfod":{"urls":["http://a","http://b"],"timeout":7.5,"cache":"/c"})").launch.sources.debuginfod;
  CHECK(fetched.use == proto::Debuginfod::on);
  CHECK(fetched.urls == Strings{"http://a", "http://b"});
  CHECK(fetched.timeout == std::chrono::seconds(7));
  CHECK(fetched.cache == "/c");
  CHECK(launch(R"("debuginfod":{"enabled":true,"timeout":30})").launch.sources.debuginfod.use == proto::Debuginfod::on);
  CHECK(launch(R"("debuginfod":{"enabled":"cached","urls":"http://a"})").launch.sources.debuginfod.use ==
        proto::Debuginfod::cached);
  CHECK_FALSE(launch("").launch.sources.load_eagerly);
  CHECK(launch(R"("symbols":{"load":"eager"})").launch.sources.load_eagerly);
  CHECK(launch(R"("debuginfod":{"enabled":false})").launch.sources.debuginfod.use == proto::Debuginfod::off);
  CHECK(launch(R"("debuginfod":{"enabled":"cached"})").launch.sources.debuginfod.use == proto::Debuginfod::cached);
  CHECK(launch(R"("additionalSOLibSearchPath":"/a;/b;")").launch.sources.debug_file_dirs == Strings{"/a", "/b"});
  CHECK(attach(R"("symbolSearchPath":"/a")").attach.sources.debug_file_dirs == Strings{"/a"});
  CHECK(launch(R"("evaluation":{"timeoutMs":250})").launch.evaluation.timeout == std::chrono::milliseconds(250));
  CHECK(attach(R"("evaluationTimeout":3)").attach.evaluation.timeout == std::chrono::seconds(3));
  CHECK(launch(R"("evaluation":{"allowCalls":"never"})").launch.evaluation.allow_calls == proto::CallsAllowed::never);
  CHECK(launch(R"("timeout":5)").launch.timeout == std::chrono::seconds(5));
  CHECK(attach(R"("serverLaunchTimeout":1500)").attach.timeout == std::chrono::seconds(2));
  const auto signals =
      attach(R"("signals":{"USR1":{"stop":false},"SIGPIPE":{"stop":false,"pass":false,"print":false}})");
  REQUIRE(signals.attach.signals.size() == 2);
  CHECK(signals.attach.signals.at("SIGUSR1").stop == false);
  CHECK(signals.attach.signals.at("SIGUSR1").pass == true);
  CHECK(signals.attach.signals.at("SIGPIPE").pass == false);
  CHECK(refused(StartKind::launch, R"({"program":"/p","signals":{"SIGNIX":{}}})").message ==
        "launch: signals: 'SIGNIX' is no signal");
  const auto shown = launch(R"("presentation":{"hex":true,"registers":false,"globals":false})");
  CHECK(shown.hex);
  CHECK_FALSE(shown.show_registers);
  CHECK_FALSE(shown.show_globals);
  CHECK_FALSE(launch(R"("showRegisters":false)").show_registers);
  CHECK_FALSE(launch(R"("showGlobalVariables":false)").show_globals);
  CHECK(launch(R"("commandEscapePrefix":"!")").command_prefix == "!");
  CHECK(attach(R"("session":"s1")").session == "s1");
  CHECK(attach(R"("session":{"targetId":3,"debuggerId":1})").session == "3");
}

TEST_CASE("attach: the process, in every spelling") {
  CHECK(parse(StartKind::attach, R"({"pid":12})").attach.pid == Pid{12});
  CHECK(parse(StartKind::attach, R"({"pid":"12"})").attach.pid == Pid{12});
  CHECK(parse(StartKind::attach, R"({"processId":"12"})").attach.pid == Pid{12});
  CHECK(parse(StartKind::attach, R"({"name":"redis-*"})").attach.name == "redis-*");
  CHECK(parse(StartKind::attach, R"({"processName":"redis","name":"my label"})").attach.name == "redis");
  // An editor sends its whole configuration: `name` is the title in there.
  const auto titled = refused(StartKind::attach, R"({"type":"trapline","request":"attach","name":"redis"})");
  CHECK(titled.message ==
        "attach: which process? neither pid nor processName is given, and `name` is this configuration's title");
  CHECK(titled.hint == R"(set "pid" to its number, or "processName" to its program's name)");
  CHECK(parse(StartKind::attach, R"({"type":"t","request":"attach","name":"my label","processName":"redis"})")
            .attach.name == "redis");
  CHECK(refused(StartKind::attach, R"({"request":"attach","name":"redis","waitFor":true})").code == Errc::bad_request);
  const auto by_program =
      parse(StartKind::attach, R"({"type":"trapline","name":"my label","program":"/opt/redis-server"})");
  CHECK(by_program.attach.name == "redis-server");
  CHECK(by_program.attach.program == "/opt/redis-server");
  CHECK(parse(StartKind::attach, R"({"pid":12,"name":"my label"})").attach.name.empty());
  const auto waiting = parse(StartKind::attach, R"({"waitFor":"job"})");
  CHECK(waiting.attach.wait_for);
  CHECK(waiting.attach.name == "job");
  CHECK(parse(StartKind::attach, R"({"waitFor":true,"name":"job"})").attach.wait_for);
  CHECK_FALSE(parse(StartKind::attach, R"({"waitFor":false,"name":"job"})").attach.wait_for);
  CHECK(attach("").attach.stop_on_attach == false);
  CHECK(attach(R"("stopOnAttach":true)").attach.stop_on_attach);
  CHECK(attach(R"("stopOnEntry":true)").attach.stop_on_attach);
  CHECK(attach(R"("stopOnEntry":false)").attach.stop_on_attach == false);
  CHECK(attach(R"("onDisconnect":"terminate")").on_disconnect == dap::OnDisconnect::terminate);
  CHECK(attach(R"("onDisconnect":"detach")").on_disconnect == dap::OnDisconnect::detach);
  const auto nothing = refused(StartKind::attach, "{}");
  CHECK(nothing.message == "attach: which process? neither pid nor name is given");
  CHECK_FALSE(nothing.hint.empty());
  CHECK(refused(StartKind::attach, R"({"pid":"${command:pickProcess}"})").message ==
        "attach: pid: '${command:pickProcess}' is no process number");
  CHECK(refused(StartKind::attach, R"({"pid":0})").message == "attach: pid: 0 is no process number");
  CHECK(refused(StartKind::attach, R"({"pid":99999999999})").code == Errc::bad_request);
}

TEST_CASE("a wrong type is an error with its way, under the name that the user wrote") {
  CHECK(refused(StartKind::launch, R"({"program":5})").message == "launch: program: expected string, got integer");
  CHECK(refused(StartKind::launch, R"({"program":"/p","args":["a",2]})").message ==
        "launch: args[1]: expected string, got integer");
  CHECK(refused(StartKind::launch, R"({"program":"/p","stopAtEntry":"yes"})").message ==
        "launch: stopAtEntry: expected boolean, got string");
  CHECK(refused(StartKind::launch, R"({"program":"/p","env":{"A":1}})").message ==
        "launch: env.A: expected string or null, got integer");
  CHECK(refused(StartKind::launch, R"({"program":"/p","env":["A"]})").message ==
        "launch: env[0]: expected NAME=VALUE, got 'A'");
  CHECK(refused(StartKind::launch, R"({"program":"/p","environment":[{"name":"A"}]})").message ==
        "launch: environment[0].value: is missing");
  CHECK(refused(StartKind::launch, R"({"program":"/p","console":"tmux"})").message ==
        "launch: console: \"tmux\" is none of internalConsole, integratedTerminal, externalTerminal");
  CHECK(refused(StartKind::launch, R"({"program":"/p","args":"a 'b"})").message ==
        "launch: args: the quote ' does not end");
  CHECK(refused(StartKind::launch, "{}").message == "launch: program: is missing");
  CHECK(refused(StartKind::launch, "[]").code == Errc::bad_request);
}

TEST_CASE(
    "an unknown key is named with the nearest known one, a foreign one is named once, an editor's own not at all") {
  CHECK(notices(launch(R"("stopOnEntri":true)")) ==
        "! unknown launch argument 'stopOnEntri' has no effect; did you mean 'stopOnEntry'?\n");
  CHECK(notices(launch(R"("zzzzzzzz":1)")) == "! unknown launch argument 'zzzzzzzz' has no effect\n");
  CHECK(notices(launch(R"("pid":1)")) == "- 'pid' is an argument of attach and has no effect on launch\n");
  CHECK(notices(attach(R"("args":[])")) == "- 'args' is an argument of launch and has no effect on attach\n");
  CHECK(notices(launch(R"("MIMode":"gdb","miDebuggerPath":"/usr/bin/gdb","targetArchitecture":"x64")")) ==
        "- ignored, since they mean nothing to trapline: MIMode, miDebuggerPath, targetArchitecture\n");
  CHECK(notices(launch(R"("type":"trapline","request":"launch","name":"n","__sessionId":"1","__configurationTarget":6,
    "preLaunchTask":"b","postDebugTask":"c","presentation":{"hidden":false,"group":"g","order":1},
    "internalConsoleOptions":"neverOpen","debugServer":4711,"serverReadyAction":{},
    "suppressMultipleSessionWarning":true)"))
            .empty());
}

TEST_CASE("what this version does not have is refused or warned about, never silent") {
  for (const char* text : {R"({"program":"/p","coreFile":"/c"})", R"({"program":"/p","coreDumpPath":"/c"})",
                           R"({"program":"/p","record":true})", R"({"program":"/p","reverseDebugging":true})",
                           R"({"program":"/p","replay":"/r"})", R"({"program":"/p","traceDirPath":"/r"})",
                           R"({"program":"/p","connect":"h:1"})", R"({"program":"/p","miDebuggerServerAddress":"h:1"})",
                           R"({"program":"/p","cargo":{}})", R"({"program":"/p","mode":"test"})",
                           R"({"program":"/p","test":{}})", R"({"program":"/p","agent":"require"})"}) {
    const auto error = refused(StartKind::launch, text);
    CHECK_MESSAGE(error.code == Errc::unsupported, text);
  }
  CHECK(refused(StartKind::attach, R"({"pid":1,"container":"c"})").code == Errc::unsupported);
  CHECK(refused(StartKind::attach, R"({"pid":1,"pipeTransport":{}})").code == Errc::unsupported);
  CHECK(refused(StartKind::attach, R"({"name":"x","all":true})").code == Errc::unsupported);
  for (const char* more : {R"("initCommands":["x"])",
                           R"("setupCommands":[{"text":"x"}])",
                           R"("preRunCommands":["x"])",
                           R"("postRunCommands":["x"])",
                           R"("postRemoteConnectCommands":[{"text":"x"}])",
                           R"("stopCommands":["x"])",
                           R"("preTerminateCommands":["x"])",
                           R"("terminateCommands":["x"])",
                           R"("exitCommands":["x"])",
                           R"("followChildren":"all")",
                           R"("followExec":true)",
                           R"("subProcess":true)",
                           R"("attachOnFork":true)",
                           R"("followForkMode":"child")",
                           R"("followChildrenFilter":{"include":["x"]})",
                           R"("stopMode":"thread")",
                           R"("allStopMode":false)",
                           R"("noSingleThreadControl":false)",
                           R"("breakpointBehavior":"Stop single thread")",
                           R"("evaluation":{"maxChildren":1})",
                           R"("maxStringLen":3)",
                           R"("maxArrayValues":3)",
                           R"("failureCapture":true)",
                           R"("trace":[{"at":"f"}])",
                           R"("breakpointMode":"file")",
                           R"("hardwareBreakpoints":{"require":true})",
                           R"("expressions":"python")",
                           R"("role":"viewer")",
                           R"("customFrameFormat":"x")",
                           R"("customThreadFormat":"x")",
                           R"("stdio":[null,null,null,"/x"])"}) {
    const auto said = notices(launch(more));
    CHECK_MESSAGE(said.starts_with("! "), more);
  }
  CHECK(notices(attach(R"("onDisconnect":"keep")")).starts_with("! "));
  // Asking for nothing needs no warning.
  CHECK(notices(launch(R"("initCommands":[],"record":false,"followChildren":false,"stopMode":"all","agent":"auto",
    "trace":[],"visualizers":[],"debuginfod":{"enabled":false},"breakpointMode":"auto","expressions":"native",
    "failureCapture":false,"hardwareBreakpoints":{},"evaluation":{},"mode":"exec","followForkMode":"parent")"))
            .empty());
}

TEST_CASE("launch.json files of other debuggers work by changing only the type") {
  // cpptools, "(gdb) Launch"
  const auto cppdbg = parse(StartKind::launch, R"({"name":"(gdb) Launch","type":"trapline","request":"launch",
    "program":"/w/a.out","args":["-v"],"stopAtEntry":true,"cwd":"/w","environment":[{"name":"A","value":"1"}],
    "externalConsole":false,"MIMode":"gdb","miDebuggerPath":"/usr/bin/gdb","sourceFileMap":{"/build":"/w"},
    "logging":{"engineLogging":false},
    "setupCommands":[{"description":"Enable pretty-printing","text":"-enable-pretty-printing","ignoreFailures":true}]})");
  CHECK(cppdbg.launch.program == "/w/a.out");
  CHECK(cppdbg.launch.args == Strings{"-v"});
  CHECK(cppdbg.launch.stop_at == proto::StopAt::main);
  CHECK(cppdbg.launch.env == Pairs{{"A", "1"}});
  CHECK(cppdbg.launch.sources.source_map == Pairs{{"/build", "/w"}});
  CHECK(notices(cppdbg) ==
        "! 'setupCommands' is not available in this version and has no effect\n"
        "- ignored, since they mean nothing to trapline: MIMode, logging, miDebuggerPath\n");
  // cpptools attach
  const auto picked = parse(StartKind::attach, R"({"name":"(gdb) Attach","type":"trapline","request":"attach",
    "program":"/w/a.out","processId":"4711","MIMode":"gdb"})");
  CHECK(picked.attach.pid == Pid{4711});
  CHECK(picked.attach.program == "/w/a.out");
  CHECK(picked.attach.name.empty());
  // CodeLLDB
  const auto code_lldb = parse(StartKind::launch, R"({"type":"trapline","request":"launch","name":"n","program":"/w/a",
    "args":"-a 'b c'","terminal":"external","stdio":["/i",null,null],"sourceMap":{"/b":"/w"},"expressions":"native",
    "initCommands":["settings set x y"],"sourceLanguages":["cpp"]})");
  CHECK(code_lldb.launch.args == Strings{"-a", "b c"});
  CHECK(code_lldb.console == proto::Console::external);
  CHECK(code_lldb.launch.stdio.in == "/i");
  CHECK(notices(code_lldb) ==
        "! 'initCommands' is not available in this version and has no effect\n"
        "- ignored, since they mean nothing to trapline: sourceLanguages\n");
  // lldb-dap
  const auto lldb_dap = parse(StartKind::launch, R"({"type":"trapline","request":"launch","name":"n","program":"/w/a",
    "env":["A=1"],"stopOnEntry":true,"runInTerminal":true,"sourceMap":[["/b","/w"]],"disableASLR":false,
    "detachOnError":true,"shellExpandArguments":false,"timeout":10,"enableAutoVariableSummaries":true})");
  CHECK(lldb_dap.launch.stop_at == proto::StopAt::entry);
  CHECK(lldb_dap.console == proto::Console::integrated);
  CHECK(lldb_dap.launch.wrapper.empty());
  CHECK(parse(StartKind::attach, R"({"type":"trapline","request":"attach","name":"n","program":"/w/a","waitFor":true})")
            .attach.name == "a");
  CHECK(refused(StartKind::attach, R"({"type":"trapline","name":"n","program":"/w/a","coreFile":"/c"})").message ==
        "attach: 'coreFile' is not available in this version");
  // GDB's own adapter, as nvim-dap's wiki has it
  CHECK(parse(StartKind::launch, R"({"name":"Launch","type":"gdb","request":"launch","program":"/w/a","args":[],
    "cwd":"/w","stopAtBeginningOfMainSubprogram":true})")
            .launch.stop_at == proto::StopAt::main);
  // Zed
  CHECK(notices(parse(StartKind::launch,
                      R"({"label":"l","adapter":"trapline","request":"launch","program":"/w/a","cwd":"/w"})"))
            .empty());
  // vimspector and helix
  const auto vim = parse(StartKind::launch, R"({"request":"launch","program":"/w/a","stopAtEntry":true,
    "externalConsole":false,"MIMode":"gdb"})");
  CHECK(vim.launch.stop_at == proto::StopAt::main);
  CHECK(parse(StartKind::launch, R"({"program":"/w/a","runInTerminal":true})").console == proto::Console::integrated);
}

TEST_CASE("the schema comes from the same table") {
  const auto launch_schema = dap::launch_schema();
  const auto attach_schema = dap::attach_schema();
  CHECK(launch_schema["required"] == json::array({"program"}));
  CHECK(launch_schema["properties"]["stopOnEntry"]["default"] == false);
  CHECK(launch_schema["properties"]["stopAtEntry"]["description"] == "Another name for `stopOnEntry`.");
  CHECK(attach_schema["properties"].contains("pid"));
  CHECK_FALSE(launch_schema["properties"].contains("pid"));
  CHECK_FALSE(attach_schema["properties"].contains("args"));
  for (const auto* schema : {&launch_schema, &attach_schema})
    for (const auto& [name, property] : (*schema)["properties"].items()) {
      CHECK_MESSAGE((property.contains("type") || property.contains("anyOf")), name);
      CHECK_MESSAGE(property["description"].get<std::string>().size() > 10, name);
      if (property.contains("default"))  // a default that its own type refuses would be refused by the parser, too
        CHECK_MESSAGE(wire::check_schema(property, property["default"], name, property).has_value(), name);
    }
}

TEST_CASE("no name stands twice in the table, and none is both known and ignored") {
  for (const auto kind : {dap::Where::launch, dap::Where::attach}) {
    std::vector<std::string_view> names;
    for (const auto& row : dap::rows()) {
      if (row.where != dap::Where::both && row.where != kind) continue;
      names.push_back(row.name);
      for (const auto& alias : row.aliases) names.push_back(alias.name);
    }
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    CHECK_MESSAGE(twice == names.end(), (twice == names.end() ? "" : std::string(*twice)));
    for (const auto foreign : dap::foreign_keys())
      CHECK_MESSAGE(!std::ranges::binary_search(names, foreign), std::string(foreign));
  }
}

TEST_CASE("every documented key is accepted with its default, and does nothing then") {
  for (const auto& row : dap::rows()) {
    if (row.fallback.empty()) continue;
    json arguments{{"program", "/p"}, {"pid", 1}};
    const auto kind = row.where == dap::Where::attach ? StartKind::attach : StartKind::launch;
    if (kind == StartKind::launch) arguments.erase("pid");
    arguments[std::string(row.name)] = json::parse(row.fallback);
    const auto request = dap::parse_start(kind, arguments);
    REQUIRE_MESSAGE(request.has_value(), std::string(row.name));
    CHECK_MESSAGE(notices(*request).empty(), std::string(row.name));
  }
}
