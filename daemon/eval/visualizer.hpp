#pragma once
// How values of library types are shown: what eval asks before it shows the members as they are. daemon/natvis answers.
// A value that is marked `raw` is never asked about. nullopt: nothing fits this type; the members are shown.
// Thread: the loop's.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/evaluator.hpp"

namespace trapline::eval {

class Intrinsics;

class Visualizer {
 public:
  virtual ~Visualizer() = default;
  // One line. `depth`: how many values it is shown within; a deep one may answer "{...}".
  virtual std::optional<std::string> summary(const FrameView& frame, const Value& value, const Options& options,
                                             std::size_t depth) = 0;
  virtual std::optional<ChildCount> child_count(const FrameView& frame, const Value& value) = 0;
  // As eval::children(): named first, then indexed. `expression` gives `value` again, or is empty.
  virtual std::optional<Result<std::vector<Child>>> children(const FrameView& frame, const Value& value,
                                                             std::string_view expression, std::uint64_t start,
                                                             std::uint64_t count) = 0;
  // The characters that the value stands for (<StringView>), not quoted, at most `limit` bytes.
  virtual std::optional<Result<std::string>> string(const FrameView& frame, const Value& value, std::size_t limit) = 0;
  // What is to be seen of it, for languages that write it in their own way. `line`: what summary() says, and no more.
  enum class Look : std::uint8_t { none, line, text, list, map, parts };
  virtual Look look(const FrameView& frame, const Value& value) = 0;
  virtual Intrinsics* intrinsics(const FrameView& frame) = 0;  // nullptr: none
  // What was read of the debuggee is not true any more: it ran, or was written to.
  virtual void forget_memory() = 0;
};

}  // namespace trapline::eval
