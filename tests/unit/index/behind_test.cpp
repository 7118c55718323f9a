// Indexes built behind: the owner hears of it on its own thread, may cancel, may go.
#include "daemon/index/behind.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>

#include "daemon/index/store.hpp"
#include "tests/unit/index/sections.hpp"

namespace trapline::index {
namespace {

// The owner's loop: what was posted runs when the test lets it.
class Loop {
 public:
  Behind::Post post() {
    return [this](std::function<void()> work) {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
      more_.notify_one();
    };
  }
  // Runs what comes until `done`; false after a bound.
  bool run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!more_.wait_until(lock, limit, [&] { return !work_.empty(); })) return false;
      auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
    }
    return true;
  }

 private:
  std::mutex mutex_;  // guards work_
  std::condition_variable more_;
  std::deque<std::function<void()>> work_;
};

TEST_CASE("one index after the other, told on the owner's thread, and kept") {
  const test::Folder folder;
  Loop loop;
  Behind behind(loop.post());
  for (const char* name : {"code_shapes", "code_shapes.O2", "code_shapes"}) {
    std::shared_ptr<const Index> index;
    const auto own = std::this_thread::get_id();
    behind.start(
        {.path = test::fixture(name), .folder = folder / "indexes", .threads = 3},
        [&](std::uint64_t done, std::uint64_t all) { CHECK(done <= all); },
        [&](Result<std::shared_ptr<const Index>> made) {
          CHECK(std::this_thread::get_id() == own);
          REQUIRE(made);
          index = *made;
        });
    CHECK(behind.busy());
    REQUIRE(loop.run_until([&] { return !behind.busy(); }));
    REQUIRE(index);
    CHECK_FALSE(index->with_base("main").empty());
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder / "indexes")) ++files;
  CHECK(files == 2);
}

TEST_CASE("a folder that cannot be written costs the cache and not the answer") {
  Loop loop;
  Behind behind(loop.post());
  bool found = false;
  behind.start(
      {.path = test::fixture("code_shapes"), .folder = "/proc/no/such/folder"}, [](auto, auto) {},
      [&](Result<std::shared_ptr<const Index>> made) { found = made && !(*made)->with_base("main").empty(); });
  REQUIRE(loop.run_until([&] { return !behind.busy(); }));
  CHECK(found);
}

TEST_CASE("what cannot be read is told, and the next one is built") {
  Loop loop;
  Behind behind(loop.post());
  std::string why;
  behind.start(
      {.path = "/no/such/file"}, [](auto, auto) {},
      [&](Result<std::shared_ptr<const Index>> made) { why = made ? "" : made.error().message; });
  REQUIRE(loop.run_until([&] { return !behind.busy(); }));
  CHECK(why.find("/no/such/file") != std::string::npos);
  bool built = false;
  behind.start(
      {.path = test::fixture("code_shapes")}, [](auto, auto) {},
      [&](Result<std::shared_ptr<const Index>> made) { built = made.has_value(); });
  REQUIRE(loop.run_until([&] { return !behind.busy(); }));
  CHECK(built);
}

TEST_CASE("an owner that goes while it works hears nothing more") {
  Loop loop;
  bool heard = false;
  for (int round = 0; round < 10; ++round) {
    Behind behind(loop.post());
    behind.start(
        {.path = test::fixture("code_shapes.O2"), .threads = 2}, [&](auto, auto) { heard = true; },
        [&](auto) { heard = true; });
    if (round % 2 == 0) behind.cancel();
  }
  int left = 0;  // whatever was posted finds nobody
  loop.post()([&] { ++left; });
  REQUIRE(loop.run_until([&] { return left == 1; }));
  CHECK_FALSE(heard);
}

}  // namespace
}  // namespace trapline::index
