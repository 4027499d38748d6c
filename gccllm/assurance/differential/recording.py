"""Arguments of real calls: a stub at the function's entry notes them while the recordings run."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.lines import Line
from gccllm.asm.unit import Unit
from gccllm.assurance.differential.layout import BLOCK_WORDS, Kind, Layout, Unsupported
from gccllm.assurance.differential.tools import compiled, table
from gccllm.errors import SandboxError
from gccllm.program import BuildStep, Program
from gccllm.sandbox.base import RunInput, RunLimits, Sandbox

__all__ = ["Call", "Global", "Region", "record"]

RECORDER = Path(__file__).resolve().parent / "recorder.c"
MOST_BYTES = 20 << 20
"""of the notes of all cases together"""
RUN_SECONDS = 60.0
_MAGIC = 0x314C4C4143434347
_HEAD = struct.Struct(f"<3Q{8 * BLOCK_WORDS}s")
_REGION = struct.Struct("<3Q2q")
_SAVED = "r11 r10 r9 r8 rcx rdx rsi rdi rax".split()


@dataclass(frozen=True)
class Global:
    """A writable variable that the function may reach; ``symbol`` as the assembly names it."""

    symbol: str
    size: int
    layout: int


@dataclass(frozen=True)
class Region:
    """Memory behind one pointer: ``data`` from address ``start`` on. ``variable`` is the number of
    the global that it is, or -1."""

    pointer: int
    start: int
    data: bytes
    layout: int
    variable: int


@dataclass(frozen=True)
class Call:
    """``hit``: the how manieth call of its run. ``block``: the argument block as it was."""

    hit: int
    block: bytes
    regions: tuple[Region, ...]


def record(
    program: Program,
    unit: Unit,
    name: str,
    function: str,
    layouts: Sequence[Layout],
    variables: Sequence[Global],
    cases: Sequence[RunInput],
    sandbox: Sandbox,
    scratch: Path,
) -> list[Call]:
    """Calls of ``function`` (of the program's unit ``name``) in runs of all cases.

    ``layouts[0]`` is the argument block; pointers name the others by their numbers. Raises
    Unsupported where it can't be done.
    """
    limit = MOST_BYTES // max(len(cases), 1)
    text = "\n".join([*_with_stub(unit, function), *_tables(layouts, variables, limit), ""])
    options = ("-fPIC", "-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none")
    helper = compiled(program.toolchain.cc, [RECORDER], options)
    built = program.build({name: text}, scratch / "recording", extra=[str(helper)])
    if isinstance(built, BuildStep):
        raise Unsupported(f"the calls can't be recorded: {built.stage}: {built.detail}")
    limits = RunLimits(wall_seconds=RUN_SECONDS, cpu_seconds=int(RUN_SECONDS), output_bytes=1 << 26)
    calls: list[Call] = []
    try:
        with sandbox.open({"recording": built.executable}, cases, limits=limits) as session:
            for case in range(len(cases)):
                _, notes = session.profile("recording", case)
                calls += _calls(notes)
    except SandboxError as error:
        raise Unsupported(f"the calls can't be recorded: {error}") from None
    return calls


def _with_stub(unit: Unit, function: str) -> Iterator[str]:
    start = unit.functions[function].start
    for index, line in enumerate(unit.lines):
        yield line
        if index == start:
            yield from _stub(unit, index)


def _stub(unit: Unit, start: int) -> Iterator[str]:
    """Behind the entry label: every register but the flags is as it was when control goes on."""
    code = (i for i in range(start, len(unit.lines)) if unit.kinds[i] is Line.INSTRUCTION)
    if "endbr64" in unit.lines[next(code, start)]:
        yield "\tendbr64"
    yield from (f"\tpushq\t%{x}" for x in _SAVED)
    yield "\tleaq\t-128(%rsp), %rsp"
    yield from (f"\tmovups\t%xmm{i}, {16 * i}(%rsp)" for i in range(8))
    yield from ("\tmovq\t%rsp, %rdi", "\tcall\tgd_record", "\tleaq\t128(%rsp), %rsp")
    yield from (f"\tpopq\t%{x}" for x in reversed(_SAVED))


def _tables(layouts: Sequence[Layout], variables: Sequence[Global], limit: int) -> Iterator[str]:
    words: list[int] = []
    starts: list[int] = []
    for layout in layouts:
        pointers = [
            (x.offset + 8 * i, x.target)
            for x in layout.leaves
            if x.kind is Kind.POINTER
            for i in range(min(x.count, 64))
        ]
        starts.append(len(words))
        words += [layout.size, len(pointers), *(n for pair in pointers for n in pair)]
    rows: list[int | str] = [len(variables)]
    for x in variables:
        rows += [x.symbol, x.size, x.layout]
    yield '\t.section\t.data.rel.ro.local,"aw",@progbits'
    yield from table("gd_record_layouts", words)
    yield from table("gd_record_starts", starts)
    yield from table("gd_record_globals", rows)
    yield from table("gd_record_limit", [limit])


def _calls(notes: bytes) -> Iterator[Call]:
    at = 0
    while at + _HEAD.size <= len(notes):
        magic, hit, count, block = _HEAD.unpack_from(notes, at)
        at += _HEAD.size
        if magic != _MAGIC:
            return
        regions = []
        for _ in range(count):
            if at + _REGION.size > len(notes):
                return
            pointer, start, length, layout, variable = _REGION.unpack_from(notes, at)
            at += _REGION.size
            if length:
                data = notes[at : at + length]
                regions.append(Region(pointer, start, data, layout, variable))
            at += (length + 7) // 8 * 8
        yield Call(hit, block, tuple(regions))
