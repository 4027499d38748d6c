"""What a rewrite family is: a slow form in C, and fast forms in assembly over virtual registers.

A :class:`Form` is a template in AT&T syntax. Its registers are virtual and stand in braces with a
width: ``{x:q}`` 64, ``{x:l}`` 32, ``{x:w}`` 16, ``{x:b}`` 8 bits of a general register; ``{v:x}``,
``{v:y}``, ``{v:z}`` 128, 256, 512 bits of a vector register; ``{m:k}`` a mask register. There are

    {L.name}  a label of the form's own
    {X}       the place behind its last line
    {X.name}  one of several ways out of the region
    {D.name}  a piece of its read-only data
    {B}       gcc's own code, to which a form may fall back while it has changed only scratch

Which real registers stand in is found by search (:mod:`gccllm.families.wiring`); whether the result
does what gcc's code did is found by running both. So a form that is only nearly right is refused
there, and never harmful, only useless.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["Family", "Form", "Hints", "SlowForm", "placeholders", "sized"]

_PLACEHOLDER = re.compile(r"\{(\w+):([qlwbxyzk])\}")
_EXIT = re.compile(r"\{X\.(\w+)\}")
_IMMEDIATE = re.compile(r"\$(-?(?:0[xX][0-9a-fA-F]+|\d+))")
_EXTENDED = re.compile(r"mov[sz]([bwl])[wlq]$")
_SIZES = {"b": 1, "w": 2, "l": 4, "q": 8}
_MEMORY = re.compile(r"\((?:%\w+)?(?:,%\w+(?:,([1248]))?)?\)")
_WIDTHS = {"b": 1, "w": 2, "l": 4, "q": 8}


@dataclass(frozen=True)
class SlowForm:
    """C source (one translation unit) whose function ``function`` holds the idiom as people write
    it, with names, types and neighbours drawn at random."""

    family: str
    function: str
    source: str


@dataclass(frozen=True)
class Form:
    """One fast form. All names are those of virtual registers, words apart by spaces.

    ``inputs`` are read; those in ``spoiled`` are overwritten too. ``changes`` are read and hold a
    result afterwards, ``outputs`` hold one and are not read before. General registers of
    ``scratch``, ``vectors`` and ``masks`` are overwritten. ``fixed`` names the real register that a
    virtual one has to be ("a=rax d=rdx" for div). ``pointers`` are the inputs and changes that hold
    addresses. ``needs`` are the features as in :class:`gccllm.types.Isa`, base SSE2 understood.
    ``counts`` is a change that the form only adds to, so that it may also start from nothing.
    ``data`` is read-only data: name → directives.
    ``as_is`` says that the text is a region's own with real registers, mechanically changed.
    ``slow_here`` says that bench/families.py found it no faster than gcc's code on the machine that
    the training pairs are made on; it gives no pairs then.
    """

    label: str
    text: str
    needs: str = ""
    inputs: str = ""
    changes: str = ""
    outputs: str = ""
    scratch: str = ""
    vectors: str = ""
    masks: str = ""
    spoiled: str = ""
    pointers: str = ""
    fixed: str = ""
    counts: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    slow_here: bool = False
    as_is: bool = False

    def __post_init__(self) -> None:
        declared = set(self.general) | set(self.vectors.split()) | set(self.masks.split())
        used = {name for name, _ in placeholders(self.text)}
        if used - declared:
            raise ValueError(f"{self.label}: undeclared {sorted(used - declared)}")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(x.strip() for x in self.text.splitlines() if x.strip())

    @property
    def lines_as_is(self) -> tuple[str, ...]:
        return tuple(self.text.split("\n"))

    @property
    def general(self) -> tuple[str, ...]:
        """All virtual registers of the general class."""
        return tuple(" ".join((self.inputs, self.changes, self.outputs, self.scratch)).split())

    @cached_property
    def exits(self) -> tuple[str, ...]:
        """Names of ``{X.name}``: places outside that the form jumps to itself, instead of ``{X}``.
        Such a form has no results."""
        return tuple(dict.fromkeys(_EXIT.findall(self.text)))

    @property
    def results(self) -> tuple[str, ...]:
        return tuple(f"{self.changes} {self.outputs}".split())

    @cached_property
    def pinned(self) -> Mapping[str, str]:
        return dict(x.split("=", 1) for x in self.fixed.split())

    @property
    def features(self) -> frozenset[str]:
        return frozenset(self.needs.split())


def placeholders(text: str) -> list[tuple[str, str]]:
    """(virtual register, width letter) of every placeholder."""
    return _PLACEHOLDER.findall(text)


def sized(text: str, width: str) -> str:
    """``text`` with ``@`` replaced by an operand width, in mnemonics (``add@``) and registers."""
    return text.replace("@", width)


@dataclass(frozen=True)
class Hints:
    """What a region's text says at a glance, so that families which can't match say so cheaply.

    ``lines`` are the region's canonical text, ``constants`` the values of registers that are known
    at its entry; ``mnemonics`` as written, ``immediates`` all ``$`` numbers and those constants.
    """

    lines: tuple[str, ...]
    constants: tuple[int, ...] = ()

    @cached_property
    def loops(self) -> bool:
        """True when it branches back."""
        seen: set[str] = set()
        for line in self.lines:
            words = line.split()
            if line.endswith(":"):
                seen.add(line[:-1])
            elif words and words[0].startswith("j") and words[-1] in seen:
                return True
        return False

    @cached_property
    def mnemonics(self) -> frozenset[str]:
        return frozenset(x.split()[0] for x in self.instructions)

    @cached_property
    def instructions(self) -> tuple[str, ...]:
        stripped = (x.strip() for x in self.lines)
        return tuple(x for x in stripped if x and x[0] not in ".#" and not x.endswith(":"))

    @cached_property
    def immediates(self) -> frozenset[int]:
        found = {int(x, 0) for line in self.lines for x in _IMMEDIATE.findall(line)}
        return frozenset(found | set(self.constants))

    def has(self, *stems: str) -> bool:
        """True when some instruction starts with one of ``stems`` ("shr" finds shrq)."""
        return any(x.startswith(stems) for x in self.mnemonics)

    @cached_property
    def loads(self) -> bool:
        """True when it touches memory through a register that is not the stack pointer."""
        return any(
            _MEMORY.search(x) and "%rsp" not in x and not x.startswith("lea")
            for x in self.instructions
        )

    @cached_property
    def load_sizes(self) -> frozenset[int]:
        """Bytes that instructions with a memory operand touch, of general registers' sizes: code
        that reads no single bytes walks no array of bytes."""
        found: set[int] = set()
        for line in self.instructions:
            word = line.split()[0]
            if _MEMORY.search(line) and not word.startswith("lea"):
                extended = _EXTENDED.match(word)
                found.add(_SIZES.get(extended.group(1) if extended else word[-1], 0))
        return frozenset(found - {0})

    @cached_property
    def multipliers(self) -> tuple[int, ...]:
        """Factors that the region may multiply by: of imul, and 2^k - 1, 2^k + 1 of shifts."""
        found: set[int] = set()
        for line in self.instructions:
            word = line.split()[0]
            values = [int(x, 0) for x in _IMMEDIATE.findall(line)]
            if word.startswith("imul"):
                found.update(values)
            elif word.startswith(("sal", "shl")):
                for k in values:
                    if 1 <= k <= 20:
                        found.update(((1 << k) - 1, (1 << k) + 1))
        return tuple(sorted(found))


@dataclass(frozen=True)
class Family:
    """One idiom: ``slow`` draws C functions that hold it, ``forms`` gives the templates that may
    replace a region that looks like ``hints``."""

    name: str
    slow: Callable[[random.Random], SlowForm]
    forms: Callable[[Hints], Iterable[Form]]
