"""Registers renamed in canonical text: what holds for code holds under any such renaming.

A renaming permutes the registers that no instruction uses without naming them. rax, rcx and rdx
(mul, div, shifts by cl) and rsp keep their names, and text with string instructions or the high
bytes (%ah) has no renaming at all. Vector registers trade places with those that can be encoded
alike: 0 to 15, and 16 to 31.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "GENERAL",
    "RENAMABLE",
    "first_seen",
    "registers_in",
    "renamable",
    "renamable_vectors",
    "renamed",
    "settled",
    "unfixed",
    "vectors_first_seen",
    "vectors_in",
]

RENAMABLE = tuple("rdi rsi r8 r9 r10 r11 rbx rbp r12 r13 r14 r15".split())
GENERAL = ("rax", "rcx", "rdx", *RENAMABLE)
"""all but rsp"""
_REGISTER = re.compile(
    r"(?<![\w.$])(%?)(?:([re]?)([abcd]x|bp|si|di)(?![\w.])|([abcd]|bp|si|di)l(?![\w.])|r(8|9|1[0-5])([dwb]?)(?![\w.]))"
)
_UNNAMED = re.compile(
    r"%[abcd]h\b|\t(?:rep\w*|(?:lods|stos|scas|cmps)[bwlq]|movs[bwlq](?=\s*$)|cmpxchg\w*b|cpuid"
    r"|v?maskmov(?:q|dqu))\b",
    re.M,
)
_VECTOR = re.compile(r"(?<![\w.$])(%?[xyz]mm)(\d+)(?![\w.$])")
_FIXED_VECTOR = re.compile(r"\t(?:pblendvb|blendvp[sd]|sha256rnds2|v?pcmp[ei]strm|vzeroall)\b")
_VECTORS = (range(16), range(16, 32))

_FIXED = re.compile(
    r"%cl\b|\t(?:mulx?|i?div)[bwlq]?\t|\timul[bwlq]?\t[^,\n]*$|\tv?pcmp[ei]str[im]\b"
    r"|\t(?:cltq|cwtl|cbtw|cqto|cltd|cwtd|cmpxchg[bwlq]|rdtscp?|[ls]ahf|xlatb?)\b",
    re.M,
)


def renamable(text: str) -> bool:
    """False where an instruction may use one of the registers without naming it."""
    return _UNNAMED.search(text) is None


def renamable_vectors(text: str) -> bool:
    """False where an instruction needs a certain vector register."""
    return _FIXED_VECTOR.search(text) is None


def unfixed(text: str) -> bool:
    """True where rax, rcx and rdx may be renamed too."""
    return renamable(text) and _FIXED.search(text) is None


def renamed(text: str, names: Mapping[str, str]) -> str:
    """``text`` with each register, at any width and with or without %, put as ``names`` (a
    permutation of :data:`RENAMABLE`, or of :data:`GENERAL` for :func:`unfixed` text, and of vector
    registers as "zmm3") says. Numbers, labels and symbols stay."""

    def new(match: re.Match[str]) -> str:
        sign, prefix, stem, low, number, suffix = match.groups()
        if stem:
            if not sign and prefix != "r":
                return match.group()
            full, width = "r" + stem, {"r": "q", "e": "l", "": "w"}[prefix]
        elif low:
            if not sign:
                return match.group()
            full, width = "r" + _whole(low), "b"
        else:
            full, width = "r" + number, {"": "q", "d": "l", "w": "w", "b": "b"}[suffix]
        return sign + _at_width(names.get(full, full), width)

    text = _REGISTER.sub(new, text)
    if not any(x.startswith("zmm") for x in names):
        return text
    return _VECTOR.sub(lambda m: m[1] + names.get(f"zmm{m[2]}", f"zmm{m[2]}")[3:], text)


def _at_width(register: str, width: str) -> str:
    stem = register[1:]
    if stem[0].isdigit():
        return register + {"q": "", "l": "d", "w": "w", "b": "b"}[width]
    if width == "b":
        return f"{stem[0]}l" if stem[1] == "x" else f"{stem}l"
    return {"q": "r", "l": "e", "w": ""}[width] + stem


def _whole(low: str) -> str:
    """ "b" of bl and "si" of sil as they stand in the names of wider parts."""
    return low if len(low) > 1 else f"{low}x"


def first_seen(texts: Iterable[str], free: Iterable[str]) -> dict[str, str]:
    """The renaming that makes texts equal which differ in registers only: those of ``texts`` in
    the order of their first appearance, then what else is ``free``, then the rest."""
    seen = (register for text in texts for register in registers_in(text))
    order = dict.fromkeys(x for x in seen if x in RENAMABLE)
    left = set(free)
    rest = [x for x in RENAMABLE if x in left] + [x for x in RENAMABLE if x not in left]
    for register in rest:
        order.setdefault(register)
    return dict(zip(order, RENAMABLE, strict=True))


def vectors_first_seen(texts: Iterable[str], free: Collection[str]) -> dict[str, str]:
    """As :func:`first_seen` for vector registers, "zmm0" to "zmm31"."""
    seen = [int(m[2]) for text in texts for m in _VECTOR.finditer(text)]
    names: dict[str, str] = {}
    for alike in _VECTORS:
        spare = [n for n in alike if f"zmm{n}" in free]
        order = dict.fromkeys([*(n for n in seen if n in alike), *spare, *alike])
        names |= {f"zmm{old}": f"zmm{new}" for old, new in zip(order, alike, strict=True)}
    return names


def vectors_in(text: str) -> Iterator[str]:
    """The full names of the vector registers in ``text``, as they come."""
    return (f"zmm{m[2]}" for m in _VECTOR.finditer(text))


def settled(
    lines: Sequence[str], free: Collection[str], first: Iterable[str] = ()
) -> tuple[str, ...]:
    """``lines`` with their scratch registers taken in one order: the first that appears is the
    first of ``free``, in the order of ``first`` and then :data:`GENERAL`, and so on; rax, rcx
    and rdx stay where an instruction may need one of them.

    ``free`` are registers that hold nothing before and nothing after, so which is which is the
    writer's choice; always the same choice is easier to learn. Lines that use registers without
    naming them stay.
    """
    text = "\n".join(lines)
    if not renamable(text):
        return tuple(lines)
    known = GENERAL if unfixed(text) else RENAMABLE
    places = [x for x in dict.fromkeys((*first, *GENERAL)) if x in free and x in known]
    used = dict.fromkeys(x for x in registers_in(text) if x in places)
    rest = [x for x in places if x not in used]
    names = dict(zip([*used, *rest], places, strict=True))
    return tuple(renamed(x, names) for x in lines)


def registers_in(text: str) -> Iterator[str]:
    """The full names of the general registers in ``text`` but rsp, as they come."""
    for match in _REGISTER.finditer(text):
        sign, prefix, stem, low, number, _ = match.groups()
        if sign or prefix == "r" or number:
            yield "r" + (stem or number or _whole(low))
