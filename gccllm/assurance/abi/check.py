"""The static ABI check: a candidate's function beside the baseline's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from gccllm.asm.code import ObjectCode
from gccllm.asm.rules import check as check_rules
from gccllm.asm.splice import Refusal, Spliced
from gccllm.assurance.abi.comparison import new_findings
from gccllm.assurance.abi.graph import last_calls
from gccllm.assurance.abi.kinds import Finding, Kind
from gccllm.assurance.abi.notes import Notes
from gccllm.assurance.abi.outside import new_names
from gccllm.assurance.abi.subject import Subject
from gccllm.assurance.abi.transfer import Unsupported
from gccllm.assurance.abi.watch import watch
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.types import Json

__all__ = ["AbiReport", "Checker", "check"]

_SHOWN = 3
_FROM_RULES = {"ipa-ra": Kind.CLOBBER, "stack-alignment": Kind.STACK_ALIGNMENT}


@dataclass(frozen=True)
class AbiReport:
    """``findings`` speak against the candidate; ``doubts`` are why it can't be said to be right:
    findings that show on perhaps impossible paths only, and code that the analysis does not cover.
    """

    name: str
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...]
    instructions: int = 0

    @property
    def standing(self) -> Standing:
        if self.findings:
            return Standing.REFUTED
        return Standing.UNKNOWN if self.doubts else Standing.PASSED

    def examination(self, seconds: float = 0.0) -> Examination:
        """As the ladder counts it: without it there is no level at all."""
        said = [str(x) for x in self.findings] or list(self.doubts)
        kinds: list[Json] = [x.kind.value for x in self.findings]
        shown: list[Json] = list(said[:_SHOWN])
        evidence: dict[str, Json] = {
            "abi": shown,
            "kinds": kinds,
            "instructions": self.instructions,
        }
        detail = "; ".join(said[:_SHOWN]) or f"the ABI is kept in {self.instructions} instructions"
        return Examination(Assurance.TESTS, self.standing, detail, evidence, seconds)


def check(
    baseline: ObjectCode, candidate: ObjectCode, name: str, *, red_zone: bool = True
) -> AbiReport:
    """Compare one function; see :class:`Checker`, which is quicker for several."""
    return Checker(baseline, candidate, red_zone=red_zone).check(name)


class Checker:
    """Compares functions of two versions of a unit; never raises for what is in the code.

    ``replaced`` are all functions that differ between the two, just the one asked about if empty:
    callers among them are not held to what they assumed of the baseline's. ``red_zone=False``
    says that the unit is compiled with -mno-red-zone.
    """

    def __init__(
        self,
        baseline: ObjectCode,
        candidate: ObjectCode,
        *,
        replaced: Collection[str] = (),
        red_zone: bool = True,
    ) -> None:
        self.base = Subject(baseline, red_zone=red_zone)
        self.candidate = Subject(candidate, red_zone=red_zone)
        self.replaced = tuple(replaced)

    def check(self, name: str) -> AbiReport:
        """What the candidate's ``name`` does to the ABI that the baseline's does not."""
        try:
            base = watch(name, self.base)
        except Unsupported as error:
            return AbiReport(name, (), (f"the baseline is not covered: {error}",))
        try:
            candidate = watch(name, self.candidate)
            found = list(new_findings(base, candidate, self.base))
            stops: frozenset[str] = frozenset()
            if found and self._never_return & (set(base.imports) | set(candidate.imports)):
                stops = self._never_return
                base, candidate, found = self._compare(name, stops)
            depends = self._depends(name, base, candidate, found, stops)
        except Unsupported as error:
            return AbiReport(name, (), (f"the candidate is not covered: {error}",))
        doubts = [f"perhaps {x}" for x in found if not x.certain and x not in depends]
        doubts += [f"{x}, unless a call before it never returns" for x in depends]
        sure = [x for x in found if x.certain and x not in depends]
        sure += self._unit_rules(name)
        sure += new_names(name, self.base.unit, self.candidate.unit)
        return AbiReport(name, tuple(sure), tuple(doubts), candidate.instructions)

    def _depends(
        self, name: str, base: Notes, candidate: Notes, found: list[Finding], stops: frozenset[str]
    ) -> list[Finding]:
        """Findings that hang on whether certain functions of other objects return.

        Nothing says so in an object; a call that only a jump target follows may be the last thing
        its path does.
        """
        mute = {x for x, returns in candidate.imports.items() if not returns}
        mute -= {x for x, returns in base.imports.items() if returns}
        if not mute or not found:
            return []
        kept = {(x.kind, x.subject) for x in self._compare(name, stops | mute)[2]}
        return [x for x in found if (x.kind, x.subject) not in kept]

    def _compare(self, name: str, stops: frozenset[str]) -> tuple[Notes, Notes, list[Finding]]:
        base = watch(name, self.base, stops)
        candidate = watch(name, self.candidate, stops)
        return base, candidate, list(new_findings(base, candidate, self.base))

    @cached_property
    def _never_return(self) -> frozenset[str]:
        """What any function of either object ends with a call of."""
        return last_calls(self.base.functions()) | last_calls(self.candidate.functions())

    @cached_property
    def _refusals(self) -> list[Refusal]:
        base, candidate = self.base.unit, self.candidate.unit
        return check_rules(base, candidate, Spliced("", self.replaced, (), ()))

    def _unit_rules(self, name: str) -> list[Finding]:
        """What callers in the unit assume of the function (see :mod:`gccllm.asm.rules`)."""
        base, candidate = self.base.unit, self.candidate.unit
        if not base.callers(name) - set(self.replaced or (name,)):
            return []
        clobbers_more = self.candidate.clobbers(name) - self.base.clobbers(name)
        if not clobbers_more and not self.candidate.needs_alignment(name):
            return []
        refusals = (
            self._refusals
            if self.replaced
            else check_rules(base, candidate, Spliced("", (name,), (), ()))
        )
        place = self.candidate.entries.get(candidate.functions[name].name, (0, 0))
        return [
            Finding(_FROM_RULES[x.reason], "", place, x.detail)
            for x in refusals
            if x.reason in _FROM_RULES and x.detail.startswith(f"{name} ")
        ]
