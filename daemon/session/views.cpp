#include "daemon/session/views.hpp"

#include <fmt/format.h>

#include <utility>

namespace trapline::session {

Result<Views::ThreadView*> Views::thread_view(Tid thread) {
  if (const auto found = threads_.find(thread); found != threads_.end()) return &found->second;
  auto registers = inferior_.registers(thread, true);
  if (!registers) return std::unexpected(std::move(registers).error());
  auto& view = threads_[thread];
  view.registers = *std::move(registers);
  view.stack = std::make_unique<stack::Stack>(view.registers, inferior_.memory(), modules_);
  return &view;
}

Result<stack::Stack*> Views::stack(Tid thread) {
  TL_TRY(auto* view, thread_view(thread));
  return view->stack.get();
}

Result<const stack::Frame*> Views::frame(FramePlace place) {
  TL_TRY(auto* frames, stack(place.thread));
  if (const auto* frame = frames->frame(place.level + hidden(place.thread))) return frame;
  return fail(Errc::not_found, fmt::format("thread {} has no frame {}", place.thread.value, place.level));
}

std::size_t Views::hidden(Tid thread) const {
  const auto found = hidden_.find(thread);
  return found == hidden_.end() ? 0 : found->second;
}

Result<const arch::RegisterFile*> Views::machine(Tid thread) {
  TL_TRY(auto* view, thread_view(thread));
  return &view->registers;
}

FrameId Views::frame_id(FramePlace place) {
  const auto [found, fresh] = frame_ids_.try_emplace({place.thread, place.level}, FrameId{});
  if (fresh) {
    found->second = FrameId{first_frame_ + static_cast<std::int32_t>(frames_.size())};
    frames_.push_back(place);
  }
  return found->second;
}

Result<FramePlace> Views::place_of(FrameId id) const {
  if (id.value >= first_frame_ && id.value < first_frame_ + static_cast<std::int32_t>(frames_.size()))
    return frames_[static_cast<std::size_t>(id.value - first_frame_)];
  if (id.value > 0 && id.value < first_frame_)
    return fail_hint(Errc::stale_reference, fmt::format("frame {} belongs to an earlier stop", id.value),
                     "ask for the stack again");
  return fail_hint(Errc::not_found, fmt::format("there is no frame {}", id.value), "take frame ids from the stack");
}

Result<eval::FrameView> Views::view(FramePlace place) {
  TL_TRY(auto* thread, thread_view(place.thread));
  if (thread->stack->frame(place.level + hidden(place.thread)) == nullptr)
    return fail(Errc::not_found, fmt::format("thread {} has no frame {}", place.thread.value, place.level));
  return eval::FrameView{.stack = thread->stack.get(),
                         .level = place.level + hidden(place.thread),
                         .machine = &thread->registers,
                         .memory = &inferior_.memory(),
                         .modules = &modules_,
                         .write_registers = [this, tid = place.thread](const arch::RegisterFile& file) -> Result<void> {
                           TL_TRY_VOID(inferior_.set_registers(tid, file));
                           // `file` may be our own copy: read what the kernel took. The Stack goes in settle(), callers
                           // hold it.
                           TL_TRY(auto now, inferior_.registers(tid, true));
                           threads_[tid].registers = std::move(now);
                           written_ = tid;
                           return {};
                         },
                         .thread_pointer = thread->registers.general.fs_base,
                         .visualizers = visualizers_};
}

ValueRef Views::keep(Node node) {
  nodes_.push_back(std::make_unique<Node>(std::move(node)));
  return ValueRef{first_node_ + static_cast<std::int32_t>(nodes_.size()) - 1};
}

Result<const Node*> Views::node(ValueRef ref) const {
  if (ref.value >= first_node_ && ref.value < first_node_ + static_cast<std::int32_t>(nodes_.size()))
    return nodes_[static_cast<std::size_t>(ref.value - first_node_)].get();
  if (ref.value > 0 && ref.value < first_node_)
    return fail_hint(Errc::stale_reference, fmt::format("value {} belongs to an earlier stop", ref.value),
                     "ask for the variables again");
  return fail_hint(Errc::not_found, fmt::format("there is no value {}", ref.value),
                   "take references from scopes, variables or evaluate");
}

void Views::drop() {
  if (visualizers_ != nullptr) visualizers_->forget_memory();
  threads_.clear();
  hidden_.clear();
  frame_ids_.clear();
  first_frame_ += static_cast<std::int32_t>(frames_.size());
  first_node_ += static_cast<std::int32_t>(nodes_.size());
  frames_.clear();
  nodes_.clear();
}

void Views::forget_stacks() {
  threads_.clear();
  if (visualizers_ != nullptr) visualizers_->forget_memory();
}

void Views::settle() {
  if (visualizers_ != nullptr) visualizers_->forget_memory();
  if (const auto thread = std::exchange(written_, std::nullopt)) threads_.erase(*thread);
}

}  // namespace trapline::session
