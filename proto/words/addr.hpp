#pragma once
// Addresses that cannot be mixed up. They know nothing of ELF or of processes: image::Modules converts.
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "proto/words/ids.hpp"

namespace trapline {

struct ByteCount {
  std::uint64_t value{};
  auto operator<=>(const ByteCount&) const = default;
};

// In the running process, after relocation.
struct LoadAddr {
  std::uint64_t value{};
  auto operator<=>(const LoadAddr&) const = default;
};

// ELF virtual address of one module; not an offset in the file.
struct FileAddr {
  ModuleId module;
  std::uint64_t value{};
  bool operator==(const FileAddr&) const = default;
};

constexpr LoadAddr operator+(LoadAddr a, ByteCount n) { return {a.value + n.value}; }
constexpr LoadAddr operator-(LoadAddr a, ByteCount n) { return {a.value - n.value}; }
constexpr ByteCount operator-(LoadAddr a, LoadAddr b) { return {a.value - b.value}; }
constexpr FileAddr operator+(FileAddr a, ByteCount n) { return {a.module, a.value + n.value}; }

// Half open: [begin, end).
struct LoadRange {
  LoadAddr begin;
  LoadAddr end;
  bool operator==(const LoadRange&) const = default;
  constexpr bool contains(LoadAddr at) const { return begin <= at && at < end; }
  constexpr bool empty() const { return end <= begin; }
  constexpr ByteCount size() const { return empty() ? ByteCount{} : end - begin; }
};

}  // namespace trapline

template <>
struct std::hash<trapline::LoadAddr> {
  std::size_t operator()(trapline::LoadAddr at) const noexcept {
    return static_cast<std::size_t>((at.value ^ (at.value >> 33)) * 0xff51afd7ed558ccdULL);
  }
};
