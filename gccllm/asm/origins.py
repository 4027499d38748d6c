"""Where the values in a region come from, and so which live-ins are addresses, bounds, counters.

A forward analysis over the region: each register holds a set of origins (see
:mod:`gccllm.asm.region_model`). It serves to make sensible test states and prompts; nothing's
correctness rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iced_x86 import Instruction, OpKind

from gccllm.asm.effects import IMMEDIATES, Effect, Memory, full_name, mnemonic_of
from gccllm.asm.line_code import LineCode
from gccllm.asm.region_model import Pointer, Relation, Slot

__all__ = ["Origins", "origins"]

_LOADED = "*"
"""the origin of what comes from memory that is not the stack frame"""
_Values = dict[str, frozenset[str]]
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Access:
    base: frozenset[str]
    index: frozenset[str]
    memory: Memory


@dataclass
class Origins:
    """What :func:`origins` found; the names as in :class:`gccllm.asm.region_model.Region`."""

    pointers: tuple[Pointer, ...] = ()
    slots: tuple[Slot, ...] = ()
    relations: tuple[Relation, ...] = ()
    steps: dict[str, int] = field(default_factory=dict)
    immediates: tuple[int, ...] = ()
    counts: frozenset[str] = frozenset()
    chases: bool = False


def origins(code: LineCode, span: range, entry: int, live_in: Mapping[str, int]) -> Origins:
    """Analyse instructions ``span`` of a function, entered at instruction ``entry``."""
    return _Analysis(code, span, entry, live_in).run()


class _Analysis:
    def __init__(self, code: LineCode, span: range, entry: int, live_in: Mapping[str, int]) -> None:
        self.code = code
        self.span = span
        self.live_in = live_in
        self.states: dict[int, _Values] = {entry: {r: frozenset((r,)) for r in live_in}}
        self.entry = entry
        self.accesses: list[_Access] = []
        self.compared: list[tuple[frozenset[str], frozenset[str]]] = []
        self.moves: dict[str, int] = {}
        """register → what is added to it at a time"""
        self.found = Origins()

    def run(self) -> Origins:
        self._solve()
        slots: dict[tuple[str, int], Slot] = {}
        immediates: set[int] = set()
        for node, values in sorted(self.states.items()):
            effect = self.code.effects[node]
            instruction = self.code.ops[node].instruction
            immediates.update(_immediates(instruction))
            self._compare(instruction, values, effect)
            self._step(instruction, values)
            memory = effect.memory
            if memory is None:
                continue
            if _is_frame(memory):
                key = (memory.base, memory.displacement)
                old = slots.get(key)
                slots[key] = Slot(
                    *key,
                    max(memory.size, old.size if old else 0),
                    memory.loads or (old is not None and old.loads),
                    memory.stores or (old is not None and old.stores),
                )
            else:
                self.accesses.append(
                    _Access(
                        values.get(memory.base, _NONE) if memory.base else _NONE,
                        values.get(memory.index, _NONE) if memory.index else _NONE,
                        memory,
                    )
                )
        self.found.slots = tuple(slots[k] for k in sorted(slots))
        self.found.immediates = tuple(sorted(immediates))
        self.found.pointers = self._pointers()
        self.found.relations = self._relations()
        self.found.counts = self._counts()
        return self.found

    def _solve(self) -> None:
        work = [self.entry]
        while work:
            node = work.pop()
            after = self._transfer(node, self.states[node])
            for target in self.code.successors[node]:
                if target not in self.span:
                    continue
                old = self.states.get(target)
                new = after if old is None else _join(old, after)
                if new != old:
                    self.states[target] = new
                    work.append(target)

    def _transfer(self, node: int, values: _Values) -> _Values:
        effect = self.code.effects[node]
        if not effect.writes:
            return values
        address = set()
        memory = effect.memory
        sources: set[str] = set()
        if memory is not None:
            address = {memory.base, memory.index}
            if memory.loads:
                sources.add(_slot_name(memory) if _is_frame(memory) else _LOADED)
        instruction = self.code.ops[node].instruction
        for register in effect.reads:
            if register in address and not _named(instruction, register):
                continue
            sources |= values.get(register, _NONE)
        after = dict(values)
        for register in effect.writes:
            after[register] = frozenset(sources)
        return after

    def _compare(self, instruction: Instruction, values: _Values, effect: Effect) -> None:
        name = mnemonic_of(instruction)
        if name not in ("cmp", "sub") or instruction.op_count != 2:
            return
        sides = []
        for index in range(2):
            kind = instruction.op_kind(index)
            if kind == OpKind.REGISTER:
                register = full_name(instruction.op_register(index)) or ""
                sides.append(values.get(register, _NONE))
            elif kind == OpKind.MEMORY and effect.memory and _is_frame(effect.memory):
                sides.append(frozenset((_slot_name(effect.memory),)))
        if len(sides) == 2:
            self.compared.append((sides[0], sides[1]))

    def _step(self, instruction: Instruction, values: _Values) -> None:
        name = mnemonic_of(instruction)
        if instruction.op0_kind != OpKind.REGISTER or name not in (
            "add",
            "sub",
            "inc",
            "dec",
            "lea",
        ):
            return
        target = full_name(instruction.op0_register) or ""
        amount = 0
        if name in ("inc", "dec"):
            amount = 1 if name == "inc" else -1
        elif name == "lea":
            base = full_name(instruction.memory_base) or ""
            if base == target and full_name(instruction.memory_index) is None:
                amount = _signed(instruction.memory_displacement)
        else:
            amount = next(iter(_immediates(instruction)), 0) * (1 if name == "add" else -1)
        if amount:
            self.moves.setdefault(target, amount)
            for origin in values.get(target, _NONE):
                if origin != _LOADED:
                    self.found.steps.setdefault(origin, amount)

    def _is_wide(self, origin: str) -> bool:
        return self.live_in.get(origin, 64) == 64

    def _pointers(self) -> tuple[Pointer, ...]:
        chosen: set[str] = set()
        for access in self.accesses:
            sure = access.base - {_LOADED}
            if access.memory.symbolic:
                continue
            if len(sure) == 1 and (not access.index or access.memory.scale > 1):
                chosen |= sure
        for access in self.accesses:
            if _LOADED in access.base:
                self.found.chases = True
            if access.memory.symbolic or (access.base | access.index) & chosen:
                continue
            wanted = sorted(access.base - {_LOADED}) + sorted(access.index - {_LOADED})
            wanted = [o for o in wanted if self._is_wide(o)] or wanted
            if wanted and _LOADED not in access.base:
                chosen.add(wanted[0])
        return tuple(self._pointer(origin) for origin in sorted(chosen))

    def _pointer(self, origin: str) -> Pointer:
        mine = [a for a in self.accesses if origin in a.base | a.index]
        strides = {self.found.steps[origin]} if origin in self.found.steps else set()
        for access in mine:
            if access.memory.index and access.index != {origin}:
                strides.add(access.memory.scale * self.moves.get(access.memory.index, 1))
            elif (access.base - {origin}) and not strides:
                strides.add(access.memory.size)
        lows = [a.memory.displacement for a in mine]
        return Pointer(
            origin,
            min(lows, default=0),
            max((a.memory.displacement + a.memory.size for a in mine), default=0),
            tuple(sorted({a.memory.size for a in mine})),
            tuple(sorted(strides)),
            any(a.memory.loads for a in mine),
            any(a.memory.stores for a in mine),
        )

    def _counts(self) -> frozenset[str]:
        """Origins that are no pointers but meet one in an address or a compared value."""
        pointers = {p.origin for p in self.found.pointers}
        together = [a.base | a.index for a in self.accesses]
        for left, right in self.compared:
            together += [side for side in (left, right) if side & pointers]
            if not left or not right:  # against a counter that the region starts itself
                together.append(left | right)
        return frozenset(o for group in together for o in group) - pointers - {_LOADED}

    def _relations(self) -> tuple[Relation, ...]:
        found: dict[tuple[str, str], Relation] = {}
        for left, right in self.compared:
            for first in left - {_LOADED}:
                for second in right - left - {_LOADED}:
                    if first in right or (second, first) in found:
                        continue
                    step = self.found.steps.get(first) or -self.found.steps.get(second, -1)
                    found.setdefault((first, second), Relation(first, second, step))
        return tuple(found[k] for k in sorted(found))


def _is_frame(memory: Memory) -> bool:
    return memory.base == "rsp" and not memory.index


def _slot_name(memory: Memory) -> str:
    return f"{memory.displacement or ''}(%{memory.base})"


def _named(instruction: Instruction, register: str) -> bool:
    """True when a register is an operand, not only part of an address (lea's address counts)."""
    if mnemonic_of(instruction) == "lea":
        return True
    return any(
        instruction.op_kind(i) == OpKind.REGISTER
        and full_name(instruction.op_register(i)) == register
        for i in range(instruction.op_count)
    )


def _immediates(instruction: Instruction) -> list[int]:
    return [
        _signed(instruction.immediate(i))
        for i in range(instruction.op_count)
        if instruction.op_kind(i) in IMMEDIATES
    ]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _join(left: _Values, right: _Values) -> _Values:
    return {r: left.get(r, _NONE) | right.get(r, _NONE) for r in left.keys() | right.keys()}
