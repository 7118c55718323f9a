// Arguments of launch alone.
#include <fmt/format.h>

#include "dap/rows.hpp"

namespace trapline::dap {
namespace {

using nlohmann::json;

constexpr std::string_view boolean = R"({"type":"boolean"})";
constexpr std::string_view text = R"({"type":"string"})";

void apply_args(Draft& draft, const json& value) {
  auto& args = draft.request.launch.args;
  if (value.is_array()) {
    args = value.get<std::vector<std::string>>();
    return;
  }
  auto words = split_words(value.get_ref<const std::string&>());
  if (!words) return draft.refuse(Errc::bad_request, "args: " + words.error().message);
  args = std::move(*words);
}

// `sh` reads the arguments once more, so that globs and variables in them mean what they mean in a shell. The shell is
// followed through its exec like any wrapper.
void apply_shell_expand(Draft& draft, const json& value) {
  if (value == true) draft.request.launch.wrapper = {"/bin/sh", "-c", R"(eval "exec \"\$0\" $*")"};
}

void apply_wrapper(Draft& draft, const json& value) {
  auto wrapper = value.get<std::vector<std::string>>();
  auto& all = draft.request.launch.wrapper;  // the shell, if any, stands inside
  all.insert(all.begin(), std::make_move_iterator(wrapper.begin()), std::make_move_iterator(wrapper.end()));
}

void apply_env(Draft& draft, const json& value) {
  auto& env = draft.request.launch.env;
  if (value.is_object()) {
    for (const auto& [name, text_or_null] : value.items())
      env.emplace_back(name, text_or_null.is_null() ? std::nullopt : std::optional(text_or_null.get<std::string>()));
    return;
  }
  std::size_t index = 0;
  for (const auto& entry : value) {
    const auto& both = entry.get_ref<const std::string&>();
    const auto equals = both.find('=');
    if (equals == 0 || equals == std::string::npos)
      return draft.refuse(Errc::bad_request, fmt::format("env[{}]: expected NAME=VALUE, got '{}'", index, both));
    env.emplace_back(both.substr(0, equals), both.substr(equals + 1));
    ++index;
  }
}

json from_environment(const json& value) {  // cpptools: [{"name": "A", "value": "B"}]
  json env = json::object();
  for (const auto& entry : value) env[entry.value("name", "")] = entry.value("value", "");
  return env;
}

void apply_stop_on_entry(Draft& draft, const json& value) {
  auto& stop_at = draft.request.launch.stop_at;
  if (value == "main")
    stop_at = proto::StopAt::main;
  else if (value == true || value == "entry")
    stop_at = proto::StopAt::entry;
  else
    stop_at = proto::StopAt::nowhere;
}
json main_if_true(const json& value) { return value == true ? json("main") : json(nullptr); }

void apply_console(Draft& draft, const json& value) {
  if (value == "integratedTerminal")
    draft.request.console = proto::Console::integrated;
  else if (value == "externalTerminal")
    draft.request.console = proto::Console::external;
  else
    draft.request.console = proto::Console::internal;
}
json from_terminal(const json& value) {
  if (value == "console") return "internalConsole";
  return value == "external" ? "externalTerminal" : "integratedTerminal";
}
json external_if_true(const json& value) { return value == false ? json(nullptr) : json("externalTerminal"); }
json integrated_if_true(const json& value) { return value == true ? "integratedTerminal" : "internalConsole"; }

void set_stream(Draft& draft, std::size_t stream, const json& value) {
  if (!value.is_string()) return;
  auto& files = draft.request.launch.stdio;
  if (stream == 0)
    files.in = value.get<std::string>();
  else if (stream == 1)
    files.out = value.get<std::string>();
  else if (stream == 2)
    files.err = value.get<std::string>();
  else
    draft.warn(fmt::format("'stdio[{}]' is not available in this version: only 0, 1 and 2 are", stream));
}

void apply_stdio(Draft& draft, const json& value) {
  if (value.is_string())
    for (const std::size_t stream : {0, 1, 2}) set_stream(draft, stream, value);
  else if (value.is_array())
    for (std::size_t stream = 0; stream < value.size(); ++stream) set_stream(draft, stream, value[stream]);
  else
    for (const auto& [name, path] : value.items())
      set_stream(draft, name == "stdin" ? 0 : name == "stdout" ? 1 : name == "stderr" ? 2 : 3, path);
}

template <int Stream>
json one_stream(const json& value) {
  json files = json::array({nullptr, nullptr, nullptr});
  files[Stream] = value;
  return files;
}
json null_files(const json& value) { return value == true ? json("/dev/null") : json(nullptr); }

void apply_graceful(Draft& draft, const json& value) {
  const json list = value.is_array() ? value : json::array({value});
  bool chosen = false;
  for (const auto& one : list) {
    const auto name = signal_name(one.get_ref<const std::string&>());
    if (!name) {
      draft.warn(fmt::format("gracefulShutdown: {}; commands are not available in this version", name.error().message));
    } else if (!chosen) {
      draft.request.launch.graceful_signal = *name;
      chosen = true;
    }
  }
}
json from_on_terminate(const json& value) { return value == "KeyboardInterrupt" ? "SIGINT" : "SIGTERM"; }

}  // namespace

std::vector<Row> launch_rows() {
  using enum Where;
  return {
      {"args", launch, R"({"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"string"}]})", "[]",
       "Arguments: a list, or one string that is split as a shell does.", apply_args},
      {"shellExpandArguments", launch, boolean, "false", "Let a shell expand the arguments.", apply_shell_expand},
      {"cwd", launch, text, "", "Working folder of the program.",
       [](Draft& d, const json& v) { d.request.launch.cwd = v.get<std::string>(); }},
      {"env",
       launch,
       R"({"anyOf":[{"type":"object","additionalProperties":{"type":["string","null"]}},{"type":"array","items":{"type":"string"}}]})",
       "{}",
       "Environment, added to the inherited one; null takes a variable away.",
       apply_env,
       {{"environment",
         R"({"type":"array","items":{"type":"object","required":["name","value"],"properties":{"name":{"type":"string"},"value":{"type":"string"}}}})",
         from_environment}}},
      {"inheritEnv", launch, boolean, "true", "Start from the daemon's environment.",
       [](Draft& d, const json& v) { d.request.launch.inherit_env = v.get<bool>(); }},
      {"envFile", launch, text, "", "File of NAME=VALUE lines.",
       [](Draft& d, const json& v) { d.request.launch.env_file = v.get<std::string>(); }},
      {"stopOnEntry",
       launch,
       R"({"anyOf":[{"type":"boolean"},{"type":"string","enum":["entry","main"]}]})",
       "false",
       "true or \"entry\": stop at the first instruction; \"main\": stop in main.",
       apply_stop_on_entry,
       {{"stopAtEntry", boolean, main_if_true}, {"stopAtBeginningOfMainSubprogram", boolean, main_if_true}}},
      {"console",
       launch,
       R"({"type":"string","enum":["internalConsole","integratedTerminal","externalTerminal"]})",
       "",
       "Where the program's terminal is. Default: the editor's terminal where it has one.",
       apply_console,
       {{"terminal", R"({"type":"string","enum":["console","integrated","external"]})", from_terminal},
        {"externalConsole", R"({"type":["boolean","object"]})", external_if_true},
        {"runInTerminal", boolean, integrated_if_true}}},
      {"stdio",
       launch,
       R"({"anyOf":[{"type":"string"},{"type":"array","items":{"type":["string","null"]}},)"
       R"({"type":"object","additionalProperties":{"type":["string","null"]}}]})",
       "[]",
       "Files for stdin, stdout and stderr: a list, or {stdin, stdout, stderr}.",
       apply_stdio,
       {{"disableSTDIO", boolean, null_files},
        {"stdinFrom", text, one_stream<0>},
        {"stdoutTo", text, one_stream<1>},
        {"stderrTo", text, one_stream<2>}}},
      {"disableASLR", launch, boolean, "true", "Load at the same addresses every time.",
       [](Draft& d, const json& v) { d.request.launch.disable_aslr = v.get<bool>(); }},
      {"noDebug", launch, boolean, "false", "Run without debugging.",
       [](Draft& d, const json& v) { d.request.launch.no_debug = v.get<bool>(); }},
      {"wrapper", launch, R"({"type":"array","items":{"type":"string"}})", "[]",
       "A program that starts the program: [\"numactl\", \"-N0\"].", apply_wrapper},
      {"user", launch, text, "", "Run as this user.",
       [](Draft& d, const json& v) { d.request.launch.user = v.get<std::string>(); }},
      {"detachOnError", launch, boolean, "true", "Leave the program running when the editor vanishes.",
       [](Draft& d, const json& v) { d.request.launch.detach_on_error = v.get<bool>(); }},
      {"gracefulShutdown",
       launch,
       R"({"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]})",
       R"("SIGTERM")",
       "The signal that `terminate` sends.",
       apply_graceful,
       {{"onTerminate", text, from_on_terminate}}},
      {"test", launch, R"({"type":"object"})", "", "Run a test framework's tests.",
       [](Draft& d, const json&) { refuse_feature(d, "test", "launch the test program with its filter in \"args\""); }},
  };
}

}  // namespace trapline::dap
