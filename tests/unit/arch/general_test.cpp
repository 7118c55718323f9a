#include <doctest/doctest.h>

#include <cstring>

#include "daemon/arch/registers.hpp"

namespace trapline::arch {
namespace {

template <class T>
std::vector<std::byte> bytes_of(T value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <class T>
T value_of(const Result<std::vector<std::byte>>& bytes) {
  if (!bytes) FAIL(bytes.error().message);
  REQUIRE(bytes->size() == sizeof(T));
  T value;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

// Each register holds its own DWARF number in every byte.
GeneralRegisters numbered() {
  GeneralRegisters regs;
  for (DwarfReg reg = 0; reg < 60; ++reg)
    if (auto* slot = general_slot(regs, reg)) *slot = 0x0101010101010101 * reg;
  return regs;
}

TEST_CASE("DWARF numbers name the psABI's registers, both ways") {
  GeneralRegisters regs = numbered();
  CHECK(regs.rax == 0);
  CHECK(regs.rdx == 0x0101010101010101);
  CHECK(regs.rcx == 0x0202020202020202);
  CHECK(regs.rbx == 0x0303030303030303);
  CHECK(regs.rsi == 0x0404040404040404);
  CHECK(regs.rdi == 0x0505050505050505);
  CHECK(regs.rbp == 0x0606060606060606);
  CHECK(regs.rsp == 0x0707070707070707);
  CHECK(regs.r15 == 0x0f0f0f0f0f0f0f0f);
  CHECK(regs.rip == 0x1010101010101010);
  CHECK(regs.fs_base == 58 * 0x0101010101010101);
  for (DwarfReg reg = 0; reg < 130; ++reg) {
    const auto name = dwarf_name(reg);
    if (!name.empty()) CHECK(dwarf_number(name) == reg);
  }
  CHECK(dwarf_name(17) == "xmm0");
  CHECK(dwarf_name(32) == "xmm15");
  CHECK(dwarf_name(67) == "xmm16");
  CHECK(dwarf_name(82) == "xmm31");
  CHECK(dwarf_name(33) == "st0");
  CHECK(dwarf_name(48) == "mm7");
  CHECK(dwarf_name(118) == "k0");
  CHECK(dwarf_name(56).empty());
  CHECK(dwarf_number("rflags") == 49);
  for (const char* none : {"xmm32", "xmm01", "xmm", "xmm-1", "st8", "rax0", ""}) CHECK(!dwarf_number(none));
}

TEST_CASE("what is no general register has no slot") {
  GeneralRegisters regs;
  for (const DwarfReg reg : {17U, 48U, 56U, 57U, 60U, 1000U}) {
    CHECK(general_slot(regs, reg) == nullptr);
    CHECK(!general_value(regs, reg));
  }
}

TEST_CASE("a register set holds the unwound registers and nothing else") {
  const auto regs = numbered();
  const auto set = register_set(regs);
  CHECK(set[dwarf_rsp] == regs.rsp);
  CHECK(set[dwarf_rip] == regs.rip);
  CHECK(!set[17]);
}

TEST_CASE("parts of a general register are read and written alone") {
  RegisterFile file;
  file.general.rax = 0x1122334455667788;
  CHECK(value_of<std::uint64_t>(read_register(file, "rax")) == 0x1122334455667788);
  CHECK(value_of<std::uint32_t>(read_register(file, "eax")) == 0x55667788);
  CHECK(value_of<std::uint16_t>(read_register(file, "ax")) == 0x7788);
  CHECK(value_of<std::uint8_t>(read_register(file, "al")) == 0x88);
  CHECK(value_of<std::uint8_t>(read_register(file, "ah")) == 0x77);
  REQUIRE(write_register(file, "ah", bytes_of<std::uint8_t>(0xab)));
  CHECK(file.general.rax == 0x112233445566ab88);
  REQUIRE(write_register(file, "eax", bytes_of<std::uint32_t>(1)));
  CHECK(file.general.rax == 0x1122334400000001);
  REQUIRE(write_register(file, "r9", bytes_of<std::uint64_t>(~0ULL)));
  REQUIRE(write_register(file, "r9w", bytes_of<std::uint16_t>(0x1234)));
  CHECK(file.general.r9 == 0xffffffffffff1234);
  CHECK(value_of<std::uint8_t>(read_register(file, "r9b")) == 0x34);
  CHECK(value_of<std::uint32_t>(read_register(file, "r9d")) == 0xffff1234);
  file.general.rip = 0x401000;
  CHECK(value_of<std::uint64_t>(read_register(file, "pc")) == 0x401000);
  REQUIRE(write_register(file, "sp", bytes_of<std::uint64_t>(0x7ffe0000)));
  CHECK(file.general.rsp == 0x7ffe0000);
}

TEST_CASE("wrong names, wrong sizes and absent state are refused with their reason") {
  RegisterFile file;
  for (const char* name : {"", "raxx", "r7", "r16", "r8x", "r", "rd", "xmm32", "zmm99", "st8", "k8", "ymm"}) {
    const auto read = read_register(file, name);
    REQUIRE(!read);
    CHECK(read.error().code == Errc::not_found);
    CHECK(!read.error().hint.empty());
  }
  const auto wrong_size = write_register(file, "rax", bytes_of<std::uint32_t>(0));
  REQUIRE(!wrong_size);
  CHECK(wrong_size.error().code == Errc::bad_request);
  for (const char* name : {"xmm0", "st0", "mm0", "ftag", "mxcsr", "zmm3", "k1", "pkru"}) {
    const auto absent = read_register(file, name);
    REQUIRE(!absent);
    CHECK(absent.error().code == Errc::not_available);
  }
}

TEST_CASE("the list holds just the general registers where no extended state was read") {
  const auto& list = register_list({});
  CHECK(list.size() == 16 + 2 + 1 + 8);
  RegisterFile file;
  for (const auto& described : list) CHECK(read_register(file, described.name).value().size() == described.size);
}

TEST_CASE("registers read as people write them") {
  CHECK(format_register("rax", bytes_of<std::uint64_t>(0x7ffe1234)) == "0x7ffe1234");
  CHECK(format_register("eflags", bytes_of<std::uint32_t>(0x246)) == "[ PF ZF IF ]");
  CHECK(format_register("eflags", bytes_of<std::uint32_t>(0x3002)) == "[ ] IOPL=3");
  CHECK(format_register("mxcsr", bytes_of<std::uint32_t>(0x1f80)) == "[ IM DM ZM OM UM PM ]");
  CHECK(format_register("mxcsr", bytes_of<std::uint32_t>(0x7f80)) == "[ IM DM ZM OM UM PM ] RC=3");
  CHECK(format_register("cs", bytes_of<std::uint16_t>(0x33)) == "0x33");
  const long double pi = 3.14159265358979323851L;
  auto st0 = bytes_of(pi);
  st0.resize(10);
  CHECK(format_register("st0", st0) == "3.14159265358979324 (raw 0x4000c90fdaa22168c235)");
  std::vector<std::byte> xmm(16);
  xmm[0] = std::byte{1};
  xmm[15] = std::byte{0x80};
  CHECK(format_register("xmm0", xmm) == "{0x1, 0x8000000000000000}");
  CHECK(format_register("rax", {}).empty());
}

}  // namespace
}  // namespace trapline::arch
