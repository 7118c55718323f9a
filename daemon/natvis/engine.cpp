#include "daemon/natvis/engine.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/natvis/inside.hpp"

namespace trapline::natvis {

Engine::Engine(Box box) : inside_(std::make_unique<Inside>(box)) {}
Engine::~Engine() = default;

void Engine::set_files(std::vector<std::string> paths) { inside_->set_files(std::move(paths)); }
bool Engine::refresh() { return inside_->refresh(); }
void Engine::add_text(std::string name, std::string_view text) { inside_->add_text(std::move(name), text); }
std::vector<std::string> Engine::take_complaints() { return std::exchange(inside_->complaints, {}); }

std::optional<std::string> Engine::summary(const eval::FrameView& frame, const eval::Value& value,
                                           const eval::Options& options, std::size_t depth) {
  inside_->look_at(frame);
  if (const auto derived = inside_->most_derived(value)) {
    const Deeper deeper(inside_->nesting);
    return fmt::format("({}) {}", derived->type->name(),
                       eval::summary_within(inside_->view(), *derived, options, depth));
  }
  return inside_->line(value, options, depth);
}

std::optional<eval::ChildCount> Engine::child_count(const eval::FrameView& frame, const eval::Value& value) {
  inside_->look_at(frame);
  if (const auto derived = inside_->most_derived(value)) {
    const Deeper deeper(inside_->nesting);
    return eval::child_count(inside_->view(), *derived);
  }
  const auto seen = inside_->see(value);
  if (!seen || seen->expand() == nullptr) {
    if (seen && seen->synthetic != nullptr) return eval::ChildCount{};
    return std::nullopt;
  }
  const auto expansion = inside_->expand(*seen);
  return eval::ChildCount{.named = expansion->named, .indexed = expansion->indexed};
}

std::optional<Result<std::vector<eval::Child>>> Engine::children(const eval::FrameView& frame, const eval::Value& value,
                                                                 std::string_view expression, std::uint64_t start,
                                                                 std::uint64_t count) {
  inside_->look_at(frame);
  if (const auto derived = inside_->most_derived(value)) {
    const Deeper deeper(inside_->nesting);
    return eval::children(inside_->view(), *derived, by_address(*derived), start, count);
  }
  const auto seen = inside_->see(value);
  if (!seen || seen->expand() == nullptr) return std::nullopt;
  const auto expansion = inside_->expand(*seen);
  const std::uint64_t total = expansion->named + expansion->indexed;
  const std::uint64_t wanted = count == 0 ? total - std::min(start, total) : count;
  if (const eval::Limits limits; wanted > limits.max_children)
    return Result<std::vector<eval::Child>>(
        fail_hint(Errc::too_large, fmt::format("{} children at once are more than {}", wanted, limits.max_children),
                  "ask for a page: start and count"));
  return inside_->page(*seen, *expansion, expression, start, count);
}

std::optional<Result<std::string>> Engine::string(const eval::FrameView& frame, const eval::Value& value,
                                                  std::size_t limit) {
  inside_->look_at(frame);
  return inside_->string(value, limit);
}

eval::Visualizer::Look Engine::look(const eval::FrameView& frame, const eval::Value& value) {
  inside_->look_at(frame);
  return inside_->look(value);
}

eval::Intrinsics* Engine::intrinsics(const eval::FrameView& frame) {
  inside_->look_at(frame);
  return inside_.get();
}

void Engine::forget_memory() { inside_->forget_memory(); }

}  // namespace trapline::natvis
