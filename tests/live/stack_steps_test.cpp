// The strictest test of an unwinder: after every single instruction of a tour through the program, lazy binding, libc,
// the vdso and code without call frame information, its callers must be those that the call and return instructions
// executed so far leave. The oracle decodes nothing but these: a call pushes, a return pops.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/live/stack_tracee.hpp"

using namespace trapline;
using stack::FrameKind;
using test::all_frames;
using test::text_of;
using test::Tracee;

namespace {

struct Call {
  std::uint64_t return_address;
  std::uint64_t slot;  // where it lies
};

// Follows one thread. `base`: the frames that stood when the tour began, which must never change.
class Oracle {
 public:
  // A return address is gone once the stack pointer is above its slot: returns, and the resolver's jumps, alike.
  void after_step(const Tracee& tracee, const arch::GeneralRegisters& before, const arch::GeneralRegisters& now,
                  std::size_t length, bool call) {
    if (call && now.rsp == before.rsp - 8 && tracee.word(now.rsp) == before.rip + length)
      calls_.push_back({before.rip + length, now.rsp});
    while (!calls_.empty() && now.rsp > calls_.back().slot) calls_.pop_back();
  }
  std::vector<std::uint64_t> callers() const {
    std::vector<std::uint64_t> pcs;
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) pcs.push_back(call->return_address);
    return pcs;
  }

 private:
  std::vector<Call> calls_;
};

// Whether the instruction at rip is a call, and how long it is: by whether a call ends where one would.
std::size_t call_length(const Tracee& tracee, std::uint64_t rip) {
  std::array<std::byte, 8> bytes{};
  auto& memory = const_cast<Tracee&>(tracee).memory();
  if (memory.read_some(LoadAddr{rip}, bytes) < 2) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::size_t at = 0;
  if (byte(at) == 0xf2 || byte(at) == 0x3e) ++at;  // bnd, notrack
  if ((byte(at) & 0xf0) == 0x40) ++at;             // REX
  if (byte(at) == 0xe8) return at + 5;
  if (byte(at) != 0xff || (byte(at + 1) >> 3 & 7) != 2) return 0;
  const unsigned mod = byte(at + 1) >> 6, rm = byte(at + 1) & 7;
  std::size_t length = at + 2;
  if (mod != 3 && rm == 4) {
    if (mod == 0 && (byte(at + 2) & 7) == 5) length += 4;
    ++length;
  }
  if (mod == 1) length += 1;
  if (mod == 2 || (mod == 0 && rm == 5)) length += 4;
  return length;
}

}  // namespace

TEST_CASE("after each instruction of a tour the callers are those whose calls have not returned") {
  for (const char* name :
       {"gcc-O0", "gcc-O2", "clang-O0", "clang-O2", "gcc-O2-lld", "gcc-O2-mold", "gcc-debug-frame"}) {
    CAPTURE(std::string(name));
    Tracee tracee({fmt::format("{}/stack_shapes.{}", FIXTURES, name), "tour"});
    tracee.run_to_stop();
    auto start = tracee.stack();
    const auto frames = all_frames(start);
    auto base = test::physical_pcs(frames);
    base.erase(base.begin());  // tour() itself moves
    Oracle oracle;
    auto before = tracee.registers().general;
    std::size_t steps = 0, wrong = 0;
    bool alive = true;
    while (alive && wrong < 5) {
      std::array<std::byte, 1> opcode{};
      REQUIRE(tracee.memory().read_some(LoadAddr{before.rip}, opcode) == 1);
      if (opcode[0] == std::byte{0xcc}) break;  // the tour's end
      const std::size_t length = call_length(tracee, before.rip);
      alive = tracee.step();
      const auto now = tracee.registers().general;
      oracle.after_step(tracee, before, now, length, length != 0);
      ++steps;
      auto stack = tracee.stack();
      const auto seen = all_frames(stack, 1000);
      auto wanted = oracle.callers();
      wanted.insert(wanted.end(), base.begin(), base.end());
      auto got = test::physical_pcs(seen);
      REQUIRE_FALSE(got.empty());
      got.erase(got.begin());
      if (got != wanted || seen.back().kind == FrameKind::broken) {
        ++wrong;
        CHECK_MESSAGE(false, fmt::format("step {} at {:#x}, wanted {:#x}\n{}", steps, now.rip, fmt::join(wanted, " "),
                                         text_of(seen)));
      }
      before = now;
    }
    CHECK(steps > 3000);
    MESSAGE(std::string(name) << ": " << steps << " instructions, " << wrong << " wrong");
  }
}
