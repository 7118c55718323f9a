#include "daemon/arch/register_name.hpp"

#include <charconv>

namespace trapline::arch {
namespace {

using G = GeneralRegisters;

struct GeneralName {
  std::string_view name;
  GeneralPart part;
};

// eflags and the segment registers have the size they have in the processor; the kernel's words are wider. pc, sp and
// fp are gdb's names: sp is all of rsp, not its low 16 bits, which nobody asks for.
constexpr auto general_names = std::to_array<GeneralName>({
    {"rax", {&G::rax, 0, 8}},         {"eax", {&G::rax, 0, 4}},         {"ax", {&G::rax, 0, 2}},
    {"al", {&G::rax, 0, 1}},          {"ah", {&G::rax, 1, 1}},          {"rbx", {&G::rbx, 0, 8}},
    {"ebx", {&G::rbx, 0, 4}},         {"bx", {&G::rbx, 0, 2}},          {"bl", {&G::rbx, 0, 1}},
    {"bh", {&G::rbx, 1, 1}},          {"rcx", {&G::rcx, 0, 8}},         {"ecx", {&G::rcx, 0, 4}},
    {"cx", {&G::rcx, 0, 2}},          {"cl", {&G::rcx, 0, 1}},          {"ch", {&G::rcx, 1, 1}},
    {"rdx", {&G::rdx, 0, 8}},         {"edx", {&G::rdx, 0, 4}},         {"dx", {&G::rdx, 0, 2}},
    {"dl", {&G::rdx, 0, 1}},          {"dh", {&G::rdx, 1, 1}},          {"rsi", {&G::rsi, 0, 8}},
    {"esi", {&G::rsi, 0, 4}},         {"si", {&G::rsi, 0, 2}},          {"sil", {&G::rsi, 0, 1}},
    {"rdi", {&G::rdi, 0, 8}},         {"edi", {&G::rdi, 0, 4}},         {"di", {&G::rdi, 0, 2}},
    {"dil", {&G::rdi, 0, 1}},         {"rbp", {&G::rbp, 0, 8}},         {"ebp", {&G::rbp, 0, 4}},
    {"bp", {&G::rbp, 0, 2}},          {"bpl", {&G::rbp, 0, 1}},         {"rsp", {&G::rsp, 0, 8}},
    {"esp", {&G::rsp, 0, 4}},         {"spl", {&G::rsp, 0, 1}},         {"rip", {&G::rip, 0, 8}},
    {"eip", {&G::rip, 0, 4}},         {"eflags", {&G::eflags, 0, 4}},   {"rflags", {&G::eflags, 0, 8}},
    {"cs", {&G::cs, 0, 2}},           {"ss", {&G::ss, 0, 2}},           {"ds", {&G::ds, 0, 2}},
    {"es", {&G::es, 0, 2}},           {"fs", {&G::fs, 0, 2}},           {"gs", {&G::gs, 0, 2}},
    {"fs_base", {&G::fs_base, 0, 8}}, {"gs_base", {&G::gs_base, 0, 8}}, {"orig_rax", {&G::orig_rax, 0, 8}},
    {"pc", {&G::rip, 0, 8}},          {"sp", {&G::rsp, 0, 8}},          {"fp", {&G::rbp, 0, 8}},
});

constexpr std::array<std::uint64_t G::*, 8> numbered{&G::r8,  &G::r9,  &G::r10, &G::r11,
                                                     &G::r12, &G::r13, &G::r14, &G::r15};

// r8, and its parts r8d, r8w, r8b (r8l in Intel's own older spelling).
std::optional<RegisterPlace> numbered_general(std::string_view name) {
  if (!name.starts_with('r') || name.size() < 2) return std::nullopt;
  std::size_t size = 8;
  switch (name.back()) {
    case 'd': size = 4; break;
    case 'w': size = 2; break;
    case 'b':
    case 'l': size = 1; break;
    default: break;
  }
  if (size != 8) name.remove_suffix(1);
  const auto index = index_after(name, "r", 16);
  if (!index || *index < 8) return std::nullopt;
  return GeneralPart{numbered[*index - 8], 0, size};
}

VectorParts one(Component component, std::size_t offset, std::size_t size) {
  return {.pieces = {Piece{component, offset, size}}, .count = 1};
}

// xmm, ymm, zmm: 0-15 are spread over three components, 16-31 are whole in one (SDM vol. 1, 13.5).
VectorParts vector_parts(unsigned index, std::size_t size) {
  if (index >= 16) return one(Component::zmm_more, (index - 16) * std::size_t{64}, size);
  VectorParts parts = one(Component::sse, index * legacy::xmm_stride, 16);
  if (size >= 32) parts.pieces[parts.count++] = {Component::avx, index * std::size_t{16}, 16};
  if (size >= 64) parts.pieces[parts.count++] = {Component::zmm_high, index * std::size_t{32}, 32};
  return parts;
}

std::optional<RegisterPlace> x87_environment(std::string_view name) {
  if (name == "fctrl") return one(Component::x87, legacy::fcw, 2);
  if (name == "fstat") return one(Component::x87, legacy::fsw, 2);
  if (name == "ftag") return TagWord{};
  if (name == "fop") return one(Component::x87, legacy::fop, 2);
  if (name == "fioff") return one(Component::x87, legacy::fip, 8);
  if (name == "fooff") return one(Component::x87, legacy::fdp, 8);
  return std::nullopt;
}

}  // namespace

std::optional<unsigned> index_after(std::string_view name, std::string_view prefix, unsigned limit) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto digits = name.substr(prefix.size());
  unsigned index = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (index >= limit || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return index;
}

std::optional<RegisterPlace> place_of(std::string_view name) {
  for (const auto& known : general_names)
    if (known.name == name) return known.part;
  if (auto part = numbered_general(name)) return part;
  if (auto part = x87_environment(name)) return part;
  if (name == "mxcsr") return Mxcsr{};
  if (name == "pkru") return one(Component::pkru, 0, 4);
  if (const auto i = index_after(name, "xmm", 32)) return vector_parts(*i, 16);
  if (const auto i = index_after(name, "ymm", 32)) return vector_parts(*i, 32);
  if (const auto i = index_after(name, "zmm", 32)) return vector_parts(*i, 64);
  if (const auto i = index_after(name, "st", 8)) return one(Component::x87, legacy::st + *i * legacy::st_stride, 10);
  if (const auto i = index_after(name, "mm", 8)) return MmxPart{*i};
  if (const auto i = index_after(name, "k", 8)) return one(Component::opmask, *i * std::size_t{8}, 8);
  return std::nullopt;
}

std::size_t size_of(const RegisterPlace& place) {
  if (const auto* part = std::get_if<GeneralPart>(&place)) return part->size;
  if (const auto* parts = std::get_if<VectorParts>(&place)) {
    std::size_t size = 0;
    for (const auto& piece : parts->all()) size += piece.size;
    return size;
  }
  if (std::holds_alternative<MmxPart>(place)) return 8;
  return std::holds_alternative<TagWord>(place) ? 2 : 4;
}

}  // namespace trapline::arch
