"""One source compiled in many ways: the baseline, and what may be better for some loops of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.asm.dialect import canonical
from gccllm.asm.lines import Line
from gccllm.asm.unit import Unit, parse
from gccllm.process import run
from gccllm.proposers.clang import clang_features, clang_keeps, clang_source, find_clang
from gccllm.proposers.compilers import predefined_macros
from gccllm.proposers.settings import gcc_common
from gccllm.toolchain import Toolchain
from trainer.corpus.levels import features_of

__all__ = ["BUILDS", "Build", "alone", "baseline", "compiled"]

BASELINE = ("-O3", "-w", "-g0", "-fno-ident")
COMPILE_SECONDS = 60.0


@dataclass(frozen=True)
class Build:
    """A compiler (gcc or clang), the level that it may use, and options beside ``-march``."""

    compiler: str
    level: str
    options: tuple[str, ...]

    @property
    def label(self) -> str:
        return " ".join((self.compiler, *self.options, f"-march={self.level}"))


def _build(compiler: str, level: str, options: str) -> Build:
    return Build(compiler, level, tuple(options.split()))


BUILDS: tuple[Build, ...] = (
    _build("clang", "x86-64", "-O3"),
    _build("gcc", "x86-64", "-O3 -funroll-loops"),
    _build("gcc", "x86-64", "-O2 -fno-tree-vectorize -funroll-loops"),
    _build("clang", "x86-64-v2", "-O3"),
    _build("gcc", "x86-64-v2", "-O3"),
    _build("clang", "x86-64-v3", "-O3"),
    _build("gcc", "x86-64-v3", "-O3"),
    _build("clang", "x86-64-v4", "-O3 -mprefer-vector-width=512"),
    _build("gcc", "x86-64-v4", "-O3 -mprefer-vector-width=512"),
)
"""at each level the settings that win most for single functions (gccllm.proposers.settings)"""


def baseline(tools: Toolchain, text: str, folder: Path) -> Unit | None:
    """``gcc -O3`` of preprocessed C at plain x86-64; None where gcc refuses it."""
    return _unit([tools.cc, *BASELINE, "-S", "-x", "cpp-output"], text, folder)


def compiled(
    tools: Toolchain, text: str, builds: Sequence[Build], folder: Path
) -> Iterator[tuple[Build, Unit]]:
    """The same by each of ``builds``; those that fail, or whose compiler is not here, are left
    out. Functions keep their interfaces, so that their regions can be compared one by one."""
    macros = predefined_macros(tools.cc, ())
    for build in builds:
        if build.compiler == "gcc":
            argv = [tools.cc, *gcc_common(macros), *build.options, f"-march={build.level}"]
            source = text
        else:
            clang, kept = find_clang(), clang_keeps((), macros)
            if clang is None or kept is None:
                continue
            isa = clang_features(features_of(tools.cc, build.level))
            argv = [clang, *kept, *isa, *build.options]
            source = clang_source(text)
        unit = _unit([*argv, "-S", "-x", "cpp-output"], source, folder)
        if unit is not None:
            yield build, unit


def _unit(argv: Sequence[str], text: str, folder: Path) -> Unit | None:
    source, output = folder / "source.i", folder / "source.s"
    source.write_text(text, encoding="utf-8", errors="surrogateescape")
    if not run([*argv, "-o", str(output), str(source)], timeout=COMPILE_SECONDS, cwd=folder).ok:
        return None
    made = output.read_text(encoding="utf-8", errors="surrogateescape")
    return parse(canonical(made))


def alone(unit: Unit, name: str) -> Unit:
    """The unit with no other function than ``name``: quicker to assemble and to decode.

    Right for units in which callers rely on nothing but the ABI, as :func:`compiled` makes them.
    vzeroupper is left out, which dataflow takes for the making of a result; whoever uses the code
    has to put it where it belongs.
    Raises KeyError for a name that the unit lacks.
    """
    kept = {i for part in unit.functions[name].ranges for i in part}
    gone = {
        i
        for other in unit.functions.values()
        if other.name != name
        for part in other.ranges
        for i in part
        if i not in kept
    }
    lines = [
        x
        for i, x in enumerate(unit.lines)
        if (i not in gone or (unit.kinds[i] is Line.DIRECTIVE and ".section" in x))
        and x.strip() != "vzeroupper"
    ]
    return parse("\n".join(lines))
