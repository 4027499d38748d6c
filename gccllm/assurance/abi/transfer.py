"""How one instruction changes the abstract state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gccllm.assurance.abi.actions import Action
from gccllm.assurance.abi.memory import address_of, slot_of
from gccllm.assurance.abi.state import (
    ALL_FLAGS,
    ARGUMENTS,
    CALLEE_SAVED,
    REGISTERS,
    SET,
    Cell,
    State,
)
from gccllm.assurance.abi.steps import Step
from gccllm.assurance.abi.values import (
    WHOLE,
    Lanes,
    Ones,
    Residue,
    Saved,
    Stack,
    Value,
    added,
    aligned,
    difference_of,
    residue,
    scaled,
    sum_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SECOND", "Unsupported", "after_call", "apply"]

_STORING = (Action.STORE, Action.KEEP, Action.RAISE, Action.SAVE_WORD)
_RESULTS = ("rax", "rdx", "xmm0", "xmm1")
_SECOND_RESULTS = ("rdx", "xmm1")
SECOND = "second:"
"""begins the origin of what a call may have left as the second half of its result, or as junk"""
_LOST_IN_CALL = frozenset(
    r for r in REGISTERS if r not in ("rbx", "rbp", "rsp", "r12", "r13", "r14", "r15")
)
_ABOVE = Cell(above=True)
_MASKS = frozenset(f"k{i}" for i in range(8))
_NOWHERE: frozenset[tuple[int, int]] = frozenset()


class Unsupported(Exception):
    """The analysis does not cover the function; the text says why."""


def apply(step: Step, state: State) -> None:
    """Change ``state`` to what it is after ``step``, which is no call. Raises Unsupported."""
    registers = state.registers
    followed = _ACTIONS.get(step.action)
    if step.narrow is not None:
        _narrow(step, step.narrow, state)
    elif followed is None:
        for register in step.writes:
            if register in _MASKS:
                registers[register] = SET
            elif register in registers:
                registers[register] = _written(step, registers[register], register)
    else:
        result = followed(step, state)
        if step.destination:
            old = registers[step.destination]
            registers[step.destination] = result or _written(step, old, step.destination)
    for mask in step.writes & _MASKS:
        _forget_lanes(mask, state)
    memory = step.memory
    kept = step.action not in _STORING and step.narrow is not Action.STORE
    if memory is not None and memory.stores and kept:
        address = slot_of(state, memory)
        if address is not None:
            state.forget(address.base, address.offset, memory.size)
    _flags_and_units(step, state)
    _definitions(step, state)


def _forget_lanes(mask: str, state: State) -> None:
    for register, cell in state.registers.items():
        if isinstance(cell.value, Lanes) and cell.value.mask == mask:
            state.registers[register] = Cell(None, cell.junk)


def _narrow(step: Step, action: Action, state: State) -> None:
    """What is known of a number modulo a power of two is also known of its lower 32 bits."""
    if action is Action.STORE:
        _store(step, state, halved=True)
        return
    result = _ACTIONS[action](step, state)
    value = result.value if result is not None else None
    state.registers[step.destination] = Cell(value) if isinstance(value, Residue) else SET


def _written(step: Step, old: Cell, register: str) -> Cell:
    """The cell of a register that gets a new value of no interest, or perhaps keeps its old one."""
    if step.mnemonic.startswith("cmov") and old.junk:
        return Cell(None, old.junk)
    if step.lanes is not None and old.junk and not step.op.instruction.zeroing_masking:
        return Cell(step.lanes, old.junk)
    if register == step.low and (old.must or old.above):
        return _ABOVE
    return SET


def _flags_and_units(step: Step, state: State) -> None:
    if step.flags_set or step.flags_lost:
        state.undefined = (state.undefined - step.flags_set) | step.flags_lost
    if step.dirties:
        state.uppers = True
    if step.mmx:
        state.mmx = True
    if step.x87 is not None:
        _x87(step, state)
    change = _RARE.get(step.mnemonic)
    if change is not None:
        change(state)


def _x87(step: Step, state: State) -> None:
    needed, change = step.x87 or (0, 0)
    if step.mnemonic in ("fninit", "fnsave"):
        state.depth = 0
    elif state.depth is not None:
        # Results that a call left are known by their use.
        state.depth = max(state.depth, needed) + change


def _uppers_clean(state: State) -> None:
    state.uppers = False


def _mmx_clean(state: State) -> None:
    state.mmx = False
    state.depth = 0


def _backward(state: State) -> None:
    state.backward = True


def _forward(state: State) -> None:
    state.backward = False


_RARE: Mapping[str, Callable[[State], None]] = {
    "vzeroupper": _uppers_clean,
    "vzeroall": _uppers_clean,
    "emms": _mmx_clean,
    "femms": _mmx_clean,
    "std": _backward,
    "popfq": _backward,
    "cld": _forward,
}


def _definitions(step: Step, state: State) -> None:
    for register in ("rax", "xmm0"):
        if register not in step.writes:
            continue
        whole = register == "xmm0" or any(r == register and b == 64 for r, b in step.kills)
        kept = _NOWHERE if whole else state.definitions[register]
        state.definitions[register] = kept | {step.place}


def after_call(state: State, lost: frozenset[str] | None, callee: str = "") -> None:
    """Change ``state`` to what a call leaves; ``lost`` are the registers that the callee changes,
    None where that is all that the ABI lets it. ``callee`` is its symbol, "" where it is not known.
    """
    registers = state.registers
    _written_by_callee(state)
    for register in _LOST_IN_CALL if lost is None else lost & _LOST_IN_CALL:
        registers[register] = SET if register in _RESULTS else _AFTER_CALL[register]
    for register in _SECOND_RESULTS:
        # A callee that does not change it has left it as it was, and returns nothing there.
        if callee and (lost is None or register in lost):
            origin = f"{SECOND}{register}:{callee}"
            registers[register] = Cell(None, frozenset((origin,)), True)
    sp = registers["rsp"].value
    if isinstance(sp, Stack):
        for key in [k for k in state.slots if k[0] == sp.base and k[1] < sp.offset]:
            del state.slots[key]
    state.undefined = ALL_FLAGS
    state.uppers = False
    state.called = True
    state.definitions = dict.fromkeys(state.definitions, _NOWHERE)


def _written_by_callee(state: State) -> None:
    """Slots that an argument leads to hold what the callee put there, not what was pushed to make
    room. Saved registers are left alone: it has no business with them."""
    passed = [state.registers[x].value for x in ARGUMENTS]
    for (base, offset), (size, cell) in list(state.slots.items()):
        if cell.junk and not cell.junk <= set(CALLEE_SAVED):
            end = offset + size
            if any(isinstance(x, Stack) and x.base == base and x.offset < end for x in passed):
                state.slots[base, offset] = (size, SET)


_AFTER_CALL = {r: Cell(None, frozenset((f"call:{r}",)), True) for r in REGISTERS}


def _rsp(state: State) -> Stack:
    value = state.registers["rsp"].value
    if not isinstance(value, Stack):
        raise Unsupported("rsp can't be followed")
    return value


def _push(step: Step, state: State) -> None:
    top = added(_rsp(state), -8)
    assert isinstance(top, Stack)
    state.forget(top.base, top.offset, 8)
    cell = state.registers[step.source] if step.source else SET
    state.slots[(top.base, top.offset)] = (8, cell)
    state.registers["rsp"] = Cell(top)


def _pop(step: Step, state: State) -> Cell | None:
    top = _rsp(state)
    state.registers["rsp"] = Cell(added(top, 8))
    if not step.destination:
        return None
    size, cell = state.slots.get((top.base, top.offset), (8, SET))
    if cell.must and step.destination not in cell.junk:
        # gcc -Os makes room by pushing any register, and drops it into another.
        cell = Cell(cell.value, cell.junk)
    return cell if size == 8 else SET


def _leave(step: Step, state: State) -> Cell:
    frame = state.registers["rbp"].value
    if not isinstance(frame, Stack):
        raise Unsupported("leave with an rbp that can't be followed")
    state.registers["rsp"] = Cell(added(frame, 8))
    return state.slots.get((frame.base, frame.offset), (8, SET))[1]


def _copy(step: Step, state: State) -> Cell:
    return state.registers[step.source]


def _load(step: Step, state: State) -> Cell:
    assert step.memory is not None
    address = slot_of(state, step.memory)
    if address is None:
        return SET
    size, cell = state.slots.get((address.base, address.offset), (0, SET))
    return cell if size == step.memory.size else SET


def _store(step: Step, state: State, *, halved: bool = False) -> None:
    assert step.memory is not None
    address = slot_of(state, step.memory)
    if address is None:
        return
    state.forget(address.base, address.offset, step.memory.size)
    if step.source:
        cell = state.registers[step.source]
        if halved:
            cell = Cell(cell.value) if isinstance(cell.value, Residue) else SET
        state.slots[(address.base, address.offset)] = (step.memory.size, cell)


def _keep(step: Step, state: State) -> None:
    number = None if step.op.relocation is not None else residue(WHOLE, step.number)
    _put(step, state, number)


def _raise(step: Step, state: State) -> None:
    assert step.memory is not None
    address = slot_of(state, step.memory)
    if address is not None:
        size, cell = state.slots.get((address.base, address.offset), (0, SET))
        known = size == step.memory.size and isinstance(cell.value, Residue)
        _put(step, state, added(cell.value, step.number) if known else None)


def _put(step: Step, state: State, value: Value) -> None:
    """A value of the step's own goes where its memory operand is."""
    assert step.memory is not None
    address = slot_of(state, step.memory)
    if address is not None:
        state.forget(address.base, address.offset, step.memory.size)
        state.slots[(address.base, address.offset)] = (step.memory.size, _valued(value))


def _exchange(step: Step, state: State) -> Cell:
    registers = state.registers
    first, second = registers[step.destination], registers[step.source]
    registers[step.source] = first
    return second


def _valued(value: Value) -> Cell:
    return SET if value is None else Cell(value)


def _lea(step: Step, state: State) -> Cell:
    assert step.memory is not None
    return _valued(address_of(state, step.memory, step.data, step.place, step.destination))


def _add(step: Step, state: State) -> Cell:
    return _valued(added(state.registers[step.destination].value, step.number))


def _add_register(step: Step, state: State) -> Cell:
    registers = state.registers
    first, second = registers[step.destination].value, registers[step.source].value
    combined = difference_of if step.mnemonic == "sub" else sum_of
    return _valued(combined(first, second, step.place, step.destination))


def _and(step: Step, state: State) -> Cell:
    value = state.registers[step.destination].value
    return _valued(aligned(value, step.number, step.place, step.destination))


def _shift(step: Step, state: State) -> Cell:
    return _valued(scaled(state.registers[step.destination].value, 1 << (step.number & 63)))


def _set(step: Step, state: State) -> Cell | None:
    if step.op.relocation is not None or dict(step.kills).get(step.destination, 0) < 64:
        return None
    return Cell(residue(WHOLE, step.number))


def _zero(step: Step, state: State) -> Cell | None:
    return Cell(residue(WHOLE, 0)) if dict(step.kills).get(step.destination, 0) >= 64 else None


def _ones(step: Step, state: State) -> Cell:
    return Cell(Ones())


def _save_word(step: Step, state: State) -> None:
    assert step.memory is not None
    address = slot_of(state, step.memory)
    if address is not None:
        state.forget(address.base, address.offset, step.memory.size)
        if step.word not in state.changed:
            key = (address.base, address.offset)
            state.slots[key] = (step.memory.size, Cell(Saved(step.word)))


def _load_word(step: Step, state: State) -> None:
    address = slot_of(state, step.memory) if step.memory is not None else None
    held = state.slots.get((address.base, address.offset)) if address is not None else None
    if held is not None and held[1].value == Saved(step.word):
        state.changed -= {step.word}
    else:
        state.changed |= {step.word}


def _unsupported(step: Step, state: State) -> None:
    raise Unsupported(f"{step.mnemonic} is not followed")


_ACTIONS: Mapping[Action, Callable[[Step, State], Cell | None]] = {
    Action.PUSH: _push,
    Action.POP: _pop,
    Action.LEAVE: _leave,
    Action.COPY: _copy,
    Action.LOAD: _load,
    Action.STORE: _store,
    Action.EXCHANGE: _exchange,
    Action.LEA: _lea,
    Action.ADD: _add,
    Action.ADD_REGISTER: _add_register,
    Action.AND: _and,
    Action.SHIFT: _shift,
    Action.SET: _set,
    Action.ZERO: _zero,
    Action.ONES: _ones,
    Action.KEEP: _keep,
    Action.RAISE: _raise,
    Action.SAVE_WORD: _save_word,
    Action.LOAD_WORD: _load_word,
    Action.UNSUPPORTED: _unsupported,
}
