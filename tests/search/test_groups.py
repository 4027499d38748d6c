"""A hot function that another compiler inlines: its callers are replaced in its place."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gccllm.asm.dialect import as_donor, canonical
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.ladder import Climbed
from gccllm.judge.judge import Judge
from gccllm.recordings import Expected, load, save_case
from gccllm.sandbox import choose
from gccllm.search import Attribution, Found, Mixing, Search, Seen
from gccllm.search.groups import Group, groups
from gccllm.search.records import function_records
from gccllm.toolchain import Toolchain
from gccllm.types import Candidate, HotFunction, VerdictKind
from trainer.corpus.programs import JudgedProgram
from trainer.linked import link_program

CLANG = shutil.which("clang-19") or shutil.which("clang")
# Too large for gcc to inline twice, and small enough for clang.
SOURCE = """#include <stdio.h>
static unsigned stir(unsigned x, unsigned y, const unsigned *t)
{
    for (int i = 0; i < 60; i++) {
        x += t[(x ^ y) & 15];
        y = (y << 3) ^ (x >> 5);
        if (x & 1) y += t[x & 7] * 3; else x -= t[y & 7];
        x ^= y + t[(x >> 4) & 15];
        y -= (x >> 7) ^ t[(y >> 3) & 15];
        if (y & 4) x += 17; else y ^= x * 5;
        x = x * 33 + (y >> 2);
    }
    return x ^ y;
}
unsigned both(unsigned n, const unsigned *t)
{
    unsigned a = 1, b = 2;
    for (unsigned i = 0; i < n; i++) {
        a = stir(a, i, t);
        if (a & 8) b += stir(b, a, t);
    }
    return a + b;
}
int main(void)
{
    unsigned t[16], n = 0;
    for (int i = 0; i < 16; i++) t[i] = i * 2654435761u;
    if (scanf("%u", &n) != 1) return 1;
    printf("%u\\n", both(n, t));
    return 0;
}
"""
OTHERS: dict[str, tuple[str, ...]] = {"gcc": ("gcc", "-O3", "-finline-limit=3000")}
if CLANG:
    OTHERS["clang"] = (CLANG, "-O3")


def compiled(*argv: str) -> str:
    done = subprocess.run(
        [*argv, "-S", "-x", "c", "-", "-o", "-"],
        input=SOURCE.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def unit_of(clang: bool = False, **calls: str) -> Unit:
    """Functions by name, with those that each calls; names in capitals are global."""
    lines = ["\t.text"]
    for name, called in calls.items():
        own = name.replace("__", ".")
        lines += [f"\t.globl\t{own}"] if own.isupper() else []
        lines += [f"\t.type\t{own}, @function", f"{own}:"]
        lines += [f"\tcall\t{x}" for x in called.split()]
        lines += ["\tretq" if clang else "\tret", f"\t.size\t{own}, .-{own}"]
    return parse("\n".join(lines) + "\n")


def test_a_function_that_is_there_and_called_stands_for_itself() -> None:
    unit = unit_of(A="F", F="", B="F")
    assert groups(unit, unit, ["F"]) == (Group(("F",), ("F",)),)


def test_callers_of_what_was_inlined_stand_for_it() -> None:
    base = unit_of(f="", A="f", B="A", C="f")
    assert groups(base, unit_of(A="", B="A", C=""), ["f"]) == (Group(("A", "C"), ("f",)),)


def test_callers_of_callers_do_where_those_are_inlined_too() -> None:
    base = unit_of(f="", g="f", A="g", B="A")
    assert groups(base, unit_of(B=""), ["f"]) == (Group(("B",), ("f",)),)


def test_one_that_is_still_there_stands_for_itself_though_callers_hold_it() -> None:
    """With A's version that has F inlined nothing might run F's any more."""
    base = unit_of(F="", A="F", B="F")
    assert groups(base, unit_of(F="", A="", B="F"), ["F"]) == (Group(("F",), ("F",)),)
    assert groups(base, unit_of(F="", A="", B=""), ["F"]) == (Group(("F",), ("F",)),)


def test_what_gcc_specialised_for_its_callers_is_found_in_them() -> None:
    base = unit_of(f__constprop__0="", A="f.constprop.0")
    donor = unit_of(f__constprop__0="", A="f.constprop.0")
    assert groups(base, donor, ["f.constprop.0"]) == (Group(("A",), ("f.constprop.0",)),)


def test_a_local_function_of_clang_comes_with_all_its_callers() -> None:
    base = unit_of(f="", A="f", B="f")
    assert groups(base, unit_of(True, f="", A="f", B="f"), ["f"]) == (
        Group(("f", "A", "B"), ("f",)),
    )


def test_groups_that_share_a_function_are_one() -> None:
    base = unit_of(f="", g="", A="f g", B="", X="")
    donor = unit_of(A="", B="", X="")
    assert groups(base, donor, ["B", "g", "f"]) == (
        Group(("B",), ("B",)),
        Group(("A",), ("g", "f")),
    )


def test_what_the_donor_has_in_no_form_is_in_no_group() -> None:
    assert groups(unit_of(f="", A="f"), unit_of(B=""), ["f"]) == ()


def test_of_very_many_callers_none_is_replaced() -> None:
    base = unit_of(F="", A="F", B="F", C="F", D="F", E="F", G="F", H="F")
    donor = unit_of(F="", A="", B="", C="", D="", E="", G="", H="")
    assert groups(base, donor, ["F"]) == (Group(("F",), ("F",)),)


@pytest.mark.parametrize("other", OTHERS)
def test_a_gain_that_inlining_moves_is_found(other: str, tmp_path: Path) -> None:
    """With the real compilers and judge: ``both`` is credited with ``stir``'s time."""
    (tmp_path / "moved.c").write_text(SOURCE)
    expected = plain_output(tmp_path, "40000")
    save_case(tmp_path / "moved.tests", "one", b"40000\n", (), Expected(expected))
    tools = Toolchain()
    (tmp_path / "linked").mkdir()
    made = JudgedProgram("moved", tmp_path / "moved.c", tmp_path / "moved.tests", (), ("-O3",))
    program = link_program(tools, made, tmp_path / "linked")
    ((unit, frame),) = program.units.items()
    isas = {unit: tools.isa("target", frame.options)}
    recording = load(tmp_path / "moved.tests")
    judge = Judge(program, recording, choose(), isas, scratch=tmp_path)
    assert judge.check_baseline(program.output) is None
    hot: dict[str, tuple[HotFunction, ...]] = {unit: (HotFunction("stir", 0.97),)}
    seen: list[Seen] = []
    search = Search(judge, hot, time.monotonic() + 120, seen.append)
    search.attribution = Attribution(judge)

    text = as_donor(canonical(compiled(*OTHERS[other])), frame.assembly)
    assert text is not None
    verdict = search.try_candidate(Candidate("compilers", unit, (), text, other, foreign=True))

    assert verdict.kind is VerdictKind.NOT_FASTER, verdict
    (trial,) = search.trials
    assert trial.functions == ((unit, "both"),)
    (gain,) = search.attribution.best(unit, "stir")
    assert gain.names == ("both",)
    # It is about as fast; without stir's time it would have lost nearly all there is.
    assert gain.amount > -0.5
    search.attribution.gains.clear()
    search.attribution.note("stir", gain._replace(amount=0.2))
    assert Mixing(search).composed() is trial
    accepted = replace(verdict, kind=VerdictKind.ACCEPTED)
    found = Found(trial, accepted, 1.0, 1.0, (), Climbed(()))
    moved = search.moved(trial)
    assert moved == {(unit, "stir"): ("both",)}
    records = list(function_records(hot, seen, found, moved))
    assert [(x.function, x.share, x.verdict.value) for x in records] == [
        ("stir", 0.97, "unchanged"),
        ("both", 0.0, "accepted"),
    ]
    assert records[0].detail == "what was found has it inlined in both"


def plain_output(folder: Path, given: str) -> bytes:
    program = folder / "plain"
    source = str(folder / "moved.c")
    subprocess.run(["gcc", "-O1", source, "-o", str(program)], check=True)
    return subprocess.run([program], input=given.encode(), capture_output=True, check=True).stdout
