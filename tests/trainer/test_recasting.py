"""Pairs in other registers."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gccllm.asm.renaming import RENAMABLE, registers_in
from gccllm.region_prompt import Facts
from trainer.packing import Position, batches, encode_pairs
from trainer.pairs import Pair, read_pairs
from trainer.recasting import recast, recasting

PROMPT = """<|isa|>x86-64
<|live_in|>%rdi:64 %rsi:64 %rsi:32=3
<|live_out|>X0 %rax:32 %rsi:64 / X1
<|free|>%r8 %r9 %rax %rdi %rdx %zmm0-15
\tcmpl\t$3, %edi
\tje\tX
<|region|>
L0:
\tmovl\t(%rdi), %eax
\tleaq\t4(%rdi,%rsi), %rsi
\tcmpq\t%rdi, %rsi
\tjne\tL0
<|/region|>
"""
PAIR = Pair(PROMPT, "\tmovl\t%edi, %r8d\n\taddq\t%r8, %rsi\n", "f", "", "x86-64", "train")


def _words(pair: Pair, line: int) -> list[str]:
    return pair.prompt.splitlines()[line].partition("|>")[2].split()


def test_varied_pairs_look_like_any_other() -> None:
    drawn = [recast(PAIR, random.Random(seed)) for seed in range(120)]
    assert len({x.prompt for x in drawn}) > 30
    for pair in drawn:
        live, out, free = (_words(pair, x) for x in (1, 2, 3))
        assert live == sorted(live)
        assert (out[0], out[-2:]) == ("X0", ["/", "X1"])
        assert out[1:-2] == sorted(out[1:-2])
        general = [x for x in free if x.startswith("%r")]
        assert general == sorted(general)
        assert all(x.startswith("%zmm0") for x in free if x not in general)
        code = pair.prompt.partition("<|region|>")[2].splitlines()
        load = next(x for x in code if x.startswith("\tmovl\t("))
        pointer = load.partition("(")[2].partition(")")[0]
        assert f"{pointer}:64" in live, "the same register everywhere"
        used = pair.answer.splitlines()[1].split()[1].rstrip(",")
        assert used in free, "what the answer needs stays free"
        seen = list(dict.fromkeys(x for line in code for x in registers_in(line)))
        named = [x for x in seen if x in RENAMABLE]
        assert named == list(RENAMABLE[: len(named)]), "named in the order of appearance"
    assert len({len(_words(x, 3)) for x in drawn}) > 1, "not always as many are free"
    assert any("\tmovl\t(%rcx)" in x.prompt for x in drawn), "rcx trades places with others"
    assert {"%zmm0-7\n", "%zmm0-15\n"} <= {
        x.prompt.splitlines(True)[3][-9:].split(" ")[-1] for x in drawn
    }


def test_vectors_that_the_answer_needs_stay() -> None:
    vector = replace(PAIR, answer="\tpxor\t%xmm9, %xmm9\n\tmovd\t%xmm9, %esi\n")
    for seed in range(40):
        pair = recast(vector, random.Random(seed))
        number = pair.answer.partition("xmm")[2].partition(",")[0]
        last = _words(pair, 3)[-1]
        assert last.startswith("%zmm")
        assert f"zmm{number}" in Facts.parse(pair.prompt).free


def test_the_scratch_registers_of_an_answer_are_taken_in_order() -> None:
    for seed in range(60):
        pair = recast(PAIR, random.Random(seed))
        known = {x.partition(":")[0] for x in _words(pair, 1)}
        spare = [x for x in RENAMABLE if f"%{x}" in _words(pair, 3) and f"%{x}" not in known]
        used = pair.answer.splitlines()[1].split()[1].rstrip(",")[1:]
        assert used not in RENAMABLE or used == spare[0]


def test_rax_rcx_and_rdx_stay_where_an_instruction_needs_them() -> None:
    odd = replace(PAIR, answer="\tmull\t%edi\n\taddq\t%rdx, %rsi\n")
    for seed in range(20):
        assert "(%rdi), %eax" in recast(odd, random.Random(seed)).prompt


def test_what_uses_registers_unnamed_stays() -> None:
    odd = replace(PAIR, prompt=PROMPT.replace("\tjne", "\trep stosq\n\tjne"), answer="keep")
    for seed in range(9):
        assert recast(odd, random.Random(seed)) == odd


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
