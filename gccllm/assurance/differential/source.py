"""What the C source says: types, and which inputs it leaves undefined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gccllm.asm.unit import Unit, parse
from gccllm.assurance.differential.dwarf import Types, read_types
from gccllm.assurance.differential.layout import Unsupported
from gccllm.program import Program
from gccllm.proposers.base import CompileSpec
from gccllm.toolchain import Toolchain

__all__ = ["checked_unit", "plain_unit", "types_of", "uninlined_unit"]

_TYPES_ONLY = ("-g", "-O0", "-fno-lto", "-fkeep-static-functions")
_PLAIN = ("-O0", "-fno-lto", "-fkeep-static-functions", "-fkeep-inline-functions")
_UNINLINED = "-fno-inline -fno-ipa-cp -fno-ipa-sra -fno-partial-inlining -fno-ipa-icf".split()
_CHECKED = (
    "-O1 -fno-inline -fkeep-static-functions -fno-lto -fsanitize=undefined"
    " -fsanitize=float-cast-overflow -fno-sanitize=alignment,null,object-size"
    " -fsanitize-undefined-trap-on-error"
).split()


def types_of(program: Program, unit: str, spec: CompileSpec | None, scratch: Path) -> Types:
    """From the unit's own debug information, or from its source compiled again with -g.

    Raises Unsupported.
    """
    text = program.units[unit].assembly
    if ".debug_info" not in text:
        if spec is None:
            raise Unsupported("its types are not known: no -g, and no source to compile again")
        again = _emitted(program.toolchain, spec, _TYPES_ONLY, scratch / "types.s")
        if again is None:
            raise Unsupported("its types are not known: the source does not compile with -g")
        text = again
    made = scratch / "types.o"
    done = program.toolchain.assemble(text, made)
    if not done.ok:
        raise Unsupported(f"its types are not known: {done.error_line()}")
    return read_types(made)


def checked_unit(program: Program, spec: CompileSpec | None, scratch: Path) -> Unit | None:
    """The unit with a trap at all that C leaves undefined and gcc can see (gcc manual, section
    'Program Instrumentation Options', -fsanitize=undefined); None without its source."""
    if spec is None:
        return None
    text = _emitted(program.toolchain, spec, _CHECKED, scratch / "checked.s")
    return parse(text) if text is not None else None


def plain_unit(program: Program, spec: CompileSpec | None, scratch: Path) -> str | None:
    """The unit's assembly with all that its source says, nothing left out; None without it."""
    if spec is None:
        return None
    return _emitted(program.toolchain, spec, _PLAIN, scratch / "plain.s")


def uninlined_unit(program: Program, spec: CompileSpec | None, scratch: Path) -> Unit | None:
    """The unit with all calls of the source still there, so that they can be recorded."""
    if spec is None:
        return None
    text = _emitted(program.toolchain, spec, _UNINLINED, scratch / "uninlined.s")
    return parse(text) if text is not None else None


def _emitted(tools: Toolchain, spec: CompileSpec, options: Sequence[str], out: Path) -> str | None:
    done = tools.emit(spec.preprocessed, [*spec.options, *options], out)
    return out.read_text(errors="surrogateescape") if done.ok else None
