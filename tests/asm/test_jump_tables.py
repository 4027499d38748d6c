"""Where jumps through tables lead, as machine code tells."""

from __future__ import annotations

from pathlib import Path

from gccllm.asm.code import functions_of
from tests.asm.tools import assemble

# The second table follows the first without a gap, and what its entries would mean as entries of
# the first is code of the function, too.
TWO_TABLES = """\
	.text
	.globl	f
	.type	f, @function
f:
	leaq	.L1(%rip), %rdx
	movslq	(%rdx,%rdi,4), %rax
	addq	%rdx, %rax
	jmp	*%rax
.La:
	leaq	.L2(%rip), %rdx
	movslq	(%rdx,%rsi,4), %rax
	addq	%rdx, %rax
	jmp	*%rax
	.rept	16
	nop
	.endr
.Lb:
	ret
	.rept	16
	nop
	.endr
.Lc:
	ret
	.rept	16
	nop
	.endr
	ret
	.size	f, .-f
	.section	.rodata
.L1:
	.long	.La-.L1
	.long	.Lb-.L1
.L2:
	.long	.Lb-.L2
	.long	.Lc-.L2
"""


def test_a_table_ends_where_the_next_one_begins(tmp_path: Path) -> None:
    code = functions_of(assemble(TWO_TABLES, tmp_path / "x.o")).functions["f"]
    first, second = sorted(code.jumps)
    returns = [place for place, op in code.ops.items() if str(op.instruction) == "ret"]
    assert code.jumps[first] == ((first[0], first[1] + 2), returns[0])
    assert code.jumps[second] == tuple(returns[:2])


def test_a_jump_that_others_reach_may_take_any_of_the_tables(tmp_path: Path) -> None:
    text = TWO_TABLES.replace("\taddq\t%rdx, %rax\n\tjmp", ".Lx:\n\taddq\t%rdx, %rax\n\tjmp", 1)
    text = text.replace(".Lc:\n\tret", ".Lc:\n\tjmp\t.Lx")
    code = functions_of(assemble(text, tmp_path / "x.o")).functions["f"]
    first, second = sorted(code.jumps)
    assert set(code.jumps[first]) > set(code.jumps[second])
    assert len(code.jumps[first]) == 3


def test_a_table_that_does_not_go_into_the_jump_is_not_its_own(tmp_path: Path) -> None:
    """One that is loaded early, for a later jump."""
    text = TWO_TABLES.replace(
        "\tmovslq\t(%rdx,%rdi,4), %rax\n",
        "\tmovslq\t(%rdx,%rdi,4), %rax\n\tleaq\t.L2(%rip), %r8\n",
        1,
    )
    code = functions_of(assemble(text, tmp_path / "x.o")).functions["f"]
    returns = [place for place, op in code.ops.items() if str(op.instruction) == "ret"]
    first, _ = sorted(code.jumps)
    assert code.jumps[first] == ((first[0], first[1] + 2), returns[0])
