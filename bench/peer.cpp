#include "bench/peer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace trapline::bench {

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

long private_kib_of(int pid, const std::string& program) {
  std::error_code problem;
  const auto folder = fmt::format("/proc/{}", pid);
  if (std::filesystem::equivalent(folder + "/exe", program, problem)) return 0;
  long total = 0;
  std::ifstream memory(folder + "/smaps_rollup");
  for (std::string word; memory >> word;) {
    long kib = 0;
    if (word.starts_with("Private_") && memory >> kib) total += kib;
  }
  for (const auto& thread : std::filesystem::directory_iterator(folder + "/task", problem)) {
    std::ifstream children(thread.path() / "children");
    for (int child = 0; children >> child;) total += private_kib_of(child, program);
  }
  return total;
}

}  // namespace trapline::bench
