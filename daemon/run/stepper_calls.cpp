// Where a call goes, and how a frame may be left without returning.
#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "daemon/run/stepper.hpp"
#include "daemon/trap/displaced.hpp"
#include "daemon/util/log.hpp"

namespace trapline::run {
namespace {

constexpr std::size_t longest_instruction = 15;
constexpr int most_stub_instructions = 12;
constexpr int most_thunk_instructions = 6;
constexpr int most_resolver_instructions = 400;
constexpr std::uint64_t word = 8;

Result<std::uint64_t> read_word(void* memory, LoadAddr at) {
  return static_cast<const util::Memory*>(memory)->get<std::uint64_t>(at);
}

// One instruction on a copy of the registers; stores are left out. nullopt: not one that can be foreseen.
std::optional<arch::GeneralRegisters> foresee(std::span<const std::byte> bytes, const arch::GeneralRegisters& registers,
                                              const util::Memory& memory) {
  // The callback takes a plain pointer; it only reads through it.
  const auto emulated = trap::emulate(bytes, registers, read_word, const_cast<util::Memory*>(&memory));
  if (!emulated || !*emulated) return std::nullopt;
  return (*emulated)->after;
}

}  // namespace

// At a call (or a tail call) in the stepped frame, for step-in: a trap where its function's body begins. Where the
// target is nothing to stop in, there is no trap, and the call is run through.
void Stepper::follow_call(const arch::GeneralRegisters& at_call) {
  std::array<std::byte, longest_instruction> buffer{};
  clear_roles(body | resolver_end);  // of an earlier call of this line
  if (const auto after = foresee(code_at({at_call.rip}, buffer), at_call, host_.code())) go_behind(*after);
}

// `at_target`: the registers at the first instruction of what was called, return address pushed.
void Stepper::go_behind(arch::GeneralRegisters at_target) {
  std::array<std::byte, longest_instruction> buffer{};
  constexpr int most_hops = 8;
  // The jump out of the resolver is still to be made.
  if (modules_.in_dynamic_loader({at_target.rip}))
    if (const auto after = foresee(code_at({at_target.rip}, buffer), at_target, host_.code())) at_target = *after;
  LoadAddr at{at_target.rip};
  for (int hop = 0; hop < most_hops; ++hop) {
    if (modules_.in_plt(at)) {
      at_target.rip = at.value;
      const auto behind = through_plt(at_target);
      if (!behind) return;
      at = *behind;
      if (modules_.in_dynamic_loader(at)) {
        // Not bound yet: the resolver ends in an indirect jump to the function.
        if (const auto jump = end_of_resolver(at)) set_trap(*jump, resolver_end);
        return;
      }
      continue;
    }
    if (has_line({.chain = {}, .span = modules_.line_span(at)})) return enter(at, at_target.rsp);
    const auto behind = through_thunk(at);
    if (!behind) return;
    at = *behind;
  }
}

void Stepper::enter(LoadAddr target_pc, std::uint64_t rsp_after_call) {
  if (skipped(target_pc)) return;
  const auto place = modules_.place(target_pc);
  const auto begin = place && place->function_begin.value != 0 ? place->function_begin : target_pc;
  const auto first = std::max(modules_.after_prologue(begin), target_pc);
  if (auto* trap = set_trap(first, body)) trap->body_cfa = rsp_after_call + word;
}

// Through `endbr64; jmp *GOT` and the lazy stub's pushes: where it comes out.
std::optional<LoadAddr> Stepper::through_plt(arch::GeneralRegisters registers) const {
  std::array<std::byte, longest_instruction> buffer{};
  for (int i = 0; i < most_stub_instructions; ++i) {
    const auto after = foresee(code_at({registers.rip}, buffer), registers, host_.code());
    if (!after) {
      // `push [GOT+8]` of PLT0 reads memory: for our purpose a push like any other.
      const auto decoded = trap::decode(code_at({registers.rip}, buffer), {registers.rip});
      if (!decoded || decoded->flow != trap::Flow::straight) return std::nullopt;
      registers.rip += decoded->size;
      registers.rsp -= word;
    } else {
      registers = *after;
    }
    if (!modules_.in_plt({registers.rip})) return LoadAddr{registers.rip};
  }
  return std::nullopt;
}

// A few instructions without lines and then a jump: `this` adjusted for a virtual call, or a veneer.
std::optional<LoadAddr> Stepper::through_thunk(LoadAddr at) const {
  std::array<std::byte, longest_instruction> buffer{};
  for (int i = 0; i < most_thunk_instructions; ++i) {
    const auto decoded = trap::decode(code_at(at, buffer), at);
    if (!decoded || decoded->size == 0) return std::nullopt;
    if (decoded->flow == trap::Flow::jump) return decoded->target;
    if (decoded->flow != trap::Flow::straight) return std::nullopt;
    at = at + ByteCount{decoded->size};
  }
  return std::nullopt;
}

// _dl_runtime_resolve (it has no symbol in a stripped ld.so): straight code, one call, and `jmp *%r11`.
std::optional<LoadAddr> Stepper::end_of_resolver(LoadAddr at) const {
  std::array<std::byte, longest_instruction> buffer{};
  for (int i = 0; i < most_resolver_instructions; ++i) {
    const auto decoded = trap::decode(code_at(at, buffer), at);
    if (!decoded || decoded->size == 0) return std::nullopt;
    if (decoded->flow == trap::Flow::jump && !decoded->target) return at;
    if (decoded->flow == trap::Flow::ret) return std::nullopt;
    at = at + ByteCount{decoded->size};
  }
  return std::nullopt;
}

// ---- escapes -------------------------------------------------------------------------------------------------------

void Stepper::guard_escapes() {
  if (std::exchange(escapes_guarded_, true)) return;
  std::vector<ModuleId> now;
  const auto all = modules_.all();
  for (const auto* module : all) now.push_back(module->id);
  if (now != escapes_of_) {
    escapes_of_ = std::move(now);
    escapes_.clear();
    constexpr std::array<std::pair<std::string_view, unsigned>, 5> names{{{"_Unwind_SetIP", unwinder},
                                                                          {"longjmp", jumper},
                                                                          {"_longjmp", jumper},
                                                                          {"siglongjmp", jumper},
                                                                          {"__longjmp_chk", jumper}}};
    for (const auto* module : all)
      for (const auto& [name, role] : names)
        for (const auto& symbol : module->symbols->symbols_named(name))
          if (symbol.function && symbol.address != 0)
            escapes_.emplace_back(LoadAddr{symbol.address + module->bias}, role);
  }
  for (const auto& [at, role] : escapes_) set_trap(at, role);
}

// _Unwind_SetIP(context, ip): a personality routine found a landing pad; it is entered when the frames below are gone.
void Stepper::note_landing_pad(const arch::GeneralRegisters& registers) {
  const LoadAddr pad{registers.rsi};
  if (modules_.find(pad) != nullptr) set_trap(pad, landing);
}

// longjmp(env, value). glibc: rsp and pc are words 6 and 7 of the buffer, xor'd with the pointer guard and rotated
// (sysdeps/unix/sysv/linux/x86_64/pointer_guard.h); others keep them plain.
void Stepper::note_longjmp(const arch::GeneralRegisters& registers) {
  constexpr std::uint64_t rsp_word = 6, pc_word = 7;
  constexpr std::uint64_t pointer_guard = 0x30;
  constexpr int rotation = 0x11;
  const auto& memory = host_.code();
  const auto rsp = memory.get<std::uint64_t>({registers.rdi + rsp_word * word});
  const auto pc = memory.get<std::uint64_t>({registers.rdi + pc_word * word});
  if (!rsp || !pc) return;
  if (const auto guard = memory.get<std::uint64_t>({registers.fs_base + pointer_guard})) {
    const LoadAddr to{std::rotr(*pc, rotation) ^ *guard};
    if (modules_.find(to) != nullptr) {
      if (auto* trap = set_trap(to, landing)) trap->landing_rsp = std::rotr(*rsp, rotation) ^ *guard;
      return;
    }
  }
  if (modules_.find(LoadAddr{*pc}) != nullptr) {
    if (auto* trap = set_trap({*pc}, landing)) trap->landing_rsp = *rsp;
    return;
  }
  log::debug("run", "a longjmp whose buffer cannot be read: the step ends where the frame returns");
}

}  // namespace trapline::run
