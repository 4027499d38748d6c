"""What becomes of each hot function, for the report: what was accepted, else the best that fell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gccllm.report.evidence import ladder_of
from gccllm.report.record import FunctionRecord
from gccllm.search.trial import Found, Seen
from gccllm.store import Rewrite
from gccllm.types import HotFunction, Verdict, VerdictKind

__all__ = ["function_records", "stored_records"]


def function_records(
    hot: Mapping[str, Sequence[HotFunction]],
    seen: Sequence[Seen],
    found: Found | None,
    moved: Mapping[tuple[str, str], Sequence[str]],
) -> Iterator[FunctionRecord]:
    """One record a hot function (``hot``: by unit), and one for each replaced beside them.

    ``moved``: hot functions that are part of others in what was found.
    """
    accepted = set(found.trial.functions) if found else set()
    profiled = {(unit, x.name): x for unit, functions in hot.items() for x in functions}
    more = found.trial.functions if found else ()
    asked = [*profiled, *(x for x in more if x not in profiled)]
    known = {(x.unit, x.function): x for x in found.climbed.found} if found else {}
    for unit, function in asked:
        about = [
            x
            for x in seen
            if x.candidate.unit == unit and (not x.functions or function in x.functions)
        ]
        if (unit, function) in accepted and found is not None:
            giver = found.trial.giver(unit, function).candidate
            proposer, label, verdict = giver.proposer, giver.label, found.verdict
        elif (unit, function) in moved:
            by = ", ".join(moved[unit, function])
            proposer = label = ""
            verdict = Verdict(VerdictKind.UNCHANGED, f"what was found has it inlined in {by}")
        else:
            last = max(about, key=_how_far, default=None)
            proposer = last.candidate.proposer if last else ""
            label = last.candidate.label if last else ""
            none = Verdict(VerdictKind.UNCHANGED, "no candidate was offered")
            verdict = last.verdict if last else none
        sure, about_it = known.get((unit, function)), profiled.get((unit, function))
        yield FunctionRecord(
            unit=unit,
            function=function,
            proposer=proposer,
            verdict=verdict.kind,
            assurance=sure.level.value if sure and verdict.accepted else "",
            speedup=verdict.speedup,
            tests_run=verdict.tests_run,
            candidates=len(about),
            seconds=sum(x.verdict.seconds for x in about),
            label=label,
            share=round(about_it.share, 4) if about_it else 0.0,
            calls=about_it.calls if about_it else None,
            detail=verdict.detail,
            evidence=sure.evidence() if sure else ladder_of(verdict.evidence, function),
        )


def stored_records(unit: str, rewrite: Rewrite, tests_run: int) -> Iterator[FunctionRecord]:
    """One record for each function of a stored rewrite that was applied."""
    for name in rewrite.functions:
        yield FunctionRecord(
            unit=unit,
            function=name,
            proposer=rewrite.proposer,
            verdict=VerdictKind.ACCEPTED,
            assurance=rewrite.assurance,
            speedup=rewrite.speedup,
            tests_run=tests_run,
            candidates=0,
            seconds=0.0,
            label=rewrite.label,
            detail="from the store",
            evidence=ladder_of(rewrite.evidence, name),
        )


def _how_far(seen: Seen) -> tuple[int, float]:
    """Orders verdicts by how far a candidate got, then by its speedup."""
    order = [
        VerdictKind.UNCHANGED,
        VerdictKind.MALFORMED,
        VerdictKind.SCREENED,
        VerdictKind.UNJUDGED,
        VerdictKind.NOT_ASSEMBLED,
        VerdictKind.NOT_LINKED,
        VerdictKind.TIMED_OUT,
        VerdictKind.CRASHED,
        VerdictKind.WRONG_EXIT,
        VerdictKind.WRONG_OUTPUT,
        VerdictKind.NOT_FASTER,
        VerdictKind.SUSPICIOUS,
        VerdictKind.DIFFERS,
        VerdictKind.ACCEPTED,
    ]
    verdict = seen.verdict
    ratio = verdict.speedup.ratio if verdict.speedup else 0.0
    examined = "ladder" in verdict.evidence and not verdict.accepted
    kind = VerdictKind.DIFFERS if examined else verdict.kind
    return order.index(kind), ratio
