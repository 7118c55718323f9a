#include "daemon/index/behind.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>

#include "daemon/index/build.hpp"
#include "daemon/index/debug_sections.hpp"
#include "daemon/index/store.hpp"
#include "daemon/util/log.hpp"
#include "daemon/util/lost_pages.hpp"

namespace trapline::index {
namespace {

constexpr int niceness = 10;

}  // namespace

Result<std::shared_ptr<const Index>> make_index(const Order& order,
                                                const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                                const std::atomic<bool>* cancel) {
  const Store store(order.folder);
  TL_TRY(const auto key, key_of(order.path));
  if (auto known = store.load(key)) return known;
  TL_TRY(auto file, DebugFile::open(order.path));
  std::shared_ptr<const DebugFile> alternate;
  if (!order.alternate.empty()) {
    TL_TRY(alternate, DebugFile::open(order.alternate));
  }
  TL_TRY(auto bytes, build(std::move(file), std::move(alternate), key,
                           {.threads = order.threads, .progress = progress, .cancel = cancel}));
  // Written over in place: what was read is of two files, and the key of one.
  if (const auto now = key_of(order.path); !now || now->name != key.name)
    return fail(Errc::bad_debug_info, fmt::format("{} was changed while it was indexed", order.path));
  if (const auto saved = store.save(key, bytes); !saved)
    log::info("index", "{}: its index stays in memory: {}", order.path, saved.error().message);
  else if (auto kept = store.load(key))
    return kept;  // mapped: its pages are the page cache's, and not this process' own
  return Index::from_bytes(std::move(bytes), key);
}

namespace {

// What nobody catches on a thread ends the daemon: memory or threads that ran out end this index only.
Result<std::shared_ptr<const Index>> made_or_why_not(const Order& order,
                                                     const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                                                     const std::atomic<bool>* cancel) {
  try {
    return make_index(order, progress, cancel);
  } catch (const std::exception& problem) {
    return fail(Errc::os, fmt::format("{}: not indexed: {}", order.path, problem.what()));
  }
}

}  // namespace

Behind::~Behind() {
  *alive_ = false;
  cancel_ = true;
  if (thread_.joinable()) thread_.join();
}

void Behind::start(Order order, Progress progress, Done done) {
  if (thread_.joinable()) thread_.join();  // it has posted its end
  busy_ = true;
  cancel_ = false;
  const auto alive = alive_;
  const util::QuietSignals quiet;  // signals are for the owner's thread: SIGCHLD wakes its loop
  thread_ = std::thread(
      [this, alive, post = post_, order = std::move(order), progress = std::move(progress), done = std::move(done)] {
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
        const auto tell = [&](std::uint64_t so_far, std::uint64_t of) {
          post([alive, progress, so_far, of] {
            if (*alive) progress(so_far, of);
          });
        };
        auto made = std::make_shared<Result<std::shared_ptr<const Index>>>(made_or_why_not(order, tell, &cancel_));
        post([this, alive, done, made] {
          if (!*alive) return;
          busy_ = false;
          done(std::move(*made));
        });
      });
}

}  // namespace trapline::index
