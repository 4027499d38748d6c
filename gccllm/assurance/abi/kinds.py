"""The kinds of ABI findings, and what a finding is.

The rules are those of the System V ABI for x86-64 ('Function Calling Sequence'), of gcc's
-fipa-ra and -fipa-stack-alignment, and of what a faster function has
no use for: reads of junk, and names by which code finds out where it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["Finding", "Kind"]


class Kind(str, Enum):
    """What a function can get wrong; the value is the stable id."""

    CALLEE_SAVED = "callee-saved"
    STACK_BALANCE = "stack-balance"
    RETURN_ADDRESS = "return-address"
    CALLER_FRAME = "caller-frame"
    RED_ZONE = "red-zone"
    BELOW_RED_ZONE = "below-red-zone"
    CALL_ALIGNMENT = "call-alignment"
    STACK_ALIGNMENT = "stack-alignment"
    MISALIGNED = "misaligned"
    DIRECTION_FLAG = "direction-flag"
    X87_STATE = "x87-state"
    CONTROL_WORD = "control-word"
    VECTOR_UPPERS = "vector-uppers"
    UNINITIALISED_READ = "uninitialised-read"
    CLOBBERED_READ = "clobbered-read"
    UPPER_HALF_READ = "upper-half-read"
    FLAGS_READ = "flags-read"
    CLOBBER = "clobber"
    MISSING_RESULT = "missing-result"
    JUMP_OUT = "jump-out"
    THREAD_STORAGE = "thread-storage"
    STACK_PROTECTOR = "stack-protector"
    NEW_NAME = "new-name"

    @property
    def meaning(self) -> str:
        """One line of explanation, as shown beside a finding."""
        return _MEANINGS[self]


_MEANINGS: Mapping[Kind, str] = {
    Kind.CALLEE_SAVED: "a register of the caller's does not have its value back on some path",
    Kind.STACK_BALANCE: "rsp is not where it was at entry when the function is left",
    Kind.RETURN_ADDRESS: "the return address is overwritten",
    Kind.CALLER_FRAME: "the caller's frame is touched where the baseline leaves it alone",
    Kind.RED_ZONE: "memory below rsp is used where there is no red zone",
    Kind.BELOW_RED_ZONE: "memory more than 128 bytes below rsp is used",
    Kind.CALL_ALIGNMENT: "rsp is not a multiple of 16 at a call that may need it",
    Kind.STACK_ALIGNMENT: "it needs an aligned stack, and callers in the unit may not align it",
    Kind.MISALIGNED: "an access that faults on a misaligned address, and nothing aligns it",
    Kind.DIRECTION_FLAG: "DF is set at a call or when the function is left",
    Kind.X87_STATE: "the x87 stack or MMX state is left otherwise than the baseline leaves it",
    Kind.CONTROL_WORD: "mxcsr or the x87 control word is left changed",
    Kind.VECTOR_UPPERS: "upper halves of vector registers are dirty at a call or return",
    Kind.UNINITIALISED_READ: "a register is read that holds what the caller happened to leave",
    Kind.CLOBBERED_READ: "a register is read that a call before may have changed",
    Kind.UPPER_HALF_READ: "more of an argument is read than the baseline reads",
    Kind.FLAGS_READ: "status flags are read that nothing defined",
    Kind.CLOBBER: "a register is changed that a caller in the unit keeps across the call",
    Kind.MISSING_RESULT: "a path returns without having written the result",
    Kind.JUMP_OUT: "control leaves the function where the baseline does not",
    Kind.THREAD_STORAGE: "memory relative to fs or gs is used that the baseline does not use",
    Kind.STACK_PROTECTOR: "the baseline's stack protector is gone",
    Kind.NEW_NAME: "it asks where it runs or what time it is, which the baseline does not",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: ``subject`` is the register (or symbol) it is about, "" for none;
    ``place`` the (section index, address) of the instruction; ``detail`` one line for a person.

    ``certain`` is False where the fault shows on some paths only and the paths may be impossible.
    """

    kind: Kind
    subject: str
    place: tuple[int, int]
    detail: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail} at {self.place[1]:#x}"
