"""The rungs over a real program: each examination, set up from what the link has at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from gccllm.asm.code import ObjectCode, functions_of
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.abi import Checker
from gccllm.assurance.coverage import Coverage, Unmeasured, cover
from gccllm.assurance.differential import Differential
from gccllm.assurance.differential.layout import Unsupported
from gccllm.assurance.differential.source import checked_unit, plain_unit
from gccllm.assurance.fuzz import fuzz
from gccllm.assurance.ladder.accounts import Account, Gap, Side, account
from gccllm.assurance.ladder.helpers import Helpers
from gccllm.assurance.ladder.region import examine_region
from gccllm.assurance.ladder.rewritten import Rewritten, rewritten
from gccllm.assurance.ladder.stops import Stops
from gccllm.assurance.ladder.words import Combination, Function, skipped
from gccllm.assurance.levels import Assurance, Examination, Standing
from gccllm.assurance.unreachable import Unreachable
from gccllm.harness.compare import Harness
from gccllm.program import Build, Program
from gccllm.proposers.base import CompileSpec
from gccllm.recordings import Recording
from gccllm.sandbox.base import Sandbox, Trial

__all__ = ["Place", "ProgramRungs"]

MOST_TRIALS = 400
"""fuzzed inputs on which blocks are counted"""
FEWEST_CALLS_SECONDS = 0.5


class Place(NamedTuple):
    """Where the rungs work. ``scratch``: an existing folder for what they build; ``core``: the one
    to run on. ``specs``: how to compile a unit's source again, where that is known."""

    program: Program
    baseline: Build
    recording: Recording
    sandbox: Sandbox
    scratch: Path
    specs: Mapping[str, CompileSpec]
    core: int | None = None


class ProgramRungs:
    """The rungs over one program; see :class:`gccllm.assurance.ladder.climb.Rungs`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._trials: list[Trial] = []
        """inputs on which both did the same, and on which blocks were not counted yet"""
        self._fuzzed: Combination | None = None
        self._seed = 0
        self._reached: dict[tuple[str, Function], Coverage] = {}
        """by side and function, all counts together"""
        self._ways: dict[tuple[str, str], Unreachable] = {}
        """by unit and text"""
        self._rewritten: dict[tuple[Function, str], Rewritten | None] = {}
        self._bases: dict[str, Unit] = {}
        self._codes: dict[str, ObjectCode] = {}
        """gcc's own, by unit"""
        self._checkers: dict[str, tuple[Build, Checker]] = {}
        """by unit, of the build that was asked about last"""
        self._plains: dict[str, str | None] = {}

    def abi(self, what: Combination, function: Function) -> Examination:
        """What the shipped object does to the ABI that gcc's does not."""
        unit, name = function
        return self._checker(what, unit).check(name).examination()

    def _checker(self, what: Combination, unit: str) -> Checker:
        """Decoding an object takes seconds where it is large: once for all of its functions."""
        known = self._checkers.get(unit)
        if known is None or known[0] is not what.build:
            if unit not in self._codes:
                self._codes[unit] = functions_of(self._place.baseline.objects[unit])
            replaced = [n for u, n in what.replaced or what.functions if u == unit]
            red_zone = "-mno-red-zone" not in self._place.program.units[unit].options
            after = functions_of(what.build.objects[unit])
            checker = Checker(self._codes[unit], after, replaced=replaced, red_zone=red_zone)
            known = self._checkers[unit] = (what.build, checker)
        return known[1]

    def fuzz(self, what: Combination, seconds: float) -> Examination:
        place = self._place
        if what is not self._fuzzed:
            self._fuzzed, self._seed = what, -1
            self._reached.clear()
            self._trials.clear()
        self._seed += 1
        return fuzz(
            place.sandbox,
            place.baseline,
            what.build,
            place.recording,
            seconds=seconds,
            seed=self._seed,
            witnesses=self._witnesses,
            core=place.core,
            compared=self._keep,
        )

    def _keep(self, trial: Trial) -> None:
        """Inputs may be large, and no more of them are counted on."""
        if len(self._trials) < MOST_TRIALS:
            self._trials.append(trial)

    @cached_property
    def _witnesses(self) -> Mapping[str, Path]:
        """The program with a trap at what C leaves undefined, where the source is known."""
        place = self._place
        folder = place.scratch / "witness"
        folder.mkdir(exist_ok=True)
        texts = {}
        for unit, spec in place.specs.items():
            checked = checked_unit(place.program, spec, folder)
            if checked is not None:
                texts[unit] = checked.text
        built = place.program.build(texts, folder / "undefined") if texts else None
        return {"undefined": built.executable} if isinstance(built, Build) else {}

    def accounts(self, what: Combination, seconds: float) -> Mapping[Function, Account]:
        """Which blocks the recordings and the fuzzed inputs entered, in both versions."""
        wanted: dict[str, list[str]] = {}
        for unit, name in what.functions:
            wanted.setdefault(unit, []).append(name)
        helpers = {
            unit: Helpers(parse(what.texts[unit]), self._base(unit).functions) for unit in wanted
        }
        both = {unit: [*names, *helpers[unit].names] for unit, names in wanted.items()}
        theirs = self._covered("candidate", what.texts, both, seconds / 2)
        ours = self._covered("gcc", {}, wanted, seconds / 2)
        self._trials.clear()
        if isinstance(ours, str) or isinstance(theirs, str):
            why = ours if isinstance(ours, str) else theirs
            return dict.fromkeys(what.functions, Account(unknown=str(why)))
        made = {}
        for unit, name in what.functions:
            texts = (self._place.program.units[unit].assembly, what.texts[unit])
            candidate = [theirs[unit, x] for x in (name, *helpers[unit].of(name))]
            missed = any(x.unreached for x in (ours[unit, name], *candidate))
            ways = self._unreachable(what, unit) if missed else (None, None)
            if helpers[unit].names:
                # Nobody watches how they return, and one may return elsewhere.
                ways = ways[0], None
            stop = partial(self._stops.arguments, unit, without=frozenset(what.functions))
            source = partial(self._plain, unit)
            made[unit, name] = account(texts, ours[unit, name], candidate, ways, stop, source)
        return made

    def _unreachable(
        self, what: Combination, unit: str
    ) -> tuple[Unreachable | None, Unreachable | None]:
        """What no call can enter, of gcc's unit and of the rewritten one."""
        place = self._place
        made = []
        checker = self._checker(what, unit)
        for text, code, trusted in (
            (place.program.units[unit].assembly, checker.base.unit, True),
            (what.texts[unit], checker.candidate.unit, False),
        ):
            key = unit, text
            if key not in self._ways:
                self._ways[key] = Unreachable(parse(text), code, trusted=trusted)
            made.append(self._ways[key])
        return made[0], made[1]

    def _plain(self, unit: str) -> str | None:
        """gcc's unit without optimization."""
        place = self._place
        if unit not in self._plains:
            made = plain_unit(place.program, place.specs.get(unit), place.scratch)
            self._plains[unit] = made
        return self._plains[unit]

    @cached_property
    def _stops(self) -> Stops:
        place = self._place
        return Stops(
            lambda: {x: self._base(x) for x in place.program.units},
            lambda unit, name: self._differential.signature(unit, name, place.specs.get(unit)),
        )

    def _base(self, unit: str) -> Unit:
        if unit not in self._bases:
            self._bases[unit] = parse(self._place.program.units[unit].assembly)
        return self._bases[unit]

    def _covered(
        self,
        side: str,
        texts: Mapping[str, str],
        functions: Mapping[str, list[str]],
        seconds: float,
    ) -> dict[Function, Coverage] | str:
        """By function, with what was counted before; why nothing is known, else."""
        place = self._place
        done = cover(
            place.program,
            functions,
            place.sandbox,
            place.recording,
            scratch=place.scratch,
            texts=texts,
            trials=self._trials,
            core=place.core,
            seconds=seconds,
        )
        if isinstance(done, Unmeasured):
            return done.reason
        for count in done:
            key = side, (count.unit, count.function)
            self._reached[key] = _merged(self._reached.get(key, count), count)
        return {function: x for (of, function), x in self._reached.items() if of == side}

    def region(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        del seconds  # so many states take a known time
        found = self._region(what, function)
        if found is None:
            why = "it is not a rewrite of one region"
            return skipped(Assurance.FUZZED, why, applicable=False), account
        place = self._place
        with Harness(place.sandbox, place.program.toolchain) as harness:
            text = what.givers[function].text
            return examine_region(harness, found, function[1], text, account)

    def _region(self, what: Combination, function: Function) -> Rewritten | None:
        giver = what.givers[function]
        key = (function, giver.text)
        if key not in self._rewritten:
            tools, scratch = self._place.program.toolchain, self._place.scratch / "region.o"
            base = self._base(function[0])
            found = None
            if not giver.foreign:
                found = rewritten(tools, base, giver.text, function[1], scratch)
            self._rewritten[key] = found
        return self._rewritten[key]

    def differential(
        self, what: Combination, function: Function, account: Account, seconds: float
    ) -> tuple[Examination, Account]:
        unit, name = function
        tester, spec = self._differential, self._place.specs.get(unit)
        done = tester.examine(unit, name, what.texts[unit], spec=spec, seconds=seconds / 3)
        if done.standing is not Standing.PASSED or account.unknown or account.complete:
            return done, account
        try:
            entered = tester.entered(
                unit, name, what.texts[unit], seconds=max(seconds / 4, FEWEST_CALLS_SECONDS)
            )
        except Unsupported:
            entered = None
        if entered is None:
            return done, account

        def hit(side: Side, flags: Mapping[str, tuple[bool, ...]]) -> list[Gap]:
            return [
                x
                for x in side.gaps
                if x.number < len(flags.get(x.function, ())) and flags[x.function][x.number]
            ]

        ours = hit(account.baseline, {name: entered.baseline})
        return done, account.without(
            "differential", ours, hit(account.candidate, entered.candidate)
        )

    @cached_property
    def _differential(self) -> Differential:
        place = self._place
        folder = place.scratch / "calls"
        folder.mkdir(exist_ok=True)
        given = [case.given for case in place.recording.cases]
        return Differential(place.program, given, place.sandbox, folder)

    def proof(self, what: Combination, function: Function, seconds: float) -> Examination:
        """A counterexample is a state that no caller may ever pass: it refutes nothing here."""
        # Lifter and solvers are heavy, and the link has to get by without them.
        from gccllm.assurance.proof.prove import prove, prove_region

        place = self._place
        found = self._region(what, function)
        if found is not None and found.rest_is_gccs:
            return prove_region(
                found.region,
                found.layout.unit,
                found.gcc,
                found.candidate,
                constants=found.layout.constants(found.region),
                seconds=seconds,
                expected=lambda state: False,
                tools=place.program.toolchain,
                sandbox=place.sandbox,
            )
        unit, name = function
        try:
            signature = self._differential.signature(unit, name, place.specs.get(unit))
        except Unsupported as error:
            return skipped(Assurance.PROVED, f"not supported: {error}")
        registers = ("rax", "rdx", "ymm0", "ymm1")
        masks = zip(registers, signature.returned.masks, strict=True)
        return prove(
            place.baseline.objects[unit],
            what.build.objects[unit],
            name,
            result={register: mask.bit_length() for register, mask in masks if mask},
            seconds=seconds,
            expected=lambda state: False,
            tools=place.program.toolchain,
            sandbox=place.sandbox,
        )


def _merged(one: Coverage, other: Coverage) -> Coverage:
    """Two counts of the same blocks."""
    missed = tuple(x for x in one.unreached if x in other.unreached)
    return replace(one, reached=one.blocks - len(missed), unreached=missed)
