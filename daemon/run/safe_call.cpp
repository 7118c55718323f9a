#include "daemon/run/safe_call.hpp"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "daemon/os/ptrace.hpp"
#include "daemon/run/remote_call.hpp"

namespace trapline::run {
namespace {

constexpr std::uint64_t all_but_sigtrap = ~(std::uint64_t{1} << (SIGTRAP - 1));
constexpr std::uint64_t red_zone = 128;
constexpr std::uint64_t syscall_size = 2;
constexpr std::string_view call_code{"\x0f\x05\xc3", 3};
constexpr std::string_view sigreturn_code{"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9};

// The kernel's struct rt_sigframe without its siginfo, which rt_sigreturn does not read (asm/sigframe.h,
// uapi/asm/sigcontext.h).
struct SignalFrame {
  std::uint64_t sigreturn;  // where `ret` goes
  std::uint64_t flags;
  std::uint64_t link;
  struct {
    std::uint64_t base;
    std::int32_t flags;
    std::uint32_t pad;
    std::uint64_t size;
  } stack;
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t err, trapno, oldmask, cr2;
  std::uint64_t fpstate;
  std::uint64_t reserved[8];
  std::uint64_t mask;
};
static_assert(offsetof(SignalFrame, rip) == 8 + 168 && offsetof(SignalFrame, mask) == 8 + 296);

constexpr std::uint64_t uc_fp_xstate = 1, uc_sigcontext_ss = 2, uc_strict_restore_ss = 4;
constexpr std::int32_t no_such_stack = 0x7f;  // sigaltstack() refuses it, and so the thread keeps its own

constexpr std::uint64_t sys_restart_syscall = 219;

// An interrupted call, as the kernel would make it again (arch_do_signal_or_restart()): rt_sigreturn restarts nothing.
void make_it_again(arch::GeneralRegisters& regs) {
  const auto answer = static_cast<std::int64_t>(regs.rax);
  if (static_cast<std::int64_t>(regs.orig_rax) < 0) return;
  if (answer == -512 || answer == -513 || answer == -514)  // ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND
    regs.rax = regs.orig_rax;
  else if (answer == -516)  // ERESTART_RESTARTBLOCK
    regs.rax = sys_restart_syscall;
  else
    return;
  regs.rip -= syscall_size;
}

// The vector state as a signal frame has it: the format of XSAVE with the software's words in the legacy area's spare
// bytes (struct _fpx_sw_bytes) and a second magic number at the end.
std::vector<std::byte> as_in_frame(std::vector<std::byte> xstate) {
  constexpr std::size_t software_words = 464;
  constexpr std::uint32_t magic_1 = 0x46505853, magic_2 = 0x46505845;
  const auto size = static_cast<std::uint32_t>(xstate.size());
  std::uint64_t features = 0;  // the regset keeps XCR0 in the same place
  std::memcpy(&features, xstate.data() + software_words, sizeof features);
  const std::uint32_t extended = size + sizeof magic_2;
  std::memcpy(xstate.data() + software_words, &magic_1, 4);
  std::memcpy(xstate.data() + software_words + 4, &extended, 4);
  std::memcpy(xstate.data() + software_words + 8, &features, 8);
  std::memcpy(xstate.data() + software_words + 16, &size, 4);
  const auto tail = std::as_bytes(std::span(&magic_2, 1));
  xstate.insert(xstate.end(), tail.begin(), tail.end());
  return xstate;
}

SignalFrame frame_of(const arch::GeneralRegisters& registers, std::uint64_t mask, const WayBack& way,
                     LoadAddr fpstate) {
  auto regs = registers;
  make_it_again(regs);
  SignalFrame frame{};
  frame.sigreturn = way.sigreturn.value;
  frame.flags = uc_fp_xstate | uc_sigcontext_ss | uc_strict_restore_ss;
  frame.stack.flags = no_such_stack;
  frame.r8 = regs.r8, frame.r9 = regs.r9, frame.r10 = regs.r10, frame.r11 = regs.r11;
  frame.r12 = regs.r12, frame.r13 = regs.r13, frame.r14 = regs.r14, frame.r15 = regs.r15;
  frame.rdi = regs.rdi, frame.rsi = regs.rsi, frame.rbp = regs.rbp, frame.rbx = regs.rbx;
  frame.rdx = regs.rdx, frame.rax = regs.rax, frame.rcx = regs.rcx, frame.rsp = regs.rsp;
  frame.rip = regs.rip, frame.eflags = regs.eflags;
  frame.cs = static_cast<std::uint16_t>(regs.cs), frame.ss = static_cast<std::uint16_t>(regs.ss);
  frame.fpstate = fpstate.value;
  frame.mask = mask;
  return frame;
}

// True at the exit of the system call; before it, and at a stop for another reason, the thread is to go on to it.
Result<bool> left_the_call(const os::OnTracer& tracer, Tid tid, LoadAddr call) {
  constexpr std::uint64_t exit_message = 2;  // PTRACE_EVENTMSG_SYSCALL_EXIT
  TL_TRY(const auto regs, os::general_registers(tracer, tid));
  if (regs.rip != call.value + syscall_size) return false;
  TL_TRY(const auto info, os::signal_info(tracer, tid));
  if (info.si_signo != SIGTRAP || (info.si_code != SIGTRAP && info.si_code != (SIGTRAP | 0x80))) return false;
  TL_TRY(const auto message, os::event_message(tracer, tid));
  return message == exit_message;
}

Result<std::int64_t> run_to_exit(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, LoadAddr call) {
  StopsInCall stops(waiter, tid);
  TL_TRY_VOID(os::resume_to_syscall(tracer, tid, 0));
  for (;;) {
    TL_TRY_VOID(stops.next());
    TL_TRY(const bool left, left_the_call(tracer, tid, call));
    if (left) {
      TL_TRY(const auto regs, os::general_registers(tracer, tid));
      stops.over();
      return static_cast<std::int64_t>(regs.rax);
    }
    TL_TRY_VOID(os::resume_to_syscall(tracer, tid, 0));
  }
}

}  // namespace

std::optional<WayBack> find_way_back(std::span<const os::Mapping> maps, const LiveMemory& memory) {
  constexpr std::size_t chunk = 64U << 10;
  std::optional<LoadAddr> call;
  std::optional<LoadAddr> sigreturn;
  constexpr std::size_t window = chunk + sigreturn_code.size();  // an instruction may lie over the end of a chunk
  const auto code = std::make_unique_for_overwrite<std::byte[]>(window);
  const auto look = [&](const os::Mapping& map) {
    for (auto at = map.range.begin; at < map.range.end && !(call && sigreturn); at = at + ByteCount{chunk}) {
      const auto wanted = std::min<std::uint64_t>(window, (map.range.end - at).value);
      const auto have = memory.read_some(at, std::span(code.get(), wanted));
      const auto find = [&](std::string_view what) -> std::optional<LoadAddr> {
        const void* found = ::memmem(code.get(), have, what.data(), what.size());
        if (found == nullptr) return std::nullopt;
        return at + ByteCount{static_cast<std::uint64_t>(static_cast<const std::byte*>(found) - code.get())};
      };
      if (!call) call = find(call_code);
      if (!sigreturn) sigreturn = find(sigreturn_code);
    }
  };
  // The C library first; of a static program it is in the program.
  for (const bool library : {true, false})
    for (const auto& map : maps)
      if (map.executable && map.path.starts_with('/') && (map.path.find("libc") != std::string::npos) == library)
        look(map);
  if (!call || !sigreturn) return std::nullopt;
  return WayBack{.call = *call, .sigreturn = *sigreturn};
}

// The frame, and above it, at 64 bytes' alignment, the vector state.
WayBackFrame way_back_below(LoadAddr top, const arch::GeneralRegisters& registers, std::uint64_t mask,
                            std::vector<std::byte> xstate, const WayBack& way) {
  const auto vector = as_in_frame(std::move(xstate));
  const LoadAddr fpstate{(top.value - vector.size()) & ~std::uint64_t{63}};
  const LoadAddr at{(fpstate.value - sizeof(SignalFrame)) & ~std::uint64_t{15}};
  const auto frame = frame_of(registers, mask, way, fpstate);
  std::vector<std::byte> bytes((fpstate - at).value);
  std::memcpy(bytes.data(), &frame, sizeof frame);
  bytes.insert(bytes.end(), vector.begin(), vector.end());
  return {at, std::move(bytes)};
}

Result<Borrowed> set_out(const os::OnTracer& tracer, Tid tid, LiveMemory& memory, const WayBack& way,
                         std::int64_t number, std::span<const std::uint64_t, 6> arguments) {
  Borrowed borrowed;
  TL_TRY(borrowed.registers, os::general_registers(tracer, tid));
  TL_TRY(borrowed.mask, os::signal_mask(tracer, tid));
  TL_TRY(auto xstate, os::xstate(tracer, tid));
  const LoadAddr top{borrowed.registers.rsp - red_zone - scratch_size};
  const auto [at, bytes] = way_back_below(top, borrowed.registers, borrowed.mask, std::move(xstate), way);
  borrowed.frame = at;
  borrowed.under_frame.resize(bytes.size());
  TL_TRY_VOID(memory.read_raw(borrowed.frame, borrowed.under_frame));
  TL_TRY_VOID(memory.write_raw(borrowed.frame, bytes));

  auto regs = borrowed.registers;
  regs.rip = way.call.value;
  regs.rsp = borrowed.frame.value;
  regs.rax = static_cast<std::uint64_t>(number);
  regs.orig_rax = ~std::uint64_t{0};  // no restart logic of the call that the thread may stand in
  regs.rdi = arguments[0], regs.rsi = arguments[1], regs.rdx = arguments[2];
  regs.r10 = arguments[3], regs.r8 = arguments[4], regs.r9 = arguments[5];
  if (auto set = os::set_general_registers(tracer, tid, regs); !set) return std::unexpected(set.error());
  return borrowed;
}

Result<std::int64_t> come_back(const os::OnTracer& tracer, os::Waiter& waiter, Tid tid, LiveMemory& memory,
                               const WayBack& way, const Borrowed& borrowed) {
  // The mask after the registers, and back before them: the frame has the right one in between.
  auto answer = os::set_signal_mask(tracer, tid, all_but_sigtrap)
                    ? run_to_exit(tracer, waiter, tid, way.call)
                    : Result<std::int64_t>(fail(Errc::thread_gone, fmt::format("thread {} is gone", tid.value)));
  const auto unmasked = os::set_signal_mask(tracer, tid, borrowed.mask);
  const auto back = os::set_general_registers(tracer, tid, borrowed.registers);
  if (back) static_cast<void>(memory.write_raw(borrowed.frame, borrowed.under_frame));
  if (answer && !back) return std::unexpected(back.error());
  if (answer && !unmasked) return std::unexpected(unmasked.error());
  return answer;
}

}  // namespace trapline::run
