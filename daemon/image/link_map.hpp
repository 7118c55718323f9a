#pragma once
// The dynamic loader's own list of what is mapped: r_debug, or r_debug_extended with one list per dlmopen namespace
// (<link.h>, the SVR4 rendezvous). Read from the debuggee's memory, which may hold anything: every walk is bounded.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/os/proc.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"

namespace trapline::image {

struct LinkMapEntry {
  std::uint64_t bias = 0;        // l_addr
  LoadAddr dynamic;              // l_ld
  std::string name;              // as the loader knows it; empty for the program itself
  std::uint32_t name_space = 0;  // 0: the default one
};

struct LinkMap {
  bool consistent = false;  // false: the loader is in the middle of a change
  LoadAddr change_hook;     // r_brk; 0 before the loader has set it up
  std::vector<LinkMapEntry> entries;
};

// Where the program's headers say r_debug is (DT_DEBUG). None: not dynamic, or the loader has not got that far.
struct ProgramHeaders {
  std::optional<std::uint64_t> bias;  // by PT_PHDR
  LoadAddr dynamic;                   // PT_DYNAMIC; 0: none
};
ProgramHeaders read_program_headers(const os::AuxVector& auxv, const util::Memory& memory);
std::optional<LoadAddr> find_r_debug(LoadAddr dynamic, const util::Memory& memory);

// None where it cannot be read or makes no sense.
std::optional<LinkMap> read_link_map(LoadAddr r_debug, const util::Memory& memory);

}  // namespace trapline::image
