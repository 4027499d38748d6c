"""What ``gccllm doctor`` looks at, one generator of findings for each part."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gccllm import process
from gccllm.errors import GccllmError
from gccllm.judge.control import control_ratios
from gccllm.judge.statistics import speedup
from gccllm.lanes import lane_cores
from gccllm.paths import cache_dir
from gccllm.proposers import weights
from gccllm.proposers.answers import Sampling
from gccllm.proposers.choose import make
from gccllm.proposers.warm import Unavailable, ask, load
from gccllm.sandbox import selftest
from gccllm.sandbox.base import Sandbox
from gccllm.sandbox.choice import choose
from gccllm.settings import Settings
from gccllm.store import Store
from gccllm.toolchain import Toolchain

__all__ = ["Finding", "examine"]

NOISE_LIMIT = 0.02
PAIRS = 20
COMPILE_SECONDS = 60.0
FEATURES_SHOWN = ("AVX2", "BMI2", "AVX512F")
SMALL_PROMPT = """<|isa|>x86-64
<|live_in|>%rax:32
<|live_out|>X0 %rax:32
<|free|>%rcx
<|region|>
L0:
\taddl\t$1, %eax
<|/region|>
"""
WEAKER = {
    "landlock": "weaker than bubblewrap: apt install bubblewrap, and allow user namespaces",
    "none": "candidates run unprotected, as GCCLLM_SANDBOX=none asks: unset it",
}


@dataclass(frozen=True)
class Finding:
    """``state`` is ok, warn or bad; ``advice`` says what to do about the latter two."""

    state: str
    what: str
    detail: str
    advice: str = ""


def examine(timer: bool) -> Iterator[Finding]:
    """All findings, as they are found; ``timer`` includes the one that takes seconds."""
    toolchain: Toolchain | None = None
    try:
        toolchain = Toolchain()
        yield from _compiler(toolchain)
    except GccllmError as error:
        yield Finding("bad", "compiler", str(error), "apt install gcc, or name one in GCCLLM_CC")
    yield _front(toolchain)
    sandbox: Sandbox | None = None
    try:
        sandbox = choose()
        yield from _sandbox(sandbox)
    except GccllmError as error:
        advice = "until that is mended gcc-llm is plain gcc"
        yield Finding("bad", "sandbox", str(error), advice)
    yield _cores()
    if timer and sandbox is not None and toolchain is not None:
        yield _timer(toolchain, sandbox)
    yield _store()
    yield from _proposers()
    model = _model()
    if model is not None:
        yield model


def _compiler(toolchain: Toolchain) -> Iterator[Finding]:
    yield Finding("ok", "compiler", f"{toolchain.cc}: {toolchain.identity.version}")
    yield Finding("ok", "assembler", toolchain.assembler)
    for mode in ("target", "native"):
        isa = toolchain.isa(mode, ())
        shown = " ".join(x for x in FEATURES_SHOWN if x in isa.features)
        yield Finding("ok", f"instruction set {mode}", f"{isa.name} {shown}".strip())


def _front(toolchain: Toolchain | None) -> Finding:
    """Is gcc-llm there, and does it compile to the very object that gcc makes?"""
    beside = Path(sys.executable).parent / "gcc-llm"
    found = str(beside) if beside.exists() else shutil.which("gcc-llm")
    if found is None:
        return Finding("bad", "gcc-llm", "not installed", "pip install gccllm")
    if toolchain is None:
        return Finding("ok", "gcc-llm", found)
    with tempfile.TemporaryDirectory(prefix="gccllm-doctor-") as folder:
        source = Path(folder, "a.c")
        source.write_text("int twice(int x) { return 2 * x; }\n")
        objects = []
        for command in (toolchain.cc, found):
            argv = [command, "-O3", "-c", "a.c", "-o", "a.o"]
            done = process.run(argv, timeout=COMPILE_SECONDS, cwd=folder)
            if not done.ok:
                return Finding("bad", "gcc-llm", f"{command}: {done.error_line()}", "reinstall it")
            objects.append(Path(folder, "a.o").read_bytes())
    if objects[0] != objects[1]:
        detail = f"{found} makes another object than {toolchain.cc}"
        return Finding("bad", "gcc-llm", detail, "unset GCCLLM_CC, or reinstall it")
    return Finding("ok", "gcc-llm", f"{found}: compiles as gcc does")


def _sandbox(sandbox: Sandbox) -> Iterator[Finding]:
    advice = WEAKER.get(sandbox.name, "")
    yield Finding("warn" if advice else "ok", "sandbox", sandbox.name, advice)
    # without protection nothing but resource limits is there to be checked
    failed = "warn" if sandbox.name == "none" else "bad"
    for check in selftest.run(sandbox):
        if check.passed:
            yield Finding("ok", f"sandbox {check.name}", check.meaning)
        else:
            detail = f"not so: {check.meaning} ({check.detail})"
            yield Finding(failed, f"sandbox {check.name}", detail)


def _cores() -> Finding:
    cores = ", ".join(map(str, lane_cores()))
    if len(os.sched_getaffinity(0)) > 1:
        return Finding("ok", "timing cores", cores)
    return Finding("warn", "timing cores", cores, "one core only: other work will disturb")


def _timer(toolchain: Toolchain, sandbox: Sandbox) -> Finding:
    try:
        with tempfile.TemporaryDirectory(prefix="gccllm-doctor-") as folder:
            core = lane_cores()[0]
            value = speedup(control_ratios(toolchain, sandbox, Path(folder), core, PAIRS))
    except GccllmError as error:
        return Finding("bad", "timer", str(error))
    detail = f"a program against itself: {value.ratio:.3f} ({value.low:.3f}–{value.high:.3f})"
    if abs(value.ratio - 1) <= NOISE_LIMIT:
        return Finding("ok", "timer", detail)
    return Finding("warn", "timer", detail, "a noisy machine: small speedups will not be found")


def _store() -> Finding:
    folder = cache_dir()
    if not (folder / "store.sqlite").exists():
        return Finding("ok", "store", f"{folder}: not made yet")
    try:
        with Store(folder) as store:
            wrong = store.verify()
            count = 0 if wrong else len(store.rewrites())
    except (GccllmError, ValueError) as error:
        advice = f"nothing is remembered until that is mended; remove {folder}"
        return Finding("warn", "store", str(error), advice)
    if wrong:
        return Finding("warn", "store", f"{folder}: {wrong[0]}", "gccllm store gc, or remove it")
    return Finding("ok", "store", f"{folder}: {count} rewrites")


def _proposers() -> Iterator[Finding]:
    try:
        settings = Settings.from_environment()
        names = [x.name for x in make(settings.proposers, settings.model)]
        if names:
            yield Finding("ok", "proposers", ", ".join(names))
        else:
            yield Finding("bad", "proposers", "none", "see 'man gcc-llm', -fllm-proposers")
    except GccllmError as error:
        yield Finding("bad", "proposers", str(error), "see 'man gcc-llm', -fllm-proposers")
    clang = [x for x in ("clang", *(f"clang-{n}" for n in range(25, 10, -1))) if shutil.which(x)]
    if clang:
        yield Finding("ok", "clang", clang[0])
    else:
        advice = "apt install clang: its code for single functions is worth having"
        yield Finding("warn", "clang", "not found", advice)


def _model() -> Finding | None:
    """The embedded model, where it is the one that is used: whole, loadable, able to answer."""
    try:
        kind, _, rest = Settings.from_environment().model.partition(":")
    except GccllmError:
        return None  # the proposers' finding says so
    if kind != "mini":
        return None
    folder = Path(rest) if rest else weights.FOLDER
    if not weights.present(folder):
        advice = "until it is there the other proposers do the work: reinstall gccllm"
        return Finding("warn", "model", f"no weights in {folder}", advice)
    try:
        found = weights.check(folder)
        ((answer,),) = load(found).answers([SMALL_PROMPT], Sampling())
    except GccllmError as error:
        advice = "the other proposers do the work: reinstall gccllm"
        return Finding("warn", "model", str(error), advice)
    detail = f"{found.name} ({found.size / 1e6:.1f} MB) loads and answers in {answer.tokens} tokens"
    try:
        ask({"do": "hello"})
    except Unavailable:
        return Finding("ok", "model", detail)
    return Finding("ok", "model", f"{detail}; a server keeps it warm")
