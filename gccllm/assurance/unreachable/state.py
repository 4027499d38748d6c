"""What is known at one place of a function: ranges of registers, and how the flags can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from iced_x86 import ConditionCode

from gccllm.assurance.unreachable.ranges import Range, hull, met, whole, widened

__all__ = [
    "ALL_FLAGS",
    "COMPARED",
    "LOGICAL",
    "WIDTHS",
    "Compared",
    "Pair",
    "State",
    "joined",
    "normal",
    "refined",
    "without_number",
]

WIDTHS = (8, 16, 32, 64)
_Fact = tuple[str, int]


def _flags(carry: int, zero: int, sign: int, overflow: int) -> int:
    return 1 << (carry + 2 * zero + 4 * sign + 8 * overflow)


_EVERY = [(c, z, s, o) for c in (0, 1) for z in (0, 1) for s in (0, 1) for o in (0, 1)]
ALL_FLAGS = sum(_flags(*x) for x in _EVERY)
"""a set of combinations of carry, zero, sign and overflow, a bit each: all of them"""
COMPARED = sum(_flags(c, z, s, o) for c, z, s, o in _EVERY if not z or not (c or s or o))
"""those that a comparison or a subtraction leaves: equal numbers have no other flag set"""
LOGICAL = sum(_flags(c, z, s, o) for c, z, s, o in _EVERY if not (c or o or (z and s)))
"""those that a logical operation leaves"""


def _set(condition: Callable[[int, int, int, int], bool]) -> int:
    return sum(_flags(*x) for x in _EVERY if condition(*x))


_SETS: Mapping[int, int] = {
    ConditionCode.O: _set(lambda c, z, s, o: bool(o)),
    ConditionCode.B: _set(lambda c, z, s, o: bool(c)),
    ConditionCode.E: _set(lambda c, z, s, o: bool(z)),
    ConditionCode.BE: _set(lambda c, z, s, o: bool(c or z)),
    ConditionCode.S: _set(lambda c, z, s, o: bool(s)),
    ConditionCode.L: _set(lambda c, z, s, o: s != o),
    ConditionCode.LE: _set(lambda c, z, s, o: bool(z) or s != o),
}
"""condition → the combinations with which it holds"""
_ORDERS: Mapping[int, tuple[bool, bool]] = {
    ConditionCode.B: (False, False),
    ConditionCode.BE: (False, True),
    ConditionCode.L: (True, False),
    ConditionCode.LE: (True, True),
}
"""condition → whether it is of signed numbers, and holds for equal ones"""
_OPPOSITES: Mapping[int, int] = {
    ConditionCode.NO: ConditionCode.O,
    ConditionCode.AE: ConditionCode.B,
    ConditionCode.NE: ConditionCode.E,
    ConditionCode.A: ConditionCode.BE,
    ConditionCode.NS: ConditionCode.S,
    ConditionCode.GE: ConditionCode.L,
    ConditionCode.G: ConditionCode.LE,
}


@dataclass(frozen=True)
class Compared:
    """The flags are those of the low ``bits`` of a register compared with ``number`` (signed);
    ``wraps``: of a sum or difference, compared with 0, that may have overflowed."""

    register: str
    bits: int
    number: int
    wraps: bool = False

    @property
    def registers(self) -> tuple[str, ...]:
        return (self.register,)


@dataclass(frozen=True)
class Pair:
    """The flags are those of the low ``bits`` of a register compared with those of another one."""

    register: str
    other: str
    bits: int

    @property
    def registers(self) -> tuple[str, ...]:
        return self.register, self.other


@dataclass(frozen=True)
class State:
    """``facts``: (register, width) → the range of so many low bits; absent: anything."""

    facts: Mapping[_Fact, Range] = field(default_factory=dict)
    compared: Compared | Pair | None = None
    flags: int = ALL_FLAGS

    def known(self, register: str, bits: int) -> Range:
        """Of the low ``bits`` of a register."""
        found = self.facts.get((register, bits), whole(bits))
        half = 1 << (bits - 1)
        for width in WIDTHS:
            wide = self.facts.get((register, width)) if width > bits else None
            if wide is None:
                continue
            if wide.high < 2 * half:
                found = met(found, low=wide.low, high=wide.high) or found
            if -half <= wide.least and wide.most < half:
                found = met(found, least=wide.least, most=wide.most) or found
        return found

    def with_range(self, register: str, known: Range) -> State:
        """With what is known of the low bits of an unchanged register, and wider ones where
        nothing else is in them."""
        facts = dict(self.facts)
        facts[register, known.bits] = known
        for width in WIDTHS:
            wide = facts.get((register, width)) if width > known.bits else None
            if wide is not None and wide.high >> known.bits == 0:
                more = met(wide, low=known.low, high=known.high)
                facts[register, width] = more or wide
        return replace(self, facts=facts)

    def without(self, registers: frozenset[str]) -> State:
        """These hold anything now."""
        facts = {key: x for key, x in self.facts.items() if key[0] not in registers}
        stale = self.compared is not None and not registers.isdisjoint(self.compared.registers)
        return State(facts, None if stale else self.compared, self.flags)

    def after_call(self, kept: frozenset[str]) -> State:
        """These registers alone are as they were."""
        return State({key: x for key, x in self.facts.items() if key[0] in kept})


def joined(before: State | None, now: State, *, widen: bool) -> State:
    """What holds after both; with ``widen`` no bound of ``before`` moves more than once."""
    if before is None:
        return now
    facts = {}
    for register, bits in {**before.facts, **now.facts}:
        one = before.known(register, bits)
        both = hull(one, now.known(register, bits))
        both = widened(one, both) if widen else both
        if not both.is_whole:
            facts[register, bits] = both
    same = before.compared == now.compared
    return State(facts, now.compared if same else None, before.flags | now.flags)


def normal(condition: int, holds: bool) -> tuple[int, bool]:
    """The same said of the condition or of its opposite, whichever comes first."""
    if condition in _OPPOSITES:
        return _OPPOSITES[condition], not holds
    return condition, holds


def refined(state: State, condition: int, holds: bool) -> State | None:
    """With a condition known to hold or not; None where that can't be."""
    condition, holds = normal(condition, holds)
    if condition not in _SETS:
        return state
    flags = state.flags & (_SETS[condition] if holds else ALL_FLAGS ^ _SETS[condition])
    if not flags:
        return None
    state = replace(state, flags=flags)
    if state.compared is None:
        return state
    if isinstance(state.compared, Pair):
        return _ordered(state, state.compared, condition, holds)
    before = state.known(state.compared.register, state.compared.bits)
    after = _met(before, state.compared, condition, holds)
    return None if after is None else state.with_range(state.compared.register, after)


def _met(known: Range, of: Compared, condition: int, holds: bool) -> Range | None:
    number, unsigned = of.number, of.number & ((1 << known.bits) - 1)
    if condition == ConditionCode.E:
        if holds:
            return met(known, low=unsigned, high=unsigned)
        return without_number(known, unsigned)
    if condition == ConditionCode.S and number == 0:
        return met(known, most=-1) if holds else met(known, least=0)
    if of.wraps:
        return known
    if condition == ConditionCode.B:
        return met(known, high=unsigned - 1) if holds else met(known, low=unsigned)
    if condition == ConditionCode.BE:
        return met(known, high=unsigned) if holds else met(known, low=unsigned + 1)
    if condition == ConditionCode.L:
        return met(known, most=number - 1) if holds else met(known, least=number)
    if condition == ConditionCode.LE:
        return met(known, most=number) if holds else met(known, least=number + 1)
    return known


def without_number(known: Range, unsigned: int) -> Range | None:
    """It is not this number, which says something at the ends of a range only."""
    half = 1 << (known.bits - 1)
    number = unsigned - 2 * half if unsigned >= half else unsigned
    return met(
        known,
        low=known.low + 1 if known.low == unsigned else None,
        high=known.high - 1 if known.high == unsigned else None,
        least=known.least + 1 if known.least == number else None,
        most=known.most - 1 if known.most == number else None,
    )


def _ordered(state: State, of: Pair, condition: int, holds: bool) -> State | None:
    """Two registers, one of which is known to be below the other one, or not above it."""
    one, other = state.known(of.register, of.bits), state.known(of.other, of.bits)
    if condition == ConditionCode.E:
        if not holds:
            return state
        bounds = other._asdict()
        bounds.pop("bits")
        found = met(one, **bounds)
        return None if found is None else _both_known(state, of, found, found)
    if condition not in _ORDERS:
        return state
    signed, equal = _ORDERS[condition]
    below, above = (one, other) if holds else (other, one)
    # What is not below is above or equal, and the other way round.
    apart = 0 if equal == holds else 1
    if signed:
        under = met(below, most=above.most - apart)
        over = met(above, least=below.least + apart)
    else:
        under = met(below, high=above.high - apart)
        over = met(above, low=below.low + apart)
    if under is None or over is None:
        return None
    return _both_known(state, of, *((under, over) if holds else (over, under)))


def _both_known(state: State, of: Pair, one: Range, other: Range) -> State:
    return state.with_range(of.register, one).with_range(of.other, other)
