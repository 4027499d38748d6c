"""Small things that several parts need: our own C code as objects, tables as assembly."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gccllm import process
from gccllm.assurance.differential.layout import Unsupported
from gccllm.sandbox.build import usable_cache

__all__ = ["compiled", "table"]

COMPILE_SECONDS = 60.0
_A_LINE = 16


def compiled(cc: str, sources: Sequence[Path], options: Sequence[str]) -> Path:
    """The object of ``sources[0]`` (the others it includes), made once. Raises Unsupported."""
    digest = hashlib.sha256(" ".join((cc, *options)).encode())
    for source in sources:
        digest.update(source.read_bytes())
    folder = usable_cache()
    target = folder / f"differential-{sources[0].stem}-{digest.hexdigest()[:16]}.o"
    if target.exists():
        return target
    fresh = folder / f".{target.name}.{os.getpid()}"
    argv = [cc, "-O2", "-std=gnu11", "-fno-lto", *options, "-c", "-o", str(fresh), str(sources[0])]
    done = process.run(argv, timeout=COMPILE_SECONDS)
    if not done.ok:
        raise Unsupported(f"{cc} can't compile {sources[0].name}: {done.error_line()}")
    return fresh.replace(target)


def table(name: str, values: Sequence[int | str]) -> Iterator[str]:
    """Quadwords (numbers or symbols) under a global name."""
    yield "\t.p2align 3"
    yield f"\t.globl\t{name}"
    yield f"\t.hidden\t{name}"
    yield f"{name}:"
    for at in range(0, len(values), _A_LINE):
        yield "\t.quad\t" + ",".join(str(x) for x in values[at : at + _A_LINE])
    if not values:
        yield "\t.quad\t0"
