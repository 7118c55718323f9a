#include "daemon/stack/walked.hpp"

#include <doctest/doctest.h>

using trapline::stack::Walked;

TEST_CASE("a stack that grows is walked, frame by frame") {
  Walked walked;
  for (std::uint64_t rsp = 0x7000; rsp < 0x9000; rsp += 0x30) CHECK_FALSE(walked.climb(rsp, rsp + 0x30));
}

TEST_CASE("a frame that leads back into what was walked is refused") {
  Walked walked;
  CHECK_FALSE(walked.climb(0x7000, 0x7100));
  CHECK_FALSE(walked.climb(0x7100, 0x7200));
  CHECK(walked.climb(0x7200, 0x7080));
}

TEST_CASE("two stacks that lead to one another are no circle to walk in") {
  Walked walked;
  CHECK_FALSE(walked.climb(0x7000'0000, 0x7000'0100));
  CHECK_FALSE(walked.climb(0x7000'0100, 0x1000));  // a coroutine's stack, lower
  CHECK_FALSE(walked.climb(0x1000, 0x1100));
  CHECK_FALSE(walked.climb(0x1100, 0x7100'0000));  // and a third, higher
  CHECK_FALSE(walked.climb(0x7100'0000, 0x7100'0010));
  CHECK_FALSE(walked.climb(0x7100'0010, 0x5000'0000));  // between the others: nobody was there
  CHECK(walked.climb(0x5000'0000, 0x7000'0040));
}

TEST_CASE("a signal handler's own stack may lie above the one it interrupted") {
  Walked walked;
  CHECK_FALSE(walked.climb(0x9000, 0x9100));
  CHECK_FALSE(walked.jump(0x2000));
  CHECK_FALSE(walked.climb(0x2000, 0x2040));
  CHECK(walked.jump(0x9080));
}

TEST_CASE("a frame may hold its return address in a register, but not for ever") {
  Walked walked;
  CHECK_FALSE(walked.climb(0x7000, 0x7000));
  CHECK_FALSE(walked.climb(0x7000, 0x7040));
  bool refused = false;
  for (int i = 0; i < 10 && !refused; ++i) refused = walked.climb(0x7040, 0x7040).has_value();
  CHECK(refused);
}
