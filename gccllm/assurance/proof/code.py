"""The two versions of a region as one object, with places to begin and to leave at.

Labels of the object: ``v0`` and ``v1`` where the versions begin, ``guard`` where the comparison in
front of the region does, and ``x<version>_<exit>`` where they leave; an exit is a breakpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from gccllm.asm.lines import Line, classify, label_of, rename, split_statement
from gccllm.asm.region_model import Region
from gccllm.asm.region_text import NewLines
from gccllm.asm.unit import Unit
from gccllm.assurance.proof.errors import Unsupported
from gccllm.harness.constants import constant, constant_label, symbols_of_data

__all__ = ["GUARD", "exit_label", "region_code", "stack_is_private"]

GUARD = 2
"""the version number of the guard: it leaves by 0 into the region, by 1 past it"""


def exit_label(version: int, number: int) -> str:
    return f"x{version}_{number}"


def region_code(
    region: Region, unit: Unit, versions: tuple[NewLines, NewLines], keys: Mapping[int, int]
) -> str:
    """Assembly of both versions. ``keys``: place of an exit → its number. Raises Unsupported."""
    if region.calls:
        raise Unsupported("a call")
    constants = sorted(
        {unit.objects[unit.aliases.get(n, n)].names[0] for n in region.symbols if _fixed(unit, n)}
    )
    out = ["\t.text"]
    for number, lines in enumerate(versions):
        out += _version(region, unit, number, lines, keys)
    out += ["guard:", *(rename(x, {"X": exit_label(GUARD, 1)}) for x in region.guard)]
    out += [*_exit(GUARD, 0), *_exit(GUARD, 1)]
    out += ["\t.section\t.rodata", "\t.p2align 6"]
    for name in constants:
        if any(True for _ in symbols_of_data(unit, unit.objects[name])):
            raise Unsupported(f"{name} holds addresses")
        out += constant(unit, name)
    return "\n".join([*out, '\t.section\t.note.GNU-stack,"",@progbits', ""])


def _exit(version: int, number: int) -> list[str]:
    return [f"{exit_label(version, number)}:", "\tint3"]


def _fixed(unit: Unit, name: str) -> bool:
    """Whether a symbol names a constant. Raises Unsupported for a label that is no datum."""
    data = unit.objects.get(unit.aliases.get(name, name))
    if data is None and name.startswith(".L"):
        raise Unsupported(f"the symbol {name}")
    return data is not None and data.read_only


def _version(
    region: Region, unit: Unit, version: int, lines: NewLines, keys: Mapping[int, int]
) -> Iterator[str]:
    def private(name: str) -> str:
        return f".Lv{version}_{name}"

    defined = [label_of(x) or "" for x in (*lines.code, *lines.data) if classify(x) is Line.LABEL]
    names = {x: private(x) for x in defined}
    names |= {f"X{i}": private(f"X{i}") for i, _ in enumerate(region.exits)}
    for symbol in region.symbols:
        if _fixed(unit, symbol):
            names[symbol] = constant_label(unit.aliases.get(symbol, symbol))
    yield from ("\t.p2align 4", f"v{version}:")
    if not lines.starts_at_top:
        yield f"\tjmp\t{names['L0']}"
    for line in lines.code:
        yield rename(line, names)
    # Control may fall out of the end: that exit comes first.
    order = sorted(range(len(region.exits)), key=lambda i: region.exits[i].label != "")
    if not any(not x.label for x in region.exits):
        yield "\tud2"
    seen: set[int] = set()
    for number in order:
        key = keys[region.exits[number].place]
        yield f"{names[f'X{number}']}:"
        if key in seen:
            yield f"\tjmp\t{exit_label(version, key)}"
        else:
            seen.add(key)
            yield from _exit(version, key)
    if lines.data:
        yield from ("\t.section\t.rodata", "\t.p2align 6", *lines.data_with(names), "\t.text")


def stack_is_private(unit: Unit, function: str) -> bool:
    """Whether no instruction of the function hands out an address in its frame: rsp is used to
    load, to store, to push and to be moved by numbers only, and rbp is no copy of it."""
    for index in chain.from_iterable(unit.functions[function].ranges):
        if unit.kinds[index] is not Line.INSTRUCTION:
            continue
        head, operands = split_statement(unit.lines[index])
        if "%rsp" not in operands and "%esp" not in operands:
            continue
        word = head.split()[-1]
        if word.startswith("lea") and "(%rsp" in operands:
            return False
        bare = operands.replace("(%rsp)", "")
        if "%rsp" in bare and not (
            word.startswith(("sub", "add")) and operands.strip().startswith("$")
        ):
            return False
    return True
