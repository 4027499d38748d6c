"""How a loop of gcc's keeps its place in an array, and how a form brings that place on.

gcc walks an array by a moving pointer, by an index, or by both at once, and ends at an end pointer,
an index or a count. A form that does part of a loop's work in blocks and leaves the rest to gcc's
own code needs each of these ways; here they are, so that a family writes its kernel once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gccllm.families.base import Hints

__all__ = ["LoopState", "loop_states"]

_COUNTS = (("l", "movslq {n:l}, {r:q}"), ("q", "movq {n:q}, {r:q}"))


@dataclass(frozen=True)
class LoopState:
    """One way. ``p`` is the array, ``o`` a second one that moves alike.

    ``place`` is the operand of the element that comes next, with ``%A`` for a further offset in
    bytes. ``left`` leaves in ``r`` how much is left, as a signed number of bytes or of elements
    (``left_in_bytes``); it is empty for a loop that ends only where it finds something.
    ``in_bytes`` and ``in_elements`` are the registers that move, with their widths; ``down`` those
    that count down, in elements.
    """

    name: str
    size: int
    place: str
    inputs: str
    changes: str
    left: tuple[str, ...] = ()
    left_in_bytes: bool = False
    in_bytes: tuple[str, ...] = ()
    in_elements: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    ahead: int = 0
    """bytes from the place that the registers name to the element that comes next"""

    @property
    def pointers(self) -> str:
        known = f"{self.inputs} {self.changes}".split()
        return " ".join(x for x in ("p", "o") if x in known)

    def at(self, offset: int, array: str = "p") -> str:
        """The operand ``offset`` bytes behind the element that comes next."""
        away = offset + self.ahead
        return self.place.replace("%A", str(away) if away else "").replace(
            "{p:q}", f"{{{array}:q}}"
        )

    def block(self, size: int) -> int:
        """``size`` bytes in the unit of ``r``."""
        return size if self.left_in_bytes else size // self.size

    def on(self, size: int) -> list[str]:
        """Lines that bring the registers on by ``size`` bytes; ``r`` stays."""
        count = size // self.size
        lines = [f"addq ${size}, {{{x}:q}}" for x in self.in_bytes]
        lines += [f"add{x[-1]} ${count}, {{{x}}}" for x in self.in_elements]
        return lines + [f"sub{x[-1]} ${count}, {{{x}}}" for x in self.down]

    def on_by(self, register: str, *, elements: bool = False, back: bool = False) -> list[str]:
        """Lines that bring the registers, and ``r``, on by the number of bytes in a register, which
        they overwrite. ``elements``: it holds elements. ``back``: it holds the number negated."""
        add, sub = ("sub", "add") if back else ("add", "sub")
        bytes_ = [f"{add}q {{{register}:q}}, {{{x}:q}}" for x in self.in_bytes]
        counts = [f"{add}{x[-1]} {{{register}:{x[-1]}}}, {{{x}}}" for x in self.in_elements]
        counts += [f"{sub}{x[-1]} {{{register}:{x[-1]}}}, {{{x}}}" for x in self.down]
        if self.left:
            rest = f"{sub}q {{{register}:q}}, {{r:q}}"
            (bytes_ if self.left_in_bytes else counts).append(rest)
        shift = self.size.bit_length() - 1
        if elements:
            convert = [f"salq ${shift}, {{{register}:q}}"] if shift and bytes_ else []
            return [*counts, *convert, *bytes_]
        convert = [f"sarq ${shift}, {{{register}:q}}"] if shift and counts else []
        return [*bytes_, *convert, *counts]


def loop_states(
    size: int, hints: Hints, *, arrays: int = 1, endless: bool = False
) -> Iterator[LoopState]:
    """The ways that ``hints`` do not rule out, for elements of ``size`` bytes.

    ``arrays``: 2 for two arrays. ``endless``: those without a bound instead of those with one.
    """
    operands = [x for x in hints.instructions if "(" in x]
    plain = any(x.count("%") and ",%" not in x[x.index("(") :] for x in operands)
    indexed = any(",%" in x[x.index("(") :] for x in operands)
    scaled = any(f",{size})" in x for x in operands) if size > 1 else indexed
    moving = "p o" if arrays == 2 else "p"
    steps = hints.instructions[:1]
    before = bool(steps) and steps[0].startswith(("add", "lea", "inc"))
    aheads = (0, size) if before or any(f"{size}(" in x for x in operands) else (0,)
    down = hints.has("sub", "dec")
    if plain:
        for ahead in aheads:
            yield from _moving(size, moving, ahead, endless=endless, down=down)
    for scale in ([size] if scaled else []) + ([1] if indexed and size > 1 else []):
        for ahead in aheads:
            yield from _indexed(size, scale, moving, ahead, endless=endless, down=down)


def _indexed(
    size: int, scale: int, moving: str, ahead: int, *, endless: bool, down: bool
) -> Iterator[LoopState]:
    """By an index into arrays that stay, in elements or (``scale`` 1) in bytes."""
    place = "%A({p:q},{i:q})" if scale == 1 else f"%A({{p:q}},{{i:q}},{scale})"
    in_bytes = scale == 1 and size > 1
    state = LoopState(
        "offset" if in_bytes else "index",
        size,
        place,
        moving,
        "i",
        in_bytes=("i",) if in_bytes else (),
        in_elements=() if in_bytes else ("i:q",),
        ahead=ahead,
    )
    if ahead:
        state = replace(state, name=f"{state.name}, ahead")
    if endless:
        yield state
        return
    one = (f"subq ${size if in_bytes else 1}, {{r:q}}",) if ahead else ()
    left = ("movq {n:q}, {r:q}", "subq {i:q}, {r:q}", *one)
    yield replace(state, inputs=f"{moving} n", left=left, left_in_bytes=in_bytes)
    if down and not ahead:
        for width, line in _COUNTS:
            yield replace(
                state,
                name=f"{state.name}, counting down {width}",
                changes="i n",
                left=(line,),
                down=(f"n:{width}",),
            )


def _moving(
    size: int, moving: str, ahead: int, *, endless: bool, down: bool
) -> Iterator[LoopState]:
    """By pointers that move, with or without an index beside them."""
    state = LoopState(
        "pointer", size, "%A({p:q})", "", moving, in_bytes=tuple(moving.split()), ahead=ahead
    )
    if ahead:
        state = replace(state, name="pointer, ahead")
    if endless:
        yield state
        for index in ("i:l", "i:q"):
            name, changes = f"{state.name} and {index}", f"{moving} i"
            yield replace(state, name=name, changes=changes, in_elements=(index,))
        return
    one = (f"subq ${size}, {{r:q}}",) if ahead else ()
    end = ("movq {e:q}, {r:q}", "subq {p:q}, {r:q}", *one)
    yield replace(
        state, name=state.name.replace("pointer", "end"), inputs="e", left=end, left_in_bytes=True
    )
    if ahead:
        return
    narrow = ("movl {n:l}, {r:l}", "subl {i:l}, {r:l}", "movslq {r:l}, {r:q}")
    wide = ("movq {n:q}, {r:q}", "subq {i:q}, {r:q}")
    for index, left in (("i:l", narrow), ("i:q", wide)):
        yield replace(
            state,
            name=f"pointer and {index}",
            inputs="n",
            changes=f"{moving} i",
            left=left,
            in_elements=(index,),
        )
    if down:
        for width, line in _COUNTS:
            yield replace(
                state,
                name=f"pointer, counting down {width}",
                changes=f"{moving} n",
                left=(line,),
                down=(f"n:{width}",),
            )
