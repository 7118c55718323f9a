#pragma once
// Inside the room only: the blocks of a function that hold a pc.
#include <vector>

#include "daemon/sym/dwarf_handle.hpp"

namespace trapline::sym {

// `scope` itself last, its innermost block that holds `pc` first. Inlined calls are not entered.
std::vector<Dwarf_Die> blocks_at(const ElfModule& module, const Dwarf_Die& scope, std::uint64_t pc);
bool is_block_tag(int tag);

}  // namespace trapline::sym
