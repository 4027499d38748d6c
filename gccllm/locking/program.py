"""A link with a lock file: the units that the objects carry get its rewrites, nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.asm.normalise import unit_key
from gccllm.assurance.levels import Assurance, weakest
from gccllm.errors import LockError
from gccllm.judge.screen import check_executable
from gccllm.lockfile import Locked, LockFile
from gccllm.locking.matching import Match, match
from gccllm.locking.restoring import Restorer
from gccllm.program import BuildStep, Program
from gccllm.report.record import FunctionRecord, ProgramRecord
from gccllm.toolchain import Toolchain
from gccllm.types import Outcome, VerdictKind

__all__ = ["build_locked", "matches"]


def matches(
    file: LockFile, program: Program, least: Assurance, mode: str | None = None
) -> dict[str, Match]:
    """What the file has for each unit that the program's objects carry; ``mode``: for which
    -fllm-isa, None for any."""
    tools = program.toolchain
    limited = mode == "target"
    return {
        # a second unit of one name is NAME~2
        name: match(
            file,
            frame.unit,
            unit_key(frame.assembly),
            tools.identity.version,
            least,
            partial(_promised, tools, frame) if limited else None,
        )
        for name, frame in program.units.items()
    }


def _promised(tools: Toolchain, frame: Frame) -> frozenset[str]:
    return tools.isa("target", frame.options).features


def build_locked(
    program: Program,
    found: Mapping[str, Match],
    mode: str,
    record: ProgramRecord,
    scratch: Path,
    count: Callable[[str], None],
    say: Callable[[str], None],
) -> Path | None:
    """Build the program with the rewrites; None: ship gcc's, and ``record`` says why.

    ``mode`` is the build's -fllm-isa. ``count`` is told a stable word for each unit, ``say`` a
    line. Raises ToolchainError.
    """
    restorer = Restorer(program, scratch)
    texts: dict[str, str] = {}
    for unit, entry in found.items():
        if not entry.blocks:
            count(f"lock:{entry.reason}")
            say(entry.detail)
            continue
        try:
            text = restorer.restore(unit, entry.blocks)
            restorer.check(unit, text, entry.blocks, mode)
            text = restorer.shipped(unit, text, entry.blocks, mode)
        except LockError as error:
            count("lock:refused")
            say(f"{unit}: {error}")
            record.detail = f"{unit}: {error}"
            continue
        count("lock:applied")
        texts[unit] = text
    record.outcome = Outcome.FALLBACK
    if not texts:
        # what a person can mend comes first
        said = sorted(found.values(), key=lambda x: (not x.blocks, x.reason == "no-entry"))[0]
        record.reason = f"lock-{said.reason or 'refused'}"
        record.detail = record.detail or said.detail
        return None
    return _linked(program, texts, found, record, scratch)


def _linked(
    program: Program,
    texts: Mapping[str, str],
    found: Mapping[str, Match],
    record: ProgramRecord,
    scratch: Path,
) -> Path | None:
    baseline = program.build({}, scratch / "baseline")
    built = program.build(texts, scratch / "locked")
    if isinstance(baseline, BuildStep) or isinstance(built, BuildStep):
        stopped = [x for x in (baseline, built) if isinstance(x, BuildStep)]
        record.reason = "lock-not-linked"
        record.detail = f"{stopped[0].stage}: {stopped[0].detail}"
        return None
    if baseline.executable.read_bytes() != program.output.read_bytes():
        record.reason = "unreproducible"
        record.detail = "the program can't be rebuilt byte for byte from the assembly it carries"
        return None
    findings = check_executable(built.executable, baseline.executable)
    if findings:
        record.reason = "lock-refused"
        record.detail = f"{findings[0].rule}: {findings[0].detail}"
        return None
    blocks = [x for unit in texts for x in found[unit].blocks]
    record.functions += [y for unit in texts for x in found[unit].blocks for y in _records(unit, x)]
    record.outcome, record.reason = Outcome.APPLIED, ""
    record.assurance = weakest(Assurance(x.assurance) for x in blocks).value
    record.speedup = max((x.speedup for x in blocks), key=lambda x: x.ratio)
    record.detail = "from the lock file"
    return built.executable


def _records(unit: str, block: Locked) -> Iterator[FunctionRecord]:
    for name in block.functions:
        yield FunctionRecord(
            unit=unit,
            function=name,
            proposer=block.proposer,
            verdict=VerdictKind.ACCEPTED,
            assurance=block.assurance,
            speedup=block.speedup,
            tests_run=0,
            candidates=0,
            seconds=0.0,
            detail="from the lock file",
        )
