#pragma once
// Expressions bound once and run many times: a tree is kept for the stretch of code in which its names mean the same,
// and for the modules that were loaded when it was bound. Thread: the loop's.
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/eval/frame_context.hpp"

namespace trapline::eval {

class BoundTrees {
 public:
  // What `expression` means in the frame of `place`, without side effects; its error is kept just so.
  const Result<NodePtr>& find(const FrameView& frame, const FramePlace& place, std::string_view expression);
  std::size_t bound() const { return bound_; }  // how often something was bound

 private:
  struct Tree {
    sym::DieRef scope;
    sym::FileRange code;
    std::shared_ptr<const sym::Module> module;                // of the code
    std::vector<std::shared_ptr<const sym::Module>> modules;  // whose types and DIEs the tree may name
    std::uint64_t generation = 0;                             // of the modules
    Result<NodePtr> root = fail(Errc::internal, "");
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::vector<Tree>, Hash, std::equal_to<>> trees_;
  std::size_t bound_ = 0;
};

class ConditionCache : public BoundTrees {};

}  // namespace trapline::eval
