#pragma once
// A daemon of this build on a socket of its own, in a folder that goes with it.
#include <optional>
#include <string>
#include <vector>

#include "bench/channel.hpp"

namespace trapline::bench {

class Daemon {
 public:
  explicit Daemon(const std::string& program, const std::vector<std::string>& arguments = {});
  ~Daemon();
  std::string socket() const { return folder_ + "/bench.sock"; }
  int pid() const { return channel_->pid(); }

 private:
  std::string folder_;
  std::optional<Channel> channel_;
};

// The first of these programs that /usr/bin has; empty: none.
std::string in_path(const std::vector<std::string>& names);

}  // namespace trapline::bench
