#include "daemon/os/memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trapline::os {
namespace {

// pread wins up to some pages; from here on process_vm_readv is about twice as fast (69 us against 131 a megabyte).
constexpr std::size_t bulk_read = std::size_t{128} << 10;

// pread takes a signed offset: the kernel's half of the address space is refused there with EINVAL, and is not ours.
bool user_half(LoadAddr at) { return at.value <= static_cast<std::uint64_t>(INT64_MAX); }

struct Moved {
  std::size_t bytes = 0;
  int stopped_by = 0;  // errno of the byte that could not be moved; 0: the address space is gone
};

template <class Move>
Moved move_all(LoadAddr at, std::size_t size, Move&& move) {
  Moved moved;
  while (moved.bytes < size) {
    const LoadAddr here = at + ByteCount{moved.bytes};
    if (!user_half(here)) return {moved.bytes, EIO};
    const ssize_t n = move(moved.bytes, static_cast<off_t>(here.value));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {moved.bytes, n < 0 ? errno : 0};
    moved.bytes += static_cast<std::size_t>(n);
  }
  return moved;
}

std::unexpected<Error> process_gone(Pid pid) {
  return fail(Errc::process_gone, fmt::format("process {} is gone, or runs another program now", pid.value), ESRCH);
}

}  // namespace

Result<ProcessMemory> ProcessMemory::open(Pid pid) {
  const std::string path = fmt::format("/proc/{}/mem", pid.value);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd >= 0) return ProcessMemory(pid, util::Fd(fd));
  const int err = errno;
  if (err == ENOENT || err == ESRCH)
    return fail(Errc::process_gone, fmt::format("process {} does not exist (any more)", pid.value), err);
  const auto code = err == EACCES || err == EPERM ? Errc::no_permission : Errc::os;
  return fail(code, fmt::format("cannot open {}: {}", path, std::strerror(err)), err);
}

std::size_t ProcessMemory::read_some(LoadAddr at, std::span<std::byte> out) const {
  std::size_t done = 0;
  if (out.size() >= bulk_read) {
    // Stops at a page it may not read (even where /proc/PID/mem may), so pread gets what is left.
    const iovec local{.iov_base = out.data(), .iov_len = out.size()};
    const iovec remote{.iov_base = reinterpret_cast<void*>(at.value), .iov_len = out.size()};
    char probe = 0;  // this descriptor names one address space for good; the pid may have a new one (exec)
    if (user_half(at) && ::pread(fd_.get(), &probe, 1, static_cast<off_t>(at.value)) == 1)
      done = static_cast<std::size_t>(std::max<ssize_t>(0, ::process_vm_readv(pid_.value, &local, 1, &remote, 1, 0)));
  }
  const auto rest = out.subspan(done);
  return done + move_all(at + ByteCount{done}, rest.size(), [&](std::size_t from, off_t offset) {
                  return ::pread(fd_.get(), rest.data() + from, rest.size() - from, offset);
                }).bytes;
}

Result<void> ProcessMemory::read(LoadAddr at, std::span<std::byte> out) const {
  const std::size_t got = read_some(at, out);
  if (got == out.size()) return {};
  // Ask again for the byte that failed: 0 bytes mean that the address space itself is gone.
  const LoadAddr missing = at + ByteCount{got};
  std::byte probe{};
  const ssize_t n = user_half(missing) ? ::pread(fd_.get(), &probe, 1, static_cast<off_t>(missing.value)) : -1;
  if (n == 0) return process_gone(pid_);
  return fail(Errc::bad_address, fmt::format("no readable memory at {:#x} in process {}", missing.value, pid_.value),
              EIO);
}

Result<void> ProcessMemory::write(LoadAddr at, std::span<const std::byte> bytes) {
  const Moved moved = move_all(at, bytes.size(), [&](std::size_t from, off_t offset) {
    return ::pwrite(fd_.get(), bytes.data() + from, bytes.size() - from, offset);
  });
  if (moved.bytes == bytes.size()) return {};
  if (moved.stopped_by == 0 || moved.stopped_by == ESRCH) return process_gone(pid_);
  const LoadAddr failed = at + ByteCount{moved.bytes};
  std::byte probe{};
  if (read_some(failed, std::span(&probe, 1)) == 1) {
    // Readable but not writable in spite of FOLL_FORCE: a shared read-only mapping, or a kernel that was told to
    // forbid it (proc_mem.force_override=never, Linux 6.12).
    return fail_hint(Errc::no_permission,
                     fmt::format("the kernel refused a write to {:#x} in process {}: {}", failed.value, pid_.value,
                                 std::strerror(moved.stopped_by)),
                     "A shared read-only mapping cannot be written; elsewhere look at the kernel parameter "
                     "proc_mem.force_override, which must allow it.");
  }
  return fail(Errc::bad_address, fmt::format("no memory at {:#x} in process {}", failed.value, pid_.value),
              moved.stopped_by);
}

Result<void> ProcessMemory::store_as_program(LoadAddr at, std::span<const std::byte> bytes) {
  const iovec local{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  const iovec remote{.iov_base = reinterpret_cast<void*>(at.value), .iov_len = bytes.size()};
  const ssize_t n = ::process_vm_writev(pid_.value, &local, 1, &remote, 1, 0);
  if (n == static_cast<ssize_t>(bytes.size())) return {};
  const int err = n < 0 ? errno : EFAULT;
  if (err == ESRCH) return process_gone(pid_);
  if (err == EFAULT)
    return fail(Errc::bad_address, fmt::format("process {} may not write at {:#x}", pid_.value, at.value), err);
  return fail(err == EPERM ? Errc::no_permission : Errc::os,
              fmt::format("cannot write at {:#x} in process {}: {}", at.value, pid_.value, std::strerror(err)), err);
}

}  // namespace trapline::os
