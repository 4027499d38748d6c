"""The tables: at which level how many wrong rewrites came through, and which right ones did not.

A mutant is *wrong* where an input shows it: a rung's counterexample, or one of the inputs made by
hand (truth.py). It is *equal* where the solvers have proved it for all states, or where
``known.json`` says why no input of its program tells it from gcc's code. What differs only on
arguments that the program was not seen to pass is *outside*. The rest is *open*, and counts as
wrong where it was let through.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.mutating.ledger import Ledger

__all__ = ["fate", "passes", "print_tables"]

KNOWN = Path(__file__).with_name("known.json")
"""{"equal": name of a mutant → why it is right after all, "wrong": name → why it is not}"""
Entry = Mapping[str, Any]


def _standing(entry: Entry, rung: str) -> str:
    found = entry["rungs"].get(rung)
    return str(found[0]) if found else ""


def _not_refuted(entry: Entry, rung: str) -> bool:
    return _standing(entry, rung) != "refuted"


def _fuzzed(entry: Entry) -> bool:
    passed = _standing(entry, "fuzz") == "passed" and bool(entry["complete"])
    return passed and _standing(entry, "abi") == "passed"


LEVELS: Mapping[str, Callable[[Entry], bool]] = {
    "recordings": lambda x: True,
    "+ ABI check": lambda x: _not_refuted(x, "abi"),
    "fuzzing alone": lambda x: _not_refuted(x, "abi") and _standing(x, "fuzz") == "passed",
    "fuzzing and all blocks run": _fuzzed,
    "differential testing alone": lambda x: _standing(x, "differential") == "passed",
    "the default, 'fuzzed'": lambda x: x["level"] != "refuted" and not x["short"],
    "'differential'": lambda x: x["level"] in ("differential", "proved"),
    "'proved'": lambda x: x["level"] == "proved",
}
"""level → whether a rewrite passes it"""


def passes(entry: Entry, level: str) -> bool:
    """Whether ``level`` accepts it."""
    return LEVELS[level](entry)


def fate(entry: Entry, probed: Entry | None, known: Mapping[str, Mapping[str, str]]) -> str:
    """ "wrong", "equal", "outside" or "open"."""
    if "refuted" in (_standing(entry, x) for x in ("fuzz", "differential")):
        return "wrong"
    if (probed is not None and probed["witness"]) or entry["name"] in known["wrong"]:
        return "wrong"
    proof = entry["rungs"].get("proof")
    if proof and proof[0] == "passed" and proof[1].startswith("equal on all paths"):
        return "equal"
    if entry["name"] in known["equal"]:
        return "equal"
    # What the ABI forbids is wrong, whether or not a run shows it.
    if _standing(entry, "abi") == "refuted":
        return "wrong"
    found = entry["rungs"].get("differential")
    return "outside" if found and "outside observed inputs" in found[1] else "open"


def print_tables(folder: Path) -> None:
    """Print what is known of a run in ``folder``."""
    known = json.loads(KNOWN.read_text())
    probed = Ledger(folder / "probed.jsonl")
    entries = [x for x in Ledger(folder / "wrong.jsonl") if "rungs" in x]
    fates = {x["name"]: fate(x, probed.get(x["name"]), known) for x in entries}
    made = [x for x in Ledger(folder / "mutants.jsonl") if "made" in x]
    _print_made(made)
    print(f"\n{len(entries)} of these were examined: {dict(Counter(fates.values()))}\n")
    _print_levels(entries, fates)
    _print_operators(entries, fates)
    for entry in entries:
        name = entry["name"]
        if fates[name] != "equal" and (passes(entry, "the default, 'fuzzed'")):
            print(f"- let through, {fates[name]}: {name}")
    _print_right([x for x in Ledger(folder / "right.jsonl") if "rungs" in x])


def _print_made(made: Sequence[Entry]) -> None:
    total: Counter[str] = Counter()
    for entry in made:
        total.update(entry["fates"])
    fates = ", ".join(f"{n} {x}" for x, n in total.most_common())
    survive = sum(x["made"] for x in made)
    print(f"{sum(total.values())} mutants of {len(made)} programs: {fates}.")
    print(f"{survive} different ones pass eight recordings and all gates below the ladder.")


def _print_levels(entries: Sequence[Entry], fates: Mapping[str, str]) -> None:
    print("| level | wrong let through | of | rate | open let through |")
    print("|---|---|---|---|---|")
    for level in LEVELS:
        single = level in ("differential testing alone", "'differential'", "'proved'")
        asked = [x for x in entries if "differential" in x["rungs"] or not single]
        wrong = [x for x in asked if fates[x["name"]] == "wrong"]
        through = sum(passes(x, level) for x in wrong)
        unknown = sum(passes(x, level) for x in asked if fates[x["name"]] == "open")
        rate = f"{100 * through / len(wrong):.1f}%" if wrong else "–"
        print(f"| {level} | {through} | {len(wrong)} | {rate} | {unknown} |")


def _print_operators(entries: Sequence[Entry], fates: Mapping[str, str]) -> None:
    print("\n| mistake | wrong | refuted by: abi | fuzz | differential | equal | open |")
    print("|---|---|---|---|---|---|---|")
    for operator in sorted({x["operator"] for x in entries}):
        mine = [x for x in entries if x["operator"] == operator]
        wrong = [x for x in mine if fates[x["name"]] == "wrong"]
        caught = [
            sum(_standing(x, rung) == "refuted" for x in wrong)
            for rung in ("abi", "fuzz", "differential")
        ]
        rest = [sum(fates[x["name"]] == kind for x in mine) for kind in ("equal", "open")]
        print(f"| {operator} | {len(wrong)} | {' | '.join(map(str, [*caught, *rest]))} |")
    print()


def _print_right(entries: Sequence[Entry]) -> None:
    if not entries:
        return
    refuted = [x for x in entries if x["level"] == "refuted"]
    short = [x for x in entries if x["level"] != "refuted" and x["short"]]
    print(f"\n{len(entries)} right rewrites: {len(refuted)} refuted, {len(short)} stay below the")
    levels = Counter(x["level"] for x in entries)
    print(f"default ('fuzzed'); levels reached: {dict(levels)}.")
    for entry in (*refuted, *short):
        said = [f"{k}: {v[1][:120]}" for k, v in entry["rungs"].items() if v[0] == "refuted"]
        print(f"- {entry['name']}: {'; '.join(said) or entry['short'][:160]}")
