#pragma once
// Inside the room only; CfiTable::may_have_personality().
#include <libelf.h>

#include <cstdint>

namespace trapline::sym {

bool may_have_personality(Elf* elf, std::uint64_t at);

}  // namespace trapline::sym
