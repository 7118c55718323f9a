// traplined: the command line, and which of its three lives this process leads (lobby, session, waiting for a tracer).
#include <fmt/format.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/fetch/fetch.hpp"
#include "daemon/lobby/lobby.hpp"
#include "daemon/serve/serve.hpp"
#include "daemon/util/log.hpp"

namespace {

using trapline::Error;

struct CommandLine {
  trapline::lobby::Options lobby;
  double idle_exit = -1;
  std::string log_level;
  std::string log_format;
  std::string index_cache;
  std::vector<std::string> build_index;
  std::vector<std::string> fetch;
  int session = -1;
  trapline::serve::Waiting waiting;
};

void describe(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", "traplined 0.1.0");
  app.add_option("--listen", line.lobby.listen, "unix:PATH or tcp:HOST:PORT (port 0 picks one); may be repeated")
      ->take_all();
  app.add_option("--idle-exit", line.idle_exit, "exit after this many seconds without connection and session");
  app.add_option("--token-file", line.lobby.token_file, "token that tcp connections must present; made where missing");
  app.add_option("--log-level", line.log_level, "trace, debug, info, warn, error, off; or ROOM:LEVEL,...");
  app.add_option("--log-format", line.log_format, "plain or json")->check(CLI::IsMember({"plain", "json"}));
  app.add_option("--wire-log", line.lobby.wire_log, "append every message to this file, a JSON object a line");
  app.add_option("--index-cache", line.index_cache, "folder of the symbol index");
  app.add_option("--build-index", line.build_index)->group("");  // ours: what `trapline index` runs
  app.add_option("--fetch", line.fetch)->group("");              // ours: what downloads (daemon/fetch)
  app.add_option("--session", line.session)->group("");          // ours: a session process on this descriptor
  app.add_option("--wait-for-tracer", line.waiting.socket)->group("");
  app.add_flag("--no-aslr", line.waiting.no_aslr)->group("");
  app.add_option("--stdin", line.waiting.in)->group("");
  app.add_option("--stdout", line.waiting.out)->group("");
  app.add_option("--stderr", line.waiting.err)->group("");
  app.add_option("argv", line.waiting.argv)->group("");
  app.footer("Environment: TRAPLINE_LOG, TRAPLINE_LOG_FORMAT, TRAPLINE_SOCKET. Clients: trapline, or any DAP editor.");
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void set_up_logging(const CommandLine& line) {
  const auto format = line.log_format.empty() ? variable("TRAPLINE_LOG_FORMAT") : line.log_format;
  trapline::log::configure(line.log_level.empty() ? variable("TRAPLINE_LOG") : line.log_level,
                           format == "json" ? trapline::log::Format::json : trapline::log::Format::plain);
}

int complain(const Error& error) {
  fmt::print(stderr, "traplined: {}{}{}\n", error.message, error.hint.empty() ? "" : "\n  ", error.hint);
  return 1;
}

int run_lobby(CommandLine& line) {
  auto& options = line.lobby;
  if (line.idle_exit >= 0)
    options.idle_exit =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(line.idle_exit));
  const auto pass_on = [&](const char* name, const std::string& value) {
    if (!value.empty()) options.session_arguments.insert(options.session_arguments.end(), {name, value});
  };
  if (!options.wire_log.empty()) options.wire_log = std::filesystem::absolute(options.wire_log).string();
  pass_on("--log-level", line.log_level);
  pass_on("--log-format", line.log_format);
  pass_on("--wire-log", options.wire_log);
  if (!line.index_cache.empty()) line.index_cache = std::filesystem::absolute(line.index_cache).string();
  pass_on("--index-cache", line.index_cache);
  options.greet = [](const trapline::rpc::Json& request,
                     std::int64_t last_seq) -> trapline::Result<trapline::lobby::Greeting> {
    TL_TRY(auto answered, trapline::serve::answer_initialize(request, last_seq));
    return trapline::lobby::Greeting{.messages = std::move(answered.messages), .accepted = answered.accepted};
  };
  options.launch_schema = trapline::serve::launch_schema();
  options.attach_schema = trapline::serve::attach_schema();
  const auto ran = trapline::lobby::run(options);
  return ran ? 0 : complain(ran.error());
}

int run_session(const CommandLine& line) {
  ::prctl(PR_SET_NAME, "traplined-sess");  // it was started as /proc/self/exe, which ps would show as "exe"
  std::error_code error;
  auto own_path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  // proc(5): the mark of a file that was replaced meanwhile; what stands in its place now serves a terminal as well.
  constexpr std::string_view replaced = " (deleted)";
  if (own_path.ends_with(replaced)) own_path.resize(own_path.size() - replaced.size());
  const auto ran = trapline::serve::run_session({.channel = line.session,
                                                 .wire_log = line.lobby.wire_log,
                                                 .executable = own_path,
                                                 .index_folder = line.index_cache});
  return ran ? 0 : complain(ran.error());
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("traplined: the trapline debugger's daemon; serves DAP and JSON-RPC on the same sockets", "traplined");
  describe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!line.waiting.socket.empty()) {
    return complain(trapline::serve::wait_for_tracer(line.waiting));
  }
  if (!line.fetch.empty()) return trapline::fetch::run(line.fetch);
  set_up_logging(line);
  if (!line.build_index.empty()) return trapline::serve::index_ahead(line.build_index, line.index_cache);
  return line.session >= 0 ? run_session(line) : run_lobby(line);
}
