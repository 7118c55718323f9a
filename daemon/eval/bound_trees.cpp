#include "daemon/eval/bound_trees.hpp"

#include <functional>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/rust_expression.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

std::size_t BoundTrees::PlaceHash::operator()(const Place& place) const {
  constexpr std::size_t spread = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  std::size_t hash = std::hash<const void*>{}(place.module);
  hash = hash * spread + std::hash<const void*>{}(place.scope.module);
  hash = hash * spread + place.scope.file;
  return hash * spread + place.scope.offset;
}

void BoundTrees::keep_modules(const image::Modules& modules) {
  if (generation_ == modules.generation()) return;
  trees_.clear();
  modules_.clear();
  for (const image::MappedModule* each : modules.all()) modules_.push_back(each->symbols);
  generation_ = modules.generation();
}

Result<const Node*> BoundTrees::find(const FrameView& frame, const FramePlace& place, std::string_view expression) {
  keep_modules(*frame.modules);
  auto places = trees_.find(expression);
  if (places == trees_.end()) places = trees_.try_emplace(std::string(expression)).first;
  const Place key{.module = place.module == nullptr ? nullptr : place.module->symbols.get(), .scope = place.scope};
  std::vector<Tree>& blocks = places->second[key];
  for (const Tree& tree : blocks)
    if (tree.code.contains(place.file_pc)) return tree.root.get();
  const FrameScope scope = scope_of(frame, place);
  ++bound_;
  TL_TRY(const auto syntax, parse(expression, scope));
  TL_TRY(NodePtr root, bind(*syntax, expression, scope, {.side_effects = false}));
  blocks.push_back({.code = sym::same_blocks_around(place.scope, place.file_pc), .root = std::move(root)});
  return blocks.back().root.get();
}

std::shared_ptr<ConditionCache> make_condition_cache() { return std::make_shared<ConditionCache>(); }

Result<bool> condition(const FrameView& frame, std::string_view expression, ConditionCache& cache) {
  const FramePlace place = place_of(frame);
  if (reads_as_rust(place, expression)) return rust_condition(frame, scope_of(frame, place), place.scope, expression);
  TL_TRY(const Node* tree, cache.find(frame, place, expression));
  return Interpreter(frame).run_truth(*tree);
}

}  // namespace trapline::eval
