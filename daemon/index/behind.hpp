#pragma once
// Builds one index after the other behind everything else: a thread of its own that hands the units to the threads of
// build(), saves what comes out, and tells the owner through `post`, which runs a closure on the owner's thread (and
// may drop it: an owner that is gone hears nothing). Thread: start(), cancel() and the destructor belong to the owner's
// thread; the destructor waits until the running job has noticed: some thousand DIEs, or one step of
// laying out what was found.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "daemon/index/image.hpp"
#include "proto/words/result.hpp"

namespace trapline::index {

struct Order {
  std::string path{};       // the file with the debug information
  std::string alternate{};  // its dwz file; may be empty
  std::string folder{};     // where the index is kept; empty: in memory only
  unsigned threads = 0;     // as BuildOptions has it
};

// The index of that file: from the folder where it is there already, else built, and saved. On the calling thread.
// Errors: as DebugFile::open, cancelled. That it cannot be saved is no error: it is kept in memory then.
Result<std::shared_ptr<const Index>> make_index(const Order& order,
                                                const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                                const std::atomic<bool>* cancel);

class Behind {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;
  using Done = std::function<void(Result<std::shared_ptr<const Index>>)>;

  explicit Behind(Post post) : post_(std::move(post)) {}
  ~Behind();
  Behind(const Behind&) = delete;
  Behind& operator=(const Behind&) = delete;

  bool busy() const { return busy_; }  // until `done` was called
  // Not while busy. Both callbacks run on the owner's thread.
  void start(Order order, Progress progress, Done done);
  void cancel() { cancel_ = true; }  // `done` hears of it

 private:
  Post post_;
  std::thread thread_;
  std::atomic<bool> cancel_ = false;
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace trapline::index
