// How long symbols keep a person waiting, the same questions asked of trapline, gdb and lldb in one run, without any
// cache of theirs and with it:
//
//   ready    launch a large program with a breakpoint on a function of its last unit; until it stands there and the
//            innermost frame was answered. Private memory of the debugger's processes then.
//   resolve  a function breakpoint on a file that cannot be run (a kernel image): a process that opens it, finds the
//            function and its line, and ends. Peak resident memory of that process.
//
//   build/bench/bench/symbol_load [--rounds N] PROGRAM FUNCTION [FILE FUNCTION_OF_FILE]
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "bench/daemon.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

struct Settings {
  int rounds = 5;
  std::string build;
  std::string program, function;
  std::string file, file_function;
};

struct Figures {
  std::vector<Seconds> times;
  std::vector<double> kib;
};

void print_row(std::string_view what, const Figures& figures) {
  fmt::print("{:<48}{:>12.1f} ms{:>10.1f} MiB\n", what, median_of(figures.times) * 1e3, median(figures.kib) / 1024);
}

class Folder {
 public:
  Folder() {
    std::string name = "/tmp/trapline-bench-cache-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder in /tmp");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void ready_once(Peer& peer, const Settings& settings, Figures& figures) {
  figures.times.push_back(peer.ready_at(settings.program, settings.function));
  figures.kib.push_back(static_cast<double>(peer.private_kib(settings.program)));
  peer.end();
}

using MakePeer = std::function<std::unique_ptr<Peer>()>;

void ready_row(std::string_view what, const Settings& settings, const MakePeer& make, bool warm_up) {
  Figures figures;
  try {
    for (int i = warm_up ? -1 : 0; i < settings.rounds; ++i) {
      const auto peer = make();
      if (i < 0) {
        Figures ignored;
        ready_once(*peer, settings, ignored);
      } else {
        ready_once(*peer, settings, figures);
      }
    }
    print_row(what, figures);
  } catch (const std::exception& problem) {
    fmt::print("{:<48}failed: {}\n", what, problem.what());
  }
}

std::string index_command(const Settings& settings, const std::string& cache, const std::string& file) {
  return fmt::format("XDG_CACHE_HOME='{}' '{}/client/trapline' index '{}' > /dev/null", cache, settings.build, file);
}

// Each cold round has a daemon and an empty cache of its own; the time begins when it listens.
void ready_trapline(const Settings& settings) {
  const auto traplined = settings.build + "/daemon/traplined";
  Figures cold, second, warm;
  for (int i = 0; i < settings.rounds; ++i) {
    Folder cache;
    Daemon daemon(traplined, {"--index-cache", cache.path()});
    const auto peer = trapline_peer(daemon);
    ready_once(*peer, settings, cold);
  }
  Folder cache;
  const auto indexed = index_command(settings, cache.path(), settings.program);
  if (std::system(indexed.c_str()) != 0) throw std::runtime_error("trapline index failed");
  const auto folder = cache.path() + "/trapline/index";
  for (int i = 0; i < settings.rounds; ++i) {
    Daemon daemon(traplined, {"--index-cache", folder});
    const auto peer = trapline_peer(daemon);
    ready_once(*peer, settings, warm);
    ready_once(*peer, settings, second);
  }
  print_row("ready: trapline, no cache", cold);
  print_row("ready: trapline, index cached, first session", warm);
  print_row("ready: trapline, second session of a daemon", second);
}

void ready(const Settings& settings) {
  ready_trapline(settings);
  const auto gdb = in_path({"gdb"});
  const auto lldb = in_path({"lldb-dap", "lldb-vscode", "lldb-vscode-14"});
  if (!gdb.empty()) {
    Folder cache;
    ready_row(
        "ready: gdb (MI), no cache", settings, [&] { return gdb_peer(gdb); }, false);
    const std::vector<std::string> cached{"set index-cache directory " + cache.path(), "set index-cache enabled on"};
    ready_row(
        "ready: gdb (MI), its index cache", settings, [&] { return gdb_peer(gdb, cached); }, true);
  }
  if (!lldb.empty()) {
    Folder cache;
    ready_row(
        "ready: lldb (DAP), no cache", settings, [&] { return lldb_peer(lldb); }, false);
    const std::vector<std::string> cached{"settings set symbols.lldb-index-cache-path " + cache.path(),
                                          "settings set symbols.enable-lldb-index-cache true"};
    ready_row(
        "ready: lldb (DAP), its index cache", settings, [&] { return lldb_peer(lldb, cached); }, true);
  }
}

// Wall time and peak resident memory of a command; it must end well.
void run_once(const std::vector<std::string>& command, Figures& figures) {
  const auto begin = std::chrono::steady_clock::now();
  const int pid = ::fork();
  if (pid == 0) {
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, 0);
    ::dup2(nothing, 1);
    std::vector<char*> argv;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(pid, &status, 0, &usage);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error(command[0] + " failed");
  figures.times.emplace_back(std::chrono::steady_clock::now() - begin);
  figures.kib.push_back(static_cast<double>(usage.ru_maxrss));
}

void resolve_row(std::string_view what, const Settings& settings, const std::vector<std::string>& command,
                 bool warm_up) {
  Figures figures;
  try {
    Figures ignored;
    if (warm_up) run_once(command, ignored);
    for (int i = 0; i < settings.rounds; ++i) run_once(command, figures);
    print_row(what, figures);
  } catch (const std::exception& problem) {
    fmt::print("{:<48}failed: {}\n", what, problem.what());
  }
}

void resolve(const Settings& settings) {
  const auto& file = settings.file;
  const auto& name = settings.file_function;
  const auto own = settings.build + "/bench/resolve_once";
  Folder cache;
  resolve_row("resolve: trapline, no cache", settings, {own, file, name}, true);
  if (std::system(index_command(settings, cache.path(), file).c_str()) != 0)
    throw std::runtime_error("trapline index failed");
  resolve_row("resolve: trapline, index cached", settings, {own, file, name, cache.path() + "/trapline/index"}, false);
  const auto stop = "break " + name;
  if (const auto gdb = in_path({"gdb"}); !gdb.empty()) {
    resolve_row("resolve: gdb, no cache", settings, {gdb, "-nx", "-batch", "-ex", stop, file}, true);
    resolve_row("resolve: gdb, its index cache", settings,
                {gdb, "-nx", "-batch", "-iex", "set index-cache directory " + cache.path() + "/gdb", "-iex",
                 "set index-cache enabled on", "-ex", stop, file},
                true);
  }
  if (const auto lldb = in_path({"lldb", "lldb-14"}); !lldb.empty()) {
    resolve_row("resolve: lldb, no cache", settings, {lldb, "-x", "-b", "-o", "b " + name, file}, true);
    resolve_row("resolve: lldb, its index cache", settings,
                {lldb, "-x", "-b", "-O", "settings set symbols.lldb-index-cache-path " + cache.path() + "/lldb", "-O",
                 "settings set symbols.enable-lldb-index-cache true", "-o", "b " + name, file},
                true);
  }
}

}  // namespace
}  // namespace trapline::bench

int main(int argc, char** argv) {
  trapline::bench::Settings settings;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
      settings.rounds = std::atoi(argv[++i]);
    else
      words.emplace_back(argv[i]);
  }
  if ((words.size() != 2 && words.size() != 4) || settings.rounds < 1) {
    fmt::print(stderr, "usage: symbol_load [--rounds N] PROGRAM FUNCTION [FILE FUNCTION_OF_FILE]\n");
    return 2;
  }
  settings.program = words[0];
  settings.function = words[1];
  settings.build = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().string();
  try {
    trapline::bench::ready(settings);
    if (words.size() == 4) {
      settings.file = words[2];
      settings.file_function = words[3];
      trapline::bench::resolve(settings);
    }
  } catch (const std::exception& problem) {
    fmt::print(stderr, "symbol_load: {}\n", problem.what());
    return 1;
  }
  return 0;
}
