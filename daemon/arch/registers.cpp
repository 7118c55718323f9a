#include "daemon/arch/registers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "daemon/arch/register_name.hpp"
#include "daemon/arch/xstate.hpp"

namespace trapline::arch {
namespace {

constexpr unsigned x87_registers = 8;

unsigned top_of_stack(std::span<const std::byte> area) {
  std::uint16_t status = 0;
  read_part(area, Component::x87, legacy::fsw, std::as_writable_bytes(std::span(&status, 1)));
  return (status >> 11) & 7U;
}

// mm0-7 are the physical registers, st0-7 count from the top of the stack: FXSAVE stores them in that order.
std::size_t mmx_offset(std::span<const std::byte> area, unsigned index) {
  return legacy::st + ((index - top_of_stack(area)) % x87_registers) * legacy::st_stride;
}

// FXSAVE keeps one bit a physical register (1: in use); the two bits that programs know are made from the content.
// Source: Intel SDM vol. 2A, FXSAVE, "recreating FSAVE format".
std::uint16_t full_tags(std::span<const std::byte> area) {
  constexpr unsigned valid = 0, zero = 1, special = 2, empty = 3;
  std::uint8_t in_use = 0;
  read_part(area, Component::x87, legacy::ftw, std::as_writable_bytes(std::span(&in_use, 1)));
  const unsigned top = top_of_stack(area);
  unsigned tags = 0;
  for (unsigned physical = 0; physical < x87_registers; ++physical) {
    unsigned tag = empty;
    if ((in_use >> physical & 1U) != 0) {
      std::uint64_t mantissa = 0;
      std::uint16_t exponent = 0;
      const std::size_t at = legacy::st + ((physical - top) % x87_registers) * legacy::st_stride;
      read_part(area, Component::x87, at, std::as_writable_bytes(std::span(&mantissa, 1)));
      read_part(area, Component::x87, at + 8, std::as_writable_bytes(std::span(&exponent, 1)));
      exponent &= 0x7fff;
      tag = exponent == 0x7fff      ? special
            : exponent == 0         ? (mantissa == 0 ? zero : special)
            : (mantissa >> 63) != 0 ? valid
                                    : special;
    }
    tags |= tag << (2 * physical);
  }
  return static_cast<std::uint16_t>(tags);
}

std::uint8_t short_tags(std::uint16_t tags) {
  unsigned in_use = 0;
  for (unsigned physical = 0; physical < x87_registers; ++physical)
    if ((tags >> (2 * physical) & 3U) != 3) in_use |= 1U << physical;
  return static_cast<std::uint8_t>(in_use);
}

std::string_view component_name(Component component) {
  switch (component) {
    case Component::x87: return "x87";
    case Component::sse: return "SSE";
    case Component::avx: return "AVX";
    case Component::opmask:
    case Component::zmm_high:
    case Component::zmm_more: return "AVX-512";
    case Component::pkru: return "protection key";
  }
  return "extended";
}

Result<void> check_held(std::span<const std::byte> area, std::string_view name, Component component) {
  if (area.empty())
    return fail(Errc::not_available, fmt::format("register {}: the extended state of the thread was not read", name));
  if (holds(area, component)) return {};
  return fail(Errc::not_available, fmt::format("register {}: this machine has no {} registers, or keeps them off", name,
                                               component_name(component)));
}

Result<RegisterPlace> known_place(std::string_view name) {
  if (const auto place = place_of(name)) return *place;
  return fail_hint(Errc::not_found, fmt::format("there is no register '{}'", name),
                   "General: rax eax ax al ah ... r8 r8d r8w r8b, rip, eflags; x87: st0 fctrl; vectors: xmm0 ymm0 zmm0 "
                   "k0 mxcsr.");
}

Result<void> check_held(std::span<const std::byte> area, std::string_view name, const RegisterPlace& place) {
  if (std::holds_alternative<GeneralPart>(place)) return {};
  if (std::holds_alternative<Mxcsr>(place)) return check_held(area, name, Component::sse);
  const auto* parts = std::get_if<VectorParts>(&place);
  if (parts == nullptr) return check_held(area, name, Component::x87);
  for (const auto& piece : parts->all()) TL_TRY_VOID(check_held(area, name, piece.component));
  return {};
}

// Offsets of x87 and SSE pieces count from the start of what component_place() says, like all others.
std::size_t in_area(const Piece& piece) { return component_place(piece.component).offset + piece.offset; }

struct Reader {
  const RegisterFile& file;
  std::span<std::byte> out;

  void operator()(const GeneralPart& part) const {
    const std::uint64_t whole = file.general.*part.slot;
    std::memcpy(out.data(), reinterpret_cast<const char*>(&whole) + part.offset, part.size);
  }
  void operator()(const VectorParts& parts) const {
    std::size_t at = 0;
    for (const auto& piece : parts.all()) {
      read_part(file.xstate, piece.component, in_area(piece), out.subspan(at, piece.size));
      at += piece.size;
    }
  }
  void operator()(const MmxPart& part) const {
    read_part(file.xstate, Component::x87, mmx_offset(file.xstate, part.index), out);
  }
  void operator()(TagWord) const {
    const std::uint16_t tags = full_tags(file.xstate);
    std::memcpy(out.data(), &tags, sizeof tags);
  }
  void operator()(Mxcsr) const {
    const std::uint32_t value = read_mxcsr(file.xstate);
    std::memcpy(out.data(), &value, sizeof value);
  }
};

struct Writer {
  RegisterFile& file;
  std::span<const std::byte> bytes;

  void operator()(const GeneralPart& part) const {
    std::uint64_t& whole = file.general.*part.slot;
    std::memcpy(reinterpret_cast<char*>(&whole) + part.offset, bytes.data(), part.size);
  }
  void operator()(const VectorParts& parts) const {
    std::size_t at = 0;
    for (const auto& piece : parts.all()) {
      write_part(file.xstate, piece.component, in_area(piece), bytes.subspan(at, piece.size));
      at += piece.size;
    }
  }
  void operator()(const MmxPart& part) const {
    write_part(file.xstate, Component::x87, mmx_offset(file.xstate, part.index), bytes);
  }
  void operator()(TagWord) const {
    std::uint16_t tags = 0;
    std::memcpy(&tags, bytes.data(), sizeof tags);
    const std::uint8_t in_use = short_tags(tags);
    write_part(file.xstate, Component::x87, legacy::ftw, std::as_bytes(std::span(&in_use, 1)));
  }
  void operator()(Mxcsr) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    write_mxcsr(file.xstate, value);
  }
};

std::vector<RegisterDescription> describe(std::span<const std::byte> area) {
  std::vector<RegisterDescription> list;
  const auto add = [&](const std::string& name, const char* group) {
    const auto place = place_of(name);
    TL_ASSERT(place);
    if (check_held(area, name, *place)) list.push_back({name, group, size_of(*place)});
  };
  const auto family = [&](const char* prefix, unsigned first, unsigned end, const char* group) {
    for (unsigned i = first; i < end; ++i) add(prefix + std::to_string(i), group);
  };
  for (const char* name : {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"}) add(name, "general");
  family("r", 8, 16, "general");
  add("rip", "general");
  add("orig_rax", "general");
  add("eflags", "flags");
  for (const char* name : {"cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base"}) add(name, "segment");
  family("st", 0, 8, "x87");
  for (const char* name : {"fctrl", "fstat", "ftag", "fop", "fioff", "fooff"}) add(name, "x87");
  family("mm", 0, 8, "x87");
  family("xmm", 0, 16, "sse");
  add("mxcsr", "sse");
  family("ymm", 0, 16, "avx");
  family("zmm", 0, 32, "avx512");
  family("xmm", 16, 32, "avx512");
  family("ymm", 16, 32, "avx512");
  family("k", 0, 8, "avx512");
  add("pkru", "flags");
  return list;
}

}  // namespace

const std::vector<RegisterDescription>& register_list(std::span<const std::byte> xstate) {
  static std::mutex mutex;
  static std::map<std::pair<std::uint64_t, std::size_t>, std::vector<RegisterDescription>> lists;  // a few, for ever
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = lists.try_emplace({enabled_components(xstate), xstate.size()});
  if (is_new) entry->second = describe(xstate);
  return entry->second;
}

Result<std::vector<std::byte>> read_register(const RegisterFile& file, std::string_view name) {
  TL_TRY(const RegisterPlace place, known_place(name));
  TL_TRY_VOID(check_held(file.xstate, name, place));
  std::vector<std::byte> bytes(size_of(place));
  std::visit(Reader{file, bytes}, place);
  return bytes;
}

Result<void> write_register(RegisterFile& file, std::string_view name, std::span<const std::byte> bytes) {
  TL_TRY(const RegisterPlace place, known_place(name));
  TL_TRY_VOID(check_held(file.xstate, name, place));
  if (bytes.size() != size_of(place))
    return fail(Errc::bad_request, fmt::format("register {} has {} bytes, not {}", name, size_of(place), bytes.size()));
  std::visit(Writer{file, bytes}, place);
  return {};
}

}  // namespace trapline::arch
