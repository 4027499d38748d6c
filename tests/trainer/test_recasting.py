"""Pairs in other registers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gccllm.asm.renaming import RENAMABLE
from trainer.packing import Position, batches, encode_pairs
from trainer.pairs import Pair, read_pairs
from trainer.recasting import recast, recasting

PROMPT = """<|isa|>x86-64
<|live_in|>%rdi:64 %rsi:32=3
<|live_out|>X0 %rax:32 %rbx:64 / X1
<|free|>%r10 %r8 %rax %rdi %zmm0-15
F:
\tmovq\t%rdi, %r9
<|region|>
L0:
\tmovl\t(%rdi), %eax
\tleaq\t4(%rbx,%rdi), %rbx
<|/region|>
\tret
"""
PAIR = Pair(PROMPT, "\tmovl\t%edi, %r8d\n\taddq\t%r8, %rbx\n", "f", "", "x86-64", "train")
OTHER = Pair(
    PROMPT.replace("\tmovq\t%rdi, %r9", "\tcqto").replace("\tret", "X0:"),
    "keep",
    "f",
    "",
    "",
    "train",
)


def test_lists_are_sorted_and_scratch_registers_in_order() -> None:
    drawn = [recast(PAIR, OTHER, random.Random(seed)) for seed in range(80)]
    assert len({x.prompt for x in drawn}) > 40
    for pair in drawn:
        lines = pair.prompt.splitlines()
        live = lines[1][len("<|live_in|>") :].split()
        assert live == sorted(live)
        out = lines[2][len("<|live_out|>X0 ") :].removesuffix(" / X1").split()
        assert out == sorted(out)
        assert "%rax:32" in out
        free = lines[3][len("<|free|>") :].split()
        assert free == [*sorted(free[:-1]), "%zmm0-15"]
        used = pair.answer.splitlines()[1].split()[1].rstrip(",")
        pointer = next(x.partition(":")[0] for x in live if x.endswith(":64"))
        spare = {x[1:] for x in free if x.startswith("%r")} - {x[1:].split(":")[0] for x in live}
        assert used[1:] == next(x for x in RENAMABLE if x in spare)
        assert f"\tmovl\t({pointer}), %eax" in pair.prompt
        around = pair.prompt.partition("L0:\n")[0] + pair.prompt.partition("<|/region|>")[2]
        assert ("\tcqto" in around) != ("\tret" in around)
    assert any("\tcqto" in x.prompt for x in drawn)
    assert len({len(x.prompt.splitlines()[3]) for x in drawn}) > 1, "not always as many are free"
    assert all("%rax" in x.prompt.splitlines()[3] for x in drawn), "it may be used unnamed"


def test_what_uses_registers_unnamed_stays() -> None:
    odd = Pair(PROMPT.replace("\tret", "\trep stosq\n\tret"), "keep", "f", "", "x86-64", "train")
    for seed in range(9):
        assert "\tmovl\t(%rdi), %eax" in recast(odd, odd, random.Random(seed)).prompt


def test_batches_of_other_registers_can_be_made_again(tokenizer_folder: Path, data: Path) -> None:
    pytest.importorskip("torch")
    from trainer.tokenizer import load

    tokenizer: Any = load(tokenizer_folder)
    encoded, _ = encode_pairs(tokenizer, read_pairs(data), 256)
    never = recasting(tokenizer, encoded, share=0.0, seed=3, longest=256)
    assert all(never(n, 1) is pair for n, pair in enumerate(encoded))
    always = recasting(tokenizer, encoded, share=1.0, seed=3, longest=256)
    changed = [n for n, pair in enumerate(encoded) if always(n, 0).pair != pair.pair]
    assert changed
    for n in changed:
        assert always(n, 0).tokens.tolist() == always(n, 0).tokens.tolist()
        assert len(always(n, 0)) <= 256
    assert any(always(n, 0).pair != always(n, 1).pair for n in changed)
    one, other = (
        next(batches(encoded, rows=2, length=256, seed=3, start=Position(), variant=always))[0]
        for _ in range(2)
    )
    assert bool((one.tokens == other.tokens).all())
