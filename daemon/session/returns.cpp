// What a function returned, where a step came out of it: the thread stands right behind the call, so the ABI says in
// which registers, or where in memory, the value is.
#include <fmt/format.h>

#include "daemon/eval/psabi.hpp"
#include "daemon/eval/scope.hpp"
#include "daemon/session/session_impl.hpp"
#include "daemon/sym/variable.hpp"

namespace trapline::session {
namespace {

// Copies that gcc made for callers that it knows: nobody says whether they still return what the source says.
bool returns_as_written(std::string_view linkage) {
  return linkage.find(".isra.") == std::string_view::npos && linkage.find(".part.") == std::string_view::npos &&
         linkage.find(".cold") == std::string_view::npos;
}

}  // namespace

// Before the thread goes: the frame that it may come out of.
void Session::remember_return(const proto::StepSpec& step) {
  leaving_.reset();
  const auto stack = views_->stack(step.thread);
  if (!stack) return;
  const auto* frame = (*stack)->frame(views_->hidden(step.thread));
  std::size_t level = views_->hidden(step.thread);
  // An inlined function returns nothing by the ABI; where the step goes out of the function that holds it, that one
  // does.
  while (frame != nullptr && frame->inline_depth > 0 && step.kind != proto::StepKind::out)
    frame = (*stack)->frame(++level);
  if (frame == nullptr || frame->inline_depth > 0 || frame->kind != stack::FrameKind::normal || !frame->scope) return;
  const auto* caller = (*stack)->frame(level + 1);
  if (caller == nullptr || caller->kind == stack::FrameKind::broken || caller->kind == stack::FrameKind::signal_handler)
    return;
  const auto symbol = frame->module ? modules_->find(*frame->module) : nullptr;
  if (symbol == nullptr) return;
  const auto elf = symbol->symbols->symbol_at(frame->function_begin.value - symbol->bias);
  if (elf && !returns_as_written(elf->name)) return;
  const auto function = sym::concrete_function(frame->scope);
  if (!function) return;
  const sym::Type* type = sym::function_type(function);
  if (type == nullptr || type->target() == nullptr || type->target()->strip()->kind() == sym::TypeKind::void_) return;
  leaving_ = Leaving{
      .thread = step.thread, .function = frame->function, .type = type->target(), .to = caller->pc, .cfa = frame->cfa};
}

void Session::take_return(proto::Stop& stop) {
  const auto leaving = std::exchange(leaving_, std::nullopt);
  if (!leaving || stop.thread != leaving->thread) return;
  const auto registers = views_->machine(leaving->thread);
  if (!registers) return;
  const auto& general = (*registers)->general;
  // psABI 3.2.1: the stack pointer is the frame's CFA again.
  if (general.rip != leaving->to.value || general.rsp != leaving->cfa.value) return;
  const auto modules = eval::search_order(*modules_, nullptr);
  const auto passing = eval::classify(leaving->type, modules);
  if (!passing) return;
  const sym::Type* type = leaving->type;
  eval::Value value;
  if (passing->in_memory()) {
    value = eval::in_memory(type, LoadAddr{general.rax});
  } else {
    const auto size = type->strip()->complete(modules)->size().value_or(0);
    auto bytes = eval::result_in_registers(*passing, static_cast<std::size_t>(size), **registers);
    if (!bytes) return;
    value = eval::computed(type, *std::move(bytes));
  }
  const auto view = views_->view({.thread = leaving->thread, .level = 0});
  if (!view) return;
  stop.returned = eval::summary(*view, value, {});
  stop.returned_function = leaving->function;
  returned_ = Returned{.thread = leaving->thread, .function = leaving->function, .value = std::move(value)};
}

}  // namespace trapline::session
