#include "daemon/os/ptrace.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace trapline::os {
namespace {

static_assert(sizeof(arch::GeneralRegisters) == sizeof(user_regs_struct));
static_assert(offsetof(arch::GeneralRegisters, orig_rax) == offsetof(user_regs_struct, orig_rax));
static_assert(offsetof(arch::GeneralRegisters, rsp) == offsetof(user_regs_struct, rsp));
static_assert(offsetof(arch::GeneralRegisters, fs_base) == offsetof(user_regs_struct, fs_base));
static_assert(offsetof(arch::GeneralRegisters, gs) == offsetof(user_regs_struct, gs));

constexpr auto sigset_bytes = sizeof(std::uint64_t);  // the kernel's sigset_t, not glibc's 128 bytes

// ESRCH is news, not a bug: SIGKILL or an exec elsewhere can pull a thread out of its stop while we look at it. It is
// also what the kernel says where a tracee is alive but not in a stop.
std::unexpected<Error> fail_ptrace(std::string_view request, Tid tid, int err,
                                   std::source_location where = std::source_location::current()) {
  const auto code = err == ESRCH ? Errc::thread_gone : err == EPERM ? Errc::no_permission : Errc::os;
  const std::string_view meaning = err == ESRCH ? "the thread is gone, not ours, or not stopped" : std::strerror(err);
  return fail(code, fmt::format("ptrace {} on thread {}: {}", request, tid.value, meaning), err, where);
}

using Request = decltype(PTRACE_CONT);

// ptrace() is variadic: address and data are passed as full words, never as int (ptrace(2)).
Result<void> call(Request request, std::string_view name, Tid tid, const void* address, const void* data,
                  std::source_location where = std::source_location::current()) {
  if (::ptrace(request, tid.value, address, data) == -1) return fail_ptrace(name, tid, errno, where);
  return {};
}

const void* word(unsigned long value) { return reinterpret_cast<const void*>(value); }

const void* signal_word(int signal) { return word(static_cast<unsigned long>(signal)); }

unsigned long option_bits(unsigned options) {
  unsigned long bits = 0;
  if ((options & trace_clone) != 0) bits |= PTRACE_O_TRACECLONE;
  if ((options & trace_fork) != 0) bits |= PTRACE_O_TRACEFORK;
  if ((options & trace_vfork) != 0) bits |= PTRACE_O_TRACEVFORK;
  if ((options & trace_exec) != 0) bits |= PTRACE_O_TRACEEXEC;
  if ((options & trace_exit) != 0) bits |= PTRACE_O_TRACEEXIT;
  if ((options & exit_kill) != 0) bits |= PTRACE_O_EXITKILL;
  if ((options & trace_vfork_done) != 0) bits |= PTRACE_O_TRACEVFORKDONE;
  if ((options & trace_sysgood) != 0) bits |= PTRACE_O_TRACESYSGOOD;
  return bits;
}

// The size of a thread's XSAVE area is fixed per boot, but GETREGSET tells it only by how much it filled: a full buffer
// may hold a cut answer.
constexpr std::size_t first_xstate_guess = 4096;
constexpr std::size_t largest_xstate = std::size_t{1} << 20;

}  // namespace

Result<void> seize(const OnTracer&, Tid tid, unsigned options) {
  return call(PTRACE_SEIZE, "SEIZE", tid, nullptr, word(option_bits(options)));
}

Result<void> set_options(const OnTracer&, Tid tid, unsigned options) {
  return call(PTRACE_SETOPTIONS, "SETOPTIONS", tid, nullptr, word(option_bits(options)));
}

Result<void> interrupt(const OnTracer&, Tid tid) { return call(PTRACE_INTERRUPT, "INTERRUPT", tid, nullptr, nullptr); }

Result<void> resume(const OnTracer&, Tid tid, int deliver_signal) {
  return call(PTRACE_CONT, "CONT", tid, nullptr, signal_word(deliver_signal));
}

Result<void> single_step(const OnTracer&, Tid tid, int deliver_signal) {
  return call(PTRACE_SINGLESTEP, "SINGLESTEP", tid, nullptr, signal_word(deliver_signal));
}

Result<void> resume_to_syscall(const OnTracer&, Tid tid, int deliver_signal) {
  return call(PTRACE_SYSCALL, "SYSCALL", tid, nullptr, signal_word(deliver_signal));
}

Result<void> listen(const OnTracer&, Tid tid) { return call(PTRACE_LISTEN, "LISTEN", tid, nullptr, nullptr); }

Result<void> detach(const OnTracer&, Tid tid, int deliver_signal) {
  return call(PTRACE_DETACH, "DETACH", tid, nullptr, signal_word(deliver_signal));
}

Result<arch::GeneralRegisters> general_registers(const OnTracer&, Tid tid) {
  arch::GeneralRegisters regs;
  TL_TRY_VOID(call(PTRACE_GETREGS, "GETREGS", tid, nullptr, &regs));
  return regs;
}

Result<void> set_general_registers(const OnTracer&, Tid tid, const arch::GeneralRegisters& regs) {
  return call(PTRACE_SETREGS, "SETREGS", tid, nullptr, &regs);
}

Result<std::vector<std::byte>> xstate(const OnTracer&, Tid tid) {
  static std::size_t guess = first_xstate_guess;  // tracer thread only
  for (;;) {
    std::vector<std::byte> area(guess);
    iovec io{.iov_base = area.data(), .iov_len = area.size()};
    TL_TRY_VOID(call(PTRACE_GETREGSET, "GETREGSET (xstate)", tid, word(NT_X86_XSTATE), &io));
    if (io.iov_len < area.size() || guess >= largest_xstate) {
      area.resize(io.iov_len);
      return area;
    }
    guess *= 2;
  }
}

Result<void> set_xstate(const OnTracer&, Tid tid, std::span<const std::byte> area) {
  // The kernel takes the whole area or nothing (EFAULT), and refuses reserved bits in MXCSR and XSTATE_BV (EINVAL).
  iovec io{.iov_base = const_cast<std::byte*>(area.data()), .iov_len = area.size()};
  return call(PTRACE_SETREGSET, "SETREGSET (xstate)", tid, word(NT_X86_XSTATE), &io);
}

Result<std::uint64_t> peek_user(const OnTracer&, Tid tid, UserOffset at) {
  errno = 0;  // PEEK* returns the word itself, so -1 can be data: only errno tells (ptrace(2))
  const long value = ::ptrace(PTRACE_PEEKUSER, tid.value, word(at.value), nullptr);
  if (value == -1 && errno != 0) return fail_ptrace("PEEKUSER", tid, errno);
  return static_cast<std::uint64_t>(value);
}

Result<void> poke_user(const OnTracer&, Tid tid, UserOffset at, std::uint64_t value) {
  return call(PTRACE_POKEUSER, "POKEUSER", tid, word(at.value), word(value));
}

Result<siginfo_t> signal_info(const OnTracer&, Tid tid) {
  siginfo_t info{};
  TL_TRY_VOID(call(PTRACE_GETSIGINFO, "GETSIGINFO", tid, nullptr, &info));
  return info;
}

Result<void> set_signal_info(const OnTracer&, Tid tid, const siginfo_t& info) {
  return call(PTRACE_SETSIGINFO, "SETSIGINFO", tid, nullptr, &info);
}

Result<std::uint64_t> event_message(const OnTracer&, Tid tid) {
  unsigned long message = 0;
  TL_TRY_VOID(call(PTRACE_GETEVENTMSG, "GETEVENTMSG", tid, nullptr, &message));
  return message;
}

Result<bool> trap_pending(const OnTracer&, Tid tid) {
  std::array<siginfo_t, 8> infos;
  __ptrace_peeksiginfo_args which{.off = 0, .flags = 0, .nr = infos.size()};
  for (;;) {
    const long got = ::ptrace(PTRACE_PEEKSIGINFO, tid.value, &which, infos.data());
    if (got == -1) return fail_ptrace("PEEKSIGINFO", tid, errno);
    for (const auto& info : std::span(infos).first(static_cast<std::size_t>(got)))
      if (info.si_signo == SIGTRAP && info.si_code > 0) return true;
    if (static_cast<std::size_t>(got) < infos.size()) return false;
    which.off += static_cast<std::uint64_t>(got);
  }
}

Result<std::uint64_t> signal_mask(const OnTracer&, Tid tid) {
  std::uint64_t mask = 0;
  TL_TRY_VOID(call(PTRACE_GETSIGMASK, "GETSIGMASK", tid, word(sigset_bytes), &mask));
  return mask;
}

Result<std::uint64_t> rseq_area(const OnTracer&, Tid tid) {
  __ptrace_rseq_configuration now{};
  const long size = ::ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid.value, word(sizeof now), &now);
  if (size != -1) return now.rseq_abi_pointer;
  if (errno == EIO) return fail(Errc::unsupported, "the kernel does not tell about restartable sequences");
  return fail_ptrace("GET_RSEQ_CONFIGURATION", tid, errno);
}

Result<void> set_signal_mask(const OnTracer&, Tid tid, std::uint64_t mask) {
  return call(PTRACE_SETSIGMASK, "SETSIGMASK", tid, word(sigset_bytes), &mask);
}

}  // namespace trapline::os
