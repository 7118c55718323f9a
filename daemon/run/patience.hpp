#pragma once
// Waiting for a tracee with a bound. waitpid(2) has no timeout, a pidfd does not poll on ptrace stops, and a thread in
// an uninterruptible sleep never answers: so poll, giving the CPU away in between. On one core a WNOHANG loop with
// sched_yield is as fast as a blocking waitpid (the yield runs the tracee).
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace trapline::run {

inline std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class Patience {
 public:
  explicit Patience(std::chrono::nanoseconds bound) : begin_(now_ns()), end_(begin_ + bound.count()) {}
  // Between two polls. False: the bound is over.
  bool pause() {
    const auto now = now_ns();
    if (now >= end_) return false;
    if (now - begin_ < spin_ns) {
      ::sched_yield();
      return true;
    }
    const timespec nap{.tv_sec = 0, .tv_nsec = std::min(nap_ns_, longest_nap_ns)};
    ::nanosleep(&nap, nullptr);  // SIGCHLD cuts it short where a handler is installed
    nap_ns_ *= 2;
    return true;
  }
  std::chrono::nanoseconds elapsed() const { return std::chrono::nanoseconds(now_ns() - begin_); }

 private:
  static constexpr std::int64_t spin_ns = 300'000;
  static constexpr long longest_nap_ns = 1'000'000;
  std::int64_t begin_;
  std::int64_t end_;
  long nap_ns_ = 20'000;
};

}  // namespace trapline::run
