#pragma once
// What a register's name means: which bytes of which file. Private to this room.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "daemon/arch/registers.hpp"
#include "daemon/arch/xstate.hpp"

namespace trapline::arch {

// Bytes of one general register: al is {rax, 0, 1}, ah {rax, 1, 1}.
struct GeneralPart {
  std::uint64_t GeneralRegisters::*slot = nullptr;
  std::size_t offset = 0;
  std::size_t size = 0;
};

// A piece of the XSAVE area. A ymm is two of them, a low zmm three, from the low end up.
struct Piece {
  Component component{};
  std::size_t offset = 0;  // within the component
  std::size_t size = 0;
};
struct VectorParts {
  std::array<Piece, 3> pieces{};
  std::size_t count = 0;
  std::span<const Piece> all() const { return std::span(pieces).first(count); }
};

struct MmxPart {
  unsigned index = 0;  // of the physical register: where it lies depends on the x87 top of stack
};
struct TagWord {};
struct Mxcsr {};

using RegisterPlace = std::variant<GeneralPart, VectorParts, MmxPart, TagWord, Mxcsr>;

std::optional<RegisterPlace> place_of(std::string_view name);
std::size_t size_of(const RegisterPlace& place);

// "xmm12" split by "xmm": 12. Decimal without leading zeros, below `limit`.
std::optional<unsigned> index_after(std::string_view name, std::string_view prefix, unsigned limit);

}  // namespace trapline::arch
