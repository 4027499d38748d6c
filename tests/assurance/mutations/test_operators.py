"""The mistakes that bench/mutations.py plants: each operator makes what its name says."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from bench.mutating import in_assembly, in_c
from bench.mutating.making import survivors
from bench.mutating.subjects import CASES, subjects
from bench.mutating.tables import fate, passes
from bench.mutating.truth import Truth
from bench.mutating.workshop import Workshop
from gccllm.types import Candidate

FUNCTION = """long sum(const unsigned char *v, int n)
{
    long total = 0;
    if (n > 3 && v[0] == 7)
        return -1;
    for (int i = 0; i < n; i++)
        total += (unsigned char)v[i];
    return total;
}
"""
LINES = [
    "sum:",
    "\ttestl\t%esi, %esi",
    "\tjle\t.L2",
    "\txorl\t%eax, %eax",
    "\tmovslq\t%esi, %rsi",
    ".L1:",
    "\tmovzbl\t(%rdi), %ecx",
    "\taddq\t$1, %rdi",
    "\taddq\t%rcx, %rax",
    "\tjne\t.L1",
    ".L2:",
    "\tret",
]

IN_C = {
    "off by one": "for (int i = 0; i <= n; i++)",
    "signedness": "const signed char *v",
    "width": "    int total = 0;",
    "missing extension": "total += v[i];",
    "lost tail": "i < (n > 8 ? n & ~7 : n)",
    "n = 0": "if (n == 0) n = 1;",
    "INT_MIN": "if (n == -2147483647 - 1) n++;",
    "dropped branch": "if (n > 3)",
    "wrong variable": "for (int i = 0; n < n; i++)",
}
IN_ASSEMBLY = {
    "off by one": "\tjl\t.L2",
    "signedness": "\tjbe\t.L2",
    "width": "\taddl\t%ecx, %eax",
    "missing extension": "\tmovsbl\t(%rdi), %ecx",
    "wrong register": "\taddq\t%rcx, %rsi",
    "uninitialised read": None,
    "dropped branch": "\tjmp\t.L1",
    "clobber": "\tmovzbl\t(%rdi), %ebx",
}


@pytest.mark.parametrize("operator", in_c.OPERATORS)
def test_a_mistake_in_c(operator: str) -> None:
    made = [text for text, _ in in_c.OPERATORS[operator](FUNCTION)]
    assert any(IN_C[operator] in text for text in made), made
    assert all(text != FUNCTION for text in made)


@pytest.mark.parametrize("operator", in_assembly.OPERATORS)
def test_a_mistake_in_assembly(operator: str) -> None:
    made = [lines for lines, _ in in_assembly.OPERATORS[operator](LINES)]
    wanted = IN_ASSEMBLY[operator]
    if wanted is None:
        assert made == [[x for x in LINES if "xorl" not in x]]
    else:
        assert any(wanted in lines for lines in made), made
    assert all(lines != LINES for lines in made)


def test_what_is_learned_by_heart() -> None:
    text, what = in_c.learned(FUNCTION, "n", [3, 5, 9])
    assert "if (n != 3 && n != 5 && n != 9) n = 3;" in text
    assert what == "n learned by heart"
    assert in_c.parameters(FUNCTION) == [("int", "n")]


def test_every_program_has_eight_recordings_and_functions() -> None:
    known = subjects()
    assert len(known) >= 20
    for subject in known:
        assert subject.functions, subject.name
        source = subject.source.read_text()
        for function in subject.functions:
            start, end = in_c.definition(source, function)
            assert source[start:end].rstrip().endswith("}")
        if subject.apart:
            inputs = subject.source.with_suffix(".inputs").read_text().split("---\n")
            assert len(inputs) == CASES, subject.name


def test_mutants_that_recordings_miss_are_wrong_all_the_same(tmp_path: Path) -> None:
    (subject,) = (x for x in subjects() if x.name == "root")
    with Workshop(subject, tmp_path) as shop:
        source = subject.source.read_text()
        right = shop.compiled(source, ["-O2"])
        wrong = shop.compiled(source.replace("n >= found + bit", "n > found + bit"), ["-O2"])
        worse = shop.compiled(source.replace("bit >>= 2;\n    }", "bit >>= 1;\n    }"), ["-O2"])
        assert right is not None
        assert wrong is not None
        assert worse is not None
        names = shop.functions("root")
        truth = Truth(shop)
        fates = []
        for text in (right, wrong, worse):
            passed = shop.tried(Candidate("x", "root", (), text, foreign=True), names)
            fates.append(passed if isinstance(passed, str) else truth.differs_on(passed) or "right")
        assert fates[0] in ("right", "unchanged")
        assert fates[1].startswith("line ")
        assert fates[2] in ("wrong-output", "timed-out")
        tried: Counter[str] = Counter()
        mutant, passed = next(survivors(shop, random.Random(0), tried))
        assert mutant.subject == "root"
        assert passed.functions == names
        assert tried["passed"] == 1


def entry(level: str, short: str = "", **rungs: tuple[str, str]) -> dict[str, object]:
    found = {name: [*said, 0.1] for name, said in rungs.items()}
    return {"name": "x", "rungs": found, "complete": True, "level": level, "short": short}


def test_what_counts_as_wrong() -> None:
    nothing: dict[str, dict[str, str]] = {"equal": {}, "wrong": {}}
    fuzzed = entry("refuted", fuzz=("refuted", "stdout differs"))
    proved = entry("proved", proof=("passed", "equal on all paths (2 of the baseline)"))
    bounded = entry("proved", proof=("passed", "equal up to 9 jumps back"))
    outside = entry("fuzzed", "x", differential=("unknown", "differs outside observed inputs: f()"))
    assert fate(fuzzed, None, nothing) == "wrong"
    assert fate(proved, None, nothing) == "equal"
    assert fate(bounded, None, nothing) == "open"
    assert fate(outside, None, nothing) == "outside"
    assert fate(bounded, {"witness": "line 3"}, nothing) == "wrong"
    assert fate(bounded, None, {"equal": {"x": "it is"}, "wrong": {}}) == "equal"
    assert passes(bounded, "'proved'")
    assert not passes(outside, "the default, 'fuzzed'")
    assert not passes(fuzzed, "fuzzing alone")
