"""The harness program: all versions of a function side by side in its unit, and the program's rest.

They share the unit's data, so that addresses are the same for all; the harness saves, restores
and compares it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.lines import rename
from gccllm.asm.splice import Refusal, splice
from gccllm.asm.unit import Unit, parse
from gccllm.assurance.differential.layout import Unsupported
from gccllm.assurance.differential.reach import constants_in, led_away, writable_data
from gccllm.assurance.differential.tools import compiled, table
from gccllm.program import BuildStep, Program

__all__ = ["CANDIDATE", "Base", "Versions", "base_of", "combine", "link"]

MOST_CONSTANTS = 256
CANDIDATE = "gd_candidate"
"""the name of the candidate's version"""
HERE = Path(__file__).resolve().parent
_PARTS = "harness call memory values shape flood mutate".split()
_SOURCES = [HERE / "harness.c", *(HERE / f"{x}.h" for x in _PARTS)]
_GLOBAL = "\t.globl\t"


@dataclass(frozen=True)
class Versions:
    """``text``: the unit with all versions; ``names`` of them, the baseline first. ``data``:
    symbol → size of what they may write. ``constants``: mined from their instructions."""

    text: str
    names: tuple[str, ...]
    data: Mapping[str, int]
    constants: tuple[int, ...]


@dataclass(frozen=True)
class Base:
    """A unit and the names of versions of ``function`` in it: gcc's own, and perhaps the checked
    one."""

    unit: Unit
    function: str
    names: tuple[str, ...]


def base_of(unit: Unit, function: str, checked: Unit | None) -> Base:
    """With the ``checked`` version beside gcc's, if there is one that fits in."""
    if checked is not None:
        added = _added(unit, checked, function, "gd_checked", True)
        if not isinstance(added, Refusal):
            return Base(added, function, (function, "gd_checked"))
    return Base(unit, function, (function,))


def combine(
    units: Mapping[str, Unit], unit: str, base: Base, candidate: Unit, *, foreign: bool
) -> Versions:
    """The candidate's version beside those of the base. Raises Unsupported."""
    combined = _added(base.unit, candidate, base.function, CANDIDATE, foreign)
    if isinstance(combined, Refusal):
        raise Unsupported(f"the candidate does not fit in: {combined.reason}: {combined.detail}")
    names = (base.function, CANDIDATE, *base.names[1:])
    # What the checked version reaches beyond these, it reads as it was left.
    data = writable_data({**units, unit: combined}, unit, names[:2])
    constants = dict.fromkeys(
        x for name in names[:2] for x in constants_in(combined, name) if x not in (0, 1)
    )
    return Versions(combined.text, names, data, tuple(constants)[:MOST_CONSTANTS])


def _added(base: Unit, donor: Unit, function: str, name: str, foreign: bool) -> Unit | Refusal:
    """``base`` with the donor's function under another name, calls of itself included."""
    if function not in donor.functions:
        return Refusal("not-in-donor", f"there is no function {function}")
    names = {function: name}
    for cold in donor.functions[function].cold:
        names[cold] = cold.replace(function, name, 1)
    text = "\n".join(
        rename(line, names) if function in line else line for line in (*donor.lines, _GLOBAL + name)
    )
    place = [
        "\t.text",
        "\t.p2align 4",
        _GLOBAL + name,
        f"\t.type\t{name}, @function",
        f"{name}:",
        *(["\t.cfi_startproc", "\tret", "\t.cfi_endproc"] if base.has_cfi else ["\tret"]),
        f"\t.size\t{name}, .-{name}",
        "",
    ]
    done = splice(
        parse(base.text.rstrip("\n") + "\n" + "\n".join(place)),
        parse(text),
        [name],
        tag=name,
        foreign=foreign,
    )
    return done if isinstance(done, Refusal) else parse(done.text)


def link(
    program: Program,
    unit: str,
    versions: Versions,
    others: Mapping[str, str],
    names: Mapping[str, str],
    variables: Sequence[str],
    scratch: Path,
    extra: Sequence[Path] = (),
) -> Path:
    """The harness as an executable. ``others``: the program's other units, led away already by
    ``names``. ``variables``: their order is the order in states. ``extra`` objects come along.
    Raises Unsupported.
    """
    body = led_away(versions.text.split("\n"), names).rstrip("\n")
    tables = [
        '\t.section\t.data.rel.ro.local,"aw",@progbits',
        *table("gd_versions", versions.names),
        *table("gd_globals", list(variables)),
    ]
    texts = {**others, unit: "\n".join([body, *tables, ""])}
    options = ("-fPIC", "-pthread", "-fcf-protection=none", "-fno-stack-protector")
    # In this order: the guard keeps the program's data off the harness's.
    parts = [compiled(program.toolchain.cc, x, options) for x in ([HERE / "guard.c"], _SOURCES)]
    linked = [*(str(x) for x in (*parts, *extra)), "-lpthread"]
    built = program.build(texts, scratch / "harness", extra=linked)
    if isinstance(built, BuildStep):
        raise Unsupported(f"the harness can't be built: {built.stage}: {built.detail}")
    return built.executable
