"""What examinations earn, and whether that is enough. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from gccllm.assurance.ladder.accounts import Account
from gccllm.assurance.ladder.words import applies
from gccllm.assurance.levels import Assurance, Examination, Standing

__all__ = ["earned", "shortfall"]


def earned(rungs: Mapping[str, Examination], account: Account | None) -> Assurance:
    """The level that rungs earn that refuted nothing.

    A proof of all paths stands alone. All else wants the whole program fuzzed, every block
    accounted for, and an ABI check without doubts; a proof up to a bound and the calls of the
    differential level settle such doubts, for they watch what it demands. A program that can't be
    fuzzed (it reads nothing) can still be 'differential' or 'proved'.
    """
    if _passed(rungs, "proof") and rungs["proof"].evidence.get("bound", 0) is None:
        return Assurance.PROVED
    if account is None or not account.complete or not account.entered:
        return Assurance.TESTS
    fuzz = rungs.get("fuzz")
    silent = fuzz is not None and not applies(fuzz)
    for rung, level in (("proof", Assurance.PROVED), ("differential", Assurance.DIFFERENTIAL)):
        if _passed(rungs, rung) and (_passed(rungs, "fuzz") or silent):
            return level
    if _passed(rungs, "fuzz") and _passed(rungs, "abi"):
        return Assurance.FUZZED
    return Assurance.TESTS


def shortfall(
    rungs: Mapping[str, Examination], account: Account | None, wanted: Assurance
) -> tuple[str, str]:
    """A stable word and a line on why ``wanted`` is not reached; two empty strings where it is.

    'fuzzed' also wants the differential level of a function that can be examined there: one whose
    types are known and whose calls can be repeated.
    """
    level = earned(rungs, account)
    if not level.covers(wanted):
        return _why(rungs, account, wanted)
    if wanted is Assurance.FUZZED and level is Assurance.FUZZED:
        examined = rungs.get("differential")
        if examined is not None and applies(examined) and not _passed(rungs, "differential"):
            return "differential-undecided", f"differential: {examined.detail}"
    return "", ""


def _why(
    rungs: Mapping[str, Examination], account: Account | None, wanted: Assurance
) -> tuple[str, str]:
    if wanted is Assurance.PROVED and not _passed(rungs, "proof"):
        return _not_passed(rungs, "proof")
    fuzz = rungs.get("fuzz")
    if fuzz is not None and fuzz.standing is Standing.UNKNOWN and applies(fuzz):
        return _not_passed(rungs, "fuzz")
    if account is None:
        return "coverage-unknown", "no account of what was run"
    if account.unknown:
        return "coverage-unknown", account.unknown
    if not account.entered:
        return "never-entered", "no run ever called it"
    if not account.complete:
        return "blocks-never-run", str(account)
    for rung in ("fuzz", "differential"):
        if not _passed(rungs, rung) and (rung == "fuzz" or wanted is Assurance.DIFFERENTIAL):
            return _not_passed(rungs, rung)
    return _not_passed(rungs, "abi")


def _not_passed(rungs: Mapping[str, Examination], rung: str) -> tuple[str, str]:
    found = rungs.get(rung)
    if found is None:
        return f"{rung}-unknown", f"{rung}: not examined"
    return f"{rung}-unknown", f"{rung}: {found.detail}"


def _passed(rungs: Mapping[str, Examination], rung: str) -> bool:
    return rung in rungs and rungs[rung].standing is Standing.PASSED
