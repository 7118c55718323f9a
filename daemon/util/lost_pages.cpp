#include "daemon/util/lost_pages.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <vector>

namespace trapline::util {

struct LostPages::Slot {
  std::atomic<std::uintptr_t> begin = 0, end = 0;  // begin 0: free
  std::atomic<bool> lost = false;
};

namespace {

// Slots never move and are never freed: the handler may run on any thread at any time and takes no lock.
struct Chunk {
  std::array<LostPages::Slot, 512> slots;
  std::atomic<Chunk*> next = nullptr;
};

Chunk first_chunk;
std::mutex adding;                         // guards the next one; the handler only reads chunks
std::vector<LostPages::Slot*> free_slots;  // of all chunks
bool first_chunk_used = false;
struct sigaction before {};
std::uintptr_t page_size = 4096;

LostPages::Slot* covering(std::uintptr_t at) {
  for (Chunk* chunk = &first_chunk; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire))
    for (auto& slot : chunk->slots) {
      const auto begin = slot.begin.load(std::memory_order_acquire);
      if (begin != 0 && begin <= at && at < slot.end.load(std::memory_order_relaxed)) return &slot;
    }
  return nullptr;
}

void hand_on(int signal, siginfo_t* info, void* context) {
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
    return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  ::sigaction(SIGBUS, &plain, nullptr);  // the read is tried again, and ends the process as it would have
}

// A system call each, and nothing else: mmap(2) takes no lock of ours.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  auto* slot = info->si_code > 0 ? covering(at) : nullptr;
  if (!slot) return hand_on(signal, info, context);
  slot->lost.store(true, std::memory_order_relaxed);
  // To the end of it: a file of a gigabyte would come here a page at a time else.
  const auto page = at / page_size * page_size;
  const auto end = (slot->end.load(std::memory_order_relaxed) + page_size - 1) / page_size * page_size;
  void* zeros = ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (zeros == MAP_FAILED) hand_on(signal, info, context);
  errno = saved;
}

void install() {
  page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &before);
}

LostPages::Slot* free_slot() {
  if (free_slots.empty()) {
    Chunk* chunk = &first_chunk;
    if (std::exchange(first_chunk_used, true)) {
      while (Chunk* next = chunk->next.load(std::memory_order_relaxed)) chunk = next;
      auto* more = new Chunk;
      chunk->next.store(more, std::memory_order_release);
      chunk = more;
    }
    for (auto& slot : chunk->slots) free_slots.push_back(&slot);
  }
  auto* slot = free_slots.back();
  free_slots.pop_back();
  return slot;
}

}  // namespace

LostPages::LostPages(const void* at, std::size_t size) {
  static std::once_flag once;
  std::call_once(once, install);
  const auto begin = reinterpret_cast<std::uintptr_t>(at);
  if (begin == 0 || size == 0) return;
  const std::lock_guard lock(adding);
  slot_ = free_slot();
  slot_->lost.store(false, std::memory_order_relaxed);
  slot_->end.store(begin + size, std::memory_order_relaxed);
  slot_->begin.store(begin, std::memory_order_release);
}

LostPages::~LostPages() {
  if (!slot_) return;
  const std::lock_guard lock(adding);
  slot_->begin.store(0, std::memory_order_release);
  free_slots.push_back(slot_);
}

bool LostPages::lost() const { return slot_ != nullptr && slot_->lost.load(std::memory_order_relaxed); }

QuietSignals::QuietSignals() {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, fault);
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}

QuietSignals::~QuietSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace trapline::util
