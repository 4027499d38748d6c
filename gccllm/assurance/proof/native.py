"""The CPU's own word: code run from given machine states, in the sandbox.

It replays counterexamples, and it is what the model of each instruction is tested against.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gccllm import process
from gccllm.assurance.proof.state import GENERAL
from gccllm.errors import ToolchainError
from gccllm.sandbox import choose
from gccllm.sandbox.base import Ending, RunInput, RunLimits, Sandbox
from gccllm.toolchain import Toolchain

__all__ = ["Concrete", "Outcome", "run_code"]

RUNTIME = Path(__file__).resolve().parent / "native.c"
COMPILE_SECONDS = 60.0
RUN_SECONDS = 5.0
PAGE = 4096
_HEAD = struct.Struct("<3Q")
_STATE = struct.Struct("<17Q512s")


@dataclass(frozen=True)
class Concrete:
    """A machine state in numbers. ``general``: 16 registers by name; ``flags``: the flags word;
    ``vectors``: 16 numbers of 256 bits; ``memory``: address → byte."""

    general: Mapping[str, int]
    flags: int
    vectors: Sequence[int]
    memory: Mapping[int, int] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [f"{n}={self.general[n]:#x}" for n in GENERAL]
        words += [f"ymm{i}={v:#x}" for i, v in enumerate(self.vectors) if v]
        runs: list[tuple[int, bytearray]] = []
        for address, byte in sorted(self.memory.items()):
            if runs and address == runs[-1][0] + len(runs[-1][1]):
                runs[-1][1].append(byte)
            else:
                runs.append((address, bytearray([byte])))
        words += [f"[{at:#x}]={data[:64].hex()}" for at, data in runs[:32]]
        return f"flags={self.flags:#x} " + " ".join(words)


@dataclass(frozen=True)
class Outcome:
    """``place`` is where it stopped: the address of a breakpoint, or of the instruction that got
    ``signal`` (0: none), at ``address``. ``memory``: page → its bytes."""

    place: int
    signal: int
    address: int
    state: Concrete
    memory: Mapping[int, bytes]


def run_code(
    tools: Toolchain,
    code: Mapping[int, tuple[bytes, bool]],
    states: Sequence[Concrete],
    runs: Sequence[tuple[int, int]],
    pages: Sequence[int] = (),
    *,
    memory: Mapping[int, int] | None = None,
    show_memory: bool = True,
    sandbox: Sandbox | None = None,
) -> list[Outcome] | str:
    """What each run left, in order, or why there is nothing.

    ``code``: address → (bytes, executable). ``runs``: (entry, number of its state). ``pages`` are
    mapped, zeroed before each run but for ``memory``, and given back if ``show_memory``.
    Fewer outcomes than runs: the next one did not end. Raises SandboxError, ToolchainError.
    """
    with tempfile.TemporaryDirectory(prefix="gccllm-proof-") as name:
        folder = Path(name)
        target = folder / "native"
        _link(tools, target, code, _tables(states, runs, pages, memory or {}, show_memory))
        limits = RunLimits(wall_seconds=RUN_SECONDS, cpu_seconds=int(RUN_SECONDS) + 1)
        with (sandbox or choose()).open({}, [RunInput()], limits=limits) as session:
            session.add_program("native", target)
            done = session.run("native", 0, collect_files=False)
    if done.ending is Ending.EXITED and done.code == 3:
        return "its memory can't be mapped"
    if done.ending not in (Ending.EXITED, Ending.TIMED_OUT) or done.code == 2:
        return f"the run ended: {done.ending.value} {done.code}"
    return list(_outcomes(done.stdout, pages if show_memory else ()))


def _link(
    tools: Toolchain, target: Path, code: Mapping[int, tuple[bytes, bool]], tables: str
) -> None:
    """Raises ToolchainError."""
    text, options = [], []
    for number, (address, (content, executable)) in enumerate(code.items()):
        flags = "ax" if executable else "a"
        text.append(f'\t.section\tnv_code{number},"{flags}",@progbits')
        text += _lines(".byte", content)
        options.append(f"-Wl,--section-start=nv_code{number}={address:#x}")
    source = target.with_suffix(".s")
    source.write_text("\n".join([*text, tables, '\t.section\t.note.GNU-stack,"",@progbits', ""]))
    argv = [tools.cc, "-O1", "-std=gnu11", "-static", "-no-pie", "-mcmodel=large", "-w"]
    argv += ["-Wl,-z,max-page-size=4096", *options, "-o", str(target), str(RUNTIME), str(source)]
    done = process.run(argv, timeout=COMPILE_SECONDS)
    if not done.ok:
        raise ToolchainError(f"code can't be linked to be run: {done.error_line()}")


def _tables(
    states: Sequence[Concrete],
    runs: Sequence[tuple[int, int]],
    pages: Sequence[int],
    memory: Mapping[int, int],
    show_memory: bool,
) -> str:
    words: list[str] = ["\t.section\t.rodata", "\t.p2align 4"]
    tables: Mapping[str, list[int]] = {
        "nv_counts": [len(runs), len(pages), len(memory), int(show_memory)],
        "nv_runs": [x for run in runs for x in run],
        "nv_pages": list(pages),
        "nv_bytes": [x for pair in memory.items() for x in pair],
        "nv_states": [x for state in states for x in _words(state)],
    }
    for name, numbers in tables.items():
        words += [f"\t.globl\t{name}", f"{name}:", *_lines(".quad", numbers or [0])]
    return "\n".join(words)


def _words(state: Concrete) -> Iterator[int]:
    yield from (state.general[x] for x in GENERAL)
    yield state.flags
    for vector in state.vectors:
        yield from (vector >> 64 * i & (1 << 64) - 1 for i in range(4))


def _lines(directive: str, numbers: Sequence[int]) -> Iterator[str]:
    for at in range(0, len(numbers), 32):
        yield f"\t{directive}\t{','.join(str(x) for x in numbers[at : at + 32])}"


def _outcomes(output: bytes, pages: Sequence[int]) -> Iterator[Outcome]:
    size = _HEAD.size + _STATE.size + PAGE * len(pages)
    for at in range(0, len(output) // size * size, size):
        place, signal, address = _HEAD.unpack_from(output, at)
        *words, vectors = _STATE.unpack_from(output, at + _HEAD.size)
        state = Concrete(
            dict(zip(GENERAL, words[:16], strict=True)),
            words[16],
            [int.from_bytes(vectors[32 * i : 32 * i + 32], "little") for i in range(16)],
        )
        start = at + _HEAD.size + _STATE.size
        found = {
            page: output[start + PAGE * i : start + PAGE * (i + 1)] for i, page in enumerate(pages)
        }
        yield Outcome(place, signal, address, state, found)
