#pragma once
// What no debugger can be below: the same work by a bare ptrace program.
#include <string>
#include <vector>

#include "bench/peer.hpp"

namespace trapline::bench {

// fork, exec under ptrace, an int3 at main, run to it. `program` is a PIE with an ELF symbol table. Reading that table
// is not counted.
std::vector<Seconds> launch_floor(const std::string& program, int rounds);

}  // namespace trapline::bench
