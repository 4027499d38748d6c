"""Planted violations of the ABI: assembly in, kind of finding out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.assurance.abi import AbiReport, Kind, check
from gccllm.assurance.levels import Standing
from tests.asm.tools import assemble

LEAF = "leal (%rdi,%rsi), %eax; ret"
CALLS = "pushq %rbx; movl %edi, %ebx; call ext@PLT; addl %ebx, %eax; popq %rbx; ret"
NOTHING = "ret"
STORES = "movl $1, (%rdi); ret"
LONG_DOUBLE = "fldt 8(%rsp); fldt 24(%rsp); faddp; ret"
FLOATS = "addss %xmm1, %xmm0; ret"
WIDE = "vmovups (%rdi), %ymm0; vaddps (%rsi), %ymm0, %ymm0; vmovups %ymm0, (%rdi); vzeroupper; ret"
GUARDED = (
    "subq $24, %rsp; movq %fs:40, %rax; movq %rax, 8(%rsp); call ext@PLT; movq 8(%rsp), %rax; "
    "subq %fs:40, %rax; jne 1f; addq $24, %rsp; ret; 1: call __stack_chk_fail@PLT"
)

PLANTED: list[tuple[Kind, str, str]] = [
    (Kind.CALLEE_SAVED, LEAF, "movl %edi, %ebx; leal (%rbx,%rsi), %eax; ret"),
    (Kind.CALLEE_SAVED, LEAF, "pushq %r12; leal (%rdi,%rsi), %eax; popq %r13; ret"),
    (
        Kind.CALLEE_SAVED,
        LEAF,
        "pushq %rbx; movl %edi, %ebx; leal (%rbx,%rsi), %eax; movq %rax, (%rsp); popq %rbx; ret",
    ),
    (
        Kind.CALLEE_SAVED,
        LEAF,
        "testl %edi, %edi; je 1f; pushq %rbp; movl %edi, %ebp; popq %rcx; 1: "
        "leal (%rdi,%rsi), %eax; ret",
    ),
    (Kind.CALLEE_SAVED, CALLS, "movl %edi, %r15d; jmp ext@PLT"),
    (Kind.CALLEE_SAVED, CALLS, CALLS.replace("popq %rbx", "movl (%rsp), %ebx; addq $8, %rsp")),
    (Kind.STACK_BALANCE, LEAF, "pushq %rax; leal (%rdi,%rsi), %eax; ret"),
    (Kind.STACK_BALANCE, LEAF, "leal (%rdi,%rsi), %eax; addq $8, %rsp; ret"),
    (
        Kind.STACK_BALANCE,
        LEAF,
        "leal (%rdi,%rsi), %eax; testl %edi, %edi; je 1f; subq $16, %rsp; 1: ret",
    ),
    (Kind.STACK_BALANCE, CALLS, "subq $8, %rsp; jmp ext@PLT"),
    (Kind.STACK_BALANCE, LEAF, "leal (%rdi,%rsi), %eax; ret $8"),
    (Kind.RETURN_ADDRESS, LEAF, "leal (%rdi,%rsi), %eax; movq %rax, (%rsp); ret"),
    (Kind.RETURN_ADDRESS, LEAF, "leal (%rdi,%rsi), %eax; movl %eax, 4(%rsp); ret"),
    (
        Kind.RETURN_ADDRESS,
        LEAF,
        "leal (%rdi,%rsi), %eax; popq %rcx; pushq %rax; ret",
    ),
    (Kind.CALLER_FRAME, LEAF, "leal (%rdi,%rsi), %eax; movl %eax, 8(%rsp); ret"),
    (Kind.CALLER_FRAME, LEAF, "movl 16(%rsp), %eax; addl %esi, %eax; addl %edi, %eax; ret"),
    (
        Kind.CALLER_FRAME,
        LEAF,
        "pushq %rbp; movq %rsp, %rbp; andq $-32, %rsp; leal (%rdi,%rsi), %eax; "
        "movl %eax, 8(%rsp); leave; ret",
    ),
    (Kind.UNINITIALISED_READ, LEAF, "movq %rcx, %rax; ret"),
    (Kind.UNINITIALISED_READ, CALLS, CALLS.replace("movl %edi", "movl %r10d, %ecx; movl %edi")),
    (Kind.UNINITIALISED_READ, CALLS, CALLS.replace("movl %edi", "addl %r10d, %edi; movl %edi")),
    (Kind.UNINITIALISED_READ, LEAF, "pushq %rbx; leal (%rdi,%rsi), %eax; testl %edi, %edi; "
     "cmovne %ebx, %eax; popq %rbx; ret"),
    (Kind.UNINITIALISED_READ, LEAF, "pushq %rcx; leal (%rdi,%rsi), %eax; addl %ecx, %eax; "
     "popq %rcx; ret"),
    (Kind.CLOBBERED_READ, CALLS, CALLS.replace("addl", "addl %edx, %eax; addl")),
    (Kind.CLOBBERED_READ, CALLS, CALLS.replace("addl", "divl %ebx; addl")),
    (Kind.RED_ZONE, CALLS, CALLS.replace("call", "movq %rdi, -8(%rsp); call")),
    (Kind.RED_ZONE, CALLS, CALLS.replace("popq", "leaq -16(%rsp), %rdx; movl %eax, (%rdx); popq")),
    (Kind.BELOW_RED_ZONE, LEAF, "leal (%rdi,%rsi), %eax; movl %eax, -136(%rsp); ret"),
    (Kind.BELOW_RED_ZONE, LEAF, "leaq -256(%rsp), %rcx; leal (%rdi,%rsi), %eax; "
     "movq %rax, 8(%rcx); ret"),
    (Kind.CALL_ALIGNMENT, CALLS, "subq $16, %rsp; call ext@PLT; addq $16, %rsp; ret"),
    (
        Kind.CALL_ALIGNMENT,
        CALLS,
        "pushq %rbx; pushq %rbp; movl %edi, %ebx; call ext@PLT; addl %ebx, %eax; popq %rbp; "
        "popq %rbx; ret",
    ),
    (Kind.MISALIGNED, LEAF, "movd %edi, %xmm0; movaps %xmm0, -16(%rsp); "
     "leal (%rdi,%rsi), %eax; ret"),
    (Kind.MISALIGNED, LEAF, "vpxor %xmm0, %xmm0, %xmm0; vmovdqa %ymm0, -40(%rsp); vzeroupper; "
     "leal (%rdi,%rsi), %eax; ret"),
    (Kind.MISALIGNED, STORES, "pxor %xmm0, %xmm0; movdqa %xmm0, (%rdi); ret"),
    (Kind.MISALIGNED, STORES, "pxor %xmm0, %xmm0; paddd 32(%rdi), %xmm0; movups %xmm0, (%rdi); "
     "ret"),
    (Kind.MISALIGNED, WIDE, WIDE.replace("vmovups %ymm0, (", "vmovntps %ymm0, (")),
    (Kind.MISALIGNED, WIDE, WIDE.replace("vmovups (", "vmovaps (")),
    (Kind.DIRECTION_FLAG, LEAF, "std; leal (%rdi,%rsi), %eax; ret"),
    (Kind.DIRECTION_FLAG, CALLS, CALLS.replace("call ext@PLT", "std; call ext@PLT; cld")),
    (Kind.X87_STATE, LEAF, "fldz; leal (%rdi,%rsi), %eax; ret"),
    (Kind.X87_STATE, LONG_DOUBLE, "fldt 8(%rsp); fldt 24(%rsp); fadd %st(1), %st; ret"),
    (Kind.X87_STATE, LONG_DOUBLE, "fldt 8(%rsp); faddp; ret"),
    (Kind.X87_STATE, LEAF, "movd %edi, %mm0; leal (%rdi,%rsi), %eax; ret"),
    (Kind.X87_STATE, CALLS, CALLS.replace("call", "fld1; call")),
    (Kind.CONTROL_WORD, FLOATS, "ldmxcsr 8(%rdi); addss %xmm1, %xmm0; ret"),
    (Kind.CONTROL_WORD, LEAF, "fldcw (%rdi); leal (%rdi,%rsi), %eax; ret"),
    (
        Kind.CONTROL_WORD,
        FLOATS,
        "stmxcsr -4(%rsp); movl $8064, -8(%rsp); ldmxcsr -8(%rsp); addss %xmm1, %xmm0; ret",
    ),
    (Kind.VECTOR_UPPERS, WIDE, WIDE.replace("vzeroupper; ", "")),
    (Kind.VECTOR_UPPERS, CALLS, CALLS.replace("call", "vpxor %ymm1, %ymm1, %ymm1; "
     "vmovups (%rdi), %ymm2; call")),
    (Kind.VECTOR_UPPERS, WIDE, "testl %edx, %edx; je 1f; " + WIDE.replace(
        "vzeroupper; ret", "1: ret")),
    (Kind.UNINITIALISED_READ, LEAF, "leal (%rdi,%rsi), %eax; addl %ecx, %eax; ret"),
    (Kind.UNINITIALISED_READ, LEAF, "addl %edi, %eax; ret"),
    (Kind.UNINITIALISED_READ, LEAF, "leal (%rdi,%rsi), %eax; addl %r11d, %eax; ret"),
    (Kind.UNINITIALISED_READ, LEAF, "leal (%rdi,%rbx), %eax; ret"),
    (Kind.UNINITIALISED_READ, FLOATS, "addss %xmm9, %xmm0; ret"),
    *((Kind.UNINITIALISED_READ, FLOATS, f"{body}; movaps %xmm9, %xmm0; ret") for body in (
        "punpcklwd %xmm0, %xmm9; psrad $15, %xmm9",
        "punpcklwd %xmm0, %xmm9; pslld $16, %xmm9",
        "punpcklwd %xmm0, %xmm9; psrlq $16, %xmm9",
        "punpcklwd %xmm0, %xmm9; psrad $16, %xmm0",
        "punpcklwd %xmm9, %xmm0; psrad $16, %xmm0",
        "punpckhwd %xmm9, %xmm9; psrad $16, %xmm9",
        "punpcklwd %xmm0, %xmm9; movaps %xmm9, %xmm0; psrad $16, %xmm9",
        "punpcklwd %xmm0, %xmm9; psrad %xmm0, %xmm9",
    )),
    (Kind.UNINITIALISED_READ, LEAF, "movq %rdx, -8(%rsp); movl -8(%rsp), %eax; addl %edi, %eax; "
     "ret"),
    (Kind.CLOBBERED_READ, CALLS, "subq $8, %rsp; movl %edi, %ecx; call ext@PLT; "
     "addl %ecx, %eax; addq $8, %rsp; ret"),
    (Kind.CLOBBERED_READ, CALLS, "pushq %rbx; call ext@PLT; addl %edi, %eax; popq %rbx; ret"),
    (Kind.CLOBBERED_READ, CALLS, "pushq %rbx; movq %rdi, %xmm7; call ext@PLT; "
     "movd %xmm7, %edx; addl %edx, %eax; popq %rbx; ret"),
    (Kind.UPPER_HALF_READ, LEAF, "leaq (%rdi,%rsi), %rax; sarq $1, %rax; ret"),
    (Kind.UPPER_HALF_READ, "movslq %esi, %rsi; movl (%rdi,%rsi,4), %eax; ret",
     "movl (%rdi,%rsi,4), %eax; ret"),
    (Kind.FLAGS_READ, LEAF, "leal (%rdi,%rsi), %eax; jc 1f; incl %eax; 1: ret"),
    (Kind.FLAGS_READ, CALLS, CALLS.replace("addl %ebx", "adcl %ebx")),
    (Kind.FLAGS_READ, LEAF, "leal (%rdi,%rsi), %eax; imull %edi, %eax; cmovzl %esi, %eax; ret"),
    (Kind.MISSING_RESULT, LEAF, "leal (%rdi,%rsi), %ecx; ret"),
    (Kind.MISSING_RESULT, "movaps %xmm1, %xmm0; ret", "movaps %xmm1, %xmm2; jmp 1f; 1: pxor "
     "%xmm3, %xmm3; ret"),
    (Kind.MISSING_RESULT, "movss (%rdi), %xmm2; movss 4(%rdi), %xmm0; ret",
     "movss (%rdi), %xmm2; movss 4(%rdi), %xmm3; ret"),
    (Kind.MISSING_RESULT, LEAF, "leal (%rdi,%rsi), %eax; ud2"),
    (Kind.MISSING_RESULT, LEAF, "1: leal (%rdi,%rsi), %eax; jmp 1b"),
    (Kind.JUMP_OUT, LEAF, "leal (%rdi,%rsi), %eax; jmp other+1"),
    (Kind.JUMP_OUT, LEAF, "leal (%rdi,%rsi), %eax; jmp *%rax"),
    (Kind.JUMP_OUT, LEAF, "jmp system@PLT"),
    (Kind.JUMP_OUT, LEAF, "leal (%rdi,%rsi), %eax"),
    (Kind.NEW_NAME, CALLS, CALLS.replace("call", "call getppid@PLT; movl %ebx, %edi; call")),
    (Kind.NEW_NAME, LEAF, "leal (%rdi,%rsi), %eax; movq environ@GOTPCREL(%rip), %rcx; ret"),
    (Kind.THREAD_STORAGE, LEAF, "movl %fs:0x10, %eax; addl %edi, %eax; ret"),
    (Kind.THREAD_STORAGE, LEAF, "movl %gs:(%rdi), %eax; ret"),
    (Kind.STACK_PROTECTOR, GUARDED, "subq $24, %rsp; call ext@PLT; addq $24, %rsp; ret"),
    (Kind.STACK_PROTECTOR, GUARDED, "subq $24, %rsp; movq %fs:40, %rax; movq %rax, 8(%rsp); "
     "call ext@PLT; addq $24, %rsp; ret"),
]  # fmt: skip


def code(body: str, folder: Path, tag: str) -> ObjectCode:
    text = (
        f"\t.text\n\t.globl\tf\n\t.type\tf, @function\nf:\n\t{body}\n\t.size\tf, .-f\n"
        "\t.type\tother, @function\nother:\n\tmovl\t$1, %eax\n\tret\n\t.size\tother, .-other\n"
    )
    return functions_of(assemble(text, folder / f"{tag}.o"))


def compare(base: str, candidate: str, folder: Path, *, red_zone: bool = True) -> AbiReport:
    return check(
        code(base, folder, "base"), code(candidate, folder, "candidate"), "f", red_zone=red_zone
    )


@pytest.mark.parametrize(
    ("kind", "base", "candidate"),
    PLANTED,
    ids=[f"{kind.value}-{i}" for i, (kind, _, _) in enumerate(PLANTED)],
)
def test_planted(kind: Kind, base: str, candidate: str, tmp_path: Path) -> None:
    assert compare(base, base, tmp_path).standing is Standing.PASSED
    report = compare(base, candidate, tmp_path)
    assert report.standing is Standing.REFUTED
    assert kind in {x.kind for x in report.findings}, report
    assert compare(candidate, candidate, tmp_path).standing is not Standing.REFUTED


def test_red_zone_where_there_is_none(tmp_path: Path) -> None:
    candidate = "movl %edi, -4(%rsp); leal (%rdi,%rsi), %eax; ret"
    assert compare(LEAF, candidate, tmp_path).standing is Standing.PASSED
    report = compare(LEAF, candidate, tmp_path, red_zone=False)
    assert {x.kind for x in report.findings} == {Kind.RED_ZONE}


def test_most_kinds_are_planted_twice() -> None:
    planted = [kind for kind, _, _ in PLANTED]
    others = {Kind.CLOBBER, Kind.STACK_ALIGNMENT}
    assert all(planted.count(kind) >= 2 for kind in Kind if kind not in others)


HONEST = [
    *((FLOATS, f"{body}; movaps %xmm9, %xmm0; ret") for body in (
        "punpcklwd %xmm0, %xmm9; psrad $16, %xmm9",
        "punpckhbw %xmm0, %xmm9; psrlw $8, %xmm9",
        "punpckldq %xmm0, %xmm9; psrlq $40, %xmm9",
    )),
    (LEAF, "movl %edi, %eax; addl %esi, %eax; ret"),
    (LEAF, "pushq %rbx; movl %edi, %ebx; leal (%rbx,%rsi), %eax; popq %rbx; ret"),
    (LEAF, "movq %rbx, -8(%rsp); movl %edi, %ebx; leal (%rbx,%rsi), %eax; movq -8(%rsp), %rbx; "
     "ret"),
    (LEAF, "movq %rbx, %xmm5; movl %edi, %ebx; leal (%rbx,%rsi), %eax; movq %xmm5, %rbx; ret"),
    (CALLS, "pushq %rdi; call ext@PLT; popq %rdi; addl %edi, %eax; ret"),
    (CALLS, "pushq %rbp; movq %rsp, %rbp; subq $16, %rsp; movl %edi, -4(%rbp); call ext@PLT; "
     "addl -4(%rbp), %eax; leave; ret"),
    (CALLS, "pushq %rbp; movq %rsp, %rbp; pushq %rbx; andq $-32, %rsp; subq $32, %rsp; "
     "vmovaps %ymm0, (%rsp); movl %edi, %ebx; vzeroupper; call ext@PLT; addl %ebx, %eax; "
     "movq -8(%rbp), %rbx; leave; ret"),
    (FLOATS, "stmxcsr -4(%rsp); movl $8064, -8(%rsp); ldmxcsr -8(%rsp); addss %xmm1, %xmm0; "
     "ldmxcsr -4(%rsp); ret"),
    (LONG_DOUBLE, "fldt 24(%rsp); fldt 8(%rsp); faddp %st, %st(1); ret"),
    (WIDE, "movups (%rdi), %xmm0; movups (%rsi), %xmm1; addps %xmm1, %xmm0; "
     "movups %xmm0, (%rdi); ret"),
    (STORES, "leaq -72(%rsp), %rax; andq $-64, %rax; pxor %xmm0, %xmm0; movaps %xmm0, 16(%rax); "
     "movl $1, (%rdi); ret"),
    (LEAF, "vcvtsi2sdl %edi, %xmm11, %xmm1; vpcmpeqd %xmm2, %xmm2, %xmm2; "
     "leal (%rdi,%rsi), %eax; ret"),
    (NOTHING, "xorl %eax, %eax; ret"),
    (CALLS, "pushq %rbx; pushq %rdi; pushq %rax; movl %edi, %ebx; movq %rsp, %rdi; call ext@PLT; "
     "addl 4(%rsp), %eax; addl (%rsp), %eax; addl %ebx, %eax; popq %rdx; popq %rdx; popq %rbx; "
     "ret"),
    (FLOATS, "movhlps %xmm1, %xmm8; addss %xmm1, %xmm0; ret"),
    (WIDE, f"subq $8, %rsp; call other; addq $8, %rsp; {WIDE}"),
    (WIDE, WIDE.replace("vzeroupper", "subq $8, %rsp; call other; addq $8, %rsp; vzeroupper")),
    (LEAF, "movl %edi, %eax; testl %esi, %esi; je 1f; addl %esi, %eax; 1: ret"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "candidate"), HONEST)
def test_honest(base: str, candidate: str, tmp_path: Path) -> None:
    report = compare(base, candidate, tmp_path)
    assert report.standing is Standing.PASSED, report


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        ("enter $16, $0; leal (%rdi,%rsi), %eax; leave; ret", "enter is not followed"),
        ("syscall; ret", "syscall is not followed"),
        ("movq (%rdi), %rsp; ret", "rsp can't be followed"),
        ("leal (%rdi,%rsi), %eax; .byte 0x06; ret", "not followed"),
        ("xrstor (%rdi); leal (%rdi,%rsi), %eax; ret", "xrstor is not followed"),
    ],
)
def test_what_is_not_understood_is_unknown(candidate: str, why: str, tmp_path: Path) -> None:
    report = compare(LEAF, candidate, tmp_path)
    assert report.standing is Standing.UNKNOWN
    assert why in report.doubts[0]
    assert compare(candidate, LEAF, tmp_path).standing is Standing.UNKNOWN


def test_a_maybe_is_no_pass(tmp_path: Path) -> None:
    report = compare(
        LEAF, "testl %edi, %edi; je 1f; movl %esi, %ecx; 1: leal (%rdi,%rcx), %eax; ret", tmp_path
    )
    assert report.standing is Standing.UNKNOWN
    assert "uninitialised-read" in report.examination().detail


PASSES = (
    "pushq %rbx; movq %rdi, %rbx; call ext@PLT; {}cmpl $3, %eax; setne %dl; {}movq %rbx, %rdi; "
    "call user@PLT; popq %rbx; ret"
)


@pytest.mark.parametrize(
    ("before", "behind", "standing"),
    [
        ("xorl %edx, %edx; ", "", Standing.PASSED),
        ("", "movzbl %dl, %edx; ", Standing.PASSED),
        ("", "", Standing.UNKNOWN),
        ("", "movb $1, %cl; movzbl %dl, %edx; ", Standing.PASSED),
    ],
)
def test_an_argument_is_set_in_all_of_its_bytes(
    before: str, behind: str, standing: Standing, tmp_path: Path
) -> None:
    right = PASSES.format("xorl %edx, %edx; ", "")
    candidate = PASSES.format(before, behind)
    assert compare(right, candidate, tmp_path).standing is standing


def test_what_is_popped_to_drop_it_is_a_doubt(tmp_path: Path) -> None:
    room = "pushq %r8; movl $1, (%rdi); popq %rax; ret"
    assert compare(STORES, room, tmp_path).standing is Standing.UNKNOWN
    assert compare(STORES, "movl $1, (%rdi); movq %r8, %rax; ret", tmp_path).findings


def test_al_may_be_a_count_of_vector_registers(tmp_path: Path) -> None:
    variadic = "testb %al, %al; je 1f; movaps %xmm0, -24(%rsp); 1: leal (%rdi,%rsi), %eax; ret"
    assert compare(LEAF, variadic, tmp_path).standing is Standing.UNKNOWN
    assert compare(LEAF, f"testl %eax, %eax; je 1f; 1: {LEAF}", tmp_path).findings


DATA = (
    "; .section .bss; .balign 64; table: .zero 4096; odd: .zero 32; late: .zero 4096; "
    '.section .rodata.str1.64,"aMS",@progbits,1; .balign 64; text: .string "one"; .text'
)
LOOP = (
    "vpxor %xmm0, %xmm0, %xmm0; xorl %eax, %eax; leaq {start}, %rdx; 1: "
    "vmovdqa64 %zmm0, (%rdx,%rax{scale}); addl {step}, %eax; cmpl %edi, %eax; jl 1b; vzeroupper; "
    "ret"
)


def placed(start: str, step: str = "$64", scale: str = "") -> str:
    return LOOP.format(start=start, step=step, scale=scale) + DATA


@pytest.mark.parametrize(
    ("candidate", "standing"),
    [
        (placed("table(%rip)"), Standing.PASSED),
        (placed("64+late-32(%rip)"), Standing.PASSED),
        (placed("table(%rip)", step="$16", scale=",4"), Standing.PASSED),
        (placed("late(%rip)"), Standing.REFUTED),
        (placed("table+16(%rip)"), Standing.REFUTED),
        (placed("table(%rip)", step="$48"), Standing.UNKNOWN),
        (placed("table(%rip)", step="%esi"), Standing.UNKNOWN),
        (placed("text(%rip)"), Standing.UNKNOWN),
        (placed("elsewhere(%rip)"), Standing.UNKNOWN),
    ],
)
def test_alignment_of_data(candidate: str, standing: Standing, tmp_path: Path) -> None:
    base = "vpxor %xmm0, %xmm0, %xmm0; vmovdqu %ymm0, table(%rip); vmovd %edi, %xmm0; "
    base += "vmovd %esi, %xmm0; vzeroupper; ret" + DATA
    assert compare(base, candidate, tmp_path).standing is standing


SPILLED = (
    "movl %edi, %ecx; andl $-16, %ecx; movl %ecx, -4(%rsp); movslq {slot}, %rax; "
    "leaq (%rax,%rax,4), %rax; vmovq %rax, %xmm3; vpxor %xmm0, %xmm0, %xmm0; vmovq %xmm3, %rcx; "
    "leaq {start}, %rdx; vmovdqa64 %zmm0, (%rdx,%rcx,4); vzeroupper; leal (%rdi,%rsi), %eax; ret"
)


@pytest.mark.parametrize(
    ("slot", "start", "standing"),
    [
        ("-4(%rsp)", "table(%rip)", Standing.PASSED),
        ("-4(%rsp)", "late(%rip)", Standing.REFUTED),
        ("-8(%rsp)", "table(%rip)", Standing.UNKNOWN),
        ("counted", "table(%rip)", Standing.PASSED),
        ("counted", "table+8(%rip)", Standing.REFUTED),
    ],
)
def test_multiples_are_followed(slot: str, start: str, standing: Standing, tmp_path: Path) -> None:
    if slot == "counted":
        counted = "movl $16, -24(%rsp); 1: addl $32, -24(%rsp); cmpl %edi, -24(%rsp); jl 1b; "
        candidate = counted + SPILLED.format(slot="-24(%rsp)", start=start) + DATA
    else:
        candidate = SPILLED.format(slot=slot, start=start) + DATA
    assert compare(LEAF + DATA, candidate, tmp_path).standing is standing


NOWHERE = (
    "testl %edi, %edi; jne f.cold; leal (%rdi,%rsi), %eax; ret; .section .text.unlikely; "
    ".type f.cold, @function; f.cold: .size f.cold, 0; .text"
)


def test_a_jump_to_an_empty_cold_part_is_impossible_where_gcc_says_so(tmp_path: Path) -> None:
    unbalanced = "pushq %rbx; " + NOWHERE.replace("ret;", "popq %rbx; ret;")
    assert compare(NOWHERE, unbalanced, tmp_path).standing is Standing.PASSED
    report = compare(LEAF, NOWHERE, tmp_path)
    assert report.standing is Standing.UNKNOWN
    assert "empty cold part" in report.doubts[0]


MASKED = "kmovq %rcx, %k1; {}; kmovq %k2, %rax; vzeroupper; ret"
LOADED = "vmovdqu8 (%rdi), %zmm5{%k1}; "


@pytest.mark.parametrize(
    ("body", "standing"),
    [
        (LOADED + "vpcmpeqb (%rsi), %zmm5, %k2{%k1}", Standing.PASSED),
        (LOADED + "vmovdqu8 %zmm5, (%rsi){%k1}; kmovq %k1, %k2", Standing.PASSED),
        ("vmovdqu8 (%rdi), %zmm5{%k1}{z}; vpcmpeqb (%rsi), %zmm5, %k2", Standing.PASSED),
        (LOADED + "vpcmpeqb (%rsi), %zmm5, %k2", Standing.UNKNOWN),
        (LOADED + "vpcmpeqd (%rsi), %zmm5, %k2{%k1}", Standing.UNKNOWN),
        ("kxnord %k1, %k1, %k1; kmovd %k1, %k3; vpgatherdd (%rdi,%zmm0), %zmm9{%k3}; "
         "vptestmd %zmm9, %zmm9, %k2", Standing.PASSED),
        ("vpcmpeqd %ymm3, %ymm3, %ymm3; vpgatherdd %ymm3, (%rdi,%ymm0), %ymm9; "
         "vptestmd %ymm9, %ymm9, %k2", Standing.PASSED),
        ("vpgatherdd (%rdi,%zmm0), %zmm9{%k1}; vptestmd %zmm9, %zmm9, %k2", Standing.REFUTED),
        (LOADED + "kmovq %rdx, %k1; vpcmpeqb (%rsi), %zmm5, %k2{%k1}", Standing.UNKNOWN),
        (LOADED + "vpshufb %zmm5, %zmm5, %zmm6{%k1}{z}; vptestmb %zmm6, %zmm6, %k2",
         Standing.UNKNOWN),
    ],
)  # fmt: skip
def test_lanes_that_hold_nothing(body: str, standing: Standing, tmp_path: Path) -> None:
    base = "vmovq %xmm0, %rax; addq (%rdi), %rax; addq (%rsi), %rax; addq %rcx, %rax; "
    base += "addq %rdx, %rax; ret"
    assert compare(base, MASKED.format(body), tmp_path).standing is standing
