#include "daemon/run/shield.hpp"

#include <algorithm>
#include <utility>

#include "daemon/util/log.hpp"

// The handler. It is data to this program: copied into the debuggee, position independent, and never executed here.
// void handler(int, siginfo_t* rsi, ucontext_t* rdx); offsets are those of the kernel's x86-64 ABI
// (arch/x86/include/uapi/asm/sigcontext.h behind uc_flags, uc_link and uc_stack: rip 168, eflags 176).
asm(R"(
  .pushsection .rodata
  .balign 16
  .globl trapline_shield_begin, trapline_shield_restorer, trapline_shield_ranges, trapline_shield_end
trapline_shield_begin:
  movl 8(%rsi), %eax            # si_code
  decl %eax                     # TRAP_BRKPT, TRAP_TRACE (over a system call, and else): a step of ours was under way;
  cmpl $1, %eax                 # without TF it just goes on
  ja 1f
  andq $~0x100, 176(%rdx)
  ret
1: cmpl $3, %eax                # TRAP_HWBKPT: RF, or an execution breakpoint would hit again at once
  jne 2f
  orq $0x10000, 176(%rdx)
  ret
2: cmpl $0x7f, %eax             # SI_KERNEL: an int3
  jne 9f
  movq 168(%rdx), %rax          # behind the int3
  leaq -1(%rax), %rcx
  leaq trapline_shield_ranges(%rip), %r8
3: movq (%r8), %r9
  testq %r9, %r9
  jz 4f
  addq $16, %r8
  cmpq %r9, %rax
  jb 3b
  cmpq -8(%r8), %rax
  jae 3b
  ret                           # in a slot: the way back follows
4: leaq trapline_shield_begin(%rip), %r8
  addq $0x2000, %r8             # the table
  movq %rcx, %rdi               # first: is rip behind a site?
5: movabsq $0x9E3779B97F4A7C15, %r10
  imulq %rdi, %r10
  shrq $50, %r10                # 14 bits: 16384 entries
6: movq %r10, %r9
  shlq $4, %r9
  movq (%r8,%r9), %r11
  cmpq %rdi, %r11
  je 7f
  incq %r10
  andl $16383, %r10d
  testq %r11, %r11
  jnz 6b
  cmpq %rdi, %rax
  je 8f
  movq %rax, %rdi               # then: at one? The tracer had moved it, and died before it took the signal
  jmp 5b
7: movq 8(%r8,%r9), %r9
  movq %r9, 168(%rdx)
  cmpq %rdi, %r9
  jne 10f
  movl $24, %eax                # sched_yield
  syscall
10: ret
8: cmpb $0xCC, (%rcx)           # no site any more: whose trap was it?
  je 9f
  cmpw $0x03CD, -1(%rcx)        # the two-byte int3
  jne 10b
9: subq $40, %rsp               # not ours: the default action, now
  xorl %eax, %eax
  movq %rax, (%rsp)
  movq %rax, 8(%rsp)
  movq %rax, 16(%rsp)
  movq %rax, 24(%rsp)
  movl $13, %eax                # rt_sigaction(SIGTRAP, default)
  movl $5, %edi
  movq %rsp, %rsi
  xorl %edx, %edx
  movl $8, %r10d
  syscall
  movl $39, %eax                # getpid
  syscall
  movl %eax, %edi
  movl $186, %eax               # gettid
  syscall
  movl %eax, %esi
  movl $5, %edx
  movl $234, %eax               # tgkill
  syscall
  addq $40, %rsp
  ret
trapline_shield_restorer:
  movl $15, %eax                # rt_sigreturn
  syscall
  .balign 16
trapline_shield_ranges:
trapline_shield_end:
  .popsection
)");
extern "C" const std::byte trapline_shield_begin[], trapline_shield_restorer[], trapline_shield_end[];

namespace trapline::run {
namespace {

constexpr std::uint64_t table_offset = 0x2000;
constexpr std::uint64_t actions_offset = 0x1000;  // ours, then the default one
constexpr std::uint64_t sa_siginfo = 4, sa_restorer = 0x04000000, sa_onstack = 0x08000000, sa_restart = 0x10000000,
                        sa_nodefer = 0x40000000;

std::span<const std::byte> code() { return {trapline_shield_begin, trapline_shield_end}; }
std::uint64_t ranges_offset() { return static_cast<std::uint64_t>(trapline_shield_end - trapline_shield_begin); }
std::uint64_t restorer_offset() { return static_cast<std::uint64_t>(trapline_shield_restorer - trapline_shield_begin); }

std::uint32_t home_of(LoadAddr site) { return static_cast<std::uint32_t>(site.value * 0x9E3779B97F4A7C15ULL >> 50); }

}  // namespace

Result<void> Shield::put(std::uint64_t offset, std::span<const std::uint64_t> words) {
  return memory_.write_raw(*base_ + ByteCount{offset}, std::as_bytes(words));
}

Result<void> Shield::fill(LoadAddr base) {
  TL_ASSERT(code().size() + most_ranges * 16 + 16 <= actions_offset);
  static_assert(table_offset + capacity * 16 == region_size);
  // NODEFER: a handler of the program's that interrupts ours may meet a site, too.
  const KernelAction ours{base.value, sa_siginfo | sa_restorer | sa_onstack | sa_restart | sa_nodefer,
                          base.value + restorer_offset(), 0};
  TL_TRY_VOID(memory_.write_raw(base, code()));
  return memory_.write_raw(base + ByteCount{actions_offset}, std::as_bytes(std::span(ours)));
}

std::optional<LoadAddr> Shield::earlier(LoadAddr handler) {
  std::vector<std::byte> there(code().size());
  if (!memory_.read_raw(handler, there) || !std::ranges::equal(there, code())) return std::nullopt;
  constexpr std::uint64_t page = 4096;
  const std::vector<std::byte> empty(page);
  there.resize(page);
  for (auto at = ranges_offset(); at < region_size; at += page - at % page) {
    const auto size = page - at % page;
    if (at >= actions_offset && at < table_offset) continue;
    const auto part = std::span(there).first(size);
    const auto zeros = std::span(empty).first(size);
    if (!memory_.read_raw(handler + ByteCount{at}, part)) return std::nullopt;
    if (!std::ranges::equal(part, zeros) && !memory_.write_raw(handler + ByteCount{at}, zeros)) return std::nullopt;
  }
  return handler;
}

LoadAddr Shield::our_action(LoadAddr base) const { return base + ByteCount{actions_offset}; }
LoadAddr Shield::default_action(LoadAddr base) const { return base + ByteCount{actions_offset + sizeof(KernelAction)}; }

void Shield::guard(LoadAddr site, LoadAddr go_on) {
  if (!base_) return;
  if (const auto known = used_.find(site); known != used_.end()) {
    const std::uint64_t to = go_on.value;
    static_cast<void>(put(table_offset + known->second * 16ULL + 8, std::span(&to, 1)));
    return;
  }
  if (used_.size() >= capacity - 1) {
    if (!std::exchange(full_told_, true))
      log::warn("run", "more than {} sites: the program does not survive a kill of the debugger at the others",
                used_.size());
    return;
  }
  auto place = home_of(site);
  while (taken_[place]) place = (place + 1) % capacity;
  const std::array<std::uint64_t, 2> entry{site.value, go_on.value};
  if (!put(table_offset + place * 16ULL, entry)) return;
  taken_[place] = true;
  used_.emplace(site, place);
}

void Shield::add_slots(LoadRange slots) {
  if (!base_ || ranges_ >= most_ranges) return;
  const std::array<std::uint64_t, 2> range{slots.begin.value, slots.end.value};
  if (put(ranges_offset() + ranges_ * 16, range)) ++ranges_;
}

void Shield::forget_all() {
  if (!base_) return;
  const std::array<std::uint64_t, 2> empty{};
  for (const auto& [site, place] : used_) static_cast<void>(put(table_offset + place * 16ULL, empty));
  used_.clear();
  taken_.assign(capacity, false);
  ranges_ = 0;
}

void Shield::gone() {
  base_.reset();
  used_.clear();
  taken_.assign(capacity, false);
  ranges_ = 0;
}

}  // namespace trapline::run
