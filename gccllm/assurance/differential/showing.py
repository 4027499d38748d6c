"""A counterexample for a person: arguments by name and type, then what each version gave."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from gccllm.assurance.differential.layout import Kind, Layout, Leaf, Signature
from gccllm.assurance.differential.wire import Difference, Shown

__all__ = ["shown"]

MOST_ELEMENTS = 24


def shown(
    found: Difference, signature: Signature, layouts: Sequence[Layout], variables: Sequence[str]
) -> str:
    """One line: "f(n=3, a={1, 2, 3}): gcc's gives 6, the candidate 5"."""
    parts = []
    block = found.objects[0]
    for leaf in signature.block.leaves:
        parts.append(f"{leaf.name}={_value(found, block, leaf, leaf.offset, layouts, 2)}")
    for item in found.objects:
        if item.variable >= 0:
            parts.append(f"{variables[item.variable]}={_contents(found, item, layouts, 1)}")
    return f"{signature.function}({', '.join(parts)}): {_outcome(found, signature, layouts)}"


def _outcome(found: Difference, signature: Signature, layouts: Sequence[Layout]) -> str:
    number, offset, expected, got = found.place
    if found.what == "the result":
        ours, theirs = (_returned(found, signature, i) for i in (0, 1))
        return f"gcc's returns {ours}, the candidate {theirs}"
    if found.what == "memory":
        item = found.objects[number]
        name = _name_of(found, signature, number)
        element = offset // max(layouts[item.layout].size, 1)
        return (
            f"byte {offset} of {name} (element {element}) is {expected:#x} with gcc's,"
            f" {got:#x} with the candidate's"
        )
    where = f" at {_pointer(found, found.address)}" if "faults" in found.what else ""
    signal = f" (signal {found.signal})" if found.signal else ""
    return f"the candidate's: {found.what}{where}{signal}"


def _name_of(found: Difference, signature: Signature, number: int) -> str:
    item = found.objects[number]
    if item.variable >= 0:
        return f"global {item.variable}"
    for leaf in signature.block.leaves:
        value = _word(found.objects[0].data, leaf.offset, 8)
        if leaf.kind is Kind.POINTER and value == item.address + item.lead:
            return leaf.name
    return f"object {number}"


def _returned(found: Difference, signature: Signature, which: int) -> str:
    leaf = signature.returned.leaf
    general, vector = found.words[0][which], found.words[2][which]
    if leaf is None:
        return " ".join(f"{x[which]:#x}" for x in found.words)
    word = vector if leaf.kind is Kind.FLOAT else general
    if leaf.kind is Kind.POINTER:
        return _pointer(found, word)
    return _scalar(word.to_bytes(8, "little")[: leaf.size], leaf.kind)


def _value(
    found: Difference, item: Shown, leaf: Leaf, at: int, layouts: Sequence[Layout], depth: int
) -> str:
    raw = item.data[at : at + leaf.size]
    if leaf.kind is not Kind.POINTER:
        return _scalar(raw, leaf.kind)
    address = int.from_bytes(raw, "little")
    if depth:
        for other in found.objects[1:]:
            if address == other.address + other.lead:
                return _contents(found, other, layouts, depth - 1)
    return _pointer(found, address)


def _contents(found: Difference, item: Shown, layouts: Sequence[Layout], depth: int) -> str:
    layout = layouts[item.layout]
    if layout.size <= 0 or not layout.leaves:
        return "?"
    body = item.size - item.lead
    texts = []
    for element in range(min(body // layout.size, MOST_ELEMENTS)):
        start = item.lead + element * layout.size
        leaves = [
            _value(found, item, x, start + x.offset + i * x.size, layouts, depth)
            for x in layout.leaves[:8]
            for i in range(min(x.count, 8))
        ]
        texts.append(leaves[0] if len(leaves) == 1 else "{" + ", ".join(leaves) + "}")
    more = ", …" if body // layout.size > MOST_ELEMENTS else ""
    return "{" + ", ".join(texts) + more + "}"


def _scalar(raw: bytes, kind: Kind) -> str:
    if kind is Kind.FLOAT:
        value = struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
        return repr(value) if value == value else f"nan ({int.from_bytes(raw, 'little'):#x})"
    return str(int.from_bytes(raw, "little", signed=kind is Kind.SIGNED))


def _pointer(found: Difference, address: int) -> str:
    for number, item in enumerate(found.objects):
        if number and item.address - 64 <= address <= item.address + item.size + 64:
            return f"object {number} {address - item.address - item.lead:+d}"
    return f"{address:#x}"


def _word(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
