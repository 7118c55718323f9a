#include "daemon/natvis/walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "daemon/eval/interpreter.hpp"
#include "daemon/eval/number.hpp"

namespace trapline::natvis {

using eval::Value;

std::unexpected<Error> corrupt(std::string why) { return fail(Errc::bad_address, "corrupt: " + std::move(why)); }

// ---- running expressions

Result<Value> Reading::run(const Expression& expression, const Value& subject, const std::vector<Local>& locals,
                           std::vector<Value>* slots) const {
  const Bound& bound = use.bind(binding, intrinsics, expression, subject.type, locals);
  if (!bound.tree) return std::unexpected(bound.tree.error());
  return eval::Interpreter(view, {.subject = &subject, .slots = slots}).run(**bound.tree);
}

Result<bool> Reading::truth(const Expression& expression, const Value& subject, const std::vector<Local>& locals,
                            std::vector<Value>* slots) const {
  const Bound& bound = use.bind(binding, intrinsics, expression, subject.type, locals);
  if (!bound.tree) return std::unexpected(bound.tree.error());
  return eval::Interpreter(view, {.subject = &subject, .slots = slots}).run_truth(**bound.tree);
}

Result<std::int64_t> Reading::integer(const Expression& expression, const Value& subject,
                                      const std::vector<Local>& locals, std::vector<Value>* slots) const {
  TL_TRY(const Value value, run(expression, subject, locals, slots));
  if (!eval::is_integral(value.type) && !eval::is_enumeration(value.type) && !eval::is_boolean(value.type))
    return fail(Errc::bad_expression, fmt::format("`{}` is no integer but {}", expression.text, value.type->name()));
  TL_TRY(const auto bytes, eval::scalar_bytes(*view.memory, value));
  const eval::Number number = eval::load_number(value.type, bytes);
  if (number.integer > INT64_MAX) return INT64_MAX;  // nothing has that many; told by who asks
  return static_cast<std::int64_t>(number.integer);
}

Result<const sym::Type*> Reading::type_of(const Expression& expression, const sym::Type* subject,
                                          const std::vector<Local>& locals) const {
  const Bound& bound = use.bind(binding, intrinsics, expression, subject, locals);
  if (!bound.tree) return std::unexpected(bound.tree.error());
  return (*bound.tree)->type;
}

Result<std::uint64_t> Reading::pointer(const Expression& expression, const sym::Type* subject,
                                       std::uint64_t address) const {
  const Bound& bound = use.bind(binding, intrinsics, expression, subject, {});
  if (!bound.tree) return std::unexpected(bound.tree.error());
  if (bound.pointer) return natvis::run(*bound.pointer, *view.memory, address);
  const Value object = eval::in_memory(subject, LoadAddr{address});
  TL_TRY(const Value value, eval::Interpreter(view, {.subject = &object}).run(**bound.tree));
  return eval::pointer_bits(*view.memory, value);
}

Result<const Alternative*> choose(const Reading& reading, const std::vector<Alternative>& all, const Value& subject,
                                  const std::vector<Local>& locals, std::vector<Value>* slots) {
  for (const Alternative& each : all) {
    if (!in_view(each.guard, subject.view_name)) continue;
    if (each.guard.optional && !reading.type_of(each.expression, subject.type, locals)) continue;
    if (each.guard.condition.empty()) return &each;
    auto holds = reading.truth(each.guard.condition, subject, locals, slots);
    if (!holds && each.guard.optional) continue;
    if (!holds) return std::unexpected(holds.error());
    if (*holds) return &each;
  }
  return nullptr;
}

Result<void> Budget::spend() {
  if (++steps_ > max_steps)
    return fail(Errc::too_large, fmt::format("more than {} steps to take: given up", max_steps));
  if (steps_ % 1024 == 0 && std::chrono::steady_clock::now() - begin_ > max_time)
    return fail(Errc::too_large, fmt::format("given up after {} s and {} elements", max_time.count(), steps_));
  return {};
}

bool Met::add(std::uint64_t address) {
  if (used_ >= limit) return true;
  if ((used_ + 1) * 2 > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (address * 0x9e3779b97f4a7c15ULL) >> 20;; ++at) {
    std::uint64_t& slot = slots_[at & mask];
    if (slot == address) return false;
    if (slot != 0) continue;
    slot = address;
    ++used_;
    return true;
  }
}

void Met::grow() {
  std::vector<std::uint64_t> old(std::max<std::size_t>(64, slots_.size() * 2));
  old.swap(slots_);
  used_ = 0;
  for (const std::uint64_t address : old)
    if (address != 0) add(address);
}

namespace {

// ---- lists

class ListWalk final : public Walk {
 public:
  ListWalk(const Item& item, const sym::Type* node, std::uint64_t head, std::optional<std::uint64_t> size)
      : item_(item), node_(node), head_(head), size_(size) {}

  Result<void> page(const Reading& reading, std::uint64_t start, std::uint64_t count, const Emit& emit) override {
    Budget budget;
    const std::uint64_t from = std::min<std::uint64_t>(start / stride, kept_.empty() ? 0 : kept_.size() - 1);
    std::uint64_t index = from * stride, node = kept_.empty() ? head_ : kept_[static_cast<std::size_t>(from)];
    for (; index < start + count; ++index) {
      if (node == 0 || (index > 0 && node == head_)) return ended(node, index);
      TL_TRY_VOID(budget.spend());
      TL_TRY_VOID(note(node, index));
      if (index >= start) {
        Stand stand;
        stand.index = index;
        stand.subject = eval::in_memory(node_, LoadAddr{node});
        TL_TRY(stand.node, choose(reading, item_.values, stand.subject));
        if (stand.node != nullptr) emit(stand);
      }
      if (index + 1 < start + count) {
        TL_TRY(node, next(reading, node, index));
      }
    }
    return {};
  }

  Result<std::uint64_t> count(const Reading& reading) override {
    if (total_) return *total_;
    Budget budget;
    std::uint64_t index = 0, node = head_;
    while (node != 0 && (index == 0 || node != head_)) {
      TL_TRY_VOID(budget.spend());
      TL_TRY_VOID(note(node, index));
      TL_TRY(node, next(reading, node, index));
      ++index;
    }
    total_ = index;
    return index;
  }

 private:
  static constexpr std::uint64_t stride = 128;

  Result<std::uint64_t> next(const Reading& reading, std::uint64_t node, std::uint64_t index) const {
    auto link = reading.pointer(item_.next, node_, node);
    if (!link) return corrupt(fmt::format("element {} at {:#x} cannot be read", index, node));
    return *link;
  }
  Result<void> note(std::uint64_t node, std::uint64_t index) {
    if (index < walked_) return {};
    if (!met_.add(node))
      return corrupt(fmt::format("the list loops: after {} elements it is at {:#x} again", index, node));
    if (index % stride == 0) kept_.push_back(node);
    walked_ = index + 1;
    return {};
  }
  Result<void> ended(std::uint64_t node, std::uint64_t index) const {
    if (!size_ || index >= *size_) return {};
    if (node != 0) return corrupt(fmt::format("the list loops after {} of {} elements", index, *size_));
    return corrupt(fmt::format("the list ends after {} of {} elements", index, *size_));
  }

  const Item& item_;
  const sym::Type* node_;
  std::uint64_t head_;
  std::optional<std::uint64_t> size_, total_;
  std::vector<std::uint64_t> kept_;  // the node of every `stride`th element
  std::uint64_t walked_ = 0;
  Met met_;
};

// ---- trees

// In order from one end: the top of `path` is the element at hand, what lies below it in the stack comes later.
struct TreeState {
  std::vector<std::uint64_t> path;
  std::uint64_t index = 0;   // of the element at hand
  std::uint64_t pushed = 0;  // nodes so far: tells whether one is met for the first time
};

class TreeSide {
 public:
  TreeSide(const Item& item, const sym::Type* node, std::uint64_t root, bool mirrored)
      : item_(item), node_(node), root_(root), mirrored_(mirrored) {}

  // How far the nearest kept position before `index` is away.
  std::uint64_t distance(std::uint64_t index) const {
    return kept_.empty() ? index : index - std::min<std::uint64_t>(index / stride, kept_.size() - 1) * stride;
  }
  // A state that stands at most at `index`.
  Result<TreeState> begin(const Reading& reading, Budget& budget, std::uint64_t index) {
    if (!kept_.empty())
      return kept_[static_cast<std::size_t>(std::min<std::uint64_t>(index / stride, kept_.size() - 1))];
    TreeState state;
    TL_TRY_VOID(descend(reading, budget, state, root_));
    kept_.push_back(state);
    return state;
  }
  Result<void> step(const Reading& reading, Budget& budget, TreeState& state) {
    const std::uint64_t node = state.path.back();
    state.path.pop_back();
    ++state.index;
    TL_TRY(const std::uint64_t child, link(reading, node, !mirrored_));
    TL_TRY_VOID(descend(reading, budget, state, child));
    if (state.index == kept_.size() * stride) kept_.push_back(state);
    return {};
  }
  std::uint64_t root() const { return root_; }

 private:
  static constexpr std::uint64_t stride = 1024;

  Result<std::uint64_t> link(const Reading& reading, std::uint64_t node, bool right) const {
    auto child = reading.pointer(right ? item_.right : item_.next, node_, node);
    if (!child) return corrupt(fmt::format("the node at {:#x} cannot be read", node));
    return *child;
  }
  Result<void> descend(const Reading& reading, Budget& budget, TreeState& state, std::uint64_t node) {
    while (node != 0) {
      TL_TRY_VOID(budget.spend());
      if (conditional()) {
        TL_TRY(const Alternative* shown, choose(reading, item_.values, eval::in_memory(node_, LoadAddr{node})));
        if (shown == nullptr) break;  // a sentinel that stands for no node
      }
      if (state.pushed++ == furthest_) {
        ++furthest_;
        if (!met_.add(node)) return corrupt(fmt::format("the tree comes back to the node at {:#x}", node));
      }
      state.path.push_back(node);
      TL_TRY(node, link(reading, node, mirrored_));
    }
    return {};
  }
  bool conditional() const {
    for (const Alternative& each : item_.values)
      if (each.guard.condition.empty()) return false;
    return true;
  }

  const Item& item_;
  const sym::Type* node_;
  std::uint64_t root_;
  bool mirrored_;
  std::vector<TreeState> kept_;  // at every `stride`th element
  std::uint64_t furthest_ = 0;
  Met met_;
};

class TreeWalk final : public Walk {
 public:
  TreeWalk(const Item& item, const sym::Type* node, std::uint64_t root, std::optional<std::uint64_t> size)
      : item_(item), node_(node), size_(size), left_(item, node, root, false), right_(item, node, root, true) {}

  Result<void> page(const Reading& reading, std::uint64_t start, std::uint64_t count, const Emit& emit) override {
    const std::uint64_t end = start + count;
    if (size_ && end <= *size_ && right_.distance(*size_ - end) < left_.distance(start) && size_holds(reading))
      return from_the_right(reading, start, count, emit);
    Budget budget;
    TL_TRY(TreeState state, left_.begin(reading, budget, start));
    for (; state.index < end;) {
      if (state.path.empty()) return ended(state.index);
      if (state.index >= start) {
        TL_TRY_VOID(show(reading, state.path.back(), state.index, emit));
      }
      if (state.index + 1 == end) break;
      TL_TRY_VOID(left_.step(reading, budget, state));
    }
    return {};
  }

  Result<std::uint64_t> count(const Reading& reading) override {
    if (total_) return *total_;
    Budget budget;
    TL_TRY(TreeState state, left_.begin(reading, budget, ~std::uint64_t{0}));
    while (!state.path.empty()) TL_TRY_VOID(left_.step(reading, budget, state));
    total_ = state.index;
    return state.index;
  }

 private:
  // Numbers counted from the right are true only where the size is. Whether it is, is counted from the left: a small
  // tree at once, a larger one further with each page that is asked for from its right; until that is done its size is
  // believed unless it is passed.
  bool size_holds(const Reading& reading) {
    if (total_) return *total_ == *size_;
    Budget budget;
    auto state = left_.begin(reading, budget, ~std::uint64_t{0});
    if (!state) return false;
    for (std::uint64_t steps = 0; !state->path.empty(); ++steps) {
      if (state->index >= *size_) return false;
      if (steps == most_counted) return true;
      if (!left_.step(reading, budget, *state)) return false;
    }
    total_ = state->index;
    return *total_ == *size_;
  }
  Result<void> from_the_right(const Reading& reading, std::uint64_t start, std::uint64_t count, const Emit& emit) {
    Budget budget;
    const std::uint64_t first = *size_ - start - count;  // counted from the right
    TL_TRY(TreeState state, right_.begin(reading, budget, first));
    std::vector<std::uint64_t> nodes;
    while (nodes.size() < count) {
      if (state.path.empty()) return ended(state.index);
      if (state.index >= first) nodes.push_back(state.path.back());
      if (nodes.size() < count) {
        TL_TRY_VOID(right_.step(reading, budget, state));
      }
    }
    for (std::uint64_t i = 0; i < count; ++i)
      TL_TRY_VOID(show(reading, nodes[static_cast<std::size_t>(count - 1 - i)], start + i, emit));
    return {};
  }
  Result<void> show(const Reading& reading, std::uint64_t node, std::uint64_t index, const Emit& emit) const {
    Stand stand;
    stand.index = index;
    stand.subject = eval::in_memory(node_, LoadAddr{node});
    TL_TRY(stand.node, choose(reading, item_.values, stand.subject));
    if (stand.node != nullptr) emit(stand);
    return {};
  }
  Result<void> ended(std::uint64_t index) const {
    if (!size_ || index >= *size_) return {};
    return corrupt(fmt::format("the tree ends after {} of {} elements", index, *size_));
  }

  static constexpr std::uint64_t most_counted = std::uint64_t{1} << 17;

  const Item& item_;
  const sym::Type* node_;
  std::optional<std::uint64_t> size_, total_;
  TreeSide left_, right_;
};

// ---- custom lists

class CustomWalk final : public Walk {
 public:
  CustomWalk(const Item& item, Value subject) : item_(item), subject_(std::move(subject)) {}

  Result<void> page(const Reading& reading, std::uint64_t start, std::uint64_t count, const Emit& emit) override {
    Budget budget;
    TL_TRY(State state, begin(reading, start));
    if (!item_.skip.empty() && start - state.index > stride) TL_TRY_VOID(skip(reading, budget, start, state));
    while (state.index < start + count) {
      TL_TRY(const Instruction* item, to_item(reading, budget, state));
      if (item == nullptr) return {};
      if (state.index >= start) {
        Stand stand;
        stand.index = state.index;
        stand.subject = subject_;
        stand.item = item;
        stand.locals = &locals_;
        stand.slots = &state.slots;
        emit(stand);
      }
      pass(state);
    }
    return {};
  }

  Result<std::uint64_t> count(const Reading& reading) override {
    if (total_) return *total_;
    Budget budget;
    TL_TRY(State state, begin(reading, ~std::uint64_t{0}));
    while (true) {
      TL_TRY(const Instruction* item, to_item(reading, budget, state));
      if (item == nullptr) break;
      pass(state);
    }
    total_ = state.index;
    return state.index;
  }

 private:
  static constexpr std::uint64_t stride = 64;
  struct State {
    std::vector<Value> slots;
    std::size_t at = 0;
    std::uint64_t index = 0;
  };

  Result<State> begin(const Reading& reading, std::uint64_t index) {
    if (kept_.empty()) {
      State first;
      locals_.clear();
      for (const Variable& variable : item_.variables) {
        TL_TRY(Value value, reading.run(variable.initial, subject_, locals_, &first.slots));
        TL_TRY(const sym::Type* type, reading.type_of(variable.initial, subject_.type, locals_));
        type = type->unqualified();
        if (type->strip()->kind() != sym::TypeKind::record) {
          if (type->strip()->kind() == sym::TypeKind::array)
            return fail(Errc::unsupported, fmt::format("the variable `{}` is an array", variable.name));
          TL_TRY(auto bytes, eval::scalar_bytes(*reading.view.memory, value));
          value = eval::computed(type, std::move(bytes));
        }
        locals_.push_back({variable.name, type});
        first.slots.push_back(std::move(value));
      }
      const auto named = std::ranges::find(locals_, item_.skip_variable, &Local::name);
      skip_slot_ = static_cast<std::size_t>(named - locals_.begin());
      if (!item_.skip_variable.empty() && named == locals_.end()) {
        locals_.push_back({item_.skip_variable, sym::builtin(sym::Builtin::unsigned_int)});
        first.slots.push_back(skip_count(locals_.back().type, 0));
      }
      kept_.emplace(0, std::move(first));
    }
    return std::prev(kept_.upper_bound(index))->second;
  }

  static Value skip_count(const sym::Type* type, std::uint64_t count) {
    return eval::computed(
        type, eval::store_number(type, {.floating = false, .integer = static_cast<eval::Int128>(count), .real = 0}));
  }
  // From the first element on, as the list's own code does it: it begins anew with its variables as <Skip> left them.
  Result<void> skip(const Reading& reading, Budget& budget, std::uint64_t count, State& state) {
    State skipped = kept_.begin()->second;
    Value& passed = skipped.slots[skip_slot_];
    passed = skip_count(locals_[skip_slot_].type, std::min<std::uint64_t>(count, UINT32_MAX));
    TL_TRY(const Instruction* none, run(item_.skip, reading, budget, skipped));
    (void)none;
    TL_TRY(const auto bytes, eval::scalar_bytes(*reading.view.memory, passed));
    const auto done = eval::load_number(locals_[skip_slot_].type, bytes).integer;
    if (done <= static_cast<eval::Int128>(state.index) || done > static_cast<eval::Int128>(count)) return {};
    skipped.at = 0;
    skipped.index = static_cast<std::uint64_t>(done);
    kept_.emplace(skipped.index, skipped);
    state = std::move(skipped);
    return {};
  }

  // Runs up to the next <Item>; nullptr: the end.
  Result<const Instruction*> to_item(const Reading& reading, Budget& budget, State& state) {
    return run(item_.code, reading, budget, state);
  }
  Result<const Instruction*> run(const std::vector<Instruction>& code, const Reading& reading, Budget& budget,
                                 State& state) {
    while (state.at < code.size()) {
      TL_TRY_VOID(budget.spend());
      const Instruction& each = code[state.at];
      switch (each.kind) {
        case Instruction::Kind::item: return &each;
        case Instruction::Kind::jump: state.at = each.target; break;
        case Instruction::Kind::jump_unless: {
          TL_TRY(const bool holds, reading.truth(*each.expression, subject_, locals_, &state.slots));
          state.at = holds ? state.at + 1 : each.target;
          break;
        }
        case Instruction::Kind::run:
          TL_TRY_VOID(reading.run(*each.expression, subject_, locals_, &state.slots));
          ++state.at;
          break;
      }
    }
    return nullptr;
  }
  void pass(State& state) {
    ++state.at;
    ++state.index;
    if (state.index % stride == 0) kept_.emplace(state.index, state);
  }

  const Item& item_;
  Value subject_;
  std::vector<Local> locals_;
  std::size_t skip_slot_ = 0;
  std::map<std::uint64_t, State> kept_;  // by their indexes: every `stride`th, and where <Skip> led
  std::optional<std::uint64_t> total_;
};

}  // namespace

std::unique_ptr<Walk> make_list_walk(const Item& item, const sym::Type* node, std::uint64_t head,
                                     std::optional<std::uint64_t> size) {
  return std::make_unique<ListWalk>(item, node, head, size);
}
std::unique_ptr<Walk> make_tree_walk(const Item& item, const sym::Type* node, std::uint64_t head,
                                     std::optional<std::uint64_t> size) {
  return std::make_unique<TreeWalk>(item, node, head, size);
}
std::unique_ptr<Walk> make_custom_walk(const Item& item, Value subject) {
  return std::make_unique<CustomWalk>(item, std::move(subject));
}

}  // namespace trapline::natvis
