// NT_X86_XSTATE is read in any length but set only whole; a clear bit in XSTATE_BV means the initial state whatever the
// bytes say, so a new value needs its bit; reserved bits of MXCSR are refused. Bytes 464..471 are XCR0. Relied on by:
// os::xstate, arch (XSAVE area).
#include <elf.h>
#include <sys/uio.h>

#include <cstring>
#include <vector>

#include "tests/kernel/fact.hpp"

namespace {

std::vector<unsigned char> xstate(pid_t pid) {
  std::vector<unsigned char> area(65536);
  iovec io{.iov_base = area.data(), .iov_len = area.size()};
  expect(::ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io) == 0, "GETREGSET");
  area.resize(io.iov_len);
  return area;
}

bool set(pid_t pid, std::vector<unsigned char>& area, std::size_t size) {
  iovec io{.iov_base = area.data(), .iov_len = size};
  return ::ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io) == 0;
}

}  // namespace

int main() {
  const pid_t pid = child([] {
    for (;;) ::pause();
  });
  seize(pid);
  interrupt(pid);
  wait_of(pid);
  auto area = xstate(pid);
  expect(area.size() >= 576 && area.size() < 65536, "the kernel tells the size of the area");
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  expect(std::memcmp(area.data() + 464, &low, sizeof low) == 0, "XCR0 stands at byte 464");
  expect(!set(pid, area, area.size() - 8), "a part of the area is refused");
  constexpr std::size_t xmm3 = 160 + 3 * 16, bits = 512, mxcsr = 24;
  area[xmm3] = 0x5a;
  area[bits] &= static_cast<unsigned char>(~2U);
  expect(set(pid, area, area.size()) && xstate(pid)[xmm3] == 0, "without its bit the value is not taken");
  area[xmm3] = 0x5a;
  area[bits] |= 2;
  expect(set(pid, area, area.size()) && xstate(pid)[xmm3] == 0x5a, "with its bit it is");
  area[mxcsr + 2] = 0xff;
  expect(!set(pid, area, area.size()), "reserved bits of MXCSR are refused");
}
