// What a person waits for, the same things asked of trapline, gdb and lldb in one run: launch to a stop in main,
// breakpoint to breakpoint, a step over a line, attach to and detach from 1,000 threads. Medians; what counts are the
// ratios, the times are this machine's.
//
//   build/bench/bench/round_trip [--json] [--rounds N] [--threads N]
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "bench/channel.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

struct Settings {
  int rounds = 200;
  int launches = 7;
  int threads = 1000;
  bool json = false;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_of(const std::vector<Seconds>& times) {
  std::vector<double> values;
  for (const auto& time : times) values.push_back(time.count());
  return median(std::move(values));
}

using Row = std::map<std::string, double>;  // peer -> seconds

// The floor of a launch: fork, exec, run the dynamic loader, exit. No debugger can be below it.
double run_floor(const std::string& program, int rounds) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const int pid = ::fork();
    if (pid == 0) {
      ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::waitpid(pid, nullptr, 0);
    times.push_back(Seconds(std::chrono::steady_clock::now() - begin).count());
  }
  return median(std::move(times));
}

void measure(Peer& peer, const Settings& settings, const std::string& fixtures, std::map<std::string, Row>& table) {
  std::vector<Seconds> launches;
  for (int i = 0; i < settings.launches; ++i) {
    launches.push_back(peer.launch_to_main(fixtures + "/bench_loop"));
    if (i + 1 < settings.launches) peer.end();
  }
  table["launch to main"][peer.name()] = median_of(launches);
  table["breakpoint to breakpoint"][peer.name()] = median_of(peer.breakpoint_rounds("visit", settings.rounds));
  table["next"][peer.name()] = median_of(peer.step_rounds(settings.rounds));
  peer.end();

  std::vector<Seconds> attaches;
  std::vector<Seconds> detaches;
  for (int i = 0; i < 3; ++i) {
    auto target = Channel::program({fixtures + "/bench_threads", std::to_string(settings.threads)});
    if (target.read_line() != "ready") throw std::runtime_error("the threads did not start");
    attaches.push_back(peer.attach(target.pid()));
    detaches.push_back(peer.detach());
  }
  table[fmt::format("attach {} threads", settings.threads)][peer.name()] = median_of(attaches);
  table[fmt::format("detach {} threads", settings.threads)][peer.name()] = median_of(detaches);
}

void print_table(const std::map<std::string, Row>& table, const std::vector<std::string>& peers, double floor) {
  fmt::print("{:<28}", "median");
  for (const auto& peer : peers) fmt::print("{:>16}", peer);
  fmt::print("{:>22}\n", "others / trapline");
  for (const auto& [what, row] : table) {
    fmt::print("{:<28}", what);
    std::string ratios;
    const auto own = row.find("trapline");
    for (const auto& peer : peers) {
      const auto found = row.find(peer);
      fmt::print("{:>13} ms", found == row.end() ? "-" : fmt::format("{:.3f}", found->second * 1e3));
      if (found != row.end() && own != row.end() && peer != "trapline")
        ratios += fmt::format("{}{:.1f}x", ratios.empty() ? "" : " ", found->second / own->second);
    }
    fmt::print("{:>22}\n", ratios);
  }
  fmt::print("floor: fork, exec, run and exit of /bin/true {:.3f} ms\n", floor * 1e3);
}

// A daemon of this build on a socket of its own.
class Daemon {
 public:
  explicit Daemon(const std::string& program) : folder_(fmt::format("/tmp/trapline-bench-{}", ::getpid())) {
    std::filesystem::create_directories(folder_);
    ::setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
    channel_.emplace(Channel::program({program, "--listen", "unix:" + socket()}));
    if (!channel_->read_line().starts_with("listening on")) throw std::runtime_error("traplined does not listen");
  }
  ~Daemon() {
    channel_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string socket() const { return folder_ + "/bench.sock"; }

 private:
  std::string folder_;
  std::optional<Channel> channel_;
};

std::string in_path(const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (std::filesystem::exists("/usr/bin/" + name)) return "/usr/bin/" + name;
  return {};
}

int run(const Settings& settings, const std::string& build) {
  Daemon daemon(build + "/daemon/traplined");
  std::vector<std::unique_ptr<Peer>> peers;
  peers.push_back(trapline_peer(daemon.socket()));
  if (const auto gdb = in_path({"gdb"}); !gdb.empty()) peers.push_back(gdb_peer(gdb));
  if (const auto lldb = in_path({"lldb-dap", "lldb-vscode", "lldb-vscode-14"}); !lldb.empty())
    peers.push_back(lldb_peer(lldb));
  std::map<std::string, Row> table;
  std::vector<std::string> names;
  for (const auto& peer : peers) {
    names.push_back(peer->name());
    try {
      measure(*peer, settings, build + "/bench", table);
    } catch (const std::exception& problem) {
      fmt::print(stderr, "{}: {}\n", peer->name(), problem.what());
    }
  }
  const auto floor = run_floor("/bin/true", 50);
  if (settings.json) {
    nlohmann::json out{{"seconds", table}, {"floorRunTrue", floor}};
    std::cout << out.dump() << '\n';
  } else {
    print_table(table, names, floor);
  }
  return 0;
}

}  // namespace
}  // namespace trapline::bench

int main(int argc, char** argv) {
  trapline::bench::Settings settings;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0)
      settings.json = true;
    else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
      settings.rounds = std::atoi(argv[++i]);
    else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
      settings.threads = std::atoi(argv[++i]);
    else {
      fmt::print(stderr, "usage: round_trip [--json] [--rounds N] [--threads N]\n");
      return 2;
    }
  }
  const auto build = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  return trapline::bench::run(settings, build.string());
}
