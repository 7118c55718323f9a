// Every shape of stack, built every way, against the chain of callers that the program itself wrote down.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "tests/live/stack_tracee.hpp"

using namespace trapline;
using stack::Frame;
using stack::FrameKind;
using test::all_frames;
using test::text_of;
using test::Tracee;

namespace {

std::string build(std::string_view name) { return fmt::format("{}/stack_shapes.{}", FIXTURES, name); }

// gcc and clang, with and without frame pointers and optimisation; static, position-independent or not; with other
// linkers' stubs; with .debug_frame alone; stripped.
const std::vector<std::string_view> every_build{
    "gcc-O0",     "gcc-O2",         "gcc-O3",          "gcc-O2-fp",  "clang-O0",    "clang-O2",       "gcc-nopie",
    "gcc-static", "gcc-static-pie", "gcc-debug-frame", "gcc-O2-lld", "gcc-O2-mold", "gcc-O2-stripped"};

// Innermost first, as the program noted them in `trail`. Read through the addresses that the unstripped twin of a
// stripped program has.
std::vector<std::uint64_t> trail_of(Tracee& tracee, std::string_view name) {
  std::uint64_t array = 0, length = 0;
  if (name.ends_with("-stripped")) {
    // nm of the twin, not our own reader: what was stripped has no symbols to ask.
    const auto twin = build(name.substr(0, name.rfind('-')));
    auto module = sym::Module::open(twin, ModuleId{99}, {});
    REQUIRE(module);
    const auto bias = tracee.modules().all().front()->bias;
    array = (*module)->symbols_named("trail").front().address + bias;
    length = (*module)->symbols_named("trail_length").front().address + bias;
  } else {
    array = tracee.symbol("trail");
    length = tracee.symbol("trail_length");
  }
  std::vector<std::uint64_t> trail(tracee.word(length) & 0xffffffff);
  for (std::size_t i = 0; i < trail.size(); ++i) trail[i] = tracee.word(array + i * 8);
  std::ranges::reverse(trail);
  return trail;
}

struct Seen {
  std::vector<Frame> frames;
  std::vector<std::uint64_t> callers;  // pcs without the innermost
  std::vector<std::uint64_t> trail;
};

Seen look(Tracee& tracee, std::string_view name) {
  auto stack = tracee.stack();
  Seen seen{.frames = all_frames(stack), .callers = {}, .trail = trail_of(tracee, name)};
  REQUIRE_FALSE(seen.frames.empty());
  seen.callers = test::physical_pcs(seen.frames);
  seen.callers.erase(seen.callers.begin());
  return seen;
}

void check_whole(const Seen& seen) {
  CHECK_MESSAGE(seen.frames.back().kind != FrameKind::broken, text_of(seen.frames));
  CHECK(seen.frames.front().innermost);
  for (std::size_t i = 1; i < seen.frames.size(); ++i)
    if (seen.frames[i].cfa != seen.frames.front().cfa) CHECK_FALSE(seen.frames[i].innermost);
}

bool contains_in_order(const std::vector<std::uint64_t>& all, const std::vector<std::uint64_t>& part) {
  auto at = all.begin();
  for (const auto pc : part) {
    at = std::find(at, all.end(), pc);
    if (at == all.end()) return false;
    ++at;
  }
  return true;
}

std::vector<std::uint64_t> first(const std::vector<std::uint64_t>& all, std::size_t count) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()))};
}

const Frame* named(const std::vector<Frame>& frames, std::string_view function) {
  const auto found = std::ranges::find(frames, function, &Frame::function);
  return found == frames.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("callers are those that the program noted, frame by frame") {
  for (const auto name : every_build)
    for (const char* shape : {"plain", "alloca", "array", "realigned", "noreturn", "inlined", "longjmp", "signal",
                              "signal_altstack", "signal_nested"}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_stop();
      const Seen seen = look(tracee, name);
      check_whole(seen);
      CHECK_MESSAGE(first(seen.callers, seen.trail.size()) == seen.trail, text_of(seen.frames));
      CHECK(seen.callers.size() > seen.trail.size());  // what called main, down to _start
    }
}

TEST_CASE("calls through library code and code without any description lead back to the program") {
  for (const auto name : every_build)
    for (const char* shape : {"qsort", "bare_saving", "bare_frameless", "bare_framed", "bare_leaf"}) {
      // Without symbols nothing says where a function without frame pointer begins: honest ends are tested below.
      if (name.ends_with("-stripped") && (std::string_view(shape) == "bare_saving" || shape[5] == 'f')) continue;
      CAPTURE(std::string(name));
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_stop();
      const Seen seen = look(tracee, name);
      check_whole(seen);
      CHECK_MESSAGE(contains_in_order(seen.callers, seen.trail), text_of(seen.frames));
    }
}

TEST_CASE("where nothing describes the code and nothing names it, the stack ends honestly") {
  Tracee tracee({build("gcc-O2-stripped"), "bare_frameless"});
  tracee.run_to_stop();
  const Seen seen = look(tracee, "gcc-O2-stripped");
  REQUIRE_MESSAGE(seen.frames.size() >= 2, text_of(seen.frames));
  for (std::size_t i = 0; i < seen.callers.size() - 1; ++i) CHECK(seen.callers[i] == seen.trail[i]);
  CHECK(seen.frames.back().kind == FrameKind::broken);
  CHECK(seen.frames.back().reason.find("nothing describes the code at 0x") != std::string::npos);
}

TEST_CASE("code made at run time with frame pointers is walked through, and says that nothing names it") {
  for (const auto name : every_build) {
    CAPTURE(std::string(name));
    Tracee tracee({build(name), "jit"});
    tracee.run_to_stop();
    const Seen seen = look(tracee, name);
    check_whole(seen);
    CHECK_MESSAGE(contains_in_order(seen.callers, seen.trail), text_of(seen.frames));
    const auto* made = named(seen.frames, "??");
    REQUIRE(made != nullptr);
    CHECK(made->kind == FrameKind::no_symbols);
    if (!name.ends_with("-stripped")) CHECK_FALSE(made->module);
  }
}

TEST_CASE("abort() in a function that does not return: the callers of the last call are named, not their neighbours") {
  for (const auto name : every_build) {
    CAPTURE(std::string(name));
    Tracee tracee({build(name), "abort"});
    tracee.run_to_signal(SIGABRT);
    const Seen seen = look(tracee, name);
    check_whole(seen);
    CHECK_MESSAGE(contains_in_order(seen.callers, seen.trail), text_of(seen.frames));
    if (name.ends_with("-stripped")) continue;
    const auto* last = named(seen.frames, "last_words_abort");
    REQUIRE_MESSAGE(last != nullptr, text_of(seen.frames));
    CHECK(last->lookup_pc.value + 1 == last->pc.value);
    CHECK(named(seen.frames, "die") != nullptr);
  }
}

TEST_CASE("the signal frame stands between the handler and what it interrupted") {
  for (const auto name : every_build)
    for (const char* shape : {"signal", "signal_altstack"}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_stop();
      const Seen seen = look(tracee, name);
      const auto frame = std::ranges::find(seen.frames, FrameKind::signal_handler, &Frame::kind);
      REQUIRE_MESSAGE(frame != seen.frames.end(), text_of(seen.frames));
      CHECK(frame->lookup_pc == frame->pc);
      REQUIRE(frame + 1 != seen.frames.end());
      CHECK(frame[1].lookup_pc == frame[1].pc);  // exactly where it was interrupted
      for (std::uint32_t reg = 0; reg < arch::unwound_registers; ++reg) CHECK(frame[1].registers[reg].has_value());
    }
}

TEST_CASE("a call through a null, a wild or a data pointer shows who called") {
  for (const auto name : every_build)
    for (const char* shape : {"null_call", "wild_call", "data_call"}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_signal(SIGSEGV);
      const Seen seen = look(tracee, name);
      check_whole(seen);
      const std::uint64_t pc = seen.frames.front().pc.value;
      if (std::string_view(shape) == "null_call") CHECK(pc == 0);
      if (std::string_view(shape) == "wild_call") CHECK(pc == 0xdead0000);
      if (std::string_view(shape) != "data_call") CHECK(seen.frames.front().kind == FrameKind::no_symbols);
      // call_through() itself noted its caller; the return address into it is not in the trail.
      REQUIRE(seen.callers.size() > seen.trail.size());
      CHECK_MESSAGE(std::equal(seen.trail.begin(), seen.trail.end(), seen.callers.begin() + 1), text_of(seen.frames));
      if (!name.ends_with("-stripped")) CHECK(seen.frames[1].function == "call_through");
    }
}

TEST_CASE("a broken stack ends with a frame that says where and why") {
  for (const auto name : every_build) {
    CAPTURE(std::string(name));
    {
      Tracee tracee({build(name), "smash_return"});
      tracee.run_to_stop();
      auto stack = tracee.stack();
      const auto frames = all_frames(stack);
      REQUIRE_MESSAGE(frames.size() == 2, text_of(frames));
      CHECK(frames[1].kind == FrameKind::broken);
      CHECK(frames[1].reason.find("0x4141414141414141") != std::string::npos);
      CHECK(frames[1].function.empty());
    }
    {
      Tracee tracee({build(name), "smash_rsp"});
      tracee.run_to_stop();
      auto stack = tracee.stack();
      const auto frames = all_frames(stack);
      // A frame that is found through rbp does not mind.
      if (tracee.registers().general.rbp < 0x10000 || frames.size() == 2) {
        CHECK_MESSAGE(frames.back().kind == FrameKind::broken, text_of(frames));
        CHECK(frames.back().reason.find("0x55") != std::string::npos);
      } else {
        CHECK_MESSAGE(frames.back().kind != FrameKind::broken, text_of(frames));
      }
    }
    for (const char* shape : {"smash_chain", "smash_rbp"}) {
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_stop();
      auto stack = tracee.stack();
      const auto frames = all_frames(stack, 1000);
      // Only code that finds its frames through rbp can be led astray.
      if (name == "gcc-O0" || name == "clang-O0" || name == "gcc-O2-fp")
        CHECK_MESSAGE(frames.back().kind == FrameKind::broken, text_of(frames));
    }
  }
}

TEST_CASE("stacks that nobody called end where they begin") {
  for (const auto name : every_build)
    for (const char* shape : {"coroutine", "thread"}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(shape));
      Tracee tracee({build(name), shape});
      tracee.run_to_stop();
      const Seen seen = look(tracee, name);
      check_whole(seen);
      CHECK_MESSAGE(first(seen.callers, seen.trail.size()) == seen.trail, text_of(seen.frames));
      CHECK_MESSAGE(seen.frames.size() <= seen.trail.size() + 4, text_of(seen.frames));
    }
}

TEST_CASE("a walk follows its frames from stack to stack, up and down") {
  for (const auto name : every_build) {
    CAPTURE(std::string(name));
    Tracee tracee({build(name), "stacks"});
    tracee.run_to_stop();
    const Seen seen = look(tracee, name);
    check_whole(seen);
    CHECK_MESSAGE(contains_in_order(seen.callers, seen.trail), text_of(seen.frames));
  }
}

TEST_CASE("inlined calls are frames of their own, with the line of each call") {
  for (const char* name : {"gcc-O2", "gcc-O3", "clang-O2", "gcc-debug-frame"}) {
    CAPTURE(std::string(name));
    Tracee tracee({build(name), "inlined"});
    tracee.run_to_stop();
    auto stack = tracee.stack();
    const auto frames = all_frames(stack);
    REQUIRE(frames.size() > 3);
    CHECK_MESSAGE(frames[0].function == "inlined_leaf", text_of(frames));
    CHECK(frames[1].function == "inlined_middle");
    CHECK(frames[2].function == "inlining");
    CHECK(frames[0].inline_depth == 2);
    CHECK(frames[1].inline_depth == 1);
    CHECK(frames[2].inline_depth == 0);
    CHECK(frames[0].kind == FrameKind::inlined);
    CHECK(frames[2].kind == FrameKind::normal);
    CHECK(frames[1].line == test::mark("inlined_middle"));
    CHECK(frames[2].line == test::mark("inlining"));
    CHECK(frames[0].cfa == frames[2].cfa);
    CHECK(frames[0].scope);
    CHECK(frames[2].innermost);
    CHECK_FALSE(frames[3].innermost);
  }
}

TEST_CASE("references stay valid while the stack is unwound further, in any order") {
  Tracee tracee({build("gcc-O2"), "plain"});
  tracee.run_to_stop();
  auto stack = tracee.stack();
  CHECK_FALSE(stack.depth_if_known());
  const Frame* second = stack.frame(2);
  const Frame* top = stack.frame(0);
  REQUIRE(second != nullptr);
  REQUIRE(top != nullptr);
  CHECK_FALSE(stack.depth_if_known());
  const std::string function = second->function;
  auto moved = std::move(stack);
  CHECK(moved.frame(1000) == nullptr);
  CHECK(second->function == function);
  CHECK(second == moved.frame(2));
  CHECK(top->pc.value == tracee.registers().general.rip);
}
