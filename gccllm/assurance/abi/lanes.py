"""Vectors of which only the lanes that a mask chooses hold anything.

gcc loads under a mask into a register that holds nothing, without clearing the other lanes
(AVX-512's merging; gcc's maskload has no value for them up to gcc 14), and goes on under the same
mask: ``vmovdqu8 (%rax), %zmm5{%k1}`` and ``vpcmpeqb %zmm9, %zmm5, %k1{%k1}``.
"""

from __future__ import annotations

import re

from iced_x86 import Instruction

from gccllm.asm.code import register_name
from gccllm.assurance.abi.values import Lanes

__all__ = ["lanes_of"]

_BYTES = {"8": 1, "b": 1, "16": 2, "w": 2, "32": 4, "d": 4, "ps": 4, "64": 8, "q": 8, "pd": 8}
_EACH_FOR_ITSELF = re.compile(
    r"vmovdq[ua](8|16|32|64)"
    r"|vp(?:add|sub|mull|andn?|or|xor|min[su]|max[su]|cmpu?|cmpeq|cmpgt|testn?m|abs)([bwdq])"
    r"|v(?:mov[au]|add|sub|mul|div|min|max|andn?|or|xor|cmp)(p[sd])"
)


def lanes_of(instruction: Instruction, name: str) -> Lanes | None:
    """The lanes that a masked instruction works on, each for itself; None for all others."""
    found = _EACH_FOR_ITSELF.fullmatch(name)
    mask = register_name(instruction.op_mask)
    if found is None or mask is None:
        return None
    return Lanes(mask, _BYTES[found.group(found.lastindex or 0)])
