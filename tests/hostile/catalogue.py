"""docs/HOSTILE.md, from the attacks themselves: ``python -m tests.hostile.catalogue``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gccllm.judge.screen import RULES
from tests.hostile.attacks import ATTACKS, DYNAMIC
from tests.hostile.judged import IN_ASSEMBLY, IN_C, LADDER, ODD, PASSES, Rewrite
from tests.sandbox import test_attacks as sandbox

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "HOSTILE.md"
_HEAD = """# Attacks, and what becomes of them

Assembly that a model writes is treated as hostile. Every attack below is a test; the verdict beside
it is the one that the test demands. This page is made from the tests
(`python -m tests.hostile.catalogue`), and a test compares the two.

{total} attacks: {gates} on the text and the object, {rewrites} rewrites before the judge, {ladder}
that recordings do not show, {programs} hostile programs in the sandbox.
"""
_TIMERS = """Timers are allowed in one place: `gccllm optimize` finds out which function of a
layer gains by the same sampling that profiles gcc's program (`gccllm/search/attribution.py`). Only
what has passed every recording gets there, and what it says of itself decides when it is timed, not
whether it counts as faster.
"""


def page() -> str:
    """The page as it should be."""
    programs = sorted(_programs())
    rewrites = len(IN_C) + len(IN_ASSEMBLY) + len(ODD)
    gates = len(ATTACKS) + len(DYNAMIC)
    counts = {
        "gates": gates,
        "rewrites": rewrites,
        "ladder": len(LADDER),
        "programs": len(programs),
        "total": gates + rewrites + len(LADDER) + len(programs),
    }
    parts = [_HEAD.format(**counts), *_gates(), *_judged(), *_climbed(), *_sandboxed(programs)]
    return "\n".join(parts)


def _gates() -> Iterator[str]:
    yield "## Text and object: screened (`tests/hostile/test_gate_attacks.py`)\n"
    yield "| gate | rule | meaning | attacks |\n|---|---|---|---|"
    for gate in ("text", "object"):
        by_rule: dict[str, list[str]] = {}
        for attack in ATTACKS:
            rule = attack.by_text if gate == "text" else attack.by_object
            if rule is not None:
                by_rule.setdefault(rule, []).append(attack.name)
        for rule, names in sorted(by_rule.items()):
            yield f"| {gate} | {rule} | {RULES[rule]} | {_listed(names)} |"
    yield (
        f"\n{len(DYNAMIC)} more pass the gates, and rightly so: where they lead is decided at run"
        " time, and the ABI check and the sandbox are there for it.\n"
    )


def _judged() -> Iterator[str]:
    yield "## Rewrites before the judge (`tests/hostile/test_judge_attacks.py`)\n"
    yield "| verdict | rewrites |\n|---|---|"
    by_verdict: dict[str, list[str]] = {}
    for rewrite in (*IN_C, *IN_ASSEMBLY):
        kind = "harmless" if rewrite.verdict is PASSES else rewrite.verdict.value
        by_verdict.setdefault(kind, []).append(rewrite.name)
    for name, _, verdict in ODD:
        by_verdict.setdefault(verdict.value, []).append(name)
    for kind, names in sorted(by_verdict.items()):
        yield f"| {kind} | {_listed(names)} |"
    yield "\nHarmless: right on every recording, as it would not be if what it tries had worked.\n"


def _climbed() -> Iterator[str]:
    yield "## What recordings do not show: differs, or not assured\n"
    yield _listed(x.name for x in _sorted(LADDER)) + ".\n"


def _sandboxed(programs: list[tuple[str, str]]) -> Iterator[str]:
    yield "## Programs in the sandbox (`tests/sandbox/test_attacks.py`)\n"
    yield "| outcome | programs |\n|---|---|"
    by_outcome: dict[str, list[str]] = {}
    for name, outcome in programs:
        by_outcome.setdefault(outcome, []).append(name.replace("_", " "))
    for outcome, names in sorted(by_outcome.items()):
        yield f"| {outcome} | {_listed(names)} |"
    yield ""
    yield _TIMERS


def _programs() -> Iterator[tuple[str, str]]:
    for outcome, names in (
        ("killed for a forbidden system call", sandbox.FORBIDDEN),
        ("refused", sandbox.REFUSED),
        ("harmless", sandbox.HARMLESS),
        ("timed out", sandbox.TIMED_OUT),
        ("too much output", sandbox.TOO_MUCH),
        ("a test of its own", [x for x in sandbox.ELSEWHERE if x != "kernel_surface"]),
        ("killed for a forbidden system call", [f"call {x}" for x in sandbox.SURFACE]),
    ):
        yield from ((name, outcome) for name in names)


def _sorted(rewrites: Iterable[Rewrite]) -> list[Rewrite]:
    return sorted(rewrites, key=lambda x: x.name)


def _listed(names: Iterable[str]) -> str:
    return "; ".join(x.replace("|", "\\|").replace("\n", " ") for x in names)


if __name__ == "__main__":
    PAGE.write_text(page())
