#pragma once
// Stepping by line: decides where a step ends; the machine runs the thread.
//
// A step does not walk instruction by instruction. The code of the line is decoded once, traps are set on its ways out
// (branches that leave it, its end, its return address), and the thread runs at full speed until it meets one *in the
// same frame*: the frame is told by its CFA, so that recursion through the same line is passed over. Where it comes out
// the question is asked again: the beginning of another line ends the step, the middle of one (a jump back) goes on to
// its end, as gdb has it; code without lines is run through. Calls need nothing for `over`; for `into` each call
// instruction is a trap too, whose target is looked at: through PLT stubs, through the dynamic linker's resolver (a trap
// on the indirect jump that ends it) and short thunks, to a function with line information.
// A call may also be left by an exception or a longjmp: _Unwind_SetIP tells every landing pad before it is entered
// (libgcc exports it for personality routines), longjmp's buffer tells its target (setjmp/../jmpbuf-offsets.h,
// mangled with the pointer guard at fs:0x30). Landing in a deeper frame is passed over, landing here or further out is
// the end.
// Inlined calls are levels at one pc: an inlined instance is one region for `over`, its first instruction is an entry
// for `into` (the report says how many levels were not entered yet), and `out` runs until the level is left.
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
    bool of_region = false;
  };
  struct Where {  // a place, as stepping sees it
    std::vector<image::InlineLevel> chain;
    std::optional<image::LineSpan> span;
  };

  // begin
  void start(StepOrder order, const arch::GeneralRegisters& registers);
  StepVerdict begin_over_or_into(const arch::GeneralRegisters& registers);
  Result<StepVerdict> begin_out(const arch::GeneralRegisters& registers);
  StepVerdict begin_instruction(const arch::GeneralRegisters& registers);

  // regions
  StepVerdict run_region(std::vector<LoadRange> ranges, const arch::GeneralRegisters& registers);
  bool plan_range(const LoadRange& range);
  void plan_jump(LoadAddr at, std::optional<LoadAddr> jump_target);
  void drop_region();
  bool in_region(LoadAddr at) const;
  bool same_function(LoadAddr at) const;

  // decisions
  StepVerdict arrived(const arch::GeneralRegisters& registers);
  StepVerdict arrived_at_level(const Where& here, std::size_t level, const arch::GeneralRegisters& registers);
  StepVerdict came_back(const arch::GeneralRegisters& registers);
  StepVerdict landed(const arch::GeneralRegisters& registers);
  StepVerdict go_through(const Where& here, const arch::GeneralRegisters& registers);
  StepVerdict done(LoadAddr pc);
  void guard_return(const arch::GeneralRegisters& registers);
  void guard_escapes();
  void follow_call(const arch::GeneralRegisters& at_call);
  void enter(LoadAddr target_pc, std::uint64_t rsp_after_call);
  std::optional<LoadAddr> behind_stub(LoadAddr at, const arch::GeneralRegisters& registers, LoadAddr* resolver) const;
  void note_longjmp(const arch::GeneralRegisters& registers);
  void note_landing_pad(const arch::GeneralRegisters& registers);

  // facts
  Where where(LoadAddr pc) const;
  bool stops_here(const Where& here, LoadAddr pc) const;
  std::optional<std::uint64_t> cfa_of(const arch::GeneralRegisters& registers) const;
  bool same_frame(const arch::GeneralRegisters& registers) const;
  bool deeper_frame(const arch::GeneralRegisters& registers) const;
  std::uint32_t levels_not_entered(const Where& here, LoadAddr pc) const;
  bool plant(LoadAddr at, unsigned roles, Trap** made = nullptr);

  StepHost& host_;
  const image::Modules& modules_;
  bool active_ = false;
  bool to_target_ = false;
  bool one_instruction_ = false;
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
};

}  // namespace trapline::run
