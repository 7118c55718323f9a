#include "daemon/run/syscall_restart.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/os/dispositions.hpp"

namespace trapline::run {
namespace {

// Calls that give EINTR after a stop, and have done nothing when they do. Not close and not connect: those are not to
// be made twice. Socket calls and read/write are here for sockets with a timeout (SO_RCVTIMEO).
constexpr std::array restartable{
    SYS_epoll_wait,   SYS_epoll_pwait,   SYS_epoll_pwait2,   SYS_rt_sigtimedwait, SYS_semop,    SYS_semtimedop,
    SYS_io_getevents, SYS_io_pgetevents, SYS_io_uring_enter, SYS_accept,          SYS_accept4,  SYS_recvfrom,
    SYS_recvmsg,      SYS_recvmmsg,      SYS_sendto,         SYS_sendmsg,         SYS_sendmmsg, SYS_read,
    SYS_readv,        SYS_write,         SYS_writev,         SYS_getrandom,
};

// Kernel-internal, include/linux/errno.h; seen by tracers only.
constexpr std::int64_t erestartsys = 512;
constexpr std::int64_t erestartnointr = 513;
constexpr std::int64_t erestartnohand = 514;
constexpr std::int64_t erestart_restartblock = 516;

constexpr std::uint64_t syscall_size = 2;
constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::uint32_t first_cookie = 0x7261b001;

}  // namespace

bool kernel_will_restart(const arch::GeneralRegisters& regs) {
  if (static_cast<std::int64_t>(regs.orig_rax) < 0) return false;
  const auto code = -static_cast<std::int64_t>(regs.rax);
  return code == erestartsys || code == erestartnointr || code == erestartnohand || code == erestart_restartblock;
}

bool returned_eintr(const arch::GeneralRegisters& regs) {
  return static_cast<std::int64_t>(regs.orig_rax) >= 0 && static_cast<std::int64_t>(regs.rax) == -EINTR &&
         std::ranges::find(restartable, static_cast<long>(regs.orig_rax)) != restartable.end();
}

void restart(arch::GeneralRegisters& regs, RestartMark& mark, std::int64_t now_ns) {
  const auto number = regs.orig_rax;
  const auto timeout = static_cast<std::int32_t>(regs.r10);
  if ((number == SYS_epoll_wait || number == SYS_epoll_pwait) && timeout > 0) {
    const auto upper = static_cast<std::uint32_t>(regs.r10 >> 32);
    std::int64_t left = timeout;
    if (mark.cookie != 0 && upper == mark.cookie) {
      left -= (now_ns - mark.began_ns) / ns_per_ms;
      left = std::max<std::int64_t>(left, 0);  // 0: one last look, then it returns 0 as a timeout does
    } else {
      mark.cookie = mark.cookie == 0 ? first_cookie : mark.cookie + 1;
    }
    mark.began_ns = now_ns;
    regs.r10 = std::uint64_t{mark.cookie} << 32 | static_cast<std::uint32_t>(left);
  }
  regs.rip -= syscall_size;
  regs.rax = number;
  regs.orig_rax = ~std::uint64_t{0};
}

SignalState signal_state(Tid tid) {
  const auto now = os::dispositions(tid);
  if (!now) return {};
  return {.due = now->pending & ~now->blocked, .caught = now->caught};
}

}  // namespace trapline::run
