#include "daemon/run/stepper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/stack/stack.hpp"
#include "daemon/trap/displaced.hpp"

namespace trapline::run {
namespace {

constexpr std::size_t longest_instruction = 15;
// A `ret n` leaves rsp above the CFA; a shallower frame's rsp is further away than any n in use.
constexpr std::uint64_t popped_by_callee = 512;
constexpr std::size_t most_frames_without_lines = 64;

}  // namespace

// ---- beginnings ----------------------------------------------------------------------------------------------------

void Stepper::start(StepOrder order, const arch::GeneralRegisters& registers) {
  end();
  order_ = std::move(order);
  active_ = true;
  escapes_guarded_ = false;
  return_guarded_ = false;
  const LoadAddr pc{registers.rip};
  skipping_ = order_.skip && !order_.skip(pc);
  cfa_ = cfa_of(registers);
  start_rsp_ = registers.rsp;
  function_range_ = modules_.function_range(pc).value_or(LoadRange{});
  level_ = {};
  function_ = {};
  file_.clear();
  line_ = {};
}

Result<StepVerdict> Stepper::begin(StepOrder order, const arch::GeneralRegisters& registers) {
  start(std::move(order), registers);
  if (order_.unit == StepUnit::instruction && order_.goal != StepGoal::out) return begin_instruction(registers);
  const auto here = where({registers.rip});
  std::size_t level = 0;
  if (here.chain.empty()) {
    if (here.span) file_ = here.span->file, line_ = here.span->line;
  } else {
    level = std::min<std::size_t>(order_.inline_depth, here.chain.size() - 1);
    level_ = here.chain[level].die;
    function_ = here.chain.back().die;
    file_ = here.chain[level].file;
    line_ = here.chain[level].line;
  }
  auto verdict = order_.goal == StepGoal::out ? begin_out(here, level, registers) : begin_line(here, level, registers);
  if (!verdict) end();
  return verdict;
}

Result<StepVerdict> Stepper::begin_line(const Where& here, std::size_t level, const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  // The user looks at the call of an inlined function that begins right here: into it is no way at all.
  if (order_.goal == StepGoal::into && level > 0 && levels_not_entered(here, pc) >= level)
    return done(static_cast<std::uint32_t>(level - 1));
  if (level > 0) return run_region(here.chain[level - 1].ranges, registers);
  if (has_line(here)) return run_region(line_region(here), registers);
  // No lines here: until the function is left (gdb: "single stepping until exit from function").
  order_.goal = StepGoal::over;
  if (!function_range_.empty()) return run_region({function_range_}, registers);
  if (!guard_return(registers))
    return fail_hint(Errc::wrong_state, fmt::format("there is no line and no function known at {:#x}", pc.value),
                     "step by instruction, or continue");
  guard_escapes();
  return StepVerdict{};
}

Result<StepVerdict> Stepper::begin_out(const Where& here, std::size_t level, const arch::GeneralRegisters& registers) {
  if (!here.chain.empty() && level + 1 < here.chain.size()) return run_region(here.chain[level].ranges, registers);
  if (!guard_return(registers))
    return fail(Errc::wrong_state, "there is no frame further out to step to: this is the outermost one");
  guard_escapes();
  return StepVerdict{};
}

StepVerdict Stepper::begin_instruction(const arch::GeneralRegisters& registers) {
  std::array<std::byte, longest_instruction> buffer{};
  const LoadAddr pc{registers.rip};
  const auto decoded = trap::decode(code_at(pc, buffer), pc);
  if (order_.goal != StepGoal::over || !decoded || decoded->flow != trap::Flow::call)
    return {.next = StepNext::instruction};
  order_.goal = StepGoal::out;  // of the called function: ends right behind the call
  if (!guard_frame(pc + ByteCount{decoded->size}, registers.rsp)) return {.next = StepNext::instruction};
  guard_escapes();
  return {};
}

Result<StepVerdict> Stepper::begin_run_to(Tid thread, std::span<const LoadAddr> targets,
                                          const arch::GeneralRegisters& registers) {
  start({.thread = thread, .goal = StepGoal::out, .skip = {}}, registers);
  bool any = false;
  for (const auto at : targets) any = set_trap(at, target) != nullptr || any;
  if (!any) {
    end();
    return fail(Errc::bad_address, "there is no code at the place to run to");
  }
  guard_return(registers);
  guard_escapes();
  return StepVerdict{};
}

void Stepper::end() {
  for (const auto& [at, trap] : traps_) host_.uproot(at);
  traps_.clear();
  region_.clear();
  active_ = false;
}

// ---- events --------------------------------------------------------------------------------------------------------

StepVerdict Stepper::at_trap(const arch::GeneralRegisters& registers) {
  const auto found = traps_.find(LoadAddr{registers.rip});
  if (found == traps_.end()) return {};
  const auto trap = found->second;
  if ((trap.roles & target) != 0) return done(levels_not_entered(where({registers.rip}), {registers.rip}));
  if ((trap.roles & returned) != 0 && registers.rsp >= trap.returned_rsp &&
      registers.rsp - trap.returned_rsp < popped_by_callee)
    return came_back(registers);
  if ((trap.roles & landing) != 0 && (!trap.landing_rsp || *trap.landing_rsp == registers.rsp) &&
      !deeper_frame(registers))
    return landed(registers);
  if ((trap.roles & body) != 0) {
    const auto cfa = cfa_of(registers);
    if (!cfa || *cfa == trap.body_cfa) return done(levels_not_entered(where({registers.rip}), {registers.rip}));
  }
  if ((trap.roles & resolver_end) != 0) {
    clear_roles(resolver_end);
    go_behind(registers);
  }
  if ((trap.roles & unwinder) != 0) note_landing_pad(registers);
  if ((trap.roles & jumper) != 0) note_longjmp(registers);
  if ((trap.roles & region_roles) == 0 || !same_frame(registers)) return {};
  if ((trap.roles & way_out) != 0) return arrived(registers);
  return run_from(registers);
}

StepVerdict Stepper::after_instruction(const arch::GeneralRegisters& registers) {
  if (order_.unit == StepUnit::instruction) return done(0);
  const LoadAddr pc{registers.rip};
  if (in_region(pc)) return run_from(registers);
  if (const auto found = traps_.find(pc); found != traps_.end() && (found->second.roles & ~region_roles) != 0)
    return at_trap(registers);
  // A return that nobody guarded, else a jump.
  if (cfa_ ? registers.rsp >= *cfa_ : registers.rsp > start_rsp_) return came_back(registers);
  return arrived(registers);
}

// ---- decisions -----------------------------------------------------------------------------------------------------

// Out of the region, in the same frame.
StepVerdict Stepper::arrived(const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  const auto here = where(pc);
  const auto level = level_in(here);
  if (order_.goal == StepGoal::out) {
    if (level) return run_region(here.chain[*level].ranges, registers);
    return done(levels_not_entered(here, pc));
  }
  if (!has_line(here)) return go_through(here, registers);
  if (here.chain.empty() || level) return arrived_at_level(here, level.value_or(0), registers);
  return arrived_elsewhere(here, registers);
}

// In the function, or the inlined instance, that the user looks at; `level` inlined calls deep below it.
StepVerdict Stepper::arrived_at_level(const Where& here, std::size_t level, const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  const bool starts = pc == here.span->range.begin;
  if (level == 0) {
    if (same_line(here.span->file, here.span->line)) return run_region(line_region(here), registers);
    if (starts && here.span->is_statement) return done(0);
    // In the middle of another line, as by a jump back: the step goes on to that line's end (gdb does so too). The
    // start of a stretch that is no statement belongs to what came before; the next stretch of the same line may be
    // one.
    if (starts) return run_region({here.span->range}, registers);
    file_ = here.span->file, line_ = here.span->line;
    return run_region(line_region(here), registers);
  }
  const auto not_entered = levels_not_entered(here, pc);
  const bool at_the_call = not_entered >= level;
  const auto& seen = here.chain[level];
  if (!same_line(seen.file, seen.line) && at_the_call) return done(static_cast<std::uint32_t>(level));
  if (order_.goal == StepGoal::into) {
    if (at_the_call && (level > 1 || !skipped(pc))) return done(static_cast<std::uint32_t>(level - 1));
    if (!at_the_call && !skipped(pc)) {
      if (starts && here.span->is_statement && !same_line(here.span->file, here.span->line)) return done(not_entered);
      return run_region(line_region(here), registers);
    }
  }
  return run_region(here.chain[level - 1].ranges, registers);
}

// Out of the level: an inlined instance was left, or the frame was given to another function (tail call).
StepVerdict Stepper::arrived_elsewhere(const Where& here, const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  const bool other_function = here.chain.back().die != function_;
  if (other_function && pc == modules_.place(pc).value_or(image::CodePlace{}).function_begin) {
    if (order_.goal == StepGoal::into) go_behind(registers);
    drop_region();
    guard_escapes();
    return {};
  }
  if (pc == here.span->range.begin && here.span->is_statement && !skipped(pc))
    return done(levels_not_entered(here, pc));
  return run_region(line_region(here), registers);
}

// In code without a line: through it.
StepVerdict Stepper::go_through(const Where& here, const arch::GeneralRegisters& registers) {
  if (here.span && here.span->range.contains({registers.rip})) return run_region({here.span->range}, registers);
  if (const auto function = modules_.function_range({registers.rip})) return run_region({*function}, registers);
  return {.next = StepNext::instruction};
}

// The frame has returned: this is its caller, in the middle of a line.
StepVerdict Stepper::came_back(const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  const auto here = where(pc);
  if (order_.goal == StepGoal::out || (has_line(here) && !skipped(pc))) return done(levels_not_entered(here, pc));
  // A caller without lines (or one that the user does not want to see) is left too, until somebody has some.
  drop_region();
  clear_roles(returned);
  guard_escapes();
  auto frame = arch::register_set(registers);
  bool is_caller = false;
  for (std::size_t i = 0; i < most_frames_without_lines; ++i) {
    const auto up = stack::unwind(frame, is_caller, host_.code(), modules_);
    if (!up || up->outermost || !up->caller[arch::dwarf_rip] || !up->caller[arch::dwarf_rsp]) break;
    frame = up->caller;
    is_caller = !up->signal_frame;
    const LoadAddr at{*frame[arch::dwarf_rip]};
    const LoadAddr looked_up = is_caller ? at - ByteCount{1} : at;
    if (has_line(where(looked_up)) && !skipped(looked_up)) {
      guard_frame(at, *frame[arch::dwarf_rsp]);
      break;
    }
  }
  return {};
}

// Here through an exception or a longjmp: in this frame, or further out.
StepVerdict Stepper::landed(const arch::GeneralRegisters& registers) {
  const LoadAddr pc{registers.rip};
  const auto here = where(pc);
  const bool this_frame = same_frame(registers);
  if (this_frame && order_.goal == StepGoal::out) return {};  // caught here: the frame has not ended
  if (!has_line(here) || skipped(pc)) return this_frame ? go_through(here, registers) : came_back(registers);
  if (this_frame && same_line(here.span->file, here.span->line)) return run_region(line_region(here), registers);
  return done(levels_not_entered(here, pc));
}

}  // namespace trapline::run
