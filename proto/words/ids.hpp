#pragma once
// Identities. Each is its own type, so that a thread cannot be passed where a frame is meant.
#include <sys/types.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace trapline {

struct Pid {
  pid_t value{};
  auto operator<=>(const Pid&) const = default;
};

// Linux thread id (gettid(2)). The main thread's equals its process's pid.
struct Tid {
  pid_t value{};
  auto operator<=>(const Tid&) const = default;
};

struct ModuleId {
  std::uint32_t value{};
  auto operator<=>(const ModuleId&) const = default;
};

// What a user asked; 1-based, never used again within a session.
struct BreakpointId {
  std::int32_t value{};
  auto operator<=>(const BreakpointId&) const = default;
};

// What sits at one address of the debuggee.
struct SiteId {
  std::uint32_t value{};
  auto operator<=>(const SiteId&) const = default;
};

// One frame of one stop; void after a resume. 0 is no frame.
struct FrameId {
  std::int32_t value{};
  auto operator<=>(const FrameId&) const = default;
};

// A value with children (or a scope) of one stop; void after a resume. 0 is "no children".
struct ValueRef {
  std::int32_t value{};
  auto operator<=>(const ValueRef&) const = default;
};

// 1-based; 0 is "no line".
struct Line {
  std::uint32_t value{};
  auto operator<=>(const Line&) const = default;
};

}  // namespace trapline

#define TL_HASH_ID(type)                                                                                           \
  template <>                                                                                                      \
  struct std::hash<trapline::type> {                                                                               \
    std::size_t operator()(trapline::type id) const noexcept { return std::hash<decltype(id.value)>{}(id.value); } \
  }
TL_HASH_ID(Pid);
TL_HASH_ID(Tid);
TL_HASH_ID(ModuleId);
TL_HASH_ID(BreakpointId);
TL_HASH_ID(SiteId);
TL_HASH_ID(FrameId);
TL_HASH_ID(ValueRef);
#undef TL_HASH_ID
