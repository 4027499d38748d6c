"""``gccllm doctor``: is this machine fit for gcc-llm, and if not, what to do."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gccllm.errors import GccllmError
from gccllm.judge.control import control_ratios
from gccllm.judge.statistics import speedup
from gccllm.lanes import lane_cores
from gccllm.paths import cache_dir
from gccllm.proposers.choose import make
from gccllm.sandbox import selftest
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.choice import choose
from gccllm.settings import Settings
from gccllm.store import Store
from gccllm.toolchain import Toolchain

__all__ = ["Finding", "doctor", "examine"]

NOISE_LIMIT = 0.02


@dataclass(frozen=True)
class Finding:
    """``state`` is ok, warn or bad; ``advice`` says what to do about the latter two."""

    state: str
    what: str
    detail: str
    advice: str = ""


def doctor(
    timer: Annotated[bool, typer.Option(help="time a program against itself (10 s)")] = True,
) -> None:
    """Check gcc, the driver, the sandbox, the timer, the store and the proposers.

    Exit status 1 when something keeps gcc-llm from optimising at all.
    """
    console = Console()
    bad = False
    for finding in examine(timer):
        mark = {"ok": "[green]ok  [/green]", "warn": "[yellow]warn[/yellow]"}.get(
            finding.state, "[red]bad [/red]"
        )
        console.print(f"{mark} {escape(finding.what)}: {escape(finding.detail)}")
        if finding.advice:
            console.print(f"     → {escape(finding.advice)}")
        bad = bad or finding.state == "bad"
    raise typer.Exit(1 if bad else 0)


def examine(timer: bool) -> Iterator[Finding]:
    """All findings, as they are found."""
    yield from _toolchain()
    yield _front()
    sandbox: Sandbox | None = None
    try:
        sandbox = choose()
        yield Finding("ok", "sandbox", sandbox.name)
        for check in selftest.run(sandbox):
            state = "ok" if check.passed else "bad"
            yield Finding(state, f"sandbox {check.name}", check.detail or check.meaning)
    except GccllmError as error:
        yield Finding("bad", "sandbox", str(error), "without a sandbox gcc-llm is plain gcc")
    cores = lane_cores()
    note = "" if len(os.sched_getaffinity(0)) > 1 else "one core only: other work will disturb"
    yield Finding("warn" if note else "ok", "timing cores", f"{cores} {note}".strip())
    if timer and sandbox is not None:
        yield from _timer(sandbox, cores[0])
    yield from _store()
    yield from _proposers()


def _toolchain() -> Iterator[Finding]:
    try:
        toolchain = Toolchain()
        yield Finding("ok", "compiler", f"{toolchain.cc}: {toolchain.identity.version}")
        yield Finding("ok", "assembler", toolchain.assembler)
        for mode in ("target", "native"):
            isa = toolchain.isa(mode, ())
            shown = " ".join(x for x in ("AVX2", "BMI2", "AVX512F") if x in isa.features)
            yield Finding("ok", f"instruction set {mode}", f"{isa.name} {shown}".strip())
    except GccllmError as error:
        yield Finding("bad", "compiler", str(error), "apt install gcc")


def _front() -> Finding:
    beside = Path(sys.executable).parent / "gcc-llm"
    found = str(beside) if beside.exists() else shutil.which("gcc-llm")
    if found is None:
        return Finding("bad", "gcc-llm", "not installed", "pip install gccllm")
    return Finding("ok", "gcc-llm", found)


def _timer(sandbox: Sandbox, core: int) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="gccllm-doctor-") as folder:
        value = speedup(control_ratios(Toolchain(), sandbox, Path(folder), core, pairs=20))
    detail = f"a program against itself: {value.ratio:.3f} ({value.low:.3f}–{value.high:.3f})"
    noisy = abs(value.ratio - 1) > NOISE_LIMIT
    advice = "the machine is noisy: speedups near 1.05 will not be found" if noisy else ""
    yield Finding("warn" if noisy else "ok", "timer", detail, advice)


def _store() -> Iterator[Finding]:
    try:
        with Store(cache_dir()) as store:
            wrong = store.verify()
            count = len(store.rewrites())
        detail = f"{cache_dir()}: {count} rewrites"
        if wrong:
            yield Finding("warn", "store", f"{detail}; {wrong[0]}", "gccllm store gc, or remove it")
        else:
            yield Finding("ok", "store", detail)
    except GccllmError as error:
        yield Finding("warn", "store", str(error), "nothing is remembered until that is mended")


def _proposers() -> Iterator[Finding]:
    try:
        settings = Settings.from_environment()
        names = [x.name for x in make(settings.proposers, settings.model)]
        state = "ok" if names else "bad"
        yield Finding(state, "proposers", ", ".join(names) or "none", "")
    except GccllmError as error:
        yield Finding("bad", "proposers", str(error), "see 'man gcc-llm', -fllm-proposers")
    clang = [x for x in ("clang", *(f"clang-{n}" for n in range(25, 10, -1))) if shutil.which(x)]
    advice = "" if clang else "apt install clang: its code for single functions is worth having"
    yield Finding("ok" if clang else "warn", "clang", clang[0] if clang else "not found", advice)
