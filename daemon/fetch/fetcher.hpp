#pragma once
// Has one file after the other fetched behind everything else. Thread: the loop's.
#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/fetch/fetch.hpp"
#include "proto/words/result.hpp"

namespace trapline::fetch {

struct Order {
  std::string build_id;  // hexadecimal
  std::string source{};  // the path of a source file as the debug information has it; empty: the debug file
  Settings settings{};
};

class Fetcher {
 public:
  // Bytes; `all` is 0 while nobody knows.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;
  // The file in the cache folder. Errors: not_found (no server has it), cancelled, timeout, connection, not_available.
  using Done = std::function<void(Result<std::string> path)>;

  // `executable`: traplined's path.
  Fetcher(asio::io_context& loop, std::string executable);
  ~Fetcher();  // ends what is under way; `done` is not called
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  bool busy() const { return running_ != nullptr; }  // until `done` is called
  // Not while busy. Neither callback is called before it returns. Errors: os.
  Result<void> start(const Order& order, Progress progress, Done done);
  void cancel();  // `done` hears of it, before this returns
  // After a SIGCHLD: whatever waits for all children may have taken the end of ours, which is no harm.
  void reap();

 private:
  struct Running;
  void read_on(const std::shared_ptr<Running>& running);
  void take(const std::shared_ptr<Running>& running, const std::string& line);
  void finish(const std::shared_ptr<Running>& running, Result<std::string> result);
  void end(Running& running);

  asio::io_context& loop_;
  std::string executable_;
  std::shared_ptr<Running> running_;
  std::vector<int> ended_;  // pids that are still to be reaped
};

}  // namespace trapline::fetch
