"""The region of another compilation as lines for a region of the baseline.

Two compilers, or one under two settings, keep the same values in other registers. Here the other
region's live-ins are put on the baseline's, its results where the baseline has them, and the rest
on registers that are free. Which live-in is which nobody knows: the likeliest few ways are given,
and running them beside the baseline tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

from gccllm.asm.lines import rename
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import render
from gccllm.families.layouts import Layout
from trainer.corpus.carried import NoFit, carried
from trainer.corpus.registers import class_of, named, pinned, put

__all__ = ["alignments", "unlikeness"]

MOST_LIVE = 8
"""live registers of a region; with more of them there are too many ways"""
MOST_WAYS = 1500
"""ways that are looked at, before the likeliest are taken"""
_GENERAL = tuple("rax rcx rdx rsi rdi r8 r9 r10 r11 rbx rbp r12 r13 r14 r15".split())
_ORDER = (*_GENERAL, *(f"zmm{i}" for i in range(32)), *(f"k{i}" for i in range(1, 8)))
_LABEL = re.compile(r"\bL(\d+)\b")
_EXIT = re.compile(r"\bX(\d+)\b")
_WIDE = re.compile(r"%[yz]mm")


@dataclass(frozen=True)
class _Way:
    """Which of the other's live-ins and results is which of the baseline's, and which exit."""

    ins: Mapping[str, str]
    outs: Mapping[str, str]
    exits: Mapping[int, int]


def unlikeness(layout: Layout, region: Region, other: Layout, theirs: Region) -> float | None:
    """How unlike two regions are, 0 for most alike; None where they can't do the same."""
    if len({x.place for x in region.exits}) != len({x.place for x in theirs.exits}):
        return None
    if region.stores != theirs.stores or region.calls or theirs.calls:
        return None
    if not theirs.flags_in <= region.flags_in or len(theirs.live_out) < len(region.live_out):
        return None
    if region.kind != theirs.kind and "loop" in (region.kind, theirs.kind):
        return None
    kinds = [{(s.displacement, s.size) for s in x.slots} for x in (region, theirs)]
    if not kinds[1] <= kinds[0]:
        return None
    return (
        3 * (region.shape is not theirs.shape)
        + 2 * abs(region.depth - theirs.depth)
        + abs(len(region.live_in) - len(theirs.live_in))
        + abs(len(region.live_out) - len(theirs.live_out))
        + 2 * abs(len(region.pointers) - len(theirs.pointers))
        + sum(
            4 * abs(a - b)
            for a, b in zip(_place(layout, region), _place(other, theirs), strict=True)
        )
    )


def _place(layout: Layout, region: Region) -> tuple[float, float]:
    """Where in its function a region begins and ends, by lines, 0 to 1."""
    span = layout.unit.functions[region.function].ranges[0]
    start, stop = region.lines.start - span.start, region.lines.stop - span.start
    return start / len(span), stop / len(span)


def alignments(
    layout: Layout, region: Region, other: Layout, theirs: Region, limit: int
) -> list[tuple[str, ...]]:
    """Canonical lines for ``region`` that do what ``theirs`` does, under the ``limit`` likeliest
    ways to tell their registers apart; [] where none fits."""
    if unlikeness(layout, region, other, theirs) is None:
        return []
    constants = dict(other.constants(theirs))
    ways = islice(_ways(region, theirs, frozenset(constants)), MOST_WAYS)
    outs = (region.live_out, theirs.live_out)
    ranked = sorted(ways, key=lambda way: _unlikely(way, region, theirs, *outs))
    try:
        text = render(other.unit, theirs).splitlines()
        names, data = carried(layout.unit, region, other.unit, theirs)
    except NoFit:
        return []
    renamed = [rename(x, names) for x in text]
    found: dict[tuple[str, ...], None] = {}
    for way in ranked:
        try:
            lines = _lines(region, theirs, renamed, way, constants)
        except NoFit:
            continue
        found.setdefault((*lines, *data))
        if len(found) >= limit:
            break
    return list(found)


def _ways(region: Region, theirs: Region, constant: frozenset[str]) -> Iterator[_Way]:
    ins = [r for r in theirs.live_in if r not in constant and r != "rsp"]
    if max(len(ins), len(region.live_in), len(theirs.live_out)) > MOST_LIVE:
        return
    choices = [[x for x in region.live_in if _fits(region, theirs, r, x)] for r in ins]
    exits = list(_exits(region, theirs))
    wanted = list(region.live_out)
    sources = [
        x
        for x in permutations(theirs.live_out, len(wanted))
        if all(class_of(a) == class_of(b) for a, b in zip(x, wanted, strict=True))
    ]
    for targets in product(*choices):
        if len(set(targets)) < len(targets):
            continue
        taken = dict(zip(ins, targets, strict=True))
        for given in sources:
            for leaving in exits:
                yield _Way(taken, dict(zip(given, wanted, strict=True)), leaving)


def _fits(region: Region, theirs: Region, register: str, target: str) -> bool:
    if target == "rsp" or class_of(register) != class_of(target):
        return False
    ours = {x.origin for x in region.pointers}
    pointers = {x.origin for x in theirs.pointers}
    # An end that is only compared with is no pointer to the one who counts down instead.
    return (register not in pointers) or target in ours


def _exits(region: Region, theirs: Region) -> Iterator[dict[int, int]]:
    """Their exits → ours, by number, in all ways that keep places apart (few exits), or in
    order."""
    ours = list(dict.fromkeys(x.place for x in region.exits))
    places = list(dict.fromkeys(x.place for x in theirs.exits))
    numbers = {x.place: n for n, x in reversed(list(enumerate(region.exits)))}
    orders = permutations(ours) if len(ours) <= 3 else iter([tuple(ours)])
    for order in orders:
        place = dict(zip(places, order, strict=True))
        yield {n: numbers[place[x.place]] for n, x in enumerate(theirs.exits)}


def _unlikely(
    way: _Way,
    region: Region,
    theirs: Region,
    live_out: Mapping[str, int],
    their_live_out: Mapping[str, int],
) -> float:
    """Small for ways that look right: same widths, steps and strides, same names."""
    cost = 0.0
    ours = {x.origin: x for x in region.pointers}
    pointers = {x.origin: x for x in theirs.pointers}
    for register, target in way.ins.items():
        cost += 2 * ((theirs.live_in[register] > 32) != (region.live_in[target] > 32))
        cost += 3 * ((register in pointers) != (target in ours))
        if register in pointers and target in ours:
            a, b = pointers[register], ours[target]
            cost += 3 * (a.stores != b.stores) + 2 * (a.loads != b.loads)
            cost += (a.sizes != b.sizes) + (a.strides != b.strides)
        cost += (register in theirs.counts) != (target in region.counts)
        same = register in way.outs and way.outs[register] == target
        cost += 2 * ((register in way.outs or target in way.outs.values()) and not same)
        cost += 0.5 * (register != target)
    for source, target in way.outs.items():
        cost += 2 * ((their_live_out[source] > 32) != (live_out[target] > 32))
        cost += 0.5 * (source != target)
    return cost + sum(0.25 * (n != m) for n, m in way.exits.items())


def _lines(
    region: Region, theirs: Region, text: Sequence[str], way: _Way, constants: Mapping[str, int]
) -> list[str]:
    """Their lines with our registers; copies in front and, where wide registers were used,
    vzeroupper behind. Raises NoFit."""
    text = [x for x in text if x.strip() != "vzeroupper"]
    wide = any(_WIDE.search(x) for x in text)
    homes, copies = _homes(region, theirs, text, way)
    body = [put(x, homes) for x in text]
    before = [
        f"\tmovq\t%{source}, %{home}" if class_of(home) == "r" else "" for source, home in copies
    ]
    if "" in before:
        raise NoFit  # vector registers are only taken where they are
    for register, value in constants.items():
        if register in theirs.live_in and register in homes:
            before.append(_set(value, homes[register]))
    highest = max((int(x) for line in body for x in _LABEL.findall(line)), default=0)
    if before:
        body = [_LABEL.sub(lambda m: f"L{highest + 1}" if m[1] == "0" else m[0], x) for x in body]
        if body[0] != f"L{highest + 1}:":
            before.append(f"\tjmp\tL{highest + 1}")
    highest += 1
    falls = [n for n, x in enumerate(theirs.exits) if not x.label]
    behind: list[str] = []
    if wide:
        ways_out = {n: highest + 1 + n for n in range(len(theirs.exits))}
        body = [_EXIT.sub(lambda m: f"L{ways_out[int(m[1])]}", x) for x in body]
        used = {int(x) for line in body for x in _LABEL.findall(line)}
        for n in [*falls, *(n for n in ways_out if n not in falls)]:
            label = [f"L{ways_out[n]}:"] if ways_out[n] in used else []
            if label or n in falls:
                behind += [*label, "\tvzeroupper", f"\tjmp\tX{way.exits[n]}"]
    else:
        body = [_EXIT.sub(lambda m: f"X{way.exits[int(m[1])]}", x) for x in body]
        behind = [f"\tjmp\tX{way.exits[n]}" for n in falls]
    lines = [*before, *body, *behind]
    last = lines[-1].split()
    if last[0] == "jmp" and last[1].startswith("X") and region.exits[int(last[1][1:])].label == "":
        lines.pop()
    return _renumbered(lines)


def _set(value: int, register: str) -> str:
    if value < 1 << 32:
        return put(f"\tmovl\t${value}, %eax", {"rax": register})
    return f"\tmovabsq\t${value}, %{register}"


def _renumbered(lines: Sequence[str]) -> list[str]:
    """Labels in order of appearance, L0 only for an entry at the top."""
    numbers: dict[str, int] = {}
    next_number = 1
    for line in lines:
        if line.endswith(":") and line.startswith("L"):
            if line == "L0:":
                numbers["0"] = 0
            else:
                numbers[line[1:-1]] = next_number
                next_number += 1
    return [_LABEL.sub(lambda m: f"L{numbers.get(m[1], int(m[1]))}", x) for x in lines]


def _homes(
    region: Region, theirs: Region, text: Sequence[str], way: _Way
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Their register → ours for all that they use, and (ours, ours) copies to make at the entry,
    in an order that loses nothing. Raises NoFit."""
    pins = pinned(text)
    used = [*dict.fromkeys([*named(text), *sorted(pins)])]
    homes = {x: x for x in pins}
    for source, target in way.outs.items():
        if homes.get(source, target) != target:
            raise NoFit
        homes[source] = target
    if len(set(homes.values())) < len(homes):
        raise NoFit
    moves: list[tuple[str, str]] = []
    later: list[str] = []
    for register, target in way.ins.items():
        if register in homes:
            if homes[register] != target:
                moves.append((target, homes[register]))
        elif target in homes.values() or (register in theirs.writes and target not in region.free):
            later.append(register)
        else:
            homes[register] = target
    sources = set(way.ins.values())
    free = [r for r in _ORDER if r in region.free and r not in homes.values()]
    free.sort(key=lambda r: r in sources)
    allowed = region.free | set(region.live_out)
    for register in [*later, *(x for x in used if x not in homes and x not in later)]:
        kind = class_of(register)
        same = register in free and register not in sources
        home = register if same else next((x for x in free if class_of(x) == kind), None)
        if home is None:
            raise NoFit
        free.remove(home)
        homes[register] = home
        if register in later:
            moves.append((way.ins[register], home))
    for register in theirs.writes - {"rsp"}:
        if register in homes and homes[register] not in allowed:
            raise NoFit
    return homes, _ordered(moves)


def _ordered(moves: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Parallel moves one after the other. Raises NoFit where they go round in a circle."""
    out: list[tuple[str, str]] = []
    left = list(moves)
    while left:
        ready = next((m for m in left if all(m[1] != x[0] for x in left if x is not m)), None)
        if ready is None:
            raise NoFit
        left.remove(ready)
        out.append(ready)
    return out
