#include "tests/unit/trap/forms.hpp"

asm(R"(
  .section .rodata
  .intel_syntax noprefix
  .macro form text:vararg
1:
  \text
2:
  .skip 15-(2b-1b), 0x90
  .byte 2b-1b
  .endm
  .macro list name
  .globl trapline_\name\()_begin
trapline_\name\()_begin:
  .endm
  .macro list_end name
  .globl trapline_\name\()_end
trapline_\name\()_end:
  .endm

  list straight
  .irp op, add, or, adc, sbb, and, sub, xor, cmp, test
  form \op rax, rbx
  form \op r9d, 0x12345678
  form \op al, -3
  form \op byte ptr [rbx+8], cl
  form \op qword ptr [rip+0x1000], rdx
  form \op byte ptr [rip+0x1010], 0x5a
  form \op dword ptr [rip+0x1020], 0x12345678
  form \op word ptr [rip+0x1030], 0x1234
  .endr
  .irp cc, o, no, b, nb, z, nz, be, nbe, s, ns, p, np, l, nl, le, nle
  form set\cc byte ptr [rip+0x1000]
  form cmov\cc rax, qword ptr [rip+0x1008]
  form cmov\cc r8d, r9d
  .endr
  .irp op, rol, ror, rcl, rcr, shl, shr, sar
  form \op rax, 1
  form \op dword ptr [rip+0x1000], 3
  form \op qword ptr [rip+0x1008], cl
  form \op byte ptr [rsi], cl
  .endr
  .irp op, bt, bts, btr, btc
  form \op rax, rcx
  form \op dword ptr [rip+0x1000], 7
  form \op qword ptr [rbx], rcx
  .endr
  .irp op, neg, not, inc, dec
  form \op rdx
  form \op dword ptr [rip+0x1040]
  form \op byte ptr [rdi+rcx]
  .endr
  .irp op, bsf, bsr, popcnt
  form \op rax, qword ptr [rip+0x1000]
  .endr
  form mov rax, qword ptr [rip+0x1000]
  form mov qword ptr [rip+0x1000], r15
  form mov al, byte ptr [rip+0x1001]
  form mov word ptr [rip+0x1002], 0x1234
  form mov dword ptr [rip+0x1004], 0x12345678
  form mov qword ptr [rip+0x1008], -2
  form mov byte ptr [rip+0x1010], 7
  form mov rax, qword ptr [rbx+rcx*8+0x20]
  form mov r8, qword ptr [r12]
  form mov r9, qword ptr [r13]
  form mov qword ptr [rsp-8], rax
  form mov rax, qword ptr fs:[0]
  form movabs r10, 0x1122334455667788
  form movzx eax, byte ptr [rip+0x1000]
  form movzx r8d, word ptr [rip+0x1000]
  form movsx rax, byte ptr [rip+0x1000]
  form movsx ecx, word ptr [rip+0x1000]
  form movsxd rdx, dword ptr [rip+0x1000]
  form lea rax, [rip+0x1000]
  form lea eax, [rip+0x1000]
  form lea rcx, [rbx+rcx*4+0x7f]
  form xchg qword ptr [rip+0x1000], rax
  form xchg rax, r8
  form lock xadd qword ptr [rip+0x1000], rdx
  form lock cmpxchg qword ptr [rip+0x1000], r8
  form lock cmpxchg8b qword ptr [rip+0x1008]
  form lock inc dword ptr [rip+0x1000]
  form bswap rax
  form imul rax, rbx
  form imul rax, qword ptr [rip+0x1000]
  form imul rax, qword ptr [rip+0x1000], 0x12345
  form imul eax, dword ptr [rip+0x1000], 5
  form imul qword ptr [rip+0x1000]
  form mul dword ptr [rip+0x1000]
  form shld qword ptr [rip+0x1000], rax, 5
  form shrd dword ptr [rip+0x1000], eax, cl
  form push rax
  form push r12
  form push 0x12345678
  form push qword ptr [rip+0x1000]
  form push qword ptr [rsp+8]
  form pop rax
  form pop r13
  form pop qword ptr [rip+0x1000]
  form pop qword ptr [rsp+8]
  form pop rsp
  form push rsp
  form push ax
  form pop cx
  form pushfq
  form popfq
  form leave
  form enter 16, 0
  form cwde
  form cdqe
  form cqo
  form lahf
  form sahf
  form stc
  form clc
  form cmc
  form cld
  form std
  form xlatb
  form movsb
  form movsq
  form rep movsb
  form rep stosq
  form lodsd
  form repe cmpsb
  form repne scasb
  form nop
  form nop dword ptr [rax+rax*1+0]
  form endbr64
  form pause
  form prefetcht0 byte ptr [rip+0x1000]
  form lfence
  form movups xmm0, xmmword ptr [rip+0x1000]
  form movups xmmword ptr [rip+0x1001], xmm3
  form movaps xmm1, xmm2
  form movss xmm4, dword ptr [rip+0x1000]
  form movsd qword ptr [rip+0x1000], xmm5
  form movq rax, xmm6
  form addps xmm0, xmm1
  form addsd xmm7, qword ptr [rip+0x1000]
  form cvtsi2sd xmm8, qword ptr [rip+0x1000]
  form cvttsd2si rax, qword ptr [rip+0x1000]
  form ucomisd xmm0, qword ptr [rip+0x1000]
  form movdqu xmm15, xmmword ptr [rip+0x1003]
  form pinsrw xmm1, word ptr [rip+0x1000], 3
  form shufps xmm2, xmm3, 0x1b
  form pextrd dword ptr [rip+0x1000], xmm2, 1
  form pinsrq xmm3, qword ptr [rip+0x1000], 1
  form palignr xmm1, xmm2, 5
  form pcmpistri xmm1, xmm2, 0x0c
  form roundsd xmm1, qword ptr [rip+0x1000], 3
  form crc32 rax, qword ptr [rip+0x1000]
  form movbe rax, qword ptr [rip+0x1000]
  form fld qword ptr [rip+0x1000]
  form fild dword ptr [rip+0x1000]
  form fldpi
  form fld1
  form fnstcw word ptr [rip+0x1000]
  form fldcw word ptr [rsp+0x40]
  form stmxcsr dword ptr [rip+0x1000]
  list_end straight

  list avx2
  form vmovups xmm0, xmmword ptr [rip+0x1000]
  form vmovdqu ymm1, ymmword ptr [rip+0x1000]
  form vmovdqu ymmword ptr [rip+0x1000], ymm2
  form vaddps ymm3, ymm4, ymmword ptr [rip+0x1000]
  form vpshufd ymm5, ymmword ptr [rip+0x1000], 0x1b
  form vpermq ymm5, ymmword ptr [rip+0x1000], 0x1b
  form vinserti128 ymm6, ymm7, xmmword ptr [rip+0x1000], 1
  form vpblendvb ymm1, ymm2, ymmword ptr [rip+0x1000], ymm3
  form vfmadd231sd xmm1, xmm2, qword ptr [rip+0x1000]
  form vpbroadcastd ymm8, dword ptr [rip+0x1000]
  form andn rax, rbx, qword ptr [rip+0x1000]
  form bextr rax, qword ptr [rip+0x1000], rcx
  form bzhi rax, qword ptr [rip+0x1000], rcx
  form pdep rax, rbx, qword ptr [rip+0x1000]
  form rorx rax, qword ptr [rip+0x1000], 5
  form shlx rax, qword ptr [rip+0x1000], rcx
  form mulx rax, rdx, qword ptr [rip+0x1000]
  form tzcnt rax, qword ptr [rip+0x1000]
  form lzcnt eax, dword ptr [rip+0x1000]
  list_end avx2

  list avx512
  form vaddps zmm0, zmm1, zmmword ptr [rip+0x1000]
  form vmovdqu64 zmm16, zmmword ptr [rip+0x1000]
  form vmovdqu64 zmmword ptr [rip+0x1000], zmm2
  form vaddps zmm0{%k1}{z}, zmm1, dword ptr [rip+0x1000]{1to16}
  form vpternlogd xmm0, xmm1, xmmword ptr [rip+0x1000], 0x96
  form vpaddd xmm3, xmm4, dword ptr [rip+0x1000]{1to4}
  form kmovq k1, qword ptr [rip+0x1000]
  list_end avx512

  list leaving
  form ret
  form ret 16
  form jmp rax
  form jmp r11
  form jmp qword ptr [r12]
  form jmp qword ptr [rip+0x1002]
  form jmp qword ptr [r13+rcx*8+0x40]
  form jmp qword ptr [rsp+8]
  form notrack jmp rax
  list_end leaving

  list emulated
  .irp cc, o, no, b, nb, z, nz, be, nbe, s, ns, p, np, l, nl, le, nle
  form j\cc .+0x40
  form j\cc .+0x400
  form j\cc .-0x40
  .endr
  form jmp .+0x40
  form jmp .+0x400
  form jmp .-0x40
  .irp op, loop, loope, loopne, jrcxz, jecxz
  form \op .+0x40
  form \op .-0x40
  .endr
  form addr32 loop .+0x40
  form addr32 loopne .+0x40
  form call .+0x400
  form call .-0x40
  form call rax
  form call r11
  form call qword ptr [r12]
  form call qword ptr [rip+0x1002]
  form call qword ptr [r13+rcx*8+0x40]
  form call qword ptr [rsp]
  form call qword ptr [rsp+8]
  form notrack call rax
  form jmp rax
  form jmp r11
  form jmp qword ptr [r12]
  form jmp qword ptr [rip+0x1002]
  form jmp qword ptr [r13+rcx*8+0x40]
  form jmp qword ptr [rsp+8]
  form ret
  form ret 16
  form repz ret
  .irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  form push \reg
  form pop \reg
  form mov \reg, rax
  form mov r9, \reg
  form lea rax, [\reg+8]
  .endr
  form push 0x12345678
  form push -0x12345678
  form push 5
  form push -5
  form push qword ptr [rbx+3]
  form push qword ptr [rip+0x1000]
  form push qword ptr [rsp]
  form push qword ptr [rsp+8]
  form push qword ptr fs:[0]
  form leave
  form nop
  form xchg ax, ax
  form nop word ptr [rax]
  form nop dword ptr [rax+rax*1+0]
  form nop word ptr cs:[rax+rax*1+0x0]
  form pause
  form endbr64
  form lea rax, [rbx+rcx*8-0x12]
  form lea eax, [rbx+rcx*8-0x12]
  form lea ax, [rbx+rcx*8-0x12]
  form lea r10, [rip+0x1234]
  form lea r10d, [rip-0x1234]
  form lea rdx, [rdx*4+0x10]
  form lea rax, [eax+ecx*2+4]
  form lea eax, [eax-1]
  form .byte 0x64, 0x48, 0x8d, 0x03
  form lea rax, [0x12345678]
  form lea rsp, [rsp-128]
  form mov eax, ebx
  form mov r8d, r15d
  form mov edx, edx
  form mov eax, 0x87654321
  form mov r10d, 0xffffffff
  form mov rax, -1
  form mov r8, -0x12345678
  form movabs rax, 0x1122334455667788
  form movabs r15, 0xfedcba9876543210
  list_end emulated
  .att_syntax prefix
  .text
)");
