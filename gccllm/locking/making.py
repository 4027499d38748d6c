"""From a stored rewrite to blocks of a lock file: the new lines of its functions, nothing else.

A rewrite may combine the functions of several candidates; a block is what one of them gave, and
splicing it again makes the very text that was judged (:mod:`gccllm.asm.parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gccllm.asm.bind import Refused
from gccllm.asm.carry import Frame
from gccllm.asm.elf import read_elf
from gccllm.asm.normalise import same_code
from gccllm.asm.parts import parts_of
from gccllm.asm.unit import parse
from gccllm.errors import LockError
from gccllm.lockfile import Locked
from gccllm.locking.restoring import Restorer, features_needed
from gccllm.program import one_unit
from gccllm.report.evidence import evidence_rows, ladder_of, measurement
from gccllm.store import Rewrite
from gccllm.toolchain import Toolchain

__all__ = ["lock_rewrite"]


def lock_rewrite(rewrite: Rewrite, toolchain: Toolchain, scratch: Path) -> tuple[Locked, ...]:
    """The blocks of a rewrite, in the order in which they have to be put in.

    They are put in once, here: raises LockError where that does not give the code that was judged.
    """
    base, unit = parse(rewrite.baseline), parse(rewrite.text)
    missing = [x for x in rewrite.functions if x not in base.functions or x not in unit.functions]
    if missing or not rewrite.functions:
        raise LockError(f"{rewrite.unit}: the stored rewrite lacks its functions")
    try:
        parts = parts_of(base, unit, rewrite.functions)
    except Refused as refused:
        raise LockError(refused.detail) from refused
    blocks = [
        Locked(
            unit=rewrite.unit,
            functions=part.names,
            program=Path(rewrite.program).name,
            compiler=toolchain.identity.version,
            isa=rewrite.key.isa.partition("-")[0],
            needs=frozenset(),
            imports=frozenset(),
            baseline=rewrite.key.unit_key,
            assurance=rewrite.assurance,
            speedup=rewrite.speedup,
            proposer=": ".join(x for x in (rewrite.proposer, rewrite.label) if x),
            evidence=tuple(_evidence(rewrite, part.names)),
            tag=part.tag,
            assembly=part.text,
        )
        for part in parts
    ]
    frame = Frame(rewrite.unit, rewrite.baseline, "", "", "", (), "", "")
    restorer = Restorer(one_unit(toolchain, frame, scratch), scratch)
    restored = restorer.restore(rewrite.unit, blocks)
    if not same_code(restored, rewrite.text):
        raise LockError(f"{rewrite.unit}: what is put in again is not what was judged")
    made = restorer.assembled(rewrite.unit, restored)
    old = restorer.assembled(rewrite.unit, rewrite.baseline)
    needs = features_needed(made, old)
    imports = frozenset(_imports(made) - _imports(old))
    return tuple(replace(x, needs=needs, imports=imports) for x in blocks)


def _evidence(rewrite: Rewrite, names: Sequence[str]) -> Iterator[str]:
    speed = rewrite.speedup
    entry = {"speedup": speed.ratio, "low": speed.low, "high": speed.high}
    yield measurement({**entry, "evidence": dict(rewrite.evidence)})
    tests = rewrite.evidence.get("tests_run")
    if isinstance(tests, int):
        yield f"recordings: {tests}, all right"
    for name in names:
        for row in evidence_rows(ladder_of(rewrite.evidence, name)):
            yield ": ".join(x for x in (name, *row) if x)


def _imports(made: Path) -> set[str]:
    return {x.name for x in read_elf(made).symbols if not x.defined and x.name}
