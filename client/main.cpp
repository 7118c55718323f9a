#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "client/commands/commands.hpp"
#include "proto/wire/nearest.hpp"

using namespace trapline::client;

namespace {

// Verbs that are promised and not there yet: said so, rather than called unknown.
constexpr auto later_verbs =
    std::to_array<std::string_view>({"core", "log", "trace", "capture", "record", "replay", "index"});

// What stands where the verb is due.
std::string first_word(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--socket" || word == "--token-file")
      ++i;
    else if (!word.starts_with('-'))
      return std::string(word);
  }
  return {};
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* one : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(one->get_name());
  return names;
}

bool is_verb(const CLI::App& app, const std::string& word) {
  const auto names = verbs_of(app);
  return std::ranges::find(names, word) != names.end();
}

void complain_of_verb(const CLI::App& app, const std::string& verb) {
  if (std::ranges::find(later_verbs, verb) != later_verbs.end()) {
    std::cerr << "trapline: `" << verb << "` is not available in this version\n";
    return;
  }
  const auto names = verbs_of(app);
  const std::vector<std::string_view> known(names.begin(), names.end());
  std::cerr << "trapline: there is no verb `" << verb << "`\n";
  if (const auto near = trapline::wire::nearest(verb, known))
    std::cerr << "  did you mean `trapline " << *near << "`?\n";
  else
    std::cerr << "  `trapline --help` lists them; to debug a program: trapline run -- PROGRAM ARGS\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"trapline: debug native programs, live ones too", "trapline"};
  app.set_version_flag("--version", "trapline 0.1.0");
  app.require_subcommand(0, 1);
  app.footer("trapline VERB --help says more. The prompt has gdb's command names; `help` lists them there.");
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

  std::vector<std::string> files;
  std::string folder;
  auto* index = app.add_subcommand("index", "build the symbol indexes of programs and libraries ahead of time");
  index->add_option("--index-cache", folder, "the daemon's folder of indexes, where it has another than the default");
  index->add_option("files", files, "programs, libraries, debug files")->required();
  index->callback([&] { code = index_verb(common, files, folder); });

  app.add_subcommand("doctor", "what this machine allows, and the fix for each no")->callback([&] {
    code = doctor_verb(common);
  });

  constexpr int wrong_usage = 2;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    if (const auto verb = first_word(argc, argv); !verb.empty() && !is_verb(app, verb))
      complain_of_verb(app, verb);
    else
      app.exit(error);
    return wrong_usage;
  }
  if (app.get_subcommands().empty()) {
    std::cerr << app.help();
    return wrong_usage;
  }
  return code;
}
