"""Regions of a function: loops with and without what leads into them, and straight runs of blocks.

A region is entered at one place and holds nothing that can't be replaced or tried out on its own:
no call, return, computed jump, x87, nor anything that moves rsp or belongs to the unwind tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from iced_x86 import FlowControl

from gccllm.asm.code import CALLER_SAVED, ObjectCode
from gccllm.asm.effects import mnemonic_of
from gccllm.asm.line_code import LineCode, line_code
from gccllm.asm.line_liveness import Liveness, liveness
from gccllm.asm.lines import Line, split_statement, symbols_of
from gccllm.asm.loops import Loop, block_starts, loops
from gccllm.asm.origins import origins
from gccllm.asm.region_model import (
    FLAGS,
    Exit,
    Pointer,
    Region,
    Relation,
    Shape,
    Slot,
)
from gccllm.asm.unit import Unit

__all__ = ["Exit", "Pointer", "Region", "Relation", "Shape", "Slot", "regions"]

FEWEST_INSTRUCTIONS, MOST_INSTRUCTIONS = 3, 400
"""of a run of blocks; loops may be shorter"""
_BRANCHES = (FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH)
_ORDINARY = (*_BRANCHES, FlowControl.NEXT)
_HARMLESS_DIRECTIVES = (".p2align", ".align", ".balign", ".loc", ".file")
_ODD = frozenset(
    "cpuid rdtsc rdtscp rdrand rdseed xgetbv fxsave fxrstor xsave xrstor ldmxcsr stmxcsr vldmxcsr "
    "vstmxcsr lfence mfence sfence emms femms std cld pushfq popfq endbr64 ud2 hlt pause".split()
)


def regions(
    unit: Unit, name: str, code: ObjectCode, *, results: Collection[str] | None = None
) -> list[Region]:
    """The regions of function ``name``, the most promising first: innermost loops, each with its
    preheader, alone, and its body; outer loops; runs of blocks, the longest first.

    ``code`` is the assembled unit. ``results`` names the registers that hold the function's result
    (of rax, rdx, zmm0, zmm1); None: what
    :func:`gccllm.asm.line_liveness.result_registers` makes of the code.
    [] where the function is not understood. Raises KeyError for a name that the unit lacks.
    """
    lines = line_code(unit, name, code)
    if lines is None:
        return []
    return _Finder(unit, name, code, lines, liveness(lines, results)).run()


class _Finder:
    def __init__(
        self, unit: Unit, name: str, code: ObjectCode, lines: LineCode, live: Liveness
    ) -> None:
        self.unit = unit
        self.name = name
        self.code = lines
        self.live = live
        self.loops = loops(lines)
        self.starts = block_starts(lines)
        # -fipa-ra: callers in the unit may rely on what the function leaves alone.
        clobbers = code.clobbers(name) if code.callers(name) else CALLER_SAVED
        self.clobbers = frozenset(f"zmm{r[3:]}" if r.startswith("xmm") else r for r in clobbers)
        self.tabled = frozenset(self._tabled())
        self.barriers = frozenset(n for n in range(len(lines.ops)) if self._is_barrier(n))

    def run(self) -> list[Region]:
        found: dict[range, Region] = {}
        for span, shape, depth in self._spans():
            if len(span) > MOST_INSTRUCTIONS or any(n in self.barriers for n in span):
                continue
            region = self._region(span, shape, depth)
            if region is not None:
                found.setdefault(region.lines, region)
        return list(found.values())

    def _spans(self) -> Iterator[tuple[range, Shape, int]]:
        for loop in self.loops:
            span = loop.span
            start = self._preheader(loop)
            if start < span.start:
                yield range(start, span.stop), Shape.PREHEADER, loop.depth
            yield span, Shape.LOOP, loop.depth
            body = self._body(loop)
            if body is not None:
                yield body, Shape.BODY, loop.depth
        runs = sorted(self._runs(), key=lambda r: (-self._depth(r.start), -len(r), r.start))
        for run in runs:
            yield run, Shape.BLOCKS, self._depth(run.start)

    def _depth(self, node: int) -> int:
        return max((loop.depth for loop in self.loops if node in loop.nodes), default=0)

    def _preheader(self, loop: Loop) -> int:
        """Where the straight run of lines in front of a loop starts that leads only into it."""
        start = loop.span.start
        while start > 0:
            before = start - 1
            if before in self.barriers or start not in self.code.successors[before]:
                break
            leads = self.code.ops[before].instruction.flow_control
            if leads in _BRANCHES:
                break
            if start != loop.span.start and self.code.predecessors[start] != (before,):
                break
            start = before
        return start

    def _body(self, loop: Loop) -> range | None:
        """A one-block loop's lines less the jump back and the compare that decides on it."""
        span = loop.span
        inner = [s for s in self.starts if s in span]
        if len(inner) != 1 or len(loop.nodes) != len(span):
            return None
        stop = span.stop - 1
        if stop > span.start and not self.code.effects[stop - 1].writes:
            stop -= 1
        return range(span.start, stop) if stop - span.start >= 2 else None

    def _runs(self) -> Iterator[range]:
        """Maximal runs between barriers, cut where they are entered from outside."""
        start = 0
        for stop in range(len(self.code.ops) + 1):
            if stop < len(self.code.ops) and stop not in self.barriers:
                continue
            yield from self._cut(range(start, stop))
            start = stop + 1

    def _cut(self, run: range) -> Iterator[range]:
        start = run.start
        while start < run.stop:
            stop = min(run.stop, start + MOST_INSTRUCTIONS)
            while later := [n for n in self._entered(range(start, stop)) if n != start]:
                stop = later[0]
            if stop - start >= FEWEST_INSTRUCTIONS:
                yield range(start, stop)
            start = stop

    def _entered(self, span: range) -> list[int]:
        """The instructions of a span that are reached from outside of it."""
        return [
            n
            for n in span
            if n == 0 or n in self.tabled or any(p not in span for p in self.code.predecessors[n])
        ]

    def _tabled(self) -> Iterator[int]:
        """Instructions whose labels stand in jump tables, whether those were understood or not."""
        objects = [self.unit.objects.get(n) for n in self.code.function.constants]
        objects += self.unit.tables_of(self.name)
        places = [*self.code.function.jump_tables, *(o.lines for o in objects if o is not None)]
        for index in (i for place in places for i in place):
            if self.unit.kinds[index] is Line.DIRECTIVE and ".L" in self.unit.lines[index]:
                for name, _ in symbols_of(split_statement(self.unit.lines[index])[1]):
                    if name in self.code.labels:
                        yield self.code.labels[name]

    def _is_barrier(self, node: int) -> bool:
        op, effect = self.code.ops[node], self.code.effects[node]
        flow = op.instruction.flow_control
        if flow not in _ORDINARY or "rsp" in effect.writes or "x87" in effect.writes:
            return True
        if self.code.leaves[node] and node not in self.code.cold:
            return True  # a tail call
        if mnemonic_of(op.instruction) in _ODD or op.instruction.has_lock_prefix:
            return True
        line = self.code.lines[node]
        last = node + 1 == len(self.code.lines)
        following = self.code.function.ranges[0].stop if last else self.code.lines[node + 1]
        return any(self._is_unwind(i) for i in range(line + 1, following))

    def _is_unwind(self, index: int) -> bool:
        return self.unit.kinds[index] is Line.DIRECTIVE and not self.unit.lines[
            index
        ].lstrip().startswith(_HARMLESS_DIRECTIVES)

    def _region(self, span: range, shape: Shape, depth: int) -> Region | None:
        entered = self._entered(span)
        if len(entered) != 1:
            return None
        entry = entered[0]
        first = self.code.lines[span.start - 1] + 1 if span.start else self.code.lines[0]
        for index in range(first, self.code.lines[span.start]):
            if self._is_unwind(index):
                first = index + 1
        lines = range(first, self.code.lines[span.stop - 1] + 1)
        label = self._entry_label(span, entry)
        if label is None:
            return None
        outside = {x for x in self.code.labels if self.unit.labels[x] < first}
        if any(
            self._target(n) in outside and self.code.labels[self._target(n)] in span for n in span
        ):
            return None
        if label in outside:
            label = ""  # it stays in front of the region, with an unwind directive behind it
        effects = [self.code.effects[n] for n in span]
        writes = frozenset(r for e in effects for r in e.writes)
        exits = tuple(self._exits(span, writes))
        if not exits:
            return None
        live_in = self._live_in(span, entry, exits)
        memory = origins(
            self.code, span, entry, {r: b for r, b in live_in.items() if r not in FLAGS}
        )
        symbols = {
            name
            for n in span
            if self.code.ops[n].instruction.flow_control not in _BRANCHES
            for name, _ in symbols_of(split_statement(self.unit.lines[self.code.lines[n]])[1])
        }
        return Region(
            self.name,
            lines,
            shape,
            label,
            exits,
            {r: b for r, b in sorted(live_in.items()) if r not in FLAGS},
            frozenset(f for f in FLAGS if f in live_in),
            writes,
            self._free(span, writes),
            memory.pointers,
            memory.slots,
            memory.relations,
            memory.steps,
            memory.immediates,
            tuple(sorted(symbols)),
            (),
            len(span),
            depth,
            self._guard(span, entry, live_in.keys() | {"rsp"}),
            memory.counts,
            memory.chases,
            self.code.code.red_zone or self.code.code.indexed_below,
            any(e.stores for e in effects),
        )

    def _guard(self, span: range, entry: int, known: Collection[str]) -> tuple[str, ...]:
        """What is known at the entry from the compare and jump that alone lead to it.

        A compare with memory counts only where the region uses the registers of its address,
        ``known``: others hold no address in the harness, and no state would pass.
        """
        jump, compare = entry - 1, entry - 2
        outside = [p for p in self.code.predecessors[entry] if p not in span]
        if entry != span.start or compare < 0 or outside != [jump]:
            return ()
        if self.code.ops[jump].instruction.flow_control != FlowControl.CONDITIONAL_BRANCH:
            return ()
        if self.code.predecessors[jump] != (compare,) or self._target(jump) in self._own(span):
            return ()
        effect = self.code.effects[compare]
        flags = self.code.effects[jump].flags_read
        if effect.writes or effect.stores or not flags <= effect.flags_written:
            return ()
        if effect.memory is not None and not effect.reads.keys() <= set(known):
            return ()
        head, operands = split_statement(self.unit.lines[self.code.lines[compare]])
        word = split_statement(self.unit.lines[self.code.lines[jump]])[0].strip()
        if any(True for _ in symbols_of(operands)):
            return ()
        return (f"\t{head.strip()}\t{operands.strip()}", f"\t{word}\tX")

    def _own(self, span: range) -> set[str]:
        return {name for name, node in self.code.labels.items() if node in span}

    def _entry_label(self, span: range, entry: int) -> str | None:
        """The label that the region is entered through, "" for none, None if that can't be."""
        outside = [p for p in self.code.predecessors[entry] if p not in span]
        jumped = any(
            p + 1 != entry or self.code.ops[p].instruction.flow_control in _BRANCHES
            for p in outside
        )
        if entry != span.start and span.start - 1 in outside and not jumped:
            return None
        first = self.code.lines[entry - 1] + 1 if entry else 0
        if entry in self.tabled or any(self.code.is_computed_jump(p) for p in outside):
            return None  # a jump table holds its label
        names = [
            n
            for n, node in self.code.labels.items()
            if node == entry and n.startswith(".L") and self.unit.labels[n] >= first
        ]
        targets = {self._target(p) for p in outside}
        used = [n for n in names if n in targets]
        if len(used) > 1 or (entry != span.start and not used):
            return None
        return used[0] if used else ""

    def _target(self, node: int) -> str:
        """The operand of a direct branch."""
        if self.code.ops[node].instruction.flow_control not in _BRANCHES:
            return ""
        return split_statement(self.unit.lines[self.code.lines[node]])[1].strip()

    def _exits(self, span: range, writes: frozenset[str]) -> Iterator[Exit]:
        found: dict[str, int] = {}
        last = span.stop - 1
        for node in span:
            label = self._target(node)
            if label and self.code.labels.get(label, -1) not in span:
                found.setdefault(label, self.code.labels.get(label, -1 - len(found)))
        if not self.code.ends_flow(last):
            found[""] = span.stop
        for label, place in found.items():
            live = self._live_at(place)
            yield Exit(
                label,
                place,
                {r: b for r, b in sorted(live.items()) if r in writes},
                frozenset(f for f in FLAGS if f in live),
            )

    def _live_at(self, place: int) -> dict[str, int]:
        if 0 <= place < len(self.code.ops):
            return dict(self.live.before[place])
        return dict(self.live.beyond)

    def _live_in(self, span: range, entry: int, exits: tuple[Exit, ...]) -> dict[str, int]:
        leaving = {x.place: {**x.live, **dict.fromkeys(x.flags, 1)} for x in exits}
        return self.live.within(self.code, span, leaving)[entry]

    def _free(self, span: range, writes: frozenset[str]) -> frozenset[str]:
        live: set[str] = set()
        for leaving in self._exits(span, writes):
            live.update(self._live_at(leaving.place))
        return frozenset(r for r in (self.clobbers | writes) if r not in live) - {
            "rsp",
            "x87",
            "uppers",
        }
