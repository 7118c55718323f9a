#include "daemon/arch/xstate.hpp"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "proto/words/result.hpp"

namespace trapline::arch {
namespace {

constexpr std::size_t xcr0_at = 464;
constexpr std::size_t xstate_bv_at = 512;
constexpr std::size_t smallest_area = 576;  // legacy region and header
constexpr unsigned xsave_leaf = 0xd;
constexpr std::size_t components = 32;

std::uint64_t word_at(std::span<const std::byte> area, std::size_t at) {
  std::uint64_t word = 0;
  if (area.size() >= at + sizeof word) std::memcpy(&word, area.data() + at, sizeof word);
  return word;
}

constexpr std::uint64_t bit(Component component) { return std::uint64_t{1} << static_cast<unsigned>(component); }

bool in_use(std::span<const std::byte> area, Component component) {
  return (word_at(area, xstate_bv_at) & bit(component)) != 0;
}

// The legacy region holds two components, and MXCSR, which is neither's alone.
std::span<std::byte> bytes_of(std::span<std::byte> area, Component component) {
  const auto place = component_place(component);
  return area.subspan(place.offset, place.size);
}

void begin_use(std::span<std::byte> area, Component component) {
  const std::uint64_t in_use_now = word_at(area, xstate_bv_at);
  if ((in_use_now & bit(component)) != 0) return;
  if (component == Component::x87) {
    std::ranges::fill(area.first(legacy::mxcsr), std::byte{});
    std::ranges::fill(area.subspan(legacy::st, legacy::xmm - legacy::st), std::byte{});
    std::memcpy(area.data() + legacy::fcw, &initial_fcw, sizeof initial_fcw);
  } else {
    std::ranges::fill(bytes_of(area, component), std::byte{});
  }
  // MXCSR becomes meaningful with the first of its two components.
  if ((component == Component::sse || component == Component::avx) &&
      (in_use_now & (bit(Component::sse) | bit(Component::avx))) == 0)
    std::memcpy(area.data() + legacy::mxcsr, &initial_mxcsr, sizeof initial_mxcsr);
  const std::uint64_t in_use_then = in_use_now | bit(component);
  std::memcpy(area.data() + xstate_bv_at, &in_use_then, sizeof in_use_then);
}

}  // namespace

ComponentPlace component_place(Component component) {
  if (component == Component::x87) return {0, legacy::xmm};
  if (component == Component::sse) return {legacy::xmm, 16 * legacy::xmm_stride};
  static const auto places = [] {
    std::array<ComponentPlace, components> all{};
    unsigned size = 0, offset = 0, flags = 0, reserved = 0;
    for (unsigned i = 2; i < components; ++i)
      if (__get_cpuid_count(xsave_leaf, i, &size, &offset, &flags, &reserved) != 0) all[i] = {offset, size};
    return all;
  }();
  return places[static_cast<std::size_t>(component)];
}

std::uint64_t enabled_components(std::span<const std::byte> area) {
  return area.size() < smallest_area ? 0 : word_at(area, xcr0_at);
}

bool holds(std::span<const std::byte> area, Component component) {
  const auto place = component_place(component);
  return (enabled_components(area) & bit(component)) != 0 && place.size != 0 &&
         place.offset + place.size <= area.size();
}

void read_part(std::span<const std::byte> area, Component component, std::size_t offset, std::span<std::byte> out) {
  TL_ASSERT(offset + out.size() <= area.size());
  if (in_use(area, component)) {
    std::memcpy(out.data(), area.data() + offset, out.size());
    return;
  }
  std::ranges::fill(out, std::byte{});
  if (component == Component::x87 && offset == legacy::fcw && out.size() >= sizeof initial_fcw)
    std::memcpy(out.data(), &initial_fcw, sizeof initial_fcw);
}

void write_part(std::span<std::byte> area, Component component, std::size_t offset, std::span<const std::byte> bytes) {
  TL_ASSERT(offset + bytes.size() <= area.size());
  begin_use(area, component);
  std::memcpy(area.data() + offset, bytes.data(), bytes.size());
}

std::uint32_t read_mxcsr(std::span<const std::byte> area) {
  std::uint32_t value = initial_mxcsr;
  if (in_use(area, Component::sse) || in_use(area, Component::avx))
    std::memcpy(&value, area.data() + legacy::mxcsr, sizeof value);
  return value;
}

void write_mxcsr(std::span<std::byte> area, std::uint32_t value) {
  begin_use(area, Component::sse);
  std::memcpy(area.data() + legacy::mxcsr, &value, sizeof value);
}

}  // namespace trapline::arch
