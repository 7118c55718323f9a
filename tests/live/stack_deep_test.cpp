// A stack of 100,000 frames costs the frames that were asked for.
#include "tests/live/stack_tracee.hpp"

using namespace trapline;
using test::Tracee;

namespace {

// Counts what unwinding reads from the debuggee.
class CountingMemory final : public util::Memory {
 public:
  explicit CountingMemory(const util::Memory& source) : source_(source) {}
  Result<void> read(LoadAddr at, std::span<std::byte> out) const override {
    ++reads;
    return source_.read(at, out);
  }
  std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override {
    ++reads;
    return source_.read_some(at, out);
  }
  mutable std::size_t reads = 0;

 private:
  const util::Memory& source_;
};

}  // namespace

TEST_CASE("a recursion of 100,000 is walked to its end, and its first frames cost no more than a shallow stack's") {
  for (const char* name : {"gcc-O0", "gcc-O2-fp", "clang-O0"}) {
    CAPTURE(std::string(name));
    Tracee tracee({fmt::format("{}/stack_shapes.{}", FIXTURES, name), "deep", "100000"});
    tracee.run_to_stop();
    const CountingMemory memory(tracee.memory());
    stack::Stack stack(tracee.registers(), memory, tracee.modules());
    const auto* twentieth = stack.frame(19);
    REQUIRE(twentieth != nullptr);
    CHECK(twentieth->function == "recurse");
    CHECK_FALSE(stack.depth_if_known());
    CHECK(memory.reads <= 3);  // 20 frames lie in a page or two
    const auto* outermost_but_few = stack.frame(100'000);
    REQUIRE(outermost_but_few != nullptr);
    CHECK(outermost_but_few->function == "recurse");
    CHECK(memory.reads < 400);  // the stack in pieces of 64 KiB
    const auto* main = stack.frame(100'001);
    REQUIRE(main != nullptr);
    CHECK(main->function == "main");
    CHECK(stack.frame(200'000) == nullptr);
    REQUIRE(stack.depth_if_known());
    const auto depth = *stack.depth_if_known();
    CHECK(depth <= 100'006);
    std::uint64_t cfa = 0;
    for (std::size_t i = 0; i < depth; ++i) {
      const auto* frame = stack.frame(i);
      REQUIRE(frame->cfa.value > cfa);
      REQUIRE(frame->kind != stack::FrameKind::broken);
      cfa = frame->cfa.value;
    }
  }
}
