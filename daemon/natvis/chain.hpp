#pragma once
// A tree that only goes along members and pointers, as constant offsets: node->_M_left is one read and no interpreter.
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/util/memory.hpp"

namespace trapline::natvis {

struct Chain {
  std::vector<std::int64_t> offsets;  // address = subject's; for all but the last: the word at address + offset
  bool load = false;                  // the answer is the word there; else the address itself
};

// Of an lvalue tree: where the value lies. nullopt: not that plain.
std::optional<Chain> place_chain(const eval::Node& node);
// Of a pointer-valued tree: the pointer.
std::optional<Chain> pointer_chain(const eval::Node& node);
Result<std::uint64_t> run(const Chain& chain, const util::Memory& memory, std::uint64_t subject);

}  // namespace trapline::natvis
