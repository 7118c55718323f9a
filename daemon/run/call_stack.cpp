#include "daemon/run/call_stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace trapline::run {
namespace {

constexpr std::uint64_t red_zone = 128;
constexpr std::uint64_t trap_size = 16;
constexpr std::uint64_t least_room = 16U << 10;      // for the function itself
constexpr std::uint64_t deepest_saved = 128U << 10;  // of a stack that is nothing else
constexpr std::uint64_t carry = 1, direction_flag = 0x400, trap_flag = 0x100, resume_flag = 0x10000,
                        alignment_check = 0x40000;

constexpr std::uint64_t no_system_call = ~std::uint64_t{0};  // no restart logic of one that the thread may stand in

std::uint64_t down(std::uint64_t at, std::uint64_t alignment) { return at & ~(alignment - 1); }

// A mapping that is a thread's stack and nothing else: the kernel's, or the C library's, which has the thread's control
// block at its upper end. Another (a coroutine's) may have the program's data right below.
bool is_plain_stack(const os::Mapping& map, const arch::GeneralRegisters& registers) {
  return map.path == "[stack]" || (map.path.empty() && map.range.contains(LoadAddr{registers.fs_base}));
}

}  // namespace

Result<CallPlaces> call_places(const arch::CallFrame& frame, const arch::GeneralRegisters& registers,
                               std::span<const os::Mapping> maps, std::span<const LiveMemory::Kept> kept,
                               const std::optional<QuietReturn>& quiet) {
  const LoadAddr top{registers.rsp};
  const auto map = std::ranges::find_if(maps, [&](const auto& each) { return each.range.contains(top); });
  if (map == maps.end() || !map->writable)
    return fail(Errc::bad_address, fmt::format("the thread has no stack: its stack pointer is {:#x}", top.value));
  std::uint64_t low = top.value - red_zone;
  for (const auto& objects : kept)
    if (map->range.contains(objects.at) && objects.at < top) low = std::min(low, objects.at.value);
  CallPlaces places;
  places.objects = LoadAddr{down(low - frame.objects.size(), arch::object_alignment)};
  const auto below = [&](LoadAddr top_of_arguments) {
    return LoadAddr{
        down(top_of_arguments.value - frame.stack.size(), std::max<std::uint64_t>(frame.stack_alignment, 16))};
  };
  if (quiet && (frame.stack.empty() || quiet->leave)) {
    auto way = way_back_below(places.objects, registers, quiet->mask, {quiet->xstate.begin(), quiet->xstate.end()},
                              quiet->way);
    places.trap = places.return_address = quiet->instruction;
    places.after = places.arguments = way.at;
    places.way_back = std::move(way.bytes);
    places.sigreturn = quiet->way.sigreturn;
    if (!frame.stack.empty()) {
      places.return_address = *quiet->leave;
      places.frame_words = places.after - ByteCount{16};
      places.arguments = below(*places.frame_words);
    }
  } else {
    places.trap = places.return_address = places.objects - ByteCount{trap_size};
    places.after = places.arguments = below(places.trap);
  }
  places.entry_stack = places.arguments - ByteCount{8};
  const auto room = places.entry_stack.value - std::min(places.entry_stack.value, map->range.begin.value);
  if (room < least_room && map->path != "[stack]")
    return fail(Errc::too_large, fmt::format("the thread's stack has {} bytes left: too few for a call", room));
  std::uint64_t bottom = places.entry_stack.value;
  if (is_plain_stack(*map, registers)) bottom = std::max(bottom - deepest_saved, map->range.begin.value);
  places.saved = {LoadAddr{std::min(bottom, places.entry_stack.value)}, LoadAddr{top.value - red_zone}};
  return places;
}

CallBytes call_bytes(const arch::CallFrame& frame, const CallPlaces& places) {
  CallBytes bytes{.below = std::vector<std::byte>(8), .objects = frame.objects, .integers = frame.integers};
  std::memcpy(bytes.below.data(), &places.return_address.value, 8);
  bytes.below.insert(bytes.below.end(), frame.stack.begin(), frame.stack.end());
  if (!places.way_back.empty()) {
    if (places.frame_words) {
      bytes.below.resize((*places.frame_words - places.entry_stack).value + 16);
      std::memcpy(bytes.below.data() + bytes.below.size() - 8, &places.trap.value, 8);
    }
    bytes.below.insert(bytes.below.end(), places.way_back.begin(), places.way_back.end());
  } else {
    bytes.below.resize((places.trap - places.entry_stack).value + trap_size, std::byte{0xCC});
  }
  for (const auto& pointer : frame.pointers) {
    const std::uint64_t value = places.objects.value + pointer.object;
    switch (pointer.in) {
      case arch::CallFrame::Pointer::In::integers: bytes.integers.at(pointer.at) = value; break;
      case arch::CallFrame::Pointer::In::stack:
        TL_ASSERT(pointer.at + 8 <= frame.stack.size());
        std::memcpy(bytes.below.data() + 8 + pointer.at, &value, 8);
        break;
      case arch::CallFrame::Pointer::In::objects:
        TL_ASSERT(pointer.at + 8 <= bytes.objects.size());
        std::memcpy(bytes.objects.data() + pointer.at, &value, 8);
        break;
    }
  }
  return bytes;
}

arch::GeneralRegisters call_registers(const arch::CallFrame& frame, const CallPlaces& places, const CallBytes& bytes,
                                      const arch::GeneralRegisters& before) {
  auto regs = before;
  regs.rip = frame.function.value;
  regs.rsp = places.entry_stack.value;
  regs.rdi = bytes.integers[0], regs.rsi = bytes.integers[1], regs.rdx = bytes.integers[2];
  regs.rcx = bytes.integers[3], regs.r8 = bytes.integers[4], regs.r9 = bytes.integers[5];
  regs.rax = frame.vectors_used;
  // psABI 3.4.1: no frame behind this one, for who walks along frame pointers.
  regs.rbp = places.frame_words.value_or(LoadAddr{}).value;
  regs.orig_rax = no_system_call;
  regs.eflags &= ~(carry | direction_flag | trap_flag | resume_flag | alignment_check);
  return regs;
}

arch::GeneralRegisters way_back_registers(const CallPlaces& places, const arch::GeneralRegisters& before) {
  auto regs = before;
  regs.rip = places.sigreturn.value;
  regs.rsp = places.after.value + 8;
  regs.orig_rax = no_system_call;
  regs.eflags &= ~(trap_flag | resume_flag | alignment_check);
  return regs;
}

Result<std::vector<std::byte>> call_xstate(const arch::CallFrame& frame, std::span<const std::byte> before) {
  arch::RegisterFile file{.general = {}, .xstate = {before.begin(), before.end()}};
  // The x87 stack empty: "all tags 11". An abridged tag word of 0 (Intel SDM vol. 1, 10.5.1.1); TOP 0.
  constexpr std::size_t fsw = 2, ftw = 4;
  if (file.xstate.size() > ftw) {
    std::fill_n(file.xstate.begin() + fsw, 2, std::byte{});
    file.xstate[ftw] = std::byte{};
  }
  const char* kind = frame.vector_bytes == 64 ? "zmm" : frame.vector_bytes == 32 ? "ymm" : "xmm";
  for (std::size_t i = 0; i < frame.vectors_used; ++i)
    TL_TRY_VOID(arch::write_register(file, fmt::format("{}{}", kind, i),
                                     std::span(frame.vectors.at(i)).first(frame.vector_bytes)));
  return std::move(file.xstate);
}

}  // namespace trapline::run
