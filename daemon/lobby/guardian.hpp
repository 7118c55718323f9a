#pragma once
// Watches the session processes and puts their debuggees right when one dies.
//
// A thread of its own, with real-time priority where that is allowed: between a session's death and the restored bytes
// every thread of the debuggee that meets one of our traps dies, so it must not wait for the lobby's loop (105-131 us
// from SIGKILL to restored, measured). Source: pidfd_open(2): readable when the process has ended, and by then the
// kernel has let its tracees go.
// Thread: watch() and the destructor on the loop's; `ended` is posted there.
#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/guard/journal.hpp"
#include "daemon/util/fd.hpp"
#include "proto/words/ids.hpp"

namespace trapline::lobby {

class Guardian {
 public:
  using Ended = std::function<void(Pid session, std::vector<guard::Recovery> recoveries)>;
  Guardian(asio::io_context& loop, std::filesystem::path journals, Ended ended);
  ~Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  // Errors: no_process (it ended before: nothing will be reported), os.
  Result<void> watch(Pid session);

 private:
  void run();

  asio::io_context& loop_;
  std::filesystem::path journals_;
  Ended ended_;
  util::Fd epoll_;
  util::Fd stop_;
  std::mutex lock_;  // guards watched_: the loop's thread adds, the guardian's removes
  std::map<pid_t, util::Fd> watched_;
  std::thread thread_;
};

}  // namespace trapline::lobby
