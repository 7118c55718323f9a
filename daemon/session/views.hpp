#pragma once
// What one stop looks like: stacks as far as they were asked for, and the ids of frames and values that clients hold.
// Dropped on resume. Ids go on counting over the whole session, so that one of an earlier stop is recognised as stale
// and never as another's.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/eval/evaluator.hpp"
#include "daemon/eval/visualizer.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/run/inferior.hpp"
#include "daemon/stack/stack.hpp"
#include "proto/control.hpp"

namespace trapline::session {

struct FramePlace {
  Tid thread;
  std::size_t level = 0;
};

// What a ValueRef stands for.
struct ScopeNode {
  FramePlace frame;
  proto::ScopeKind kind{};
};
struct RegisterGroupNode {
  FramePlace frame;
  std::string group;
};
struct ValueNode {
  FramePlace frame;
  eval::Value value;
  std::string expression;  // gives the value again; empty where nothing does
  eval::Format format{};   // of its children
};
using Node = std::variant<ScopeNode, RegisterGroupNode, ValueNode>;

class Views {
 public:
  Views(run::Inferior& inferior, const image::Modules& modules, eval::Visualizer* visualizers)
      : inferior_(inferior), modules_(modules), visualizers_(visualizers) {}

  Result<stack::Stack*> stack(Tid thread);
  Result<const stack::Frame*> frame(FramePlace place);
  FrameId frame_id(FramePlace place);
  Result<FramePlace> place_of(FrameId id) const;  // stale_reference, not_found
  Result<eval::FrameView> view(FramePlace place);
  Result<const arch::RegisterFile*> machine(Tid thread);

  ValueRef keep(Node node);
  Result<const Node*> node(ValueRef ref) const;  // stale_reference, not_found

  void drop();  // everything, on resume
  // A thread that stands at the very first instruction of inlined calls has not entered them yet: their frames are
  // hidden.
  void hide_innermost(Tid thread, std::size_t frames) { hidden_[thread] = frames; }
  std::size_t hidden(Tid thread) const;

  // A call changed memory: stacks are unwound anew when next asked for. Ids stay.
  void forget_stacks();
  // After an evaluation: where it wrote registers, the thread's stack is unwound anew when next asked for. Ids stay.
  void settle();

 private:
  struct ThreadView {
    arch::RegisterFile registers;
    std::unique_ptr<stack::Stack> stack;
  };
  Result<ThreadView*> thread_view(Tid thread);

  run::Inferior& inferior_;
  const image::Modules& modules_;
  eval::Visualizer* visualizers_;
  std::map<Tid, ThreadView> threads_;
  std::map<Tid, std::size_t> hidden_;
  std::map<std::pair<Tid, std::size_t>, FrameId> frame_ids_;
  std::vector<FramePlace> frames_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::optional<Tid> written_;
  std::int32_t first_frame_ = 1;
  std::int32_t first_node_ = 1;
};

}  // namespace trapline::session
