#pragma once
// Expressions bound once and run many times: a tree is kept for the stretch of code in which its names mean the same,
// and for the modules that were loaded when it was bound. Thread: the loop's.
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/eval/expression.hpp"
#include "daemon/eval/frame_context.hpp"

namespace trapline::eval {

class BoundTrees {
 public:
  // What `expression` means in the frame of `place`, without side effects. Valid until the next find(). Errors are
  // found anew each time: what was not known then may be by now (an index came, a natvis file changed).
  Result<const Node*> find(const FrameView& frame, const FramePlace& place, std::string_view expression);
  std::size_t bound() const { return bound_; }  // how often something was bound

 private:
  // What says to which blocks code belongs: a function has one for each of its instances.
  struct Place {
    const sym::Module* module = nullptr;  // of the code; held by modules_
    sym::DieRef scope;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };
  struct Tree {
    sym::FileRange code;
    NodePtr root;
  };
  using Trees = std::unordered_map<Place, std::vector<Tree>, PlaceHash>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void keep_modules(const image::Modules& modules);

  std::vector<std::shared_ptr<const sym::Module>> modules_;  // whose types and DIEs the trees may name
  std::optional<std::uint64_t> generation_;                  // of the modules
  std::unordered_map<std::string, Trees, Hash, std::equal_to<>> trees_;
  std::size_t bound_ = 0;
};

class ConditionCache : public BoundTrees {};

}  // namespace trapline::eval
