"""What has to agree when both versions leave, and the condition under which it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gccllm.assurance.proof import memory
from gccllm.assurance.proof.bits import bit_and, bit_not, extract
from gccllm.assurance.proof.compare import all_of, any_of, equal, less_unsigned
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.flags import flag
from gccllm.assurance.proof.node import ONE, ZERO, Term, const, ordered, var
from gccllm.assurance.proof.shifts import shift_right
from gccllm.assurance.proof.state import Access, State
from gccllm.assurance.proof.sums import add, difference, subtract

__all__ = ["Contract", "apart_from_stack", "differs", "reachable", "strays"]

PAGE_BITS = 12
LOWEST, HIGHEST = 0x1_0000, 0x7FFF_FFFF_F000
"""addresses that a program on Linux can have (mmap_min_addr; four levels of page tables)"""
_BELOW_STACK = 1 << 16
_MOST_RANGES = 12


@dataclass(frozen=True)
class Contract:
    """``general`` and ``vectors``: register → how many of its low bits are compared. ``flags``:
    those compared. ``frame_from``: how far from the final rsp the frame has to agree, upwards;
    None where all of it is compared."""

    general: Mapping[str, int]
    vectors: Mapping[str, int]
    flags: frozenset[str]
    frame_from: int | None


def differs(contract: Contract, first: State, second: State) -> tuple[Term, Term]:
    """Conditions under which two states that left by one exit break the contract: in registers,
    flags and frame, and in other memory. Raises Unsupported."""
    found: list[Term] = []
    for name, bits in (*contract.general.items(), *contract.vectors.items()):
        a = extract(first.registers[name], bits - 1, 0)
        b = extract(second.registers[name], bits - 1, 0)
        found.append(bit_not(equal(a, b)))
    for name in sorted(contract.flags):
        if name == "af" or name in first.undefined | second.undefined:
            raise Unsupported("a flag that is undefined lives on")
        found.append(bit_not(equal(*(flag(name, _thunk(x)) for x in (first, second)))))
    found.append(_frames_differ(contract, first, second))
    if first.memory is second.memory:
        return any_of(*found), ZERO
    return any_of(*found), _memories_differ(contract, first, second)


def _thunk(state: State) -> tuple[Term, Term, Term, Term]:
    r = state.registers
    return r["cc_op"], r["cc_dep1"], r["cc_dep2"], r["cc_ndep"]


def _memories_differ(contract: Contract, first: State, second: State) -> Term:
    """At some address; what lies below the final stack pointer is nobody's."""
    probe = var("probe", 64)
    here = (memory.select(x.memory, probe) for x in (first, second))
    wrong = bit_not(equal(*here))
    if contract.frame_from is None:
        return wrong
    bottom = subtract(first.registers["rsp"], const(_BELOW_STACK, 64))
    dead = less_unsigned(subtract(probe, bottom), const(_BELOW_STACK, 64))
    return bit_and(wrong, bit_not(dead))


def _frames_differ(contract: Contract, first: State, second: State) -> Term:
    if first.frame is second.frame:
        return ZERO
    places: set[Term] = {x.args[1] for x in ordered([first.frame, second.frame]) if x.op == "store"}
    found = []
    for place in sorted(places, key=lambda x: x.number):
        apart = difference(place, first.registers["rsp"])
        if apart is None:
            raise Unsupported("a stack pointer that is not known")
        if contract.frame_from is not None and apart >> 63:
            continue
        here = (memory.select(x.frame, place) for x in (first, second))
        found.append(bit_not(equal(*here)))
    return any_of(*found)


def reachable(accesses: Sequence[Access]) -> Term:
    """That what the baseline touches lies where a program can have memory: elsewhere it faults."""
    found = ONE
    chosen = list(dict.fromkeys([*accesses[:_MOST_RANGES], *accesses[-_MOST_RANGES:]]))
    for x in chosen:
        low = subtract(x.address, const(LOWEST, 64))
        inside = less_unsigned(low, const(HIGHEST - LOWEST - 64, 64))
        found = bit_and(found, any_of(bit_not(x.guard), inside))
    return found


def apart_from_stack(accesses: Sequence[Access], rsp: Term, private_above: int | None) -> Term:
    """That rsp is a place for a stack, and, where the frame is a memory of its own, that nothing
    else reaches into it, from ``_BELOW_STACK`` below rsp to ``private_above`` bytes above."""
    low = subtract(rsp, const(LOWEST + _BELOW_STACK, 64))
    room = const(HIGHEST - LOWEST - 4 * _BELOW_STACK, 64)
    found = bit_and(less_unsigned(low, room), equal(extract(rsp, 2, 0), const(0, 3)))
    if private_above is None:
        return found
    size = const(_BELOW_STACK + min(private_above, _BELOW_STACK), 64)
    bottom = subtract(rsp, const(_BELOW_STACK, 64))
    for x in dict.fromkeys(accesses):
        inside = less_unsigned(subtract(x.address, bottom), size)
        found = bit_and(found, bit_not(bit_and(x.guard, inside)))
    return found


def strays(baseline: State, candidate: State) -> Term:
    """The condition under which the candidate touches memory that may fault or be another's: a
    page that the baseline does not touch, or a byte written that it does not write."""
    found: list[Term] = []
    touched = (*baseline.loads, *baseline.stores)
    for access in candidate.loads:
        found += [
            bit_and(access.guard, _on_no_page(end, touched))
            for end in _ends(access)
            if not _covered(end, touched)
        ]
    for access in candidate.stores:
        for i in range(access.size):
            byte = add(access.address, const(i, 64))
            if not _covered(byte, baseline.stores):
                found.append(bit_and(access.guard, _not_among(byte, baseline.stores)))
    return any_of(*dict.fromkeys(found))


def _ends(access: Access) -> Iterator[Term]:
    yield access.address
    if access.size > 1:
        yield add(access.address, const(access.size - 1, 64))


def _covered(byte: Term, accesses: Sequence[Access]) -> bool:
    for x in accesses:
        apart = difference(byte, x.address)
        if x.guard is ONE and apart is not None and apart < x.size:
            return True
    return False


def _page(address: Term) -> Term:
    return shift_right(address, const(PAGE_BITS, 64))


def _on_no_page(byte: Term, accesses: Sequence[Access]) -> Term:
    page = _page(byte)
    return all_of(
        *(bit_not(bit_and(x.guard, equal(page, _page(end)))) for x in accesses for end in _ends(x))
    )


def _not_among(byte: Term, accesses: Sequence[Access]) -> Term:
    return all_of(
        *(
            bit_not(bit_and(x.guard, less_unsigned(subtract(byte, x.address), const(x.size, 64))))
            for x in accesses
        )
    )
