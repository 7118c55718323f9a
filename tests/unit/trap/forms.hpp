#pragma once
// Instructions for the differential tests, as the assembler encodes them. [rip+0x1000] is data (see native.hpp).
#include <cstddef>
#include <span>
#include <string>

#include "daemon/trap/displaced.hpp"

extern "C" {
struct TraplineForm {
  std::byte code[15];
  unsigned char size;
};
extern const TraplineForm trapline_straight_begin[], trapline_straight_end[];
extern const TraplineForm trapline_avx2_begin[], trapline_avx2_end[];
extern const TraplineForm trapline_avx512_begin[], trapline_avx512_end[];
extern const TraplineForm trapline_leaving_begin[], trapline_leaving_end[];
extern const TraplineForm trapline_emulated_begin[], trapline_emulated_end[];
}

namespace trapline::trap {

inline std::span<const std::byte> bytes_of(const TraplineForm& form) { return std::span(form.code).first(form.size); }
inline std::string text_of(const TraplineForm& form) {
  return disassemble_one(bytes_of(form), LoadAddr{0x1000}, nullptr);
}

}  // namespace trapline::trap
