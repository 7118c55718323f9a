// Frames on demand. What unwinding produces is an Activation: one physical frame, as few bytes as it takes, because a
// runaway recursion has hundreds of thousands of them. A Frame, with its names, is made for an activation (or for one
// of the calls inlined into it) when somebody asks for it.
#include "daemon/stack/stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "daemon/stack/code_map.hpp"
#include "daemon/stack/page_cache.hpp"
#include "daemon/stack/step.hpp"
#include "daemon/stack/walked.hpp"

namespace trapline::stack {
namespace {

// Only the registers that are known, one behind the other in one array for the whole stack.
class RegisterPool {
 public:
  struct Ref {
    std::uint32_t known = 0;  // a bit a register
    std::size_t begin = 0;
  };
  Ref add(const arch::RegisterSet& set) {
    Ref ref{0, words_.size()};
    for (std::uint32_t reg = 0; reg < set.values.size(); ++reg) {
      if (!set.values[reg]) continue;
      ref.known |= 1U << reg;
      words_.push_back(*set.values[reg]);
    }
    return ref;
  }
  arch::RegisterSet get(Ref ref) const {
    arch::RegisterSet set;
    for (std::uint32_t reg = 0; reg < set.values.size(); ++reg)
      if (ref.known >> reg & 1) set.values[reg] = words_[ref.begin++];
    return set;
  }

 private:
  std::deque<std::uint64_t> words_;
};

// Frames that somebody asked for, by number. They stay where they are; a page of a long list costs its blocks alone.
class MadeFrames {
 public:
  std::optional<Frame>& at(std::size_t n) {
    if (n / block_size >= blocks_.size()) blocks_.resize(n / block_size + 1);
    auto& block = blocks_[n / block_size];
    if (!block) block = std::make_unique<Block>();
    return (*block)[n % block_size];
  }

 private:
  static constexpr std::size_t block_size = 16;
  using Block = std::array<std::optional<Frame>, block_size>;
  std::vector<std::unique_ptr<Block>> blocks_;
};

struct Activation {
  CodeFacts* code = nullptr;
  LoadAddr cfa;
  RegisterPool::Ref registers;
  std::size_t first_frame = 0;  // of its innermost inlined call
};

}  // namespace

struct Stack::Impl {
  Impl(const arch::RegisterFile& file, const util::Memory& source, const image::Modules& modules)
      : memory(source), code(memory, modules), next(arch::register_set(file.general)) {}

  PageCache memory;
  CodeMap code;
  RegisterPool pool;
  std::deque<Activation> activations;  // a deque never copies what it holds to grow
  std::size_t frame_count = 0;
  MadeFrames made;

  arch::RegisterSet next;  // of the activation to come
  PcKind next_kind = PcKind::exact;
  Walked walked;
  bool past_main = false;
  bool ended = false;
  std::optional<Frame> broken;  // the last frame, where the stack ends so

  void unwind_one() {
    Activation activation;
    activation.code = &code.at(LoadAddr{*next[arch::dwarf_rip]}, next_kind);
    activation.registers = pool.add(next);
    activation.first_frame = frame_count;
    // Who called main is no news: nobody waits for the C library's debug information because of it.
    const auto& levels = code.levels(*activation.code, past_main ? CodeMap::Effort::by_symbol : CodeMap::Effort::full);
    past_main = past_main || (levels.back().function == "main" && code.in_program(*activation.code));
    frame_count += levels.size();
    const auto unwound = step(next, next_kind, {memory, code});
    if (unwound) activation.cfa = unwound->cfa;
    activations.push_back(activation);
    if (!unwound) return break_off(unwound.error().message);
    if (unwound->outermost) return finish();
    const std::uint64_t rsp = *next[arch::dwarf_rsp], caller_rsp = *unwound->caller[arch::dwarf_rsp];
    if (auto problem = unwound->signal_frame ? walked.jump(caller_rsp) : walked.climb(rsp, unwound->cfa.value))
      return break_off(*problem);
    next = unwound->caller;
    next_kind = unwound->signal_frame ? PcKind::exact : PcKind::return_address;
  }

  void finish() { ended = true; }

  void break_off(std::string reason) {
    broken.emplace();
    broken->kind = FrameKind::broken;
    broken->reason = std::move(reason);
    ++frame_count;
    finish();
  }

  Frame make(std::size_t n) {
    const auto after = std::ranges::upper_bound(activations, n, {}, &Activation::first_frame);
    const Activation& from = *std::prev(after);
    const auto& levels = code.levels(*from.code);
    const CodeLevel& level = levels[n - from.first_frame];
    Frame frame;
    frame.pc = from.code->pc;
    frame.lookup_pc = from.code->lookup_pc;
    frame.cfa = from.cfa;
    frame.registers = pool.get(from.registers);
    frame.innermost = after == std::next(activations.begin());
    frame.function = level.function;
    frame.function_begin = from.code->function_begin.value_or(LoadAddr{});
    frame.file = level.file;
    frame.line = level.line;
    frame.column = level.column;
    frame.module = from.code->module;
    frame.module_name = from.code->module_name;
    frame.scope = level.scope;
    frame.inline_depth = static_cast<std::uint32_t>(levels.size() - 1 - (n - from.first_frame));
    frame.kind = kind_of(*from.code, frame);
    if (frame.function.empty()) frame.function = from.code->trampoline ? "<signal handler called>" : "??";
    return frame;
  }

  static FrameKind kind_of(const CodeFacts& code, const Frame& frame) {
    if (frame.inline_depth != 0) return FrameKind::inlined;
    if (code.trampoline) return FrameKind::signal_handler;
    return frame.function.empty() ? FrameKind::no_symbols : FrameKind::normal;
  }
};

Stack::Stack(const arch::RegisterFile& registers, const util::Memory& memory, const image::Modules& modules)
    : impl_(std::make_unique<Impl>(registers, memory, modules)) {}
Stack::Stack(Stack&&) noexcept = default;
Stack& Stack::operator=(Stack&&) noexcept = default;
Stack::~Stack() = default;

const Frame* Stack::frame(std::size_t n) {
  while (n >= impl_->frame_count && !impl_->ended) impl_->unwind_one();
  if (n >= impl_->frame_count) return nullptr;
  if (impl_->broken && n + 1 == impl_->frame_count) return &*impl_->broken;
  auto& made = impl_->made.at(n);
  if (!made) made.emplace(impl_->make(n));
  return &*made;
}

std::optional<std::size_t> Stack::depth_if_known() const {
  return impl_->ended ? std::optional(impl_->frame_count) : std::nullopt;
}

}  // namespace trapline::stack
