#pragma once
// Files that are mapped while somebody truncates them in place (`cp` over a program that is being debugged, a file
// system that fails): the kernel answers a read behind the new end with SIGBUS (mmap(2)), which would end the session.
// What a LostPages covers reads as zeros from that page on instead, and lost() tells of it for good. Readers of mapped
// files hold everything against bounds and checksums anyway: zeros are damage like any other.
// Thread: any, the handler runs on the thread that read. SIGBUS that is blocked kills regardless: QuietSignals.
#include <atomic>
#include <csignal>
#include <cstddef>
#include <utility>

namespace trapline::util {

class LostPages {
 public:
  LostPages() = default;
  // Of mapped memory, `at` at the begin of a page; it is unmapped after this object is gone. The first one installs the
  // handler; a SIGBUS elsewhere goes to the handler before it.
  LostPages(const void* at, std::size_t size);
  LostPages(LostPages&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  LostPages& operator=(LostPages&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~LostPages();
  bool lost() const;

  struct Slot;

 private:
  Slot* slot_ = nullptr;
};

// While it lives, what this thread starts gets no signals: those of the process belong to its other threads. Faults of
// the thread itself stay open: the kernel kills a process whose thread has them blocked.
class QuietSignals {
 public:
  QuietSignals();
  ~QuietSignals();
  QuietSignals(const QuietSignals&) = delete;
  QuietSignals& operator=(const QuietSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace trapline::util
