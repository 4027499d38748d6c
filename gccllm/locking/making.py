"""From a stored rewrite to blocks of a lock file: the new lines of its functions, nothing else.

A rewrite may combine the functions of several candidates. Each was spliced in with a tag of its
own that stands in all new names; a block holds what one of them gave, under the names that it had
before, and its tag. So splicing it again makes the very text that was judged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gccllm.asm.carry import Frame
from gccllm.asm.elf import read_elf
from gccllm.asm.lines import Line, label_of, rename, split_statement, strip_comment, symbols_of
from gccllm.asm.normalise import same_code
from gccllm.asm.objects import DataObject
from gccllm.asm.unit import Function, Unit, parse
from gccllm.errors import LockError
from gccllm.lockfile import Locked
from gccllm.locking.restoring import Restorer, features_needed, one_unit
from gccllm.report.evidence import evidence_rows, ladder_of, measurement
from gccllm.store import Rewrite
from gccllm.toolchain import Toolchain

__all__ = ["lock_rewrite"]

_TAG = r"[0-9a-f]{8}x{0,8}"
_TAGGED_LABEL = re.compile(rf"\.L({_TAG})\.")
_TAGGED_SYMBOL = re.compile(rf"[\w.$]+?\.({_TAG})(?:\.cold)?")
_DEBUG = re.compile(r"\s*\.(?:loc|file|ident|set\s+\.LVU\d+,)")


def lock_rewrite(rewrite: Rewrite, toolchain: Toolchain, scratch: Path) -> tuple[Locked, ...]:
    """The blocks of a rewrite, in the order in which they have to be put in.

    They are put in once, here: raises LockError where that does not give the code that was judged.
    """
    base, unit = parse(rewrite.baseline), parse(rewrite.text)
    missing = [x for x in rewrite.functions if x not in base.functions or x not in unit.functions]
    if missing or not rewrite.functions:
        raise LockError(f"{rewrite.unit}: the stored rewrite lacks its functions")
    blocks = [
        Locked(
            unit=rewrite.unit,
            functions=names,
            program=Path(rewrite.program).name,
            compiler=toolchain.identity.version,
            isa=rewrite.key.isa.partition("-")[0],
            needs=frozenset(),
            imports=frozenset(),
            baseline=rewrite.key.unit_key,
            assurance=rewrite.assurance,
            speedup=rewrite.speedup,
            proposer=": ".join(x for x in (rewrite.proposer, rewrite.label) if x),
            evidence=tuple(_evidence(rewrite, names)),
            tag=tag,
            assembly=_donor(base, unit, names, tag),
        )
        for tag, names in _by_tag(base, unit, rewrite.functions).items()
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


def _by_tag(base: Unit, unit: Unit, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Tag → the functions that came with it; one without new names gets a tag of its own."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        function = unit.functions[name]
        own = {x.group(1) for x in map(_TAGGED_LABEL.match, sorted(function.labels)) if x}
        tags = own or {
            tag
            for symbol in function.label_refs | function.symbols
            if (tag := _tag_of(symbol)) and not base.defines(symbol)
        }
        if len(tags) > 1:
            raise LockError(f"{name}: its parts are from several candidates")
        plain = "\n".join(unit.lines[i] for i in function.indices())
        digest = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
        tag = next(iter(tags), digest[:8])
        found[tag] = (*found.get(tag, ()), name)
    return found


def _tag_of(symbol: str) -> str:
    found = _TAGGED_LABEL.match(symbol) or _TAGGED_SYMBOL.fullmatch(symbol)
    return found.group(1) if found else ""


def _donor(base: Unit, unit: Unit, names: Sequence[str], tag: str) -> str:
    """What one candidate gave: its functions, their helpers and constants, under old names."""
    functions, data = list(names), list[str]()
    for name in functions:  # grows meanwhile
        function = unit.functions[name]
        for symbol in _in_order(unit, function.indices()):
            _want(base, unit, symbol, functions, data)
    for name in data:  # grows meanwhile
        for symbol in _in_order(unit, unit.objects[name].lines):
            _want(base, unit, symbol, functions, data)
    lines: list[str] = []
    for name in functions:
        lines += _function(unit, unit.functions[name])
    for name in data:
        lines += _data(unit.objects[name], unit)
    referred = {n for x in lines if label_of(x) is None for n, _ in symbols_of(x)}
    return "\n".join(_untagged(x, tag) for x in lines if not _is_idle_label(x, referred))


def _is_idle_label(line: str, referred: set[str]) -> bool:
    """Debug information may refer to such a label, and would find another one in its place."""
    label = label_of(line)
    return label is not None and label.startswith(".L") and label not in referred


def _in_order(unit: Unit, indices: Sequence[int] | Iterator[int]) -> Iterator[str]:
    for index in indices:
        if unit.kinds[index] in (Line.INSTRUCTION, Line.DIRECTIVE):
            for symbol, _ in symbols_of(split_statement(unit.lines[index])[1]):
                yield symbol


def _want(base: Unit, unit: Unit, symbol: str, functions: list[str], data: list[str]) -> None:
    """Note what a symbol needs that the baseline does not have, or not aligned as far."""
    if symbol in unit.functions:
        if symbol not in base.functions and symbol not in functions:
            functions.append(symbol)
    elif symbol in unit.objects:
        one = unit.objects[symbol]
        ours = base.objects.get(symbol)
        new = ours is None or (not symbol.startswith(".L") and one.alignment > ours.alignment)
        if new and one.names[0] not in data:
            data.append(one.names[0])


def _function(unit: Unit, function: Function) -> Iterator[str]:
    name = function.name
    yield unit.directive_at(function.start)
    yield "\t.p2align 4"
    if function.is_global:
        yield f"\t.globl\t{name}"
    yield f"\t.type\t{name}, @function"
    for part in function.ranges:
        if part is not function.ranges[0]:
            yield unit.directive_at(part.start)
        for index in part:
            line = unit.lines[index]
            empty = unit.kinds[index] in (Line.BLANK, Line.COMMENT)
            if not empty and not _DEBUG.match(line):
                yield strip_comment(line)


def _data(one: DataObject, unit: Unit) -> Iterator[str]:
    name = one.names[0]
    if one.common:
        if not one.is_global:
            yield f"\t.local\t{name}"
        yield f"\t.comm\t{name},{one.size},{one.alignment}"
        return
    yield one.directive
    yield f"\t.balign {one.alignment}"
    if not name.startswith(".L"):
        yield f"\t.type\t{name}, @object"
        yield f"\t.size\t{name}, {one.declared if one.declared is not None else one.size}"
    for index in one.lines:
        if unit.kinds[index] not in (Line.BLANK, Line.COMMENT):
            yield strip_comment(unit.lines[index])


def _untagged(line: str, tag: str) -> str:
    def old(name: str) -> str:
        if name.startswith(f".L{tag}."):
            return f".L{name[len(tag) + 3 :]}"
        if name.endswith((f".{tag}", f".{tag}.cold")):
            return name.replace(f".{tag}", "", 1)
        return name

    return rename(line, old) if tag in line else line


def _imports(made: Path) -> set[str]:
    return {x.name for x in read_elf(made).symbols if not x.defined and x.name}
