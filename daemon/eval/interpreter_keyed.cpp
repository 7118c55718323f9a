// The element of a map with a key (binder_keyed.cpp): page by page, as the map's visualiser lists them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "daemon/eval/frame_context.hpp"
#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/interpreter_values.hpp"
#include "daemon/eval/visualizer.hpp"

namespace trapline::eval {

namespace {

bool calls(const Node& node) {
  return node.kind == NodeKind::call ||
         std::ranges::any_of(node.kids, [](const NodePtr& kid) { return calls(*kid); }) ||
         (node.body && calls(*node.body));
}

}  // namespace

Result<Value> Interpreter::keyed(const Node& node) {
  constexpr std::uint64_t page_size = 512, most = std::uint64_t{1} << 20, most_with_calls = 256;
  constexpr std::chrono::seconds patience{5};
  if (view_.visualizers == nullptr) return fail(Errc::unsupported, "no visualiser lists the elements of this map");
  TL_TRY(Value map, run(*node.kids[0]));
  forget_looks(map);
  std::vector<Value> slots(2);
  if (node.kids.size() > 1) {
    TL_TRY(slots[1], run(*node.kids[1]));
  }
  const ChildCount count = child_count(view_, map);
  const std::uint64_t all = count.named + count.indexed;
  const bool runs_code = calls(*node.body);
  if (all > (runs_code ? most_with_calls : most))
    return fail(Errc::too_large, fmt::format("{} elements are too many to compare keys with{}", all,
                                             runs_code ? ", by a function of the program" : ""));
  const auto end = std::chrono::steady_clock::now() + patience;
  std::uint64_t found = 0;
  for (std::uint64_t start = 0; start < all; start += page_size) {
    if (std::chrono::steady_clock::now() > end)
      return fail(Errc::timeout,
                  fmt::format("none of the first {} elements has this key, and it took too long", start));
    TL_TRY(const auto page, children(view_, map, {}, start, std::min(page_size, all - start)));
    for (const Child& child : page) {
      if (child.value.is_problem()) return std::unexpected(child.value.problem);
      if (child.value.place != Value::Place::memory || !same_type(child.value.type, node.member->type)) continue;
      const LoadAddr pair = child.value.address - ByteCount{node.member->offset};
      slots[0] = in_memory(node.operands, pair + ByteCount{static_cast<std::uint64_t>(node.offset)});
      Interpreter inner(view_, {.subject = around_.subject, .slots = &slots});
      inner.depth_ = depth_;
      TL_TRY(const bool equal, inner.run_truth(*node.body));
      if (!equal) continue;
      if (!node.flag) return in_memory(node.type, child.value.address);
      ++found;
    }
  }
  if (node.flag)
    return computed(node.type,
                    store_number(node.type, {.floating = false, .integer = static_cast<Int128>(found), .real = 0}));
  return fail_hint(Errc::not_found, fmt::format("`{}` has no element with this key", node.kids[0]->text),
                   "nothing is inserted from here");
}

}  // namespace trapline::eval
