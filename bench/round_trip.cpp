// What a person waits for, the same things asked of trapline, gdb and lldb in one run: launch to a stop in main,
// breakpoint to breakpoint, a step over a line, attach to and detach from 1,000 threads. Medians; what counts are the
// ratios, the times are this machine's.
//
//   build/bench/bench/round_trip [--json] [--rounds N] [--threads N]
#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/channel.hpp"
#include "bench/daemon.hpp"
#include "bench/floor.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

struct Settings {
  int rounds = 200;
  int launches = 7;
  int threads = 1000;
  bool json = false;
};

using Row = std::map<std::string, double>;  // peer -> seconds

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
  fmt::print("floor of launch to main: a bare ptrace program, no symbols read, no protocol: {:.3f} ms\n", floor * 1e3);
}

int run(const Settings& settings, const std::string& build) {
  Daemon daemon(build + "/daemon/traplined");
  std::vector<std::unique_ptr<Peer>> peers;
  peers.push_back(trapline_peer(daemon));
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
  const auto floor = median_of(launch_floor(build + "/bench/bench_loop", 50));
  if (settings.json) {
    nlohmann::json out{{"seconds", table}, {"floorLaunchToMain", floor}};
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
