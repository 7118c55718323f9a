#include "daemon/eval/bound_trees.hpp"

#include <algorithm>

#include "daemon/eval/binder.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/rust_expression.hpp"
#include "daemon/eval/scope.hpp"

namespace trapline::eval {

const Result<NodePtr>& BoundTrees::find(const FrameView& frame, const FramePlace& place, std::string_view expression) {
  auto texts = trees_.find(expression);
  if (texts == trees_.end()) texts = trees_.try_emplace(std::string(expression)).first;
  std::vector<Tree>& trees = texts->second;
  const std::uint64_t generation = frame.modules->generation();
  const auto module = place.module == nullptr ? nullptr : place.module->symbols;
  for (const Tree& tree : trees)
    if (tree.scope == place.scope && tree.module == module && tree.code.contains(place.file_pc) &&
        tree.generation == generation)
      return tree.root;
  std::erase_if(trees, [&](const Tree& tree) { return tree.generation != generation; });
  Tree tree;
  tree.scope = place.scope;
  tree.module = module;
  tree.code = sym::same_blocks_around(place.scope, place.file_pc);
  tree.generation = generation;
  for (const image::MappedModule* each : frame.modules->all()) tree.modules.push_back(each->symbols);
  const FrameScope scope = scope_of(frame, place);
  if (auto syntax = parse(expression, scope))
    tree.root = bind(**syntax, expression, scope, {.side_effects = false});
  else
    tree.root = std::unexpected(syntax.error());
  ++bound_;
  trees.push_back(std::move(tree));
  return trees.back().root;
}

std::shared_ptr<ConditionCache> make_condition_cache() { return std::make_shared<ConditionCache>(); }

Result<bool> condition(const FrameView& frame, std::string_view expression, ConditionCache& cache) {
  const FramePlace place = place_of(frame);
  if (reads_as_rust(place, expression)) return rust_condition(frame, scope_of(frame, place), place.scope, expression);
  const Result<NodePtr>& tree = cache.find(frame, place, expression);
  if (!tree) return std::unexpected(tree.error());
  return Interpreter(frame).run_truth(**tree);
}

}  // namespace trapline::eval
