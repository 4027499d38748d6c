"""Compare candidates for a region with the baseline by running them, in the sandbox.

Covered: registers, flags, memory, stack, faults beside a buffer, endless loops, the exit taken, on
random states and on those that find mistakes. Not covered: states that the caller's contract does
not know (such states are tried as well), MXCSR, timing. A candidate must have passed the text gate;
it runs in the sandbox all the same.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import TracebackType

from gccllm import process
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import NewLines, parse_lines
from gccllm.asm.unit import Unit
from gccllm.errors import ToolchainError
from gccllm.harness.comparison import Comparison, ComparisonKind
from gccllm.harness.program import Options, Program, Unrunnable, build_program, check_candidate
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunInput, RunLimits, RunResult, Sandbox, Session
from gccllm.sandbox.build import usable_cache
from gccllm.toolchain import Toolchain
from gccllm.types import Isa

__all__ = ["UNTRIED", "Harness", "widest_vectors"]

UNTRIED = "there was no time for it"

RUNTIME = Path(__file__).resolve().parent / "harness.c"
WALL_SECONDS = 60.0
COMPILE_SECONDS = 60.0
MOST_AT_ONCE = 400
_COMPLETE = "harness-complete"
_AT_LINE = re.compile(rb"^[^:\n]*:(\d+): (?:Error|Fatal error): (.*)$", re.M)
_KINDS = frozenset(kind.value for kind in ComparisonKind)
_NEEDED = {32: ("avx2",), 64: ("avx512f", "avx512bw", "avx512vl")}


class Harness:
    """One open sandbox session for many comparisons. A context manager; not for several threads.

    Raises SandboxUnavailable and ToolchainError when it is entered where it can't work.
    """

    def __init__(self, sandbox: Sandbox | None = None, toolchain: Toolchain | None = None) -> None:
        self._sandbox = sandbox
        self._toolchain = toolchain
        self._stack = ExitStack()
        self._session: Session | None = None
        self._count = 0

    def __enter__(self) -> Harness:
        with ExitStack() as stack:
            self._tools = self._toolchain or Toolchain()
            self._runtime = _compile_runtime(self._tools.cc, usable_cache())
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gccllm-")))
            limits = RunLimits(wall_seconds=WALL_SECONDS, cpu_seconds=int(WALL_SECONDS))
            sandbox = self._sandbox or choose()
            self._session = stack.enter_context(sandbox.open({}, [RunInput()], limits=limits))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session = None
        self._stack.close()

    def compare(
        self,
        region: Region,
        unit: Unit,
        baseline_lines: Sequence[str],
        candidates: Sequence[Sequence[str]],
        *,
        isa: Isa | None = None,
        states: int = 2000,
        seed: int = 0,
        overlap: bool = True,
        until: float = math.inf,
    ) -> list[Comparison]:
        """One result for each candidate, in their order. What is not tried by ``until``
        (time.monotonic()) is refused, with the detail :data:`UNTRIED`.

        ``baseline_lines`` and the candidates are in canonical form (asm/region_text.py).
        ``states`` are tried, from ``seed`` on always the same ones; a candidate is out at its first
        mistake. Vector registers wider than ``isa`` or this machine has are refused; which
        instructions a rewrite may use is otherwise for the judge to say. ``overlap=False``: no two
        pointers are made to overlap.
        Raises SandboxError when the sandbox breaks, ToolchainError when linking does.
        """
        if self._session is None:
            raise RuntimeError("a Harness is used inside its with block")
        widest = min(widest_vectors(), _widest_of(isa)) if isa is not None else widest_vectors()
        options = Options(widest, states, seed, overlap)
        try:
            baseline = parse_lines(region, baseline_lines)
            check_candidate(region, baseline, widest)
            build_program(region, unit, [(0, baseline)], options)
        except (Unrunnable, ValueError) as error:
            refused = Comparison(ComparisonKind.REFUSED, detail=f"the region: {error}")
            return [refused] * len(candidates)
        results: dict[int, Comparison] = {}
        versions: list[tuple[int, NewLines]] = []
        for number, lines in enumerate(candidates, 1):
            if time.monotonic() > until:
                break
            try:
                parsed = parse_lines(region, lines)
                check_candidate(region, parsed, widest)
                versions.append((number, parsed))
            except (Unrunnable, ValueError) as error:
                results[number] = Comparison(ComparisonKind.REFUSED, detail=str(error))
        queue = [versions[i : i + MOST_AT_ONCE] for i in range(0, len(versions), MOST_AT_ONCE)]
        while queue and time.monotonic() <= until:
            chosen = queue.pop()
            target = self._folder / f"c{self._count}"
            self._count += 1
            while chosen:
                program = build_program(region, unit, [(0, baseline), *chosen], options)
                bad = self._assemble(program, target)
                if not bad:
                    break
                results.update(bad)
                chosen = [v for v in chosen if v[0] not in bad]
            if not chosen:
                continue
            self._link(program, target)
            done = self._run(target)
            results.update(_parse(done.stdout, [number for number, _ in chosen]))
            left = [v for v in chosen if v[0] not in results]
            if len(left) > 1 or len(left) < len(chosen):
                # One of them got away and took the program with it; the others must not pay.
                half = (len(left) + 1) // 2
                queue += [x for x in (left[:half], left[half:]) if x]
            elif left:
                results[left[0][0]] = _ending(done)
        untried = Comparison(ComparisonKind.REFUSED, detail=UNTRIED)
        return [results.get(number, untried) for number in range(1, len(candidates) + 1)]

    def _assemble(self, program: Program, target: Path) -> dict[int, Comparison]:
        """Empty when it worked, else why for each version that as rejects."""
        done = self._tools.assemble(program.text, target.with_suffix(".o"))
        if done.ok:
            return {}
        bad: dict[int, Comparison] = {}
        for found in _AT_LINE.finditer(done.stderr):
            owner = program.owners[min(int(found[1]), len(program.owners)) - 1]
            if owner:
                detail = found[2].decode("utf-8", "replace")
                bad.setdefault(owner, Comparison(ComparisonKind.NOT_ASSEMBLED, detail=detail))
        if not bad:
            raise ToolchainError(f"as does not take the harness: {done.error_line()}")
        return bad

    def _link(self, program: Program, target: Path) -> None:
        symbols = [f"-Wl,--defsym={name}={address:#x}" for name, address in program.symbols.items()]
        objects = [str(self._runtime), str(target.with_suffix(".o"))]
        alone = ["-nostdlib"] if self._runtime.name.startswith(_COMPLETE) else []
        argv = [self._tools.cc, *alone, "-static", "-no-pie", "-o", str(target), *objects]
        argv += symbols
        done = process.run(argv, timeout=COMPILE_SECONDS)
        if not done.ok:
            raise ToolchainError(f"the harness can't be linked: {done.error_line()}")

    def _run(self, target: Path) -> RunResult:
        assert self._session is not None
        self._session.add_program(target.name, target)
        target.unlink()
        target.with_suffix(".o").unlink()
        return self._session.run(target.name, 0, collect_files=False)


def _parse(output: bytes, numbers: Sequence[int]) -> dict[int, Comparison]:
    """The complete lines of a harness program's output."""
    found: dict[int, Comparison] = {}
    for line in output.decode("ascii", "replace").split("\n")[:-1]:
        head, _, state = line.partition("\t")
        fields = head.split(" ", 4)
        if len(fields) < 4 or not all(fields[i].isdigit() for i in (0, 2, 3)):
            continue
        position, kind, run, skipped = fields[:4]
        if not 0 < int(position) <= len(numbers) or kind not in _KINDS:
            continue
        found[numbers[int(position) - 1]] = Comparison(
            ComparisonKind(kind),
            int(run),
            int(skipped),
            fields[4].strip() if len(fields) > 4 else "",
            state,
            " overlapping " in state[:40],
        )
    return found


def _ending(done: RunResult) -> Comparison:
    if done.ending is Ending.TIMED_OUT:
        return Comparison(ComparisonKind.HUNG, detail="it has to be ended from outside")
    return Comparison(ComparisonKind.FAULTED, detail=f"it ends the program: {done.ending.value}")


def _widest_of(isa: Isa) -> int:
    return 64 if "AVX512F" in isa.features else 32 if "AVX" in isa.features else 16


@cache
def widest_vectors() -> int:
    """Bytes of the widest vector registers that this machine and the harness can handle."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return 16
    flags = frozenset(next((x for x in text.splitlines() if x.startswith("flags")), "").split())
    fitting = [size for size, needed in _NEEDED.items() if flags.issuperset(needed)]
    return max(fitting, default=16)


def _compile_runtime(cc: str, folder: Path) -> Path:
    """The C part as an object, made once. Raises ToolchainError.

    It holds what it needs of the C library and the start files, so that linking a program need not
    look for them: 15 ms for 56 (Debian 12). Where the linker can't do that, it is the object alone.
    """
    digest = hashlib.sha256(RUNTIME.read_bytes() + cc.encode()).hexdigest()[:16]
    complete, plain = folder / f"{_COMPLETE}-{digest}.o", folder / f"harness-alone-{digest}.o"
    for target in (complete, plain):
        if target.exists():
            return target
    fresh = folder / f".harness-{digest}-{os.getpid()}.o"
    argv = [cc, "-O2", "-std=gnu11", "-fno-pie", "-c", "-o", str(fresh), str(RUNTIME)]
    done = process.run(argv, timeout=COMPILE_SECONDS)
    if not done.ok:
        raise ToolchainError(f"{cc} can't compile {RUNTIME.name}: {done.error_line()}")
    return _with_library(cc, fresh, complete) or fresh.replace(plain)


def _with_library(cc: str, compiled: Path, target: Path) -> Path | None:
    """``compiled`` partially linked with all that a static program needs; None if that fails."""
    found = []
    for name in ("crt1.o", "crti.o", "crtbeginT.o", "crtend.o", "crtn.o"):
        done = process.run([cc, f"-print-file-name={name}"], timeout=COMPILE_SECONDS)
        found.append(done.stdout.decode("utf-8", "replace").strip())
    libraries = ["-Wl,--start-group", "-lgcc", "-lgcc_eh", "-lc", "-Wl,--end-group"]
    linked = compiled.with_suffix(".linked.o")
    argv = [cc, "-nostdlib", "-static", "-no-pie", "-r", "-o", str(linked), *found[:3]]
    argv += [str(compiled), *libraries, *found[3:]]
    if not process.run(argv, timeout=COMPILE_SECONDS).ok:
        linked.unlink(missing_ok=True)
        return None
    compiled.unlink()
    return linked.replace(target)
