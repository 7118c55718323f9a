#include <CLI/CLI.hpp>
#include <fstream>

#include "client/commands/commands.hpp"

using namespace trapline::client;

int main(int argc, char** argv) {
  CLI::App app{"trapline: debug native programs, live ones too"};
  app.require_subcommand(1);
  app.fallthrough();
  Common common;
  int code = 0;
  std::string token_file;
  app.add_option("--socket", common.where.address, "the daemon's address: unix:PATH or tcp:HOST:PORT");
  app.add_option("--token-file", token_file, "the token of a tcp daemon")->check(CLI::ExistingFile);
  app.add_flag("--json", common.json, "answers for machines");
  app.parse_complete_callback([&] {
    if (token_file.empty()) return;
    std::ifstream file(token_file);
    std::getline(file, common.where.token);
  });

  auto* dap = app.add_subcommand("dap", "DAP on stdin and stdout, for editors");
  dap->callback([&] { code = dap_verb(common); });

  RunOptions run_options;
  auto* run = app.add_subcommand("run", "launch a program and debug it at a prompt");
  run->add_option("-x,--execute", run_options.execute, "a prompt command to begin with (may be given again)")
      ->allow_extra_args(false);
  run->add_option("--cwd", run_options.cwd, "folder to run it in");
  run->add_option("--env", run_options.env, "NAME=VALUE, or NAME to unset (may be given again)")
      ->allow_extra_args(false);
  run->add_option("--wrapper", run_options.wrapper, "a program to start it through (may be given again, a word each)")
      ->allow_extra_args(false);
  run->add_flag("--main", run_options.stop_at_main, "run to main() and stop there");
  run->add_flag("--aslr", run_options.keep_aslr, "leave address randomisation on");
  run->add_option("program", run_options.program, "the program")->required();
  run->add_option("args", run_options.args, "its arguments");
  run->positionals_at_end();
  run->callback([&] { code = run_verb(common, run_options); });

  std::string target;
  bool wait = false;
  std::vector<std::string> execute;
  auto* attach = app.add_subcommand("attach", "attach to a running process and debug it at a prompt");
  attach->add_option("target", target, "a pid, or a name (glob)")->required();
  attach->add_flag("--wait", wait, "wait for a process of that name to appear");
  attach->add_option("-x,--execute", execute, "a prompt command to begin with (may be given again)")
      ->allow_extra_args(false);
  attach->callback([&] { code = attach_verb(common, target, wait, execute); });

  auto* join = app.add_subcommand("join", "be a second client of a live session");
  join->add_option("session", target, "an id of `trapline sessions`")->required();
  join->add_option("-x,--execute", execute, "a prompt command to begin with (may be given again)")
      ->allow_extra_args(false);
  join->callback([&] { code = join_verb(common, target, execute); });

  auto* stack = app.add_subcommand("stack", "stacks of all threads of a process, and away again");
  stack->add_option("target", target, "a pid, or a name (glob)")->required();
  stack->callback([&] { code = stack_verb(common, target); });

  app.add_subcommand("sessions", "what the daemon holds")->callback([&] { code = sessions_verb(common); });

  bool watch = false;
  auto* stats = app.add_subcommand("stats", "the daemon's counters");
  stats->add_flag("--watch", watch, "every second");
  stats->callback([&] { code = stats_verb(common, watch); });

  std::string method;
  std::string params;
  std::string script;
  auto* rpc = app.add_subcommand("rpc", "one JSON-RPC call, or a file of them");
  rpc->add_option("method", method, "room.verb; rpc.discover lists them");
  rpc->add_option("params", params, "a JSON object");
  rpc->add_option("--script", script, "a call a line: METHOD JSON; - reads stdin");
  rpc->callback([&] {
    if (method.empty() == script.empty()) throw CLI::ValidationError("rpc", "give a METHOD, or --script FILE");
    code = script.empty() ? rpc_verb(common, method, params) : rpc_script_verb(common, script);
  });

  app.add_subcommand("doctor", "what this machine allows, and the fix for each no")->callback([&] {
    code = doctor_verb(common);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    constexpr int wrong_usage = 2;
    return app.exit(error) == 0 ? 0 : wrong_usage;
  }
  return code;
}
