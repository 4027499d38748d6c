"""The abstract state before an instruction, and how the states of two paths become one."""

from __future__ import annotations

from dataclasses import dataclass

from gccllm.assurance.abi.values import (
    ENTRY_BASE,
    Base,
    Entry,
    Place,
    Residue,
    Stack,
    Value,
    joined,
)

__all__ = [
    "ALL_FLAGS",
    "ARGUMENTS",
    "CALLEE_SAVED",
    "GENERAL",
    "REGISTERS",
    "SET",
    "VECTORS",
    "Cell",
    "Slots",
    "State",
    "entry_state",
]

CALLEE_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")
GENERAL = (*CALLEE_SAVED, *"rax rcx rdx rsi rdi rsp r8 r9 r10 r11".split())
VECTORS = tuple(f"xmm{i}" for i in range(32))
REGISTERS = (*GENERAL, *VECTORS, *(f"k{i}" for i in range(8)))
ARGUMENTS = (
    *"rdi rsi rdx rcx r8 r9 rax r10".split(),
    *VECTORS[:8],
)
"""registers in which a call may be passed something: rax counts vector registers for variadic
functions, r10 is the static chain"""
ALL_FLAGS = frozenset(("cf", "pf", "af", "zf", "sf", "of"))


@dataclass(frozen=True)
class Cell:
    """A register's or slot's content.

    ``junk``: whose values nobody vouches for may still be in it: "rdi" as rdi was at entry,
    "call:rcx" as a call left rcx. ``must``: it is so on every path. Whatever writes a part of it
    makes an end of that: gcc computes with registers of which only the low byte is set, and drops
    the rest.
    """

    value: Value = None
    junk: frozenset[str] = frozenset()
    must: bool = False
    above: bool = False
    """its lower bytes were written, and what is above them is junk, whatever the path"""


SET = Cell()
"""a cell with something in it that the function put there"""

Slots = dict[tuple[Base, int], tuple[int, Cell]]
"""(base, offset) → bytes and content"""


@dataclass
class State:
    """``undefined``: flags that perhaps nothing defined. ``depth``: values on the x87 stack, None
    when that is not known; ``called``: a call since may have left results there. ``definitions``:
    which instructions' results rax and xmm0 may hold."""

    registers: dict[str, Cell]
    slots: Slots
    undefined: frozenset[str]
    backward: bool
    uppers: bool
    mmx: bool
    depth: int | None
    called: bool
    changed: frozenset[str]
    """control words that are no longer the caller's: "x87", "mxcsr" """
    definitions: dict[str, frozenset[Place]]

    def copy(self) -> State:
        return State(
            dict(self.registers),
            dict(self.slots),
            self.undefined,
            self.backward,
            self.uppers,
            self.mmx,
            self.depth,
            self.called,
            self.changed,
            dict(self.definitions),
        )

    def absorb(self, other: State, place: Place) -> bool:
        """Make this the state of both paths at ``place``; True when that changed it."""
        changed = False
        for name, mine in self.registers.items():
            theirs = other.registers[name]
            if mine is not theirs and mine != theirs:
                both = _join(mine, theirs, place, name)
                if both != mine:
                    self.registers[name] = both
                    changed = True
        for key, (size, mine) in list(self.slots.items()):
            found = other.slots.get(key)
            if found is None or found[0] != size:
                del self.slots[key]
                changed = True
            elif found[1] != mine:
                both = _join(mine, found[1], place, "")
                if both != mine:
                    self.slots[key] = (size, both)
                    changed = True
        before = self._rest()
        self.undefined |= other.undefined
        self.backward |= other.backward
        self.uppers |= other.uppers
        self.mmx |= other.mmx
        self.called |= other.called
        self.changed |= other.changed
        if self.depth != other.depth:
            self.depth = None
        for name, places in other.definitions.items():
            if not places <= self.definitions[name]:
                self.definitions[name] |= places
                changed = True
        return changed or before != self._rest()

    def _rest(self) -> tuple[object, ...]:
        return (
            self.undefined,
            self.backward,
            self.uppers,
            self.mmx,
            self.depth,
            self.called,
            self.changed,
        )

    def forget(self, base: Base, offset: int, size: int) -> None:
        """Drop the slots that a store of ``size`` bytes at ``base`` + ``offset`` touches."""
        for key in list(self.slots):
            held = self.slots[key][0]
            if key[0] == base and key[1] < offset + size and offset < key[1] + held:
                del self.slots[key]


def _join(mine: Cell, theirs: Cell, place: Place, name: str) -> Cell:
    value = mine.value
    if value != theirs.value:
        # A place has one joined base a register, and none for each of its slots.
        numbers = isinstance(value, Residue) and isinstance(theirs.value, Residue)
        value = joined(value, theirs.value, place, name) if name or numbers else None
    above = mine.above and theirs.above
    if mine.junk and theirs.junk:
        return Cell(value, mine.junk | theirs.junk, mine.must and theirs.must, above)
    if mine.junk or theirs.junk:
        tainted = mine if mine.junk else theirs
        return Cell(value, tainted.junk)
    return Cell(value, above=above) if value is not None or above else SET


def entry_state() -> State:
    """How a function finds the machine: registers hold the caller's values, DF is clear, the x87
    stack is empty."""
    registers = {r: Cell(Entry(r), frozenset((r,)), True) for r in REGISTERS}
    registers["rsp"] = Cell(Stack(ENTRY_BASE, 0))
    return State(
        registers,
        {},
        ALL_FLAGS,
        False,
        False,
        False,
        0,
        False,
        frozenset(),
        {"rax": frozenset(), "xmm0": frozenset()},
    )
