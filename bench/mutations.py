"""The assurance ladder against seeded mistakes: wrong accepts and false refusals at each rung.

    python -m bench.mutations make --folder F [--seconds 280] [--subject NAME ...]
    python -m bench.mutations wrong --folder F [--seconds 280] [--most 12]
    python -m bench.mutations probe --folder F [--seconds 280]
    python -m bench.mutations right --folder F [--seconds 280] [--most 10]
    python -m bench.mutations again --folder F NAME ...
    python -m bench.mutations table --folder F

``make`` makes mutants of right rewrites of small programs (bench/mutating) and keeps those that
gates and eight recordings accept. ``wrong`` asks every rung about them, ``right`` about right
rewrites (other compilers and settings, idioms). ``probe`` runs those mutants that no rung refutes
or proves equal on inputs made by hand, to find out whether they are wrong. All go on where they
stopped: a run ends after --seconds and says what is left. ``again`` examines single ones anew, by
parts of their names. ``table`` prints what is known, and each mutant that a level let through.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.mutating.examining import Examiner
from bench.mutating.ledger import Ledger
from bench.mutating.making import survivors
from bench.mutating.right import offers
from bench.mutating.subjects import Subject, subjects
from bench.mutating.tables import print_tables
from bench.mutating.truth import Truth
from bench.mutating.workshop import Workshop
from gccllm.types import Candidate

__all__ = ["main"]


def _make(options: argparse.Namespace) -> int:
    """One entry a survivor; one named for the program when all of its are there."""
    ledger = Ledger(options.folder / "mutants.jsonl")
    for subject in _chosen(options):
        if subject.name in ledger:
            continue
        if time.monotonic() > options.until:
            print("there is more to make")
            return 3
        fates: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as name, Workshop(subject, Path(name)) as shop:
            made = 0
            for mutant, passed in survivors(shop, random.Random(options.seed), fates):
                entry = {**asdict(mutant), "name": mutant.name, "functions": passed.functions}
                ledger.add(entry)
                made += 1
        ledger.add({"name": subject.name, "made": made, "fates": dict(fates)})
        print(f"{subject.name}: {made} survive; {dict(fates)}", flush=True)
    return 0


def _wrong(options: argparse.Namespace) -> int:
    mutants = Ledger(options.folder / "mutants.jsonl")
    results = Ledger(options.folder / "wrong.jsonl")
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for entry in mutants:
        if "made" not in entry:
            by_subject.setdefault(entry["subject"], []).append(entry)
    for subject in _chosen(options):
        chosen = _sampled(by_subject.get(subject.name, []), options.most, options.seed)
        if not _examined(
            options, subject, [x for x in chosen if x["name"] not in results], results
        ):
            return 3
    return 0


def _sampled(entries: Sequence[dict[str, Any]], most: int, seed: int) -> list[dict[str, Any]]:
    """Operators in turn, so that none is over-represented."""
    rng = random.Random(seed)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in sorted(entries, key=lambda x: str(x["name"])):
        groups.setdefault((entry["operator"], entry["where"]), []).append(entry)
    for group in groups.values():
        rng.shuffle(group)
    order = sorted(groups)
    rng.shuffle(order)
    found = []
    while any(groups.values()):
        for key in order:
            if groups[key]:
                found.append(groups[key].pop())
    return found[:most]


def _examined(
    options: argparse.Namespace, subject: Subject, entries: Sequence[dict[str, Any]], into: Ledger
) -> bool:
    """False where time ran out."""
    if not entries:
        return True
    if time.monotonic() > options.until:
        print(f"left: {subject.name} and what follows")
        return False
    with tempfile.TemporaryDirectory() as name, Workshop(subject, Path(name)) as shop:
        examiner = Examiner(shop, options.budget)
        for entry in entries:
            if time.monotonic() > options.until:
                print(f"left: {subject.name} and what follows")
                return False
            candidate = _candidate(entry)
            passed = shop.tried(candidate, entry["functions"])
            if isinstance(passed, str):
                into.add({"name": entry["name"], "subject": subject.name, "fell": passed})
                continue
            found = examiner.examine(passed)
            about = {k: v for k, v in entry.items() if k != "text"}
            into.add({**about, **found.evidence()})
            print(f"{found.seconds:5.1f} s {found.level:12} {entry['name']}", flush=True)
    return True


def _right(options: argparse.Namespace) -> int:
    results = Ledger(options.folder / "right.jsonl")
    made = Ledger(options.folder / "rewrites.jsonl")
    for subject in _chosen(options):
        if subject.name not in made:
            if time.monotonic() > options.until:
                print(f"left: {subject.name} and what follows")
                return 3
            with tempfile.TemporaryDirectory() as name, Workshop(subject, Path(name)) as shop:
                for number, (candidate, functions) in enumerate(offers(shop)):
                    made.add(
                        {
                            "name": f"{subject.name} {number}: {candidate.label} {functions[0]}",
                            "subject": subject.name,
                            "proposer": candidate.proposer,
                            "what": candidate.label,
                            "functions": functions,
                            "foreign": candidate.foreign,
                            "text": candidate.text,
                        }
                    )
            made.add({"name": subject.name})
        mine = [x for x in made if x.get("subject") == subject.name]
        idioms = [x for x in mine if x["proposer"] == "idioms"]
        others = [x for x in mine if x["proposer"] != "idioms"]
        random.Random(options.seed).shuffle(others)
        chosen = [*idioms, *others[: options.most]]
        if not _examined(
            options, subject, [x for x in chosen if x["name"] not in results], results
        ):
            return 3
    return 0


def _again(options: argparse.Namespace) -> int:
    for made, found in (("mutants.jsonl", "wrong.jsonl"), ("rewrites.jsonl", "right.jsonl")):
        results = Ledger(options.folder / found)
        entries = [
            x
            for x in Ledger(options.folder / made)
            if "text" in x and any(part in x["name"] for part in options.names)
        ]
        for subject in subjects():
            mine = [x for x in entries if x["subject"] == subject.name]
            if not _examined(options, subject, mine, results):
                return 3
    return 0


def _probe(options: argparse.Namespace) -> int:
    """Those that nothing refuted or proved, on inputs made by hand."""
    mutants = Ledger(options.folder / "mutants.jsonl")
    probed = Ledger(options.folder / "probed.jsonl")
    open_ones = [
        x
        for x in Ledger(options.folder / "wrong.jsonl")
        if x.get("level") not in (None, "refuted", "proved") and x["name"] not in probed
    ]
    for subject in _chosen(options):
        mine = [x["name"] for x in open_ones if x["subject"] == subject.name]
        if not mine:
            continue
        if time.monotonic() > options.until:
            print(f"left: {subject.name} and what follows")
            return 3
        with tempfile.TemporaryDirectory() as name, Workshop(subject, Path(name)) as shop:
            truth = Truth(shop)
            for one in mine:
                entry = mutants.get(one)
                passed = shop.tried(_candidate(entry), entry["functions"]) if entry else ""
                if entry is None or isinstance(passed, str):
                    continue
                found = truth.differs_on(passed)
                probed.add({"name": one, "witness": found, "inputs": truth.inputs})
                print(f"{one}: {found or f'equal on {truth.inputs} inputs'}", flush=True)
    return 0


def _candidate(entry: Mapping[str, Any]) -> Candidate:
    foreign = entry.get("foreign", True)
    return Candidate("mutant", entry["subject"], (), entry["text"], entry["what"], foreign=foreign)


def _table(options: argparse.Namespace) -> int:
    print_tables(options.folder)
    return 0


def _chosen(options: argparse.Namespace) -> list[Subject]:
    return [x for x in subjects() if not options.subject or x.name in options.subject]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    kinds = parser.add_subparsers(required=True)
    for name, work in (
        ("make", _make),
        ("wrong", _wrong),
        ("right", _right),
        ("probe", _probe),
        ("again", _again),
        ("table", _table),
    ):
        kind = kinds.add_parser(name)
        kind.add_argument("--folder", type=Path, required=True)
        kind.add_argument("--seconds", type=float, default=280.0)
        kind.add_argument("--budget", type=float, default=60.0, help="of the link")
        kind.add_argument("--seed", type=int, default=1)
        kind.add_argument("--most", type=int, default=12, help="a program")
        kind.add_argument("--subject", action="append")
        if name == "again":
            kind.add_argument("names", nargs="+")
        kind.set_defaults(work=work)
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    options.until = time.monotonic() + options.seconds
    status: int = options.work(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
