#pragma once
// The x86-64 register files as the kernel hands them over, and DWARF's names for them.
// Source: sys/user.h (user_regs_struct), System V psABI x86-64 figure 3.36 (DWARF register numbers),
// Intel SDM vol. 1 chapter 13 (XSAVE area, standard format).
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/words/addr.hpp"
#include "proto/words/result.hpp"

namespace trapline::arch {

// Same layout as user_regs_struct; os/ asserts it.
struct GeneralRegisters {
  std::uint64_t r15{}, r14{}, r13{}, r12{}, rbp{}, rbx{}, r11{}, r10{}, r9{}, r8{}, rax{}, rcx{}, rdx{}, rsi{}, rdi{};
  std::uint64_t orig_rax{}, rip{}, cs{}, eflags{}, rsp{}, ss{}, fs_base{}, gs_base{}, ds{}, es{}, fs{}, gs{};
  bool operator==(const GeneralRegisters&) const = default;
};

// DWARF numbers: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8-15 r8-r15 16 return address (rip) 17-32 xmm0-15
// 33-40 st0-7 41-48 mm0-7 49 rflags 50-55 es cs ss ds fs gs 58 fs.base 59 gs.base 67-82 xmm16-31.
using DwarfReg = std::uint32_t;
inline constexpr DwarfReg dwarf_rbp = 6;
inline constexpr DwarfReg dwarf_rsp = 7;
inline constexpr DwarfReg dwarf_rip = 16;
inline constexpr std::size_t unwound_registers = 17;  // what CFI can restore

std::uint64_t* general_slot(GeneralRegisters& regs, DwarfReg reg);  // nullptr: not one of 0..16, 49..55, 58, 59
std::optional<std::uint64_t> general_value(const GeneralRegisters& regs, DwarfReg reg);
std::optional<DwarfReg> dwarf_number(std::string_view name);  // "rax", "rip", "xmm3"
std::string_view dwarf_name(DwarfReg reg);

// Registers of one frame of a stack: what the unwinder knows; nullopt is "not saved, so unknown".
struct RegisterSet {
  std::array<std::optional<std::uint64_t>, unwound_registers> values{};
  std::optional<std::uint64_t> operator[](DwarfReg reg) const {
    return reg < values.size() ? values[reg] : std::nullopt;
  }
};
RegisterSet register_set(const GeneralRegisters& regs);

// Everything a thread has. `xstate` is NT_X86_XSTATE in standard format, and may be empty where nobody asked.
struct RegisterFile {
  GeneralRegisters general;
  std::vector<std::byte> xstate;
};

// One register by the name a user knows: rax eax ax al ah, r8d r8w r8b, rip, eflags, fs_base, orig_rax, st0-7, mm0-7,
// fctrl fstat ftag fop fioff fooff (x87 environment), mxcsr, xmm0-31, ymm0-31, zmm0-31, k0-7, pkru; pc sp fp as gdb has
// them. A write changes the bytes of that name and no others: eax leaves the upper half of rax alone.
// Errors: not_found (no such name), not_available (not on this machine, or xstate is empty), bad_request (wrong size).
struct RegisterDescription {
  std::string name;
  std::string group;     // general, segment, flags, x87, sse, avx, avx512
  std::size_t size = 0;  // bytes
};
const std::vector<RegisterDescription>& register_list(
    std::span<const std::byte> xstate);  // what this CPU and area hold
Result<std::vector<std::byte>> read_register(const RegisterFile& file, std::string_view name);
Result<void> write_register(RegisterFile& file, std::string_view name, std::span<const std::byte> bytes);
std::string format_register(std::string_view name,
                            std::span<const std::byte> bytes);  // "0x7ffe...", "[ PF ZF ]", "{0x1, 0x2}"

}  // namespace trapline::arch
