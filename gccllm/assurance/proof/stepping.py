"""One instruction: lifted with pyvex, and what it does to a state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from iced_x86 import Decoder, Instruction, OpKind, Register, RflagsBits

from gccllm.assurance.proof import memory
from gccllm.assurance.proof.bits import bit_and, bit_not, concat, extract, ite, sext
from gccllm.assurance.proof.compare import any_of, equal, less_unsigned, quotient
from gccllm.assurance.proof.errors import Unsupported
from gccllm.assurance.proof.flags import call
from gccllm.assurance.proof.image import Image
from gccllm.assurance.proof.instructions import own_model
from gccllm.assurance.proof.node import ONE, ZERO, Term, const, ordered
from gccllm.assurance.proof.operations import operation
from gccllm.assurance.proof.state import GENERAL, STACK, TABLES, Access, State
from gccllm.assurance.proof.sums import difference, subtract

__all__ = ["Stepper"]

RED_ZONE = 128
"""bytes below rsp that signals leave alone (System V ABI, x86-64, 3.2.2)"""
_FLAGS = {
    "cf": RflagsBits.CF,
    "pf": RflagsBits.PF,
    "zf": RflagsBits.ZF,
    "sf": RflagsBits.SF,
    "of": RflagsBits.OF,
}


@dataclass(frozen=True)
class _Lifted:
    """``statements`` and where control goes (``next``, ``kind``) are pyvex's."""

    size: int
    statements: tuple[Any, ...]
    next: Any
    kind: str
    reads: frozenset[str]
    undefined: frozenset[str]
    defined: frozenset[str]
    instruction: Instruction


def _names(bits: int) -> frozenset[str]:
    return frozenset(name for name, bit in _FLAGS.items() if bits & bit)


class Stepper:
    """Runs the code of one image. Raises Unsupported where pyvex is missing.

    ``private``: what lies at a known distance from the stack pointer is reached by no other
    address: the frame is a memory of its own, from ``frame_end`` bytes above the initial rsp down.
    ``traps``: under which conditions it would have trapped so far; the paths exclude them.
    """

    def __init__(self, image: Image, *, private: bool, frame_end: int) -> None:
        try:
            import pyvex
            from pyvex.arches import ARCH_AMD64
        except ImportError as error:
            raise Unsupported("pyvex is missing: pip install 'gccllm[proof]'") from error
        self._lift = pyvex.lift
        self._size_of: Callable[[str], int] = pyvex.const.get_type_size
        self._arch = ARCH_AMD64
        self._places: dict[int, tuple[str, int, int]] = {}
        names = [(n, 64) for n in (*GENERAL, "cc_op", "cc_dep1", "cc_dep2", "cc_ndep")]
        for name, width in [*names, *((f"ymm{i}", 256) for i in range(16))]:
            self._add_place(ARCH_AMD64.get_register_offset(name), name, width)
        self._add_place(ARCH_AMD64.get_register_offset("d"), "dflag", 64)
        self._image = image
        self._private = private
        self._frame_end = frame_end
        self.traps: list[Term] = []
        self._known: dict[int, _Lifted] = {}

    def _add_place(self, offset: int, name: str, width: int) -> None:
        for i in range(width // 8):
            self._places[offset + i] = (name, 8 * i, width)

    # ---- lifting ---------------------------------------------------------------------------------

    def _lifted(self, address: int) -> _Lifted:
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._decode(address)
        return found

    def _decode(self, address: int) -> _Lifted:
        data = self._image.code(address)
        instruction = next(iter(Decoder(64, data, ip=address)))
        size = instruction.len
        if instruction.is_invalid:
            raise Unsupported("an instruction that can't be decoded")
        self._image.check(address, size)
        name = str(instruction).split()[0]
        if instruction.has_lock_prefix:
            raise Unsupported("a locked instruction")
        block = self._lift(
            data[:size], address, self._arch, max_inst=1, max_bytes=size, opt_level=1
        )
        if block.jumpkind == "Ijk_NoDecode" or block.size != size:
            raise Unsupported(f"the instruction {name}")
        undefined = _names(instruction.rflags_undefined)
        return _Lifted(
            size,
            tuple(block.statements),
            block.next,
            block.jumpkind,
            _names(instruction.rflags_read),
            undefined,
            # A shift by cl leaves the flags alone where cl is zero.
            frozenset()
            if instruction.op1_kind == OpKind.REGISTER and instruction.op1_register == Register.CL
            else _names(instruction.rflags_modified) - undefined,
            instruction,
        )

    # ---- one step --------------------------------------------------------------------------------

    def step(self, address: int, state: State) -> Iterator[tuple[Term | None, int, State]]:
        """(computed target or None, target, state) for each way on from ``address``. The state
        that is given is used up. Raises Unsupported."""
        lifted = self._lifted(address)
        if lifted.reads & state.undefined:
            raise Unsupported("a flag is read that is undefined")
        state.undefined = (state.undefined - lifted.defined) | lifted.undefined
        if own_model(lifted.instruction, state):
            yield None, address + lifted.size, state
            return
        values: dict[int, Term] = {}
        for statement in lifted.statements:
            tag = statement.tag
            if tag in ("Ist_IMark", "Ist_NoOp", "Ist_AbiHint"):
                continue
            if tag == "Ist_WrTmp":
                values[statement.tmp] = self._value(state, values, statement.data)
            elif tag == "Ist_Put":
                self._put(state, statement.offset, self._value(state, values, statement.data))
            elif tag == "Ist_Store":
                where = self._value(state, values, statement.addr)
                self._store(state, where, self._value(state, values, statement.data))
            elif tag == "Ist_Exit":
                guard = self._value(state, values, statement.guard)
                if statement.jumpkind.startswith("Ijk_Sig"):
                    self._trap(state, guard)
                elif statement.jumpkind == "Ijk_Boring":
                    taken = bit_and(state.path, guard)
                    if taken is not ZERO:
                        branch = state.copy()
                        branch.path = taken
                        yield None, int(statement.dst.value), branch
                    state.path = bit_and(state.path, bit_not(guard))
                    if state.path is ZERO:
                        return
                else:
                    raise Unsupported(f"the exit {statement.jumpkind}")
            else:
                raise Unsupported(f"the statement {tag.removeprefix('Ist_')}")
            if state.path is ZERO:
                return
        if lifted.kind == "Ijk_Call":
            raise Unsupported("a call")
        if lifted.kind not in ("Ijk_Boring", "Ijk_Ret"):
            raise Unsupported(f"the jump {lifted.kind.removeprefix('Ijk_')}")
        target = self._value(state, values, lifted.next)
        if target.is_const:
            yield None, target.value, state
        else:
            yield target, 0, state

    def _trap(self, state: State, guard: Term) -> None:
        trapped = bit_and(state.path, guard)
        if trapped is not ZERO:
            self.traps.append(trapped)
        state.path = bit_and(state.path, bit_not(guard))

    # ---- parts of a statement --------------------------------------------------------------------

    def _value(self, state: State, values: dict[int, Term], expression: Any) -> Term:
        tag = expression.tag
        if tag == "Iex_RdTmp":
            return values[expression.tmp]
        if tag == "Iex_Const":
            return self._constant(expression.con)
        if tag == "Iex_Get":
            return self._get(state, expression.offset, self._size_of(expression.ty))
        if tag == "Iex_Load":
            address = self._value(state, values, expression.addr)
            return self._load(state, address, self._size_of(expression.ty) // 8)
        if tag in ("Iex_Unop", "Iex_Binop", "Iex_Triop", "Iex_Qop"):
            arguments = [self._value(state, values, x) for x in expression.args]
            if "DivMod" in expression.op:
                self._check_division(state, arguments[0], arguments[1], "ModS" in expression.op)
            return operation(expression.op)(*arguments)
        if tag == "Iex_ITE":
            parts = (expression.cond, expression.iftrue, expression.iffalse)
            return ite(*(self._value(state, values, x) for x in parts))
        if tag == "Iex_CCall":
            arguments = [self._value(state, values, x) for x in expression.args]
            return extract(
                call(expression.callee.name, arguments), self._size_of(expression.retty) - 1, 0
            )
        raise Unsupported(f"the expression {tag.removeprefix('Iex_')}")

    def _constant(self, found: Any) -> Term:
        value = found.value
        if not isinstance(value, int):
            raise Unsupported("a floating-point constant")
        return self._image.address_term(value) if found.size == 64 else const(value, found.size)

    def _check_division(self, state: State, a: Term, b: Term, is_signed: bool) -> None:
        """The quotient has to fit, or the instruction traps."""
        width = b.width
        if not is_signed:
            high = extract(a, 2 * width - 1, width)
            self._trap(state, bit_not(less_unsigned(high, b)))
            return
        narrow = extract(a, width - 1, 0)
        if sext(narrow, 2 * width) is a:
            lowest = equal(narrow, const(1 << width - 1, width))
            overflow = bit_and(lowest, equal(b, const(-1, width)))
            self._trap(state, any_of(overflow, equal(b, const(0, width))))
            return
        whole = operation("Iop_DivModS128to64" if width == 64 else "Iop_DivModS64to32")
        wide = sext(b, 2 * width)
        exact = quotient(a, wide, is_signed=True)
        fits = equal(sext(extract(whole(a, b), width - 1, 0), 2 * width), exact)
        self._trap(state, any_of(bit_not(fits), equal(b, const(0, width))))

    def _get(self, state: State, offset: int, width: int) -> Term:
        if offset not in self._places:
            raise Unsupported("a register that is not modelled")
        name, low, _ = self._places[offset]
        return extract(state.registers[name], low + width - 1, low)

    def _put(self, state: State, offset: int, value: Term) -> None:
        if offset == self._arch.ip_offset:
            return
        if offset not in self._places:
            raise Unsupported("a register that is not modelled")
        name, low, full = self._places[offset]
        if value.width < full:
            old = state.registers[name]
            parts = [value]
            if low + value.width < full:
                parts.insert(0, extract(old, full - 1, low + value.width))
            if low:
                parts.append(extract(old, low - 1, 0))
            value = concat(*parts)
        state.registers[name] = value

    # ---- memory ----------------------------------------------------------------------------------

    @property
    def private_above(self) -> int | None:
        """How far the private frame reaches above the initial rsp; None where there is none."""
        return self._frame_end if self._private else None

    def _in_frame(self, state: State, address: Term, size: int) -> bool:
        """Raises Unsupported for what may be in the frame."""
        if not self._private:
            return False
        apart = difference(address, STACK)
        if apart is None:
            if _names_stack(address):
                raise Unsupported("a computed address in the stack frame")
            return False
        distance = apart - (1 << 64) if apart >> 63 else apart
        if distance < self._frame_end < distance + size:
            raise Unsupported("an access across the end of the stack frame")
        below = difference(state.registers["rsp"], address)
        if below is None or RED_ZONE < below < 1 << 63:
            raise Unsupported("an access below the red zone")
        return distance < self._frame_end

    def _load(self, state: State, address: Term, size: int) -> Term:
        if address.is_const:
            found = [self._image.constant(address.value + i) for i in range(size)]
            known = [x for x in found if x is not None]
            if len(known) != size:
                raise Unsupported("a load from a fixed address")
            return const(int.from_bytes(bytes(known), "little"), 8 * size)
        if self._in_frame(state, address, size):
            return memory.load(state.frame, address, size)
        if address.op == "sum":
            table = self._image.table(address.args[0])
            if table is not None:
                entries = tuple(table)
                inside = subtract(address, const(entries[0][0], 64))
                room = const(max(len(entries) - size + 1, 0), 64)
                self._trap(state, bit_not(less_unsigned(inside, room)))
                state.tables |= frozenset(entries)
                return memory.load(TABLES, address, size)
        state.loads = _noted(state.loads, address, size)
        return memory.load(state.memory, address, size)

    def _store(self, state: State, address: Term, value: Term) -> None:
        size = value.width // 8
        if address.is_const:
            raise Unsupported("a store to a fixed address")
        if self._in_frame(state, address, size):
            state.frame = memory.store(state.frame, address, value)
            return
        state.stores = _noted(state.stores, address, size)
        state.memory = memory.store(state.memory, address, value)


def _noted(old: tuple[Access, ...], address: Term, size: int) -> tuple[Access, ...]:
    new = Access(ONE, address, size)
    return old if new in old else (*old, new)


def _names_stack(address: Term) -> bool:
    return any(x is STACK for x in ordered([address]))
