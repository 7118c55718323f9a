// What a page of a large container costs: a hundred children from some place on, asked of trapline, gdb and lldb in one
// run; each page of a program of its own, so that nothing is remembered of another. Before it is timed the variable
// was listed, as an editor does; gdb's pretty printers are asked through MI's variable objects.
//
//   build/bench/bench/values_page [--rounds N]
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>

#include "bench/daemon.hpp"
#include "bench/peer.hpp"

namespace trapline::bench {
namespace {

constexpr std::uint64_t page_size = 100;
constexpr Seconds patience{5};  // what takes longer is asked once

struct Row {
  const char* variable;
  std::uint64_t start;
  std::uint64_t per_entry;  // children of gdb's printer for each: a map's key and value take turns
};
constexpr std::array rows{
    Row{"map_100k", 0, 2},        Row{"map_100k", 99'900, 2},
    Row{"map_1m", 0, 2},          Row{"map_1m", 500'000, 2},
    Row{"map_1m", 999'900, 2},    Row{"hash_100k", 99'900, 2},
    Row{"list_100k", 99'900, 1},  Row{"vector_1m", 0, 1},
    Row{"vector_1m", 999'900, 1}, Row{"vector_100m", 99'999'900, 1},
};

std::string cell(Peer& peer, const std::string& program, const Row& row, int rounds) {
  std::vector<Seconds> times;
  try {
    for (int i = 0; i < rounds; ++i) {
      peer.ready_at(program, "stand_here");
      times.push_back(peer.page_of(row.variable, row.start, page_size, row.per_entry));
      peer.end();
      if (times.back() > patience) break;
    }
  } catch (const std::exception& problem) {
    try {
      peer.end();
    } catch (const std::exception&) {
    }
    const std::string_view why = problem.what();
    if (times.empty()) return std::string(why.substr(0, why.find(';')));
  }
  return fmt::format("{:.3f} ms", median_of(times) * 1e3);
}

void run(int rounds, const std::string& build) {
  const std::string program = build + "/bench/bench_containers";
  const Daemon daemon(build + "/daemon/traplined");
  std::vector<std::unique_ptr<Peer>> peers;
  peers.push_back(trapline_peer(daemon));
  if (const auto gdb = in_path({"gdb"}); !gdb.empty()) peers.push_back(gdb_peer(gdb));
  if (const auto lldb = in_path({"lldb-dap", "lldb-vscode", "lldb-dap-14", "lldb-vscode-14"}); !lldb.empty())
    peers.push_back(lldb_peer(lldb));
  fmt::print("{:<34}", "100 children");
  for (const auto& peer : peers) fmt::print("{:>26}", peer->name());
  fmt::print("\n");
  for (const Row& row : rows) {
    fmt::print("{:<34}", fmt::format("{} from {}", row.variable, row.start));
    for (const auto& peer : peers) {
      fmt::print("{:>26}", cell(*peer, program, row, rounds));
      std::fflush(stdout);
    }
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace trapline::bench

int main(int argc, char** argv) {
  int rounds = 5;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rounds") != 0 || i + 1 == argc || (rounds = std::atoi(argv[++i])) < 1) {
      fmt::print(stderr, "usage: values_page [--rounds N]\n");
      return 2;
    }
  }
  try {
    trapline::bench::run(rounds, std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().string());
  } catch (const std::exception& problem) {
    fmt::print(stderr, "values_page: {}\n", problem.what());
    return 1;
  }
  return 0;
}
