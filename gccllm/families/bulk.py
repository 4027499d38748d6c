"""Loops that do most of their work in blocks, and leave the last elements to gcc's own loop.

For loops that gcc leaves as they are, one element at a time: what the loop carries is kept in
vectors or in several chains, and put back into its registers at the end. No load or store goes
where the loop would not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gccllm.families.base import Form
from gccllm.families.loopstate import LoopState

__all__ = ["Bulk", "bulk_form", "horizontal_sum"]


@dataclass(frozen=True)
class Bulk:
    """One kernel. ``body`` gives the lines for a block of ``block`` bytes of ``p`` in a state;
    ``setup`` and ``finish`` stand before and behind the loop and may use ``t``, a general register.

    ``carried`` are the registers that the loop carries on, ``inputs`` what it only reads.
    ``stores``: the block is stored where ``o`` points, which may lie before or at ``p`` or a block
    or more behind it, but not between: then everything is gcc's.
    """

    name: str
    block: int
    body: Callable[[LoopState], str]
    setup: str = ""
    finish: str = ""
    needs: str = ""
    carried: str = ""
    inputs: str = ""
    scratch: str = ""
    vectors: str = ""
    masks: str = ""
    stores: bool = False
    data: Mapping[str, str] = field(default_factory=dict)


def bulk_form(kernel: Bulk, state: LoopState) -> Form:
    """The form for a loop that keeps its place in this way."""
    block = state.block(kernel.block)
    # One element stays, for a loop that is entered behind its own test of the bound.
    lines = [*state.left, f"cmpq ${block}, {{r:q}}", "jle {B}"]
    if kernel.stores and "o" in state.pointers.split():
        lines += ["leaq -1({o:q}), {t:q}", "subq {p:q}, {t:q}"]
        lines += [f"cmpq ${kernel.block - 1}, {{t:q}}", "jb {B}"]
    lines += [*kernel.setup.splitlines(), ".p2align 4", "{L.top}:"]
    lines += [*kernel.body(state).splitlines(), *state.on(kernel.block)]
    lines += [f"subq ${block}, {{r:q}}", f"cmpq ${block}, {{r:q}}", "jg {L.top}"]
    lines += [*kernel.finish.splitlines(), "{S}"]
    lines += ["vzeroupper"] if "AVX" in kernel.needs else []
    return Form(
        f"{kernel.name}, {state.name}",
        "\n".join([*lines, "jmp {B}"]),
        needs=kernel.needs,
        inputs=f"{state.inputs} {kernel.inputs}".strip(),
        changes=f"{state.changes} {kernel.carried}".strip(),
        scratch=f"r t {kernel.scratch}".strip(),
        vectors=kernel.vectors,
        masks=kernel.masks,
        pointers=state.pointers,
        data=kernel.data,
    )


def horizontal_sum(register: str, spare: str, unit: str) -> list[str]:
    """Lines that add up the 32-bit lanes of a vector of width ``unit`` (y or z) in its lowest."""
    v, w = register, spare
    lines = []
    if unit == "z":
        lines += [
            f"vextracti64x4 $1, {{{v}:z}}, {{{w}:y}}",
            f"vpaddd {{{w}:y}}, {{{v}:y}}, {{{v}:y}}",
        ]
    lines += [f"vextracti128 $1, {{{v}:y}}, {{{w}:x}}", f"vpaddd {{{w}:x}}, {{{v}:x}}, {{{v}:x}}"]
    for order in (78, 177):
        lines.append(f"vpshufd ${order}, {{{v}:x}}, {{{w}:x}}")
        lines.append(f"vpaddd {{{w}:x}}, {{{v}:x}}, {{{v}:x}}")
    return lines
