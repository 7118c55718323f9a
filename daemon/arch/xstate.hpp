#pragma once
// The XSAVE area in standard format, as PTRACE_GETREGSET NT_X86_XSTATE gives and takes it. Private to this room.
//
// A component whose bit in XSTATE_BV is clear is in its initial state whatever its bytes say. So reads look at the bit
// first, and a write puts the initial state of the whole component there before it sets the bit.
// Source: Intel SDM vol. 1, 13.4 (layout), 13.6 (initial states); linux/arch/x86/include/uapi/asm/ptrace-abi.h
// (bytes 464..471 of the area: the components that the system has switched on, XCR0).
#include <cstddef>
#include <cstdint>
#include <span>

namespace trapline::arch {

enum class Component : std::uint8_t {
  x87 = 0,
  sse = 1,
  avx = 2,       // upper halves of ymm0-15
  opmask = 5,    // k0-7
  zmm_high = 6,  // upper halves of zmm0-15
  zmm_more = 7,  // zmm16-31
  pkru = 9,
};

// Fixed places of the legacy region (SDM vol. 1, table 10-2, 64-bit form).
namespace legacy {
inline constexpr std::size_t fcw = 0, fsw = 2, ftw = 4, fop = 6, fip = 8, fdp = 16, mxcsr = 24, st = 32, xmm = 160;
inline constexpr std::size_t st_stride = 16, xmm_stride = 16;
}  // namespace legacy

inline constexpr std::uint16_t initial_fcw = 0x037f;
inline constexpr std::uint32_t initial_mxcsr = 0x1f80;

struct ComponentPlace {
  std::size_t offset = 0;
  std::size_t size = 0;  // 0: this processor does not have it
};
// From CPUID leaf 0xD: the offsets are the processor's (PKRU lies elsewhere on AMD than on Intel).
ComponentPlace component_place(Component component);

// XCR0 as the area tells it; 0 for an area that is too short to be one.
std::uint64_t enabled_components(std::span<const std::byte> area);
bool holds(std::span<const std::byte> area, Component component);

// `offset` is within the area. Precondition: holds(area, component), and the bytes lie in the component.
void read_part(std::span<const std::byte> area, Component component, std::size_t offset, std::span<std::byte> out);
void write_part(std::span<std::byte> area, Component component, std::size_t offset, std::span<const std::byte> bytes);

// MXCSR belongs to SSE and AVX alike: initial only where both are.
std::uint32_t read_mxcsr(std::span<const std::byte> area);
void write_mxcsr(std::span<std::byte> area, std::uint32_t value);

}  // namespace trapline::arch
