// A thread that makes a system call for us, and is left in the midst of it: it must find its way back.
#include <sys/syscall.h>

#include "daemon/os/ptrace.hpp"
#include "daemon/run/safe_call.hpp"
#include "tests/faults/subject.hpp"

using namespace trapline;
using namespace trapline::test;

namespace {

const os::OnTracer& tracer() {
  static const os::TracerThread thread;
  return thread.token();
}

// A thread of the subject, stopped in its own code; nullopt: it was in a system call, and is let go.
std::optional<Tid> catch_one(const Subject& subject, std::mt19937_64& random) {
  const auto tids = os::threads_of(Pid{subject.pid()}).value();
  const auto tid = tids[random() % tids.size()];
  REQUIRE(os::seize(tracer(), tid, 0));
  REQUIRE(os::interrupt(tracer(), tid));
  os::Waiter waiter(tracer());
  REQUIRE(waiter.of(tid, os::Waiter::Mode::block));
  if (static_cast<std::int64_t>(os::general_registers(tracer(), tid).value().orig_rax) < 0) return tid;
  REQUIRE(os::detach(tracer(), tid, 0));
  return std::nullopt;
}

}  // namespace

TEST_CASE(
    "a thread that is borrowed for a system call goes on by itself when we are gone, and as it was when we are not") {
  std::mt19937_64 random(seed());
  INFO("seed ", seed());
  Subject subject;
  trap::SiteTable sites;
  run::LiveMemory memory(os::ProcessMemory::open(Pid{subject.pid()}).value(), sites, [](LoadAddr, std::byte) {});
  const auto maps = os::mappings(Pid{subject.pid()}).value();
  const auto way = run::find_way_back(maps, memory);
  REQUIRE(way);
  const std::array<std::uint64_t, 6> nothing{};
  int left = 0;
  int came_back = 0;
  for (int i = 0; i < 300; ++i) {
    const auto tid = catch_one(subject, random);
    if (!tid) continue;
    const auto before = os::general_registers(tracer(), *tid).value();
    const auto vector = os::xstate(tracer(), *tid).value();
    auto out = run::set_out(tracer(), *tid, memory, *way, SYS_getppid, nothing);
    REQUIRE(out);
    if (random() % 2 == 0) {
      os::Waiter waiter(tracer());
      const auto answer = run::come_back(tracer(), waiter, *tid, memory, *way, *out);
      REQUIRE(answer);
      CHECK(*answer == ::getpid());
      CHECK(os::general_registers(tracer(), *tid).value() == before);
      CHECK(os::xstate(tracer(), *tid).value() == vector);
      ++came_back;
    } else {
      ++left;
    }
    REQUIRE(os::detach(tracer(), *tid, 0));
  }
  CHECK(left > 20);
  CHECK(came_back > 20);
  subject.check_untouched();
}
