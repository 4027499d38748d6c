"""The project's own tests as one more examination, after all others: they cost the most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gccllm.assurance.ladder import Climbed, Combination, Known
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.search.conclusion import Climber

__all__ = ["CHECK", "Checked"]

CHECK = "check"
Checks = Callable[[Combination], str]
"""Run the project's tests with a combination in place; "" when they pass, else what they say."""


class Checked:
    """A ladder with the project's tests on top.

    A combination that fails them loses the functions that fail them alone, or all of them.
    """

    def __init__(
        self,
        ladder: Climber,
        check: Checks,
        alone: Callable[[Combination, tuple[str, str]], Combination | None],
    ) -> None:
        """``alone`` gives a combination with one function left; None where that can't be built."""
        self.ladder = ladder
        self.wanted: Assurance = ladder.wanted
        self._check = check
        self._alone = alone

    @property
    def reserved(self) -> float:
        return self.ladder.reserved

    def doubted(self, what: Combination) -> bool:
        return self.ladder.doubted(what)

    def examine(self, what: Combination) -> Climbed:
        """As the ladder does, and then the tests."""
        climbed = self.ladder.examine(what)
        if climbed.fallen:
            return climbed
        said = self._check(what)
        if not said:
            passed = Examination(Assurance.TESTS, Standing.PASSED, "the project's tests pass")
            found = (replace(x, rungs={**x.rungs, CHECK: passed}) for x in climbed.found)
            return replace(climbed, found=tuple(found))
        guilty = {x: self._says(what, x) for x in what.functions} if len(climbed.found) > 1 else {}
        guilty = {x: text for x, text in guilty.items() if text}
        fallen = [
            _refused(x, guilty.get((x.unit, x.function), said))
            for x in climbed.found
            if not guilty or (x.unit, x.function) in guilty
        ]
        return replace(climbed, found=tuple(fallen))

    def _says(self, what: Combination, function: tuple[str, str]) -> str:
        one = self._alone(what, function)
        return self._check(one) if one is not None else ""


def _refused(known: Known, said: str) -> Known:
    detail = f"the project's tests fail: {said}"
    failed = Examination(Assurance.TESTS, Standing.REFUTED, detail, {"counterexample": detail})
    return replace(
        known,
        level=Assurance.TESTS,
        rungs={**known.rungs, CHECK: failed},
        refuted=CHECK,
        why=detail,
    )
