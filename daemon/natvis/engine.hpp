#pragma once
// Visualisers at work: which one fits a type, what it shows of a value. The files in the box are always there; the
// user's come after them and win where both fit equally. Values are read through a cache that lives for one stop.
// A file that is broken never stops anything: what is wrong is told once, with file, line, element and reason.
// Thread: the loop's. Errors: complaints() as text; values that cannot be read say so in their place.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/eval/intrinsics.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::natvis {

class Engine final : public eval::Visualizer {
 public:
  enum class Box : std::uint8_t { with, without };
  explicit Engine(Box box = Box::with);
  ~Engine() override;

  // Files and folders (of which every *.natvis is taken), in order; those given before are forgotten. Read now.
  void set_files(std::vector<std::string> paths);
  // Reads anew what changed on disk since it was read: to be called while the program stands. True: something had.
  bool refresh();
  // As if a file of that name had been given. For tests and for visualisers that a client brings along.
  void add_text(std::string name, std::string_view text);
  // What was found wrong since last asked: "file.natvis:12: <Item> of Foo<*>: no member `x` in Foo<int>".
  std::vector<std::string> take_complaints();

  std::optional<std::string> summary(const eval::FrameView& frame, const eval::Value& value,
                                     const eval::Options& options, std::size_t depth) override;
  std::optional<eval::ChildCount> child_count(const eval::FrameView& frame, const eval::Value& value) override;
  std::optional<Result<std::vector<eval::Child>>> children(const eval::FrameView& frame, const eval::Value& value,
                                                           std::string_view expression, std::uint64_t start,
                                                           std::uint64_t count) override;
  std::optional<Result<std::string>> string(const eval::FrameView& frame, const eval::Value& value,
                                            std::size_t limit) override;
  Look look(const eval::FrameView& frame, const eval::Value& value) override;
  eval::Intrinsics* intrinsics(const eval::FrameView& frame) override;
  void forget_memory() override;

 private:
  class Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace trapline::natvis
