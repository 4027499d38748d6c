"""What is followed of an instruction: copies, addresses, sums, and what goes where."""

from __future__ import annotations

from enum import Enum, auto

from iced_x86 import Code, FlowControl, Instruction, OpKind, Register

from gccllm.asm.code import Op, register_name
from gccllm.asm.effects import Effect, Memory
from gccllm.assurance.abi.operands import immediate, register_operand, same_last

__all__ = ["ONES", "WORD_LOADS", "WORD_SAVES", "Action", "action_of", "calculation"]

_COPIES = frozenset(
    "mov movq vmovq movaps movapd movups movupd movdqa movdqu vmovaps vmovapd vmovups vmovupd "
    "vmovdqa vmovdqu vmovdqa32 vmovdqa64 vmovdqu8 vmovdqu16 vmovdqu32 vmovdqu64".split()
)
_UNSUPPORTED = frozenset(
    "enter iret iretd iretq syscall sysenter sysexit int xbegin xabort xend frstor fxrstor "
    "fxrstor64 xrstor xrstor64 xrstors fxsave fxsave64 tileloadd ldtilecfg".split()
)
WORD_SAVES = {"fnstcw": "x87", "fnstenv": "x87", "stmxcsr": "mxcsr", "vstmxcsr": "mxcsr"}
WORD_LOADS = {
    "fldcw": "x87",
    "fldenv": "x87",
    "fninit": "x87",
    "ldmxcsr": "mxcsr",
    "vldmxcsr": "mxcsr",
}
_XORS = frozenset("xor pxor xorps xorpd vpxor vxorps vxorpd vpxord vpxorq".split())
ONES = frozenset("pcmpeqb pcmpeqw pcmpeqd pcmpeqq kxnorb kxnorw kxnord kxnorq".split())
_FIRST_TILE = "tmm0"


class Action(Enum):
    """What has to be followed closely; OTHER are all whose results are just new values."""

    OTHER = auto()
    COPY = auto()
    LOAD = auto()
    STORE = auto()
    PUSH = auto()
    POP = auto()
    LEAVE = auto()
    EXCHANGE = auto()
    LEA = auto()
    ADD = auto()
    ADD_REGISTER = auto()
    AND = auto()
    SHIFT = auto()
    SET = auto()
    ZERO = auto()
    ONES = auto()
    KEEP = auto()
    """a number goes into memory"""
    RAISE = auto()
    """a number is added to one in memory"""
    SAVE_WORD = auto()
    LOAD_WORD = auto()
    CALL = auto()
    UNSUPPORTED = auto()


def action_of(op: Op, name: str, effect: Effect) -> tuple[Action, str, str, int]:
    """(what is done, destination, source, number) with operands of 64 bits and more; see
    :class:`gccllm.assurance.abi.steps.Step`."""
    instruction = op.instruction
    destination, width = register_operand(instruction, 0)
    source, other = register_operand(instruction, 1)
    flow = instruction.flow_control
    if name in _UNSUPPORTED or instruction.code == Code.INVALID or _FIRST_TILE in effect.writes:
        return Action.UNSUPPORTED, "", "", 0
    if flow in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
        return Action.CALL, "", "", 0
    if name in ("push", "pop"):
        moved = instruction.stack_pointer_increment
        if abs(moved) != 8:
            return Action.UNSUPPORTED, "", "", 0
        # What is pushed stays where it is.
        push = name == "push"
        return (Action.PUSH, "", destination, 0) if push else (Action.POP, destination, "", 0)
    if name in ("pushfq", "popfq"):
        return (Action.PUSH if name == "pushfq" else Action.POP), "", "", 0
    if name == "leave":
        return Action.LEAVE, "rbp", "", 0
    if name in WORD_SAVES and effect.memory is not None:
        return Action.SAVE_WORD, "", "", 0
    if name in WORD_LOADS:
        return Action.LOAD_WORD, "", "", 0
    if instruction.stack_pointer_increment and flow == FlowControl.NEXT:
        return Action.UNSUPPORTED, "", "", 0
    masked = instruction.op_mask != Register.NONE
    if name in _COPIES and not masked and instruction.op_count == 2:
        memory = effect.memory
        if destination and source and min(width, other) >= 8:
            return Action.COPY, destination, source, 0
        if destination and memory is not None and width >= 8:
            return Action.LOAD, destination, "", 0
        if memory is not None and memory.stores and source and other >= 8:
            return Action.STORE, "", source, 0
    if name in _XORS and not masked and same_last(instruction):
        return Action.ZERO, destination, "", 0
    if name.startswith("kmov") and instruction.op0_kind == instruction.op1_kind == OpKind.REGISTER:
        to, of = (register_name(instruction.op_register(i)) or "" for i in (0, 1))
        if to.startswith("k") and of.startswith("k"):
            return Action.COPY, to, of, 0
    if name.removeprefix("v") in ONES and not masked and same_last(instruction):
        made = register_name(instruction.op0_register) or ""
        if destination or name.startswith("k"):
            return Action.ONES, destination or made, "", 0
    number = immediate(instruction)
    if number is not None and name == "mov" and destination:
        return Action.SET, destination, "", number
    if name == "xchg" and source and width == 8:
        return Action.EXCHANGE, destination, source, 0
    return calculation(instruction, name, effect, 8) or (Action.OTHER, destination, source, 0)


def calculation(
    instruction: Instruction, name: str, effect: Effect, size: int
) -> tuple[Action, str, str, int] | None:
    """What is done with general registers, all operands ``size`` bytes wide."""
    destination, width = register_operand(instruction, 0)
    source, other = register_operand(instruction, 1)
    if name in ("movd", "vmovd") and size < 8 and destination and source:
        return Action.COPY, destination, source, 0
    if destination.startswith("xmm") or source.startswith("xmm"):
        return None
    if name == "mov" and size < 8 and effect.memory is not None and effect.memory.stores:
        return (Action.STORE, "", source, 0) if other == size else None
    if name == "cdqe":
        return (Action.COPY, "rax", "rax", 0) if size < 8 else None
    loaded = Action.LOAD if effect.memory is not None else None
    if size == 8 and effect.memory is not None and effect.memory.stores:
        return _in_memory(instruction, name, effect.memory)
    if width != size and (name != "movsxd" or size == 8):
        return None
    number = immediate(instruction)
    found: Action | None = None
    if name in ("mov", "movsxd") and size < 8 and number is None:
        found = Action.COPY if source else loaded
    elif name == "lea":
        found, source = Action.LEA, ""
    elif (step := _added(name, number)) is not None:
        found, number = Action.ADD, step
    elif name in ("add", "sub") and source:
        found = Action.ADD_REGISTER
    elif name == "and" and number is not None:
        found = Action.AND
    elif name in ("shl", "sal") and number is not None:
        found = Action.SHIFT
    return (found, destination, source, number or 0) if found is not None else None


def _in_memory(
    instruction: Instruction, name: str, memory: Memory
) -> tuple[Action, str, str, int] | None:
    number = immediate(instruction)
    if memory.size not in (4, 8):
        return None
    if name == "mov" and number is not None:
        return Action.KEEP, "", "", number
    step = _added(name, number)
    return (Action.RAISE, "", "", step) if step is not None else None


def _added(name: str, number: int | None) -> int | None:
    """What an instruction with the immediate ``number`` adds; None where it adds no number."""
    if name in ("inc", "dec"):
        return 1 if name == "inc" else -1
    if name in ("add", "sub") and number is not None:
        return number if name == "add" else -number
    return None
