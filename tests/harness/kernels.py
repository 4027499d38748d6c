"""Right and wrong rewrites of the functions in kernels.s, in the canonical form of regions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["KERNELS", "Kernel", "lines_of"]


@dataclass(frozen=True)
class Kernel:
    """``wide``: bytes of the vector registers that a variant needs, where more than SSE2's 16."""

    right: Mapping[str, str]
    wrong: Mapping[str, str]
    wide: Mapping[str, int] = field(default_factory=dict)


def lines_of(text: str) -> list[str]:
    return textwrap.dedent(text).strip().splitlines()


_SUM = """
    L0:
        movslq  %esi, %rsi
        xorl    %eax, %eax
        leaq    (%rdi,%rsi,4), %rdx
        movq    %rdx, %rcx
        subq    %rdi, %rcx
        andq    $-16, %rcx
        je      L3
        addq    %rdi, %rcx
        pxor    %xmm0, %xmm0
    L1:
        movdqu  (%rdi), %xmm1
        paddd   %xmm1, %xmm0
        addq    $16, %rdi
        cmpq    %rcx, %rdi
        jne     L1
        movdqa  %xmm0, %xmm1
        psrldq  $8, %xmm1
        paddd   %xmm1, %xmm0
        movdqa  %xmm0, %xmm1
        psrldq  $4, %xmm1
        paddd   %xmm1, %xmm0
        movd    %xmm0, %eax
    L3:
        cmpq    %rdx, %rdi
        je      X0
        addl    (%rdi), %eax
        addq    $4, %rdi
        jmp     L3
"""
_WIDE_SUM = """
    L0:
        movslq  %esi, %rsi
        leaq    (%rdi,%rsi,4), %rdx
        vpxor   %xmm0, %xmm0, %xmm0
    L1:
        leaq    32(%rdi), %rcx
        cmpq    %rdx, %rcx
        ja      L2
        vpaddd  (%rdi), %ymm0, %ymm0
        movq    %rcx, %rdi
        jmp     L1
    L2:
        vextracti128 $1, %ymm0, %xmm1
        vpaddd  %xmm1, %xmm0, %xmm0
        vpshufd $14, %xmm0, %xmm1
        vpaddd  %xmm1, %xmm0, %xmm0
        vpshufd $1, %xmm0, %xmm1
        vpaddd  %xmm1, %xmm0, %xmm0
        vmovd   %xmm0, %eax
        vzeroupper
    L3:
        cmpq    %rdx, %rdi
        jae     X0
        addl    (%rdi), %eax
        addq    $4, %rdi
        jmp     L3
"""
_CONSTANT_SUM = _SUM.replace("paddd   %xmm1, %xmm0\n        addq", "pmaddwd D0(%rip), %xmm1\naddq")
_FIND = """
    L0:
        cmpb    %sil, (%rax)
        je      X1
        leaq    1(%rax), %rax
        cmpq    %rax, %rdx
        jne     L0
        jmp     X0
"""
_COPY = """
    L0:
        movslq  %edx, %rcx
        nop
        rep movsb
"""
_COPY_BY_EIGHT = """
    L0:
        movslq  %edx, %rdx
        xorl    %eax, %eax
    L1:
        leaq    8(%rax), %rcx
        cmpq    %rdx, %rcx
        ja      L2
        movq    (%rsi,%rax), %r8
        movq    %r8, (%rdi,%rax)
        movq    %rcx, %rax
        jmp     L1
    L2:
        cmpq    %rax, %rdx
        je      X0
        movzbl  (%rsi,%rax), %ecx
        movb    %cl, (%rdi,%rax)
        addq    $1, %rax
        jmp     L2
"""
_COPY_BACKWARDS = """
    L0:
        movslq  %edx, %rcx
    L1:
        movzbl  -1(%rsi,%rcx), %eax
        movb    %al, -1(%rdi,%rcx)
        subq    $1, %rcx
        jne     L1
"""
_GCD = """
    L0:
        movl    %edx, %ecx
        xorl    %edx, %edx
        divl    %ecx
        testl   %edx, %edx
        je      L1
        movl    %edx, %r9d
        movl    %ecx, %eax
        movl    %r9d, %edx
        jmp     L0
    L1:
        nop
"""
_DIGITS = """
    L0:
        movl    $10, %r9d
    L1:
        movl    %edi, %eax
        xorl    %edx, %edx
        divl    %r9d
        addl    %edx, %ecx
        movl    %eax, %edi
        testl   %eax, %eax
        jne     L1
"""
_CELL = """
    L0:
        movslq  %edx, %rdx
        movslq  %r8d, %r8
        leaq    (%rdi,%r8,4), %rsi
        shlq    $2, %rdx
        xorl    %edi, %edi
    L1:
        addl    (%rsi), %edi
        addq    %rdx, %rsi
        subl    $1, %r10d
        jne     L1
"""
_REVERSE = """
    L1:
        movb    (%rdi), %al
        movb    (%rsi), %dl
        movb    %dl, (%rdi)
        movb    %al, (%rsi)
        leaq    1(%rdi), %rdi
        leaq    -1(%rsi), %rsi
    L0:
        cmpq    %rsi, %rdi
        jb      L1
"""
_LENGTH = """
    L0:
        leaq    1(%rax), %rax
        movzbl  (%rdi,%rax), %edx
        testl   %edx, %edx
        jne     L0
        nop
"""
_LARGEST = """
    L0:
        leal    -2(%rsi), %ecx
        leaq    4(%rdi), %rax
        leaq    8(%rdi,%rcx,4), %rsi
    L1:
        cmpl    (%rax), %edx
        jge     L2
        movl    (%rax), %edx
    L2:
        addq    $4, %rax
        cmpq    %rsi, %rax
        jne     L1
"""
_SATURATE = """
        addl    %esi, %edi
        sbbl    %eax, %eax
        orl     %edi, %eax
"""
_POPCOUNT = """
        popcntl %edi, %edx
        addl    %edx, %eax
"""
_KERNIGHAN = """
    L0:
        leal    -1(%rdi), %edx
        addl    $1, %eax
        andl    %edx, %edi
        jne     L0
"""
_ABSOLUTE = """
        movl    %edi, %eax
        sarl    $31, %eax
        xorl    %eax, %edi
        subl    %eax, %edi
        movl    %edi, %eax
"""

KERNELS: Mapping[str, Kernel] = {
    "popcount": Kernel(
        {"popcnt": _POPCOUNT, "clear the lowest bit": _KERNIGHAN},
        {
            "off by one": _POPCOUNT + "addl $1, %eax",
            "not added": _POPCOUNT.replace("addl ", "movl "),
            "too wide": _POPCOUNT.replace("popcntl %edi, %edx", "popcntq %rdi, %rdx"),
            "wrong register": _POPCOUNT.replace("edi", "esi"),
            "low half": "movzwl %di, %edi\n" + _POPCOUNT.strip(),
            "endless": _KERNIGHAN.replace("andl    %edx, %edi", "testl   %edi, %edi"),
            "clobbers rbx": _POPCOUNT.replace("edx", "ebx"),
            "clobbers rbp": _POPCOUNT + "movl %esp, %ebp",
        },
    ),
    "absolute": Kernel(
        {"shift": _ABSOLUTE},
        {
            "unsigned shift": _ABSOLUTE.replace("sarl", "shrl"),
            "wide compare": "movl %edi, %eax\nnegl %eax\ntestq %rdi, %rdi\ncmovns %edi, %eax",
            "identity": "movl %edi, %eax",
        },
    ),
    "largest": Kernel(
        {"branchy": _LARGEST},
        {
            "unsigned": _LARGEST.replace("jge", "jae"),
            "smallest": _LARGEST.replace("jge", "jle"),
            "last one missing": _LARGEST.replace("8(%rdi,%rcx,4)", "4(%rdi,%rcx,4)"),
            "one more": _LARGEST.replace("8(%rdi,%rcx,4)", "12(%rdi,%rcx,4)"),
        },
    ),
    "sum": Kernel(
        {"sse2": _SUM, "avx2": _WIDE_SUM},
        {
            "no tail": _SUM.replace("addl    (%rdi), %eax", "nop"),
            "lane lost": _SUM.replace("psrldq  $4", "psrldq  $8"),
            "aligned loads": _SUM.replace("movdqu", "movdqa"),
            "reads on": _SUM.replace("andq    $-16", "addq $15, %rcx\nandq $-16"),
            "looks behind the end": _SUM.replace("L3:", "L3:\n movl (%rdx), %r8d"),
            "one byte over": _SUM.replace(
                "addl    (%rdi), %eax", "addl (%rdi), %eax\nmovl 1(%rdi), %r8d"
            ),
            "words": _SUM.replace(
                "paddd   %xmm1, %xmm0\n        addq", "paddw %xmm1, %xmm0\n addq"
            ),
            "wide, no tail": _WIDE_SUM.replace("ja      L2", "ja      X0"),
            "wrong constant": _CONSTANT_SUM + "D0:\n.quad 1, 2\n",
        },
        {"avx2": 32, "wide, no tail": 32},
    ),
    "length": Kernel(
        {"load first": _LENGTH},
        {
            "off by one": _LENGTH.replace("nop", "subq $1, %rax"),
            "looks ahead": _LENGTH.replace("movzbl", "movzwl"),
            "wrong end": _LENGTH.replace("testl   %edx, %edx", "cmpl $10, %edx"),
            "narrow counter": _LENGTH.replace("leaq    1(%rax), %rax", "addb $1, %al"),
        },
    ),
    "find": Kernel(
        {"straight": _FIND},
        {
            "exits swapped": _FIND.replace("X1", "X9").replace("X0", "X1").replace("X9", "X0"),
            "one ahead": _FIND.replace("(%rax)\n", "1(%rax)\n", 1),
            "wide": _FIND.replace("cmpb    %sil", "cmpw    %si"),
            "last one missing": _FIND.replace("cmpq    %rax", "leaq 1(%rax), %rcx\ncmpq %rcx"),
        },
    ),
    "reverse": Kernel(
        {"byte registers": _REVERSE},
        {
            "no swap": _REVERSE.replace("movb    %al, (%rsi)", "movb    %dl, (%rsi)"),
            "unequal": _REVERSE.replace("jb ", "jne"),
            "stays": _REVERSE.replace("leaq    -1(%rsi), %rsi", "nop"),
        },
    ),
    "saturate": Kernel(
        {"sbb": _SATURATE},
        {
            "signed": _SATURATE.replace(
                "sbbl    %eax, %eax", "seto %al\nmovzbl %al,%eax\nnegl %eax"
            ),
            "wraps": "leal (%rdi,%rsi), %eax",
            "zero": _SATURATE.replace("orl ", "andl "),
        },
    ),
    "gcd": Kernel(
        {"reordered": _GCD},
        {
            "signed": _GCD.replace("xorl    %edx, %edx", "cltd").replace("divl", "idivl"),
            "one step": _GCD.replace("jmp     L0", "jmp     L1"),
            "wrong result": _GCD.replace("nop", "movl %eax, %ecx"),
        },
    ),
    "digits": Kernel(
        {"div": _DIGITS},
        {
            "nine": _DIGITS.replace("$10", "$9"),
            "one digit": _DIGITS.replace("jne     L1", "nop"),
            "signed": _DIGITS.replace("xorl    %edx, %edx", "cltd").replace("divl", "idivl"),
            "low half": _DIGITS.replace("movl    %edi, %eax", "movzwl  %di, %eax"),
        },
    ),
    "copy": Kernel(
        {"string": _COPY},
        {
            "one more": _COPY.replace("nop", "addq $1, %rcx"),
            "one less": _COPY.replace("nop", "subq $1, %rcx"),
            "backwards": _COPY_BACKWARDS,
            "overlap unheeded": _COPY_BY_EIGHT,
        },
    ),
    "cell": Kernel(
        {"counts down": _CELL},
        {
            "step": _CELL.replace("shlq    $2", "shlq    $3"),
            "zero-extended": _CELL.replace("movslq  %r8d, %r8", "movl    %r8d, %r8d"),
            "one row more": _CELL.replace("xorl    %edi, %edi", "xorl %edi, %edi\naddl $1, %r10d"),
        },
    ),
}
