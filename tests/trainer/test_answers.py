"""One text for answers that mean the same."""

from __future__ import annotations

from trainer.corpus.answers import one_way

PROMPT = """\
<|isa|>x86-64-v3
<|live_in|>%rax:64=0 %rcx:32 %rdi:64 %rsi:64
<|live_out|>X0 %rcx:32
<|free|>%r8 %r9 %rax %rdx %zmm0-15
<|region|>
L1:
	addq	$1, %rax
	cmpq	%rax, %rsi
	je	X0
L0:
	movl	(%rdi,%rax,4), %edx
	cmpl	%edx, %ecx
	jle	L1
	movl	%edx, %ecx
	jmp	L1
<|/region|>
"""
COPY = """\
L1001:
	addq	$1, %rax
	cmpq	%rsi, %rax
	je	X0
L1000:
	movl	(%rdi,%rax,4), %edx
	cmpl	%ecx, %edx
	jge	L1001
	movl	%edx, %ecx
	jmp	L1001
"""
FRONT = """\
	movq	%rbx, %xmm0
	movl	%ecx, %r8d
	movq	%rax, %r9
	movq	$7, %rbx
	movq	%xmm0, %rbx
	jmp	L1000
"""


def test_what_is_copied_stands_as_in_the_prompt() -> None:
    for scratch in ("%edx", "%r8d", "%r9d"):
        lines = one_way(PROMPT, FRONT + COPY.replace("%edx", scratch))
        assert "\tcmpq\t%rax, %rsi\n\tje\tX0\n" in lines
        assert "\tcmpl\t%edx, %ecx\n\tjle\tL1001\n" in lines


def test_scratch_and_borrowed_registers_come_in_one_order() -> None:
    first = one_way(PROMPT, FRONT + COPY)
    assert first.startswith("\tmovq\t%r10, %xmm0\n\tmovl\t%ecx, %edx\n\tmovq\t%rax, %r8\n")
    assert one_way(PROMPT, FRONT.replace("%r9", "%rdx") + COPY) == first
    assert one_way(PROMPT, FRONT.replace("%r8d", "%edx") + COPY) == first
    assert one_way(PROMPT, FRONT.replace("%rbx", "%r13") + COPY) == first
    assert one_way(PROMPT, first) == first


def test_a_copy_that_goes_back_to_the_front_shares_its_registers() -> None:
    """Both are renamed alike: rdx of the copy is that which is read in front."""
    lines = FRONT.replace("\tjmp\tL1000\n", "L3:\n\taddl\t%r8d, %edx\n")
    again = one_way(PROMPT, lines + COPY + "\tjmp\tL3\n")
    assert "\taddl\t%edx, %r9d\n" in again
    assert "\tmovl\t(%rdi,%rax,4), %r9d\n" in again


def test_operands_stay_where_flags_are_read_behind_the_region() -> None:
    assert COPY in one_way(PROMPT, FRONT + COPY, flags=True)
