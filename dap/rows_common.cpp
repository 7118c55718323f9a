// Arguments that launch and attach share.
#include <fmt/format.h>

#include <algorithm>

#include "dap/rows.hpp"

namespace trapline::dap {
namespace {

using nlohmann::json;

constexpr std::string_view boolean = R"({"type":"boolean"})";
constexpr std::string_view text = R"({"type":"string"})";
constexpr std::string_view texts = R"({"type":"array","items":{"type":"string"}})";
constexpr std::string_view text_or_texts =
    R"({"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]})";
constexpr std::string_view object = R"({"type":"object"})";
constexpr std::string_view anything = R"({"type":["boolean","string","array","object","number"]})";

json as_list(const json& value) { return value.is_array() ? value : json::array({value}); }

// ---- source paths: [[from, to], ...]; `from` is what the debug information says, `to` where it is here; null hides.

void apply_source_map(Draft& draft, const json& value) {
  std::vector<std::pair<std::string, std::optional<std::string>>> map;
  if (value.is_array()) {
    for (const auto& pair : value) {
      if (pair.size() != 2 || !pair[0].is_string())
        return draft.refuse(Errc::bad_request, "sourceMap: each element is a pair [from, to]");
      map.emplace_back(pair[0].get<std::string>(),
                       pair[1].is_string() ? std::optional(pair[1].get<std::string>()) : std::nullopt);
    }
  } else {
    for (const auto& [from, to] : value.items())
      map.emplace_back(from, to.is_string() ? std::optional(to.get<std::string>()) : std::nullopt);
    // An object has no order of its own: the more of a path a prefix names, the earlier it is tried.
    std::ranges::stable_sort(map, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  }
  auto& all = draft.sources().source_map;
  all.insert(all.begin(), std::make_move_iterator(map.begin()), std::make_move_iterator(map.end()));
}

// cpptools allows {"/build": {"editorPath": "/home/me/src", "useForBreakpoints": true}}.
json from_source_file_map(const json& value) {
  json map = json::object();
  for (const auto& [from, to] : value.items()) map[from] = to.is_object() ? json(to.value("editorPath", "")) : to;
  return map;
}

// delve's pairs go from the editor's path to the debugger's: the other way round than everybody else's.
json from_substitute_path(const json& value) {
  json map = json::array();
  for (const auto& pair : value) map.push_back({pair.value("to", ""), pair.value("from", "")});
  return map;
}

json from_path_mappings(const json& value) {
  json map = json::array();
  for (const auto& pair : value) map.push_back({pair.value("remoteRoot", ""), pair.value("localRoot", "")});
  return map;
}

void apply_relative_path_base(Draft& draft, const json& value) {
  draft.sources().relative_path_base = value.get<std::string>();
}

void append(std::vector<std::string>& list, const json& more) {
  for (const auto& one : more) list.push_back(one.get<std::string>());
}

void apply_skip_files(Draft& draft, const json& value) { append(draft.sources().skip_files, as_list(value)); }
void apply_skip_functions(Draft& draft, const json& value) { append(draft.sources().skip_functions, as_list(value)); }
void apply_visualizers(Draft& draft, const json& value) { append(draft.sources().visualizers, as_list(value)); }
void apply_just_my_code(Draft& draft, const json& value) { draft.sources().just_my_code = value.get<bool>(); }

// ---- symbols

void apply_symbols(Draft& draft, const json& value) {
  if (const auto paths = value.find("searchPaths"); paths != value.end())
    append(draft.sources().debug_file_dirs, as_list(*paths));
  draft.sources().load_eagerly = value.value("load", "lazy") == "eager";
  draft.sources().index_dir = value.value("cacheDir", "");
  if (const auto globs = value.find("exclude"); globs != value.end())
    append(draft.sources().symbols_exclude, as_list(*globs));
}

json from_symbol_load_info(const json& value) {
  // cpptools: globs with ';' between them. They are exceptions from "load all", or from "load none".
  if (!value.value("loadAll", true)) return nullptr;
  json globs = json::array();
  std::string rest = value.value("exceptionList", "");
  while (!rest.empty()) {
    const auto cut = rest.find(';');
    if (cut != 0) globs.push_back(rest.substr(0, cut));
    rest = cut == std::string::npos ? "" : rest.substr(cut + 1);
  }
  if (globs.empty()) return nullptr;
  return {{"exclude", std::move(globs)}};
}

json from_search_path(const json& value) {  // cpptools: one string, parts separated by ';'
  json paths = json::array();
  std::string rest = value.get<std::string>();
  while (!rest.empty()) {
    const auto cut = rest.find(';');
    if (cut != 0) paths.push_back(rest.substr(0, cut));
    rest = cut == std::string::npos ? "" : rest.substr(cut + 1);
  }
  return {{"searchPaths", std::move(paths)}};
}

void apply_debuginfod(Draft& draft, const json& value) {
  auto& options = draft.sources().debuginfod;
  if (const auto urls = value.find("urls"); urls != value.end()) append(options.urls, as_list(*urls));
  if (!options.urls.empty()) options.use = proto::Debuginfod::on;
  if (const auto enabled = value.find("enabled"); enabled != value.end())
    options.use = *enabled == "cached" ? proto::Debuginfod::cached
                  : *enabled == true   ? proto::Debuginfod::on
                                       : proto::Debuginfod::off;
  if (const auto timeout = value.find("timeout"); timeout != value.end())
    options.timeout =
        std::chrono::seconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(timeout->get<double>())));
  options.cache = value.value("cache", "");
}

// ---- signals, time

void apply_signals(Draft& draft, const json& value) {
  for (const auto& [name, policy] : value.items()) {
    const auto known = signal_name(name);
    if (!known)
      return draft.refuse(Errc::bad_request, "signals: " + known.error().message, "write it as in signal(7): SIGUSR1");
    draft.signals()[*known] = {policy.value("stop", true), policy.value("pass", true), policy.value("print", true)};
  }
}

void apply_timeout(Draft& draft, const json& value) {
  const std::chrono::seconds timeout(static_cast<std::int64_t>(value.get<double>() + 0.999));
  draft.request.launch.timeout = draft.request.attach.timeout = timeout;
}

json from_milliseconds(const json& value) { return value.get<double>() / 1000; }
json to_milliseconds(const json& value) { return {{"timeoutMs", value.get<double>() * 1000}}; }

void apply_evaluation(Draft& draft, const json& value) {
  auto& options = draft.evaluation();
  if (const auto limit = value.find("timeoutMs"); limit != value.end()) {
    constexpr double longest = 3'600'000;
    if (!limit->is_number() || limit->get<double>() < 1 || limit->get<double>() > longest)
      return draft.refuse(Errc::bad_request, "evaluation.timeoutMs: from 1 ms to an hour");
    options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(limit->get<double>()));
  }
  if (const auto calls = value.find("allowCalls"); calls != value.end()) {
    if (*calls == "never")
      options.allow_calls = proto::CallsAllowed::never;
    else if (*calls == "explicit")
      options.allow_calls = proto::CallsAllowed::explicitly;
    else if (*calls == "always")
      options.allow_calls = proto::CallsAllowed::always;
    else
      return draft.refuse(Errc::bad_request, R"(evaluation.allowCalls: one of "never", "explicit", "always")");
  }
  for (const char* key : {"maxChildren", "maxStringLength"})
    if (value.contains(key))
      draft.warn(fmt::format("'evaluation.{}' is not available in this version and has no effect", key));
}

// ---- what is shown

void apply_presentation(Draft& draft, const json& value) {
  draft.request.hex = value.value("hex", draft.request.hex);
  draft.request.show_registers = value.value("registers", draft.request.show_registers);
  draft.request.show_globals = value.value("globals", draft.request.show_globals);
  for (const char* key : {"frameFormat", "threadFormat"})
    if (value.value(key, "") != "")
      draft.warn(fmt::format("'presentation.{}' is not available in this version and has no effect", key));
}

template <const char* Key>
json as_field(const json& value) {
  return {{Key, value}};
}
constexpr char registers_key[] = "registers";
constexpr char globals_key[] = "globals";
constexpr char frame_format_key[] = "frameFormat";
constexpr char thread_format_key[] = "threadFormat";
constexpr char max_string_key[] = "maxStringLength";
constexpr char max_children_key[] = "maxChildren";

void apply_command_prefix(Draft& draft, const json& value) { draft.request.command_prefix = value.get<std::string>(); }

void apply_expressions(Draft& draft, const json& value) {
  if (value != "native")
    draft.warn(fmt::format("expressions are read as native ones; '{}' is not available in this version",
                           value.get<std::string>()));
}

// ---- sessions

void apply_session(Draft& draft, const json& value) {
  if (value.is_string())
    draft.request.session = value.get<std::string>();
  else if (const auto id = value.find("targetId"); id != value.end())
    draft.request.session = id->dump();  // lldb-dap
}

void apply_role(Draft& draft, const json& value) {
  if (value == "viewer") draft.warn("'role' is not available in this version: this client can drive the session, too");
}

// ---- what this version does not have

void apply_stop_mode(Draft& draft, const json& value) {
  if (value != "all") draft.warn("'stopMode' \"thread\" is not available in this version: a stop stops all threads");
}
json all_if_true(const json& value) { return value == true ? "all" : "thread"; }
json from_breakpoint_behavior(const json& value) {
  return value.get<std::string>().find("single") != std::string::npos ? "thread" : "all";
}

json setup_commands(const json& value) {
  json commands = json::array();
  for (const auto& command : value) commands.push_back(command.is_object() ? command.value("text", json("")) : command);
  return commands;
}

void apply_agent(Draft& draft, const json& value) {
  if (value == "require") refuse_feature(draft, "agent", "use \"auto\" or leave it out");
}

void apply_hardware_breakpoints(Draft& draft, const json& value) {
  if (value.value("require", false))
    draft.warn("'hardwareBreakpoints.require' is not available in this version: breakpoints are traps");
}

// cpptools and Midas switch their own log on with `trace`.
void apply_trace(Draft& draft, const json& value) {
  if (value.is_array() && !value.empty())
    draft.warn("'trace' is not available in this version and has no effect");
  else if (value.is_string() || value.is_boolean())
    draft.note("'trace' has no effect; the daemon's log is set by traplined --log-level and --wire-log");
}

void apply_record(Draft& draft, const json& value) {
  if (value == false) return;
  refuse_feature(draft, "record", "take it out to debug without a recording");
}

void apply_core(Draft& draft, const json&) {
  refuse_feature(draft, "coreFile", "a core dump can be read with gdb PROGRAM CORE meanwhile");
}
void apply_replay(Draft& draft, const json&) { refuse_feature(draft, "replay"); }
void apply_connect(Draft& draft, const json&) {
  refuse_feature(draft, "connect", "run the daemon where the program is, and connect the editor to its socket");
}
void apply_mode(Draft& draft, const json& value) {
  if (value == "exec" || value == "local" || value == "remote") return;
  draft.refuse(Errc::unsupported, fmt::format("'mode' \"{}\" is for Go programs", value.get<std::string>()),
               "build first (preLaunchTask) and set \"program\" to the result");
}
void refuse_build(Draft& draft, const json&) {
  draft.refuse(Errc::unsupported, "building is not a debugger's work: 'cargo' and 'buildFlags' are refused",
               "build with a preLaunchTask and set \"program\" to the result");
}

}  // namespace

std::vector<Row> common_rows() {
  using enum Where;
  return {
      {"program", both, text, "", "Path of the program. On attach: where to read symbols, if not from /proc/PID/exe.",
       [](Draft& d, const json& v) { d.request.launch.program = d.request.attach.program = v.get<std::string>(); }},
      {"sourceMap",
       both,
       R"({"type":["object","array"]})",
       "{}",
       "Source paths: {from: to} or [[from, to], ...]. `from` is a prefix in the debug information; null hides.",
       apply_source_map,
       {{"pathMappings", R"({"type":"array","items":{"type":"object"}})", from_path_mappings},
        {"substitutePath", R"({"type":"array","items":{"type":"object"}})", from_substitute_path},
        {"sourceFileMap", object, from_source_file_map}}},
      {"relativePathBase",
       both,
       text,
       "",
       "Folder that relative source paths start from.",
       apply_relative_path_base,
       {{"sourcePath"}, {"debuggerRoot"}}},
      {"breakpointMode", both, R"({"type":"string","enum":["path","file","auto"]})", R"("auto")",
       "How a breakpoint's file is matched with the debug information.", nullptr},
      {"justMyCode",
       both,
       boolean,
       "true",
       "Step over code without sources of yours.",
       apply_just_my_code,
       {{"ignoreStandardLibrary"}}},
      {"skipFiles", both, text_or_texts, "[]", "Files (globs) that stepping passes through.", apply_skip_files},
      {"skipFunctions",
       both,
       text_or_texts,
       "[]",
       "Functions (globs) that stepping passes through.",
       apply_skip_functions,
       {{"step-avoid-regexp", text}}},
      {"symbols",
       both,
       R"({"type":"object","properties":{"searchPaths":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},)"
       R"("load":{"type":"string","enum":["lazy","eager"]},"exclude":{"type":"array"},"cacheDir":{"type":"string"}}})",
       "{}",
       "Where debug files are looked for, besides /usr/lib/debug, and the folder of the symbol index (cacheDir). "
       "`load`: when they are first asked for (lazy), or all of them behind the start (eager).",
       apply_symbols,
       {{"symbolLoadInfo", object, from_symbol_load_info},
        {"additionalSOLibSearchPath", text, from_search_path},
        {"symbolSearchPath", text, from_search_path}}},
      {"debuginfod", both,
       R"({"type":"object","properties":{"enabled":{"enum":[true,false,"cached"]},)"
       R"("urls":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},)"
       R"("timeout":{"type":"number","minimum":1,"maximum":86400},"cache":{"type":"string"}}})",
       "",
       "Debug information from debuginfod servers: fetched behind, where `urls` or DEBUGINFOD_URLS name some; "
       "\"cached\": "
       "what was fetched before. `timeout`: seconds without 100 KB more.",
       apply_debuginfod},
      {"signals", both,
       R"({"type":"object","additionalProperties":{"type":"object","properties":{"stop":{"type":"boolean"},)"
       R"("pass":{"type":"boolean"},"print":{"type":"boolean"}},"additionalProperties":false}})",
       "{}", "What to do on a signal: {\"SIGUSR1\": {\"stop\": false, \"pass\": true, \"print\": false}}.",
       apply_signals},
      {"timeout",
       both,
       R"({"type":"number","minimum":0})",
       "30",
       "Seconds to wait for a process, a terminal or a wrapper.",
       apply_timeout,
       {{"serverLaunchTimeout", R"({"type":"number","minimum":0})", from_milliseconds}}},
      {"presentation",
       both,
       R"({"type":"object","properties":{"hex":{"type":"boolean"},"registers":{"type":"boolean"},)"
       R"("globals":{"type":"boolean"},"frameFormat":{"type":"string"},"threadFormat":{"type":"string"}}})",
       "{}",
       "What is shown: hex numbers, the registers and globals scopes.",
       apply_presentation,
       {{"showRegisters", boolean, as_field<registers_key>},
        {"showGlobalVariables", boolean, as_field<globals_key>},
        {"customFrameFormat", text, as_field<frame_format_key>},
        {"customThreadFormat", text, as_field<thread_format_key>}}},
      {"commandEscapePrefix", both, text, R"("`")", "Text that marks a debug console line as a command.",
       apply_command_prefix},
      {"expressions", both, R"({"type":"string","enum":["native","simple","python"]})", R"("native")",
       "Language of expressions.", apply_expressions},
      {"session", both, R"({"type":["string","object"]})", "", "Join this live session instead of starting one.",
       apply_session},
      {"role", both, R"({"type":"string","enum":["driver","viewer"]})", R"("driver")", "Part in a joined session.",
       apply_role},
      {"initCommands",
       both,
       texts,
       "[]",
       "Commands before the program is opened.",
       nullptr,
       {{"setupCommands", R"({"type":"array","items":{"type":["object","string"]}})", setup_commands},
        {"preInitCommands"}}},
      {"preRunCommands", both, texts, "[]", "Commands before the program runs.", nullptr},
      {"postRunCommands",
       both,
       texts,
       "[]",
       "Commands once the program runs.",
       nullptr,
       {{"postRemoteConnectCommands", R"({"type":"array","items":{"type":["object","string"]}})", setup_commands}}},
      {"stopCommands", both, texts, "[]", "Commands at each stop.", nullptr},
      {"preTerminateCommands",
       both,
       texts,
       "[]",
       "Commands before the session ends.",
       nullptr,
       {{"terminateCommands"}}},
      {"exitCommands", both, texts, "[]", "Commands after the program's end.", nullptr},
      {"followChildren",
       both,
       R"({"type":["boolean","string"]})",
       R"("none")",
       "Debug child processes, too.",
       nullptr,
       {{"followExec"},
        {"subProcess"},
        {"attachOnFork"},
        {"followForkMode", text, [](const json& v) { return v == "child" ? json("all") : json("none"); }}}},
      {"followChildrenFilter",
       both,
       object,
       "{}",
       "Which children: {include: [glob], exclude: [glob]}.",
       nullptr,
       {{"followExecRegex", text}}},
      {"stopMode",
       both,
       R"({"type":"string","enum":["all","thread"]})",
       R"("all")",
       "What a stop stops.",
       apply_stop_mode,
       {{"allStopMode", boolean, all_if_true},
        {"noSingleThreadControl", boolean, all_if_true},
        {"breakpointBehavior", text, from_breakpoint_behavior}}},
      {"visualizers",
       both,
       text_or_texts,
       "[]",
       "Files with visualizers (.natvis) or folders of them, besides those in the box; read anew when they change.",
       apply_visualizers,
       {{"visualizerFile"}, {"prettyPrinterPath"}}},
      {"evaluation",
       both,
       object,
       "{}",
       "Limits of evaluation: timeoutMs, allowCalls, maxChildren, maxStringLength.",
       apply_evaluation,
       {{"evaluationTimeout", R"({"type":"number"})", to_milliseconds},
        {"maxStringLen", R"({"type":"integer"})", as_field<max_string_key>},
        {"maxArrayValues", R"({"type":"integer"})", as_field<max_children_key>}}},
      {"hardwareBreakpoints", both, object, "{}", "Use debug registers for breakpoints.", apply_hardware_breakpoints},
      {"agent", both, R"({"type":"string","enum":["auto","off","require"]})", R"("auto")",
       "Conditions and log points inside the program.", apply_agent},
      {"trace", both, anything, "[]", "Trace points from the start.", apply_trace},
      {"record",
       both,
       R"({"type":["boolean","object"]})",
       "false",
       "Record the run.",
       apply_record,
       {{"reverseDebugging", boolean}}},
      {"failureCapture", both, R"({"type":["boolean","object"]})", "false", "Save a report when the program fails.",
       nullptr},
      {"coreFile", both, text, "", "Open a core dump.", apply_core, {{"coreDumpPath"}, {"coreFilePath"}, {"dumpPath"}}},
      {"replay",
       both,
       text,
       "",
       "Open a recording or a failure bundle.",
       apply_replay,
       {{"bundle"}, {"traceDirPath"}, {"traceWorkspace"}, {"rrPath"}, {"rrOptions", anything}}},
      {"connect",
       both,
       anything,
       "",
       "A daemon on another machine.",
       apply_connect,
       {{"target", anything},
        {"gdb-remote-hostname"},
        {"gdb-remote-port"},
        {"miDebuggerServerAddress"},
        {"useExtendedRemote", boolean, [](const json& v) { return v == true ? v : json(nullptr); }},
        {"debugAdapterHost"},
        {"debugAdapterPort"}}},
      {"mode", both, text, "", "Understood for configurations of other debuggers.", apply_mode},
      {"cargo", both, anything, "", "Not taken: build before debugging.", refuse_build, {{"buildFlags"}}},
  };
}

}  // namespace trapline::dap
