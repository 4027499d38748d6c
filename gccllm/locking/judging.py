"""``gccllm lock --check``: the rewrites of a lock file are judged again, in a link with recordings.

The command puts the file into a folder and names that folder in GCCLLM_LOCK_CHECK; each link below
it judges what the file has for its units and leaves ``PROGRAM.json`` there: one entry a block.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.assurance.ladder import Combination, Giver, Known, Ladder, Shares
from gccllm.assurance.ladder.rungs import Place, ProgramRungs
from gccllm.assurance.levels import Assurance
from gccllm.errors import LockError
from gccllm.judge.baseline import Admitted
from gccllm.judge.judge import Judge
from gccllm.lockfile import Locked
from gccllm.locking.matching import Match
from gccllm.locking.restoring import Restorer
from gccllm.program import Program
from gccllm.recompile import recompile
from gccllm.recordings import Recording
from gccllm.sandbox.base import Sandbox
from gccllm.types import Json, Speedup, Verdict, VerdictKind

__all__ = ["Court", "Judged", "leave"]


@dataclass(frozen=True)
class Judged:
    """What came of one block in one program. ``standing`` is "holds" or a stable word for why it
    does not (a verdict's, "stale", "refused", "less-sure", …)."""

    block: Locked
    standing: str
    detail: str
    speedup: Speedup | None = None

    def as_json(self) -> dict[str, Json]:
        return {
            "baseline": self.block.baseline,
            "functions": list(self.block.functions),
            "standing": self.standing,
            "detail": self.detail,
            "speedup": self.speedup.ratio if self.speedup else None,
        }


@dataclass(frozen=True)
class Court:
    """Where blocks are judged; ``budget`` in seconds, ``core`` the one to run on."""

    program: Program
    recording: Recording
    sandbox: Sandbox
    scratch: Path
    budget: float
    core: int | None
    say: Callable[[str], None]

    def judge(self, found: Mapping[str, Match]) -> list[Judged]:
        """All blocks of the program's units together, as they would be shipped."""
        judged: list[Judged] = []
        restorer = Restorer(self.program, self.scratch)
        texts: dict[str, str] = {}
        for unit, entry in found.items():
            try:
                text = restorer.restore(unit, entry.blocks) if entry.blocks else ""
                if text:
                    restorer.check(unit, text, entry.blocks, _mode(entry.blocks))
                    texts[unit] = text
            except LockError as error:
                judged += [Judged(x, "refused", str(error)) for x in entry.blocks]
        if texts:
            judged += self._together(restorer, texts, {u: found[u].blocks for u in texts})
        for one in judged:
            self.say(f"{one.block.unit}: {one.standing}: {one.detail}")
        return judged

    def _together(
        self,
        restorer: Restorer,
        texts: Mapping[str, str],
        blocks: Mapping[str, tuple[Locked, ...]],
    ) -> list[Judged]:
        flat = [x for unit in blocks for x in blocks[unit]]
        isas = {unit: restorer.isa(unit, x, _mode(x)) for unit, x in blocks.items()}
        until = time.monotonic() + self.budget
        judge = Judge(
            self.program,
            self.recording,
            self.sandbox,
            isas,
            scratch=self.scratch,
            core=self.core,
            expired=lambda: time.monotonic() > until,
        )
        failed = judge.check_baseline(self.program.output)
        if failed is not None:
            return [Judged(x, "unjudged", failed.detail) for x in flat]
        admitted = judge.admit(texts)
        if isinstance(admitted, Verdict):
            return [Judged(x, admitted.kind.value, admitted.detail) for x in flat]
        verdict, _ = judge.clock.confirm(admitted)
        if not verdict.accepted:
            kind, speed = verdict.kind.value, verdict.speedup
            return [Judged(x, kind, verdict.detail, speed) for x in flat]
        known = self._examined(judge, admitted, blocks)
        return [
            self._sure(x, {n: known.get((unit, n)) for n in x.functions}, verdict)
            for unit in blocks
            for x in blocks[unit]
        ]

    def _examined(
        self, judge: Judge, admitted: Admitted, blocks: Mapping[str, tuple[Locked, ...]]
    ) -> dict[tuple[str, str], Known]:
        givers = {
            (unit, name): Giver(x.assembly)
            for unit in blocks
            for x in blocks[unit]
            for name in x.functions
        }
        levels = [_level(x) for unit in blocks for x in blocks[unit]]
        shares = Shares(self.budget)
        wanted = max(levels, key=lambda x: x.rank)
        folder = self.scratch / "ladder"
        folder.mkdir()
        specs = {}
        for number, unit in enumerate(blocks):
            place = self.scratch / f"again-{number}"
            place.mkdir()
            _, spec = recompile(self.program, unit, place, self.say)
            if spec is not None:
                specs[unit] = spec
        rungs = ProgramRungs(
            Place(
                self.program,
                judge.baseline.build,
                self.recording,
                self.sandbox,
                folder,
                specs,
                self.core,
            )
        )
        deadline = time.monotonic() + shares.reserved(wanted)
        climbed = Ladder(rungs, wanted, shares, deadline, self.say).examine(
            Combination(admitted.texts, admitted.build, givers, tuple(givers))
        )
        return {(x.unit, x.function): x for x in climbed.found}

    def _sure(self, block: Locked, known: Mapping[str, Known | None], verdict: Verdict) -> Judged:
        """Whether it is as sure as it was locked; a function that nothing is known of is not,
        for another one was refuted and the climb ended there."""
        speed = verdict.speedup
        level = _level(block)
        for name, one in known.items():
            if one is not None and one.refuted:
                kind = one.verdict(level).kind
                word = kind.value if kind is not VerdictKind.UNJUDGED else "differs"
                return Judged(block, word, f"{name}: {one.why}", speed)
            if one is None:
                detail = f"{name}: not examined, for another function fell"
                return Judged(block, "unjudged", detail, speed)
            if not one.level.covers(level):
                detail = f"{name}: {one.level.value} only, locked as {level.value}: {one.why}"
                return Judged(block, "less-sure", detail, speed)
        return Judged(block, "holds", verdict.detail, speed)


def _mode(blocks: Sequence[Locked]) -> str:
    """Those of a unit are judged together, as they were when they were locked."""
    return blocks[0].isa


def _level(block: Locked) -> Assurance:
    """As it was locked; a word of another version counts as the least."""
    return next((x for x in Assurance if x.value == block.assurance), Assurance.TESTS)


def leave(folder: Path, program: Path, judged: list[Judged]) -> None:
    """Leave what was found for the command that asked. Raises OSError."""
    name = hashlib.sha256(str(program).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    part = folder / f".{name}"
    part.write_text(json.dumps([x.as_json() for x in judged]))
    part.replace(folder / f"{name}.json")
