"""Reads whose outcome the next instruction throws away.

SSE2 extends signs by interleaving lanes with those of any register, and shifting what came from
there out again: ``punpcklwd %xmm0, %xmm1`` and ``psrad $16, %xmm1``. Compilers take a register
that holds nothing for that.
"""

from __future__ import annotations

from collections.abc import Mapping

from iced_x86 import Mnemonic, OpKind

from gccllm.asm.code import Op, register_name

__all__ = ["shifted_out"]

_SHIFTS: Mapping[int, tuple[int, int]] = {
    Mnemonic.PSRLW: (16, 8),
    Mnemonic.PSRAW: (16, 8),
    Mnemonic.PSRLD: (32, 16),
    Mnemonic.PSRAD: (32, 16),
    Mnemonic.PSRLQ: (64, 32),
}
"""shift to the right → bits of its lanes, and of their lower halves"""
_INTERLEAVES: Mapping[int, int] = {
    Mnemonic.PUNPCKLBW: 16,
    Mnemonic.PUNPCKHBW: 16,
    Mnemonic.PUNPCKLWD: 32,
    Mnemonic.PUNPCKHWD: 32,
    Mnemonic.PUNPCKLDQ: 64,
    Mnemonic.PUNPCKHDQ: 64,
}
"""the first operand's lanes become the lower halves of lanes of so many bits"""


def shifted_out(op: Op, following: Op | None) -> str:
    """The register that an instruction reads to no avail, as the one behind it shows; "" if none.

    Whatever leads to ``op`` goes on to ``following``.
    """
    one = op.instruction
    if following is None or one.mnemonic not in _INTERLEAVES:
        return ""
    two = following.instruction
    if two.mnemonic not in _SHIFTS or two.op1_kind != OpKind.IMMEDIATE8:
        return ""
    bits, half = _SHIFTS[two.mnemonic]
    same = one.op0_register == two.op0_register
    own = one.op1_kind == OpKind.REGISTER and one.op1_register == one.op0_register
    if bits != _INTERLEAVES[one.mnemonic] or two.immediate8 < half or not same or own:
        return ""
    return register_name(one.op0_register) or ""
