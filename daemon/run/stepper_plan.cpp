// The traps of a step: on the ways out of a region, and on the return of its frame.
#include <algorithm>
#include <array>

#include "daemon/run/stepper.hpp"
#include "daemon/stack/stack.hpp"
#include "daemon/trap/displaced.hpp"

namespace trapline::run {
namespace {

constexpr std::size_t longest_instruction = 15;
constexpr std::uint64_t largest_range = std::uint64_t{1} << 20;
constexpr int most_rows = 64;

}  // namespace

// ---- facts ---------------------------------------------------------------------------------------------------------

Stepper::Where Stepper::where(LoadAddr pc) const {
  return {.chain = modules_.inline_chain(pc), .span = modules_.line_span(pc)};
}

std::optional<std::size_t> Stepper::level_in(const Where& here) const {
  const auto found = std::ranges::find(here.chain, level_, &image::InlineLevel::die);
  if (found == here.chain.end() || !level_) return std::nullopt;
  return static_cast<std::size_t>(found - here.chain.begin());
}

// How many inlined calls, innermost first, begin exactly here. The concrete function is not counted.
std::uint32_t Stepper::levels_not_entered(const Where& here, LoadAddr pc) {
  std::uint32_t count = 0;
  while (count + 1 < here.chain.size() && !here.chain[count].ranges.empty() &&
         here.chain[count].ranges.front().begin == pc)
    ++count;
  return count;
}

std::optional<std::uint64_t> Stepper::cfa_of(const arch::GeneralRegisters& registers) const {
  const auto up = stack::unwind(arch::register_set(registers), false, host_.code(), modules_);
  if (!up || up->cfa.value == 0) return std::nullopt;
  return up->cfa.value;
}

bool Stepper::same_frame(const arch::GeneralRegisters& registers) const {
  if (cfa_)
    if (const auto cfa = cfa_of(registers)) return *cfa == *cfa_;
  return registers.rsp >= start_rsp_;
}

bool Stepper::deeper_frame(const arch::GeneralRegisters& registers) const {
  if (cfa_)
    if (const auto cfa = cfa_of(registers)) return *cfa < *cfa_;
  return registers.rsp < start_rsp_;
}

std::span<const std::byte> Stepper::code_at(LoadAddr at, std::span<std::byte> buffer) const {
  return buffer.first(host_.code().read_some(at, buffer));
}

bool Stepper::in_region(LoadAddr at) const {
  return std::ranges::any_of(region_, [&](const LoadRange& range) { return range.contains(at); });
}

// Also in a part of the function that lies elsewhere (.cold).
bool Stepper::same_function(LoadAddr at) const {
  if (function_range_.contains(at)) return true;
  if (!function_) return false;
  const auto chain = modules_.inline_chain(at);
  return !chain.empty() && chain.back().die == function_;
}

// The code of this line around pc: neighbouring rows of the same line are one stretch.
std::vector<LoadRange> Stepper::line_region(const Where& here) const {
  auto range = here.span->range;
  const auto within = modules_.function_range(range.begin);
  const auto belongs = [&](LoadAddr at) -> std::optional<LoadRange> {
    if (within && !within->contains(at)) return std::nullopt;
    const auto row = modules_.line_span(at);
    if (!row || row->line != here.span->line || row->file != here.span->file || row->range.empty()) return std::nullopt;
    return row->range;
  };
  for (int i = 0; i < most_rows; ++i) {
    const auto next = belongs(range.end);
    if (!next || next->end <= range.end) break;
    range.end = next->end;
  }
  for (int i = 0; i < most_rows && range.begin.value > 0; ++i) {
    const auto previous = belongs(range.begin - ByteCount{1});
    if (!previous || previous->begin >= range.begin) break;
    range.begin = previous->begin;
  }
  return {range};
}

// ---- traps ---------------------------------------------------------------------------------------------------------

Stepper::Trap* Stepper::set_trap(LoadAddr at, unsigned roles) {
  const auto found = traps_.find(at);
  if (found != traps_.end()) {
    found->second.roles |= roles;
    return &found->second;
  }
  if (!host_.plant(at)) return nullptr;
  auto& trap = traps_[at];
  trap.roles = roles;
  return &trap;
}

void Stepper::clear_roles(unsigned roles) {
  for (auto entry = traps_.begin(); entry != traps_.end();) {
    entry->second.roles &= ~roles;
    if (entry->second.roles != 0) {
      ++entry;
    } else {
      host_.uproot(entry->first);
      entry = traps_.erase(entry);
    }
  }
}

void Stepper::drop_region() {
  clear_roles(region_roles);
  region_.clear();
}

bool Stepper::guard_frame(LoadAddr pc, std::uint64_t rsp) {
  auto* trap = set_trap(pc, returned);
  if (trap != nullptr) trap->returned_rsp = rsp;
  return trap != nullptr;
}

// A trap at the frame's return address. False: there is none (outermost), or it is not known.
bool Stepper::guard_return(const arch::GeneralRegisters& registers) {
  if (return_guarded_) return true;
  const auto up = stack::unwind(arch::register_set(registers), false, host_.code(), modules_);
  if (!up || up->outermost) return false;
  const auto pc = up->caller[arch::dwarf_rip];
  const auto rsp = up->caller[arch::dwarf_rsp];
  if (!pc || *pc == 0 || !rsp) return false;
  return return_guarded_ = guard_frame({*pc}, *rsp);
}

// ---- regions -------------------------------------------------------------------------------------------------------

// Traps on every way out of `ranges` (which hold pc), and the thread may run.
StepVerdict Stepper::run_region(std::vector<LoadRange> ranges, const arch::GeneralRegisters& registers) {
  drop_region();
  region_ = std::move(ranges);
  calls_in_region_ = false;
  guard_return(registers);
  for (const auto& range : region_) plan_range(range);
  if (calls_in_region_) guard_escapes();
  return run_from(registers);
}

// In the region: whatever is special about the instruction that comes first.
StepVerdict Stepper::run_from(const arch::GeneralRegisters& registers) {
  const auto found = traps_.find(LoadAddr{registers.rip});
  if (found == traps_.end()) return {};
  if ((found->second.roles & odd_jump) != 0) return {.next = StepNext::instruction};
  if ((found->second.roles & call_site) != 0) follow_call(registers);
  return {};
}

void Stepper::plan_range(const LoadRange& range) {
  if (range.empty() || range.size().value > largest_range) return;
  std::vector<std::byte> code(range.size().value + longest_instruction);
  code.resize(host_.code().read_some(range.begin, code));
  bool falls_through = true;
  for (std::uint64_t offset = 0; offset < range.size().value && offset < code.size();) {
    const LoadAddr at = range.begin + ByteCount{offset};
    const auto rest = std::span<const std::byte>(code).subspan(offset);
    const auto decoded = trap::decode(rest.first(std::min(rest.size(), longest_instruction)), at);
    if (!decoded || decoded->size == 0) {
      set_trap(at, odd_jump);  // whatever it is, the processor will say
      return;
    }
    falls_through = true;
    switch (decoded->flow) {
      case trap::Flow::jump:
        falls_through = false;
        plan_jump(at, decoded->target);
        break;
      case trap::Flow::conditional: plan_jump(at, decoded->target); break;
      case trap::Flow::call:
        calls_in_region_ = true;
        if (order_.goal == StepGoal::into) set_trap(at, call_site);
        break;
      case trap::Flow::ret:
        falls_through = false;
        if (!return_guarded_) set_trap(at, odd_jump);
        break;
      case trap::Flow::straight:
      case trap::Flow::syscall:
      case trap::Flow::trap: break;
    }
    offset += decoded->size;
  }
  // What follows a call that never returns is another function's, or padding: a trap there is harmless.
  if (falls_through && !in_region(range.end)) set_trap(range.end, way_out);
}

void Stepper::plan_jump(LoadAddr at, std::optional<LoadAddr> jump_target) {
  if (!jump_target) {
    set_trap(at, odd_jump);
  } else if (!in_region(*jump_target)) {
    if (same_function(*jump_target) || !return_guarded_) {
      set_trap(*jump_target, way_out);
    } else {  // a tail call: its function returns for this frame
      calls_in_region_ = true;
      if (order_.goal == StepGoal::into) set_trap(at, call_site);
    }
  }
}

}  // namespace trapline::run
