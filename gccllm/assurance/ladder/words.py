"""What goes up the ladder, and what comes down: a combination of rewrites, and what is known of
each of its functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gccllm.assurance.ladder.accounts import Account
from gccllm.assurance.levels import Assurance, Examination, Standing, weakest
from gccllm.program import Build
from gccllm.types import Json, Verdict, VerdictKind

__all__ = ["Climbed", "Combination", "Function", "Giver", "Known", "applies", "skipped"]

Function = tuple[str, str]
"""(unit, name)"""


@dataclass(frozen=True)
class Giver:
    """The candidate that a function comes from, as the judge got it."""

    text: str
    foreign: bool = False


@dataclass(frozen=True)
class Combination:
    """A program with some functions replaced: ``texts`` are the units that differ from gcc's,
    ``build`` the program linked with them, ``givers`` where each function is from that is not
    gcc's own any more. ``replaced``: those, and others that came with them and are gcc's after
    all."""

    texts: Mapping[str, str]
    build: Build
    givers: Mapping[Function, Giver]
    replaced: tuple[Function, ...] = ()

    @property
    def functions(self) -> tuple[Function, ...]:
        return tuple(self.givers)


@dataclass(frozen=True)
class Known:
    """What is known of one function. ``rungs`` by name, in the order in which they were climbed;
    ``level`` is what they earn. ``refuted`` names the rung that refused it, ``short`` is a stable
    word for why it stays below what is wanted; both are empty for one that stands. ``why`` is one
    line for a person."""

    unit: str
    function: str
    level: Assurance
    rungs: Mapping[str, Examination]
    account: Account | None = None
    refuted: str = ""
    short: str = ""
    why: str = ""

    @property
    def stands(self) -> bool:
        return not self.refuted and not self.short

    @property
    def lasting(self) -> bool:
        """Whether it would end so again: it did not end for lack of time or by a fault of ours."""
        return not any(x.evidence.get("again") for x in self.rungs.values())

    def evidence(self) -> dict[str, Json]:
        """For reports and the store."""
        rungs: dict[str, Json] = {
            name: {
                "standing": x.standing.value,
                "detail": x.detail,
                "seconds": round(x.seconds, 3),
                **{k: v for k, v in x.evidence.items() if k not in ("applicable", "again")},
            }
            for name, x in self.rungs.items()
        }
        made: dict[str, Json] = {"assurance": self.level.value, "rungs": rungs}
        if self.account is not None:
            made["blocks"] = self.account.evidence()
        if not self.stands:
            made["refused"] = self.refuted or self.short
            made["why"] = self.why
        return made

    def verdict(self, wanted: Assurance) -> Verdict:
        """Of one that does not stand."""
        made: dict[str, Json] = {"ladder": {self.function: self.evidence()}}
        detail = f"{self.function}: {self.why}"
        if self.refuted == "abi":
            found = self.rungs["abi"].evidence
            kinds = found.get("kinds")
            rule = kinds[0] if isinstance(kinds, list) and kinds else "abi"
            made |= {"gate": "abi", "rule": rule}
            return Verdict(VerdictKind.SCREENED, detail, made)
        if self.refuted:
            made["rung"] = self.refuted
            counterexample = self.rungs[self.refuted].evidence.get("counterexample")
            made["counterexample"] = counterexample or self.rungs[self.refuted].detail
            return Verdict(VerdictKind.DIFFERS, detail, made)
        made |= {"reason": self.short, "wanted": wanted.value, "reached": self.level.value}
        short = f"{self.function}: {self.level.value} only, not {wanted.value}: {self.why}"
        return Verdict(VerdictKind.UNJUDGED, short, made)


@dataclass(frozen=True)
class Climbed:
    """What came of one combination. ``found``: each function, or those alone that fell when the
    climb ended early. ``counted``: stable words for counters (a rung that failed, say)."""

    found: tuple[Known, ...]
    seconds: float = 0.0
    counted: tuple[str, ...] = field(default_factory=tuple)

    @property
    def level(self) -> Assurance:
        """The weakest of its functions'."""
        return weakest(x.level for x in self.found)

    @property
    def fallen(self) -> tuple[Known, ...]:
        return tuple(x for x in self.found if not x.stands)

    def evidence(self) -> dict[str, Json]:
        """Of all functions by name; for one unit's, pick by ``found``."""
        return {x.function: x.evidence() for x in self.found}


def skipped(level: Assurance, why: str, **evidence: Json) -> Examination:
    """An examination that was not made; evidence ``again``: it may be made the next time."""
    return Examination(level, Standing.UNKNOWN, why, evidence)


def applies(examination: Examination) -> bool:
    """False where a rung says that it has nothing to say about such a function or program."""
    return examination.evidence.get("applicable") is not False
