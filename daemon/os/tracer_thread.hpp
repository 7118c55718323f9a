#pragma once
// ptrace(2): requests are accepted from the attaching thread only. Holding an OnTracer means "I run on that thread".
#include <thread>

namespace trapline::os {

class OnTracer {
  friend class TracerThread;
  OnTracer() = default;
};

// Made once, in main() of a session process (or in a test), by the thread that will do all tracing.
class TracerThread {
 public:
  TracerThread() : id_(std::this_thread::get_id()) {}
  const OnTracer& token() const;  // asserts that the caller runs on that thread

 private:
  std::thread::id id_;
  OnTracer token_;
};

}  // namespace trapline::os
