#include "dap/launch_table.hpp"

#include <array>
#include <iterator>

#include "dap/rows.hpp"

namespace trapline::dap {

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    auto table = common_rows();
    std::ranges::move(launch_rows(), std::back_inserter(table));
    std::ranges::move(attach_rows(), std::back_inserter(table));
    return table;
  }();
  return all;
}

std::span<const std::string_view> foreign_keys() {
  static constexpr auto keys = std::to_array<std::string_view>({
      // cpptools
      "MIMode",
      "miDebuggerPath",
      "miDebuggerArgs",
      "targetArchitecture",
      "avoidWindowsConsoleRedirection",
      "filterStdout",
      "filterStderr",
      "showDisplayString",
      "requireExactSource",
      "symbolOptions",
      "svdPath",
      "customLaunchSetupCommands",
      "launchCompleteCommand",
      "unknownBreakpointHandling",
      "debugServerPath",
      "debugServerArgs",
      "serverStarted",
      "stopAtConnect",
      "deploySteps",
      "logging",
      // lldb-dap
      "targetTriple",
      "platformName",
      "enableAutoVariableSummaries",
      "enableSyntheticChildDebugging",
      "displayExtendedBacktrace",
      "launchCommands",
      "attachCommands",
      "debugAdapterHostname",
      "debugAdapterExecutable",
      "debugAdapterArgs",
      "debugAdapterEnv",
      // CodeLLDB
      "targetCreateCommands",
      "processCreateCommands",
      "displayFormat",
      "showDisassembly",
      "dereferencePointers",
      "consoleMode",
      "adapterEnv",
      "_adapterSettings",
      "summaryTimeout",
      "sourceLanguages",
      // delve
      "dlvCwd",
      "dlvFlags",
      "dlvToolPath",
      "backend",
      "outputMode",
      "stackTraceDepth",
      "hideSystemGoroutines",
      "goroutineFilters",
      "showPprofLabels",
      "guessSubstitutePath",
      "showRawStrings",
      "showLog",
      "logOutput",
      "logDest",
      "output",
      "host",
      "port",
      "apiVersion",
      "debugAdapter",
      "remotePath",
      // Midas, GDB, debugpy and others
      "gdbPath",
      "gdbOptions",
      "mdbPath",
      "dbgArgs",
      "adaSourceCharset",
      "gevent",
      "python",
      "django",
      "jinja",
      "consoleTitle",
      "redirectOutput",
      "oracles",
      "valuesFormatting",
      "printCalls",
      "debugger_args",
      "autorun",
  });
  return keys;
}

std::span<const std::string_view> editor_keys() {
  static constexpr auto keys = std::to_array<std::string_view>({
      "type",
      "name",
      "request",
      "label",
      "adapter",
      "__sessionId",
      "__configurationTarget",
      "__restart",
      "__parentId",
      "__workspaceFolder",
      "preLaunchTask",
      "postDebugTask",
      "presentation",
      "internalConsoleOptions",
      "debugServer",
      "serverReadyAction",
      "suppressMultipleSessionWarning",
      "suppressDebugStatusbar",
      "suppressDebugToolbar",
      "suppressDebugView",
      "suppressSaveBeforeStart",
      "autoAttachChildProcesses",
      "restart",
      "$schema",
      "dependsOn",
      "build",
      "tcp_connection",
      "windows",
      "linux",
      "osx",
      "version",
      "configurations",
      "filetypes",
      "cwdWorkspaceFolder",
  });
  return keys;
}

}  // namespace trapline::dap
