#include <array>
#include <charconv>

#include "daemon/arch/registers.hpp"

namespace trapline::arch {
namespace {

using Slot = std::uint64_t GeneralRegisters::*;

struct Named {
  DwarfReg number;
  std::string_view name;
  Slot slot;  // null: not a general register
};

// System V psABI x86-64, figure 3.36. mm0-7 share their bits with st0-7 but have numbers of their own.
constexpr std::array<Named, 26> general{{
    {0, "rax", &GeneralRegisters::rax},
    {1, "rdx", &GeneralRegisters::rdx},
    {2, "rcx", &GeneralRegisters::rcx},
    {3, "rbx", &GeneralRegisters::rbx},
    {4, "rsi", &GeneralRegisters::rsi},
    {5, "rdi", &GeneralRegisters::rdi},
    {6, "rbp", &GeneralRegisters::rbp},
    {7, "rsp", &GeneralRegisters::rsp},
    {8, "r8", &GeneralRegisters::r8},
    {9, "r9", &GeneralRegisters::r9},
    {10, "r10", &GeneralRegisters::r10},
    {11, "r11", &GeneralRegisters::r11},
    {12, "r12", &GeneralRegisters::r12},
    {13, "r13", &GeneralRegisters::r13},
    {14, "r14", &GeneralRegisters::r14},
    {15, "r15", &GeneralRegisters::r15},
    {16, "rip", &GeneralRegisters::rip},
    {49, "eflags", &GeneralRegisters::eflags},
    {50, "es", &GeneralRegisters::es},
    {51, "cs", &GeneralRegisters::cs},
    {52, "ss", &GeneralRegisters::ss},
    {53, "ds", &GeneralRegisters::ds},
    {54, "fs", &GeneralRegisters::fs},
    {55, "gs", &GeneralRegisters::gs},
    {58, "fs_base", &GeneralRegisters::fs_base},
    {59, "gs_base", &GeneralRegisters::gs_base},
}};

struct Family {
  std::string_view prefix;
  DwarfReg first;
  unsigned first_index;
  unsigned count;
};
constexpr std::array<Family, 5> families{
    {{"xmm", 17, 0, 16}, {"xmm", 67, 16, 16}, {"st", 33, 0, 8}, {"mm", 41, 0, 8}, {"k", 118, 0, 8}}};

// Names of registers with an index, made once so that dwarf_name can hand out views.
const std::vector<std::string>& family_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& family : families)
      for (unsigned i = 0; i < family.count; ++i)
        all.push_back(std::string(family.prefix) + std::to_string(family.first_index + i));
    return all;
  }();
  return names;
}

Slot slot_of(DwarfReg reg) {
  if (reg < dwarf_rip + 1) return general[reg].slot;
  for (const auto& named : general)
    if (named.number == reg) return named.slot;
  return nullptr;
}

}  // namespace

std::uint64_t* general_slot(GeneralRegisters& regs, DwarfReg reg) {
  const Slot slot = slot_of(reg);
  return slot == nullptr ? nullptr : &(regs.*slot);
}

std::optional<std::uint64_t> general_value(const GeneralRegisters& regs, DwarfReg reg) {
  const Slot slot = slot_of(reg);
  return slot == nullptr ? std::nullopt : std::optional(regs.*slot);
}

std::optional<DwarfReg> dwarf_number(std::string_view name) {
  if (name == "rflags") name = "eflags";
  for (const auto& named : general)
    if (named.name == name) return named.number;
  for (const auto& family : families) {
    if (!name.starts_with(family.prefix)) continue;
    const auto digits = name.substr(family.prefix.size());
    unsigned index = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (problem != std::errc{} || end != digits.data() + digits.size() || (digits.size() > 1 && digits[0] == '0'))
      continue;
    if (index >= family.first_index && index < family.first_index + family.count)
      return family.first + (index - family.first_index);
  }
  return std::nullopt;
}

std::string_view dwarf_name(DwarfReg reg) {
  for (const auto& named : general)
    if (named.number == reg) return named.name;
  std::size_t before = 0;
  for (const auto& family : families) {
    if (reg >= family.first && reg < family.first + family.count) return family_names()[before + reg - family.first];
    before += family.count;
  }
  return {};
}

RegisterSet register_set(const GeneralRegisters& regs) {
  RegisterSet set;
  for (DwarfReg reg = 0; reg < unwound_registers; ++reg) set.values[reg] = regs.*general[reg].slot;
  return set;
}

}  // namespace trapline::arch
