#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "daemon/arch/register_name.hpp"
#include "daemon/arch/registers.hpp"

namespace trapline::arch {
namespace {

struct Flag {
  unsigned bit;
  std::string_view name;
};
// Intel SDM vol. 1, 3.4.3 and 10.2.3. IOPL and rounding are numbers, shown where they are not 0.
constexpr std::array<Flag, 16> eflags_bits{{{0, "CF"},
                                            {2, "PF"},
                                            {4, "AF"},
                                            {6, "ZF"},
                                            {7, "SF"},
                                            {8, "TF"},
                                            {9, "IF"},
                                            {10, "DF"},
                                            {11, "OF"},
                                            {14, "NT"},
                                            {16, "RF"},
                                            {17, "VM"},
                                            {18, "AC"},
                                            {19, "VIF"},
                                            {20, "VIP"},
                                            {21, "ID"}}};
constexpr std::array<Flag, 14> mxcsr_bits{{{0, "IE"},
                                           {1, "DE"},
                                           {2, "ZE"},
                                           {3, "OE"},
                                           {4, "UE"},
                                           {5, "PE"},
                                           {6, "DAZ"},
                                           {7, "IM"},
                                           {8, "DM"},
                                           {9, "ZM"},
                                           {10, "OM"},
                                           {11, "UM"},
                                           {12, "PM"},
                                           {15, "FZ"}}};

std::string flag_names(std::uint64_t value, std::span<const Flag> flags) {
  std::string text = "[ ";
  for (const auto& flag : flags)
    if ((value >> flag.bit & 1U) != 0) text += fmt::format("{} ", flag.name);
  return text + "]";
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

// 64-bit lanes, the low one first.
std::string lanes(std::span<const std::byte> bytes) {
  std::string text = "{";
  for (std::size_t at = 0; at < bytes.size(); at += 8)
    text += fmt::format("{}{:#x}", at == 0 ? "" : ", ", little_endian(bytes.subspan(at)));
  return text + "}";
}

std::string x87_number(std::span<const std::byte> bytes) {
  long double value = 0;  // 10 bytes of value, 6 of padding
  std::memcpy(&value, bytes.data(), 10);
  return fmt::format("{:.18Lg} (raw 0x{:04x}{:016x})", value, little_endian(bytes.subspan(8)), little_endian(bytes));
}

}  // namespace

std::string format_register(std::string_view name, std::span<const std::byte> bytes) {
  if (bytes.empty()) return "";
  if (name.starts_with("st") && bytes.size() == 10) return x87_number(bytes);
  if (bytes.size() > 8) return lanes(bytes);
  const std::uint64_t value = little_endian(bytes);
  if (name == "eflags" || name == "rflags") {
    std::string text = flag_names(value, eflags_bits);
    if (const auto iopl = value >> 12 & 3U; iopl != 0) text += fmt::format(" IOPL={}", iopl);
    return text;
  }
  if (name == "mxcsr") {
    std::string text = flag_names(value, mxcsr_bits);
    if (const auto rounding = value >> 13 & 3U; rounding != 0) text += fmt::format(" RC={}", rounding);
    return text;
  }
  return fmt::format("{:#x}", value);
}

}  // namespace trapline::arch
