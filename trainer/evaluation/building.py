"""Build the programs of each set with gcc-llm, by each choice of proposers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from trainer.corpus.programs import JudgedProgram, load_program
from trainer.evaluation.asking import Asking
from trainer.evaluation.ledger import Ledger
from trainer.evaluation.plan import EXAMPLES, Plan
from trainer.evaluation.product import PROPOSERS, built
from trainer.evaluation.summary import product_summary

__all__ = ["build_sets"]

INTERCEPTED = frozenset(("-O2", "-O3"))
"""what gcc-llm leaves alone at other levels says nothing of it"""


def build_sets(plan: Plan, asking: Asking) -> dict[str, Any]:
    """Set → what gcc-llm made of its programs with each choice of proposers, and the figures."""
    found: dict[str, Any] = {}
    if plan.build is None:
        return found
    ledger = Ledger(plan.out, "product", plan.settings())
    for name in plan.sets:
        programs = _programs_to_build(plan, name, asking)
        for number, program in enumerate(programs, 1):
            for column, proposers in PROPOSERS.items():
                key = f"{name} {column} {program.name}"
                if key in ledger or time.monotonic() > asking.until:
                    continue
                entry = built(program, proposers, plan.build)
                ledger.add(key, entry)
                shown = f"{entry['speedup']:.2f}" if entry["accepted"] else entry["reason"]
                asking.say(f"{name} {number} gcc-llm with {column}: {program.name}: {shown}")
        found[name] = _product(name, programs, ledger, asking.fitting(name))
    return found


def _programs_to_build(plan: Plan, name: str, asking: Asking) -> list[JudgedProgram]:
    if name == EXAMPLES:
        return plan.example_programs()
    folder = plan.out / "programs"
    named = [key for key, entry in asking.entries(name).items() if not entry.get("dropped")]
    made = (folder / f"{x}.json" for x in named)
    programs = (load_program(x) for x in made if x.is_file())
    fast = (x for x in programs if not INTERCEPTED.isdisjoint(x.options))
    return list(islice(fast, plan.product_limit))


def _product(
    name: str, programs: Sequence[JudgedProgram], ledger: Ledger, fitting: frozenset[str]
) -> dict[str, Any]:
    entries: dict[str, dict[str, Any]] = {}
    for program in programs:
        of_program = {
            column: ledger.entries[f"{name} {column} {program.name}"]
            for column in PROPOSERS
            if f"{name} {column} {program.name}" in ledger
        }
        if of_program:
            entries[program.name] = of_program
    summary = {}
    for column in PROPOSERS:
        summary[column] = product_summary(
            [x[column] for x in entries.values() if column in x]
        ).as_json()
        summary[f"{column}, where a family applies"] = product_summary(
            [x[column] for n, x in entries.items() if column in x and n in fitting]
        ).as_json()
    return {"programs": entries, "fitting": sorted(fitting & set(entries)), "summary": summary}
