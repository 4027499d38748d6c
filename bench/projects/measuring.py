"""One project measured: its variants built, compared in what they do, and timed together."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.projects.building import (
    BASELINE,
    CONTROL,
    VARIANTS,
    Effort,
    Unbuilt,
    build_variant,
    shell,
)
from bench.projects.catalogue import Project
from bench.projects.inputs import make_inputs
from bench.projects.record import Record
from bench.projects.timing import interleaved, outputs
from gccllm.errors import GccllmError

__all__ = ["Plan", "measure"]

PREPARE_SECONDS = 600.0
OTHER_OUTPUTS = "gives other outputs"
EMULATOR = ("qemu-x86_64", "-cpu", "Conroe")
"""a processor of 2006: what is there for newer ones must not run on it"""


@dataclass(frozen=True)
class Plan:
    """``variants`` are measured in ``rounds``, on ``core``, below ``work``; what was built before
    stays, unless ``again`` says that they are to be built anew."""

    variants: Sequence[str]
    effort: Effort
    rounds: int
    core: int
    work: Path
    again: bool = False


def measure(name: str, project: Project, source: Path, version: str, plan: Plan) -> Record:
    """Build what is not there yet, check that all do the same, time them; ``work``/NAME.json has
    what came of it after each step, and is gone on with. Raises Unbuilt where gcc -O3 can't be had.
    """
    place, kept = plan.work / name, plan.work / f"{name}.json"
    record = Record.load(kept)
    if record.version != version:
        record = Record(version)
        shutil.rmtree(place, ignore_errors=True)
    record.failed = ""
    inputs = place / "inputs"
    fresh = False
    for variant in dict.fromkeys([BASELINE, *(x for x in plan.variants if x != CONTROL)]):
        if record.has(variant, plan.effort) and not (plan.again and variant in plan.variants):
            continue
        fresh = True
        record.forget(variant)
        if variant == BASELINE:
            make_inputs(inputs)
        started = time.monotonic()
        try:
            made = build_variant(project, variant, source, inputs, place, plan.effort)
            if variant == BASELINE:
                _prepare(project, made.program, inputs)
            record.built[variant] = made
            said = f"tests {'pass' if made.suite else 'fail'}"
        except (Unbuilt, GccllmError, OSError) as error:
            record.unbuilt[variant] = said = str(error) or type(error).__name__
        print(f"{name}: {variant}: {time.monotonic() - started:.0f} s: {said}", file=sys.stderr)
        record.save(kept)
        if variant in record.unbuilt and variant == BASELINE:
            raise Unbuilt(record.unbuilt[BASELINE])
    if fresh or len(record.times.get(BASELINE, ())) < plan.rounds:
        _time(project, record, inputs, place, plan)
    record.save(kept)
    return record


def _prepare(project: Project, program: Path, inputs: Path) -> None:
    tree = program
    for _ in Path(project.program).parts:
        tree = tree.parent
    done = shell(project.prepare, tree, {**os.environ, "IN": str(inputs)}, PREPARE_SECONDS)
    if not done.ok:
        raise Unbuilt(f"inputs: {done.error_line()}")


def _time(project: Project, record: Record, inputs: Path, place: Path, plan: Plan) -> None:
    """All variants together, and a copy of the first as a control."""
    programs = {x: one.program for x, one in record.built.items() if one.program.is_file()}
    expected = outputs(project, programs[BASELINE], inputs)
    for variant in list(programs):
        program, why = programs[variant], ""
        if outputs(project, program, inputs) != expected:
            why = OTHER_OUTPUTS
        elif VARIANTS[variant].isa == "dispatch" and (emulator := shutil.which(EMULATOR[0])):
            if outputs(project, program, inputs, (emulator, *EMULATOR[1:])) == expected:
                record.built[variant].elsewhere = EMULATOR[-1]
            else:
                why = f"{OTHER_OUTPUTS} on {EMULATOR[-1]}"
        if why:
            record.unbuilt[variant] = why
            del programs[variant]
        else:
            record.unbuilt.pop(variant, None)
    control = place / "control"
    shutil.copy2(programs[BASELINE], control)
    programs[CONTROL] = control
    with _on_core(plan.core):
        record.times = interleaved(project, programs, inputs, plan.rounds, seed=1)


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
