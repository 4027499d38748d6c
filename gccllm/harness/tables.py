"""The tables that tell the harness's C part how to make states and what to compare.

The layout is that of the structures at the top of harness.c; every field is 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gccllm.asm.region_model import FLAGS, Region
from gccllm.asm.unit import Unit

__all__ = [
    "GENERAL",
    "Buffers",
    "Origin",
    "buffers_of",
    "frame_phase",
    "masks_of",
    "origins_of",
    "quads",
]

GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
_PAGE = 4096
_BASE = 0x4000_0000
"""buffers lie below 2 GiB, where code that is not position-independent can name them"""
_APART = 0x40_0000
_MOST_BYTES = 16 * _PAGE
_INTEGER, _SMALL, _POINTER = range(3)
_FLAG_BITS = dict(zip(FLAGS, (0x1, 0x4, 0x10, 0x40, 0x80, 0x800), strict=True))


@dataclass(frozen=True)
class Origin:
    """One live-in value; the fields of ``struct origin``."""

    name: str
    register: int
    displacement: int
    size: int
    width: int
    role: int
    buffer: int
    low: int
    high: int
    stride: int
    unit: int

    def row(self) -> tuple[int, ...]:
        place = (self.register, self.displacement, self.size, self.width, self.role, self.buffer)
        return (*place, self.low, self.high, self.stride, self.unit)


@dataclass(frozen=True)
class Buffers:
    """(address, bytes) of each buffer, the stack frame's first; where the region's writable symbols
    lie, and which buffer each pointer has."""

    places: tuple[tuple[int, int], ...]
    symbols: Mapping[str, int]
    of_pointer: Mapping[str, int]


def buffers_of(region: Region, unit: Unit, writable: Sequence[str]) -> Buffers:
    """One for the stack frame, one for each pointer, one for each symbol in ``writable``."""
    depth = max((abs(s.displacement) + s.size for s in region.slots), default=0)
    places = [(_BASE, min(2 * -(-(depth + 512) // _PAGE), 32) * _PAGE)]
    of_pointer: dict[str, int] = {}
    for pointer in region.pointers:
        if pointer.origin in ("rsp", "") or len(places) > 9:
            continue
        span = max([abs(s) for s in pointer.strides] or [1]) * 48 + pointer.high - pointer.low
        size = min(max(-(-span // _PAGE), 1) * _PAGE, _MOST_BYTES)
        of_pointer[pointer.origin] = len(places)
        places.append((_BASE + _APART * len(places), size))
    symbols: dict[str, int] = {}
    for name in writable[:6]:
        data = unit.objects.get(name)
        size = (data.declared or data.size or 0) if data is not None else 0
        pages = min(max(-(-size // _PAGE), 1) * _PAGE, _MOST_BYTES)
        base = _BASE + _APART * len(places)
        places.append((base, pages))
        # What is known in size ends at the guard page, the rest lies in the middle.
        symbols[name] = base + (((pages - size) & ~63) if 0 < size <= pages else pages // 2)
    return Buffers(tuple(places), symbols, of_pointer)


def frame_phase(region: Region) -> int:
    """What rsp is modulo 64 where wide slots tell it, for they are aligned; else -1."""
    wide = max(region.slots, key=lambda s: s.size, default=None)
    if wide is None or wide.size < 16:
        return -1
    return -wide.displacement % min(wide.size, 64)


def origins_of(region: Region, buffers: Buffers) -> list[Origin]:
    """The values that a state is made of: general registers that are read, and stack slots."""
    found: list[Origin] = []
    pointers = {p.origin: p for p in region.pointers}
    counting = {o for r in region.relations for o in (r.first, r.second)} | set(region.steps)
    counting |= region.counts
    live = [(r, GENERAL.index(r), 0, 8, b) for r, b in region.live_in.items() if r in GENERAL]
    live += [
        (f"{s.displacement or ''}(%{s.base})", -1, s.displacement, min(s.size, 8), 8 * s.size)
        for s in region.slots
        if s.loads
    ]
    for name, register, displacement, size, width in live:
        if name == "rsp":
            continue
        pointer = pointers.get(name)
        place = (name, register, displacement, size, min(width, 64))
        if pointer is not None and name in buffers.of_pointer:
            stride = max(pointer.strides, key=abs, default=0)
            unit = min([x for x in pointer.sizes if x] or [1])
            low, high = max(pointer.low, -8192), min(pointer.high, 8192)
            where = buffers.of_pointer[name]
            found.append(
                Origin(*place, _POINTER, where, low, high, stride, unit if unit <= 8 else 4)
            )
        else:
            role = _SMALL if name in counting or _is_index(region, width) else _INTEGER
            found.append(Origin(*place, role, 0, 0, 0, region.steps.get(name, 0), 1))
    return found


def _is_index(region: Region, width: int) -> bool:
    """Beside pointers a wide integer mostly is an index or a length."""
    return bool(region.pointers) and width == 64


def masks_of(region: Region, keys: Mapping[int, int], vector_bytes: int) -> list[tuple[int, ...]]:
    """One row for each distinct exit: which bits have to agree (``keys``: place → row)."""
    rows: dict[int, tuple[int, ...]] = {}
    for leaving in region.exits:
        general = [
            _mask(leaving.live.get(r, 0), r in region.free or r in region.writes) for r in GENERAL
        ]
        vectors = []
        for number in range(32):
            name = f"zmm{number}"
            if name in leaving.live:
                vectors.append(min(leaving.live[name] // 8, vector_bytes))
            else:
                vectors.append(0 if name in region.free or name in region.writes else vector_bytes)
        masks = [
            _mask(leaving.live.get(f"k{i}", 0), f"k{i}" in region.free or f"k{i}" in region.writes)
            for i in range(8)
        ]
        flags = sum(_FLAG_BITS[f] for f in leaving.flags)
        rows[keys[leaving.place]] = (*general, flags, *vectors, *masks)
    return [rows[k] for k in sorted(rows)]


def _mask(live: int, changes: bool) -> int:
    if live:
        return (1 << live) - 1
    return 0 if changes else (1 << 64) - 1


def quads(label: str, values: Iterable[int | str]) -> list[str]:
    """A table in assembly; an empty one still has a word."""
    texts = [str(v if isinstance(v, str) or v < 1 << 63 else v - (1 << 64)) for v in values] or [
        "0"
    ]
    lines = [f"{label}:"]
    for at in range(0, len(texts), 16):
        lines.append("\t.quad\t" + ", ".join(texts[at : at + 16]))
    return lines
