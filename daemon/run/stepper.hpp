#pragma once
// Stepping by line: decides where a step ends; the machine runs the thread.
//
// A step does not walk instruction by instruction. The code of the line is decoded once, traps are set on its ways out
// (branches that leave it, its end, its return address), and the thread runs at full speed until it meets one *in the
// same frame*: the frame is told by its CFA, so that recursion through the same line is passed over. Where it comes out
// the question is asked again: the beginning of another line ends the step, the middle of one (a jump back) goes on to
// its end, as gdb has it; code without lines is run through. Calls need nothing for `over`; for `into` each call
// instruction is a trap too, whose target is looked at: through PLT stubs, through the dynamic linker's resolver (a
// trap on the indirect jump that ends it) and short thunks, to a function with line information. A call may also be
// left by an exception or a longjmp: _Unwind_SetIP tells every landing pad before it is entered (libgcc exports it for
// personality routines), longjmp's buffer tells its target (setjmp/../jmpbuf-offsets.h, mangled with the pointer guard
// at fs:0x30). Landing in a deeper frame is passed over, landing here or further out is the end. Inlined calls are
// levels at one pc: an inlined instance is one region for `over`, its first instruction is an entry for `into` (the
// report says how many levels were not entered yet), and `out` runs until the level is left.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/arch/registers.hpp"
#include "daemon/image/modules.hpp"
#include "daemon/run/inferior.hpp"
#include "daemon/util/memory.hpp"
#include "proto/words/addr.hpp"

namespace trapline::run {

// What the planner may ask of the machine.
class StepHost {
 public:
  virtual ~StepHost() = default;
  virtual const util::Memory& code() const = 0;  // our traps hidden
  virtual bool plant(LoadAddr at) = 0;           // a trap owned by the step; false: no code there
  virtual void uproot(LoadAddr at) = 0;
};

enum class StepNext : std::uint8_t { run, instruction, done };
struct StepVerdict {
  StepNext next = StepNext::run;
  std::uint32_t inline_depth = 0;  // of `done`: levels whose first instruction the thread stands at
};

class Stepper {
 public:
  Stepper(StepHost& host, const image::Modules& modules) : host_(host), modules_(modules) {}
  // Errors: wrong_state (step out of the outermost frame).
  Result<StepVerdict> begin(StepOrder order, const arch::GeneralRegisters& registers);
  Result<StepVerdict> begin_run_to(Tid thread, std::span<const LoadAddr> targets,
                                   const arch::GeneralRegisters& registers);
  bool active() const { return active_; }
  Tid thread() const { return order_.thread; }
  bool single_thread() const { return order_.single_thread; }
  // The thread met a trap of ours at `pc` (registers.rip == pc).
  StepVerdict at_trap(const arch::GeneralRegisters& registers);
  // The instruction that was asked for is done.
  StepVerdict after_instruction(const arch::GeneralRegisters& registers);
  void end();                                         // takes every trap back
  void forget() { traps_.clear(), active_ = false; }  // an exec took the traps

 private:
  enum Role : unsigned {
    way_out = 1,        // leaves the region in the same frame
    call_site = 2,      // an instruction that calls (or tail-calls): look where it goes
    odd_jump = 4,       // an indirect jump or a return without a known target: run it as one instruction
    returned = 8,       // return address of a frame that the step leaves
    body = 16,          // first line of a function that was stepped into
    resolver_end = 32,  // the indirect jump out of the dynamic linker's resolver
    unwinder = 64,      // _Unwind_SetIP
    jumper = 128,       // longjmp
    landing = 256,      // a landing pad, or where a longjmp goes
    target = 512,       // of run_to
  };
  struct Trap {
    unsigned roles = 0;
    std::uint64_t returned_rsp = 0;
    std::optional<std::uint64_t> landing_rsp;  // of a longjmp; landing pads: any
    std::uint64_t body_cfa = 0;
  };
  static constexpr unsigned region_roles = way_out | call_site | odd_jump;
  struct Where {  // a place, as stepping sees it
    std::vector<image::InlineLevel> chain;
    std::optional<image::LineSpan> span;
  };

  // beginnings (stepper.cpp)
  void start(StepOrder order, const arch::GeneralRegisters& registers);
  Result<StepVerdict> begin_line(const Where& here, std::size_t level, const arch::GeneralRegisters& registers);
  Result<StepVerdict> begin_out(const Where& here, std::size_t level, const arch::GeneralRegisters& registers);
  StepVerdict begin_instruction(const arch::GeneralRegisters& registers);

  // decisions (stepper.cpp)
  StepVerdict arrived(const arch::GeneralRegisters& registers);
  StepVerdict arrived_at_level(const Where& here, std::size_t level, const arch::GeneralRegisters& registers);
  StepVerdict arrived_elsewhere(const Where& here, const arch::GeneralRegisters& registers);
  StepVerdict came_back(const arch::GeneralRegisters& registers);
  StepVerdict landed(const arch::GeneralRegisters& registers);
  StepVerdict go_through(const Where& here, const arch::GeneralRegisters& registers);
  StepVerdict done(std::uint32_t inline_depth) const { return {.next = StepNext::done, .inline_depth = inline_depth}; }

  // traps and regions (stepper_plan.cpp)
  StepVerdict run_region(std::vector<LoadRange> ranges, const arch::GeneralRegisters& registers);
  StepVerdict run_from(const arch::GeneralRegisters& registers);
  void plan_range(const LoadRange& range);
  void plan_jump(LoadAddr at, std::optional<LoadAddr> jump_target);
  void drop_region();
  bool in_region(LoadAddr at) const;
  bool same_function(LoadAddr at) const;
  std::vector<LoadRange> line_region(const Where& here) const;
  bool guard_return(const arch::GeneralRegisters& registers);
  bool guard_frame(LoadAddr pc, std::uint64_t rsp);
  Trap* set_trap(LoadAddr at, unsigned roles);
  void clear_roles(unsigned roles);

  // calls and escapes (stepper_calls.cpp)
  void follow_call(const arch::GeneralRegisters& at_call);
  void enter(LoadAddr target_pc, std::uint64_t rsp_after_call);
  void go_behind(arch::GeneralRegisters at_target);
  std::optional<LoadAddr> through_plt(arch::GeneralRegisters registers) const;
  std::optional<LoadAddr> through_thunk(LoadAddr at) const;
  std::optional<LoadAddr> end_of_resolver(LoadAddr at) const;
  void guard_escapes();
  void note_longjmp(const arch::GeneralRegisters& registers);
  void note_landing_pad(const arch::GeneralRegisters& registers);

  // facts (stepper_plan.cpp)
  Where where(LoadAddr pc) const;
  bool has_line(const Where& here) const { return here.span && here.span->line.value != 0; }
  bool skipped(LoadAddr pc) const { return skipping_ && order_.skip(pc); }
  bool same_line(std::string_view file, Line line) const { return line == line_ && file == file_; }
  std::optional<std::uint64_t> cfa_of(const arch::GeneralRegisters& registers) const;
  bool same_frame(const arch::GeneralRegisters& registers) const;
  bool deeper_frame(const arch::GeneralRegisters& registers) const;
  static std::uint32_t levels_not_entered(const Where& here, LoadAddr pc);
  std::optional<std::size_t> level_in(const Where& here) const;
  std::span<const std::byte> code_at(LoadAddr at, std::span<std::byte> buffer) const;

  StepHost& host_;
  const image::Modules& modules_;
  bool active_ = false;
  bool skipping_ = false;  // order_.skip counts: the step did not begin in skipped code
  bool escapes_guarded_ = false;
  bool return_guarded_ = false;
  StepOrder order_;
  std::unordered_map<LoadAddr, Trap> traps_;
  std::vector<LoadRange> region_;
  bool calls_in_region_ = false;
  // The frame that is stepped: its CFA (nullopt: unknown code, then by rsp alone), and the level in it.
  std::optional<std::uint64_t> cfa_;
  std::uint64_t start_rsp_ = 0;
  sym::DieRef level_;     // none: no DWARF
  sym::DieRef function_;  // the concrete function
  LoadRange function_range_;
  std::string file_;
  Line line_;
  // Where the escapes are, as long as the modules are the same.
  std::vector<std::pair<LoadAddr, unsigned>> escapes_;
  std::vector<ModuleId> escapes_of_;
};

}  // namespace trapline::run
