#pragma once
// What could stand at the cursor of an expression: variables, members after `.` and `->`, names after `::`, registers
// after `$`. Nothing within literals and numbers. Nothing of the program is changed or called. Thread: the loop's.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/evaluator.hpp"

namespace trapline::eval {

struct Candidate {
  enum class Kind : std::uint8_t { name, member, type, enumerator, register_ };
  std::string text;
  Kind kind = Kind::name;
  std::string type;  // of a member; may be empty
};

struct Completions {
  std::size_t start = 0;         // byte of `text` where a candidate goes
  std::size_t length = 0;        // bytes of `text` that it replaces: what was typed of the word
  std::vector<Candidate> items;  // sorted
};

// `cursor`: bytes before it. At most `limit` candidates.
Completions complete(const FrameView& frame, std::string_view text, std::size_t cursor, std::size_t limit);
// Where the operand that ends at `end` begins: "a + b[f(1)].c" with the end of it gives 4. `end` itself: none.
std::size_t operand_begin(std::string_view text, std::size_t end);

}  // namespace trapline::eval
