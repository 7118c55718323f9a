#include "daemon/index/build.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "daemon/util/lost_pages.hpp"

namespace trapline::index {
namespace {

constexpr int niceness = 10;
constexpr std::size_t most_threads = 16;
constexpr std::size_t units_at_once = 4;
constexpr auto tick = std::chrono::milliseconds(20);
constexpr std::uint64_t worth_a_thread = 1 << 20;  // bytes of .debug_info
constexpr std::size_t most_problems = 8;

// What the threads share: which units are next, how far they are, and what went wrong.
class Work {
 public:
  Work(const UnitTable& units, const BuildOptions& options) : units_(units), options_(options) {
    scanned_.resize(units.heads.size());
    for (const auto& place : units.heads) all_ += place.head.end - place.head.offset;
  }

  void run(Harvest& harvest) {
    Scanner scanner(units_, harvest, options_.cancel);
    while (!cancelled()) {
      const std::size_t first = next_.fetch_add(units_at_once);
      if (first >= units_.heads.size()) return;
      const std::size_t last = std::min(first + units_at_once, units_.heads.size());
      std::uint64_t bytes = 0;
      for (std::size_t i = first; i < last && !cancelled(); ++i) {
        auto outcome = scanner.scan(static_cast<std::uint32_t>(i), true);
        if (!outcome.problem.empty()) add_problem(outcome.problem);
        scanned_[i] = {.root = outcome.root, .damaged = !outcome.problem.empty()};
        bytes += units_.heads[i].head.end - units_.heads[i].head.offset;
      }
      advance(bytes);
    }
  }

  bool cancelled() const { return options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return all_; }
  const std::vector<ScannedUnit>& scanned() const { return scanned_; }
  const std::string& problem() const { return problem_; }

 private:
  void advance(std::uint64_t bytes) {
    const std::uint64_t done = done_.fetch_add(bytes) + bytes;
    if (!options_.progress) return;
    const std::unique_lock lock(reporting_, std::try_to_lock);
    const auto now = std::chrono::steady_clock::now();
    if (!lock || now - reported_ < tick) return;
    reported_ = now;
    options_.progress(done, all_);
  }
  void add_problem(const std::string& text) {
    const std::lock_guard lock(problems_);
    if (++problem_count_ <= most_problems) problem_ += (problem_.empty() ? "" : "; ") + text;
  }

  const UnitTable& units_;
  const BuildOptions& options_;
  std::vector<ScannedUnit> scanned_;  // each element is written by the thread that took its unit
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::uint64_t all_ = 0;
  std::mutex reporting_;  // guards reported_
  std::chrono::steady_clock::time_point reported_{};
  std::mutex problems_;  // guards the two below
  std::string problem_;
  std::size_t problem_count_ = 0;
};

std::size_t thread_count(const BuildOptions& options, std::uint64_t bytes) {
  const std::size_t wanted = options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(bytes / worth_a_thread, 1, std::min(wanted, most_threads));
}

}  // namespace

bool optimizing(std::string_view producer) {
  bool optimized = false;
  for (std::size_t at = producer.find(" -O"); at != std::string_view::npos; at = producer.find(" -O", at + 3)) {
    const auto level = producer.substr(at + 3, producer.find(' ', at + 3) - (at + 3));
    optimized = level != "0" && level != "g";  // the last one counts
  }
  return optimized;
}

Result<std::vector<std::byte>> build(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate,
                                     const Key& key, const BuildOptions& options) {
  const UnitTable units = UnitTable::of(std::move(file), std::move(alternate));
  Work work(units, options);
  std::vector<std::unique_ptr<Harvest>> harvests(thread_count(options, work.bytes()));
  for (auto& harvest : harvests) harvest = std::make_unique<Harvest>();
  {
    const util::QuietSignals quiet;
    std::vector<std::jthread> threads;
    std::vector<std::exception_ptr> problems(harvests.size());
    const auto run = [&](std::size_t i) {
      try {
        work.run(*harvests[i]);
      } catch (...) {
        problems[i] = std::current_exception();  // for the thread that asked: nobody catches it on this one
      }
    };
    for (std::size_t i = 1; i < harvests.size(); ++i)
      threads.emplace_back([&run, i] {
        // setpriority(2): on Linux "which process" is a thread.
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
        run(i);
      });
    run(0);
    threads.clear();
    for (const auto& problem : problems)
      if (problem) std::rethrow_exception(problem);
  }
  if (work.cancelled()) return fail(Errc::cancelled, "indexing was cancelled");
  for (const auto* read : {units.file.get(), units.alternate.get()})
    if (read && read->lost())
      return fail(Errc::bad_debug_info, fmt::format("{} was truncated while it was indexed", read->path()));
  std::string problem = units.problem;
  if (!work.problem().empty()) problem += (problem.empty() ? "" : "; ") + work.problem();
  auto bytes = lay_out(units, work.scanned(), std::move(harvests), problem, key, options.cancel);
  if (work.cancelled()) return fail(Errc::cancelled, "indexing was cancelled");
  return bytes;
}

std::shared_ptr<const Index> survey(std::shared_ptr<const DebugFile> file, std::shared_ptr<const DebugFile> alternate) {
  const UnitTable units = UnitTable::of(std::move(file), std::move(alternate));
  std::vector<std::unique_ptr<Harvest>> harvest;
  harvest.push_back(std::make_unique<Harvest>());
  std::vector<ScannedUnit> scanned(units.heads.size());
  Scanner scanner(units, *harvest.front());
  for (std::uint32_t i = 0; i < scanned.size(); ++i) {
    const auto outcome = scanner.scan(i, false);
    scanned[i] = {.root = outcome.root, .damaged = !outcome.problem.empty()};
  }
  const Key key = Key::of("survey");
  auto index = Index::from_bytes(lay_out(units, scanned, std::move(harvest), units.problem, key), key);
  return index ? *index : nullptr;
}

std::optional<LoneUnit> read_unit(const DebugFile& file, std::uint64_t offset) {
  std::string problem;
  const auto& sections = file.sections();
  const auto heads = read_unit_heads(sections.info, false, problem, offset, 1);
  if (heads.empty()) return std::nullopt;
  const auto& head = heads.front();
  AbbreviationTable table;
  table.read(sections.abbrev, head.abbreviations, static_cast<std::uint8_t>(head.version), head.address_size, head.wide,
             DataCursor(sections.info, head.first_die).uleb());
  const UnitReader unit(sections, nullptr, head, table);
  if (unit.root().damaged) return std::nullopt;
  return LoneUnit{.head = head, .root = unit.root()};
}

}  // namespace trapline::index
