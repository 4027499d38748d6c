"""A carried unit's source, found again, for proposers that want the C text or to compile it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from gccllm.asm.normalise import same_code, unit_key
from gccllm.program import Program
from gccllm.proposers.base import CompileSpec
from gccllm.toolchain import CC_TIMEOUT, split_options

__all__ = ["recompile"]

SOURCE_LIMIT = 1 << 20
"""bytes of C that are shown to a model at most"""


def recompile(
    program: Program,
    unit: str,
    scratch: Path,
    say: Callable[[str], None],
    seconds: float = CC_TIMEOUT,
) -> tuple[str | None, CompileSpec | None]:
    """The C text and how to compile it again into ``scratch``, if that still gives this very
    baseline; None for what no longer does, or takes longer than ``seconds`` to compile. ``say`` is
    told why."""
    frame = program.units[unit]
    path = Path(frame.directory) / frame.source
    try:
        content = path.read_bytes()
    except OSError:
        return None, None
    if hashlib.sha256(content).hexdigest() != frame.source_sha256:
        say(f"{unit}: {path} has changed since it was compiled; going without source")
        return None, None
    text = content.decode("utf-8", "replace") if len(content) <= SOURCE_LIMIT else None
    options = split_options(frame.options)
    preprocessed = scratch / f"{path.stem}.i"
    toolchain = program.toolchain
    compiling = [x for x in options.compiler if not x.startswith("-g")]
    before = [*options.preprocessor, *options.compiler]
    again = scratch / "again.s"
    # By which of its names it was compiled shows where __FILE__ is used, as by assert.
    for name in dict.fromkeys((Path(os.path.relpath(path, frame.directory)), path)):
        if not toolchain.preprocess(name, before, Path(frame.directory), preprocessed):
            return text, None
        done = toolchain.emit(preprocessed, compiling, again, seconds=seconds)
        if not done.ok:
            why = done.error_line()
            say(f"{unit}: {path} can't be compiled again: {why}; going without compilers")
            return text, None
        emitted = again.read_text(errors="surrogateescape")
        if unit_key(emitted) == unit_key(frame.assembly) or same_code(emitted, frame.assembly):
            return text, CompileSpec(toolchain.cc, preprocessed, tuple(compiling))
    # A header may have changed, or a file of -D's may be gone: then variants would be
    # variants of something else.
    say(f"{unit}: compiling {path} again gives other code; going without compilers")
    return text, None
