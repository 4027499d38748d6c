"""The state of a machine as terms, on its way through one version of the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gccllm.assurance.proof.bits import bit_and, bit_not, bit_or, concat, ite
from gccllm.assurance.proof.compare import all_of
from gccllm.assurance.proof.flags import PLACES
from gccllm.assurance.proof.node import ONE, Term, const, var

__all__ = [
    "FRAME",
    "GENERAL",
    "MEMORY",
    "STACK",
    "TABLES",
    "Access",
    "State",
    "conjuncts",
    "initial",
    "merged",
]

GENERAL = tuple("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split())
MEMORY = var("memory", 0)
FRAME = var("frame", 0)
TABLES = var("tables", 0)
"""read-only data that is indexed"""
STACK = var("rsp", 64)


@dataclass(frozen=True)
class Access:
    """``size`` bytes at ``address`` are touched where ``guard`` holds."""

    guard: Term
    address: Term
    size: int


@dataclass
class State:
    """``registers``: name → 64 bits, "ymm0" … 256 bits, "cc_op" … as VEX has them. ``path``: under
    which condition control comes here. ``rounds``: jumps back so far. ``undefined``: flags that the
    last instructions left undefined."""

    registers: dict[str, Term]
    memory: Term = MEMORY
    frame: Term = FRAME
    path: Term = ONE
    rounds: int = 0
    undefined: frozenset[str] = frozenset()
    loads: tuple[Access, ...] = ()
    stores: tuple[Access, ...] = ()
    tables: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    """(address, byte) of the tables that were indexed"""

    marks: Mapping[int, tuple[Term, ...]] = field(default_factory=dict)
    """where a jump back led to → what registers and memory were then"""

    def came_before(self, address: int) -> bool:
        """Whether control was at ``address`` with the very same registers and memory before."""
        now = (*self.registers.values(), self.memory, self.frame)
        before = self.marks.get(address)
        self.marks = {**self.marks, address: now}
        return before == now

    def copy(self) -> State:
        return State(
            dict(self.registers),
            self.memory,
            self.frame,
            self.path,
            self.rounds,
            self.undefined,
            self.loads,
            self.stores,
            self.tables,
            self.marks,
        )


def initial(known: Mapping[str, int]) -> State:
    """Everything is free but the registers in ``known`` and the direction flag, which is clear."""
    registers = {name: var(name, 64) for name in GENERAL}
    registers.update((name, const(value, 64)) for name, value in known.items())
    registers.update((f"ymm{i}", var(f"ymm{i}", 256)) for i in range(16))
    pieces: list[Term] = []
    at = 0
    for name, place in sorted(PLACES.items(), key=lambda x: x[1]):
        if place > at:
            pieces.append(const(0, place - at))
        pieces.append(var(name, 1))
        at = place + 1
    flags = concat(const(0, 64 - at), *reversed(pieces))
    zero = const(0, 64)
    registers.update(cc_op=zero, cc_dep1=flags, cc_dep2=zero, cc_ndep=zero, dflag=const(1, 64))
    return State(registers)


def merged(first: State, second: State) -> State:
    """Two states at one place as one, whichever path was taken."""
    common, one, other = _divided(first.path, second.path)
    condition = one
    registers = {
        name: ite(condition, term, second.registers[name]) for name, term in first.registers.items()
    }
    return State(
        registers,
        ite(condition, first.memory, second.memory),
        ite(condition, first.frame, second.frame),
        bit_and(common, bit_or(one, other)),
        first.rounds,
        first.undefined | second.undefined,
        _together(first.loads, second.loads, condition),
        _together(first.stores, second.stores, condition),
        first.tables | second.tables,
    )


def _divided(a: Term, b: Term) -> tuple[Term, Term, Term]:
    """(what both conditions share, the rest of a, the rest of b)."""
    ours, theirs = conjuncts(a), conjuncts(b)
    shared = [x for x in ours if x in theirs]
    return (
        all_of(*shared),
        all_of(*(x for x in ours if x not in shared)),
        all_of(*(x for x in theirs if x not in shared)),
    )


def conjuncts(condition: Term) -> tuple[Term, ...]:
    return condition.args if condition.op == "and" else (condition,)


def _together(
    first: tuple[Access, ...], second: tuple[Access, ...], condition: Term
) -> tuple[Access, ...]:
    both = set(first) & set(second)
    found = [x for x in first if x in both]
    found += [
        Access(bit_and(x.guard, condition), x.address, x.size) for x in first if x not in both
    ]
    opposite = bit_not(condition)
    found += [
        Access(bit_and(x.guard, opposite), x.address, x.size) for x in second if x not in both
    ]
    return tuple(found)
