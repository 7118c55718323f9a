#pragma once
// A program stopped at its own int3, and the evaluator on one of its frames. Nothing of run/ or session/ is used.
#include <functional>

#include "daemon/eval/evaluator.hpp"
#include "tests/live/stack_tracee.hpp"

namespace trapline::test {

class Look {
 public:
  // Runs PROGRAM PART to its int3; the frame at hand is the one that contains it.
  Look(const std::string& program, const std::string& part) : tracee_({program, part}), writable_(tracee_.memory()) {
    tracee_.run_to_stop();
    settle();
  }
  void go_on() {
    tracee_.run_to_stop();
    settle();
  }

  eval::FrameView view(std::size_t level = 0) {
    return {.stack = &*stack_,
            .level = level,
            .machine = &registers_,
            .memory = &writable_,
            .modules = &tracee_.modules(),
            .write_registers = [this](const arch::RegisterFile& file) -> Result<void> {
              TL_TRY_VOID(os::set_general_registers(Tracee::tracer(), main_thread(), file.general));
              if (!file.xstate.empty()) TL_TRY_VOID(os::set_xstate(Tracee::tracer(), main_thread(), file.xstate));
              settle();
              return {};
            },
            .thread_pointer = registers_.general.fs_base,
            .visualizers = visualizers};
  }
  std::string show(std::string_view expression, std::size_t level = 0, bool change = false) {
    eval::Options options;
    options.allow_side_effects = change;
    const auto value = eval::evaluate(view(level), expression, options);
    return value ? eval::summary(view(level), *value) : value.error().message;
  }
  std::string type(std::string_view expression, std::size_t level = 0) {
    const auto value = eval::evaluate(view(level), expression);
    return value ? eval::type_name(*value) : value.error().message;
  }
  // As a variables view would show it.
  std::string local(std::string_view name, std::size_t level = 0) {
    for (const auto& list : {eval::locals(view(level)), eval::arguments(view(level))})
      for (const auto& variable : list)
        if (variable.name == name) return eval::summary(view(level), variable.value);
    return "(no such variable)";
  }
  std::string function(std::size_t level = 0) {
    const auto* frame = stack_->frame(level);
    return frame == nullptr ? "" : frame->function;
  }
  std::size_t level_of(std::string_view function_name) {
    for (std::size_t level = 0; const auto* frame = stack_->frame(level); ++level)
      if (frame->function == function_name) return level;
    FAIL("no frame of " << function_name);
    return 0;
  }
  Tracee& tracee() { return tracee_; }
  eval::Visualizer* visualizers = nullptr;

 private:
  class Writable final : public util::WritableMemory {
   public:
    explicit Writable(TraceeMemory& memory) : memory_(memory) {}
    Result<void> read(LoadAddr at, std::span<std::byte> out) const override { return memory_.read(at, out); }
    std::size_t read_some(LoadAddr at, std::span<std::byte> out) const override { return memory_.read_some(at, out); }
    Result<void> write(LoadAddr at, std::span<const std::byte> bytes) override { return memory_.write(at, bytes); }

   private:
    TraceeMemory& memory_;
  };

  Tid main_thread() const { return Tid{tracee_.pid().value}; }
  // After a stop. Vector registers are those of the main thread; no test looks at another thread's.
  void settle() {
    registers_ = tracee_.registers();
    if (auto area = os::xstate(Tracee::tracer(), main_thread())) registers_.xstate = std::move(*area);
    stack_.emplace(tracee_.stack());
  }

  Tracee tracee_;
  Writable writable_;
  arch::RegisterFile registers_;
  std::optional<stack::Stack> stack_;
};

}  // namespace trapline::test
